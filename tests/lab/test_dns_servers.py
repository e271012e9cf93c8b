"""The lab's DNS servers as dig, getent and raw sockets see them, with packets between them."""

import os
import socket
import struct
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from dnslib import QTYPE, RCODE, DNSRecord
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pytest_aksnet.lab.dns.records import EndpointRecord
from pytest_aksnet.lab.kernel.syscalls import in_netns
from tests.lab.dns_network import POD_IP, SPEC, DnsNetwork, run_in

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="makes network namespaces: needs root")
ENDPOINT = SPEC.private_endpoints[0]


@pytest.fixture(scope="module")
def shared() -> Iterator[DnsNetwork]:
    network = DnsNetwork()
    yield network
    network.close()


@pytest.fixture
def network() -> Iterator[DnsNetwork]:
    fresh = DnsNetwork()
    yield fresh
    fresh.close()


def udp_exchange(network: DnsNetwork, wire: bytes) -> bytes:
    """The reply to a datagram; b"" where the next datagram, a good query, is answered first."""
    good = DNSRecord.question("web.default.svc.cluster.local")
    with in_netns(network.pod):
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with sock:
        sock.settimeout(5)
        sock.connect((POD_IP, 53))
        sock.send(wire)
        sock.send(good.pack())
        reply = sock.recv(65535)
        return b"" if DNSRecord.parse(reply).header.id == good.header.id else reply


def test_cluster_name_resolves_with_dig(shared: DnsNetwork) -> None:
    said = shared.dig("web.default.svc.cluster.local")
    assert "10.0.0.80" in said
    assert "flags: qr aa rd ra;" in said
    assert "EDNS: version: 0" in said


def test_answer_keeps_the_case_of_the_question(shared: DnsNetwork) -> None:
    assert "wEb.Default.svc.cluster.LOCAL." in shared.dig("wEb.Default.svc.cluster.LOCAL")


def test_missing_name_is_nxdomain_with_the_clusters_soa(shared: DnsNetwork) -> None:
    said = shared.dig("nowhere.default.svc.cluster.local")
    assert "status: NXDOMAIN" in said
    assert "ns.dns.cluster.local. hostmaster.cluster.local." in said


def test_missing_record_type_is_an_empty_answer(shared: DnsNetwork) -> None:
    said = shared.dig("web.default.svc.cluster.local", "AAAA")
    assert "status: NOERROR" in said
    assert "ANSWER: 0" in said


def test_reverse_and_srv_names_resolve_with_dig(shared: DnsNetwork) -> None:
    assert "web.default.svc.cluster.local." in shared.dig("-x", "10.0.0.80", "+short")
    srv = shared.dig("_http._tcp.db.default.svc.cluster.local", "SRV", "+short")
    assert "80 db-0.db.default.svc.cluster.local." in srv


def test_tcp_answers_like_udp(shared: DnsNetwork) -> None:
    assert shared.dig("+tcp", "+short", "web.default.svc.cluster.local") == "10.0.0.80\n"


def test_public_name_is_forwarded_to_azure_dns_from_the_pods_own_address(
    network: DnsNetwork,
) -> None:
    assert network.dig("+short", "www.example.com") == "203.0.113.80\n"
    assert [(q.client, q.name) for q in network.azure_server.log] == [(POD_IP, "www.example.com")]


def test_tcp_query_is_forwarded_over_tcp(network: DnsNetwork) -> None:
    assert network.dig("+tcp", "+short", "www.example.com") == "203.0.113.80\n"
    assert [q.transport for q in network.azure_server.log] == ["tcp"]


def test_private_name_follows_the_link_of_its_zone(network: DnsNetwork) -> None:
    assert network.dig("+short", ENDPOINT.fqdn).split()[-1] == ENDPOINT.ip
    network.azure.private_zones[ENDPOINT.zone].links = []
    said = network.dig("+short", ENDPOINT.privatelink_fqdn).split()
    assert said == [ENDPOINT.public_cname + ".", ENDPOINT.public_ip]


def test_external_name_is_followed_upstream(shared: DnsNetwork) -> None:
    said = shared.dig("+short", "outside.default.svc.cluster.local").split()
    assert said == ["www.example.com.", "203.0.113.80"]


