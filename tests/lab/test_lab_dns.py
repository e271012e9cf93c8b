"""DNS of a lab with all of it: LocalDNS, DNS servers of the VNet's own, both address families."""

import ipaddress
import secrets
from collections.abc import Iterator
from typing import Any

import pytest

from pytest_aksnet.lab.layout import make_spec
from pytest_aksnet.lab.options import lab_options, parse_setting
from tests.lab.running_lab import RunningLab, start_lab
from tests.lab.user import User

SETTINGS = ("local-dns=true", "custom-dns=true", "dual-stack=true")
SPEC = make_spec(lab_options(dict(map(parse_setting, SETTINGS))))
API = "kubernetes.default.svc.cluster.local"
COREDNS = ("coredns", "kube-system")
RESTARTED = "kubectl.kubernetes.io/restartedAt"
NODE_SUFFIX = "ax.internal.cloudapp.net"


@pytest.fixture(scope="module")
def full_lab() -> Iterator[RunningLab]:
    lab = start_lab(settings=SETTINGS)
    yield lab
    lab.end()


@pytest.fixture
def user(full_lab: RunningLab) -> Iterator[User]:
    with User(full_lab) as user:
        yield user


def dig(user: User, *arguments: str) -> list[str]:
    """The lines that dig +short gives in pod p."""
    return user.run("p", "dig", "+short", *arguments).stdout.split()


def ips(user: User, pod: str) -> list[str]:
    return [one.ip for one in user.pod(pod).status.pod_ips]


def service(user: User, name: str, **spec: Any) -> Any:
    """A Service of pods with label app=p, read back once it has endpoints of every family."""
    user.create_service(name, selector="p", **spec)
    made = user.core.read_namespaced_service(name, user.namespace).spec
    families = set(made.ip_families)

    def complete() -> bool:
        slices = user.discovery.list_namespaced_endpoint_slice(
            user.namespace, label_selector=f"kubernetes.io/service-name={name}"
        ).items
        return {one.address_type for one in slices if one.endpoints} == families

    user.eventually(complete, f"{name} has endpoints of {families}")
    return made


def test_resolv_conf_follows_dns_policy_and_config(user: User) -> None:
    search = f"{user.namespace}.svc.cluster.local svc.cluster.local cluster.local"
    config = {"nameservers": ["10.225.0.10"], "options": [{"name": "timeout", "value": "1"}]}
    first = user.nodes()[0]
    user.create_pod("cluster-first", node=first)
    user.create_pod("default", node=first, dnsPolicy="Default")
    user.create_pod("none", node=first, dnsPolicy="None", dnsConfig=config)
    user.create_pod("host", node=first, hostNetwork=True)
    with_host = "ClusterFirstWithHostNet"
    user.create_pod("host-cluster", node=first, hostNetwork=True, dnsPolicy=with_host)
    expected = {
        "cluster-first": (f"search {search} ", "nameserver 169.254.10.11\noptions ndots:5\n"),
        "default": ("search qm1", f"{NODE_SUFFIX}\nnameserver 169.254.10.10\n"),
        "none": ("", "nameserver 10.225.0.10\noptions timeout:1\n"),
        "host": ("search qm1", f"{NODE_SUFFIX}\nnameserver 169.254.10.10\n"),
        "host-cluster": (f"search {search} ", "nameserver 169.254.10.11\noptions ndots:5\n"),
    }
    user.ready(*expected)
    for name, (start, end) in expected.items():
        text = user.run(name, "cat", "/etc/resolv.conf").stdout
        assert text.startswith(start), name
        assert text.endswith(end), name
        wanted = "www.example.com" if name == "none" else API
        assert user.run(name, "dig", "+short", wanted).stdout.strip(), name


def test_services_of_both_families_resolve_in_each(user: User) -> None:
    user.create_pod("p", labels={"app": "p"}, hostname="one", subdomain="group")
    user.ready("p")
    both = service(user, "both", ipFamilyPolicy="PreferDualStack")
    name = f"both.{user.namespace}.svc.cluster.local"
    assert dig(user, name) + dig(user, name, "AAAA") == both.cluster_ips
    for address in both.cluster_ips:
        assert dig(user, "-x", address) == [f"{name}."]
    assert [ipaddress.ip_address(one).version for one in both.cluster_ips] == [4, 6]
    service(user, "group", clusterIP="None", ipFamilyPolicy="RequireDualStack")
    for group in ("group", "one.group"):
        name = f"{group}.{user.namespace}.svc.cluster.local"
        assert dig(user, name) + dig(user, name, "AAAA") == ips(user, "p")
    assert dig(user, "-x", ips(user, "p")[1]) == [f"{name}."]
    seen = {
        line.split()[0]
        for line in user.run("p", "getent", "ahosts", "both").stdout.split("\n")
        if line
    }
    assert seen == set(both.cluster_ips)


