"""The pure parts of the kubelet: images, expansion, names, quantities, back-off, status."""

from decimal import Decimal
from typing import Any

import pytest

from pytest_aksnet.lab.api import quantity
from pytest_aksnet.lab.controllers.kubelet import environment, images, naming, status
from pytest_aksnet.lab.controllers.kubelet.backoff import BackOff
from pytest_aksnet.lab.controllers.kubelet.images import Program, PullError
from pytest_aksnet.lab.controllers.kubelet.status import ContainerState, PodState
from pytest_aksnet.lab.layout import default_spec, make_spec
from pytest_aksnet.lab.options import LabOptions

SPEC = default_spec("overlay", "calico")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("100m", Decimal("0.1")),
        ("1.5", Decimal("1.5")),
        ("128Mi", Decimal(128 * 2**20)),
        ("1e3", Decimal(1000)),
        ("2k", Decimal(2000)),
    ],
)
def test_a_quantity_is_read_exactly(text: str, value: Decimal) -> None:
    assert quantity.parse(text) == value


@pytest.mark.parametrize("text", ["", "Mi", "1 GB", "--1"])
def test_what_is_no_quantity_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        quantity.parse(text)


@pytest.mark.parametrize(
    ("reference", "full"),
    [
        ("netshoot", "docker.io/library/netshoot:latest"),
        ("nicolaka/netshoot:v0.13", "docker.io/nicolaka/netshoot:v0.13"),
        ("acr.azurecr.io/mirror/netshoot:1", "acr.azurecr.io/mirror/netshoot:1"),
        ("localhost:5000/netshoot", "localhost:5000/netshoot:latest"),
    ],
)
def test_an_image_is_known_by_its_last_name_in_every_registry(reference: str, full: str) -> None:
    assert images.resolve(reference).reference == full


@pytest.mark.parametrize(
    ("reference", "reason", "words"),
    [
        ("nginx", "ErrImagePull", "docker.io/library/nginx:latest: not found"),
        ("registry.invalid/netshoot:1", "ErrImagePull", "no such host"),
        ("UPPER/Case:1", "InvalidImageName", "invalid reference format"),
    ],
)
def test_other_images_cannot_be_pulled(reference: str, reason: str, words: str) -> None:
    with pytest.raises(PullError, match=words) as refused:
        images.resolve(reference)
    assert refused.value.reason == reason


@pytest.mark.parametrize(
    ("text", "expanded"),
    [
        ("$(A)-$(B)", "1-$(B)"),
        ("$$(A)", "$(A)"),
        ("$A $(", "$A $("),
    ],
)
def test_only_known_variables_are_expanded(text: str, expanded: str) -> None:
    assert environment.expand(text, {"A": "1"}) == expanded


def test_args_replace_the_images_command_and_a_command_replaces_both() -> None:
    image = Program(entrypoint=("e",), command=("c",))
    assert environment.command({}, image, {}) == ["e", "c"]
    assert environment.command({"args": ["a"]}, image, {}) == ["e", "a"]
    assert environment.command({"command": ["x"]}, image, {}) == ["x"]
    assert environment.command({"command": ["x"], "args": ["a"]}, image, {}) == ["x", "a"]


def pod(**spec: Any) -> dict[str, Any]:
    return {
        "metadata": {"name": "p", "namespace": "ns", "generation": 1},
        "spec": {"nodeName": "n", "containers": [{"name": "c"}], **spec},
    }


@pytest.mark.parametrize(
    ("spec", "server"),
    [
        ({}, "10.0.0.10"),
        ({"dnsPolicy": "Default"}, "168.63.129.16"),
        ({"hostNetwork": True}, "168.63.129.16"),
        ({"hostNetwork": True, "dnsPolicy": "ClusterFirstWithHostNet"}, "10.0.0.10"),
        ({"dnsPolicy": "None", "dnsConfig": {"nameservers": ["192.0.2.1"]}}, "192.0.2.1"),
    ],
)
def test_the_dns_policy_chooses_the_name_server(spec: dict[str, Any], server: str) -> None:
    lines = naming.resolv_conf(pod(**spec), SPEC, naming.ResolverDefects()).decode().splitlines()
    assert [line for line in lines if line.startswith("nameserver")] == [f"nameserver {server}"]