def test_refusing_upstream_is_servfail(network: DnsNetwork) -> None:
    network.stop_azure()
    assert "status: SERVFAIL" in network.dig("www.example.com")
    assert "status: SERVFAIL" in network.dig("+tcp", "www.example.com")


def test_silent_upstream_is_servfail(network: DnsNetwork) -> None:
    run_in(network.fabric, "ip", "link", "set", "fab0", "down")
    assert "status: SERVFAIL" in network.dig("www.example.com")
    assert "10.0.0.80" in network.dig("web.default.svc.cluster.local")


def test_answer_too_long_for_udp_is_truncated_and_complete_over_tcp(network: DnsNetwork) -> None:
    http = network.records.ready[0].ports
    network.records.ready += [
        EndpointRecord(namespace="default", service="empty", ip=f"10.244.2.{n}", ports=http)
        for n in range(1, 101)
    ]
    name = "empty.default.svc.cluster.local"
    assert "flags: qr aa tc rd ra;" in network.dig("+ignore", "+noedns", name)
    assert "flags: qr aa rd ra;" in network.dig("+ignore", "+bufsize=4096", name)
    assert len(network.dig("+noedns", "+short", name).split()) == 100
    assert network.coredns_server.log[-1].transport == "tcp"


def test_several_queries_share_one_tcp_connection(shared: DnsNetwork) -> None:
    with in_netns(shared.pod):
        sock = socket.create_connection((POD_IP, 53), timeout=5)
    with sock, sock.makefile("rb") as stream:
        for name in ("web.default.svc.cluster.local", "db-0.db.default.svc.cluster.local"):
            query = DNSRecord.question(name).pack()
            sock.sendall(struct.pack("!H", len(query)) + query)
            (length,) = struct.unpack("!H", stream.read(2))
            assert DNSRecord.parse(stream.read(length)).rr


def test_other_operations_and_classes_are_refused(shared: DnsNetwork) -> None:
    assert "status: NOTIMP" in shared.dig("+opcode=status", "web.default.svc.cluster.local")
    assert "status: REFUSED" in shared.dig("-c", "CH", "-t", "TXT", "version.bind")


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(noise=st.binary(max_size=80))
def test_noise_gets_a_format_error_or_nothing(shared: DnsNetwork, noise: bytes) -> None:
    reply = udp_exchange(shared, noise)
    if reply:
        assert reply[:2] == noise[:2]
        assert reply[3] & 0x0F in (RCODE.FORMERR, RCODE.NOTIMP, RCODE.REFUSED, RCODE.SERVFAIL)


def test_hundreds_of_queries_at_once_are_all_answered_and_logged(network: DnsNetwork) -> None:
    wire = DNSRecord.question("web.default.svc.cluster.local").pack()

    def burst(_: int) -> int:
        with in_netns(network.pod):
            sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        with sock:
            sock.settimeout(10)
            sock.connect((POD_IP, 53))
            for _ in range(50):
                sock.send(wire)
            return sum(bool(DNSRecord.parse(sock.recv(512)).rr) for _ in range(50))

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(burst, range(8))) == 400
    assert len(network.coredns_server.log) == 400
    last = network.coredns_server.log[-1]
    assert (last.qtype, last.rcode, last.client) == (QTYPE.get(QTYPE.A), "NOERROR", POD_IP)


def test_short_names_walk_the_search_list_of_resolv_conf(
    network: DnsNetwork, tmp_path: Path
) -> None:
    resolv_conf = tmp_path / "resolv.conf"
    resolv_conf.write_text(
        f"nameserver {POD_IP}\noptions ndots:5\n"
        "search default.svc.cluster.local svc.cluster.local cluster.local\n"
    )
    script = 'mount --bind "$1" /etc/resolv.conf && shift && exec getent ahostsv4 "$@"'

    def getent(name: str) -> list[str]:
        argv = ["unshare", "-m", "sh", "-c", script, "getent", str(resolv_conf), name]
        return run_in(network.pod, *argv).stdout.split()[:1]

    assert getent("web") == ["10.0.0.80"]
    assert getent("web.default") == ["10.0.0.80"]
    network.coredns_server.log.clear()
    assert getent("www.example.com") == ["203.0.113.80"]
    assert list(dict.fromkeys(q.name for q in network.coredns_server.log)) == [
        "www.example.com.default.svc.cluster.local",
        "www.example.com.svc.cluster.local",
        "www.example.com.cluster.local",
        "www.example.com",
    ]
