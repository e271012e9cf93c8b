"""The wire server and the instance metadata service, as machines and pods of a lab see them."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from pytest_aksnet.lab.layout import default_spec
from tests.lab.running_lab import RunningLab
from tests.lab.scene import Scene

VERSION = "api-version=2021-02-01"
INSTANCE = f"http://169.254.169.254/metadata/instance?{VERSION}"
METADATA = ("-H", "Metadata: true")


@pytest.fixture
def scene(lab: RunningLab, tmp_path: Path) -> Iterator[Scene]:
    with Scene(lab, default_spec("overlay", "calico"), tmp_path) as found:
        yield found


def _curl(scene: Scene, place: str, *arguments: str) -> tuple[int, str]:
    """Status and body."""
    argv = ("curl", "-s", "-m", "5", "-w", "\n%{http_code}", *arguments)
    body, _, status = scene.run(place, *argv).stdout.rpartition("\n")
    return int(status), body


def test_a_node_and_its_pods_are_told_about_the_node(scene: Scene) -> None:
    node = scene.spec.nodes[0]
    for place in (scene.node(0), scene.pod(0)):
        status, body = _curl(scene, place, *METADATA, INSTANCE)
        assert status == 200
        said = json.loads(body)
        compute, interface = said["compute"], said["network"]["interface"][0]
        assert compute["name"] == f"{node.vmss}_{node.instance}"
        assert compute["vmSize"] == node.instance_type
        assert compute["vmScaleSetName"] == node.vmss
        assert f"{compute['location']}-{compute['zone']}" == node.zone
        assert compute["resourceId"] == node.provider_id.removeprefix("azure://")
        assert interface["ipv4"]["ipAddress"][0]["privateIpAddress"] == node.ip
        assert interface["macAddress"] == node.mac.replace(":", "").upper()


def test_other_machines_are_told_about_themselves(scene: Scene) -> None:
    for name in ("vm", "peered-vm"):
        leaf = f"http://169.254.169.254/metadata/instance/compute/name?{VERSION}&format=text"
        assert _curl(scene, scene.host(name), *METADATA, leaf) == (200, name)


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        ((INSTANCE,), 400, "Required metadata header not specified"),
        ((*METADATA, "-H", "X-Forwarded-For: 10.0.0.1", INSTANCE), 400, "X-Forwarded-For"),
        ((*METADATA, INSTANCE.partition("?")[0]), 400, "newest-versions"),
        ((*METADATA, f"{INSTANCE}9"), 400, "newest-versions"),
        ((*METADATA, INSTANCE.replace("?", "/compute/nothing?")), 404, "Not found"),
        ((*METADATA, INSTANCE.replace("?", "/compute/name?")), 404, "format=text"),
    ],
)
def test_wrong_requests_are_refused(
    scene: Scene, arguments: tuple[str, ...], status: int, words: str
) -> None:
    found = _curl(scene, scene.node(0), *arguments)
    assert found[0] == status
    assert words in found[1]


def test_the_wire_server_is_for_nodes(scene: Scene) -> None:
    versions = f"http://{scene.spec.azure_dns_ip}/?comp=versions"
    status, body = _curl(scene, scene.node(0), versions)
    assert (status, "<Version>2015-04-05</Version>" in body) == (200, True)
    plugin = f"http://{scene.spec.azure_dns_ip}:32526/health"
    assert _curl(scene, scene.node(0), plugin)[0] == 200
    for port in (80, 32526):
        look = scene.tcp(scene.pod(0), scene.spec.azure_dns_ip, port, seconds=0.5)
        assert look.outcome == "timeout"
