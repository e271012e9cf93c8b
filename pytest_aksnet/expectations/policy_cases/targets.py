"""Cases 1 to 10: where the base policy lands, and what no rule and one empty rule say."""

from pytest_aksnet.expectations.policy_cases.policies import base, pods
from pytest_aksnet.expectations.policy_cases.steps import generated, step
from pytest_aksnet.model.policy_table import PolicyCase

_PLACED = "the base policy is put"


def cases() -> tuple[PolicyCase, ...]:
    """Families target and rules."""
    return (
        *(
            generated(
                number,
                "target",
                f"the base policy in namespace {space}",
                ("target-namespace",),
                step(_PLACED, base(namespace=space)),
            )
            for number, space in enumerate(("x", "y", "z"), 1)
        ),
        *(
            generated(
                number, "target", title, ("target-pod-selector",), step(_PLACED, base(target=t))
            )
            for number, title, t in (
                (4, "the base policy for all pods", {}),
                (5, "the base policy for pod a", pods("a")),
                (6, "the base policy for pods a and b", pods("a", "b")),
            )
        ),
        *(
            generated(number, "rules", title, tags, step(title, changed))
            for number, title, tags, changed in (
                (7, "egress without rules", ("egress", "deny-all"), base(egress=[])),
                (8, "egress with an empty rule", ("egress", "allow-all"), base(egress=[{}])),
                (9, "ingress without rules", ("ingress", "deny-all"), base(ingress=[])),
                (10, "ingress with an empty rule", ("ingress", "allow-all"), base(ingress=[{}])),
            )
        ),
    )
