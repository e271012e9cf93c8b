"""What the lab's network does: rates, round trips, loss, each beside what was asked for.

Rates stand beside a TCP stream over this machine's loopback in the same run, because the machine's
CPUs are what limits them. Run: python -m benchmarks.lab_figures
"""

import json
import statistics
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pytest_aksnet.lab.layout import default_spec
from tests.lab.running_lab import start_lab
from tests.lab.scene import Scene

_SECONDS = "3"


def main() -> None:
    print(f"loopback of this machine, one TCP stream: {_loopback_gbps():.1f} Gbit/s")
    lab = start_lab()
    try:
        folder = Path(tempfile.mkdtemp())
        with Scene(lab, default_spec(lab.mode, lab.engine), folder) as scene:
            _rates(scene)
            _round_trips(scene)
            _losses(scene)
    finally:
        lab.end()


def _rates(scene: Scene) -> None:
    """Sending is limited by the VM size of the node that sends."""
    for node, spec in enumerate(scene.spec.nodes):
        other = (node + 1) % len(scene.nodes)
        gbps = _gbps(scene, scene.pod(node), _iperf(scene, other))
        print(f"pod to pod, from a {spec.instance_type}: {gbps:.2f} of {spec.egress_gbps:g} Gbit/s")
    print(f"pod to pod on one node: {_gbps(scene, scene.pod(1), _iperf(scene, 1)):.1f} Gbit/s")
    for fault, promised in (("throughput-capped=1@LAST", 1.0), ("nic-without-vf", 1.5)):
        with _injected(scene, fault):
            gbps = _gbps(scene, scene.pod(0), _iperf(scene, -1))
            print(f"{fault}: {gbps:.2f} of {promised:g} Gbit/s")


def _round_trips(scene: Scene) -> None:
    source, target = scene.pod(0), scene.ip(scene.pod(-1))
    print(f"UDP round trip between nodes: {_round_trip(scene, source, target) * 1000:.2f} ms")
    for seconds in (0.005, 0.02, 0.1):
        with _injected(scene, f"latency={seconds}@LAST"):
            took = _round_trip(scene, source, target)
            print(f"latency={seconds}: {took * 1000:.2f} ms, asked for {2 * seconds * 1000:g}")
    with _injected(scene, "latency=0.02@LAST"):
        gbps = _gbps(scene, source, _iperf(scene, -1))
        print(f"one TCP stream under latency=0.02: {gbps:.2f} Gbit/s")


def _losses(scene: Scene) -> None:
    source, target = scene.pod(0), scene.ip(scene.pod(-1))
    for share in (0.01, 0.05, 0.2):
        with _injected(scene, f"packet-loss={share}@LAST"):
            looks = scene.udps(source, target, count=1000, seconds=0.02)
            lost = sum(not look.ok for look in looks)
            asked = 1 - (1 - share) ** 2
            print(f"packet-loss={share}: {lost} of 1000 round trips, expected {asked * 1000:.0f}")


@contextmanager
def _injected(scene: Scene, fault: str) -> Iterator[None]:
    name = fault.replace("@LAST", f"@{scene.nodes[-1]}")
    scene.inject(name)
    try:
        yield
    finally:
        scene.heal(name)


def _iperf(scene: Scene, node: int) -> str:
    on = scene.nodes[node]
    name = f"iperf-{scene.nodes.index(on)}"
    if name not in scene.pod_names():
        scene.user.create_pod(name, command=["iperf3", "-s"], node=on)
    scene.user.ready(name)
    return scene.user.pod_ip(name)


def _gbps(scene: Scene, source: str, target: str) -> float:
    return _received(scene.run(source, "iperf3", "-J", "-t", _SECONDS, "-c", target).stdout)


def _round_trip(scene: Scene, source: str, target: str) -> float:
    """The median of a hundred, in seconds."""
    return statistics.median(look.seconds for look in scene.udps(source, target, count=100))


def _loopback_gbps() -> float:
    server = subprocess.Popen(["iperf3", "-s", "-1", "-p", "5299"], stdout=subprocess.DEVNULL)
    try:
        done = subprocess.run(
            ["iperf3", "-J", "-t", _SECONDS, "-p", "5299", "-c", "127.0.0.1"],
            capture_output=True,
            text=True,
            check=True,
        )
    finally:
        server.wait(10)
    return _received(done.stdout)


def _received(report: str) -> float:
    return float(json.loads(report)["end"]["sum_received"]["bits_per_second"]) / 1e9


if __name__ == "__main__":
    main()
