"""Verbs about the addresses of pods, as the API server lists them, and about short-lived pods."""

import ipaddress
from collections.abc import Sequence

from pytest_aksnet.assertions.looker import Looker, Reader
from pytest_aksnet.assertions.pod_lists import aks_mode
from pytest_aksnet.check import Engine
from pytest_aksnet.check_facts import judge_facts
from pytest_aksnet.expectations.pod_addresses import (
    PodAddress,
    judge_given_again,
    judge_host_network,
    judge_in_range,
    judge_unique,
)
from pytest_aksnet.expectations.pod_paths import MANAGED_MODES
from pytest_aksnet.model.api import Json
from pytest_aksnet.model.errors import (
    ApiUnreachable,
    EnvironmentProblem,
    FactUnknown,
    NotApplicable,
)
from pytest_aksnet.model.observation import FactSheet
from pytest_aksnet.model.profile import Network
from pytest_aksnet.model.verdict import Verdict, merge

_PODS = "/api/v1/pods"
_BY_HAND = ("kubectl", "get", "pods", "--all-namespaces", "--output=wide")
_MOST_PODS = 64
_MOST_LISTED = 500
NODE_ANNOTATION = "aksnet.io/node"
_MOST_AT_ONCE = 5
_SPARE = 2
# What of a probe pod its short-lived copies need to be let in and to get onto its node.
_KEPT_OF_POD = ("affinity", "tolerations", "imagePullSecrets", "securityContext")


class PodAddressVerbs(Reader):
    """What the API server says of the addresses of pods."""

    def assert_addresses_in_range(self) -> FactSheet:
        """Every pod's address is inside the ranges that the network mode gives to pods.

        With kubenet inside its node's own. Raises FactUnknown where the ranges are not known.
        """
        profile, pods = self._engine.profile, _addresses(self._engine)
        ranges, fact = profile.networks("pod-cidrs"), profile.facts["pod-cidrs"]
        mode = profile.get("mode")
        of_nodes: dict[str, Sequence[Network]] = {}
        if mode == "kubenet":
            of_nodes = {
                node.name: [ipaddress.ip_network(cidr) for cidr in node.pod_cidrs]
                for node in self._engine.view.nodes()
                if node.pod_cidrs
            }
        certain = mode in MANAGED_MODES or fact.source == "--aksnet-profile"
        verdict = judge_in_range(pods, ranges, of_nodes, where_from=fact.source, certain=certain)
        return _judged(self._engine, "the addresses of pods and their ranges", pods, verdict)

    def assert_addresses_unique(self) -> FactSheet:
        """No two running pods have the same address, and none has a node's."""
        pods = _addresses(self._engine)
        nodes = {ip: node.name for node in self._engine.view.nodes() for ip in node.addresses}
        return _judged(self._engine, "the addresses of pods", pods, judge_unique(pods, nodes))

    def assert_host_network_addresses(self) -> FactSheet:
        """Every pod of its node's network has an address of that node."""
        pods = _addresses(self._engine)
        nodes = {node.name: node.addresses for node in self._engine.view.nodes()}
        return _judged(
            self._engine,
            "the addresses of host-network pods",
            pods,
            judge_host_network(pods, nodes),
        )

    def assert_addresses_given_again(self, jobs: Sequence[Json]) -> FactSheet:
        """All pods of these Jobs of `short_lived_copies` come and go on their nodes."""
        verdicts = [_runs_to_its_end(self._engine, job) for job in jobs]
        sheet = FactSheet(
            what="short-lived pods on each node",
            source="/apis/batch/v1/jobs",
            facts={
                str(number): verdict.sentence for number, verdict in enumerate(verdicts, start=1)
            },
        )
        return judge_facts(
            self._engine,
            sheet,
            merge(verdicts),
            by_hand=("kubectl", "get", "events", "--field-selector=reason=FailedCreatePodSandBox"),
        )


