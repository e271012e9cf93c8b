"""How faults are read and written: NAME[=VALUE][@NODE].

A VALUE is for faults that have one, a NODE for those of a node. Also which of them a lab can have.
"""

import difflib
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from pytest_aksnet.lab.faults.fault import Fault, Limited
from pytest_aksnet.lab.faults.rated import Valued
from pytest_aksnet.lab.faults.setting import BadValue, Setting
from pytest_aksnet.lab.spec import LabSpec


class UnfitFault(ValueError):
    """A fault that this lab cannot have; the text says why."""


class UnknownFault(UnfitFault):
    """No such fault, node or value; the text names what there is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kind:
    """How faults of one name are made: of the node `node` by default, with a value or without.

    `node` is None for faults of the whole cluster.
    """

    make: Callable[[str, float], Fault]
    setting: Setting | None
    node: str | None

    def default(self) -> Fault:
        """The one that the name alone means."""
        return self.make(self.node or "", self.setting.default if self.setting else 0.0)


def all_faults(spec: LabSpec) -> list[Fault]:
    """Every fault, those of a node for the last node of the lab, sorted by name.

    Those that this lab cannot have are among them: see `refusal`.
    """
    return [kind.default() for _, kind in sorted(_kinds(spec).items())]


def refusal(fault: Fault, spec: LabSpec) -> str:
    """Why a lab cannot have a fault, in one line; "" where it can."""
    return fault.unfit(spec) if isinstance(fault, Limited) else ""


def takes_node(name: str, spec: LabSpec) -> bool:
    """Whether the fault of that name is one of a node. Raises KeyError."""
    return _kinds(spec)[name].node is not None


def find_fault(text: str, spec: LabSpec) -> Fault:
    """The fault that a text means. Raises UnknownFault, or UnfitFault for what fits another lab."""
    rest, at, node = text.partition("@")
    name, equals, value = rest.partition("=")
    kinds = _kinds(spec)
    if name not in kinds:
        near = difflib.get_close_matches(name, kinds, n=3)
        hint = (
            f"did you mean {', '.join(near)}?" if near else f"known are {', '.join(sorted(kinds))}"
        )
        raise UnknownFault(f"unknown fault {name!r}: {hint}")
    kind = kinds[name]
    if at:
        _check_node(name, node, kind, spec)
    number = kind.setting.default if kind.setting else 0.0
    if equals:
        if kind.setting is None:
            raise UnknownFault(f"{name} has no value: leave out ={value}")
        try:
            number = kind.setting.parse(value)
        except BadValue as error:
            raise UnknownFault(f"{name}={value}: expected is the {error}") from error
    fault = kind.make(node if at else kind.node or "", number)
    if why := refusal(fault, spec):
        raise UnfitFault(f"{name}: {why}")
    return fault


def label(fault: Fault) -> str:
    """The text that means this fault."""
    value = f"={fault.value:g}" if isinstance(fault, Valued) else ""
    return fault.name + value + (f"@{fault.node}" if fault.node else "")


def _check_node(name: str, node: str, kind: _Kind, spec: LabSpec) -> None:
    names = [one.name for one in spec.nodes]
    if node not in names:
        raise UnknownFault(f"unknown node {node!r}: the lab has {', '.join(names)}")
    if kind.node is None:
        raise UnknownFault(f"{name} is a fault of the whole cluster: leave out @{node}")


def _kinds(spec: LabSpec) -> Mapping[str, _Kind]:
    """How each fault is made, by its name."""
    last = spec.nodes[-1].name
    kinds: dict[str, _Kind] = {}

    def add(make: Callable[[str, float], Fault], node: str | None, setting: Setting | None) -> None:
        kinds[make(node or "", 0.0).name] = _Kind(make=make, node=node, setting=setting)

    # Two dozen modules that a lab does not wait for at its start.
    from pytest_aksnet.lab.faults import registry

    for of_cluster in registry.OF_THE_CLUSTER:
        add(_without_both(of_cluster), None, None)
    for of_node in registry.OF_A_NODE:
        add(_without_value(of_node), last, None)
    for rated in registry.WITH_A_VALUE:
        add(_without_node(rated), None, rated.setting)
    for rated_of_node in registry.OF_A_NODE_WITH_A_VALUE:
        add(rated_of_node, last, rated_of_node.setting)
    for rated_anywhere in registry.OF_ANY_NODE_WITH_A_VALUE:
        add(rated_anywhere, "", rated_anywhere.setting)
    return kinds


def _without_both(make: Callable[[], Fault]) -> Callable[[str, float], Fault]:
    return lambda _node, _value: make()


def _without_value(make: Callable[[str], Fault]) -> Callable[[str, float], Fault]:
    return lambda node, _value: make(node)


def _without_node(make: Callable[[float], Fault]) -> Callable[[str, float], Fault]:
    return lambda _node, value: make(value)
