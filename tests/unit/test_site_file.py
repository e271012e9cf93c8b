"""The site file: what it may say, and the one line that names what is wrong with it."""

from pathlib import Path

import pytest

from pytest_aksnet.model.errors import SettingsError
from pytest_aksnet.model.peers import Endpoint
from pytest_aksnet.model.site import PrivateName, Site
from pytest_aksnet.site_file import read_site

WHOLE = """
external_names = ["www.example.com"]
egress_ips = ["198.51.100.1"]
throughput_floor_gbps = 2

[[private_names]]
name = "acct.blob.core.windows.net"
port = 8443
addresses = ["10.226.0.5"]

[[private_names]]
name = "vault.vault.azure.net"

[vnet_vm]
host = "10.225.0.4"
port = 80

[internet]
host = "www.example.com"
port = 443

[max_mbps]
Standard_D4s_v5 = 12500
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "aksnet.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_every_key_is_read(tmp_path: Path) -> None:
    assert read_site(write(tmp_path, WHOLE)) == Site(
        private_names=(
            PrivateName(name="acct.blob.core.windows.net", port=8443, addresses=("10.226.0.5",)),
            PrivateName(name="vault.vault.azure.net"),
        ),
        vnet_vm=Endpoint(what="VM in the VNet", host="10.225.0.4", port=80),
        internet=Endpoint(what="host on the internet", host="www.example.com", port=443),
        external_names=("www.example.com",),
        egress_ips=("198.51.100.1",),
        throughput_floor_gbps=2.0,
        max_mbps={"Standard_D4s_v5": 12500},
    )


def test_no_file_is_an_empty_site() -> None:
    assert read_site(None) == Site()


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("name = [", "not TOML"),
        ("vnet_vn = {}", "vnet_vn: unknown key"),
        ("vnet_vm = 3", "vnet_vm: must be a table"),
        ("[vnet_vm]\nport = 80", "vnet_vm.host"),
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
