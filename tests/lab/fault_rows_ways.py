"""Rows of the faults of the ways between machines, and of the machines' NICs."""

import json
import time

from cryptography import x509
from kubernetes import client

from tests.lab.fault_rows import FaultRow, Scene

_LAST = -1
_INTERNET = "203.0.113.80"
_STORAGE, _STORAGE_ENDPOINT = "aksnetlab.blob.core.windows.net", "10.226.0.5"
_DELAY = 0.05
_DUAL = ("dual-stack=true",)
_CAP_GBPS = 0.5


def _lost(scene: Scene, source: str, target: str, count: int = 60) -> int:
    """How many of so many UDP round trips between two pods are lost."""
    looks = scene.udps(source, scene.ip(target), count=count, seconds=0.1)
    return sum(not look.ok for look in looks)


def nothing_is_lost(scene: Scene) -> None:
    assert _lost(scene, scene.pod(0), scene.pod(_LAST)) == 0
    assert _lost(scene, scene.pod(0), scene.pod(1)) == 0


def much_is_lost(scene: Scene) -> None:
    # A third each way: 55 of 100 round trips. The bounds are five standard deviations away.
    assert 14 <= _lost(scene, scene.pod(0), scene.pod(_LAST)) <= 52


def much_is_lost_of_the_last_node(scene: Scene) -> None:
    much_is_lost(scene)
    assert _lost(scene, scene.pod(0), scene.pod(1)) == 0
    assert _lost(scene, scene.pod(_LAST), scene.pod(_LAST, "neighbour")) == 0


def _round_trip(scene: Scene, source: str, target: str) -> float:
    return _round_trip_to(scene, source, scene.ip(target))


def _round_trip_to(scene: Scene, source: str, ip: str) -> float:
    """The quickest of some, in seconds."""
    looks = scene.udps(source, ip, count=5)
    assert all(look.ok for look in looks)
    return min(look.seconds for look in looks)


def all_are_near(scene: Scene) -> None:
    assert _round_trip(scene, scene.pod(0), scene.pod(_LAST)) < _DELAY
    assert _round_trip(scene, scene.pod(0), scene.pod(1)) < _DELAY


def all_are_far(scene: Scene) -> None:
    assert _round_trip(scene, scene.pod(0), scene.pod(_LAST)) >= 2 * _DELAY
    assert _round_trip(scene, scene.pod(0), scene.pod(1)) >= 2 * _DELAY
    assert _round_trip(scene, scene.pod(0), scene.pod(0, "neighbour")) < _DELAY


def the_last_node_is_far(scene: Scene) -> None:
    assert _round_trip(scene, scene.pod(0), scene.pod(_LAST)) >= 2 * _DELAY
    assert _round_trip(scene, scene.pod(0), scene.pod(1)) < _DELAY
    look = scene.tcp(scene.pod(_LAST), "203.0.113.80", 80)
    assert look.ok
    assert look.seconds >= 2 * _DELAY


def _round_trip6(scene: Scene, source: str, target: str) -> float:
    return _round_trip_to(scene, source, scene.ip6(target))


def all_are_near_by_ipv6(scene: Scene) -> None:
    assert _round_trip6(scene, scene.pod(0), scene.pod(_LAST)) < _DELAY


def all_are_far_by_ipv6(scene: Scene) -> None:
    all_are_far(scene)
    assert _round_trip6(scene, scene.pod(0), scene.pod(_LAST)) >= 2 * _DELAY


def nothing_is_lost_by_ipv6(scene: Scene) -> None:
    looks = scene.udps(scene.pod(0), scene.ip6(scene.pod(_LAST)), count=60, seconds=0.1)
    assert all(look.ok for look in looks)


def much_is_lost_by_ipv6(scene: Scene) -> None:
    looks = scene.udps(scene.pod(0), scene.ip6(scene.pod(_LAST)), count=60, seconds=0.1)
    assert 14 <= sum(not look.ok for look in looks) <= 52


def _gbps(scene: Scene, source: str, target: str) -> float:
    """What a pod receives of another in one short TCP stream."""
    name = target.rpartition("/")[2]
    if name not in scene.pod_names():
        scene.user.create_pod(name, command=["iperf3", "-s"], node=scene.nodes[_LAST])
    scene.user.ready(name)
    done = scene.run(source, "iperf3", "-J", "-n", "30M", "-c", scene.ip(target))
    assert done.code == 0, done.stdout
    return float(json.loads(done.stdout)["end"]["sum_received"]["bits_per_second"]) / 1e9


def _server(scene: Scene) -> str:
    return f"pod/{scene.user.namespace}/iperf"


def the_last_node_is_fast(scene: Scene) -> None:
    assert _gbps(scene, scene.pod(0), _server(scene)) > 2 * _CAP_GBPS


