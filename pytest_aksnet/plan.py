"""What a run would check, create and skip, and why: lines for --aksnet-plan. Creates nothing.

What is created per check is read from the check's own text (`making`); where that does not tell,
the plan says so instead of guessing.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

import pytest

from pytest_aksnet.collection import META_KEY, SKIP_KEY
from pytest_aksnet.making import Making, makings
from pytest_aksnet.model.peers import NodeRef
from pytest_aksnet.model.policy_table import PutPolicy
from pytest_aksnet.model.record import Skip
from pytest_aksnet.needs import BANDWIDTH_LEASE, RUN_LEASE, need_of
from pytest_aksnet.options import ACTION_CLASSES
from pytest_aksnet.policy_sessions import case_of, uses_tables
from pytest_aksnet.report.azure_access import Skipped, azure_access, not_asked_line
from pytest_aksnet.selection import rights_lines
from pytest_aksnet.session import AksnetSession
from pytest_aksnet.spelling import canonical_image, pins_nothing

_SEE_BELOW = "Azure Resource Manager is not asked, see below"


def plan_lines(items: Sequence[pytest.Item], session: AksnetSession | None) -> Iterator[str]:
    """The whole plan. `items` are tests of ours, marked by `selection.leave_out` before.

    `session` is None, or not connected, where none of them asks for the cluster.
    """
    connected = session if session is not None and session.is_connected else None
    nodes = connected.nodes if connected is not None else ()
    if connected is not None:
        yield from _cluster(connected)
        yield ""
    made = {item: makings(item, nodes) for item in items if not _skip_reason(item)}
    for item in items:
        yield from _check(item, made.get(item))
    yield ""
    yield from _without_azure(items)
    sets = connected.settings.policy_sets if connected is not None else 0
    yield from _totals(items, made, nodes, sets)
    if connected is not None and any(need_of(item).namespaces for item in made):
        yield from _namespaces(connected)


def _cluster(session: AksnetSession) -> Iterator[str]:
    settings = session.settings
    yield f"cluster: {session.cluster.server}"
    yield f"nodes that take part: {len(session.nodes)}"
    image = canonical_image(settings.image)
    for node in session.nodes:
        yield f"    {node.name}: {', '.join(_about(node, image, session))}"
    for name, why in session.left_out.items():
        yield f"left out: node {name}: {why}"
    warning = pins_nothing(settings.image)
    yield f"image: {settings.image}"
    if warning:
        yield f"    warning: {warning}"
    yield f"classes of actions allowed: {', '.join(sorted(settings.allowed)) or 'none'}"
    others = ACTION_CLASSES - settings.allowed
    yield f"classes of actions forbidden: {', '.join(sorted(others)) or 'none'}"
    for action, why in session.found.impossible.items():
        yield f"not possible here: {action}: {why}"
    if session.found.no_namespace:
        yield f"not possible here: {session.found.no_namespace}"
    yield from rights_lines(session.need, session.found)


def _about(node: NodeRef, image: str, session: AksnetSession) -> Iterator[str]:
    if node.pool:
        yield f"pool {node.pool}"
    architecture = node.labels.get("kubernetes.io/arch")
    if architecture:
        yield architecture
    present = image in session.images.get(node.name, frozenset())
    # A kubelet lists 50 images at most (nodeStatusMaxImages).
    yield "has the image" if present else "pulls the image unless it has it (it does not list it)"


def _check(item: pytest.Item, made: tuple[tuple[Making, ...], bool] | None) -> Iterator[str]:
    meta = item.stash.get(META_KEY, None)
    yield item.nodeid
    if meta is not None:
        yield f"    {meta.id} ({meta.severity.value}): {meta.title}"
    else:
        yield "    (no check)"
    if made is None:
        why = _SEE_BELOW if _is_azure_missing(item) else _skip_reason(item)
        yield f"    would be skipped: {why}"
        return
    actions = need_of(item).actions
    yield "    would run" + (f", as {', '.join(sorted(actions))}" if actions else "")
    found, whole = made
    said = [str(making) for making in found]
    if uses_tables(item):
        said.append(_table(item))
    if not whole:
        said.append("what its text does not tell")
    yield f"    would create: {'; '.join(_counted(said)) or 'nothing'}"


def _is_azure_missing(item: pytest.Item) -> bool:
    return item.stash.get(SKIP_KEY, None) is Skip.AZURE_NOT_ASKED


def _without_azure(items: Iterable[pytest.Item]) -> Iterator[str]:
    """Once for all of them, how many checks Azure would add, and what to set."""
    access = azure_access(
        Skipped(check=_check_id(item), skip=Skip.AZURE_NOT_ASKED, reason=_skip_reason(item))
        for item in items
        if _is_azure_missing(item)
    )
    if access is not None:
        yield not_asked_line(access)


def _check_id(item: pytest.Item) -> str:
    meta = item.stash.get(META_KEY, None)
    return meta.id if meta is not None else item.nodeid


def _table(item: pytest.Item) -> str:
    """What a truth table is made of."""
    case = case_of(item)
    if case is None:
        return "the policies that it names, on pods for truth tables"
    policies = {
        (action.policy["metadata"]["namespace"], action.policy["metadata"]["name"])
        for step in case.steps
        for action in step.actions
        if isinstance(action, PutPolicy)
    }
    return (
        f"{len(policies)} NetworkPolicy(s), on a set of {len(case.layout.pods)} pods in "
        f"{len(case.layout.namespaces)} namespaces"
    )


def _table_sets(items: Iterable[pytest.Item], sets: int) -> str:
    """How many pods truth tables have at once; empty where there are no tables."""
    cases = [case for item in items if uses_tables(item) and (case := case_of(item)) is not None]
    if not cases:
        return ""
    at_once = min(sets, len(cases))
    largest = max((case.layout for case in cases), key=lambda layout: len(layout.pods))
    return (
        f"sets of pods for truth tables: at most {at_once} at once, each of at most "
        f"{len(largest.pods)} pods in {len(largest.namespaces)} namespaces"
    )


def _counted(said: Iterable[str]) -> Iterator[str]:
    for text, count in Counter(said).items():
        yield f"{count} x {text}" if count > 1 else text


def _totals(
    items: Sequence[pytest.Item],
    made: dict[pytest.Item, tuple[tuple[Making, ...], bool]],
    nodes: Sequence[NodeRef],
    sets: int,
) -> Iterator[str]:
    yield f"{len(made)} would run, {len(items) - len(made)} would be skipped"
    every = [making for found, _ in made.values() for making in found]
    exact = all(making.exact for making in every) and all(whole for _, whole in made.values())
    counts = Counter[str]()
    for making in every:
        counts[making.kind] += max(1, len(making.nodes))
    shared = _shared(every, nodes)
    if shared:
        counts["shared pod"] = len(shared)
    if counts:
        at_least = "" if exact else "at least "
        listed = ", ".join(f"{count} {kind}(s)" for kind, count in sorted(counts.items()))
        yield f"would create in all: {at_least}{listed}"
    if shared:
        yield f"shared pods, made once: {'; '.join(shared)}"
    if tables := _table_sets(made, sets):
        yield tables


def _shared(every: Iterable[Making], nodes: Sequence[NodeRef]) -> list[str]:
    """The shared pods: the first one asked for, of either kind, starts those of all nodes."""
    shared = [making for making in every if making.kind == "shared pod"]
    found = []
    for host_network, where in ((False, ""), (True, " in the host network")):
        if any(making.host_network == host_network for making in shared):
            found += [f"on {node.name}{where}" for node in nodes]
    return found


def _namespaces(session: AksnetSession) -> Iterator[str]:
    from pytest_aksnet.cluster.scope import RunScope

    scope = RunScope(session.cluster, run_id=session.run_id, host_network=session.host_network)
    manifest = scope.manifest(level=session.found.level or "baseline")["metadata"]
    labels = ", ".join(f"{key}={value}" for key, value in manifest["labels"].items())
    yield (
        f"namespaces: {session.shared.pool_namespace()} for shared pods; {manifest['name']}, with "
        "the name of the worker behind it under xdist, for what checks make; and those that checks "
        f"ask for. Labels: {labels}"
    )
    leases = [RUN_LEASE, *([BANDWIDTH_LEASE] if "bandwidth" in session.need.actions else [])]
    yield f"leases in namespace {session.settings.lease_namespace}: {', '.join(leases)}"


def _skip_reason(item: pytest.Item) -> str:
    for mark in item.iter_markers("skip"):
        return str(mark.kwargs.get("reason") or (mark.args[0] if mark.args else "marked skip"))
    return ""
