"""What has become of a pod in which a command could not run, or was killed."""

from dataclasses import dataclass

from pytest_aksnet.cluster.rest import Rest, path_of
from pytest_aksnet.model.errors import EnvironmentProblem
from pytest_aksnet.model.peers import PodRef


@dataclass(frozen=True, slots=True)
class Fate:
    """Why nothing runs in a pod, in words. `final` says that nothing ever will again."""

    text: str
    final: bool


def fate_of(rest: Rest, pod: PodRef) -> Fate | None:
    """The pod's fate; None where it lives, or where the API server cannot say."""
    try:
        return read_fate(rest, pod)
    except EnvironmentProblem:
        return None


def read_fate(rest: Rest, pod: PodRef) -> Fate | None:
    """The pod's fate; None where it lives. Raises EnvironmentProblem."""
    where = f"pod {pod.namespace}/{pod.name}"
    found = rest.get_or_none(path_of("api", "v1", "namespaces", pod.namespace, "pods", pod.name))
    if found is None:
        return Fate(f"{where} is deleted", final=True)
    metadata, status = found["metadata"], found.get("status", {})
    if pod.uid and metadata.get("uid") != pod.uid:
        return Fate(f"{where} was replaced by another", final=True)
    if status.get("phase") in ("Failed", "Succeeded"):
        why = str(status.get("reason") or status["phase"])
        said = " ".join(str(status.get("message") or "").split())
        return Fate(f"{where} has ended ({why}{': ' + said if said else ''})", final=True)
    if metadata.get("deletionTimestamp"):
        return Fate(f"{where} is being deleted", final=True)
    for container in status.get("containerStatuses") or ():
        restarted = int(container.get("restartCount") or 0) > 0
        if container.get("name") == pod.container and (
            restarted or "running" not in (container.get("state") or {})
        ):
            return Fate(f"the container of {where} has ended", final=False)
    return None
