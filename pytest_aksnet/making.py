"""What a test will make, as far as its own text tells: read, never run.

A factory that is called in the test itself is understood; what a test hands to a helper is not, and
is then said to be unknown. Names of nodes are filled in where they are the test's own parameters.
"""

import ast
import inspect
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import pytest

from pytest_aksnet.model.peers import NodePool, NodeRef

_FACTORIES = ("netshoot", "iperf", "service", "network_policy", "namespace")
_OWN = ("labels", "namespace", "fresh", "ready", "spec", "container")
_OF_SERVICE = (
    *("type", "external_traffic_policy", "internal_traffic_policy", "headless"),
    *("external_name", "internal_load_balancer", "udp"),
)
_PARAMETERS = {"aksnet_node": "node", "aksnet_node_pair": "node_pair"}
_REPEATING = (ast.For, ast.While, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
_PERHAPS = (
    *(ast.If, ast.IfExp, ast.Try, ast.BoolOp, ast.Match),
    *(ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Making:
    """Objects of one kind that a call makes.

    `kind` is "shared pod", "own pod", "iperf pod", "Service", "NetworkPolicy" or "namespace".
    `nodes` are names of nodes, or the test's own words for one in backquotes. `exact` is False
    where the call is in a loop or a branch, or its nodes are not known.
    """

    kind: str
    nodes: tuple[str, ...] = ()
    host_network: bool = False
    detail: str = ""
    exact: bool = True

    def __str__(self) -> str:
        """As the plan shows it."""
        words = [self.kind]
        if self.nodes:
            words.append(f"on {', '.join(self.nodes)}")
        if self.host_network:
            words.append("in the host network")
        if self.detail:
            words.append(f"({self.detail})")
        return " ".join(words) + ("" if self.exact else ", as often as the check asks for it")


def makings(item: pytest.Item, nodes: Sequence[NodeRef]) -> tuple[tuple[Making, ...], bool]:
    """What a test makes, and whether that is all: False where its text does not tell."""
    function = item.obj if isinstance(item, pytest.Function) else None
    wanted = [name for name in getattr(item, "fixturenames", ()) if name in _FACTORIES]
    if not wanted:
        return (), True
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(function)))  # type: ignore[arg-type]
    except (OSError, TypeError, SyntaxError):
        return (), False
    own = set(inspect.signature(function).parameters) if callable(function) else set()
    [definition] = tree.body
    body = ast.Module(getattr(definition, "body", []), [])
    factories = frozenset(own & set(_FACTORIES))
    found, whole = read_text(body, _known_nodes(item, nodes), nodes, factories)
    # A factory that another fixture of the test uses makes what its text does not show.
    return found, whole and all(_used_by_test(item, name, own) for name in wanted)


def read_text(
    body: ast.Module,
    known: Mapping[str, tuple[str, ...]],
    nodes: Sequence[NodeRef],
    factories: frozenset[str],
) -> tuple[tuple[Making, ...], bool]:
    """The same for the body of a test. `known` has names of nodes by the words for them."""
    reader = _Reader(dict(known), nodes, factories)
    reader.read(body)
    return tuple(reader.found), not reader.escaped


def _used_by_test(item: pytest.Item, name: str, own: set[str]) -> bool:
    info = getattr(item, "_fixtureinfo", None)
    definitions = getattr(info, "name2fixturedefs", {})
    users = [
        other
        for other, found in definitions.items()
        if found and name in found[-1].argnames and other not in _FACTORIES
    ]
    return name in own and not users


def _known_nodes(item: pytest.Item, nodes: Sequence[NodeRef]) -> dict[str, tuple[str, ...]]:
    """The names of nodes by the test's parameters."""
    known: dict[str, tuple[str, ...]] = {"aks.nodes": tuple(node.name for node in nodes)}
    parameters = getattr(getattr(item, "callspec", None), "params", {})
    for name, value in parameters.items():
        public = _PARAMETERS.get(name, name)
        if isinstance(value, NodeRef):
            known[public] = (value.name,)
        elif isinstance(value, tuple) and all(isinstance(one, NodeRef) for one in value):
            known[public] = tuple(one.name for one in value)
        elif isinstance(value, NodePool):
            known["node_pool.nodes"] = tuple(one.name for one in value.nodes)
    return known


class _Reader:
    """Walks the text of one test."""

    def __init__(
        self,
        known: dict[str, tuple[str, ...]],
        nodes: Sequence[NodeRef],
        factories: frozenset[str],
    ) -> None:
        self.found: list[Making] = []
        self.escaped = False
        self._known = known
        self._first = (nodes[0].name,) if nodes else ()
        self._factories = factories

    def read(self, tree: ast.AST, exact: bool = True) -> None:
        """Take in a piece of the text, calls in the order in which they stand."""
        for child in ast.iter_child_nodes(tree):
            if isinstance(child, ast.Assign):
                for target in child.targets:
                    self._assign(target, child.value)
            elif isinstance(child, ast.For | ast.comprehension):
                self._assign(child.target, child.iter, each=True)
            if self._removes(child):
                continue
            called = self._factory(child)
            if called and isinstance(child, ast.Call):
                # What is handed to the factory is evaluated first.
                for part in (*child.args, *(keyword.value for keyword in child.keywords)):
                    self.read(ast.Expr(part), exact)
                self.found.extend(self._makings(called, child, exact))
                continue
            if isinstance(child, ast.Name) and child.id in self._factories:
                self.escaped = self.escaped or isinstance(child.ctx, ast.Load)
            self.read(child, exact and not isinstance(child, (*_REPEATING, *_PERHAPS)))

    def _removes(self, node: ast.AST) -> bool:
        """Whether a factory is asked to remove or change what it made, and so makes nothing."""
        called = node.func if isinstance(node, ast.Call) else None
        return (
            isinstance(called, ast.Attribute)
            and called.attr in ("change", "remove")
            and isinstance(called.value, ast.Name)
            and called.value.id in self._factories
        )

    def _factory(self, node: ast.AST) -> str:
        """The name of the factory that is called here; empty where none is."""
        if not isinstance(node, ast.Call):
            return ""
        called = node.func
        if isinstance(called, ast.Attribute) and called.attr == "on_each":
            called = called.value
        return called.id if isinstance(called, ast.Name) and called.id in self._factories else ""

    def _assign(self, target: ast.expr, value: ast.expr, *, each: bool = False) -> None:
        """Follow `source, target = node_pair`, or a loop with `each`; other names are not known."""
        names = self._nodes(value)
        parts = target.elts if isinstance(target, ast.Tuple) else [target]
        for index, part in enumerate(parts):
            if not isinstance(part, ast.Name):
                continue
            self._known.pop(part.id, None)
            if names is not None and len(parts) == 1:
                self._known[part.id] = names
            elif names is not None and len(parts) == len(names) and not each:
                self._known[part.id] = (names[index],)

    def _nodes(self, value: ast.expr) -> tuple[str, ...] | None:
        if isinstance(value, ast.Tuple | ast.List):
            parts = [self._nodes(part) for part in value.elts]
            known = [part for part in parts if part is not None]
            return sum(known, ()) if len(known) == len(parts) else None
        if isinstance(value, ast.Subscript):
            names = self._nodes(value.value)
            return _chosen(names, value.slice) if names is not None else None
        if isinstance(value, ast.Call) and ast.unparse(value.func) == "aks.other_nodes":
            apart = [self._nodes(argument) for argument in value.args]
            if all(names is not None for names in apart):
                gone = {name for names in apart for name in names or ()}
                return tuple(name for name in self._known["aks.nodes"] if name not in gone)
        return self._known.get(ast.unparse(value))

    def _makings(self, factory: str, call: ast.Call, exact: bool) -> Iterator[Making]:
        given = {keyword.arg: keyword.value for keyword in call.keywords if keyword.arg}
        if any(keyword.arg is None for keyword in call.keywords):
            self.escaped = True  # **arguments
        match factory:
            case "netshoot":
                yield self._pods(call, given, exact)
            case "iperf":
                yield self._pods(call, given, exact, kind="iperf pod")
            case "service":
                yield Making(kind="Service", detail=_service(given), exact=exact)
            case "network_policy":
                yield Making(kind="NetworkPolicy", exact=exact)
            case "namespace":
                labels = given.get("labels") or (call.args[0] if call.args else None)
                detail = f"labels {ast.unparse(labels)}" if labels is not None else ""
                yield Making(kind="namespace", detail=detail, exact=exact)

    def _pods(
        self, call: ast.Call, given: Mapping[str, ast.expr], exact: bool, kind: str = ""
    ) -> Making:
        where = given.get("on", given.get("nodes", call.args[0] if call.args else None))
        names = self._nodes(where) if where is not None else self._first
        if names is None:
            names = (f"`{ast.unparse(where)}`",) if where is not None else ()
            # `on` is one node, whichever; of on_each the number is not known.
            exact = exact and not isinstance(call.func, ast.Attribute)
        own = [name for name in _OWN if name in given and not _is_default(name, given[name])]
        host = given.get("host_network")
        shared = not own and not kind
        if shared:  # made once, however often it is asked for
            exact = names != () and not names[0].startswith("`")
        if host is not None and not isinstance(host, ast.Constant):
            exact = False
        return Making(
            kind=kind or ("shared pod" if shared else "own pod"),
            nodes=names,
            host_network=isinstance(host, ast.Constant) and host.value is True,
            detail="" if kind else ", ".join(own),
            exact=exact,
        )


def _chosen(names: tuple[str, ...], index: ast.expr) -> tuple[str, ...] | None:
    """One or some of these, for a plain index or slice."""
    try:
        if isinstance(index, ast.Slice):
            bounds = (index.lower, index.upper, index.step)
            return names[slice(*(ast.literal_eval(b) if b is not None else None for b in bounds))]
        return (names[ast.literal_eval(index)],)
    except (ValueError, TypeError, IndexError):
        return None


def _is_default(name: str, value: ast.expr) -> bool:
    """Whether an argument says what the factory does without it."""
    defaults = {"fresh": False, "ready": True}
    return isinstance(value, ast.Constant) and value.value is defaults.get(name)


def _service(given: Mapping[str, ast.expr]) -> str:
    """The fields of a Service that make it special."""
    return ", ".join(f"{name}={ast.unparse(given[name])}" for name in _OF_SERVICE if name in given)
