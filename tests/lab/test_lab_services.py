"""Services of the lab, by packets from pods, nodes and the internet."""

import pytest

from tests.lab.user import REFLECT, User


@pytest.fixture
def web(user: User) -> User:
    """Two reflectors on two nodes behind one selector, and a client on the third node."""
    first, second, third = user.nodes()
    user.create_reflector("web-a", node=first, labels={"app": "web"})
    user.create_reflector("web-b", node=second, labels={"app": "web"})
    user.create_pod("client", node=third)
    user.ready("web-a", "web-b", "client")
    return user


def endpoints(user: User, service: str) -> set[str]:
    """The ready addresses in a Service's slices."""
    slices = user.discovery.list_namespaced_endpoint_slice(
        user.namespace, label_selector=f"kubernetes.io/service-name={service}"
    )
    return {
        address
        for item in slices.items
        for endpoint in item.endpoints or []
        if endpoint.conditions.ready
        for address in endpoint.addresses
    }


def await_endpoints(user: User, service: str, *pods: str) -> None:
    wanted = {user.pod_ip(pod) for pod in pods}
    user.eventually(lambda: endpoints(user, service) == wanted, f"endpoints {wanted}")


def test_a_service_is_reached_by_its_name_and_keeps_the_pods_address(web: User) -> None:
    web.create_service("web")
    await_endpoints(web, "web", "web-a", "web-b")
    assert web.seen_by("client", "web", 80) == web.pod_ip("client")


def test_endpoints_follow_readiness_and_deletion(web: User) -> None:
    web.create_service("web")
    await_endpoints(web, "web", "web-a", "web-b")
    web.core.delete_namespaced_pod("web-b", web.namespace)
    await_endpoints(web, "web", "web-a")
    legacy = web.core.read_namespaced_endpoints("web", web.namespace)
    assert [item.ip for item in legacy.subsets[0].addresses] == [web.pod_ip("web-a")]


def test_a_headless_service_resolves_to_its_pods(web: User) -> None:
    web.create_service("web", clusterIP="None")
    await_endpoints(web, "web", "web-a", "web-b")
    name = f"web.{web.namespace}.svc.cluster.local"
    answer = web.run("client", "dig", "+short", name).stdout.split()
    assert set(answer) == {web.pod_ip("web-a"), web.pod_ip("web-b")}


def test_an_external_name_is_a_cname(web: User) -> None:
    web.core.create_namespaced_service(
        web.namespace,
        {
            "metadata": {"name": "out"},
            "spec": {"type": "ExternalName", "externalName": "www.example.com"},
        },
    )
    name = f"out.{web.namespace}.svc.cluster.local"
    answer = web.run("client", "dig", "+short", name).stdout.split()
    assert answer == ["www.example.com.", "203.0.113.80"]


def test_a_node_port_answers_on_every_node(web: User) -> None:
    service = web.create_service("web", kind="NodePort")
    await_endpoints(web, "web", "web-a", "web-b")
    port = service.spec.ports[0].node_port
    for node in web.nodes():
        assert web.seen_by("client", web.node_ip(node), port) != ""


def test_a_load_balancer_serves_the_internet_and_local_keeps_its_clients_address(
    web: User,
) -> None:
    web.create_service("web", kind="LoadBalancer", externalTrafficPolicy="Local")

    def address() -> str:
        found = web.core.read_namespaced_service("web", web.namespace)
        ingress = found.status.load_balancer.ingress
        return ingress[0].ip if ingress else ""

    web.eventually(lambda: address() != "", "an address")
    await_endpoints(web, "web", "web-a", "web-b")
    url = f"http://{address()}/"
    web.eventually(
        lambda: web.at("host/runner", "curl", "-s", "-m", "2", url).stdout == "203.0.113.200\n",
        "the runner is seen with its own address",
    )


@pytest.mark.parametrize("wanted", ["PreferSameZone", "PreferSameNode"])
def test_a_traffic_distribution_becomes_hints_of_ready_endpoints(web: User, wanted: str) -> None:
    web.create_service("web", trafficDistribution=wanted)
    await_endpoints(web, "web", "web-a", "web-b")
    found = web.discovery.list_namespaced_endpoint_slice(web.namespace).items[0].endpoints
    assert [[zone.name for zone in one.hints.for_zones] for one in found] == [
        [one.zone] for one in found
    ]
    nodes = [[node.name for node in one.hints.for_nodes or ()] for one in found]
    assert nodes == [[one.node_name] if wanted == "PreferSameNode" else [] for one in found]


def test_a_pod_that_ends_serves_until_another_is_ready(user: User) -> None:
    first, _, third = user.nodes()
    probe = {"tcpSocket": {"port": 8080}, "periodSeconds": 1}
    stays = {"preStop": {"exec": {"command": ["sleep", "20"]}}}
    user.create_pod(
        "old",
        command=["python3", "-c", REFLECT],
        node=first,
        labels={"app": "web"},
        container={"readinessProbe": probe, "lifecycle": stays},
    )
    user.create_pod("client", node=third)
    user.create_service("web")
    user.ready("old", "client")
    await_endpoints(user, "web", "old")
    user.core.delete_namespaced_pod("old", user.namespace)
    user.eventually(lambda: endpoints(user, "web") == set(), "nobody is ready")
    assert user.seen_by("client", "web", 80) == user.pod_ip("client")
    user.create_reflector("new", node=third, labels={"app": "web"})
    user.ready("new")
    await_endpoints(user, "web", "new")
    user.core.delete_namespaced_pod("old", user.namespace, grace_period_seconds=0)
    user.eventually(lambda: user.seen_by("client", "web", 80) != "", "the new pod serves")


def test_a_service_without_endpoints_refuses(web: User) -> None:
    web.create_service("empty")
    web.eventually(
        lambda: web.run("client", "curl", "-s", "-m", "2", "http://empty/").code == 7,
        "connection refused",
    )


def test_a_pods_dns_record_follows_its_statefulset(user: User) -> None:
    user.create_service("db", clusterIP="None")
    labels = {"app": "db"}
    container = {"name": "main", "image": "netshoot:1", "command": ["sleep", "infinity"]}
    user.apps.create_namespaced_stateful_set(
        user.namespace,
        {
            "metadata": {"name": "db"},
            "spec": {
                "serviceName": "db",
                "replicas": 2,
                "selector": {"matchLabels": labels},
                "template": {
                    "metadata": {"labels": labels},
                    "spec": {"containers": [container]},
                },
            },
        },
    )
    user.eventually(
        lambda: (
            user.apps.read_namespaced_stateful_set("db", user.namespace).status.ready_replicas == 2
        ),
        "two replicas",
    )
    await_endpoints(user, "db", "db-0", "db-1")
    answer = user.run("db-0", "dig", "+short", "+search", "db-1.db").stdout.strip()
    assert answer == user.pod_ip("db-1")
