"""Cases of Netpol that say who comes in: by labels, by ports and by protocols."""

from collections.abc import Iterator

from pytest_aksnet.expectations.policy_cases.common import (
    CLOSED,
    FROM_OTHER_SPACES,
    NAME_OF_SECOND,
    OPEN,
    SHUT,
    STACKED_FIRST,
    STACKED_SECOND,
)
from pytest_aksnet.expectations.policy_cases.layout import FIRST, SECOND, port_name
from pytest_aksnet.expectations.policy_cases.netpol_form import (
    FIVE,
    FROM_YA,
    THREE_SPACES,
    X_AND_ONE,
    X_AND_Y,
    at_ports,
    in_steps,
    into_a,
    one_step,
    out_of_a,
)
from pytest_aksnet.expectations.policy_cases.policies import (
    ANYBODY,
    at,
    both,
    from_pods,
    from_spaces,
    labelled,
    none_of,
    one_of,
    pods,
    policy,
    spaces,
)
from pytest_aksnet.expectations.policy_cases.steps import step
from pytest_aksnet.model.policy import Protocol
from pytest_aksnet.model.policy_table import PolicyCase

_NAME_LABEL = "kubernetes.io/metadata.name"


def cases() -> Iterator[PolicyCase]:
    """Cases 1 to 18, 23, 30 and 38 to 48."""
    yield from _ingress_by_label()
    yield from _ingress_by_port()
    yield from _protocols()
    yield from _default_label()
    yield from _over(43, "UDP")
    yield from _over(46, "SCTP")


def _ingress_by_label() -> Iterator[PolicyCase]:
    yield one_step(1, "nobody is let into x", X_AND_Y, "ingress deny-all", CLOSED)
    yield one_step(2, "nobody is let into x or out", X_AND_ONE, "ingress egress deny-all", SHUT)
    yield one_step(
        3,
        "pod b of the same namespace is let in",
        "x/a x/b x/c y/a",
        "ingress pods-by-label policy-namespace",
        into_a(from_pods(pods("b"))),
    )
    yield one_step(
        4,
        "nobody is let into x, and everybody into one pod of it",
        X_AND_ONE,
        "ingress deny-all all-pods all-namespaces policy-stack",
        CLOSED,
        into_a({"from": [ANYBODY]}, name="into-a"),
    )
    yield one_step(
        5,
        "all namespaces are let in",
        THREE_SPACES,
        "ingress all-namespaces",
        into_a(from_spaces({})),
        note="It closes nothing: whoever is let in by name must not be shut out.",
    )
    yield one_step(
        6,
        "namespace y is let in",
        THREE_SPACES,
        "ingress namespaces-by-label",
        into_a(from_spaces(spaces("y"))),
    )
    yield one_step(
        7,
        "pods of a set of one are let in",
        X_AND_ONE,
        "ingress pods-by-label policy-namespace",
        into_a(from_pods(one_of("pod", "b"))),
    )
    yield one_step(
        8,
        "namespaces of a set of one are let in",
        THREE_SPACES,
        "ingress namespaces-by-label",
        into_a(from_spaces(one_of("ns", "y"))),
    )
    yield one_step(
        9,
        "pod b of x is let in, or whoever is not of x",
        "x/a x/b x/c y/a",
        "ingress pods-by-label namespaces-by-label multi-peer",
        into_a({"from": [{"namespaceSelector": none_of("ns", "x")}, {"podSelector": pods("b")}]}),
    )
    yield one_step(
        10,
        "pod b is let in of namespaces that are not x",
        "x/a x/b y/a y/b z/b",
        "ingress pods-by-label namespaces-by-label",
        into_a({"from": [both(none_of("ns", "x"), pods("b"))]}),
    )
    yield one_step(
        11,
        "pods b and c are let in of namespaces that are not x",
        "x/a x/b y/a y/b y/c",
        "ingress pods-by-label namespaces-by-label",
        FROM_OTHER_SPACES,
    )
    yield one_step(
        12,
        "pods b and c of the same namespace are let in, by a peer each",
        "x/a x/b x/c",
        "ingress pods-by-label policy-namespace multi-peer",
        into_a({"from": [{"podSelector": pods("b")}, {"podSelector": pods("c")}]}),
        note="It closes nothing but the way of x/a to itself, which always stays open: the peers "
        "are all who look.",
    )
    yield one_step(
        13,
        "one pod of another namespace is let in",
        FIVE,
        "ingress pods-by-label namespaces-by-label",
        into_a(FROM_YA),
    )
    yield one_step(
        23,
        "the own namespace alone is let in",
        THREE_SPACES,
        "ingress all-pods policy-namespace",
        policy(ingress=[from_pods({})]),
    )


