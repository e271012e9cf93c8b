"""The site file: what it may say, and the one line that names what is wrong with it."""

import datetime
import re
import tomllib
from pathlib import Path

import pytest

from pytest_aksnet.model.errors import SettingsError
from pytest_aksnet.model.peers import Endpoint
from pytest_aksnet.model.site import (
    AddressPlan,
    ClientHost,
    Destination,
    PrivateName,
    Site,
    StubDomain,
    WhoAmI,
)
from pytest_aksnet.site_file import KEYS, read_site

DOCS = Path(__file__).parents[2] / "docs"
EXAMPLE = DOCS / "aksnet.example.toml"


def write(folder: Path, text: str) -> Path:
    path = folder / "aksnet.toml"
    path.write_text(text, encoding="utf-8")
    return path


def endpoint(what: str, host: str) -> Endpoint:
    return Endpoint(what=what, host=host, port=80)


def test_the_example_has_every_key_and_is_read_whole(tmp_path: Path) -> None:
    text = EXAMPLE.read_text("utf-8").replace("# trusted_ca", "trusted_ca")
    (tmp_path / "inspection-ca.pem").write_text("-----BEGIN CERTIFICATE-----\n", "ascii")
    assert set(tomllib.loads(text)) == set(KEYS)
    assert read_site(write(tmp_path, text)) == Site(
        outbound="internet",
        egress_ips=("198.51.100.1", "198.51.100.2"),
        internet=endpoint("host on the internet", "echo.example.com"),
        internet6=endpoint("host on the internet (IPv6)", "2001:db8:80::80"),
        whoami=WhoAmI(server="208.67.222.222", name="myip.opendns.com"),
        vnet_vm=endpoint("VM in the VNet", "10.225.0.4"),
        peered_vm=endpoint("VM in a peered VNet", "10.64.0.4"),
        on_prem=endpoint("host on premises", "192.168.10.4"),
        private_names=(PrivateName(name="acct.blob.core.windows.net", addresses=("10.226.0.5",)),),
        external_names=("www.example.com",),
        dns_servers=("10.225.0.10", "10.225.0.11"),
        dns_p99_ms=1000,
        api_server="aks-prod-1a2b3c4d.hcp.westeurope.azmk8s.io",
        stub_domains=(
            StubDomain(
                zone="corp.example.com",
                name="intranet.corp.example.com",
                addresses=("10.225.0.20",),
            ),
        ),
        private_api_server="shop-dns-1a2b3c4d.0f1e2d3c.privatelink.westeurope.azmk8s.io",
        vnet_client=ClientHost(
            what="the client in the VNet",
            command=("ssh", "azureuser@10.225.0.4"),
            addresses=("10.225.0.4",),
        ),
        internet_client=ClientHost(what="the client on the internet", addresses=("203.0.113.200",)),
        reachable=(Destination(host="sql.corp.example.com", port=1433),),
        unreachable=(Destination(host="198.51.100.77", port=22),),
        required_fqdns=("mcr.microsoft.com", "management.azure.com", "registry.example.com:8443"),
        trusted_ca="-----BEGIN CERTIFICATE-----\n",
        imds="open",
        throughput_floor_gbps=1.5,
        node_latency_ms=2.0,
        max_mbps={"Standard_D4s_v5": 12500},
        as_of=datetime.date(2027, 3, 31),
        address_plan=AddressPlan(
            node_subnets=("10.224.0.0/16",),
            pod_subnets=("10.232.0.0/16",),
            vnet=("10.224.0.0/12",),
            max_surge="33%",
        ),
        azure_profile={
            ("outbound_type",): "userDefinedRouting",
            ("network_policy",): "cilium",
            ("authorized_ranges",): ("198.51.100.1/32", "203.0.113.0/24"),
            ("dns_servers",): ("10.225.0.10", "10.225.0.11"),
            ("pools", "user", "vm_size"): "Standard_D4s_v5",
            ("pools", "user", "max_pods"): 110,
            ("pools", "user", "max_surge"): "33%",
            ("pools", "user", "subnet"): "aks-nodes",
            ("subnets", "aks-nodes", "security_group"): "aks-nodes-nsg",
            ("subnets", "aks-nodes", "route_table"): "to-firewall",
            ("security_groups", "aks-nodes-nsg"): (
                "Inbound 100 Deny Tcp Internet -> * 22 (no-ssh)",
            ),
            ("route_tables", "to-firewall"): (
                "0.0.0.0/0 -> VirtualAppliance 10.227.0.4 (default)",
            ),
        },
    )


def test_the_example_is_read_as_it_stands() -> None:
    assert read_site(EXAMPLE).trusted_ca == ""


def test_the_documentation_describes_every_key_in_order() -> None:
    rows = re.findall(r"(?m)^\| `(\w+)` \|", (DOCS / "site-file.md").read_text("utf-8"))
    assert rows == list(KEYS)


def test_an_empty_file_is_an_empty_site(tmp_path: Path) -> None:
    assert read_site(write(tmp_path, "")) == Site()


