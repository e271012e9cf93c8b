"""What the readers make of load balancers, NAT gateways and SNAT ports, against the stand-in."""

import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from pytest_aksnet.expectations.azure_backends import judge_inbound_pools, judge_outbound_pools
from pytest_aksnet.expectations.azure_balancer_rules import judge_timeouts
from pytest_aksnet.expectations.azure_frontends import judge_frontends
from pytest_aksnet.lab.api.resources import SERVICES
from pytest_aksnet.lab.options import LabOptions
from pytest_aksnet.model.arm import Sort
from pytest_aksnet.model.azure_balancers import LOAD_BALANCERS, MOST_RULES, RULE_HEALTH
from pytest_aksnet.model.azure_outbound import NAT_GATEWAYS, SNAT_METRICS
from pytest_aksnet.model.azure_vnet import PUBLIC_ADDRESSES
from pytest_aksnet.model.balanced import BackendNode, BalancedService
from pytest_aksnet.model.verdict import Outcome
from tests.lab.arm_readings import readings_of
from tests.lab.arm_server import RunningArm, arm_server

_LAST = "aks-user-31337042-vmss000001"


@pytest.fixture(scope="module")
def arm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningArm]:
    with arm_server(tmp_path_factory.mktemp("arm"), LabOptions()) as running:
        running.add_service("web", "198.51.100.17", up=[_LAST])
        running.add_service("dns", "198.51.100.19", protocol="UDP", port=53)
        running.add_service("inside", "10.224.200.1", up=[_LAST])
        yield running


def test_load_balancers_have_all_their_parts(arm: RunningArm) -> None:
    with readings_of(arm) as readings:
        reading = readings.reading(LOAD_BALANCERS.name)
        assert reading.value is not None, reading.refusal
        public, inside = reading.value
    assert (public.name, inside.name) == ("kubernetes", "kubernetes-internal")
    assert {public.sku, inside.sku} == {"standard"}
    assert [one.ip for one in inside.frontends or ()] == ["10.224.200.1"]
    assert [one.public_address for one in public.frontends or ()].count("") == 0
    assert {(one.protocol, one.port) for one in public.rules or ()} == {("tcp", 80), ("udp", 53)}
    assert {bool(one.probe) for one in public.rules or () if one.protocol == "udp"} == {False}
    assert [(one.ports, one.protocol) for one in public.outbound_rules or ()] == [(0, "all")]
    for pool in public.pools or ():
        assert pool.is_known
        assert len(pool.configurations) == 3
        assert all("/virtualmachines/" in one for one in pool.configurations)


def test_health_is_asked_of_rules_with_a_probe(arm: RunningArm) -> None:
    with readings_of(arm) as readings:
        found = readings.reading(RULE_HEALTH.name)
    assert found.value is not None, found.refusal
    assert found.value.left_out == 0
    assert len(found.value.rules) == 2
    [last] = [node.ip for node in arm.world.spec.nodes if node.name == _LAST]
    for rule in found.value.rules:
        assert [one.ip for one in rule.backends or () if one.state == "up"] == [last]
        reasons = {one.reason for one in rule.backends or () if one.state == "down"}
        assert reasons == {"Down_Probe_TcpProbeTimeout"}


def test_health_is_asked_of_so_many_rules(tmp_path: Path) -> None:
    with arm_server(tmp_path, LabOptions()) as arm:
        for port in range(1, MOST_RULES + 3):
            arm.add_service("many", "10.224.200.1", port=port)
        with readings_of(arm) as readings:
            found = readings.reading(RULE_HEALTH.name)
        assert found.value is not None, found.refusal
        assert (len(found.value.rules), found.value.left_out) == (MOST_RULES, 2)
        # The newest ones are asked.
        assert found.value.rules[-1].rule.endswith(f"-tcp-{MOST_RULES + 2}")


def test_a_missing_action_hides_the_health_alone(tmp_path: Path) -> None:
    with arm_server(tmp_path, LabOptions(arm_role="Reader")) as arm:
        arm.add_service("inside", "10.224.200.1", up=[_LAST])
        with readings_of(arm) as readings:
            refusal = readings.reading(RULE_HEALTH.name).refusal
            assert readings.reading(LOAD_BALANCERS.name).refusal is None
    assert refusal is not None
    assert refusal.sort is Sort.FORBIDDEN
    assert refusal.action.lower() == RULE_HEALTH.actions[0].lower()


def test_gateways_name_addresses_and_subnets(tmp_path: Path) -> None:
    with (
        arm_server(tmp_path, LabOptions(egress="nat-gateway")) as arm,
        readings_of(arm) as readings,
    ):
        found = readings.reading(NAT_GATEWAYS.name)
        assert found.value is not None, found.refusal
        [gateway] = found.value
        assert [one.rpartition("/")[2] for one in gateway.addresses or ()] == ["nat-gateway-ip"]
        assert [one.rpartition("/")[2] for one in gateway.subnets or ()] == ["aks-nodes"]
        # Without an outbound rule nobody has SNAT ports of its own.
        assert readings.reading(SNAT_METRICS.name).value == ()


def test_ports_are_told_by_backend_and_protocol(arm: RunningArm) -> None:
    with readings_of(arm) as readings:
        found = readings.reading(SNAT_METRICS.name)
    assert found.value is not None, found.refusal
    nodes = {node.ip for node in arm.world.spec.nodes}
    assert {(one.ip, one.protocol) for one in found.value} == {
        (ip, protocol) for ip in nodes for protocol in ("TCP", "UDP")
    }
    for one in found.value:
        assert (one.allocated, one.used) == (1024, 0)
        assert abs(one.at - time.time()) < 120


def test_answers_that_lack_fields_never_fail_anybody(arm: RunningArm) -> None:
    spec, store = arm.world.spec, arm.world.store
    nodes = [
        BackendNode(
            name=node.name,
            machine=node.provider_id.removeprefix("azure://").lower(),
            addresses=(node.ip,),
        )
        for node in spec.nodes
    ]
    found = {name: store.find(SERVICES, name, "default") for name in ("web", "inside")}
    services = [
        BalancedService(
            key=f"default/{name}",
            uid=str(one["metadata"]["uid"]),
            addresses=(ip,),
            ports=(("tcp", 80),),
            local=False,
            annotations={},
            ready_on=frozenset(),
        )
        for name, ip in (("web", "198.51.100.17"), ("inside", "10.224.200.1"))
        if (one := found[name]) is not None
    ]
    seen: Counter[Outcome] = Counter()
    arm.trouble.chance, arm.trouble.fields_missing = Random(7), 1.0
    try:
        with readings_of(arm) as readings:
            for _ in range(60):
                balancers = readings.reading(LOAD_BALANCERS.name, since=time.time()).value
                addresses = readings.reading(PUBLIC_ADDRESSES.name).value
                if balancers is None or addresses is None:
                    continue
                public = {one.id: one.ip for one in addresses}
                findings = (
                    judge_inbound_pools(balancers, nodes),
                    judge_outbound_pools(balancers, nodes),
                    judge_frontends(services, balancers, public, cluster="c"),
                    judge_timeouts(services, balancers),
                )
                seen.update(one.verdict.outcome for one in findings)
    finally:
        arm.trouble.fields_missing = 0.0
    assert seen[Outcome.FAIL] == 0, seen
    assert seen[Outcome.INCONCLUSIVE] > 20, seen
