"""Cases 11 to 122: the base policy with no peer, each of ten peers, and each two of them."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field

from pytest_aksnet.expectations.policy_cases.policies import (
    ANYBODY,
    Json,
    base_changed,
    both,
    pods,
    side,
    spaces,
)
from pytest_aksnet.expectations.policy_cases.steps import generated, step
from pytest_aksnet.model.policy_table import PolicyCase


@dataclass(frozen=True, kw_only=True)
class _Peer:
    says: str
    tags: tuple[str, ...]
    peer: Json = field(hash=False)


_ROUND = "pod:z/c"
"""What ipBlocks are round: see `model.policy_table.PutPolicy`."""

_PEERS = (
    _Peer(
        says="all pods of its namespace",
        tags=("policy-namespace", "all-pods"),
        peer={"podSelector": {}},
    ),
    _Peer(
        says="pods c of its namespace",
        tags=("policy-namespace", "pods-by-label"),
        peer={"podSelector": pods("c")},
    ),
    _Peer(
        says="all namespaces",
        tags=("all-namespaces", "all-pods"),
        peer={"namespaceSelector": {}},
    ),
    _Peer(
        says="all pods of all namespaces",
        tags=("all-namespaces", "all-pods"),
        peer=ANYBODY,
    ),
    _Peer(
        says="pods c of all namespaces",
        tags=("all-namespaces", "pods-by-label"),
        peer=both({}, pods("c")),
    ),
    _Peer(
        says="namespace x",
        tags=("namespaces-by-label", "all-pods"),
        peer={"namespaceSelector": spaces("x")},
    ),
    _Peer(
        says="all pods of namespace x",
        tags=("namespaces-by-label", "all-pods"),
        peer=both(spaces("x"), {}),
    ),
    _Peer(
        says="pods c of namespace x",
        tags=("namespaces-by-label", "pods-by-label"),
        peer=both(spaces("x"), pods("c")),
    ),
    _Peer(
        says="the /24 round z/c",
        tags=("ip-block-no-except",),
        peer={"ipBlock": {"cidr": f"{_ROUND}/24"}},
    ),
    _Peer(
        says="the /24 round z/c except its /28",
        tags=("ip-block-with-except",),
        peer={"ipBlock": {"cidr": f"{_ROUND}/24", "except": [f"{_ROUND}/28"]}},
    ),
)


def cases() -> Iterator[PolicyCase]:
    """Families peers-0, peers-1 and peers-2."""
    for number, direction in ((11, "ingress"), (12, "egress")):
        title = f"{direction} with an empty list of peers"
        changed = base_changed(direction, peers=[])
        yield generated(number, "peers-0", title, (direction, "any-peer"), step(title, changed))
    for first, direction in ((13, "ingress"), (23, "egress")):
        for number, one in enumerate(_PEERS, first):
            title = f"{_way(direction)} {one.says}"
            changed = base_changed(direction, peers=[one.peer])
            yield generated(number, "peers-1", title, (*one.tags, direction), step(title, changed))
    for first, direction in ((33, "ingress"), (78, "egress")):
        for number, pair in enumerate(itertools.combinations(_PEERS, 2), first):
            title = f"{_way(direction)} {pair[0].says}, or {pair[1].says}"
            tags = (*sorted({*pair[0].tags, *pair[1].tags}), "multi-peer", direction)
            changed = base_changed(direction, peers=[one.peer for one in pair])
            yield generated(number, "peers-2", title, tags, step(title, changed), default=False)


def _way(direction: str) -> str:
    return f"{direction} {side(direction)}"
