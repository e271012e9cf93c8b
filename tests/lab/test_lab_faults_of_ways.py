"""Faults of names, routes, filters and limits: healthy, injected, healed, shown by packets."""

import json
from collections.abc import Iterator

import pytest

from tests.lab.user import User

API_NAME = "kubernetes.default.svc.cluster.local"
INTERNET = "203.0.113.80"
HOST_PORT = 18081
# A pod that answers on an address of its node: the kubelet's probe comes from the node itself.
SERVE = f"import http.server as h; h.test(h.SimpleHTTPRequestHandler, port={HOST_PORT})"


@pytest.fixture
def broken(user_of_each: User) -> Iterator[User]:
    """A user of a lab of each mode that is healed afterwards, whatever the test did."""
    yield user_of_each
    user_of_each.heal_all()


def connects(user: User, pod: str, host: str, port: int = 8080) -> bool:
    """Whether a pod gets a TCP handshake. A silent peer is waited for one second."""
    return user.run(pod, "nc", "-z", "-w", "1", host, str(port)).code == 0


def create_host_server(user: User, name: str, node: str) -> None:
    probe = {"tcpSocket": {"port": HOST_PORT}, "periodSeconds": 1}
    user.create_pod(
        name,
        command=["python3", "-c", SERVE],
        node=node,
        container={"readinessProbe": probe},
        hostNetwork=True,
    )


def test_a_servfail_override_silences_every_replica(broken: User) -> None:
    user = broken
    user.create_pod("client", node=user.nodes()[2])
    user.ready("client")
    replicas = [
        pod.status.pod_ip
        for pod in user.core.list_namespaced_pod(
            "kube-system", label_selector="k8s-app=kube-dns"
        ).items
    ]
    assert len(replicas) == 2

    def statuses() -> set[str]:
        servers = [f"@{ip}" for ip in replicas]
        answers = [user.run("client", "dig", server, API_NAME).stdout for server in servers]
        answers += [
            user.run("client", "dig", server, "mcr.microsoft.com").stdout for server in servers
        ]
        return {answer.partition("status: ")[2].partition(",")[0] for answer in answers}

    def override() -> dict[str, str]:
        found = user.core.read_namespaced_config_map("coredns-custom", "kube-system")
        return dict(found.data or {})

    assert (statuses(), override()) == ({"NOERROR"}, {})
    user.inject("coredns-servfail")
    assert statuses() == {"SERVFAIL"}
    assert "rcode SERVFAIL" in override()["everything.override"]
    user.heal("coredns-servfail")
    assert (statuses(), override()) == ({"NOERROR"}, {})


def test_without_a_route_the_pods_of_one_node_are_cut_off_from_other_nodes(broken: User) -> None:
    user = broken
    first, second, last = user.nodes()
    user.create_reflector("on-second", node=second)
    user.create_reflector("on-last", node=last)
    user.create_pod("client", node=first)
    user.create_pod("neighbour", node=last)
    user.create_pod("host", node=first, hostNetwork=True)
    user.ready("on-second", "on-last", "client", "neighbour", "host")
    second_ip, last_ip = user.pod_ip("on-second"), user.pod_ip("on-last")

    def ways() -> dict[str, bool]:
        return {
            "to the cut off": connects(user, "client", last_ip),
            "from a node to the cut off": connects(user, "host", last_ip),
            "from the cut off": connects(user, "neighbour", second_ip),
            "inside the node": connects(user, "neighbour", last_ip),
            "elsewhere": connects(user, "client", second_ip),
        }

    healthy = dict.fromkeys(ways(), True)
    assert ways() == healthy
    user.inject("pod-route-missing")
    cut = {"to the cut off", "from a node to the cut off", "from the cut off"}
    assert {way for way, open_ in ways().items() if not open_} == cut
    user.heal("pod-route-missing")
    assert ways() == healthy


def test_the_nsg_rule_closes_high_ports_of_one_node_to_other_machines(broken: User) -> None:
    user = broken
    first, _, last = user.nodes()
    create_host_server(user, "server", last)
    user.create_reflector("web", node=last)
    port = user.create_service("web", kind="NodePort").spec.ports[0].node_port
    user.create_pod("client", node=first)
    user.create_pod("neighbour", node=last)
    user.ready("server", "web", "client", "neighbour")
    node = user.node_ip(last)
    user.eventually(lambda: user.seen_by("client", node, port) != "", "the node port serves")

    def ways() -> dict[str, bool]:
        return {
            "from a pod elsewhere": connects(user, "client", node, HOST_PORT),
            "from the VM": user.at("host/vm", "nc", "-z", "-w", "1", node, str(HOST_PORT)).code
            == 0,
            "from the node's own pods": connects(user, "neighbour", node, HOST_PORT),
            "the node port": connects(user, "client", node, port),
            "kube-proxy": connects(user, "client", node, 10256),
            "pods on the node": connects(user, "client", user.pod_ip("web")),
        }

    healthy = dict.fromkeys(ways(), True)
    assert ways() == healthy
    user.inject("nsg-blocks-node-ports")
    assert {way for way, open_ in ways().items() if not open_} == {
        "from a pod elsewhere",
        "from the VM",
    }
    user.heal("nsg-blocks-node-ports")
    assert ways() == healthy