def _runs_to_its_end(engine: Engine, job: Json) -> Verdict:
    """Watch a Job until it is done, or until its pods have not got on for a while."""
    metadata = job["metadata"]
    path = f"/apis/batch/v1/namespaces/{metadata['namespace']}/jobs/{metadata['name']}"
    wanted = int(job["spec"]["completions"])
    done, since = 0, engine.now()
    while True:
        try:
            now = engine.api.get(path)
        except ApiUnreachable:  # it is busy with these pods as well
            if engine.now() - since > engine.pacing.pod_progress_s:
                raise
            engine.rest(engine.pacing.longest_pause_s)
            continue
        if now is None:
            raise EnvironmentProblem(f"the Job {metadata['name']} is gone")
        succeeded = int((now.get("status") or {}).get("succeeded") or 0)
        if succeeded > done:
            done, since = succeeded, engine.now()
        waited = engine.now() - since
        if done >= wanted or waited > engine.pacing.pod_progress_s:
            return judge_given_again(
                node=metadata["annotations"][NODE_ANNOTATION],
                wanted=wanted,
                succeeded=done,
                refusals=[] if done >= wanted else _refusals(engine, metadata),
                waited_s=waited,
            )
        engine.rest(engine.pacing.longest_pause_s)


def _refusals(engine: Engine, job: Json) -> list[str]:
    """The messages of events about sandboxes of the pods of a Job with this metadata."""
    events = engine.api.items(
        f"/api/v1/namespaces/{job['namespace']}/events",
        {"fieldSelector": "reason=FailedCreatePodSandBox"},
    )
    return [
        str(event.get("message") or "")
        for event in events
        if str(event["involvedObject"].get("name", "")).startswith(f"{job['name']}-")
    ]


def _addresses(engine: Engine) -> list[PodAddress]:
    return [
        PodAddress(
            pod=f"{pod['metadata']['namespace']}/{pod['metadata']['name']}",
            node=pod["spec"].get("nodeName") or "",
            ip=one["ip"],
            host_network=bool(pod["spec"].get("hostNetwork")),
        )
        for pod in engine.api.items(_PODS)
        if pod["status"].get("phase") == "Running" and not pod["metadata"].get("deletionTimestamp")
        for one in pod["status"].get("podIPs") or ()
        if one.get("ip")
    ]


def _judged(engine: Engine, what: str, pods: Sequence[PodAddress], verdict: Verdict) -> FactSheet:
    facts: dict[str, str] = {}
    for pod in pods[:_MOST_LISTED]:
        network = ", network of the node" if pod.host_network else ""
        facts[f"{pod.pod} {pod.ip}"] = f"node {pod.node}{network}"
    sheet = FactSheet(what=what, source=_PODS, facts=facts)
    return judge_facts(engine, sheet, verdict, by_hand=_BY_HAND)


class ChurnVerbs(Looker):
    """Pods that come and go beside this one."""

    def short_lived_copies(self) -> Json:
        """A Job whose pods run on this pod's node and end at once, more than it has addresses.

        Raises NotApplicable where a node has more addresses than pods are started here, FactUnknown
        where that cannot be read.
        """
        api, pod = self._engine.api, self._pod
        mode = aks_mode(self._engine.profile)
        if mode != "node-subnet":
            raise NotApplicable(
                f"in mode {mode or 'other than those of AKS'} a node can have hundreds of "
                f"addresses, so that none is lost does not show with {_MOST_PODS} pods"
            )
        most = {
            node["metadata"]["name"]: node["status"]["capacity"].get("pods")
            for node in api.items("/api/v1/nodes")
        }.get(pod.node)
        if not str(most).isdigit():
            raise FactUnknown(f"node {pod.node} does not say how many pods it takes ({most!r})")
        count = int(str(most)) + _SPARE
        if count > _MOST_PODS:
            raise NotApplicable(
                f"node {pod.node} has addresses for {most} pods, more than are started here"
            )
        own = api.get(f"/api/v1/namespaces/{pod.namespace}/pods/{pod.name}")
        if own is None:
            raise EnvironmentProblem(f"pod {pod.namespace}/{pod.name} is gone")
        return _job(own, pod.node, count)


def _job(pod: Json, node: str, count: int) -> Json:
    [container] = pod["spec"]["containers"]
    short = {
        "name": "short",
        "image": container["image"],
        "imagePullPolicy": "IfNotPresent",
        "command": ["true"],
        "resources": container.get("resources") or {},
        "securityContext": container.get("securityContext") or {},
    }
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"annotations": {NODE_ANNOTATION: node}},
        "spec": {
            "completions": count,
            "parallelism": _MOST_AT_ONCE,
            "activeDeadlineSeconds": 600,
            "template": {
                "spec": {
                    **{key: pod["spec"][key] for key in _KEPT_OF_POD if key in pod["spec"]},
                    "restartPolicy": "Never",
                    "automountServiceAccountToken": False,
                    "enableServiceLinks": False,
                    "terminationGracePeriodSeconds": 0,
                    "containers": [short],
                }
            },
        },
    }
