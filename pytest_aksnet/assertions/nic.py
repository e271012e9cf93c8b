"""Verbs about the interfaces of a node, for a host-network pod on it."""

from pytest_aksnet.assertions.azure import require_azure
from pytest_aksnet.assertions.node_health import require_host_network
from pytest_aksnet.assertions.target import AnyPod, pod_of
from pytest_aksnet.check import Engine
from pytest_aksnet.expectations.accelerated_networking import judge_present, judge_used
from pytest_aksnet.model.observation import NicState, Throughput
from pytest_aksnet.model.peers import PodRef
from pytest_aksnet.model.verdict import Outcome, Verdict
from pytest_aksnet.probes.iperf3 import PORT, Iperf3
from pytest_aksnet.probes.nic import Nics

ONLY_AZURE = "only Azure promises a virtual function"
_SECONDS = 1


def assert_vf_present(engine: Engine, pod: PodRef) -> NicState:
    """See ProbePod.assert_vf_present."""
    require_host_network(pod)
    require_azure(engine, ONLY_AZURE)
    return engine.converge(
        pod,
        Nics(),
        lambda state: judge_present(state, node=pod.node),
        # The virtual function goes away for a while when Azure services the host.
        patience_s=engine.pacing.servicing_s,
    )


def assert_vf_used(engine: Engine, pod: PodRef, to: AnyPod) -> NicState:
    """See ProbePod.assert_vf_used."""
    require_host_network(pod)
    require_azure(engine, ONLY_AZURE)
    target = pod_of(to)
    before = engine.look(pod, Nics(), lambda _: _step("the counters before the transfer"))
    engine.look(pod, Iperf3(host=target.ip, port=PORT, seconds=_SECONDS, streams=1), _transferred)
    return engine.converge(
        pod,
        Nics(),
        lambda after: judge_used(before.observation, after, node=pod.node),
        patience_s=0.0,
    )


def _transferred(seen: Throughput) -> Verdict:
    return _step(f"a transfer of {seen.gbps:.2f} Gbit/s to move the counters")


def _step(sentence: str) -> Verdict:
    """What is looked at on the way to a judgement, and is none by itself."""
    return Verdict(outcome=Outcome.INCONCLUSIVE, sentence=sentence)
