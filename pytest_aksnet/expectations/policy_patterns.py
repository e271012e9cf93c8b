"""What wrong cells of truth tables have in common, in words: it points to the cause. Pure."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from pytest_aksnet.model.policy_table import CellName, CellResult, StepResult

_FEW = 2  # so many cells always have something in common


@dataclass(frozen=True, slots=True, kw_only=True)
class WrongCell:
    """A wrong cell and the step it belongs to."""

    step: StepResult
    name: CellName
    cell: CellResult


@dataclass(frozen=True, slots=True, kw_only=True)
class _Trait:
    """Something that cells can have in common; `of` gives its values, "" for none.

    `implied_by` names traits that say it already.
    """

    name: str
    words: str
    of: Callable[[CellName], tuple[str, ...]]
    implied_by: tuple[str, ...] = ()


def patterns(wrong: Sequence[WrongCell], nodes: Mapping[str, str]) -> list[str]:
    """Phrases such as "all should be closed and are open" and "all are to x/a".

    Named is what all wrong cells share and not all cells that were asked for; where no cell of that
    kind that should be the same is right, that is said. `nodes` maps pods to nodes.
    """
    said = [_direction(wrong)]
    if len(wrong) <= _FEW:
        return said
    asked = {
        (id(step), name): cell.expected
        for step in {id(found.step): found.step for found in wrong}.values()
        for name, cell in step.cells.items()
        if not cell.caveat
    }
    bad = {(id(found.step), found.name) for found in wrong}
    kinds = {found.cell.expected for found in wrong}
    named: set[str] = set()
    for trait in _traits(nodes):
        if not named.isdisjoint(trait.implied_by):
            continue
        shared = set.intersection(*(set(trait.of(found.name)) for found in wrong)) - {""}
        if len(shared) != 1:
            continue  # two nodes that all cells touch say less than the way between them
        (value,) = shared
        like = {key for key in asked if value in trait.of(key[1])}
        if len(like) == len(asked):
            continue
        named.add(trait.name)
        every = {key for key in like if asked[key] in kinds} == bad
        said.append(f"all {trait.words} {value}{', and no such cell is right' if every else ''}")
    return said


def _direction(wrong: Sequence[WrongCell]) -> str:
    closed = sum(not found.cell.expected for found in wrong)
    if closed == len(wrong):
        return "all should be closed and are open"
    if closed == 0:
        return "all should be open and are not"
    return f"{closed} should be closed, {len(wrong) - closed} should be open"


def _traits(nodes: Mapping[str, str]) -> tuple[_Trait, ...]:
    """What is looked for, the most telling first."""

    def node(pod: str) -> str:
        return nodes.get(pod, "")

    def way(name: CellName) -> tuple[str, ...]:
        ends = node(name.source), node(name.destination)
        if name.source == name.destination or not all(ends):
            return ()
        return ("the same node",) if ends[0] == ends[1] else ("different nodes",)

    def namespace(pod: str) -> str:
        return pod.partition("/")[0]

    return (
        _Trait(name="to", words="are to", of=lambda n: (n.destination,)),
        _Trait(name="from", words="are from", of=lambda n: (n.source,)),
        _Trait(
            name="to node",
            words="are to pods on node",
            of=lambda n: (node(n.destination),),
            implied_by=("to",),
        ),
        _Trait(
            name="from node",
            words="are from pods on node",
            of=lambda n: (node(n.source),),
            implied_by=("from",),
        ),
        _Trait(
            name="at node",
            words="have an end on node",
            of=lambda n: (node(n.source), node(n.destination)),
            implied_by=("to", "from", "to node", "from node"),
        ),
        _Trait(
            name="to namespace",
            words="are to namespace",
            of=lambda n: (namespace(n.destination),),
            implied_by=("to",),
        ),
        _Trait(
            name="from namespace",
            words="are from namespace",
            of=lambda n: (namespace(n.source),),
            implied_by=("from",),
        ),
        _Trait(name="way", words="are between pods on", of=way, implied_by=("to", "from")),
        _Trait(name="port", words="are at", of=lambda n: (f"{n.port.protocol} {n.port.number}",)),
        _Trait(
            name="protocol",
            words="are of protocol",
            of=lambda n: (n.port.protocol,),
            implied_by=("port",),
        ),
        _Trait(name="family", words="are over", of=lambda n: (f"IPv{n.version}",)),
    )
