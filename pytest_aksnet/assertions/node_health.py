"""Verbs about a node's kernel and clock, for host-network pods on the nodes.

What grows is looked at around a burst of short connections between the nodes, as a node on which
nothing happens loses nothing.
"""

from collections.abc import Callable, Sequence

from pytest_aksnet.assertions.looker import Looker
from pytest_aksnet.assertions.target import AnyPod, pod_of
from pytest_aksnet.check import Engine
from pytest_aksnet.check_facts import judge_facts
from pytest_aksnet.expectations import kernel
from pytest_aksnet.model.errors import ExecNotCompleted, SettingsError
from pytest_aksnet.model.observation import FactSheet, KernelState
from pytest_aksnet.model.peers import PodRef
from pytest_aksnet.model.probing import Kind, Probe
from pytest_aksnet.model.verdict import Outcome, Verdict, merge
from pytest_aksnet.probes.kernel import Kernel

BURST = 400
_BURST_TIMEOUT_S = 3.0
_BURST_BUDGET_S = 12.0

_Judge = Callable[[KernelState, KernelState, str], Verdict]


class NodeHealthVerbs(Looker):
    """Of ProbePod: what the kernel of its node says."""

    def assert_kernel_settings(self) -> KernelState:
        """The sysctls of this host-network pod's node let pods be reached through it."""
        pod = require_host_network(self.pod)
        profile = self._engine.profile
        wanted = kernel.Wanted(
            azure=profile.get("cloud") == "azure",
            cilium=profile.get("kube-proxy-mode") == "none"
            and profile.get("policy-engine") == "cilium",
            ipv6=":" in (profile.get("pod-cidrs") or ""),
        )
        return self._engine.converge(
            pod,
            Kernel(),
            lambda state: kernel.judge_settings(state, wanted, node=pod.node),
            patience_s=0.0,
        )

    def assert_clocks_agree(self, hosts: Sequence[AnyPod]) -> FactSheet:
        """The clocks of the nodes of these host-network pods agree."""
        engine, looks = self._engine, list[kernel.ClockLook]()
        for pod in map(require_host_network, map(pod_of, hosts)):
            asked = engine.now()
            state = _read(engine, pod)
            looks.append(
                kernel.ClockLook(
                    node=pod.node,
                    clock_s=state.clock_s,
                    asked_s=asked,
                    answered_s=engine.now(),
                )
            )
        facts = {
            look.node: f"{look.clock_s} s, answered in {look.answered_s - look.asked_s:.3f} s"
            for look in looks
        }
        return self._conclude_kernels(
            "clocks of nodes", facts, kernel.judge_clocks(looks), ("date",)
        )

    def assert_same_mtu(self, hosts: Sequence[AnyPod]) -> FactSheet:
        """The uplinks of the nodes of these host-network pods have one MTU."""
        pods = [require_host_network(pod_of(host)) for host in hosts]
        states = {pod.node: _read(self._engine, pod) for pod in pods}
        facts = {node: f"{state.uplink} mtu {state.mtu}" for node, state in states.items()}
        verdict = kernel.judge_same_mtu(states)
        return self._conclude_kernels("MTU of nodes", facts, verdict, ("ip", "link"))

    def assert_conntrack_headroom(self, hosts: Sequence[AnyPod]) -> FactSheet:
        """The nodes' tables of connections have room, and drop nothing during a burst."""
        return self._around_a_burst(
            "tables of connections",
            hosts,
            lambda before, after, node: kernel.judge_conntrack(before, after, node=node),
            ("sh", "-c", "sysctl net.netfilter; cat /proc/net/stat/nf_conntrack"),
        )

    def assert_links_lose_nothing(self, hosts: Sequence[AnyPod]) -> FactSheet:
        """The nodes' uplinks count nearly no error and drop during a burst between them."""
        return self._around_a_burst(
            "counters of the nodes' uplinks",
            hosts,
            lambda before, after, node: kernel.judge_link(before, after, node=node),
            ("ip", "-s", "-s", "link"),
        )

    def assert_few_retransmits(self, hosts: Sequence[AnyPod]) -> FactSheet:
        """The nodes send nearly no TCP segment again during a burst between them."""
        return self._around_a_burst(
            "TCP counters of nodes",
            hosts,
            lambda before, after, node: kernel.judge_retransmits(before, after, node=node),
            ("nstat", "-az", "TcpOutSegs", "TcpRetransSegs", "TcpExtListenDrops"),
        )

    def _around_a_burst(
        self, what: str, hosts: Sequence[AnyPod], judge: _Judge, by_hand: Sequence[str]
    ) -> FactSheet:
        engine = self._engine
        pods = [require_host_network(pod_of(host)) for host in hosts]
        before = [_read(engine, pod) for pod in pods]
        for pod, target in zip(pods, [*pods[1:], pods[0]], strict=True):
            _send(engine, pod, target)
        after = [_read(engine, pod) for pod in pods]
        verdicts = {
            pod.node: judge(first, then, pod.node)
            for pod, first, then in zip(pods, before, after, strict=True)
        }
        facts = {node: verdict.sentence for node, verdict in verdicts.items()}
        return self._conclude_kernels(what, facts, merge(verdicts.values()), by_hand)

    def _conclude_kernels(
        self, what: str, facts: dict[str, str], verdict: Verdict, by_hand: Sequence[str]
    ) -> FactSheet:
        sheet = FactSheet(what=what, source="the kernels of the nodes", facts=facts)
        line = ("kubectl", "exec", "-n", self.pod.namespace, self.pod.name, "--", *by_hand)
        return judge_facts(self._engine, sheet, verdict, by_hand=line)


def require_host_network(pod: PodRef) -> PodRef:
    """The pod itself. Raises SettingsError where it has a network namespace of its own."""
    if not pod.host_network:
        raise SettingsError(
            f"pod {pod.namespace}/{pod.name} has a network namespace of its own and cannot see "
            "that of its node: use a host-network pod"
        )
    return pod


def _read(engine: Engine, pod: PodRef) -> KernelState:
    step = Verdict(outcome=Outcome.INCONCLUSIVE, sentence=f"what the kernel of {pod.node} says")
    return engine.look(pod, Kernel(), lambda _: step).observation


def _send(engine: Engine, pod: PodRef, target: PodRef) -> None:
    """Connections to another node's reflector; whether they succeed is for other checks to say.

    Raises ExecNotCompleted where none of them was made.
    """
    probe = Probe(
        kind=Kind.TCP,
        host=target.ip,
        port=target.port,
        timeout_s=_BURST_TIMEOUT_S,
        options={"pod": target.name},
    )
    batch = engine.prober.probe(pod, [probe] * BURST, budget_s=_BURST_BUDGET_S)
    if not any(answer is not None and answer.looked for answer in batch.answers):
        raise ExecNotCompleted(
            f"pod {pod.namespace}/{pod.name} made none of {BURST} connections to node "
            f"{target.node}, so that nothing is lost proves nothing: {batch.problem or 'no answer'}"
        )
