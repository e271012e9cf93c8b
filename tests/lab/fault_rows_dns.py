"""Rows of the faults of DNS."""

import secrets
from typing import Any

from pytest_aksnet.lab.faults.dns_of_node import WRONG_CLUSTER_DNS
from pytest_aksnet.lab.faults.dns_of_vnet import STALE_ADDRESS
from tests.lab.fault_rows import FaultRow, Look, Scene

_API = "kubernetes.default.svc.cluster.local"
_MANY = 100  # addresses: more than a datagram of 1232 bytes holds


def _outside_name() -> str:
    """A name outside the cluster that no cache knows; it does not exist."""
    return f"x{secrets.token_hex(4)}.example.com"


def _replicas(scene: Scene) -> list[str]:
    pods = scene.user.core.list_namespaced_pod("kube-system", label_selector="k8s-app=kube-dns")
    return [pod.status.pod_ip for pod in pods.items]


def _of_replicas(scene: Scene, name: str) -> list[str]:
    """What each replica answers, sorted."""
    pod = scene.pod(0)
    looks = [scene.dns(pod, name, server=ip, seconds=1) for ip in _replicas(scene)]
    return sorted(look.outcome for look in looks)


def _replicas_agree(scene: Scene) -> None:
    assert _of_replicas(scene, _API) == ["noerror", "noerror"]


def _one_replica_is_silent(scene: Scene) -> None:
    assert _of_replicas(scene, _API) == ["noerror", "timeout"]


def _one_replica_fails(scene: Scene) -> None:
    assert _of_replicas(scene, _API) == ["noerror", "servfail"]


def _one_replica_lost_the_cluster(scene: Scene) -> None:
    assert _of_replicas(scene, _API) == ["noerror", "nxdomain"]
    assert _of_replicas(scene, _outside_name()) == ["nxdomain", "nxdomain"]


def _answers_within_a_second(scene: Scene) -> None:
    assert scene.dns(scene.pod(0), _API, seconds=1).outcome == "noerror"


def _answers_later(scene: Scene) -> None:
    assert scene.dns(scene.pod(0), _API, seconds=1).outcome == "timeout"
    assert scene.dns(scene.pod(0), _API, seconds=8).outcome == "noerror"


def _all_names_are_answered(scene: Scene) -> None:
    assert scene.dns(scene.pod(0), _outside_name(), seconds=8).outcome == "nxdomain"
    assert scene.dns(scene.pod(0), _API).outcome == "noerror"


def _outside_names_fail(scene: Scene) -> None:
    assert scene.dns(scene.pod(0), _outside_name(), seconds=8).outcome == "servfail"
    assert scene.dns(scene.pod(0), _API).outcome == "noerror"


def _servers(scene: Scene) -> tuple[Look, Look]:
    """What both DNS servers of the VNet say of the private endpoint to a node."""
    fqdn = scene.spec.private_endpoints[0].fqdn
    first, second = (
        scene.dns(scene.node(0), fqdn, server=ip, seconds=1) for ip in scene.spec.vnet_dns_servers
    )
    return first, second


def _servers_agree(scene: Scene) -> None:
    address = scene.spec.private_endpoints[0].ip
    assert [look.text.split()[-1] for look in _servers(scene)] == [address, address]


def _servers_disagree(scene: Scene) -> None:
    assert [look.outcome for look in _servers(scene)] == ["noerror", "nxdomain"]


def _one_server_is_silent(scene: Scene) -> None:
    assert [look.outcome for look in _servers(scene)] == ["noerror", "timeout"]
    asked = scene.dns(scene.pod(0), _outside_name(), seconds=8)
    assert asked.outcome == "nxdomain", "CoreDNS does not go on to the other server"


def _private_address(scene: Scene) -> str:
    """What Azure DNS says of the private endpoint; the status where it has no address."""
    endpoint = scene.spec.private_endpoints[0]
    look = scene.dns(scene.node(0), endpoint.fqdn, server=scene.spec.azure_dns_ip)
    return look.text.split()[-1] if look.outcome == "noerror" else look.outcome


def _private_name_is_right(scene: Scene) -> None:
    address = _private_address(scene)
    assert address == scene.spec.private_endpoints[0].ip
    assert scene.tcp(scene.pod(0), address, 443).ok


def _private_name_is_stale(scene: Scene) -> None:
    assert _private_address(scene) == STALE_ADDRESS
    assert scene.tcp(scene.pod(0), STALE_ADDRESS, 443, seconds=1).outcome == "timeout"


def _private_name_is_missing(scene: Scene) -> None:
    assert _private_address(scene) == "nxdomain"