def test_replicas_of_coredns_listen_on_both_families(user: User) -> None:
    user.create_pod("p")
    user.ready("p")
    pods = user.core.list_namespaced_pod("kube-system", label_selector="k8s-app=kube-dns").items
    for address in (one.ip for pod in pods for one in pod.status.pod_ips):
        assert dig(user, f"@{address}", API) == ["10.0.0.1"]
        assert dig(user, "+tcp", f"@{address}", "www.example.com", "AAAA") == ["2001:db8:80::80"]


def test_a_service_of_ipv6_alone_has_a_load_balancer_address_of_it(user: User) -> None:
    user.create_pod("p", labels={"app": "p"})
    user.ready("p")
    service(user, "public", kind="LoadBalancer", ipFamilies=["IPv6"])
    service(user, "both", kind="LoadBalancer", ipFamilyPolicy="RequireDualStack")

    def addresses(name: str) -> list[int]:
        found = user.core.read_namespaced_service(name, user.namespace).status.load_balancer
        return [ipaddress.ip_address(one.ip).version for one in found.ingress or []]

    user.eventually(lambda: addresses("public") == [6], "an IPv6 address")
    user.eventually(lambda: addresses("both") == [4, 6], "an address of each family")
    name = f"public.{user.namespace}.svc.cluster.local"
    assert (len(dig(user, name)), len(dig(user, name, "AAAA"))) == (0, 1)


def test_localdns_answers_on_both_addresses_and_counts(user: User) -> None:
    node = user.nodes()[0]
    user.create_pod("p", node=node)
    user.ready("p")
    for address in ("169.254.10.10", "169.254.10.11"):
        for transport in ("+notcp", "+tcp"):
            assert dig(user, transport, f"@{address}", API) == ["10.0.0.1"]
            assert dig(user, transport, f"@{address}", "www.example.com") == ["203.0.113.80"]
    shown = user.core.read_node(node).metadata.labels
    assert shown["kubernetes.azure.com/localdns-state"] == "enabled"
    said = user.run("p", "curl", "-s", f"http://{user.node_ip(node)}:9253/metrics").stdout
    counted = [line for line in said.splitlines() if line.startswith("coredns_cache_hits_total{")]
    assert len(counted) == 4
    assert sum(int(line.rsplit(" ", 1)[1]) for line in counted) >= 4
    rules = user.at(f"node/{node}", "nft", "list", "table", "ip", "localdns").stdout
    assert rules.count("notrack") == 4


def test_private_names_follow_the_links_of_the_network_that_asks(user: User) -> None:
    endpoint = SPEC.private_endpoints[0]
    user.create_pod("p")
    user.ready("p")
    assert dig(user, endpoint.fqdn)[-1] == endpoint.ip
    elsewhere = user.at("host/peered-vm", "dig", "+short", f"@{SPEC.azure_dns_ip}", endpoint.fqdn)
    assert elsewhere.stdout.split()[-1] == endpoint.public_ip


def test_a_custom_corefile_holds_after_a_restart_and_a_wrong_one_keeps_replicas_down(
    user: User,
) -> None:
    user.create_pod("p")
    user.ready("p")
    block = "corp.example:53 {\n  hosts {\n    10.1.2.3 a.corp.example b.corp.example\n  }\n}\n"
    set_custom(user, {"corp.server": block})
    assert dig(user, "a.corp.example") == []
    restart_coredns(user)
    user.eventually(lambda: coredns_rolled_out(user), "the replicas are new")
    assert dig(user, "b.corp.example") == ["10.1.2.3"]
    set_custom(user, {"corp.server": None, "bad.override": "nonsense on\n"})
    restart_coredns(user)
    user.eventually(lambda: "CrashLoopBackOff" in coredns_reasons(user), "the replicas give up")
    assert dig(user, API) == ["10.0.0.1"], "a rollout leaves a replica of before"
    set_custom(user, {"bad.override": None})
    restart_coredns(user)
    user.eventually(lambda: coredns_rolled_out(user), "the replicas are new")


def set_custom(user: User, data: dict[str, str | None]) -> None:
    user.core.patch_namespaced_config_map("coredns-custom", "kube-system", {"data": data})


def restart_coredns(user: User) -> None:
    """As `kubectl rollout restart`."""
    template = {"metadata": {"annotations": {RESTARTED: secrets.token_hex(4)}}}
    user.apps.patch_namespaced_deployment(*COREDNS, {"spec": {"template": template}})


def coredns_rolled_out(user: User) -> bool:
    found = user.apps.read_namespaced_deployment(*COREDNS)
    status, wanted = found.status, found.spec.replicas
    if status.observed_generation != found.metadata.generation:
        return False
    pods = user.core.list_namespaced_pod("kube-system", label_selector="k8s-app=kube-dns").items
    return bool(len(pods) == wanted == status.updated_replicas == status.ready_replicas)


def coredns_reasons(user: User) -> set[str]:
    """Why containers of CoreDNS wait."""
    pods = user.core.list_namespaced_pod("kube-system", label_selector="k8s-app=kube-dns").items
    return {
        one.state.waiting.reason
        for pod in pods
        for one in pod.status.container_statuses or []
        if one.state.waiting
    }
