"""Whether a namespace has room for pods: its ResourceQuotas and LimitRanges, read beforehand.

The API server stays the judge; this says what is asked, used and allowed, where its refusal would
name a field only. Semantics: https://kubernetes.io/docs/concepts/policy/resource-quotas/ and
https://kubernetes.io/docs/concepts/policy/limit-range/.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from pytest_aksnet.cluster.connect import Cluster
from pytest_aksnet.cluster.quantity import parse, show
from pytest_aksnet.cluster.rest import path_of
from pytest_aksnet.model.api import Json
from pytest_aksnet.model.errors import EnvironmentProblem

GRACE_S = 5.0
_POLL_S = 0.3
Amounts = Mapping[str, Decimal]
# A quota over one of these refuses containers that do not state it.
_MUST_STATE = tuple(
    f"{prefix}{name}" for prefix in ("", "requests.", "limits.") for name in ("cpu", "memory")
)
# The scopes of a quota that our pods are sure to be in (True) or out of (False): they end by
# themselves, ask for something, and have no priority of their own making.
_SCOPES = {
    "Terminating": True,
    "NotTerminating": False,
    "BestEffort": False,
    "NotBestEffort": True,
    "CrossNamespacePodAffinity": False,
}


@dataclass(frozen=True, slots=True)
class _Container:
    """What a container asks for once a LimitRange has filled in what it leaves open."""

    name: str
    requests: Amounts
    limits: Amounts


def require_room(cluster: Cluster, pods: Sequence[Json]) -> None:
    """Raise EnvironmentProblem where a quota or limit range refuses these manifests together.

    Room that pods take which are just ending is waited for. What may not be read, or cannot be
    understood, refuses nothing here.
    """
    for namespace in dict.fromkeys(str(pod["metadata"]["namespace"]) for pod in pods):
        specs = [pod["spec"] for pod in pods if pod["metadata"]["namespace"] == namespace]
        deadline = time.monotonic() + GRACE_S
        while why := _refusal(cluster, namespace, specs):
            if time.monotonic() >= deadline or not _somebody_leaves(cluster, namespace):
                what = "the probe pod does" if len(specs) == 1 else f"{len(specs)} probe pods do"
                raise EnvironmentProblem(f"{what} not fit into the namespace {namespace}: {why}")
            time.sleep(_POLL_S)


def _refusal(cluster: Cluster, namespace: str, specs: Sequence[Json]) -> str:
    ranges = _read(cluster, namespace, "limitranges")
    quotas = _read(cluster, namespace, "resourcequotas")
    try:
        return next(refusals(quotas, ranges, specs), "")
    except (ValueError, KeyError, TypeError, AttributeError):
        return ""


def _somebody_leaves(cluster: Cluster, namespace: str) -> bool:
    pods = _read(cluster, namespace, "pods")
    return any(pod["metadata"].get("deletionTimestamp") for pod in pods)


def _read(cluster: Cluster, namespace: str, kind: str) -> list[Json]:
    try:
        return cluster.rest.items(path_of("api", "v1", "namespaces", namespace, kind))
    except EnvironmentProblem:
        return []


def refusals(
    quotas: Sequence[Json], ranges: Sequence[Json], specs: Sequence[Json]
) -> Iterator[str]:
    """Why pods with these specs are refused, in words. Raises ValueError for odd quantities."""
    pods = [[_filled(container, ranges) for container in spec["containers"]] for spec in specs]
    for containers in pods[:1]:  # all pods of the project ask for the same
        yield from _by_ranges(ranges, containers)
    for quota in quotas:
        yield from _by_quota(quota, pods)


def _filled(container: Json, ranges: Sequence[Json]) -> _Container:
    stated = container.get("resources") or {}
    requests = {name: parse(value) for name, value in (stated.get("requests") or {}).items()}
    limits = {name: parse(value) for name, value in (stated.get("limits") or {}).items()}
    for _, limit in _limits(ranges, "Container"):
        defaults = limit.get("default") or {}
        for name, value in {**defaults, **(limit.get("defaultRequest") or {})}.items():
            requests.setdefault(name, limits.get(name, parse(value)))
        for name, value in defaults.items():
            limits.setdefault(name, parse(value))
    return _Container(container["name"], requests, limits)


def _limits(ranges: Sequence[Json], kind: str) -> Iterator[tuple[str, Json]]:
    for limit_range in ranges:
        for limit in (limit_range.get("spec") or {}).get("limits") or ():
            if limit.get("type") == kind:
                yield str(limit_range["metadata"]["name"]), limit


def _by_ranges(ranges: Sequence[Json], containers: Sequence[_Container]) -> Iterator[str]:
    whole = _Container(
        "pod", _sum(one.requests for one in containers), _sum(one.limits for one in containers)
    )
    for kind, asking in (("Container", containers), ("Pod", (whole,))):
        for name, limit in _limits(ranges, kind):
            for one in asking:
                for why in _by_limit(limit, one):
                    yield f"LimitRange {name} ({kind}): {why}"
    for one in containers:
        for resource, request in one.requests.items():
            if resource in one.limits and request > one.limits[resource]:
                yield (
                    f"a LimitRange gives it the default limit {resource}="
                    f"{show(one.limits[resource])}, and it requests {show(request)}"
                )


def _by_limit(limit: Json, asked: _Container) -> Iterator[str]:
    for resource, value in (limit.get("min") or {}).items():
        request = asked.requests.get(resource)
        if request is None or request < parse(value):
            yield f"at least {resource}={value} must be requested, asked is {_shown(request)}"
    for resource, value in (limit.get("max") or {}).items():
        most = asked.limits.get(resource)
        if most is None or most > parse(value):
            yield f"the limit may be {resource}={value} at most, asked is {_shown(most)}"
    for resource, value in (limit.get("maxLimitRequestRatio") or {}).items():
        most, request = asked.limits.get(resource), asked.requests.get(resource)
        if not most or not request or most / request > parse(value):
            yield (
                f"limit and request of {resource} may differ by a factor of {value}, asked are "
                f"{_shown(most)} and {_shown(request)}"
            )


def _by_quota(quota: Json, pods: Sequence[Sequence[_Container]]) -> Iterator[str]:
    spec, status = quota.get("spec") or {}, quota.get("status") or {}
    selectors = (spec.get("scopeSelector") or {}).get("matchExpressions") or ()
    scopes = [*(spec.get("scopes") or ()), *(one.get("scopeName") for one in selectors)]
    if not all(_SCOPES.get(scope, False) for scope in scopes):
        return
    name = quota["metadata"]["name"]
    hard, used = status.get("hard") or spec.get("hard") or {}, status.get("used") or {}
    asked = _asked(pods)
    for resource, most in hard.items():
        if resource in _MUST_STATE:
            for one in pods[0]:
                if not _states(one, resource):
                    yield (
                        f"ResourceQuota {name} wants every container to state {resource}; a "
                        "LimitRange with a default in the namespace does that"
                    )
        if resource in asked:
            have = parse(used.get(resource, "0"))
            if asked[resource] > 0 and have + asked[resource] > parse(most):
                yield (
                    f"ResourceQuota {name}: {resource} is used up to {show(have)} of {most}, "
                    f"asked is {show(asked[resource])} more"
                )


def _states(container: _Container, resource: str) -> bool:
    kind, _, name = resource.rpartition(".")
    return name in (container.limits if kind == "limits" else container.requests)


def _asked(pods: Sequence[Sequence[_Container]]) -> Amounts:
    containers = [container for pod in pods for container in pod]
    requests = _sum(one.requests for one in containers)
    limits = _sum(one.limits for one in containers)
    return {
        "pods": Decimal(len(pods)),
        "count/pods": Decimal(len(pods)),
        **requests,
        **{f"requests.{name}": amount for name, amount in requests.items()},
        **{f"limits.{name}": amount for name, amount in limits.items()},
    }


def _sum(parts: Iterator[Amounts]) -> Amounts:
    total: dict[str, Decimal] = {}
    for part in parts:
        for name, amount in part.items():
            total[name] = total.get(name, Decimal(0)) + amount
    return total


def _shown(amount: Decimal | None) -> str:
    return "nothing" if amount is None else show(amount)
