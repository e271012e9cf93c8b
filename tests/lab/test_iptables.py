"""What nodes show of kube-proxy and the masquerade agents: the text of iptables-save and nft.

Each rule is in the kernel as iptables(8) itself would have written it.
"""

import re
from collections.abc import Iterator, Mapping

import pytest

from pytest_aksnet.lab.layout import make_spec
from pytest_aksnet.lab.network.iptables import Tables, merged
from pytest_aksnet.lab.network.masquerade import masquerade, masquerade_rules
from pytest_aksnet.lab.network.proxy.kubelet import kubelet_rules
from pytest_aksnet.lab.network.proxy.node import proxy_node
from pytest_aksnet.lab.network.proxy.rules import proxy_rules
from pytest_aksnet.lab.network_views import ServicePortView
from pytest_aksnet.lab.options import LabOptions
from tests.lab.network_bench import Bench
from tests.lab.network_views import CLUSTER_IP, NODE_PORT, PORT, service

LB_IP = "198.51.100.20"
SILENT = 0.25
_COUNTERS = re.compile(r"\[\d+:\d+\]")


@pytest.fixture(scope="module")
def bench() -> Iterator[Bench]:
    made = Bench("overlay")
    for name, node in (("client", 0), ("web0", 0), ("web1", 1)):
        made.add_pod(name, node)
    yield made
    made.close()


def _saved(text: str) -> dict[str, dict[str, list[str]]]:
    """Table -> chain -> rules of what iptables-save printed; empty base chains are left out."""
    tables: dict[str, dict[str, list[str]]] = {}
    chains: dict[str, list[str]] = {}
    for line in text.splitlines():
        if line.startswith("*"):
            chains = tables.setdefault(line[1:], {})
        elif line.startswith(":"):
            chains[line[1:].split()[0]] = []
        elif line.startswith("-A"):
            _, chain, rule = line.split(" ", 2)
            chains[chain].append(rule)
    return {
        table: {chain: rules for chain, rules in found.items() if rules or "-" in chain}
        for table, found in tables.items()
    }


def _listed(tables: Tables) -> dict[str, Mapping[str, list[str]]]:
    return {
        table: {chain: list(rules) for chain, rules in chains.items() if rules or "-" in chain}
        for table, chains in tables.items()
    }


def _of_every_kind(bench: Bench) -> list[ServicePortView]:
    backends = {"web0": 0, "web1": 1, "client": 0}
    plain = service(bench, backends, affinity_seconds=600)
    local = service(
        bench,
        {"web1": 1},
        cluster_ip="10.0.44.8",
        node_port=NODE_PORT,
        load_balancer_ip=LB_IP,
        external_local=True,
    )
    guarded = service(
        bench,
        backends,
        cluster_ip="10.0.44.9",
        protocol="UDP",
        node_port=NODE_PORT + 1,
        load_balancer_ip="198.51.100.21",
        source_ranges=["203.0.113.0/24", "10.224.0.0/16"],
    )
    unserved = service(
        bench,
        {},
        cluster_ip="10.0.44.10",
        node_port=NODE_PORT + 2,
        load_balancer_ip="198.51.100.22",
    )
    inside = service(bench, {"web1": 1}, cluster_ip="10.0.44.11", internal_local=True)
    sctp = service(bench, {"web0": 0}, cluster_ip="10.0.44.12", protocol="SCTP")
    return [plain, local, guarded, unserved, inside, sctp]


def test_iptables_save_shows_what_was_written(bench: Bench) -> None:
    views = _of_every_kind(bench)
    bench.services(*views)
    for node in bench.spec.nodes:
        wanted = merged(
            proxy_rules(bench.spec, views, proxy_node(bench.spec, node)).iptables,
            kubelet_rules(4),
            masquerade_rules(masquerade(bench.spec, node)),
        )
        assert _saved(bench.run(node.name, "iptables-save")) == _listed(wanted)


def test_iptables_itself_would_have_written_the_same(bench: Bench) -> None:
    bench.services(*_of_every_kind(bench))
    shown = bench.run(bench.nodes[0], "iptables-save")
    again = bench.run(
        bench.nodes[0],
        *("unshare", "-n", "sh", "-c", f"iptables-restore <<'end'\n{shown}\nend\niptables-save"),
    )
    assert _saved(again) == _saved(shown)


