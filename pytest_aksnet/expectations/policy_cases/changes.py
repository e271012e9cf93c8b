"""Cases 193 to 199: policies, labels, pods and namespaces that come, change and go."""

from pytest_aksnet.expectations.policy_cases.common import NAME_OF_SECOND
from pytest_aksnet.expectations.policy_cases.layout import PORTS, SECOND, port_name, table_pod
from pytest_aksnet.expectations.policy_cases.policies import (
    Json,
    base,
    base_changed,
    both,
    labelled,
    policy,
    spaces,
)
from pytest_aksnet.expectations.policy_cases.steps import drop, generated, step
from pytest_aksnet.model.policy_table import (
    AddNamespace,
    AddPod,
    LabelNamespace,
    LabelPod,
    PolicyCase,
    RemoveNamespace,
    RemovePod,
    TableStep,
)

AT_NAME_OF_SECOND = policy(ingress=[{"ports": [{"port": NAME_OF_SECOND}]}])
"""All of x is open at the second port over TCP, which it gives by its name."""

ONLY_SECOND = tuple(p for p in PORTS if p.number == SECOND and p.protocol == "TCP")

_NEW = "y-2"
_PUT = "the policy is put"
_ADD_SPACE = AddNamespace(namespace=_NEW, labels={"ns": "y"})
_NEW_POD = table_pod("x", "d")
_SPACE_LABEL = {"new-ns": "yes"}
_POD_LABEL = {"new-label": "yes"}


def cases() -> tuple[PolicyCase, ...]:
    """Families example and action."""
    at_other_port = base_changed(
        "ingress", ports=[{"protocol": "UDP", "port": port_name(SECOND, "UDP")}]
    )
    return (
        generated(
            193,
            "example",
            "one named port is open, while a pod and its namespace come and go",
            ("example",),
            *_example(),
            default=False,
        ),
        generated(
            194,
            "action",
            "a policy comes and goes",
            ("create-policy", "delete-policy"),
            step(_PUT, base()),
            step("it is deleted", drop(base())),
        ),
        generated(
            195,
            "action",
            "a policy gets another port",
            ("create-policy", "update-policy"),
            step(_PUT, base()),
            step("its ingress is at a named port over UDP", at_other_port),
        ),
        generated(
            196,
            "action",
            "a namespace with two pods comes and goes",
            ("create-namespace", "delete-namespace"),
            step(_PUT, base()),
            step("the namespace comes", _ADD_SPACE, *(_add(_NEW, name) for name in ("a", "b"))),
            step("it goes", RemoveNamespace(namespace=_NEW)),
        ),
        generated(
            197,
            "action",
            "a namespace gets the label that is let in, and loses it",
            ("set-namespace-labels",),
            step(_PUT, _let_in({"namespaceSelector": labelled("new-ns", "yes")})),
            step(
                "namespace y has the label",
                LabelNamespace(namespace="y", labels={"ns": "y", **_SPACE_LABEL}),
            ),
            step("it has it no more", LabelNamespace(namespace="y", labels={"ns": "y"})),
        ),
        generated(
            198,
            "action",
            "a pod comes and goes",
            ("create-pod", "delete-pod"),
            step(_PUT, base()),
            step("the pod comes", AddPod(pod=_NEW_POD)),
            step("it goes", RemovePod(pod=_NEW_POD.key)),
        ),
        generated(
            199,
            "action",
            "a pod gets the label that is let in, and loses it",
            ("set-pod-labels",),
            step(_PUT, _let_in(both(spaces("y"), labelled("new-label", "yes")))),
            step("pod y/b has the label", LabelPod(pod="y/b", labels={"pod": "b", **_POD_LABEL})),
            step("it has it no more", LabelPod(pod="y/b", labels={"pod": "b"})),
        ),
    )


def _example() -> tuple[TableStep, ...]:
    return (
        step(_PUT, AT_NAME_OF_SECOND),
        step("a namespace with a pod comes", _ADD_SPACE, _add(_NEW, "a")),
        step("the pod goes", RemovePod(pod=f"{_NEW}/a")),
        step("the namespace goes", RemoveNamespace(namespace=_NEW)),
        step("nothing is changed"),
        step("the open port alone is looked at", ports=ONLY_SECOND),
        step("the open port is looked at again", ports=ONLY_SECOND),
    )


def _add(namespace: str, name: str) -> AddPod:
    return AddPod(pod=table_pod(namespace, name))


def _let_in(peer: Json) -> Json:
    return base_changed("ingress", peers=[peer])
