"""Cases 200 to 215: what several policies say together, of one pod or of both ends.

The client is pod b of x, and policies there are of egress; the server is pod c of y, and policies
there are of ingress.
"""

from collections.abc import Iterator, Sequence

from pytest_aksnet.expectations.policy_cases.policies import (
    ANYBODY,
    EVERYWHERE,
    Json,
    labelled,
    pods,
    policy,
    side,
)
from pytest_aksnet.expectations.policy_cases.steps import generated, step
from pytest_aksnet.model.policy_table import PolicyCase

_NOWHERE: Json = {"ipBlock": {"cidr": "203.0.113.2/31"}}
_NO_SPACE: Json = {"namespaceSelector": labelled("ns", "nowhere")}
_PLACES = {"egress": ("x", "b"), "ingress": ("y", "c")}
_CLOSED: Sequence[Json] = ()
_OPEN: Sequence[Json] = ({},)


def cases() -> Iterator[PolicyCase]:
    """Family conflict."""
    for number, closed, opened in ((200, "egress", "ingress"), (201, "ingress", "egress")):
        policies = (_policy("closed", closed, _CLOSED), _policy("open", opened, _OPEN))
        title = f"one end closes {closed}, the other opens {opened}"
        tags = ("deny-all", "allow-all", "ingress", "egress", "conflict")
        yield generated(number, "conflict", title, tags, step(title, *policies))
    for number, direction in ((202, "egress"), (203, "ingress")):
        yield _same_end(number, direction, _CLOSED, _OPEN)
    for first, direction in ((204, "egress"), (208, "ingress")):
        allowed = (
            (_CLOSED, _to(direction, ANYBODY)),
            (_CLOSED, _to(direction, EVERYWHERE)),
            (_to(direction, _NOWHERE), _to(direction, ANYBODY)),
            (_to(direction, _NO_SPACE), _to(direction, EVERYWHERE)),
        )
        for number, rules in enumerate(allowed, first):
            yield _same_end(number, direction, *rules)
    for first, direction in ((212, "egress"), (214, "ingress")):
        for number, peer in enumerate((_NOWHERE, _NO_SPACE), first):
            yield _same_end(number, direction, _to(direction, peer))


def _same_end(number: int, direction: str, *rules: Sequence[Json]) -> PolicyCase:
    policies = [_policy(f"policy-{index}", direction, some) for index, some in enumerate(rules)]
    said = " and ".join(_says(some) for some in rules)
    title = f"{direction} of one pod: {said}"
    tags = (*_tags(rules), direction, "conflict")
    return generated(number, "conflict", title, tags, step(title, *policies))


def _tags(rules: Sequence[Sequence[Json]]) -> Iterator[str]:
    if _CLOSED in rules:
        yield "deny-all"
    if _OPEN in rules:
        yield "allow-all"
    if any(_peer(some) == ANYBODY for some in rules):
        yield from ("all-pods", "all-namespaces")


def _says(rules: Sequence[Json]) -> str:
    if not rules:
        return "no rules"
    peer = _peer(rules)
    if peer is None:
        return "an empty rule"
    if peer == ANYBODY:
        return "all pods"
    return "a label that no namespace has" if peer == _NO_SPACE else str(peer["ipBlock"]["cidr"])


def _peer(rules: Sequence[Json]) -> Json | None:
    peers: list[Json] = [peer for rule in rules for some in rule.values() for peer in some]
    return peers[0] if peers else None


def _to(direction: str, peer: Json) -> Sequence[Json]:
    return ({side(direction): [peer]},)


def _policy(name: str, direction: str, rules: Sequence[Json]) -> Json:
    namespace, pod = _PLACES[direction]
    ingress, egress = (rules, None) if direction == "ingress" else (None, rules)
    return policy(name, namespace, target=pods(pod), ingress=ingress, egress=egress)
