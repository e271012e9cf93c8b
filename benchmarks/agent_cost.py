"""What a probe through an agent costs, beside an exec for each, in the same run against the lab.

Run: python -m benchmarks.agent_cost [EXECS]. EXECS (default 1000) is how many execs are run; the
lists have 1, 1,000 and 10,000 probes, and 100 streams are opened.
"""

import functools
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from pytest_aksnet.cluster.agent import AgentPool, agents_of
from pytest_aksnet.cluster.connect import Cluster, connect
from pytest_aksnet.cluster.exec import StreamExecutor
from pytest_aksnet.model.execution import Completed
from pytest_aksnet.model.probing import Batch, Kind, Probe
from pytest_aksnet.probes import agent
from pytest_aksnet.probes.nc import Nc
from tests.lab.running_lab import start_lab
from tests.lab.test_agents import PORT, Pods
from tests.lab.user import User

ROUNDS = 5


def timed(action: Callable[[], Batch]) -> tuple[float, Batch]:
    started = time.perf_counter()
    batch = action()
    taken = time.perf_counter() - started
    assert batch.complete, batch.problem
    return taken, batch


def show(what: str, seconds: list[float], probes: int) -> float:
    median = statistics.median(seconds)
    print(
        f"{what:44} median {median * 1000:9.2f} ms   max {max(seconds) * 1000:9.2f} ms   "
        f"{probes / median:8.0f} probes/s"
    )
    return median


def execs(cluster: Cluster, pods: Pods, number: int, at_once: int) -> float:
    executor = StreamExecutor(cluster)
    argv = Nc(host=pods.target.ip, port=PORT, connect_timeout_s=3).build()
    started = time.perf_counter()
    with ThreadPoolExecutor(at_once) as threads:
        ended = list(
            threads.map(lambda _: executor.run(pods.source, argv, timeout_s=60.0), range(number))
        )
    taken = time.perf_counter() - started
    assert all(isinstance(one, Completed) and one.exit_code == 0 for one in ended)
    return taken


def lists(pods: Pods, pool: AgentPool) -> float:
    """The median seconds of a list of 1,000."""
    both = [pods.look(Kind.TCP), pods.look(Kind.UDP)]
    opened, _ = timed(lambda: pool.probe(pods.source, both[:1], budget_s=60))
    show("first probe of a pod, opening its stream", [opened], 1)
    one = [timed(lambda: pool.probe(pods.source, both[:1], budget_s=60)) for _ in range(200)]
    show("one tcp probe, round trip with the probe", [taken for taken, _ in one], 1)
    probe_ms = [answer.ms / 1000 for _, batch in one for answer in batch.answers if answer]
    show("  of which the probe itself, in the pod", probe_ms, 1)
    medians = {}
    for number in (324, 1_000, 10_000):
        wanted = (both * number)[:number]
        ask = functools.partial(pool.probe, pods.source, wanted, budget_s=120)
        taken = [timed(ask)[0] for _ in range(ROUNDS)]
        medians[number] = show(f"{number} tcp and udp probes in one list", taken, number)
    silent = [
        Probe(kind=Kind.CONNECT, host=f"10.244.250.{1 + n % 250}", port=80, timeout_s=0.5)
        for n in range(324)
    ]
    ask = functools.partial(pool.probe, pods.source, silent, budget_s=60)
    taken = [timed(ask)[0] for _ in range(ROUNDS)]
    show("324 silent targets, timeout 0.5 s", taken, 324)
    return medians[1_000]


def streams(pods: Pods, pool: AgentPool) -> None:
    probes = [pods.look(Kind.TCP), pods.look(Kind.UDP)]
    many = [replace(pods.source, uid=f"{number}") for number in range(100)]
    for what in ("opening 100 streams, 2 probes each", "100 open streams, 2 probes each"):
        started = time.perf_counter()
        batches = pool.probe_many(dict.fromkeys(many, probes), budget_s=60)
        taken = time.perf_counter() - started
        assert all(batch.complete for batch in batches.values())
        show(what, [taken], 200)


def main() -> None:
    number = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000
    print(f"{os.cpu_count()} CPUs, load {os.getloadavg()[0]:.1f}")
    lab = start_lab()
    try:
        with User(lab) as user, tempfile.TemporaryDirectory() as folder:
            pods = Pods(user, Path(folder))
            # Not by the way that the tests break: it costs time of its own.
            cluster = connect(str(lab.kubeconfig), None)
            pool = agents_of(cluster, (agent.script(),))
            thousand = lists(pods, pool)
            one_by_one = execs(cluster, pods, number, 1)
            show(f"{number} execs, one after the other", [one_by_one], number)
            together = execs(cluster, pods, number, 16)
            show(f"{number} execs, 16 at once", [together], number)
            streams(pods, pool)
            pool.close()
            cluster.close()
            pods.close()
            for how, taken in (("one after the other", one_by_one), ("16 at once", together)):
                ratio = taken / number * 1000 / thousand
                print(f"1,000 in one list: {ratio:.0f} times faster than 1,000 execs, {how}")
    finally:
        lab.end()


if __name__ == "__main__":
    main()