def _ingress_by_port() -> Iterator[PolicyCase]:
    both_ports = at_ports("TCP", FIRST, SECOND)
    yield one_step(
        14,
        "namespace y is let in at one port",
        FIVE,
        "ingress namespaces-by-label numbered-port",
        STACKED_SECOND,
        ports=at_ports("TCP", SECOND),
    )
    yield in_steps(
        15,
        "a second policy opens a second port of the same pod",
        FIVE,
        "ingress namespaces-by-label numbered-port policy-stack",
        step("the second port is opened", STACKED_SECOND, ports=both_ports),
        step("the first port is opened too", STACKED_FIRST, ports=at_ports("TCP", FIRST)),
    )
    yield one_step(
        16,
        "everybody is let in",
        X_AND_ONE,
        "ingress allow-all",
        OPEN,
        ports=both_ports,
        note="It closes nothing: a policy that lets in everybody must not shut anybody out.",
    )
    yield one_step(
        17,
        "one named port is open",
        X_AND_ONE,
        "ingress named-port",
        into_a({"ports": [{"port": NAME_OF_SECOND}]}),
        ports=both_ports,
    )
    yield one_step(
        18,
        "one named port is open to namespace y",
        THREE_SPACES,
        "ingress named-port namespaces-by-label",
        into_a({**from_spaces(spaces("y")), "ports": [{"port": port_name(FIRST, "TCP")}]}),
        ports=both_ports,
    )


def _protocols() -> Iterator[PolicyCase]:
    second = at_ports("TCP", SECOND)
    yield one_step(
        30,
        "one protocol is let in at all ports",
        "x/a y/a",
        "ingress any-port",
        into_a({"ports": [{"protocol": "TCP"}]}),
        ports=(*at_ports("TCP", FIRST), *at_ports("UDP", FIRST)),
    )
    sctp = at(SECOND, "SCTP")
    yield one_step(
        38,
        "nobody is let into x, and SCTP into one pod of it",
        "x/a y/a",
        "ingress deny-all numbered-port policy-stack",
        CLOSED,
        into_a(sctp, name="sctp"),
        ports=second,
    )
    yield one_step(
        39, "SCTP alone is let in", "x/a y/a", "ingress numbered-port", into_a(sctp), ports=second
    )
    yield one_step(
        40,
        "UDP alone is let in",
        "x/a y/a",
        "ingress numbered-port",
        into_a(at(SECOND, "UDP")),
        ports=second,
    )


def _default_label() -> Iterator[PolicyCase]:
    yield one_step(
        41,
        "namespace y is let in by the label with its name",
        THREE_SPACES,
        "ingress namespaces-by-default-label",
        into_a(from_spaces(labelled(_NAME_LABEL, "y"))),
    )
    yield one_step(
        42,
        "a client may go to all namespaces but y, by the label with its name",
        THREE_SPACES,
        "egress namespaces-by-default-label",
        out_of_a({"to": [{"namespaceSelector": none_of(_NAME_LABEL, "y")}]}),
    )


def _over(first: int, protocol: Protocol) -> Iterator[PolicyCase]:
    yield one_step(
        first,
        f"nobody is let into x, over {protocol}",
        X_AND_Y,
        "ingress deny-all",
        CLOSED,
        ports=at_ports(protocol, FIRST),
    )
    yield one_step(
        first + 1,
        f"namespace y is let in at one port, over {protocol}",
        THREE_SPACES,
        "ingress namespaces-by-label numbered-port",
        into_a({**from_spaces(spaces("y")), **at(SECOND, protocol)}),
        ports=at_ports(protocol, SECOND),
    )
    yield one_step(
        first + 2,
        f"one pod of another namespace is let in, over {protocol}",
        X_AND_ONE,
        "ingress pods-by-label namespaces-by-label",
        into_a({**FROM_YA, **at(FIRST, protocol)}),
        ports=at_ports(protocol, FIRST),
    )