def _large_answers(scene: Scene) -> list[Look]:
    """What a pod far from all replicas gets for a name with more addresses than fit a datagram."""
    if not scene.user.core.list_namespaced_service(scene.user.namespace).items:
        _make_large_service(scene)
    name = f"large.{scene.user.namespace}.svc.cluster.local"
    pods = scene.user.core.list_namespaced_pod("kube-system", label_selector="k8s-app=kube-dns")
    near = {pod.spec.node_name for pod in pods.items}
    far = next(index for index, node in enumerate(scene.nodes) if node not in near)
    return scene.dnss(scene.pod(far), name, count=1, seconds=1)


def _make_large_service(scene: Scene) -> None:
    namespace = scene.user.namespace
    ports = [{"name": "http", "port": 80}]
    body = {"metadata": {"name": "large"}, "spec": {"clusterIP": "None", "ports": ports}}
    scene.user.core.create_namespaced_service(namespace, body)
    scene.user.discovery.create_namespaced_endpoint_slice(
        namespace,
        {
            "metadata": {"name": "large-1", "labels": {"kubernetes.io/service-name": "large"}},
            "addressType": "IPv4",
            "endpoints": [{"addresses": [f"192.0.2.{n}"]} for n in range(1, _MANY + 1)],
            "ports": ports,
        },
    )


def _large_answers_come(scene: Scene) -> None:
    looks = _large_answers(scene)
    assert {(look.outcome, len(look.text.split())) for look in looks} == {("noerror", _MANY)}


def _large_answers_are_lost(scene: Scene) -> None:
    assert {look.outcome for look in _large_answers(scene)} == {"timeout"}
    assert scene.dns(scene.pod(0), _API).outcome == "noerror"


def _new_pod(scene: Scene, node: int) -> str:
    """A pod that has just started on that node."""
    for name in scene.pod_names():
        if name.startswith("fresh"):
            scene.delete_pod(name)
    return scene.pod(node, f"fresh-{secrets.token_hex(3)}")


def _resolv_conf(scene: Scene, pod: str) -> str:
    return scene.run(pod, "cat", "/etc/resolv.conf").stdout


def _new_pods_resolve(scene: Scene) -> None:
    pod = _new_pod(scene, -1)
    text = _resolv_conf(scene, pod)
    assert f"nameserver {scene.spec.cluster_dns_ip}\n" in text
    assert "options ndots:5\n" in text
    assert scene.run(pod, "getent", "hosts", "kubernetes.default").code == 0


def _new_pods_ask_nobody(scene: Scene) -> None:
    pod = _new_pod(scene, -1)
    assert f"nameserver {WRONG_CLUSTER_DNS}\n" in _resolv_conf(scene, pod)
    assert scene.dns(pod, _API, seconds=1).outcome == "timeout"
    assert scene.dns(_new_pod(scene, 0), _API, seconds=1).outcome == "noerror"


def _new_pods_have_no_search_list(scene: Scene) -> None:
    pod = _new_pod(scene, -1)
    assert "search" not in _resolv_conf(scene, pod)
    assert scene.run(pod, "getent", "hosts", "kubernetes.default").code != 0
    assert scene.run(pod, "getent", "hosts", _API).code == 0


def _new_pods_try_names_as_they_are(scene: Scene) -> None:
    pod = _new_pod(scene, -1)
    assert "options ndots:1\n" in _resolv_conf(scene, pod)
    said = scene.run(pod, "dig", "+search", "+showsearch", "kubernetes.default").stdout
    first = said.partition(";; QUESTION SECTION:\n")[2]
    assert first.startswith(";kubernetes.default.\t"), said


def _node_cache_answers(scene: Scene) -> None:
    for place in (scene.pod(-1), scene.node(-1)):
        assert scene.dns(place, _API).outcome == "noerror"
        assert scene.dns(place, _API, transport="tcp").outcome == "noerror"


def _node_cache_refuses(scene: Scene) -> None:
    ours = (scene.spec.local_dns_cluster_ip, scene.spec.local_dns_vnet_ip)
    assert {scene.dns(scene.pod(-1), _API, server=ip).outcome for ip in ours} == {"refused"}
    assert scene.dns(scene.pod(0), _API).outcome == "noerror"
    direct = scene.dns(scene.pod(-1), _API, server=scene.spec.dns_service_ip)
    assert direct.outcome == "noerror"


def _both_families_carry(scene: Scene) -> None:
    name = "www.example.com"
    assert scene.dns(scene.pod(-1), name, "AAAA").text == "2001:db8:80::80"
    other, last = scene.pod(0), scene.pod(-1)
    assert scene.tcp(other, scene.ip6(last), seconds=1).ok
    assert scene.tcp(other, scene.ip(last), seconds=1).ok


