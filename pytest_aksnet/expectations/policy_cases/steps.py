"""How cases and their steps are written down."""

from collections.abc import Mapping, Sequence

from pytest_aksnet.expectations.policy_cases.layout import LAYOUT
from pytest_aksnet.expectations.policy_cases.policies import Json
from pytest_aksnet.model.policy import PortSpec
from pytest_aksnet.model.policy_table import (
    Action,
    DropPolicy,
    PolicyCase,
    PutPolicy,
    TableStep,
)


def step(title: str, *what: Json | Action, ports: Sequence[PortSpec] = ()) -> TableStep:
    """A step: policies that are put, and other actions, in this order."""
    return TableStep(
        title=title,
        actions=tuple(PutPolicy(policy=one) if isinstance(one, Mapping) else one for one in what),
        ports=tuple(ports),
    )


def drop(policy: Json) -> DropPolicy:
    """Delete this policy."""
    metadata = policy["metadata"]
    return DropPolicy(namespace=metadata["namespace"], name=metadata["name"])


def generated(
    number: int,
    family: str,
    title: str,
    tags: Sequence[str],
    *steps: TableStep,
    default: bool = True,
) -> PolicyCase:
    """A case of the generator by its number; all pods are judged."""
    return PolicyCase(
        id=f"generated-{number:03}",
        family=family,
        title=title,
        layout=LAYOUT,
        steps=steps,
        tags=tuple(tags),
        default=default,
    )
