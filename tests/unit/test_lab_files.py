"""What a lab says of its site, as the user of a cluster would write it."""

import tomllib
from pathlib import Path

import pytest

from pytest_aksnet.lab.azure.state import AzureState
from pytest_aksnet.lab.files import write_site
from pytest_aksnet.lab.layout import make_spec
from pytest_aksnet.lab.options import LabOptions
from pytest_aksnet.site_file import read_site

_CA = b"-----BEGIN CERTIFICATE-----\n"


@pytest.mark.parametrize(
    ("egress", "ips"),
    [
        ("load-balancer", ["198.51.100.1"]),
        ("nat-gateway", ["198.51.100.3"]),
        ("firewall", ["198.51.100.4"]),
        ("none", []),
    ],
)
def test_the_way_out_decides_what_the_internet_is_expected_to_see(
    tmp_path: Path, egress: str, ips: list[str]
) -> None:
    spec = make_spec(LabOptions(egress=egress))
    site = tomllib.loads(write_site(tmp_path, spec, ca_pem=_CA).read_text())
    assert site["egress_ips"] == ips
    # Where nothing leads out, no host on the internet is there to be looked at.
    assert ("internet" in site) == bool(ips)
    assert ("whoami" in site) == bool(ips)
    assert site["trusted_ca"] == "ca.pem"
    assert read_site(tmp_path / "aksnet.toml").egress_ips == tuple(ips)
    assert site["vnet_vm"] == {"host": "10.225.0.4", "port": 80}


def test_a_dual_stack_lab_has_a_host_on_the_internet_for_each_family(tmp_path: Path) -> None:
    spec = make_spec(LabOptions(dual_stack=True, imds_restricted=True))
    site = read_site(write_site(tmp_path, spec, ca_pem=_CA))
    assert site.internet6 is not None
    assert site.internet6.host == "2001:db8:80::80"
    assert site.egress_ips == ("198.51.100.1", "2001:db8:100::1")
    assert site.imds == "restricted"


def test_what_must_not_be_reached_differs_where_nothing_leads_out(tmp_path: Path) -> None:
    open_site = read_site(write_site(tmp_path, make_spec(LabOptions()), ca_pem=_CA))
    isolated = read_site(write_site(tmp_path, make_spec(LabOptions(egress="none")), ca_pem=_CA))
    assert {place.host for place in open_site.unreachable} == {"168.63.129.16"}
    assert {place.host for place in isolated.unreachable} == {"168.63.129.16", "203.0.113.80"}
    assert isolated.outbound == "none"


def test_a_lab_names_clients_outside_and_a_private_api_server_where_it_has_one(
    tmp_path: Path,
) -> None:
    site = read_site(write_site(tmp_path, make_spec(LabOptions()), ca_pem=_CA))
    assert site.private_api_server == ""
    assert site.vnet_client is not None
    assert site.vnet_client.command[-4:] == ("host/vm", "--", "sh", "-c")
    assert site.vnet_client.addresses == ("10.225.0.4",)
    spec = make_spec(LabOptions(egress="none"))
    isolated = read_site(write_site(tmp_path, spec, ca_pem=_CA))
    assert isolated.private_api_server.endswith(".privatelink.westeurope.azmk8s.io")
    zones = AzureState(spec).private_zones
    assert [zone.records[0].values for zone in zones.values()] == [["10.226.0.5"], ["10.226.0.4"]]


def test_a_lab_wants_to_stay_in_azure_what_it_was_made_as(tmp_path: Path) -> None:
    spec = make_spec(LabOptions(mode="kubenet", egress="nat-gateway", authorized_ranges=True))
    wanted = read_site(write_site(tmp_path, spec, ca_pem=_CA)).azure_profile
    assert wanted["outbound_type",] == "managedNATGateway"
    assert wanted["authorized_ranges",] == ("203.0.113.200/32", "198.51.100.3/32")
    assert wanted["private_cluster",] is False
    assert wanted["pools", "user", "vm_size"] == spec.options.pools[1].size
    isolated = make_spec(LabOptions(egress="none"))
    wanted = read_site(write_site(tmp_path, isolated, ca_pem=_CA)).azure_profile
    assert wanted["private_cluster",] is True
    assert ("authorized_ranges",) not in wanted
