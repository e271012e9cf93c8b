"""How many pods a Deployment's ReplicaSets are to have during a rolling update. Pure.

Source: k8s.io/kubernetes pkg/controller/deployment: rolling.go, util/deployment_util.go
(NewRSNewReplicas, ResolveFenceposts, GetReplicaSetProportion).
"""

from collections.abc import Iterator, Sequence

from pytest_aksnet.lab.api.objects import JsonObject
from pytest_aksnet.lab.controllers.workloads.pods import scaled


def surge(value: JsonObject) -> int:
    """How many pods more than wanted there may be."""
    return _fenceposts(value)[0]


def tolerance(value: JsonObject) -> int:
    """How many pods fewer than wanted may be available."""
    strategy, replicas = value["spec"]["strategy"], value["spec"]["replicas"]
    if strategy["type"] != "RollingUpdate" or not replicas:
        return 0
    return min(_fenceposts(value)[1], int(replicas))


def _fenceposts(value: JsonObject) -> tuple[int, int]:
    strategy, replicas = value["spec"]["strategy"], value["spec"]["replicas"]
    if strategy["type"] != "RollingUpdate":
        return 0, 0
    settings = strategy.get("rollingUpdate") or {}
    more = scaled(settings.get("maxSurge", 0), replicas, up=True)
    fewer = scaled(settings.get("maxUnavailable", 0), replicas, up=False)
    # With neither, nothing could ever move.
    return (more, fewer) if more or fewer else (0, 1)


def wanted_of_new(value: JsonObject, old: Sequence[JsonObject], size: int) -> int:
    """The size of the newest ReplicaSet, which has `size` now, as far as maxSurge lets it grow.

    With the strategy Recreate it starts when no old pod is left.
    """
    wanted = int(value["spec"]["replicas"])
    others = sum(int(item["spec"]["replicas"]) for item in old)
    if value["spec"]["strategy"]["type"] == "Recreate":
        pods = sum((item.get("status") or {}).get("replicas", 0) for item in old)
        return size if others or pods else int(wanted)
    if size >= wanted:
        return wanted
    room = wanted + surge(value) - others - size
    return size + min(max(0, room), wanted - size)


def sizes_of_old(
    value: JsonObject, old: Sequence[JsonObject], new: JsonObject
) -> Iterator[tuple[JsonObject, int]]:
    """Those of the old ReplicaSets, oldest first, that are to shrink now, and to which size.

    Pods that are not available go first, whatever the newest has reached.
    """
    wanted = int(value["spec"]["replicas"])
    sizes = {item["metadata"]["name"]: int(item["spec"]["replicas"]) for item in old}
    total = sum(sizes.values()) + int(new["spec"]["replicas"])
    least = wanted - tolerance(value)
    unavailable_of_new = int(new["spec"]["replicas"]) - _available(new)
    spare = total - least - unavailable_of_new
    if spare <= 0:
        return
    cleaned = 0
    for item in old:
        name = item["metadata"]["name"]
        unhealthy = sizes[name] - _available(item)
        gone = max(0, min(spare - cleaned, unhealthy))
        sizes[name] -= gone
        cleaned += gone
    available = sum(map(_available, (*old, new)))
    healthy_spare = available - least
    for item in old:
        name = item["metadata"]["name"]
        gone = max(0, min(healthy_spare, sizes[name]))
        sizes[name] -= gone
        healthy_spare -= gone
    for item in old:
        size = sizes[item["metadata"]["name"]]
        if size != item["spec"]["replicas"]:
            yield item, size


def proportions(
    value: JsonObject, owned: Sequence[JsonObject], new: JsonObject | None
) -> Iterator[tuple[JsonObject, int]]:
    """New sizes after a change of the Deployment's own: each ReplicaSet gets its share."""
    wanted = int(value["spec"]["replicas"])
    active = [item for item in owned if item["spec"]["replicas"]]
    if len(active) <= 1:
        chosen = active[0] if active else new
        if chosen is not None:
            yield chosen, wanted
        return
    if value["spec"]["strategy"]["type"] != "RollingUpdate":
        return
    total = sum(item["spec"]["replicas"] for item in active)
    allowed = wanted + surge(value) if wanted else 0
    left = allowed - total
    biggest_first = sorted(active, key=lambda item: -item["spec"]["replicas"])
    sizes = []
    for item in biggest_first:
        size = item["spec"]["replicas"]
        share = round(size * allowed / total) - size
        share = min(share, left) if left > 0 else max(share, left)
        left -= share
        sizes.append(size + share)
    sizes[0] = max(0, sizes[0] + left)
    yield from zip(biggest_first, sizes, strict=True)


def _available(replica_set: JsonObject) -> int:
    return int((replica_set.get("status") or {}).get("availableReplicas", 0))
