"""How cases of Netpol are written down: who takes part, at which ports, and in which steps."""

from collections.abc import Sequence
from dataclasses import replace

from pytest_aksnet.expectations.policy_cases.layout import FIRST, LAYOUT
from pytest_aksnet.expectations.policy_cases.policies import Json, both, pods, policy, spaces
from pytest_aksnet.expectations.policy_cases.steps import step
from pytest_aksnet.model.policy import PortSpec, Protocol
from pytest_aksnet.model.policy_table import Action, PolicyCase, TableStep

X_AND_Y, X_AND_ONE = "x/a x/b y/a y/b", "x/a x/b y/a"
FIVE, THREE_SPACES = "x/a x/b y/a y/b z/a", "x/a x/b y/a z/a"
FROM_YA: Json = {"from": [both(spaces("y"), pods("a"))]}
"""One pod of another namespace is let in."""

_PUT = "the policies are put"


def one_step(
    number: int,
    title: str,
    names: str,
    tags: str,
    *policies: Json,
    ports: Sequence[PortSpec] = (),
    note: str = "",
) -> PolicyCase:
    """A case of one step that puts policies; see `in_steps`."""
    return in_steps(number, title, names, tags, step(_PUT, *policies), ports=ports, note=note)


def then(
    number: int, title: str, names: str, tags: str, policy: Json, action: Action
) -> PolicyCase:
    """A case in which a policy is put, then something is done; see `in_steps`."""
    return in_steps(number, title, names, tags, step(_PUT, policy), step(title, action))


def in_steps(
    number: int,
    title: str,
    names: str,
    tags: str,
    *steps: TableStep,
    ports: Sequence[PortSpec] = (),
    note: str = "",
) -> PolicyCase:
    """A case with these steps. `names` are its pods and `tags` its tags, with spaces between.

    Steps that name no ports have `ports`, which are the first port over TCP if none are given.
    """
    served = tuple(ports) or at_ports("TCP", FIRST)
    protocols = sorted({port.protocol.lower() for step in steps for port in step.ports or served})
    return PolicyCase(
        id=f"netpol-{number:02}",
        family="netpol",
        title=title,
        layout=LAYOUT,
        steps=tuple(replace(step, ports=step.ports or served) for step in steps),
        tags=(*tags.split(), *protocols),
        pods=tuple(names.split()),
        note=note,
    )


def at_ports(protocol: Protocol, *numbers: int) -> tuple[PortSpec, ...]:
    """Ports of one protocol."""
    return tuple(PortSpec(number=number, protocol=protocol) for number in numbers)


def into_a(*rules: Json, name: str = "policy") -> Json:
    """A policy with these ingress rules for pod a of x."""
    return policy(name, target=pods("a"), ingress=rules)


def out_of_a(*rules: Json, name: str = "policy") -> Json:
    """A policy with these egress rules for pod a of x."""
    return policy(name, target=pods("a"), egress=rules)
