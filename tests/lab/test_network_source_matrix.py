"""What every class of destination sees of a pod, in every mode: packets against documents.

The table is that of the AKS documents (concepts-network-cni-overview, configure-kubenet,
ip-masq-agent-v2), written down a second time: the rows that the plugin judges by must say the same.
"""

import time
from collections.abc import Iterator

import pytest

from pytest_aksnet.expectations.source_address import Destination, Source, promise
from tests.lab.network_bench import Bench, Probe
from tests.lab.source_bench import each_mode, source_bench

# Same node, other node, own node, other node and VM, peered and on-prem, endpoint here, internet.
MATRIX = {
    "kubenet": ("pod", "pod", "pod", "node", "node", "node", "public"),
    "node-subnet": ("pod", "pod", "pod", "pod", "node", "pod", "public"),
    "pod-subnet": ("pod", "pod", "pod", "pod", "pod", "pod", "public"),
    "overlay": ("pod", "pod", "pod", "node", "node", "node", "public"),
}
ROWS = {
    Destination.POD_SAME_NODE: 0,
    Destination.POD_OTHER_NODE: 1,
    Destination.OWN_NODE: 2,
    Destination.VNET: 3,
    Destination.BEYOND_VNET: 4,
    Destination.INTERNET: 6,
}
SOURCES = {"pod": Source.POD, "node": Source.NODE, "public": Source.PUBLIC}


# Quick are those where most rules differ.
@pytest.fixture(scope="module", params=each_mode("kubenet", "pod-subnet"))
def bench(request: pytest.FixtureRequest) -> Iterator[Bench]:
    with source_bench(request.param) as made:
        yield made


def test_every_destination_sees_what_is_documented(bench: Bench) -> None:
    expected = dict(zip(range(7), MATRIX[bench.spec.mode], strict=True))
    own, other = bench.nodes[0], bench.nodes[1]
    targets = [
        *((0, "neighbour", 80), (1, "remote", 80), (2, own, 8000), (3, other, 8000)),
        *((3, "vm", 80), (4, "peered-vm", 80), (4, "on-prem", 80)),
        *((5, "storage-endpoint", 80), (6, "internet", 80)),
    ]
    address = {
        "pod": bench.ips["pod"],
        "node": bench.ips[own],
        "public": bench.spec.egress_ip,
    }
    for protocol in ("tcp", "udp"):
        # A UDP server on the node that is bound to no address answers from that of cbr0.
        asked = [one for one in targets if (protocol, one[1]) != ("udp", own)]
        seen = bench.look_many(
            [
                Probe(start="pod", ip=bench.ips[name], port=port, protocol=protocol)
                for _, name, port in asked
            ]
        )
        found = {name: one.source for (_, name, _), one in zip(asked, seen, strict=True)}
        assert found == {name: address[expected[row]] for row, name, _ in asked}


def test_the_rows_of_the_plugin_say_the_same() -> None:
    for mode, row in MATRIX.items():
        for destination, column in ROWS.items():
            assert promise(mode, destination).source is SOURCES[row[column]], (mode, destination)


def test_a_node_shows_its_own_address_everywhere_inside(bench: Bench) -> None:
    own, other = bench.nodes[0], bench.nodes[1]
    targets = [(other, 8000), ("remote", 80), ("vm", 80), ("peered-vm", 80), ("on-prem", 80)]
    seen = bench.look_many(
        [Probe(start=own, ip=bench.ips[name], port=port) for name, port in targets]
    )
    assert {one.source for one in seen} == {bench.ips[own]}


def test_azure_own_addresses_see_the_node(bench: Bench) -> None:
    """Azure answers to a node's primary address only; in pod subnets azure-cns translates."""
    for ip, port in ((bench.spec.azure_dns_ip, 53), (bench.spec.imds_ip, 80)):
        bench.run("fabric", "sh", "-c", f"python3 -c '{_SERVER}' {ip} {port} >/dev/null 2>&1 &")
        deadline = time.monotonic() + 10
        seen = bench.look("pod", ip, port)
        while not seen.ok and time.monotonic() < deadline:
            seen = bench.look("pod", ip, port)
        assert seen.source == bench.ips[bench.nodes[0]]


# Tells one client its address, and ends after it or ten seconds.
_SERVER = """
import socket, sys
server = socket.create_server((sys.argv[1], int(sys.argv[2])))
server.settimeout(10)
client, (host, port) = server.accept()
client.recv(100)
client.sendall(f"azure {host} {port}\\n".encode())
"""
