"""What each kind of cluster proves about its network, and what it does not."""

from typing import Any

import pytest

from pytest_aksnet.cluster.connect import Cluster
from pytest_aksnet.cluster.evidence import (
    CILIUM_CONFIG,
    COREDNS_CONFIG,
    KUBE_PROXY_CONFIG,
    MASQ_CONFIG,
    Evidence,
)
from pytest_aksnet.cluster.facts import profile_of, read_profile
from pytest_aksnet.model.errors import FactUnknown, SettingsError
from pytest_aksnet.model.profile import FACTS, Elsewhere
from tests.unit.cluster.scripted_api import Json, Request, ScriptedApi, status

AZURE = "azure:///subscriptions/s/resourceGroups/mc_rg/providers/Microsoft.Compute/x"
AKS = {"kubernetes.azure.com/cluster": "MC_rg_c_westeurope"}
OVERLAY = {**AKS, "kubernetes.azure.com/podnetwork-type": "overlay"}


def node(name: str, ip: str, *, labels: dict[str, str] = AKS, **spec: Any) -> Json:
    return {
        "metadata": {"name": name, "labels": labels},
        "spec": {"providerID": AZURE, **spec},
        "status": {"addresses": [{"type": "InternalIP", "address": ip}]},
    }


def daemon_set(name: str, namespace: str = "kube-system", command: tuple[str, ...] = ()) -> Json:
    container = {"name": name, "command": list(command)}
    return {
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"template": {"spec": {"containers": [container]}}},
    }


def masquerade(*ranges: str, key: str = "nonMasqueradeCIDRs") -> dict[str, dict[str, str]]:
    listed = "".join(f"\n  - {cidr}" for cidr in ranges)
    return {MASQ_CONFIG: {"ip-masq-agent-reconciled": f"{key}:{listed}\nmasqLinkLocal: true\n"}}


NODES = (node("n1", "10.224.0.4"), node("n2", "10.224.0.5"))
PROXY = daemon_set("kube-proxy", command=("kube-proxy", "--v=3"))
AGENT, CNS = daemon_set("azure-ip-masq-agent"), daemon_set("azure-cns")


def evidence(**parts: Any) -> Evidence:
    return Evidence(**{"version": "v1.34.2", "nodes": NODES, **parts})


def test_an_overlay_cluster_is_known_by_its_label_and_its_masquerade_ranges() -> None:
    profile = profile_of(
        evidence(
            nodes=(node("n1", "10.224.0.4", labels=OVERLAY),),
            daemon_sets=(PROXY, AGENT, CNS, daemon_set("calico-node", "calico-system")),
            config_maps={
                **masquerade("10.244.0.0/16"),
                COREDNS_CONFIG: {
                    "Corefile": ".:53 {\n errors\n kubernetes cluster.local in-addr.arpa {\n }\n}"
                },
            },
            pod_ips=("10.244.1.9",),
            dns_service={"spec": {"clusterIP": "10.0.0.10"}},
            service_cidrs=("10.0.0.0/16",),
        ),
        {},
    )
    assert {name: fact.value for name, fact in profile.facts.items()} == {
        "mode": "overlay",
        "policy-engine": "calico",
        "pod-cidrs": "10.244.0.0/16",
        "service-cidrs": "10.0.0.0/16",
        "cluster-domain": "cluster.local",
        "dns-service-ip": "10.0.0.10",
        "kube-proxy-mode": "iptables",
        "kubernetes-version": "v1.34.2",
        "cloud": "azure",
        "data-plane": "azure",
        "ebpf-host-routing": "no",
        "local-dns": "off",
        "ip-families": "ipv4",
    }
    assert {"node-cidrs", "vnet-cidrs", "egress-ips"} < set(profile.unknown)
    assert set(profile.facts) | set(profile.unknown) == set(FACTS)
    mode = profile.facts["mode"]
    assert "podnetwork-type=overlay of node n1" in mode.source
    assert mode.conflicts == ()
    assert profile.facts["policy-engine"].source == "DaemonSet calico-system/calico-node"


@pytest.mark.parametrize("key", ["nonMasqueradeCIDRs", "NonMasqueradeCIDRs"])
def test_a_node_subnet_cluster_is_known_by_the_whole_vnet_being_listed(key: str) -> None:
    profile = profile_of(
        evidence(
            daemon_sets=(PROXY, AGENT),
            config_maps=masquerade("10.224.0.0/12", "192.168.0.0/24", key=key),
            pod_ips=("10.224.0.33",),
        ),
        {},
    )
    assert profile.get("mode") == "node-subnet"
    assert profile.get("vnet-cidrs") == "10.224.0.0/12,192.168.0.0/24"
    assert profile.get("pod-cidrs") == "10.224.0.0/12,192.168.0.0/24"
    assert profile.get("policy-engine") == "none"


