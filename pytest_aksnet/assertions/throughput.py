"""Verbs about bandwidth: bounded runs. That one pair measures at a time is the caller's duty."""

from collections.abc import Sequence

from pytest_aksnet.assertions.diagnosis import why_slow, why_slower_than_host
from pytest_aksnet.assertions.nodes import node_named
from pytest_aksnet.assertions.target import AnyPod, pod_of
from pytest_aksnet.check import Diagnose, Engine
from pytest_aksnet.expectations.throughput import (
    Floor,
    judge_throughput,
    like_host_floor,
    pair_floor,
    vcpus_of,
)
from pytest_aksnet.model.observation import Throughput
from pytest_aksnet.model.peers import PodRef
from pytest_aksnet.model.verdict import Verdict
from pytest_aksnet.probes.iperf3 import PORT, Iperf3

_ANY_GBPS = 0.001


def assert_throughput_gbps(
    engine: Engine,
    pod: PodRef,
    to: AnyPod,
    at_least: float | None,
    *,
    hosts: Sequence[AnyPod],
) -> Throughput:
    """See ProbePod.assert_throughput_gbps."""
    target = pod_of(to)
    if at_least is None:
        floor = pair_floor(
            node_named(engine, pod.node), node_named(engine, target.node), engine.site
        )
    else:
        floor = Floor(gbps=at_least, reckoning="as the check demands", source="the check itself")
    looked_at = [pod, target, *map(pod_of, hosts)]
    return _measure(engine, pod, target, floor, lambda _: why_slow(engine, looked_at))


def measure_throughput(engine: Engine, pod: PodRef, to: AnyPod) -> Throughput:
    """See ProbePod.measure_throughput."""
    floor = Floor(gbps=_ANY_GBPS, reckoning="any traffic at all", source="the check itself")
    target = pod_of(to)
    return _measure(engine, pod, target, floor, lambda _: why_slow(engine, [pod, target]))


def assert_throughput_like_host(
    engine: Engine,
    pod: PodRef,
    to: AnyPod,
    host: Throughput,
    *,
    share: float,
    hosts: Sequence[AnyPod],
) -> Throughput:
    """See ProbePod.assert_throughput_like_host."""
    target = pod_of(to)
    looked_at = [pod, target, *map(pod_of, hosts)]
    return _measure(
        engine,
        pod,
        target,
        like_host_floor(host, share),
        lambda _: why_slower_than_host(engine, looked_at, host),
    )


def _measure(
    engine: Engine, pod: PodRef, target: PodRef, floor: Floor, diagnose: Diagnose[Throughput]
) -> Throughput:
    probe = Iperf3(
        host=target.ip,
        port=PORT,
        seconds=engine.pacing.throughput_s,
        streams=engine.pacing.throughput_streams,
    )
    between = f"node {pod.node} to node {target.node}"
    vcpus = vcpus_of(node_named(engine, pod.node), node_named(engine, target.node))

    def judge(seen: Throughput) -> Verdict:
        return judge_throughput(seen, floor, between=between, vcpus=vcpus)

    # Two more runs, as neighbours on the same hardware may have been loud during one of them.
    return engine.converge(
        pod, probe, judge, patience_s=2.0 * engine.pacing.throughput_s, diagnose=diagnose
    )