def the_last_node_is_slow(scene: Scene) -> None:
    assert _gbps(scene, scene.pod(0), _server(scene)) < 1.2 * _CAP_GBPS
    # On the node itself no NIC is in the way.
    assert _gbps(scene, scene.pod(_LAST), _server(scene)) > 2 * _CAP_GBPS


def _rx_dropped(scene: Scene, node: int) -> int:
    counter = "/sys/class/net/eth0/statistics/rx_dropped"
    return int(scene.run(scene.node(node), "cat", counter).stdout)


def no_frame_is_dropped(scene: Scene) -> None:
    before = _rx_dropped(scene, _LAST)
    assert _lost(scene, scene.pod(0), scene.pod(_LAST), 20) == 0
    assert _rx_dropped(scene, _LAST) == before


def dropped_frames_are_counted(scene: Scene) -> None:
    before = _rx_dropped(scene, _LAST), _rx_dropped(scene, 1)
    lost = _lost(scene, scene.pod(0), scene.pod(_LAST), 20)
    assert lost > 0
    assert _rx_dropped(scene, _LAST) - before[0] >= lost
    assert _rx_dropped(scene, 1) == before[1]


def _pings_lost(scene: Scene) -> int:
    argv = ("ping", "-q", "-c16", "-i0.2", "-W1", scene.ip(scene.pod(_LAST)))
    said = scene.run(scene.pod(0), *argv).stdout
    return 16 - int(said.partition(" received")[0].rpartition(" ")[2])


def the_link_is_steady(scene: Scene) -> None:
    assert _pings_lost(scene) == 0


def the_link_comes_and_goes(scene: Scene) -> None:
    assert 0 < _pings_lost(scene) < 16


def pings_are_answered(scene: Scene) -> None:
    target = scene.ip(scene.pod(_LAST))
    assert scene.ping(scene.pod(0), target).outcome == "ok"
    assert scene.ping("host/vm", scene.ip(scene.node(0))).outcome == "ok"
    assert scene.tcp(scene.pod(0), target).ok


def pings_are_lost(scene: Scene) -> None:
    target = scene.ip(scene.pod(_LAST))
    assert scene.ping(scene.pod(0), target).outcome == "timeout"
    assert scene.ping("host/vm", scene.ip(scene.node(0))).outcome == "timeout"
    assert scene.tcp(scene.pod(0), target).ok
    assert scene.udp(scene.pod(0), target).ok


def _issuer(scene: Scene, host: str, name: str) -> str:
    look = scene.https_issuer(scene.pod(0), host, name=name)
    assert look.ok, look
    return x509.load_pem_x509_certificate(look.text.encode()).issuer.rfc4514_string()


def tls_is_the_servers_own(scene: Scene) -> None:
    assert _issuer(scene, _INTERNET, "www.example.com") == "CN=aksnet-lab"
    assert _issuer(scene, _STORAGE_ENDPOINT, _STORAGE) == "CN=aksnet-lab"


def tls_is_the_firewalls(scene: Scene) -> None:
    assert _issuer(scene, _INTERNET, "www.example.com") == "CN=aksnet-lab TLS inspection"
    assert _issuer(scene, _INTERNET, "mcr.microsoft.com") == "CN=aksnet-lab TLS inspection"
    # Inside the VNet nothing is inspected, and TCP connects as ever.
    assert _issuer(scene, _STORAGE_ENDPOINT, _STORAGE) == "CN=aksnet-lab"
    assert scene.seen(scene.pod(0), _INTERNET, 80) == scene.spec.egress_ip


def tls_inside_is_the_firewalls(scene: Scene) -> None:
    assert _issuer(scene, _STORAGE_ENDPOINT, _STORAGE) == "CN=aksnet-lab TLS inspection"
    assert _issuer(scene, _INTERNET, "www.example.com") == "CN=aksnet-lab"


def the_internet_answers(scene: Scene) -> None:
    assert scene.seen(scene.pod(0), _INTERNET, 80) == scene.spec.egress_ip
    assert scene.tcp(scene.node(0), _INTERNET, 443).ok


def the_internet_resets(scene: Scene) -> None:
    assert scene.tcp(scene.pod(0), _INTERNET, 80).outcome == "refused"
    assert scene.tcp(scene.node(0), _INTERNET, 443).outcome == "refused"
    assert scene.tcp(scene.pod(0), scene.ip("host/storage-public"), 443).ok


def _vf_name(scene: Scene, node: int) -> str:
    argv = ("sh", "-c", "cd /sys/class/net && ls -d enP*")
    return scene.run(scene.node(node), *argv).stdout.strip()


def _vf_driver(scene: Scene, node: int) -> str:
    said = scene.run(scene.node(node), "ethtool", "-i", _vf_name(scene, node)).stdout
    return said.partition("driver: ")[2].partition("\n")[0]