@pytest.mark.parametrize(
    ("daemon_sets", "nodes", "config_maps", "mode"),
    [
        ((PROXY, AGENT, CNS), NODES, masquerade("10.244.0.0/16"), "overlay"),
        (
            (PROXY, AGENT),
            (node("n1", "10.224.0.4", podCIDR="10.244.0.0/24"),),
            masquerade("10.244.0.0/16"),
            "kubenet",
        ),
        ((PROXY, AGENT), (node("n1", "10.224.0.4", podCIDR="10.244.0.0/24"),), {}, "kubenet"),
        (
            # A list that was widened by hand says nothing of where addresses come from.
            (PROXY, AGENT),
            (node("n1", "10.224.0.4", podCIDRs=["10.244.0.0/24"]),),
            masquerade("0.0.0.0/0"),
            "kubenet",
        ),
        ((PROXY,), (node("n1", "10.224.0.4", podCIDR="10.244.0.0/24"),), {}, "byo"),
        ((PROXY, CNS), NODES, {}, "pod-subnet"),
        ((PROXY,), NODES, {}, "byo"),
        (
            (PROXY, AGENT),
            (
                node(
                    "n1",
                    "10.224.0.4",
                    labels={**AKS, "kubernetes.azure.com/podnetwork-type": "vnetblock"},
                ),
            ),
            {},
            "pod-subnet",
        ),
        ((PROXY, AGENT), NODES, {}, None),
        ((PROXY, AGENT), NODES, masquerade("10.224.0.4/32"), None),
    ],
)
def test_the_mode_follows_from_what_runs(
    daemon_sets: tuple[Json, ...],
    nodes: tuple[Json, ...],
    config_maps: dict[str, dict[str, str]],
    mode: str | None,
) -> None:
    profile = profile_of(
        evidence(daemon_sets=daemon_sets, nodes=nodes, config_maps=config_maps), {}
    )
    assert profile.get("mode") == mode


def test_sources_that_disagree_are_kept() -> None:
    profile = profile_of(
        evidence(
            nodes=(node("n1", "10.224.0.4", labels=OVERLAY),),
            daemon_sets=(PROXY, AGENT, CNS),
            config_maps=masquerade("10.224.0.0/12"),
            pod_ips=("10.244.0.7",),
        ),
        {},
    )
    mode = profile.facts["mode"]
    assert mode.value == "overlay"
    [conflict] = mode.conflicts
    assert conflict.endswith("says node-subnet")
    assert "10.244.0.7" in profile.facts["pod-cidrs"].conflicts[0]


def test_a_cluster_that_is_not_aks_leaves_unknown_what_only_aks_has() -> None:
    plain = {
        "metadata": {"name": "kind", "labels": {}},
        "spec": {"providerID": "kind://docker/kind/kind", "podCIDRs": ["10.1.0.0/24"]},
        "status": {"addresses": [{"type": "InternalIP", "address": "172.18.0.2"}]},
    }
    other = {**plain, "spec": {"podCIDRs": ["10.1.1.0/24"]}, "metadata": {"name": "kind2"}}
    profile = profile_of(evidence(nodes=(plain, other), daemon_sets=(PROXY,)), {})
    assert profile.get("cloud") == "other"
    assert profile.get("pod-cidrs") == "10.1.0.0/23"
    assert profile.get("mode") is None
    assert profile.get("policy-engine") is None
    with pytest.raises(FactUnknown, match=r"only AKS has it.*--aksnet-profile mode=VALUE"):
        profile.need("mode")


@pytest.mark.parametrize(
    ("daemon_sets", "config_maps", "engine"),
    [
        ([("cilium", "kube-system")], {}, "cilium"),
        ([("cilium", "kube-system")], {CILIUM_CONFIG: {"enable-policy": "never"}}, "none"),
        ([("azure-npm", "kube-system")], {}, "azure"),
        ([("kube-network-policies", "kube-system")], {}, "other"),
        ([("calico-node", "kube-system")], {}, "calico"),
        ([("my-own", "kube-system")], {}, "none"),
    ],
)
def test_the_policy_engine_is_the_daemon_set_that_runs(
    daemon_sets: list[tuple[str, str]], config_maps: dict[str, dict[str, str]], engine: str
) -> None:
    sets = tuple(daemon_set(name, namespace) for name, namespace in daemon_sets)
    profile = profile_of(evidence(daemon_sets=sets, config_maps=config_maps), {})
    assert profile.get("policy-engine") == engine


