"""What a lab says of its site, as the user of a cluster would write it."""

import tomllib
from pathlib import Path

import pytest

from pytest_aksnet.lab.files import write_site
from pytest_aksnet.lab.layout import make_spec
from pytest_aksnet.lab.options import LabOptions


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
    site = tomllib.loads(write_site(tmp_path, spec).read_text())
    assert site["egress_ips"] == ips
    # Where nothing leads out, no host on the internet is there to be looked at.
    assert ("internet" in site) == bool(ips)
    assert site["vnet_vm"] == {"host": "10.225.0.4", "port": 80}
