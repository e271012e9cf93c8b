"""Cases 216 to 230: the label that every namespace has, and what Kubernetes' own suite looks at."""

from pytest_aksnet.expectations.policy_cases.changes import AT_NAME_OF_SECOND, ONLY_SECOND
from pytest_aksnet.expectations.policy_cases.common import (
    CLIENT,
    CLOSED,
    CLOSED_ISOLATED,
    FROM_OTHER_SPACES,
    FROM_UPDATED_POD,
    FROM_UPDATED_SPACE,
    ISOLATED,
    OPEN,
    SERVERS,
    SHUT,
    STACKED_FIRST,
    STACKED_SECOND,
    UPDATED,
    both_ways,
)
from pytest_aksnet.expectations.policy_cases.layout import FIRST, SECOND
from pytest_aksnet.expectations.policy_cases.policies import (
    DNS,
    base_changed,
    labelled,
    policy,
)
from pytest_aksnet.expectations.policy_cases.steps import drop, generated, step
from pytest_aksnet.model.policy_table import LabelNamespace, LabelPod, PolicyCase, TableStep

_PUT = "the policy is put"
_AGAIN = "nothing is changed"


def cases() -> tuple[PolicyCase, ...]:
    """Families namespace and upstream."""
    return (*_by_default_label(), *_still(), *_stacked(), *_changing())


def _by_default_label() -> tuple[PolicyCase, ...]:
    peer = {"namespaceSelector": labelled("kubernetes.io/metadata.name", "z")}
    return tuple(
        generated(
            number,
            "namespace",
            f"{direction}: namespace z by the label with its name",
            ("namespaces-by-default-label", direction),
            step(_PUT, base_changed(direction, peers=[peer])),
            default=False,
        )
        for number, direction in ((216, "ingress"), (217, "egress"))
    )


def _still() -> tuple[PolicyCase, ...]:
    return (
        _upstream(218, "nobody is let into x", ("ingress", "deny-all"), step(_PUT, CLOSED)),
        _upstream(
            219,
            "nobody is let into x, and out but to names",
            ("deny-all",),
            step(_PUT, policy(ingress=[], egress=[DNS])),
        ),
        _upstream(
            220,
            "two pods of namespaces that are not x are let in",
            (),
            step(_PUT, FROM_OTHER_SPACES),
        ),
        _upstream(222, "everybody is let in", ("allow-all",), step(_PUT, OPEN), step(_AGAIN)),
        _upstream(
            223,
            "one named port is open",
            ("ingress", "named-port"),
            step(_PUT, AT_NAME_OF_SECOND, ports=ONLY_SECOND),
            step("all ports are looked at"),
        ),
    )


def _stacked() -> tuple[PolicyCase, ...]:
    return (
        _upstream(
            221,
            "a second policy opens a second port of the same pod",
            (),
            step("the second port is opened", STACKED_SECOND),
            step(_AGAIN),
            step("the first port is opened too", STACKED_FIRST),
        ),
        _upstream(
            229,
            "two servers let the client in, and the client may go to one alone",
            ("conflict",),
            step("the three policies are put", CLIENT, *SERVERS),
        ),
    )


def _changing() -> tuple[PolicyCase, ...]:
    return (
        _upstream(
            224,
            "a policy lets everybody in, then nobody",
            (),
            step("everybody", OPEN),
            step("nobody", CLOSED),
        ),
        _upstream(
            225,
            "a namespace gets the label that is let in",
            (),
            step(_PUT, FROM_UPDATED_SPACE),
            step("y has it", LabelNamespace(namespace="y", labels={"ns": "y", **UPDATED})),
        ),
        _upstream(
            226,
            "a pod gets the label that is let in",
            (),
            step(_PUT, FROM_UPDATED_POD),
            step("x/b has it", LabelPod(pod="x/b", labels={"pod": "b", **UPDATED})),
        ),
        _upstream(
            227,
            "a pod gets the label that is closed",
            (),
            step(_PUT, CLOSED_ISOLATED),
            step("x/a has it", LabelPod(pod="x/a", labels={"pod": "a", **ISOLATED})),
        ),
        _upstream(
            228,
            "one policy says who comes in and where to, then another port",
            (),
            *(step(f"out at {port}", both_ways(port)) for port in (FIRST, SECOND)),
        ),
        _upstream(
            230,
            "a policy that closes all goes",
            ("deny-all", "delete-policy"),
            step(_PUT, SHUT),
            step("it is deleted", drop(SHUT)),
        ),
    )


def _upstream(number: int, title: str, tags: tuple[str, ...], *steps: TableStep) -> PolicyCase:
    return generated(number, "upstream", title, ("upstream-e2e", *tags), *steps, default=False)
