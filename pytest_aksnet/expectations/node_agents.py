"""Which agents AKS runs on nodes, by network mode, and how their DaemonSets must be. Pure.

Source: AKS docs: concepts-network-cni-overview, azure-cni-powered-by-cilium, configure-kube-proxy;
Azure/azure-container-networking: cns and npm manifests.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence

from pytest_aksnet.model.api import Json
from pytest_aksnet.model.profile import NetworkProfile
from pytest_aksnet.model.verdict import Outcome, Verdict, merge

EXPECTED_SOURCE = "AKS docs: concepts-network-cni-overview, azure-cni-powered-by-cilium"
READY_SOURCE = "Kubernetes docs: workloads/controllers/daemonset, status"
# Of other clusters too: the network hangs on them wherever they are.
NETWORK_AGENTS = (
    "kube-proxy",
    "cilium",
    "azure-cns",
    "azure-ip-masq-agent",
    "azure-npm",
    "calico-node",
    "kindnet",
    "kube-flannel-ds",
    "node-local-dns",
)
_MASQUERADES = ("overlay", "node-subnet", "kubenet")
_HAS_CNS = ("overlay", "pod-subnet")
_ENGINES = {"calico": "calico-node", "azure": "azure-npm", "cilium": "cilium"}


def expected_agents(profile: NetworkProfile) -> dict[str, str]:
    """The DaemonSets that this profile's cluster must have, each with the fact that says so.

    Nothing is expected by facts that are unknown, or of clusters that are not AKS.
    """
    mode, engine = profile.get("mode"), profile.get("policy-engine")
    proxy = profile.get("kube-proxy-mode")
    if profile.get("cloud") != "azure" or mode is None:
        return {}
    found = {}
    if proxy is not None and proxy != "none":
        found["kube-proxy"] = f"kube-proxy-mode {proxy}"
    if proxy == "none" or engine == "cilium":
        found["cilium"] = "the eBPF data plane"
    if mode in _HAS_CNS:
        found["azure-cns"] = f"mode {mode}"
    if mode in _MASQUERADES:
        found["azure-ip-masq-agent"] = f"mode {mode}"
    if engine in _ENGINES:
        found.setdefault(_ENGINES[engine], f"policy-engine {engine}")
    return found


def judge_ready(sets: Sequence[Json], expected: Mapping[str, str]) -> Verdict:
    """Whether every expected agent is there, and each agent runs and is ready on all its nodes.

    One that is wanted on no node says nothing, unless it is expected: then it does not run.
    """
    placed = [one for one in sets if _wanted_somewhere(one)]
    running = {one["metadata"]["name"] for one in placed}
    there = {one["metadata"]["name"] for one in sets}
    verdicts = [
        Verdict(
            outcome=Outcome.FAIL,
            sentence=f"DaemonSet {name} should run, by {why}, but "
            + ("no node is to have it" if name in there else "there is none"),
            source=EXPECTED_SOURCE,
        )
        for name, why in sorted(expected.items())
        if name not in running
    ]
    return merge([*verdicts, *map(_judge_one, placed)])


def _wanted_somewhere(one: Json) -> bool:
    """Whether a DaemonSet has nodes, or its status is of before its last change."""
    status = one.get("status", {})
    current = status.get("observedGeneration", 0) >= one["metadata"].get("generation", 0)
    return not current or status.get("desiredNumberScheduled", 0) > 0


def _judge_one(one: Json) -> Verdict:
    name, status = named(one), one.get("status", {})
    wanted = status.get("desiredNumberScheduled", 0)
    ready, misplaced = status.get("numberReady", 0), status.get("numberMisscheduled", 0)
    seen = f"DaemonSet {name}: {ready} of {wanted} ready"
    if status.get("observedGeneration", 0) < one["metadata"].get("generation", 0):
        return Verdict(
            outcome=Outcome.INCONCLUSIVE,
            sentence=f"{seen}, as of before its last change",
            source=READY_SOURCE,
        )
    if ready < wanted:
        return Verdict(
            outcome=Outcome.FAIL,
            sentence=f"every node of DaemonSet {name} should have it ready, but {ready} of "
            f"{wanted} have",
            source=READY_SOURCE,
        )
    warning = f"DaemonSet {name} runs on {misplaced} nodes where it should not" * bool(misplaced)
    return Verdict(outcome=Outcome.PASS, sentence=seen, source=READY_SOURCE, warning=warning)


def judge_images(sets: Sequence[Json], pods: Sequence[Json]) -> Verdict:
    """Whether the pods of each agent run the images that its DaemonSet has now, on all nodes.

    An agent that is wanted on no node has none.
    """
    return merge(_judge_images(one, pods_of(one, pods)) for one in sets if _wanted_somewhere(one))


def _judge_images(one: Json, pods: Sequence[Json]) -> Verdict:
    name, wanted = named(one), _images(one["spec"]["template"]["spec"])
    others: defaultdict[str, list[str]] = defaultdict(list)
    for pod in pods:
        if (has := _images(pod["spec"])) != wanted:
            others[", ".join(sorted(has - wanted)) or "fewer images"].append(
                pod["spec"].get("nodeName", "no node")
            )
    if not pods:
        return Verdict(
            outcome=Outcome.INCONCLUSIVE,
            sentence=f"DaemonSet {name} has no pod whose images could be looked at",
            source=READY_SOURCE,
        )
    if not others:
        return Verdict(
            outcome=Outcome.PASS,
            sentence=f"{len(pods)} pods of {name} run {', '.join(sorted(wanted))}",
            source=READY_SOURCE,
        )
    said = "; ".join(
        f"{has} on {', '.join(sorted(nodes))}" for has, nodes in sorted(others.items())
    )
    return Verdict(
        outcome=Outcome.FAIL,
        sentence=f"all pods of DaemonSet {name} should run {', '.join(sorted(wanted))}, but there "
        f"is {said}: its rolling update did not finish",
        source=READY_SOURCE,
    )


def named(one: Json) -> str:
    """A DaemonSet as NAMESPACE/NAME."""
    return f"{one['metadata']['namespace']}/{one['metadata']['name']}"


def pods_of(one: Json, pods: Sequence[Json]) -> list[Json]:
    """The pods of a DaemonSet that are not on their way out."""
    uid = one["metadata"]["uid"]
    return [
        pod
        for pod in pods
        if any(owner.get("uid") == uid for owner in pod["metadata"].get("ownerReferences") or ())
        and "deletionTimestamp" not in pod["metadata"]
    ]


def network_agents(sets: Sequence[Json], expected: Collection[str]) -> list[Json]:
    """Of all DaemonSets those that the network rests on."""
    known = {*NETWORK_AGENTS, *expected}
    return [one for one in sets if one["metadata"]["name"] in known]


def _images(spec: Json) -> frozenset[str]:
    return frozenset(container["image"] for container in spec["containers"])
