"""The table that proves one NetworkPolicy of a user: a case made of what `policy_choice` chose.

Pure. Each rule has a cell that is open by it alone, what the policy closes has one that is closed
by it, and each selector, port and end of a range has one that only it decides. What no cell between
pods can show is said in the note of the case, and never counts as proven.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from pytest_aksnet.expectations.policy_candidates import Surroundings, named_ports
from pytest_aksnet.expectations.policy_choice import (
    MOST_FOR_RULES,
    MOST_PODS,
    MOST_PORTS,
    Choice,
    blocks_of,
    choose,
    isolates,
)
from pytest_aksnet.expectations.policy_mutants import explicit
from pytest_aksnet.expectations.policy_ports import PortMap, port_map, ranges_of
from pytest_aksnet.expectations.policy_rules import read_policy
from pytest_aksnet.expectations.policy_stand_ins import (
    stand_ins,
    surroundings_with_stand_ins,
    with_stand_ins,
)
from pytest_aksnet.expectations.policy_world import NAME_LABEL
from pytest_aksnet.model.policy_table import (
    Layout,
    NamedPort,
    PolicyCase,
    PutPolicy,
    TablePod,
    TableStep,
)

FAMILY = "own policies"
_SAID_PORTS = 6
_LONGEST_NAME = 40  # with what is put behind it, it has to be the name of a pod and of a host

Json = Mapping[str, Any]


def scenario(policy: Json, others: Sequence[Json], around: Surroundings) -> PolicyCase:
    """The case that proves a policy; `others` are all that are known beside it.

    Policies add up: those of the same namespace that select a pod of the table are applied too, and
    the expectation is that of all together. Policies of other namespaces are not applied: what they
    close is not this policy's doing, and each is proved by a case of its own.

    Policies are objects that `policy_schema` has no flaw in. Numbers of ports that pods without
    privileges cannot listen at are moved, in policies and pods alike; the note says so. A namespace
    that a selector asks for by name is the table's own of that name.
    """
    own = policy["metadata"]["namespace"]
    near: list[Json] = [
        one for one in others if one["metadata"]["namespace"] == own and one is not policy
    ]
    instead = stand_ins([policy, *near])
    if instead:
        policy = with_stand_ins(policy, instead)
        near = [with_stand_ins(one, instead) for one in near]
        around = surroundings_with_stand_ins(around, instead)
    workloads = [pod for pod in around.workloads if pod.namespace == own] + list(around.workloads)
    named = named_ports([policy, *near], workloads)
    moved = port_map(ranges_of([policy, *near]) + [(port.number, port.number) for port in named])
    changed = moved.policy(explicit(policy))
    beside = [moved.policy(one) for one in near]
    ports = moved.named(named)
    choice = choose(changed, beside, ports, around)
    notes = [
        *(f"label {key} is the run's own: {other} stands for it" for key, other in instead.items()),
        *_notes(changed, choice, moved),
        *_half_names(changed, ports),
    ]
    applied = [one for one in beside if any(isolates(one, pod) for pod in choice.pods)]
    return _case(changed, applied, choice, ports, "; ".join(notes))


def _case(
    policy: Json, beside: Sequence[Json], choice: Choice, ports: tuple[NamedPort, ...], note: str
) -> PolicyCase:
    pods = tuple(_table_pods(choice, ports))
    spaces = {pod.namespace for pod in pods} | {policy["metadata"]["namespace"]}
    name = _name_of(policy)
    return PolicyCase(
        id=name,
        family=FAMILY,
        title=f"the policy {name} does what it says",
        layout=Layout(
            namespaces={
                space: {key: value for key, value in labels.items() if key != NAME_LABEL}
                for space, labels in choice.namespaces.items()
                if space in spaces
            },
            pods=pods,
            ports=choice.ports,
        ),
        steps=(
            TableStep(
                title="the policy"
                + (f" with {_listed(map(_name_of, beside))}" if beside else " alone"),
                actions=tuple(PutPolicy(policy=one) for one in (*beside, policy)),
            ),
        ),
        tags=tuple(read_policy(policy).rules),
        note=note,
    )


def _table_pods(choice: Choice, ports: tuple[NamedPort, ...]) -> Iterator[TablePod]:
    counts: dict[str, int] = {}
    for pod in choice.pods:
        stem = pod.name[:_LONGEST_NAME].rstrip("-.")
        key = f"{pod.namespace}/{stem}"
        counts[key] = counts.get(key, 0) + 1
        again = f"-{counts[key]}" if counts[key] > 1 else ""
        yield TablePod(
            namespace=pod.namespace, name=f"{stem}{again}", labels=pod.labels, ports=ports
        )


def _notes(policy: Json, choice: Choice, moved: PortMap) -> Iterator[str]:
    """What the table does otherwise than the policy says, and what it does not look at."""
    if moved.moved:
        yield f"ports are moved to where pods without privileges can listen: {_moves(moved)}"
    for block in blocks_of(policy):
        yield (
            f"ipBlock {_block_text(block)} is judged by the addresses of the table's pods; "
            "addresses outside of the cluster are not looked at"
        )
    if any(port.protocol == "SCTP" for port in choice.ports):
        yield "SCTP is looked at only where the nodes speak it"
    if not choice.selects:
        yield "its podSelector contradicts itself: it selects no pod"
        return
    for mutant in choice.hidden:
        if mutant.rule:
            yield (
                f"{mutant.rule} opens nothing between pods that would be closed without it, as far "
                "as was found, so nothing here proves it"
            )
        elif mutant.policy is None and not mutant.blocks:
            yield "it closes nothing and opens nothing beside the other policies"
    if not choice.closes:
        yield "no cell must be closed by it"
    if not choice.opens:
        yield "no cell must be open by one of its rules"
    rules = [mutant.rule for mutant in choice.unshown if mutant.rule]
    if rules:
        yield (
            f"{_listed(rules)}: not looked at, as that takes more than {MOST_FOR_RULES} pods or "
            "ports"
        )
    if len(choice.unshown) > len(rules):
        yield (
            f"{len(choice.unshown) - len(rules)} smaller differences would need more than "
            f"{MOST_PODS} pods or {MOST_PORTS} ports and are not looked at"
        )


def _half_names(policy: Json, ports: Sequence[NamedPort]) -> Iterator[str]:
    """Port names of which the pods of a table cannot have every protocol."""
    known = {(port.name, port.protocol) for port in ports}
    for port in _ports_of(policy):
        name, protocol = port.get("port"), port.get("protocol") or "TCP"
        if isinstance(name, str) and (name, protocol) not in known:
            yield (
                f"port {name} is not looked at over {protocol}: a container declares a name for "
                "one protocol"
            )


def _ports_of(policy: Json) -> Iterator[Json]:
    for direction in read_policy(policy).rules:
        for rule in policy["spec"].get(direction) or ():
            yield from rule.get("ports") or ()


def _block_text(block: Json) -> str:
    holes = block.get("except") or ()
    return str(block["cidr"]) + (f" except {_listed(holes)}" if holes else "")


def _name_of(policy: Json) -> str:
    return f"{policy['metadata']['namespace']}/{policy['metadata']['name']}"


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names)


def _moves(moved: PortMap) -> str:
    said = [f"{old} is {new}" for old, new in moved.moved[:_SAID_PORTS]]
    left = len(moved.moved) - len(said)
    return ", ".join(said) + (f" and {left} more" if left else "")