def test_rules_that_others_made_stay_and_flushed_chains_come_back(bench: Bench) -> None:
    node = bench.nodes[0]
    bench.services(service(bench, {"web0": 0}))
    bench.run(node, "iptables", "-I", "INPUT", "-p", "tcp", "--dport", "9", "-j", "DROP")
    bench.services(service(bench, {"web1": 1}))
    assert "--dport 9 -j DROP" in bench.run(node, "iptables", "-S", "INPUT")
    bench.run(node, "sh", "-c", "iptables -t nat -F; iptables -t nat -X")
    assert bench.look("client", CLUSTER_IP, PORT, timeout=SILENT).outcome == "timeout"
    bench.services(service(bench, {"web0": 0}))
    assert bench.look("client", CLUSTER_IP, PORT).by == "web0"
    assert "KUBE-POSTROUTING" in bench.run(node, "iptables-save", "-t", "nat")


def test_a_change_costs_no_connection(bench: Bench) -> None:
    bench.services(service(bench, {"web0": 0}))
    held = bench.hold("client", CLUSTER_IP, PORT)
    bench.services(service(bench, {"web0": 0, "web1": 1}, node_port=NODE_PORT))
    assert bench.talk(held) == "ok"
    bench.release()


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("mode", "chain", "shown"),
    [
        ("node-subnet", "IP-MASQ-AGENT", "-A IP-MASQ-AGENT -d 10.224.0.0/12 "),
        (
            "pod-subnet",
            "SWIFT-POSTROUTING",
            "-A SWIFT-POSTROUTING -s 10.232.0.0/16 -d 168.63.129.16/32 -p udp "
            "-m addrtype ! --dst-type LOCAL -m udp --dport 53 -j SNAT --to-source 10.224.0.4",
        ),
        ("kubenet", "IP-MASQ-AGENT", "-A IP-MASQ-AGENT -d 10.244.0.0/16 "),
    ],
)
def test_masquerade_agents_have_their_chains(mode: str, chain: str, shown: str) -> None:
    made = Bench(mode)
    text = made.run(made.nodes[0], "iptables-save", "-t", "nat")
    made.close()
    assert f":{chain} - [" in text
    assert shown in text


def test_cilium_leaves_no_chains_of_kube_proxy() -> None:
    made = Bench("overlay", "cilium")
    text = made.run(made.nodes[0], "iptables-save")
    made.close()
    assert "KUBE-" not in text
    assert ":IP-MASQ-AGENT - [" in text


def test_nft_shows_the_table_of_kube_proxy() -> None:
    made = Bench("overlay", settings=["service-proxy=nftables"])
    made.add_pod("web0", 0)
    views = [service(made, {"web0": 0}, node_port=NODE_PORT, affinity_seconds=60)]
    made.services(*views)
    text = made.run(made.nodes[0], "nft", "list", "table", "ip", "kube-proxy")
    chains = made.run(made.nodes[0], "iptables-save")
    ip = made.ips["web0"]
    made.services()
    left = made.run(made.nodes[0], "nft", "list", "table", "ip", "kube-proxy")
    made.close()
    assert f"elements = {{ {CLUSTER_IP} . tcp . {PORT} : goto service-" in text
    assert "jump mark-for-masquerade\n\t\tupdate @affinity-" in text
    assert f"meta l4proto tcp dnat to {ip}:80" in text
    assert "KUBE-SERVICES" not in chains
    assert "chain endpoint-" not in left
    assert "affinity-" not in left


@pytest.mark.thorough
def test_dual_stack_nodes_have_the_same_for_ipv6() -> None:
    made = Bench("overlay", settings=["dual-stack=true"])
    assert ":KUBE-SERVICES" in made.run(made.nodes[0], "ip6tables-save", "-t", "nat")
    made.close()
    spec = make_spec(LabOptions(dual_stack=True))
    rules = masquerade_rules(masquerade(spec, spec.nodes[0]), version=6)
    assert any(f"-d {spec.pod_cidr6} " in rule for rule in rules["nat"]["IP-MASQ-AGENT"])
