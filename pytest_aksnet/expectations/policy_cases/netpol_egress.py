"""Cases of Netpol that say where to, or in which something changes."""

from collections.abc import Iterator

from pytest_aksnet.expectations.policy_cases.common import (
    CLIENT,
    CLOSED,
    CLOSED_ISOLATED,
    FROM_UPDATED_POD,
    FROM_UPDATED_SPACE,
    ISOLATED,
    OPEN,
    SERVERS,
    SHUT,
    UPDATED,
    both_ways,
)
from pytest_aksnet.expectations.policy_cases.layout import FIRST, SECOND, port_name
from pytest_aksnet.expectations.policy_cases.netpol_form import (
    X_AND_ONE,
    at_ports,
    in_steps,
    into_a,
    one_step,
    out_of_a,
    then,
)
from pytest_aksnet.expectations.policy_cases.policies import DNS, at, pods, policy
from pytest_aksnet.expectations.policy_cases.steps import drop, step
from pytest_aksnet.model.policy_table import LabelNamespace, LabelPod, PolicyCase

_WIDE = "pod:x/b/4"
"""A network that has every pod of most clusters in it, and x/b surely."""
_ONE = "pod:x/b/32"


def cases() -> Iterator[PolicyCase]:
    """Cases 19 to 22, 24 to 29 and 31 to 37."""
    yield from _egress()
    yield from _changing()
    yield from _several()


def _changing() -> Iterator[PolicyCase]:
    yield in_steps(
        20,
        "a policy lets everybody in, then nobody",
        "x/a y/a",
        "ingress update-policy allow-all deny-all",
        step("everybody", OPEN),
        step("nobody", CLOSED),
        ports=at_ports("TCP", SECOND),
    )
    yield then(
        21,
        "a namespace gets the label that is let in",
        "x/a y/a",
        "ingress set-namespace-labels",
        FROM_UPDATED_SPACE,
        LabelNamespace(namespace="y", labels={"ns": "y", **UPDATED}),
    )
    yield then(
        22,
        "a pod gets the label that is let in",
        "x/a x/b",
        "ingress set-pod-labels",
        FROM_UPDATED_POD,
        LabelPod(pod="x/b", labels={"pod": "b", **UPDATED}),
    )
    yield then(
        24,
        "a pod gets the label that is closed",
        "x/a y/a",
        "ingress set-pod-labels deny-all",
        CLOSED_ISOLATED,
        LabelPod(pod="x/a", labels={"pod": "a", **ISOLATED}),
    )
    yield then(
        33, "a policy that closes all goes", "x/a y/a", "delete-policy deny-all", SHUT, drop(SHUT)
    )
    excepted = {"to": [{"ipBlock": {"cidr": _WIDE, "except": [_ONE]}}]}
    yield in_steps(
        36,
        "an address that one block excepts is let in by another",
        "x/a x/b x/c",
        "egress ip-block-with-except update-policy",
        step("it is excepted", out_of_a(excepted)),
        step("a second rule has it", out_of_a(excepted, {"to": [{"ipBlock": {"cidr": _ONE}}]})),
    )


def _egress() -> Iterator[PolicyCase]:
    yield one_step(
        19,
        "the way out is open to one named port",
        "x/a y/a",
        "egress named-port",
        out_of_a({"ports": [{"port": port_name(FIRST, "TCP")}]}, DNS),
        ports=at_ports("TCP", FIRST, SECOND),
    )
    yield one_step(25, "one pod may go nowhere", X_AND_ONE, "egress deny-all", out_of_a())
    yield one_step(
        26, "no pod of x may go anywhere", X_AND_ONE, "egress deny-all", policy(egress=[])
    )
    yield one_step(
        27,
        "one policy says who comes in and where to",
        "x/a x/b x/c y/a",
        "ingress egress pods-by-label numbered-port",
        both_ways(FIRST),
        ports=at_ports("TCP", FIRST, SECOND),
    )
    yield one_step(
        28,
        "two servers let the client in, and the client may go to one alone",
        "x/a y/a y/b",
        "ingress egress conflict",
        CLIENT,
        *SERVERS,
    )
    yield one_step(
        29,
        "a client may go to one pod of another namespace",
        "x/a y/a y/b",
        "egress pods-by-label namespaces-by-label",
        CLIENT,
    )
    yield one_step(
        34,
        "a client may go to one address",
        "x/a y/a y/b",
        "egress ip-block-no-except",
        out_of_a({"to": [{"ipBlock": {"cidr": "pod:y/b/32"}}]}),
    )
    yield one_step(
        35,
        "a client may go to all addresses but one",
        "x/a x/b x/c",
        "egress ip-block-with-except",
        out_of_a({"to": [{"ipBlock": {"cidr": _WIDE, "except": [_ONE]}}]}),
    )


def _several() -> Iterator[PolicyCase]:
    at_first = at(FIRST)
    yield in_steps(
        31,
        "one policy lets in at another port, then one lets in all",
        "x/a y/a",
        "ingress allow-all policy-stack",
        step("the other port", into_a(at_first)),
        step("all", into_a({}, name="all")),
        ports=at_ports("TCP", SECOND),
    )
    yield in_steps(
        32,
        "one policy lets out to another port, then one lets out to all",
        "x/a y/a",
        "egress allow-all policy-stack",
        step("the other port", out_of_a(at_first)),
        step("all", out_of_a({}, name="all")),
        ports=at_ports("TCP", SECOND),
    )
    yield in_steps(
        37,
        "a pod may go to another, and then is closed itself",
        X_AND_ONE,
        "ingress egress pods-by-label deny-all",
        step("it may go to b", out_of_a({"to": [{"podSelector": pods("b")}]}, DNS)),
        step("it is closed", into_a(name="closed")),
    )