def _ipv6_is_promised_only(scene: Scene) -> None:
    assert scene.dns(scene.pod(-1), "www.example.com", "AAAA").text == "2001:db8:80::80"
    other, last = scene.pod(0), scene.pod(-1)
    assert scene.tcp(other, scene.ip6(last), seconds=1).outcome == "timeout"
    assert scene.tcp(last, scene.ip6(other), seconds=1).outcome == "timeout"
    assert scene.tcp(other, scene.ip(last), seconds=1).ok


def _default_pod(scene: Scene) -> str:
    """What resolv.conf of a new pod of the last node with dnsPolicy Default says."""
    return _with_policy(scene, -1, {"dnsPolicy": "Default"})


def _with_policy(scene: Scene, node: int, spec: dict[str, Any]) -> str:
    """What resolv.conf of a new pod with these fields of its spec says."""
    for name in scene.pod_names():
        if name.startswith("fresh"):
            scene.delete_pod(name)
    return _resolv_conf(scene, scene.pod(node, f"fresh-{secrets.token_hex(3)}", **spec))


def _default_is_of_node(scene: Scene) -> None:
    assert f"nameserver {scene.spec.node_dns_servers[0]}\n" in _default_pod(scene)


def _default_is_a_stub(scene: Scene) -> None:
    assert "nameserver 127.0.0.53\n" in _default_pod(scene)


_CONFIG: dict[str, Any] = {
    "dnsPolicy": "None",
    "dnsConfig": {"nameservers": ["192.0.2.53"], "searches": ["aksnet.example"]},
}


def _config_is_written(scene: Scene) -> None:
    assert _with_policy(scene, 0, _CONFIG) == "search aksnet.example\nnameserver 192.0.2.53\n"


def _config_is_ignored(scene: Scene) -> None:
    assert f"nameserver {scene.spec.cluster_dns_ip}\n" in _with_policy(scene, 0, _CONFIG)


def _denial_ttl(scene: Scene) -> int:
    """How long a name of the cluster that does not exist may be kept for unknown (seconds)."""
    name = f"x{secrets.token_hex(4)}.default.svc.cluster.local"
    said = scene.run(scene.pod(0), "dig", "+noall", "+authority", name).stdout
    return int(said.split()[1])


def _denials_are_short(scene: Scene) -> None:
    assert _denial_ttl(scene) <= 30


def _denials_are_long(scene: Scene) -> None:
    assert _denial_ttl(scene) == 3600


def _new_service(scene: Scene) -> str:
    """How a Service that was made a moment ago resolves."""
    name = f"new-{secrets.token_hex(3)}"
    body = {"metadata": {"name": name}, "spec": {"ports": [{"port": 80}]}}
    scene.user.core.create_namespaced_service(scene.user.namespace, body)
    fqdn = f"{name}.{scene.user.namespace}.svc.cluster.local"
    outcome = scene.dns(scene.pod(0), fqdn).outcome
    scene.user.core.delete_namespaced_service(name, scene.user.namespace)
    return outcome


def _new_services_resolve(scene: Scene) -> None:
    assert _new_service(scene) == "noerror"


def _new_services_are_unknown(scene: Scene) -> None:
    assert _new_service(scene) == "nxdomain"
    assert scene.dns(scene.pod(0), _API).outcome == "noerror"


def _phases(scene: Scene) -> set[str]:
    pods = scene.user.core.list_namespaced_pod("kube-system", label_selector="k8s-app=kube-dns")
    return {pod.status.phase for pod in pods.items}


def _replicas_run(scene: Scene) -> None:
    assert _phases(scene) == {"Running"}


def _a_replica_is_pending(scene: Scene) -> None:
    assert _phases(scene) == {"Running", "Pending"}
    assert scene.dns(scene.pod(0), _API).outcome == "noerror"


def _custom_keys(scene: Scene) -> set[str]:
    found = scene.user.core.read_namespaced_config_map("coredns-custom", "kube-system")
    return set(found.data or {})


def _custom_is_empty(scene: Scene) -> None:
    assert _custom_keys(scene) == set()


def _custom_is_broken(scene: Scene) -> None:
    assert _custom_keys(scene) == {"corp.conf", "log.override"}
    assert scene.dns(scene.pod(0), _API).outcome == "noerror"


def _aaaa(scene: Scene) -> tuple[str, str]:
    pod = scene.pod(0)
    return scene.dns(pod, _API).outcome, scene.dns(pod, _API, "AAAA").outcome


