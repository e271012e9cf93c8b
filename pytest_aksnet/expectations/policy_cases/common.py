"""Policies that cases of the generator and cases of Netpol have in common."""

from pytest_aksnet.expectations.policy_cases.layout import FIRST, SECOND, port_name
from pytest_aksnet.expectations.policy_cases.policies import (
    DNS,
    Json,
    at,
    both,
    from_pods,
    from_spaces,
    labelled,
    none_of,
    pods,
    policy,
    spaces,
)

CLOSED = policy(ingress=[])
"""Nobody is let in."""
OPEN = policy(ingress=[{}])
"""Everybody is let in; it replaces CLOSED and is replaced by it."""
SHUT = policy(ingress=[], egress=[])
"""Nobody is let in or out."""

NAME_OF_SECOND = port_name(SECOND, "TCP")

FROM_OTHER_SPACES = policy(
    target=pods("a"), ingress=[{"from": [both(none_of("ns", "x"), pods("b", "c"))]}]
)
STACKED_SECOND, STACKED_FIRST = (
    policy(
        f"at-{port}",
        target=pods("a"),
        ingress=[{**from_spaces(spaces("y")), "ports": [{"port": port}]}],
    )
    for port in (SECOND, FIRST)
)

UPDATED = {"updated": "yes"}
"""The label that a namespace or a pod gets."""
FROM_UPDATED_SPACE = policy(target=pods("a"), ingress=[from_spaces(labelled("updated", "yes"))])
FROM_UPDATED_POD = policy(target=pods("a"), ingress=[from_pods(labelled("updated", "yes"))])
ISOLATED = {"target": "isolated"}
"""The label that a pod gets, and is closed."""
CLOSED_ISOLATED = policy(target=labelled("target", "isolated"), ingress=[])

CLIENT = policy("client", target=pods("a"), egress=[{"to": [both(spaces("y"), pods("a"))]}, DNS])
SERVERS = tuple(
    policy(
        f"server-{name}",
        "y",
        target=pods(name),
        ingress=[{"from": [both(spaces("x"), pods("a"))]}],
    )
    for name in ("a", "b")
)
"""Two that let the client in, though it may go to one of them alone."""


def both_ways(port: int) -> Json:
    """Pod a lets in pod b, and goes to that port of everybody."""
    return policy(target=pods("a"), ingress=[from_pods(pods("b"))], egress=[at(port), DNS])
