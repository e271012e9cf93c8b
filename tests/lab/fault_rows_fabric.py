"""Rows of the faults of Azure's side: routes, security groups, ways out, balancer, platform."""

import functools

from tests.lab.fault_rows import Condition, FaultRow, Scene

_SILENT = 1.0
_LAST = -1
_INTERNET = "203.0.113.80"
_RUNNER = "host/runner"
_IMDS = "http://169.254.169.254:80/metadata/versions"
_FIREWALL = ("egress=firewall",)
_HTTP, _HOST_AGENT = 80, 32526

# What the programs print: how a flow ended that was silent for 3 s, how many flows were there.
_HELD = """
import socket, sys, time
client = socket.create_connection((sys.argv[1], 80), 3)
client.settimeout(3)
client.sendall(b"GET / HTTP/1.1\\r\\nHost: x\\r\\n")
time.sleep(3)
try:
    client.sendall(b"\\r\\n")
    print("answer" if client.recv(100) else "closed")
except OSError as error:
    print(type(error).__name__)
"""
_MANY = """
import socket, sys
held = []
for _ in range(12):
    client = socket.socket()
    client.settimeout(0.4)
    try:
        client.connect((sys.argv[1], 80))
        held.append(client)
    except TimeoutError:
        client.close()
print(len(held))
"""


def _reaches(scene: Scene, source: str, target: str, port: int = 8080) -> bool:
    return scene.tcp(source, target, port, seconds=_SILENT).ok


def _ip(scene: Scene, host: str) -> str:
    return scene.ip(scene.host(host))


def _between_pods(scene: Scene) -> bool:
    return _reaches(scene, scene.pod(0), scene.ip(scene.pod(1)))


def _host_answers(scene: Scene, host: str, expected: bool) -> None:
    """Whether a pod and a node reach a host, while pods reach each other in any case."""
    for source in (scene.pod(0), scene.node(0)):
        assert _reaches(scene, source, _ip(scene, host), _HTTP) is expected
    assert _between_pods(scene)


def _reach(host: str) -> tuple[Condition, Condition]:
    answers = functools.partial(_host_answers, host=host, expected=True)
    silent = functools.partial(_host_answers, host=host, expected=False)
    return answers, silent


def the_internet_sees_the_egress_address(scene: Scene) -> None:
    assert scene.seen(scene.pod(0), _INTERNET, _HTTP) == scene.spec.egress_ip


def the_internet_sees_another_address(scene: Scene) -> None:
    assert scene.seen(scene.pod(0), _INTERNET, _HTTP) == scene.spec.other_egress_ip


def pods_of_the_last_node_are_reached(scene: Scene) -> None:
    assert _reaches(scene, scene.pod(0), scene.ip(scene.pod(_LAST)))


def pods_of_the_last_node_are_not_reached(scene: Scene) -> None:
    assert not _reaches(scene, scene.pod(0), scene.ip(scene.pod(_LAST)))
    assert _between_pods(scene)


def azure_dns_answers(scene: Scene) -> None:
    server = scene.spec.azure_dns_ip
    assert scene.dns(scene.node(0), "www.example.com", server=server).outcome == "noerror"


def azure_dns_is_silent(scene: Scene) -> None:
    for transport in ("udp", "tcp"):
        look = scene.dns(
            scene.node(0),
            "www.example.com",
            server=scene.spec.azure_dns_ip,
            transport=transport,
            seconds=1,
        )
        assert look.outcome == "timeout"
    assert _between_pods(scene)


def _balanced(scene: Scene) -> tuple[str, str]:
    """The frontend of a Service whose only endpoint is on the last node, and that pod."""
    pod = scene.pod(_LAST)
    services = scene.user.core.list_namespaced_service(scene.user.namespace).items
    if "web" not in [one.metadata.name for one in services]:
        app = pod.rpartition("/")[2]
        scene.service("web", app=app, kind="LoadBalancer", externalTrafficPolicy="Local")
    return scene.load_balancer_ip("web"), pod


def the_frontend_answers(scene: Scene) -> None:
    frontend, _ = _balanced(scene)
    assert scene.seen(_RUNNER, frontend, _HTTP, _SILENT) == scene.ip(_RUNNER)


def the_frontend_is_silent(scene: Scene) -> None:
    frontend, pod = _balanced(scene)
    assert scene.seen(_RUNNER, frontend, _HTTP, _SILENT) == "timeout"
    assert _reaches(scene, scene.pod(0), scene.ip(pod))


def many_flows_fit(scene: Scene) -> None:
    assert _flows(scene) == 12


def few_flows_fit(scene: Scene) -> None:
    assert _flows(scene) == 8
    assert _reaches(scene, scene.pod(1), _INTERNET, _HTTP)


def _flows(scene: Scene) -> int:
    return int(scene.run(scene.pod(0), "python3", "-c", _MANY, _INTERNET).stdout)


def silent_flows_live(scene: Scene) -> None:
    assert _held(scene) == "answer"


def silent_flows_are_reset(scene: Scene) -> None:
    assert _held(scene) == "ConnectionResetError"


def _held(scene: Scene) -> str:
    return scene.run(scene.pod(0), "python3", "-c", _HELD, _INTERNET).stdout.strip()


def imds_is_for_nodes_only(scene: Scene) -> None:
    assert _imds(scene, scene.pod(_LAST)) == "timeout"
    assert _imds(scene, scene.node(_LAST)) == "ok"


