"""What stands in the way of draining nodes, and what is lost by it. Pure.

Sources: AKS docs upgrade-cluster, error-code-poddrainfailure; Kubernetes docs Safely Drain a Node,
Disruptions, Dynamic Admission Control; CoreDNS on AKS (coredns-custom).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pytest_aksnet.model.verdict import Outcome, Verdict

_BUDGETS = "AKS docs: error-code-poddrainfailure; Kubernetes docs: Disruptions"
_WEBHOOKS = "Kubernetes docs: Dynamic Admission Control, failure policy; AKS docs: upgrade-cluster"
_DRAIN = "Kubernetes docs: Safely Drain a Node"
_COREDNS = "Kubernetes docs: Using CoreDNS for Service Discovery; AKS docs: coredns-custom"
_IMAGES = "AKS docs: node-image-upgrade, upgrade-cluster"
_SHOWN = 5
_ENOUGH = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """A PodDisruptionBudget: how many pods it covers, and how many of them may go now."""

    name: str
    pods: int
    allowed: int
    healthy: int
    wanted: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    """An admission webhook that a Service of the cluster answers, and its ready endpoints."""

    name: str
    service: str
    fails_closed: bool
    ready: int


def judge_budgets(budgets: Sequence[Budget]) -> Verdict:
    """Every budget lets a pod go, so that nodes can be drained."""
    blocking = [
        f"{one.name} allows none of its {one.pods} pods to go ({one.healthy} healthy, "
        f"{one.wanted} wanted)"
        for one in budgets
        if one.pods > 0 and one.allowed < 1
    ]
    if blocking:
        return _fail(f"every disruption budget must let a pod go: {_some(blocking)}", _BUDGETS)
    return _hold(f"{len(budgets)} disruption budgets let nodes be drained", _BUDGETS)


def judge_webhooks(webhooks: Sequence[Webhook]) -> Verdict:
    """Each webhook without which nothing is admitted has somebody who answers."""
    dead = [
        f"{one.name} (Service {one.service} has no ready endpoint)"
        for one in webhooks
        if one.fails_closed and one.ready < 1
    ]
    if dead:
        return _fail(
            f"a webhook with failurePolicy Fail must have a ready endpoint: {_some(dead)}",
            _WEBHOOKS,
        )
    lonely = [one.name for one in webhooks if one.fails_closed and one.ready == 1]
    return _hold(
        f"{len(webhooks)} webhooks are answered",
        _WEBHOOKS,
        warning=f"answered by one pod only, so a drain stops them: {_some(lonely)}"
        if lonely
        else "",
    )


def judge_lone_pods(served: Mapping[str, Sequence[str]], others: Sequence[str]) -> Verdict:
    """No Service is served by pods alone that nobody starts again: `served` has those, by Service.

    `others` are further pods without a controller.
    """
    lost = [f"{service} is served by {', '.join(pods)} only" for service, pods in served.items()]
    if lost:
        return _fail(
            f"a Service must have pods of a controller, which come back after a drain: "
            f"{_some(lost)}",
            _DRAIN,
        )
    return _hold(
        "no Service rests on pods without a controller",
        _DRAIN,
        warning=f"a drain deletes these pods for good: {_some(others)}" if others else "",
    )


def judge_dns_replicas(wanted: int, ready: Mapping[str, int], nodes: int) -> Verdict:
    """Cluster DNS outlives the drain of a node: two ready replicas, better on two nodes.

    `ready` has how many are ready, by node; `nodes` how many nodes there are.
    """
    count = sum(ready.values())
    seen = f"{count} of {wanted} replicas ready, on {', '.join(sorted(ready)) or 'no node'}"
    if count < _ENOUGH:
        return _fail(f"CoreDNS must have two ready replicas: {seen}", _COREDNS)
    alone = len(ready) < _ENOUGH and nodes >= _ENOUGH
    return _hold(
        f"CoreDNS outlives the drain of a node ({seen})",
        _COREDNS,
        warning=f"all replicas of CoreDNS are on one node: {seen}" if alone else "",
    )


def judge_pool_images(pools: Mapping[str, Mapping[str, Sequence[str]]]) -> Verdict:
    """The nodes of each agent pool have one version, operating system and node image.

    `pools` has, by pool, what its nodes have (version, system and image in words) and which nodes.
    """
    mixed = [f"pool {pool} has {_listed(found)}" for pool, found in pools.items() if len(found) > 1]
    if mixed:
        return _fail(f"the nodes of a pool must be alike: {_some(mixed)}", _IMAGES)
    return _hold(f"the nodes of each of {len(pools)} pools are alike", _IMAGES)


def _listed(found: Mapping[str, Sequence[str]]) -> str:
    return ", ".join(f"{what} on {', '.join(nodes[:3])}" for what, nodes in found.items())


def _some(texts: Sequence[str]) -> str:
    more = f" and {len(texts) - _SHOWN} more" if len(texts) > _SHOWN else ""
    return "; ".join(texts[:_SHOWN]) + more


def _fail(sentence: str, source: str) -> Verdict:
    return Verdict(outcome=Outcome.FAIL, sentence=sentence, source=source)


def _hold(sentence: str, source: str, *, warning: str = "") -> Verdict:
    return Verdict(outcome=Outcome.PASS, sentence=sentence, source=source, warning=warning)
