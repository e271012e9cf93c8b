"""kube-proxy's names and rules against what upstream's own tests and real nodes show."""

from dataclasses import replace

from pytest_aksnet.lab.layout import make_spec
from pytest_aksnet.lab.network.proxy import names
from pytest_aksnet.lab.network.proxy.iptables import iptables_rules
from pytest_aksnet.lab.network.proxy.nftables import nftables_program
from pytest_aksnet.lab.network.proxy.node import ProxyNode, proxy_node
from pytest_aksnet.lab.network.proxy.reachable import Place, reachable
from pytest_aksnet.lab.network.proxy.stale_flows import stale_udp_flows
from pytest_aksnet.lab.network_knobs import ProxyDefect
from pytest_aksnet.lab.network_views import EndpointView, ServicePortView
from pytest_aksnet.lab.options import LabOptions

NODE = proxy_node(make_spec(LabOptions()), make_spec(LabOptions()).nodes[0])
HERE, THERE = NODE.name, "elsewhere"


def _service(**changes: object) -> ServicePortView:
    plain = ServicePortView(
        namespace="ns1",
        service="svc1",
        port_name="p80",
        protocol="TCP",
        cluster_ip="10.0.0.41",
        port=80,
        node_port=0,
        load_balancer_ips=(),
        external_local=False,
        internal_local=False,
        affinity_seconds=0,
        health_check_node_port=0,
        source_ranges=(),
        endpoints=(EndpointView(ip="10.180.0.1", port=80, node=THERE),),
    )
    return replace(plain, **changes)  # type: ignore[arg-type]


def _nat(service: ServicePortView, node: ProxyNode = NODE) -> dict[str, list[str]]:
    return {chain: list(rules) for chain, rules in iptables_rules([service], node)["nat"].items()}


def test_chain_names_are_the_hashes_that_real_nodes_show() -> None:
    kubernetes = _service(namespace="default", service="kubernetes", port_name="https")
    dns = _service(namespace="kube-system", service="kube-dns", port_name="dns", protocol="UDP")
    assert names.iptables_chain("SVC", kubernetes) == "KUBE-SVC-NPX46M4PTMTKRN6Y"
    assert names.iptables_chain("SVC", dns) == "KUBE-SVC-TCOU7JCQXEZGVUNU"
    endpoint = EndpointView(ip="10.180.0.1", port=80)
    assert names.nftables_name(_service()) == "ULMVA6XW-ns1/svc1/tcp/p80"
    named = names.nftables_endpoint_name(_service(), endpoint)
    assert named == "5OJB2KTY-ns1/svc1/tcp/p80__10.180.0.1/80"


def test_three_endpoints_share_by_statistic() -> None:
    endpoints = tuple(EndpointView(ip=f"10.180.0.{n}", port=80) for n in (1, 2, 3))
    chains = _nat(_service(endpoints=endpoints))
    chain = chains[names.iptables_chain("SVC", _service())]
    assert chain[0] == (
        '! -s 10.244.0.0/16 -d 10.0.0.41/32 -p tcp -m comment --comment "ns1/svc1:p80 cluster IP" '
        "-m tcp --dport 80 -j KUBE-MARK-MASQ"
    )
    assert ["--probability 0.33333333349 " in chain[1], "0.50000000000 " in chain[2]] == [True] * 2
    assert "statistic" not in chain[3]
    assert chains["KUBE-SERVICES"][-1].endswith("--dst-type LOCAL -j KUBE-NODEPORTS")


def test_external_chain_short_circuits_pods_and_the_node_under_policy_local() -> None:
    service = _service(node_port=30080, external_local=True)
    chains = _nat(service)
    cluster = names.iptables_chain("SVC", service)
    external = names.iptables_chain("EXT", service)
    assert [rule.rpartition(" ")[2] for rule in chains[external]] == [
        cluster,
        "KUBE-MARK-MASQ",
        cluster,
    ]
    tables = iptables_rules([service], NODE)
    dropped = tables["filter"]["KUBE-EXTERNAL-SERVICES"]
    assert list(dropped) == [
        '-p tcp -m comment --comment "ns1/svc1:p80 has no local endpoints" '
        "-m addrtype --dst-type LOCAL -m tcp --dport 30080 -j DROP"
    ]
    here = replace(service, endpoints=(EndpointView(ip="10.180.0.1", port=80, node=HERE),))
    assert _nat(here)[external][-1] == f"-j {names.iptables_chain('SVL', service)}"