def _aaaa_is_empty(scene: Scene) -> None:
    assert _aaaa(scene) == ("noerror", "noerror")


def _aaaa_is_denied(scene: Scene) -> None:
    assert _aaaa(scene) == ("noerror", "nxdomain")


def _stub_resolves(scene: Scene) -> None:
    own = next(host.ip for host in scene.spec.hosts if host.name == "on-prem")
    assert scene.dns(scene.pod(0), scene.spec.stub_host).text == own


def _stub_fails(scene: Scene) -> None:
    assert scene.dns(scene.pod(0), scene.spec.stub_host, seconds=8).outcome == "servfail"
    assert scene.dns(scene.pod(0), _outside_name()).outcome == "nxdomain"


_OWN_SERVERS = ("custom-dns=true",)

ROWS = (
    FaultRow(
        fault="dns-replica-silent",
        healthy=_replicas_agree,
        broken=_one_replica_is_silent,
    ),
    FaultRow(
        fault="dns-replica-servfail",
        healthy=_replicas_agree,
        broken=_one_replica_fails,
        slow=True,
    ),
    FaultRow(
        fault="dns-replica-lost-cluster-zone",
        healthy=_replicas_agree,
        broken=_one_replica_lost_the_cluster,
    ),
    FaultRow(
        fault="dns-slow=1.5",
        healthy=_answers_within_a_second,
        broken=_answers_later,
    ),
    FaultRow(
        fault="coredns-no-upstream",
        healthy=_all_names_are_answered,
        broken=_outside_names_fail,
    ),
    FaultRow(
        fault="custom-dns-split-brain",
        healthy=_servers_agree,
        broken=_servers_disagree,
        settings=_OWN_SERVERS,
    ),
    FaultRow(
        fault="custom-dns-down",
        healthy=_servers_agree,
        broken=_one_server_is_silent,
        settings=_OWN_SERVERS,
    ),
    FaultRow(
        fault="private-record-stale",
        healthy=_private_name_is_right,
        broken=_private_name_is_stale,
    ),
    FaultRow(
        fault="private-record-missing",
        healthy=_private_name_is_right,
        broken=_private_name_is_missing,
        slow=True,
    ),
    FaultRow(
        fault="dns-truncated-tcp-blocked",
        healthy=_large_answers_come,
        broken=_large_answers_are_lost,
    ),
    FaultRow(
        fault="dns-wrong-service-ip",
        healthy=_new_pods_resolve,
        broken=_new_pods_ask_nobody,
    ),
    FaultRow(
        fault="search-domain-broken",
        healthy=_new_pods_resolve,
        broken=_new_pods_have_no_search_list,
        slow=True,
    ),
    FaultRow(
        fault="ndots-one",
        healthy=_new_pods_resolve,
        broken=_new_pods_try_names_as_they_are,
        slow=True,
    ),
    FaultRow(
        fault="node-resolver-stub",
        healthy=_default_is_of_node,
        broken=_default_is_a_stub,
        slow=True,
    ),
    FaultRow(
        fault="dns-config-ignored",
        healthy=_config_is_written,
        broken=_config_is_ignored,
        slow=True,
    ),
    FaultRow(
        fault="dns-denials-kept",
        healthy=_denials_are_short,
        broken=_denials_are_long,
        slow=True,
    ),
    FaultRow(
        fault="coredns-view-stale",
        healthy=_new_services_resolve,
        broken=_new_services_are_unknown,
    ),
    FaultRow(
        fault="coredns-replica-pending",
        healthy=_replicas_run,
        broken=_a_replica_is_pending,
        slow=True,
    ),
    FaultRow(
        fault="coredns-custom-broken",
        healthy=_custom_is_empty,
        broken=_custom_is_broken,
        slow=True,
    ),
    FaultRow(
        fault="coredns-aaaa-denied",
        healthy=_aaaa_is_empty,
        broken=_aaaa_is_denied,
        slow=True,
    ),
    FaultRow(
        fault="stub-domain-moved",
        healthy=_stub_resolves,
        broken=_stub_fails,
        settings=_OWN_SERVERS,
        slow=True,
    ),
    FaultRow(
        fault="localdns-down",
        healthy=_node_cache_answers,
        broken=_node_cache_refuses,
        settings=("local-dns=true",),
    ),
    FaultRow(
        fault="ipv6-half-broken",
        healthy=_both_families_carry,
        broken=_ipv6_is_promised_only,
        settings=("dual-stack=true",),
        modes=("overlay", "kubenet"),
    ),
)
