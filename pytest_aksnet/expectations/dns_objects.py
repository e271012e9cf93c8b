"""What the replicas of the cluster's DNS must be: ready, and better on several nodes."""

from collections.abc import Sequence

from pytest_aksnet.model.api import Json
from pytest_aksnet.model.verdict import Outcome, Verdict

REPLICAS = "Kubernetes docs: Deployments, dns-horizontal-autoscaling; AKS docs: coredns-custom"


def judge_replicas(pods: Sequence[Json], *, nodes: int) -> Verdict:
    """Whether all pods of the cluster's DNS that are not ending are ready.

    One alone, or all of them on one node where there are more nodes, is a warning.
    """
    alive = [pod for pod in pods if not pod["metadata"].get("deletionTimestamp")]
    alive = [pod for pod in alive if (pod.get("status") or {}).get("phase") not in _ENDED]
    waiting = [pod for pod in alive if not _ready(pod)]
    places = {str((pod.get("spec") or {}).get("nodeName")) for pod in alive}
    if not alive:
        return Verdict(
            outcome=Outcome.FAIL,
            sentence="the Service kube-dns should have pods behind it, but none runs",
            source=REPLICAS,
        )
    if waiting:
        told = ", ".join(
            f"{pod['metadata']['name']} on {(pod.get('spec') or {}).get('nodeName', 'no node')}"
            for pod in waiting
        )
        return Verdict(
            outcome=Outcome.FAIL,
            sentence=f"all {len(alive)} replicas of CoreDNS should be ready, but {told} "
            f"{'is' if len(waiting) == 1 else 'are'} not",
            source=REPLICAS,
        )
    warning = ""
    if nodes > 1 and len(alive) == 1:
        warning = "there is one replica of CoreDNS only: while it restarts no name resolves"
    elif nodes > 1 and len(places) == 1:
        warning = f"all {len(alive)} replicas of CoreDNS are on node {places.pop()}"
    return Verdict(
        outcome=Outcome.PASS,
        sentence=f"all {len(alive)} replicas of CoreDNS are ready",
        source=REPLICAS,
        warning=warning,
    )


_ENDED = ("Succeeded", "Failed")


def _ready(pod: Json) -> bool:
    conditions = (pod.get("status") or {}).get("conditions") or ()
    return any(one.get("type") == "Ready" and one.get("status") == "True" for one in conditions)