def imds_is_for_pods_of_the_last_node_too(scene: Scene) -> None:
    assert _imds(scene, scene.pod(_LAST)) == "ok"
    assert _imds(scene, scene.pod(0)) == "timeout"


def _imds(scene: Scene, place: str) -> str:
    return scene.http(place, _IMDS, seconds=_SILENT).outcome


def pods_reach_nobody_outside(scene: Scene) -> None:
    assert not _reaches(scene, scene.pod(0), _INTERNET, _HTTP)
    assert _between_pods(scene)


def pods_of_the_last_node_reach_the_wire_server(scene: Scene) -> None:
    server = scene.spec.azure_dns_ip
    assert _reaches(scene, scene.pod(_LAST), server, _HTTP)
    assert not _reaches(scene, scene.pod(0), server, _HTTP)


def nodes_reach_the_wire_server(scene: Scene) -> None:
    for port in (_HTTP, _HOST_AGENT):
        assert _reaches(scene, scene.node(_LAST), scene.spec.azure_dns_ip, port)
        assert not _reaches(scene, scene.pod(_LAST), scene.spec.azure_dns_ip, port)


def the_last_node_does_not_reach_the_wire_server(scene: Scene) -> None:
    for port in (_HTTP, _HOST_AGENT):
        assert not _reaches(scene, scene.node(_LAST), scene.spec.azure_dns_ip, port)
        assert _reaches(scene, scene.node(0), scene.spec.azure_dns_ip, port)


def long_packets_pass(scene: Scene) -> None:
    target = scene.ip(scene.pod(_LAST))
    assert scene.ping(scene.pod(0), target, size=1500).ok
    assert scene.http(scene.pod(0), f"http://{target}:8080/", upload=200_000).ok


def long_packets_vanish(scene: Scene) -> None:
    target = scene.ip(scene.pod(_LAST))
    assert scene.ping(scene.pod(0), target, size=1400).ok
    assert scene.ping(scene.pod(0), target, size=1401).outcome == "timeout"
    upload = scene.http(scene.pod(0), f"http://{target}:8080/", upload=200_000)
    assert upload.outcome == "timeout"
    assert scene.ping(scene.pod(0), scene.ip(scene.pod(1)), size=1500).ok


def the_endpoint_answers(scene: Scene) -> None:
    assert _reaches(scene, scene.pod(0), _ip(scene, "storage-endpoint"), 443)


def the_endpoint_is_silent(scene: Scene) -> None:
    look = scene.tcp(scene.pod(0), _ip(scene, "storage-endpoint"), 443, seconds=_SILENT)
    assert look.outcome == "timeout"
    assert _reaches(scene, scene.pod(0), _ip(scene, "vm"), _HTTP)


def _frontend_row(fault: str, *, slow: bool = False) -> FaultRow:
    return FaultRow(
        fault=fault, healthy=the_frontend_answers, broken=the_frontend_is_silent, slow=slow
    )


def _host_row(fault: str, host: str, settings: tuple[str, ...] = ()) -> FaultRow:
    healthy, broken = _reach(host)
    return FaultRow(fault=fault, healthy=healthy, broken=broken, settings=settings)


ROWS = (
    _host_row("udr-blackhole", "internet"),
    _host_row("peering-disconnected", "peered-vm"),
    _host_row("on-prem-gateway-down", "on-prem"),
    _host_row("nat-gateway-detached", "internet", ("egress=nat-gateway",)),
    _host_row("asymmetric-routing", "vm", _FIREWALL),
    FaultRow(
        fault="egress-bypasses-firewall",
        healthy=the_internet_sees_the_egress_address,
        broken=the_internet_sees_another_address,
        settings=_FIREWALL,
    ),
    FaultRow(
        fault="isolation-broken",
        healthy=pods_reach_nobody_outside,
        broken=the_internet_sees_another_address,
        settings=("egress=none",),
    ),
    FaultRow(
        fault="wireserver-exposed",
        healthy=nodes_reach_the_wire_server,
        broken=pods_of_the_last_node_reach_the_wire_server,
    ),
    FaultRow(
        fault="wrong-podcidr-route",
        healthy=pods_of_the_last_node_are_reached,
        broken=pods_of_the_last_node_are_not_reached,
        modes=("kubenet",),
    ),
    FaultRow(
        fault="nsg-blocks-dns",
        healthy=azure_dns_answers,
        broken=azure_dns_is_silent,
    ),
    _frontend_row("nsg-blocks-load-balancer"),
    _frontend_row("lb-probe-fails", slow=True),
    _frontend_row("lb-backend-missing", slow=True),
    _frontend_row("lb-frontend-missing"),
    FaultRow(fault="snat-ports-exhausted", healthy=many_flows_fit, broken=few_flows_fit),
    FaultRow(
        fault="idle-timeout-short",
        healthy=silent_flows_live,
        broken=silent_flows_are_reset,
        slow=True,
    ),
    FaultRow(
        fault="imds-exposed",
        healthy=imds_is_for_nodes_only,
        broken=imds_is_for_pods_of_the_last_node_too,
        settings=("imds-restricted=true",),
    ),
    FaultRow(
        fault="wireserver-blocked",
        healthy=nodes_reach_the_wire_server,
        broken=the_last_node_does_not_reach_the_wire_server,
    ),
    FaultRow(fault="mtu-blackhole", healthy=long_packets_pass, broken=long_packets_vanish),
    FaultRow(
        fault="private-endpoint-pending",
        healthy=the_endpoint_answers,
        broken=the_endpoint_is_silent,
    ),
)
