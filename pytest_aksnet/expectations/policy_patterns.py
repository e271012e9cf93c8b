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

    `implied_by` names traits that say it already. One that is `weak` is named only where it covers
    most of what it could: a few cells share a node by chance.
    """

    name: str
    words: str
    of: Callable[[CellName, CellResult], tuple[str, ...]]
    implied_by: tuple[str, ...] = ()
    weak: bool = False


def patterns(wrong: Sequence[WrongCell], nodes: Mapping[str, str]) -> list[str]:
    """Phrases such as "all should be closed and are open" and "all are to x/a".

    Named is what all wrong cells share and not all cells that were asked for; where no cell of that
    kind that should be the same is right, that is said. `nodes` maps pods to nodes.
    """
    said = [_direction(wrong)]
    if len(wrong) <= _FEW:
        return said
    kinds = {found.cell.expected for found in wrong}
    asked = {
        (id(step), name): cell
        for step in {id(found.step): found.step for found in wrong}.values()
        for name, cell in step.cells.items()
        if not cell.caveat
    }
    bad = {(id(found.step), found.name) for found in wrong}
    named: set[str] = set()
    for trait in _traits(nodes):
        if not named.isdisjoint(trait.implied_by):
            continue
        shared = set.intersection(*(set(trait.of(found.name, found.cell)) for found in wrong))
        shared.discard("")
        if len(shared) != 1:
            continue  # two nodes that all cells touch say less than the way between them
        (value,) = shared
        like = {key for key, cell in asked.items() if value in trait.of(key[1], cell)}
        peers = {key for key in like if asked[key].expected in kinds}
        if len(like) == len(asked) or (trait.weak and 2 * len(bad) < len(peers)):
            continue
        named.add(trait.name)
        every = ", and no such cell is right" if peers == bad else ""
        said.append(f"all {trait.words} {value}{every}")
    return said


def closing_pod(name: CellName, cell: CellResult) -> str:
    """The pod whose policies should close a cell; empty for one that should be open."""
    return {"egress": name.source, "ingress": name.destination}.get(_side(cell), "")


def _direction(wrong: Sequence[WrongCell]) -> str:
    closed = sum(not found.cell.expected for found in wrong)
    if closed == len(wrong):
        return "all should be closed and are open"
    if closed == 0:
        return "all should be open and are not"
    return f"{closed} should be closed, {len(wrong) - closed} should be open"


def _side(cell: CellResult) -> str:
    """Whose policies close a cell, as the oracle's reason begins: "egress", "ingress" or ""."""
    first = cell.why.partition(" ")[0]
    return first if not cell.expected and first in ("egress", "ingress") else ""


def _traits(nodes: Mapping[str, str]) -> tuple[_Trait, ...]:
    """What is looked for, the most telling first."""

    def node(pod: str) -> str:
        return nodes.get(pod, "")

    def closed_at(name: CellName, cell: CellResult) -> tuple[str, ...]:
        return (node(closing_pod(name, cell)),)

    def closed_by(_: CellName, cell: CellResult) -> tuple[str, ...]:
        return (_side(cell),)

    def way(name: CellName, _: CellResult) -> tuple[str, ...]:
        ends = node(name.source), node(name.destination)
        if name.source == name.destination or not all(ends):
            return ()
        return ("the same node",) if ends[0] == ends[1] else ("different nodes",)

    def namespace(pod: str) -> str:
        return pod.partition("/")[0]

    pods, at_nodes = ("to", "from"), ("to", "from", "closed at", "to node", "from node")
    return (
        _Trait(name="to", words="are to", of=lambda n, _: (n.destination,)),
        _Trait(name="from", words="are from", of=lambda n, _: (n.source,)),
        _Trait(
            name="closed at",
            words="should be closed by policies of pods on node",
            of=closed_at,
            implied_by=pods,
            weak=True,
        ),
        _Trait(name="closed by", words="should be closed by policies for", of=closed_by),
        _Trait(
            name="to node",
            words="are to pods on node",
            of=lambda n, _: (node(n.destination),),
            implied_by=("to", "closed at"),
            weak=True,
        ),
        _Trait(
            name="from node",
            words="are from pods on node",
            of=lambda n, _: (node(n.source),),
            implied_by=("from", "closed at"),
            weak=True,
        ),
        _Trait(
            name="at node",
            words="have an end on node",
            of=lambda n, _: (node(n.source), node(n.destination)),
            implied_by=at_nodes,
            weak=True,
        ),
        _Trait(
            name="way",
            words="are between pods on",
            of=way,
            implied_by=(*pods, "to node"),
            weak=True,
        ),
        _Trait(
            name="to namespace",
            words="are to namespace",
            of=lambda n, _: (namespace(n.destination),),
            implied_by=("to",),
        ),
        _Trait(
            name="from namespace",
            words="are from namespace",
            of=lambda n, _: (namespace(n.source),),
            implied_by=("from",),
        ),
        _Trait(
            name="port", words="are at", of=lambda n, _: (f"{n.port.protocol} {n.port.number}",)
        ),
        _Trait(
            name="protocol",
            words="are of protocol",
            of=lambda n, _: (n.port.protocol,),
            implied_by=("port",),
        ),
        _Trait(name="family", words="are over", of=lambda n, _: (f"IPv{n.version}",)),
    )