def test_no_file_is_an_empty_site() -> None:
    assert read_site(None) == Site()


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("name = [", "not TOML"),
        ("vnet_vn = {}", "vnet_vn: unknown key"),
        ("vnet_vm = 3", "vnet_vm: must be a table"),
        ("[vnet_vm]\nport = 80", "vnet_vm.host"),
        ("[vnet_client]\ncommand = 'ssh vm'", "vnet_client.command: must be an array"),
        ("[internet_client]\naddresses = ['a']", "internet_client.addresses[0]"),
        ("[vnet_vm]\nhost = 'a'\nport = 70000", "vnet_vm.port"),
        ("[vnet_vm]\nhost = 'a'\nport = true", "vnet_vm.port"),
        ("[internet]\nhost = 'a'\nport = 1\nproto = 'x'", "internet.proto: unknown key"),
        ("private_names = ['a']", "private_names[0]: must be a table"),
        ("[[private_names]]\nname = 'a'\naddresses = ['x']", "private_names[0].addresses[0]"),
        ("external_names = 'a'", "external_names: must be an array"),
        ("egress_ips = ['one']", "egress_ips[0]: 'one' is no IP address"),
        ("throughput_floor_gbps = 'fast'", "throughput_floor_gbps"),
        ("throughput_floor_gbps = 0", "throughput_floor_gbps"),
        ("[max_mbps]\nD4 = 1.5", "max_mbps.D4"),
        ("vnet_vn = {}", "did you mean vnet_vm?"),
        ("zebra = 1", "known are outbound, "),
        ("azure_profile = 1", "azure_profile: must be a table"),
        ("[azure_profile]\noutbound_typ = 'x'", "did you mean outbound_type?"),
        (
            "[azure_profile]\nprivate_cluster = 'no'",
            "azure_profile.private_cluster: 'no' is neither",
        ),
        (
            "[azure_profile]\ndns_servers = '10.0.0.1'",
            "azure_profile.dns_servers: must be an array",
        ),
        ("[azure_profile.pools]\nuser = 1", "azure_profile.pools.user: must be a table"),
        ("[azure_profile.pools.user]\nsize = 'x'", "azure_profile.pools.user.size: unknown key"),
        ("[azure_profile.pools.user]\nmax_pods = '1'", "pools.user.max_pods: '1' is no fitting"),
        ("[azure_profile.pools.user]\nvm_size = true", "pools.user.vm_size: must be a string"),
        (
            "[azure_profile]\nprivate_cluster = true\nauthorized_ranges = ['192.0.2.0/24']",
            "azure_profile.authorized_ranges: a private cluster cannot have",
        ),
        (
            "[internet]\nhost = '203.0.113.300'\nport = 80",
            "internet.host: '203.0.113.300' is no IP",
        ),
        ("[internet]\nhost = 'a b'\nport = 80", "internet.host: 'a b' is neither"),
        ("[internet6]\nhost = 'a.example'\nport = 80", "internet6.host"),
        ("[[reachable]]\nport = 80", "reachable[0].host"),
        ("[[unreachable]]\nhost = 'a'\nport = 0", "unreachable[0].port"),
        ("external_names = ['10.0.0.1']", "external_names[0]: '10.0.0.1' is no DNS name"),
        ("required_fqdns = ['a.example:x']", "required_fqdns[0]: 'a.example:x': 'x' is no port"),
        ("required_fqdns = ['*.a.example']", "required_fqdns[0]"),
        (
            "outbound = 'internot'",
            "outbound: 'internot' is not one of internet, firewall, none; did you mean",
        ),
        ("imds = true", "imds: True is not one of open, restricted"),
        ("trusted_ca = 'missing.pem'", "trusted_ca: "),
        ("trusted_ca = 'aksnet.toml'", "is no PEM file of certificates"),
        ("[whoami]\nserver = 'a'\nname = 'b'", "whoami.server: 'a' is no IP address"),
        ("[[stub_domains]]\nzone = 'a.b'\nname = 'c.a.b'", "stub_domains[0].addresses"),
        (
            "[[stub_domains]]\nzone = 'a.b'\nname = 'c.xa.b'\naddresses = ['10.0.0.1']",
            "stub_domains[0].name: c.xa.b is not in zone a.b",
        ),
        ("outbound = 'none'\negress_ips = ['198.51.100.1']", 'egress_ips: outbound = "none" says'),
        ("outbound = 'none'\n[internet]\nhost = 'a'\nport = 1", 'internet: outbound = "none" says'),
        ("egress_ips = ['fd00::1', 'fd00:0::1']", "egress_ips[1]: stands there twice"),
        ("external_names = ['a.b', 'A.b.']", "external_names[1]: stands there twice"),
        (
            "[[private_names]]\nname = 'a.b'\n[[private_names]]\nname = 'a.b'",
            "private_names[1]: stands there twice",
        ),
        (
            "[[private_names]]\nname = 'a.b'\n"
            "[[private_names]]\nname = 'a.b'\nport = 1\naddresses = ['10.0.0.1']",
            "private_names[1].addresses: a.b has other addresses",
        ),
        (
            "[[reachable]]\nhost = 'a.b'\n[[unreachable]]\nhost = 'a.b'",
            "unreachable[0]: a.b:443 stands in reachable too",
        ),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, text: str, named: str) -> None:
    path = write(tmp_path, text)
    with pytest.raises(SettingsError) as raised:
        read_site(path)
    assert f"--aksnet-config={path}" in str(raised.value)
    assert named in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="cannot be read"):
        read_site(tmp_path / "missing.toml")
