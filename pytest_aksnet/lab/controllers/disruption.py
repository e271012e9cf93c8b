"""PodDisruptionBudgets: how many pods may go at the moment, in their status.

Source: Kubernetes docs, "Specifying a Disruption Budget for your Application"; names and texts of
conditions as k8s.io/kubernetes pkg/controller/disruption has them.
"""

import math
from collections.abc import Sequence

from pytest_aksnet.lab.api import disruption
from pytest_aksnet.lab.api.errors import ApiError
from pytest_aksnet.lab.api.journal import Change
from pytest_aksnet.lab.api.objects import JsonObject
from pytest_aksnet.lab.api.resources import (
    POD_DISRUPTION_BUDGETS,
    PODS,
    REPLICA_SETS,
    STATEFUL_SETS,
)
from pytest_aksnet.lab.controllers.endpoints import is_ready
from pytest_aksnet.lab.controllers.loop import ControlLoop

_ENDED = ("Succeeded", "Failed")
_SCALED = {"ReplicaSet": REPLICA_SETS, "StatefulSet": STATEFUL_SETS}


class DisruptionController(ControlLoop):
    """Keeps the status of all budgets."""

    watched = (POD_DISRUPTION_BUDGETS, PODS)

    def handle(self, changes: Sequence[Change]) -> None:
        """Count again for the budgets of the namespaces where something happened."""
        touched = {change.value["metadata"]["namespace"] for change in changes}
        for revision in self.store.revisions(POD_DISRUPTION_BUDGETS):
            if revision.value["metadata"]["namespace"] in touched:
                self._count(revision.value)

    def _count(self, budget: JsonObject) -> None:
        metadata = budget["metadata"]
        old = budget.get("status") or {}
        pods = [
            revision.value
            for revision in self.store.revisions(PODS, metadata["namespace"])
            if disruption.selects(budget, revision.value)
            and (revision.value.get("status") or {}).get("phase") not in _ENDED
        ]
        names = {
            pod["metadata"]["name"] for pod in pods if "deletionTimestamp" not in pod["metadata"]
        }
        going = {
            name: when for name, when in (old.get("disruptedPods") or {}).items() if name in names
        }
        healthy = sum(
            is_ready(pod)
            and "deletionTimestamp" not in pod["metadata"]
            and pod["metadata"]["name"] not in going
            for pod in pods
        )
        expected = self._expected(pods)
        desired = _desired(budget["spec"], expected)
        status: JsonObject = {
            "observedGeneration": metadata.get("generation", 1),
            **({"disruptedPods": going} if going else {}),
            "disruptionsAllowed": max(0, healthy - desired) if expected else 0,
            "currentHealthy": healthy,
            "desiredHealthy": desired,
            "expectedPods": expected,
        }
        status["conditions"] = disruption.conditions(budget, status["disruptionsAllowed"])
        if status != old:
            self._write({**budget, "status": status})

    def _expected(self, pods: Sequence[JsonObject]) -> int:
        """As many pods as their controllers want; those without a controller count themselves."""
        wanted: dict[str, int] = {}
        for pod in pods:
            metadata = pod["metadata"]
            owner = next(
                (one for one in metadata.get("ownerReferences") or [] if one.get("controller")),
                None,
            )
            found = None
            if owner is not None and owner["kind"] in _SCALED:
                found = self.store.find(
                    _SCALED[owner["kind"]], owner["name"], metadata["namespace"]
                )
            if owner is None or found is None:
                wanted[metadata["uid"]] = 1
            else:
                wanted[owner["uid"]] = int(found["spec"].get("replicas", 1))
        return sum(wanted.values())

    def _write(self, value: JsonObject) -> None:
        try:
            self.store.update(
                POD_DISRUPTION_BUDGETS,
                value,
                value["metadata"]["namespace"],
                subresource="status",
            )
        except ApiError as error:
            if error.code not in (404, 409):
                raise


def _desired(spec: JsonObject, expected: int) -> int:
    """How many pods must stay healthy."""
    if "maxUnavailable" in spec:
        return max(0, expected - _scaled(spec["maxUnavailable"], expected))
    return _scaled(spec.get("minAvailable", 0), expected)


def _scaled(wanted: int | str, expected: int) -> int:
    """A number, or a percentage of the expected pods, rounded up."""
    if isinstance(wanted, str):
        return math.ceil(int(wanted.rstrip("%")) * expected / 100)
    return wanted