def test_a_node_that_drops_its_pods_still_reaches_them(broken: User) -> None:
    user = broken
    first, _, last = user.nodes()
    create_host_server(user, "server", last)
    user.create_reflector("web", node=last)
    user.create_pod("stranger", node=first)
    user.ready("server", "web", "stranger")
    node, pod = user.node_ip(last), user.pod_ip("web")

    def ways() -> dict[str, bool]:
        return {
            "from a pod to its node": connects(user, "web", node, HOST_PORT),
            "from the node to the pod": connects(user, "server", pod),
            "from a pod elsewhere": connects(user, "stranger", node, HOST_PORT),
            "from the pod to the world": connects(user, "web", INTERNET, 80),
        }

    healthy = dict.fromkeys(ways(), True)
    assert ways() == healthy
    user.inject("node-drops-pod-traffic")
    assert {way for way, open_ in ways().items() if not open_} == {"from a pod to its node"}
    user.heal("node-drops-pod-traffic")
    assert ways() == healthy


def test_a_changed_egress_address_is_what_the_internet_sees(broken: User) -> None:
    user = broken
    user.create_pod("pod", node=user.nodes()[1])
    user.create_pod("host", node=user.nodes()[2], hostNetwork=True)
    user.ready("pod", "host")

    def seen() -> set[str]:
        return {user.seen_by(name, INTERNET, 80) for name in ("pod", "host")}

    assert seen() == {"198.51.100.1"}
    user.inject("egress-address-changed")
    assert seen() == {"198.51.100.2"}
    user.heal("egress-address-changed")
    assert seen() == {"198.51.100.1"}


def test_dead_health_check_ports_are_dead_on_one_node_only(broken: User) -> None:
    user = broken
    first, _, last = user.nodes()
    user.create_reflector("web", node=last)
    service = user.create_service("web", kind="LoadBalancer", externalTrafficPolicy="Local")
    port = service.spec.health_check_node_port
    user.ready("web")

    def status(node: str) -> str:
        """What the VM is answered; 000 where nothing answers."""
        url = f"http://{user.node_ip(node)}:{port}/healthz"
        argv = ("curl", "-s", "-m", "2", "-o", "/dev/null", "-w", "%{http_code}", url)
        return user.at("host/vm", *argv).stdout

    user.eventually(lambda: (status(first), status(last)) == ("503", "200"), "both answer")
    user.inject("health-check-port-dead")
    assert (status(first), status(last)) == ("503", "000")
    user.heal("health-check-port-dead")
    assert (status(first), status(last)) == ("503", "200")


def test_pods_of_one_node_receive_slowly_and_so_do_new_ones(broken: User) -> None:
    user = broken
    first, _, last = user.nodes()
    serve = ["iperf3", "-s"]
    user.create_pod("before", node=last, command=serve)
    user.create_pod("host", node=last, command=serve, hostNetwork=True)
    user.create_pod("sender", node=first)
    user.ready("before", "host", "sender")

    def gbps(pod: str) -> float:
        ran = user.run("sender", "iperf3", "-c", user.pod_ip(pod), "-t", "1", "-J")
        return float(json.loads(ran.stdout)["end"]["sum_received"]["bits_per_second"]) / 1e9

    assert gbps("before") > 1
    user.inject("pod-bandwidth-capped")
    user.create_pod("after", node=last, command=serve)
    user.ready("after")
    assert gbps("before") < 0.6
    assert gbps("after") < 0.6
    assert gbps("host") > 1
    user.heal("pod-bandwidth-capped")
    assert gbps("before") > 1
    assert gbps("after") > 1


def test_a_node_that_loses_long_packets_passes_short_ones(broken: User) -> None:
    user = broken
    first, _, last = user.nodes()
    user.create_pod("neighbour", node=last)
    user.create_pod("pod", node=last)
    user.create_pod("stranger", node=first)
    user.ready("neighbour", "pod", "stranger")
    ip = user.pod_ip("pod")

    def passes(source: str, length: int) -> bool:
        echo = ("ping", "-c1", "-W1", "-Mdo", f"-s{length - 28}", ip)
        return user.run(source, *echo).code == 0

    def ways() -> list[bool]:
        return [passes("stranger", 1400), passes("stranger", 1500), passes("neighbour", 1500)]

    assert ways() == [True, True, True]
    user.inject("long-packets-lost")
    assert ways() == [True, False, True]
    user.heal("long-packets-lost")
    assert ways() == [True, True, True]