def test_source_ranges_have_a_firewall_chain() -> None:
    service = _service(
        node_port=30080, load_balancer_ips=("198.51.100.20",), source_ranges=("203.0.113.0/24",)
    )
    chains = _nat(service)
    firewall = names.iptables_chain("FW", service)
    external = names.iptables_chain("EXT", service)
    assert chains[firewall][0].startswith("-s 203.0.113.0/24 ")
    assert chains[firewall][0].endswith(f"-j {external}")
    tables = iptables_rules([service], NODE)
    assert next(iter(tables["filter"]["KUBE-PROXY-FIREWALL"])).endswith("-j DROP")
    everywhere = replace(service, source_ranges=("0.0.0.0/0",))
    assert _nat(everywhere)[firewall][0].startswith("-m comment")


def test_nobody_is_refused_and_nobody_here_is_dropped() -> None:
    empty = nftables_program([_service(endpoints=())], NODE).elements["no-endpoint-services"]
    assert empty == {'10.0.0.41 . tcp . 80 comment "ns1/svc1:p80"': "goto reject-chain"}
    local = nftables_program([_service(internal_local=True)], NODE)
    assert set(local.elements["no-endpoint-services"].values()) == {"drop"}


def test_nftables_rules_are_upstreams() -> None:
    program = nftables_program([_service(node_port=3003, affinity_seconds=10800)], NODE)
    name = "ULMVA6XW-ns1/svc1/tcp/p80"
    endpoint = "5OJB2KTY-ns1/svc1/tcp/p80__10.180.0.1/80"
    assert program.chains[f"external-{name}"].splitlines() == [
        "jump mark-for-masquerade",
        f"goto service-{name}",
    ]
    assert program.chains[f"service-{name}"].splitlines() == [
        "ip daddr 10.0.0.41 ip saddr != 10.244.0.0/16 jump mark-for-masquerade",
        f"ip saddr @affinity-{endpoint} goto endpoint-{endpoint}",
        f"numgen random mod 1 vmap {{ 0 : goto endpoint-{endpoint} }}",
    ]
    assert program.elements["service-nodeports"] == {"tcp . 3003": f"goto external-{name}"}


def test_terminating_endpoints_serve_only_while_nobody_is_ready() -> None:
    ready = EndpointView(ip="10.180.0.1", port=80, node=THERE)
    ending = EndpointView(ip="10.180.0.2", port=80, node=HERE)
    place = Place(node=HERE, zone="1")
    both = _service(endpoints=(ready,), draining=(ending,), node_port=30080, external_local=True)
    found = reachable(both, place)
    assert (found.cluster, found.local) == ((ready,), (ending,))
    assert reachable(replace(both, endpoints=()), place).cluster == (ending,)
    assert not reachable(replace(both, endpoints=(), draining=()), place).anywhere


def test_hints_are_followed_only_where_every_endpoint_has_them() -> None:
    near = EndpointView(ip="10.180.0.1", port=80, for_zones=("1",), for_nodes=(HERE,))
    far = EndpointView(ip="10.180.0.2", port=80, for_zones=("2",), for_nodes=(THERE,))
    plain = EndpointView(ip="10.180.0.3", port=80)
    place = Place(node=HERE, zone="1")
    assert reachable(_service(endpoints=(near, far)), place).cluster == (near,)
    assert reachable(_service(endpoints=(near, far, plain)), place).cluster == (near, far, plain)
    other = Place(node="third", zone="3")
    assert reachable(_service(endpoints=(near, far)), other).cluster == (near, far)
    same_zone = Place(node="third", zone="2")
    assert reachable(_service(endpoints=(near, far)), same_zone).cluster == (far,)


def test_defects_leave_out_what_they_are_about() -> None:
    broken = replace(NODE, defects=frozenset({ProxyDefect.NOT_HAIRPIN}))
    chain = names.iptables_endpoint_chain(_service(), _service().endpoints[0])
    assert len(_nat(_service())[chain]) == 2
    assert len(_nat(_service(), broken)[chain]) == 1
    everybody = replace(NODE, defects=frozenset({ProxyDefect.MASQUERADES_ALL}))
    assert _nat(_service(), everybody)[names.iptables_chain("SVC", _service())][0].startswith("-d ")


def test_only_udp_flows_whose_endpoint_went_or_came_are_stale() -> None:
    udp = _service(protocol="UDP", node_port=30053)
    gone = replace(udp, endpoints=(EndpointView(ip="10.180.0.9", port=80),))
    filters = stale_udp_flows([udp], [gone])
    assert {one.reply_source for one in filters} == {"10.180.0.1"}
    assert [one.destination for one in filters] == ["10.0.0.41", None]
    assert stale_udp_flows([udp], [udp]) == []
    assert stale_udp_flows([_service()], []) == []
    draining = replace(udp, endpoints=(), draining=udp.endpoints)
    assert stale_udp_flows([udp], [draining]) == []
    assert len(stale_udp_flows([replace(udp, endpoints=())], [udp])) == 2
    assert len(stale_udp_flows([], [udp])) == 2