def kube_proxy_config(mode: str) -> dict[str, dict[str, str]]:
    text = f'kind: KubeProxyConfiguration\nclusterCIDR: 10.1.0.0/16\nmode: "{mode}"\n'
    return {KUBE_PROXY_CONFIG: {"config.conf": text, "kubeconfig.conf": "a: [1"}}


WITH_FILE = daemon_set("kube-proxy", command=("kube-proxy", "--config=/x"))


@pytest.mark.parametrize(
    ("daemon_sets", "config_maps", "mode"),
    [
        ((PROXY,), {}, "iptables"),
        ((daemon_set("kube-proxy", command=("kube-proxy", "--proxy-mode=ipvs")),), {}, "ipvs"),
        ((WITH_FILE,), kube_proxy_config("nftables"), "nftables"),
        ((WITH_FILE,), kube_proxy_config(""), "iptables"),
        ((WITH_FILE,), {}, None),
        ((daemon_set("cilium"),), {CILIUM_CONFIG: {"kube-proxy-replacement": "true"}}, "none"),
        ((daemon_set("cilium"),), {}, "none"),
        ((), {}, None),
    ],
)
def test_the_service_proxy_is_read_from_its_arguments_or_its_file(
    daemon_sets: tuple[Json, ...], config_maps: dict[str, dict[str, str]], mode: str | None
) -> None:
    profile = profile_of(evidence(daemon_sets=daemon_sets, config_maps=config_maps), {})
    assert profile.get("kube-proxy-mode") == mode


def test_what_may_not_be_read_says_so() -> None:
    missing = {"daemonsets": "it may not be read", "servicecidrs": "the cluster has none"}
    profile = profile_of(evidence(missing=missing), {})
    assert "it may not be read" in profile.unknown["mode"]
    assert "it may not be read" in profile.unknown["policy-engine"]
    assert "it may not be read" in profile.unknown["kube-proxy-mode"]
    assert "the cluster has none" in profile.unknown["service-cidrs"]


def test_overrides_win_and_keep_what_was_seen_as_conflict() -> None:
    profile = profile_of(
        evidence(dns_service={"spec": {"clusterIP": "10.0.0.10"}}),
        {"dns-service-ip": "10.0.0.53", "egress-ips": "198.51.100.1, 198.51.100.2"},
    )
    assert profile.get("egress-ips") == "198.51.100.1,198.51.100.2"
    fact = profile.facts["dns-service-ip"]
    assert (fact.value, fact.source) == ("10.0.0.53", "--aksnet-profile")
    assert fact.conflicts == ("Service kube-system/kube-dns says 10.0.0.10",)


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("colour", "red", "unknown fact 'colour'; known are mode, "),
        ("mode", "overlai", "choose one of overlay, node-subnet"),
        ("pod-cidrs", "10.1.2.3/8", "has host bits set; give address ranges"),
        ("egress-ips", "1.2.3", "give addresses"),
    ],
)
def test_an_override_that_cannot_be_is_refused(name: str, value: str, words: str) -> None:
    with pytest.raises(SettingsError) as error:
        profile_of(evidence(), {name: value})
    assert words in str(error.value)
    assert f"--aksnet-profile {name}={value}" in str(error.value)


def test_facts_are_read_with_few_rights(api: ScriptedApi, cluster: Cluster) -> None:
    api.answer("GET", "/api/v1/nodes", (200, {"metadata": {}, "items": list(NODES)}))
    forbidden = status(403, "Forbidden", "no")
    for path in ("/apis/apps/v1/daemonsets", "/api/v1/namespaces/kube-system/pods"):
        api.answer("GET", path, forbidden)
    profile = read_profile(cluster, {})
    assert profile.get("cloud") == "azure"
    assert "it may not be read" in profile.unknown["mode"]
    assert {r.method for r in api.requests} == {"GET"}


def test_facts_come_from_the_cluster(api: ScriptedApi, cluster: Cluster) -> None:
    def listed(*items: Json) -> Any:
        return lambda request: (200, {"metadata": {}, "items": list(items)})

    def config_map(name: str, data: dict[str, str]) -> Any:
        def route(request: Request) -> tuple[int, Json]:
            return 200, {"metadata": {"name": name}, "data": data}

        return route

    system = "/api/v1/namespaces/kube-system"
    own = {"spec": {"hostNetwork": True}, "status": {"podIPs": [{"ip": "10.224.0.4"}]}}
    pod = {"spec": {}, "status": {"podIPs": [{"ip": "10.244.0.2"}]}}
    masq = masquerade("10.244.0.0/16")[MASQ_CONFIG]
    for path, route in {
        "/api/v1/nodes": listed(*NODES),
        "/apis/apps/v1/daemonsets": listed(PROXY, AGENT, CNS),
        f"{system}/pods": listed(own, pod),
        "/apis/networking.k8s.io/v1/servicecidrs": listed({"spec": {"cidrs": ["10.0.0.0/16"]}}),
        f"{system}/configmaps/{MASQ_CONFIG}": config_map(MASQ_CONFIG, masq),
        f"{system}/services/kube-dns": lambda request: (200, {"spec": {"clusterIP": "10.0.0.10"}}),
    }.items():
        api.routes["GET", path] = route
    profile = read_profile(cluster, {"vnet-cidrs": "10.224.0.0/12"})
    assert profile.get("mode") == "overlay"
    assert profile.get("service-cidrs") == "10.0.0.0/16"
    assert profile.get("dns-service-ip") == "10.0.0.10"
    assert profile.get("vnet-cidrs") == "10.224.0.0/12"
    assert profile.facts["pod-cidrs"].conflicts == ()
    assert "the cluster has none" in profile.unknown["cluster-domain"]


