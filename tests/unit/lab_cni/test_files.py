"""The network plugin's files have the form of recorded ones."""

import base64
import datetime
import ipaddress
import json

import pytest

from pytest_aksnet.lab.api.objects import JsonObject
from pytest_aksnet.lab.cni import log, state
from pytest_aksnet.lab.cni.configs import conflist
from pytest_aksnet.lab.cni.endpoints import Endpoint
from pytest_aksnet.lab.layout import make_spec
from pytest_aksnet.lab.options import LabOptions
from pytest_aksnet.lab.spec import LabSpec

NOW = datetime.datetime(2026, 11, 21, 9, 46, 32, 253826, tzinfo=datetime.UTC)
SANDBOX = "ee86fb8be61987b83e1da1338b09fc0a83dcd12f9754455e668b16dc98f20f48"
NETNS = "cni-1770aa7f-262a-c2ad-1c19-0a376d016a78"


def endpoint(*ips: str) -> Endpoint:
    return Endpoint(
        namespace="default",
        pod="nginx",
        uid="51a5ca8e-4e46-451b-bbac-525543a80861",
        sandbox_id=SANDBOX,
        netns=NETNS,
        ips=ips,
        link="azvc440f455693",
        mac="ba:60:99:6a:a1:83",
        created=NOW,
    )


def spec_of(mode: str, engine: str = "calico", *, dual_stack: bool = False) -> LabSpec:
    return make_spec(LabOptions(mode=mode, engine=engine, dual_stack=dual_stack))


@pytest.mark.parametrize(
    ("mode", "engine", "dual", "name", "ipam"),
    [
        ("node-subnet", "calico", False, "10-azure.conflist", {"type": "azure-vnet-ipam"}),
        (
            "overlay",
            "none",
            False,
            "15-azure-swift-overlay.conflist",
            {"mode": "v4overlay", "type": "azure-cns"},
        ),
        (
            "overlay",
            "none",
            True,
            "15-azure-swift-overlay.conflist",
            {"mode": "dualStackOverlay", "type": "azure-cns"},
        ),
        ("pod-subnet", "azure", False, "15-azure-swift.conflist", {"type": "azure-cns"}),
        ("overlay", "cilium", False, "05-cilium.conflist", {"type": "azure-ipam"}),
        (
            "kubenet",
            "calico",
            False,
            "10-containerd-net.conflist",
            {
                "type": "host-local",
                "ranges": [[{"subnet": "10.244.0.0/24"}]],
                "routes": [{"dst": "0.0.0.0/0"}],
            },
        ),
    ],
)
def test_the_configuration_of_each_mode(
    mode: str, engine: str, dual: bool, name: str, ipam: JsonObject
) -> None:
    spec = spec_of(mode, engine, dual_stack=dual)
    found, text = conflist(spec, spec.nodes[0])
    assert found == name
    assert json.loads(text)["plugins"][0]["ipam"] == ipam


def test_azure_vnet_keeps_an_endpoint_as_recorded_in_a_node_subnet() -> None:
    spec = spec_of("node-subnet")
    node = spec.nodes[0]
    kept = json.loads(state.azure_vnet(spec, node, [endpoint("10.224.0.24")], NOW))["Network"]
    assert kept["TimeStamp"] == "2026-11-21T09:46:32.253826000Z"
    assert "CnsClient" not in kept
    external = kept["ExternalInterfaces"]["eth0"]
    assert base64.b64decode(external["MacAddress"]).hex(":") == node.mac
    network = external["Networks"]["azure"]
    assert network["Subnets"] == [
        {
            "Family": 2,
            "Prefix": {"IP": "10.224.0.0", "Mask": "//8AAA=="},
            "Gateway": "10.224.0.1",
            "PrimaryIP": "",
        }
    ]
    entry = network["Endpoints"]["ee86fb8b-eth0"]
    # As in the recording, but for what only the recorded cluster had.
    assert entry["IfName"] == "azvc440f4556932"
    assert entry["MacAddress"] == "umCZaqGD"
    assert entry["IPAddresses"] == [{"IP": "10.224.0.24", "Mask": "//8AAA=="}]
    assert entry["DNS"]["Servers"] == ["168.63.129.16"]
    assert entry["Routes"][0]["Gw"] == "10.224.0.1"
    assert entry["Routes"][0]["Dst"] == {"IP": "0.0.0.0", "Mask": "AAAAAA=="}
    assert entry["NetworkNameSpace"] == f"/var/run/netns/{NETNS}"