def one_driver_in_the_pool(scene: Scene) -> None:
    assert [_vf_driver(scene, node) for node in (1, _LAST)] == ["mana", "mana"]


def two_drivers_in_the_pool(scene: Scene) -> None:
    assert [_vf_driver(scene, node) for node in (1, _LAST)] == ["mana", "mlx5_core"]


def _vf_growth(scene: Scene, node: int) -> tuple[bool, bool]:
    """Whether eth0's vf_ counters and the VF's own statistics grow with traffic to a node."""

    def counters() -> tuple[int, int]:
        said = scene.run(scene.node(node), "ethtool", "-S", "eth0").stdout
        file = f"/sys/class/net/{_vf_name(scene, node)}/statistics/rx_packets"
        own = scene.run(scene.node(node), "cat", file).stdout
        return int(said.partition("vf_rx_packets: ")[2].split()[0]), int(own)

    before = counters()
    assert all(
        look.ok for look in scene.tcps("host/vm", scene.ip(scene.node(node)), 10256, count=9)
    )
    after = counters()
    return after[0] > before[0], after[1] > before[1]


def vf_counts(scene: Scene) -> None:
    assert _vf_growth(scene, _LAST) == (True, True)


def vf_counts_on_others_only(scene: Scene) -> None:
    assert _vf_growth(scene, _LAST) == (False, False)
    assert _vf_driver(scene, _LAST) == "mana"
    assert _vf_growth(scene, 1) == (True, True)


def _ahead(scene: Scene, node: int) -> tuple[float, float]:
    """By how many seconds a node's Lease and its `date` are ahead of this machine's clock."""
    name = scene.nodes[node]
    leases = client.CoordinationV1Api(scene.user.core.api_client)
    renewed = leases.read_namespaced_lease(name, "kube-node-lease").spec.renew_time
    date = float(scene.run(scene.node(node), "date", "+%s").stdout)
    return renewed.timestamp() - time.time(), date - time.time()


def clocks_agree(scene: Scene) -> None:
    assert all(abs(ahead) < 30 for node in (1, _LAST) for ahead in _ahead(scene, node))


def the_last_clock_is_ahead(scene: Scene) -> None:
    assert all(500 < ahead < 700 for ahead in _ahead(scene, _LAST))
    assert all(abs(ahead) < 30 for ahead in _ahead(scene, 1))


ROWS = (
    FaultRow(
        fault="node-clock-skew=600", healthy=clocks_agree, broken=the_last_clock_is_ahead, slow=True
    ),
    FaultRow(fault="tls-interception", healthy=tls_is_the_servers_own, broken=tls_is_the_firewalls),
    FaultRow(
        fault="private-endpoint-intercepted",
        healthy=tls_is_the_servers_own,
        broken=tls_inside_is_the_firewalls,
    ),
    FaultRow(fault="firewall-resets", healthy=the_internet_answers, broken=the_internet_resets),
    FaultRow(
        fault="vf-driver-mixed", healthy=one_driver_in_the_pool, broken=two_drivers_in_the_pool
    ),
    FaultRow(fault="vf-counters-flat", healthy=vf_counts, broken=vf_counts_on_others_only),
    FaultRow(fault="packet-loss=0.33", healthy=nothing_is_lost, broken=much_is_lost, slow=True),
    FaultRow(
        fault="packet-loss=0.33@LAST",
        healthy=nothing_is_lost,
        broken=much_is_lost_of_the_last_node,
    ),
    FaultRow(fault=f"latency={_DELAY}", healthy=all_are_near, broken=all_are_far, slow=True),
    FaultRow(fault=f"latency={_DELAY}@LAST", healthy=all_are_near, broken=the_last_node_is_far),
    FaultRow(
        fault=f"latency={_DELAY}",
        healthy=all_are_near_by_ipv6,
        broken=all_are_far_by_ipv6,
        settings=_DUAL,
        modes=("overlay", "kubenet"),
        slow=True,
    ),
    FaultRow(
        fault="packet-loss=0.33",
        healthy=nothing_is_lost_by_ipv6,
        broken=much_is_lost_by_ipv6,
        settings=_DUAL,
        modes=("overlay", "kubenet"),
        slow=True,
    ),
    FaultRow(
        fault=f"throughput-capped={_CAP_GBPS}",
        healthy=the_last_node_is_fast,
        broken=the_last_node_is_slow,
    ),
    FaultRow(fault="rx-drops=0.5", healthy=no_frame_is_dropped, broken=dropped_frames_are_counted),
    FaultRow(
        fault="link-flaps", healthy=the_link_is_steady, broken=the_link_comes_and_goes, slow=True
    ),
    FaultRow(fault="icmp-blocked", healthy=pings_are_answered, broken=pings_are_lost),
)