def test_dns_options_of_the_pod_replace_those_of_the_policy() -> None:
    config = {"options": [{"name": "ndots", "value": "1"}, {"name": "edns0"}]}
    text = naming.resolv_conf(pod(dnsConfig=config), SPEC, naming.ResolverDefects()).decode()
    assert text.splitlines()[-1] == "options ndots:1 edns0"


def test_the_fourth_name_server_is_left_out() -> None:
    config = {"nameservers": [f"192.0.2.{number}" for number in range(1, 5)]}
    text = naming.resolv_conf(pod(dnsConfig=config), SPEC, naming.ResolverDefects()).decode()
    assert [line.split()[1] for line in text.splitlines() if line.startswith("nameserver")] == [
        *("10.0.0.10", "192.0.2.1", "192.0.2.2")
    ]


def test_machines_get_the_dns_servers_of_their_network() -> None:
    spec = make_spec(LabOptions(custom_dns=True, local_dns=True))
    hosts = {host.name: naming.host_resolv_conf(spec, host).decode() for host in spec.hosts}
    own = "nameserver 10.225.0.10\nnameserver 10.225.0.11\n"
    assert hosts["vm"] == f"{own}search {spec.internal_suffix}\n"
    assert hosts["dns-1"] == hosts["peered-vm"] == "nameserver 168.63.129.16\n"
    assert hosts["internet"] == hosts["on-prem"] == ""
    assert naming.node_resolv_conf(spec).startswith(b"nameserver 169.254.10.10\n")


def test_a_pod_with_a_subdomain_knows_its_full_name() -> None:
    hosts = naming.hosts_file(pod(hostname="db-0", subdomain="db"), ("10.244.0.9",), SPEC).decode()
    assert "10.244.0.9\tdb-0.db.ns.svc.cluster.local\tdb-0" in hosts


def test_back_off_doubles_to_five_minutes_and_starts_anew_after_a_long_run() -> None:
    back_off = BackOff()
    assert [back_off.delay() for _ in range(7)] == [0, 10, 20, 40, 80, 160, 300]
    assert back_off.delay(ran_seconds=601) == 0


def container(state: dict[str, Any], *, ready: bool = False) -> ContainerState:
    return ContainerState(name="c", image="netshoot", state=state, ready=ready)


@pytest.mark.parametrize(
    ("item", "final", "phase", "reason"),
    [
        (container(status.waiting("ContainerCreating")), "", "Pending", "ContainersNotReady"),
        (container({"running": {}}), "", "Running", "ContainersNotReady"),
        (container({"running": {}}, ready=True), "", "Running", None),
        (container({"terminated": {"exitCode": 0}}), "Succeeded", "Succeeded", "PodCompleted"),
        (container({"terminated": {"exitCode": 1}}), "Failed", "Failed", "PodFailed"),
    ],
)
def test_phase_and_ready_follow_from_the_containers(
    item: ContainerState, final: str, phase: str, reason: str | None
) -> None:
    state = PodState(host_ips=("10.224.0.4",), start_time="2026-11-21T00:00:00Z", final=final)
    found = status.pod_status(pod(), state, [], [item])
    ready = next(one for one in found["conditions"] if one["type"] == "Ready")
    assert found["phase"] == phase
    assert ready["status"] == str(item.ready)
    assert ready.get("reason") == reason


def test_a_readiness_gate_keeps_a_pod_from_being_ready() -> None:
    state = PodState(host_ips=("10.224.0.4",), start_time="2026-11-21T00:00:00Z")
    gated = pod(readinessGates=[{"conditionType": "example.com/gate"}])
    running = container({"running": {}}, ready=True)
    conditions = {
        item["type"]: item for item in status.pod_status(gated, state, [], [running])["conditions"]
    }
    assert conditions["Ready"]["reason"] == "ReadinessGatesNotReady"
    assert conditions["ContainersReady"]["status"] == "True"


def test_a_condition_that_stays_keeps_its_transition_time() -> None:
    state = PodState(host_ips=("10.224.0.4",), start_time="2026-11-21T00:00:00Z")
    old = {"type": "PodScheduled", "status": "True", "lastTransitionTime": "2026-01-01T00:00:00Z"}
    value = {**pod(), "status": {"conditions": [old]}}
    running = container({"running": {}}, ready=True)
    found = status.pod_status(value, state, [], [running])["conditions"]
    assert found[-1]["lastTransitionTime"] == "2026-01-01T00:00:00Z"