@pytest.mark.parametrize(
    ("mode", "gateway"), [("overlay", "169.254.1.1"), ("pod-subnet", "10.232.0.1")]
)
def test_with_azure_cns_the_gateway_is_of_the_pods(mode: str, gateway: str) -> None:
    spec = spec_of(mode)
    kept = json.loads(state.azure_vnet(spec, spec.nodes[0], [endpoint("10.244.0.9")], NOW))
    network = kept["Network"]["ExternalInterfaces"]["eth0"]["Networks"]["azure"]
    assert kept["Network"]["CnsClient"] is None
    assert network["Subnets"][0]["Gateway"] == gateway
    assert network["DNS"]["Servers"] is None


def test_a_dual_stack_endpoint_has_an_address_and_a_route_of_each_family() -> None:
    spec = spec_of("overlay", dual_stack=True)
    one = endpoint("10.244.0.9", "fd9a:6b1f:f000::9")
    kept = json.loads(state.azure_vnet(spec, spec.nodes[0], [one], NOW))
    network = kept["Network"]["ExternalInterfaces"]["eth0"]["Networks"]["azure"]
    entry = network["Endpoints"]["ee86fb8b-eth0"]
    assert [address["IP"] for address in entry["IPAddresses"]] == list(one.ips)
    assert [route["Gw"] for route in entry["Routes"]] == ["169.254.1.1", "fe80::1234:5678:9abc"]


def test_azure_vnet_ipam_lists_every_address_and_who_has_it() -> None:
    spec = spec_of("node-subnet")
    addresses = spec.nodes[0].pod_addresses()
    kept = json.loads(state.azure_vnet_ipam(spec, addresses, {addresses[2]: SANDBOX}, NOW))
    pool = kept["IPAM"]["AddressSpaces"]["local"]["Pools"]["10.224.0.0/16"]
    assert list(pool["Addresses"]) == sorted(addresses, key=ipaddress.ip_address)
    used = {ip: entry["ID"] for ip, entry in pool["Addresses"].items() if entry["InUse"]}
    assert used == {addresses[2]: SANDBOX}


def test_the_log_says_which_wire_a_pod_got() -> None:
    spec = spec_of("node-subnet")
    lines = log.added(spec, endpoint("10.224.0.24"), 11185)
    assert all(line.startswith("2026/11/21 09:46:32 [11185] ") for line in lines)
    text = "\n".join(lines)
    assert "[net] Creating veth pair azvc440f455693 azvc440f4556932." in text
    assert "Generate veth name based on the key provided default.nginx" in text
    assert (
        "[cni-net] ADD command completed for pod nginx with IPs:[{Interface:<nil> "
        "Address:{IP:10.224.0.24 Mask:ffff0000} Gateway:10.224.0.1}] err:<nil>." in text
    )
    given = next(line for line in lines if "Processing ADD" in line).partition("StdinData:")[2]
    assert json.loads(given.removesuffix("}."))["ipam"] == {"type": "azure-vnet-ipam"}
    assert "Processing DEL" in "\n".join(log.removed(spec, endpoint("10.224.0.24"), 11200, NOW))
    allocated = log.allocated(spec, endpoint("10.224.0.24"), 11196)
    assert "[cni-ipam] Allocated address 10.224.0.24/16." in allocated[-2]