def labelled(name: str, **labels: str) -> Json:
    marks = {
        f"kubernetes.azure.com/{key.replace('_', '-')}": value for key, value in labels.items()
    }
    return node(name, "10.224.0.4", labels={**AKS, **marks})


def test_labels_tell_of_the_data_plane_and_of_local_dns() -> None:
    one = labelled(
        "n1", ebpf_dataplane="cilium", ebpf_host_routing="true", localdns_state="enabled"
    )
    profile = profile_of(
        evidence(nodes=(one, labelled("n2")), daemon_sets=(daemon_set("cilium"),)), {}
    )
    assert profile.get("data-plane") == "cilium"
    assert profile.get("ebpf-host-routing") == "yes"
    assert profile.get("local-dns") == "some"
    assert "node n1" in profile.facts["local-dns"].source
    assert profile_of(evidence(nodes=(one,)), {}).get("local-dns") == "on"


def test_pools_have_the_least_of_their_nodes_pods() -> None:
    def with_pods(name: str, pool: str, pods: str) -> Json:
        found = labelled(name, agentpool=pool)
        found["status"]["capacity"] = {"pods": pods}
        return found

    nodes = (with_pods("a", "user", "110"), with_pods("b", "user", "30"), with_pods("c", "", "9"))
    profile = profile_of(evidence(nodes=nodes), {})
    assert profile.numbers("max-pods") == {"nodes": 9, "user": 30}
    given = profile_of(evidence(nodes=nodes), {"max-pods": "user=50, system=30"})
    assert given.numbers("max-pods") == {"user": 50, "system": 30}
    with pytest.raises(SettingsError, match="POOL=NUMBER"):
        profile_of(evidence(), {"max-pods": "50"})


@pytest.mark.parametrize(
    ("host", "value", "why"),
    [
        ("c-1.4f0e.privatelink.westeurope.azmk8s.io", "private", ""),
        ("c-1.private.westeurope.azmk8s.io", "private", ""),
        ("c-1.hcp.westeurope.azmk8s.io", None, "only ARM knows"),
        ("127.0.0.1", None, "no name of AKS"),
    ],
)
def test_a_private_zone_in_the_kubeconfig_is_a_private_api_server(
    host: str, value: str | None, why: str
) -> None:
    profile = profile_of(evidence(server_host=host), {})
    assert profile.get("api-server") == value
    assert why in profile.unknown.get("api-server", "")


def test_families_are_those_of_services_and_pods() -> None:
    both = ("10.0.0.0/16", "fd00::/108")
    profile = profile_of(evidence(service_cidrs=both, pod_ips=("10.244.0.4", "fd01::4")), {})
    assert profile.get("ip-families") == "ipv4,ipv6"
    assert profile.facts["ip-families"].conflicts == ()


def test_what_is_said_elsewhere_comes_after_the_cluster_and_shows_as_conflict() -> None:
    elsewhere = Elsewhere(
        facts={
            "pod-cidrs": [("10.99.0.0/16", "ARM")],
            "node-cidrs": [("10.224.0.0/16", "ARM"), ("10.225.0.0/16", "the site file")],
        },
        no_azure="no credentials",
    )
    profile = profile_of(
        evidence(daemon_sets=(PROXY, AGENT, CNS), config_maps=masquerade("10.244.0.0/16")),
        {},
        elsewhere,
    )
    assert profile.get("pod-cidrs") == "10.244.0.0/16"
    assert profile.facts["pod-cidrs"].conflicts == ("ARM says 10.99.0.0/16",)
    assert profile.get("node-cidrs") == "10.224.0.0/16"
    assert profile.facts["node-cidrs"].conflicts == ("the site file says 10.225.0.0/16",)
    assert "no credentials" in profile.unknown["outbound-type"]
