"""The policy engine's agents: when each node enforces what, and what it gets wrong.

Without faults every node enforces the latest state at once, new pods included. Knobs make a node's
agent absent, late or wrong; see `contracts.NetworkKnobs`.
"""

import asyncio
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence, Set

from pytest_aksnet.lab.network.node import NodeNetwork
from pytest_aksnet.lab.network.policy_engines import ENGINES, EngineWays
from pytest_aksnet.lab.network.policy_program import PolicyCompiler
from pytest_aksnet.lab.network.tables import TableProgram
from pytest_aksnet.lab.network_knobs import NetworkKnobs, PolicyDefect
from pytest_aksnet.lab.network_views import NamespaceView, PodView, PolicyView
from pytest_aksnet.lab.spec import LabSpec, NodeSpec


class _State:
    """The policies of the cluster at one moment, compiled once for whatever agents make of them."""

    def __init__(
        self,
        spec: LabSpec,
        policies: Sequence[PolicyView] = (),
        pods: Sequence[PodView] = (),
        namespaces: Sequence[NamespaceView] = (),
    ) -> None:
        self._spec = spec
        self._views = policies, pods, namespaces
        self._compiled: dict[tuple[int, frozenset[PolicyDefect]], PolicyCompiler] = {}

    def program(
        self,
        ways: EngineWays,
        node: NodeSpec,
        version: int,
        defects: frozenset[PolicyDefect],
        unprotected: Set[str],
        *,
        lossy: bool,
    ) -> TableProgram:
        key = version, defects
        if key not in self._compiled:
            self._compiled[key] = PolicyCompiler(
                self._spec, ways, *self._views, version=version, defects=defects
            )
        return self._compiled[key].program(node, unprotected, lossy=lossy)


class PolicyAgents:
    """One agent on each of `nodes`, a mapping that may grow; `resync` after it did."""

    def __init__(
        self, spec: LabSpec, knobs: NetworkKnobs, nodes: Mapping[str, NodeNetwork]
    ) -> None:
        self._ways = ENGINES[spec.engine]
        self._versions = (4, 6) if spec.dual_stack else (4,)
        self._spec = spec
        self._knobs = knobs
        self._nodes = nodes
        self._latest = _State(spec)
        self._known: dict[str, _State] = {}
        self._on_the_way: defaultdict[str, list[asyncio.TimerHandle]] = defaultdict(list)
        self._born: defaultdict[str, dict[str, float]] = defaultdict(dict)
        self._window_ends: dict[str, asyncio.TimerHandle] = {}
        self._gap_ends: dict[str, asyncio.TimerHandle] = {}

    def sync(
        self,
        policies: Sequence[PolicyView],
        pods: Sequence[PodView],
        namespaces: Sequence[NamespaceView],
    ) -> None:
        """Tell all agents. Those that are late need a running event loop."""
        self._latest = state = _State(self._spec, policies, pods, namespaces)
        for name in self._nodes:
            lag = self._knobs.policy_lag_seconds.get(name)
            if lag is None:
                self._know(name, state)
            else:
                loop = asyncio.get_running_loop()
                self._on_the_way[name].append(loop.call_later(lag, self._know, name, state))

    def resync(self) -> None:
        """Bring all nodes in line with what their agents know, as bent by the knobs."""
        for name in self._nodes:
            if name not in self._knobs.policy_lag_seconds:
                for timer in self._on_the_way.pop(name, ()):
                    timer.cancel()
                self._known[name] = self._latest
            self._write(name)

    def pod_added(self, node: str, ip: str) -> None:
        """A pod has its address, from now on."""
        self._born[node][ip] = time.monotonic()

    def pod_removed(self, node: str, ip: str) -> None:
        """A pod is gone."""
        self._born[node].pop(ip, None)

    def close(self) -> None:
        """Forget what is on its way."""
        ends = self._window_ends.values(), self._gap_ends.values()
        for timers in (*self._on_the_way.values(), *ends):
            for timer in timers:
                timer.cancel()

    def _know(self, name: str, state: _State) -> None:
        self._known[name] = state
        if timer := self._gap_ends.pop(name, None):
            timer.cancel()
        if gap := self._knobs.policy_gap_seconds.get(name):
            loop = asyncio.get_running_loop()
            self._gap_ends[name] = loop.call_later(gap, self._end_gap, name)
        self._write(name)

    def _end_gap(self, name: str) -> None:
        self._gap_ends.pop(name, None)
        self._write(name)

    def _write(self, name: str) -> None:
        node = self._nodes[name]
        state = self._known.setdefault(name, self._latest)
        enforced = self._ways is not None and name not in self._knobs.policy_absent
        defects = frozenset(self._defects(name))
        unprotected = self._unprotected(name)
        for version in self._versions:
            known = version == 4 or PolicyDefect.IPV6_NOT_ENFORCED not in defects
            lossy = name in self._gap_ends
            program = (
                state.program(self._ways, node.node, version, defects, unprotected, lossy=lossy)
                if enforced and known and self._ways is not None
                else None
            )
            node.write_policies(program, version=version)

    def _defects(self, name: str) -> Iterator[PolicyDefect]:
        return (kind for kind, nodes in self._knobs.policy_defects.items() if name in nodes)

    def _unprotected(self, name: str) -> set[str]:
        """The pods whose window is open; the node is written again when the next one closes."""
        if timer := self._window_ends.pop(name, None):
            timer.cancel()
        window = self._knobs.policy_window_seconds.get(name)
        if window is None:
            return set()
        now = time.monotonic()
        left = {
            ip: born + window - now for ip, born in self._born[name].items() if born + window > now
        }
        if left:
            loop = asyncio.get_running_loop()
            self._window_ends[name] = loop.call_later(min(left.values()), self._write, name)
        return set(left)
