"""Verbs about machines over a scripted ARM: when it is read again, and what is looked at."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest

from pytest_aksnet.azure_inventory import Arm
from pytest_aksnet.model.api import Json
from pytest_aksnet.model.arm import Reading, Refusal, Sort
from pytest_aksnet.model.azure import CLUSTER, POOLS
from pytest_aksnet.model.azure_machines import (
    INTERFACES,
    MACHINES,
    SCALE_SETS,
    SIZES,
    VmSize,
)
from pytest_aksnet.model.errors import (
    ArmForbidden,
    ConformanceFailure,
    FactUnknown,
    NotApplicable,
)
from tests.unit.expectations import azure_machine_samples as one
from tests.unit.expectations import azure_samples
from tests.unit.scripted import HOST, Answer, StaticApi, World, always, nics

_NODE = HOST.node
_SIZE = VmSize(name=one.MACHINE.size, accelerates=True, most_interfaces=2, cpus=4)
_PLAN = replace(azure_samples.PLAN, plugin_mode="")


class ScriptedArm:
    """An ArmReader: values by topic, or a refusal; `later` are those of a second reading."""

    def __init__(self, later: Mapping[str, Any] | None = None, **changed: Any) -> None:
        self.values: dict[str, Any] = {
            CLUSTER.name: azure_samples.CLUSTER,
            POOLS.name: (replace(azure_samples.POOL, public_ips=False),),
            SCALE_SETS.name: (one.SET,),
            MACHINES.name: (one.MACHINE,),
            INTERFACES.name: (one.NIC,),
            SIZES.name: (_SIZE,),
            **{name.replace("_", "-"): value for name, value in changed.items()},
        }
        self.later = later or {}
        self.asked_again: list[str] = []

    def reading(self, topic: str, *, since: float = 0.0) -> Reading[Any]:
        value = self.values[topic]
        if since:
            self.asked_again.append(topic)
            value = self.later.get(topic, value)
        if isinstance(value, Refusal):
            return Reading(topic=topic, taken=since, refusal=value)
        return Reading(topic=topic, taken=since, value=value)


def _node(*ips: str, machine: str = one.MACHINE_ID) -> Json:
    return {
        "metadata": {"name": _NODE, "labels": {"kubernetes.azure.com/agentpool": "user"}},
        "spec": {"providerID": f"azure://{machine.upper()}"},
        "status": {
            "addresses": [{"type": "InternalIP", "address": ip} for ip in ips],
            "conditions": [{"type": "Ready", "status": "True"}],
        },
    }


def _pod(name: str, ip: str, *, host: bool = False, phase: str = "Running") -> Json:
    return {
        "metadata": {"name": name, "namespace": "shop"},
        "spec": {"nodeName": _NODE, "hostNetwork": host},
        "status": {"phase": phase, "podIPs": [{"ip": ip}]},
    }


def _arm(
    arm: ScriptedArm,
    *pods: Json,
    node: Json | None = None,
    answer: Answer | None = None,
) -> Arm:
    lists = {"/api/v1/nodes": [node or _node("10.224.0.4")], "/api/v1/pods": list(pods)}
    world = World(always(answer or nics()), api=StaticApi(lists=lists), arm=arm)
    return Arm(world.engine)


_VERBS: Mapping[str, Callable[[Arm], object]] = {
    "nodes": Arm.assert_machines_are_nodes,
    "healthy": Arm.assert_machines_healthy,
    "on": lambda arm: arm.assert_accelerated_networking_on([HOST]),
    "shows": lambda arm: arm.assert_vf_where_accelerated(HOST),
    "forwarding": Arm.assert_forwarding_as_needed,
    "addresses": Arm.assert_addresses_are_interfaces,
    "public": Arm.assert_no_public_node_addresses,
}


@pytest.mark.parametrize("verb", _VERBS)
def test_what_is_right_is_read_once(verb: str) -> None:
    arm = ScriptedArm()
    _VERBS[verb](_arm(arm))
    assert arm.asked_again == []


def test_a_failure_is_judged_by_a_young_reading() -> None:
    added = replace(one.MACHINE, id=f"{one.SET_ID}/virtualmachines/9", name="x_9")
    gone = ScriptedArm({MACHINES.name: (one.MACHINE,)}, machines=(one.MACHINE, added))
    _arm(gone).assert_machines_are_nodes()
    assert gone.asked_again == [MACHINES.name]
    stays = ScriptedArm(machines=(one.MACHINE, added))
    with pytest.raises(ConformanceFailure, match="az vmss show --subscription=s "):
        _arm(stays).assert_machines_are_nodes()


@pytest.mark.parametrize("verb", _VERBS)
def test_a_right_that_is_missing_is_a_skip(verb: str) -> None:
    refused = Refusal(sort=Sort.FORBIDDEN, why="no", action="Some/action")
    arm = ScriptedArm(machines=refused, interfaces=refused)
    with pytest.raises(ArmForbidden, match="no"):
        _VERBS[verb](_arm(arm))


@pytest.mark.parametrize("verb", ["on", "shows", "forwarding", "addresses", "public"])
def test_a_node_without_an_interface_is_open(verb: str) -> None:
    with pytest.raises(FactUnknown, match="ARM lists no interface of the machine of node node-a"):
        _VERBS[verb](_arm(ScriptedArm(interfaces=())))


def test_only_nodes_without_accelerated_networking_are_looked_at() -> None:
    off = ScriptedArm(interfaces=(replace(one.NIC, accelerated=False),))
    with pytest.raises(ConformanceFailure, match="the node shows no virtual function"):
        _arm(off, answer=nics(vf="")).assert_accelerated_networking_on([HOST])
    with pytest.raises(FactUnknown, match="and the node shows it"):
        _arm(off, answer=nics()).assert_accelerated_networking_on([HOST])
    with pytest.raises(NotApplicable, match="networking-on judges that"):
        _arm(off).assert_vf_where_accelerated(HOST)


def test_a_virtual_function_that_is_missing_names_the_interface() -> None:
    with pytest.raises(ConformanceFailure, match="az vmss nic show"):
        _arm(ScriptedArm(), answer=nics(vf="")).assert_vf_where_accelerated(HOST)


def test_what_arm_does_not_say_of_it_is_open() -> None:
    untold = ScriptedArm(interfaces=(replace(one.NIC, accelerated=None),))
    for verb in ("on", "shows"):
        with pytest.raises(FactUnknown, match="ARM does not say whether"):
            _VERBS[verb](_arm(untold))


def _cluster(**plan: Any) -> Any:
    return replace(azure_samples.CLUSTER, network=replace(_PLAN, **plan))


def test_forwarding_is_no_matter_of_every_mode() -> None:
    with pytest.raises(NotApplicable, match="network plugin none"):
        _arm(ScriptedArm(cluster=_cluster(plugin="none"))).assert_forwarding_as_needed()
    for network in (None, replace(_PLAN, plugin="")):
        untold = ScriptedArm(cluster=replace(azure_samples.CLUSTER, network=network))
        with pytest.raises(FactUnknown, match="which network plugin"):
            _arm(untold).assert_forwarding_as_needed()


def test_pods_in_the_nodes_subnet_have_addresses_of_their_nodes_interface() -> None:
    own = tuple(replace(one.CONFIGURATION, ip=ip) for ip in ("10.224.0.4", "10.224.0.10"))
    arm = ScriptedArm(cluster=_cluster(), interfaces=(replace(one.NIC, configurations=own),))
    there = (
        _pod("cart", "10.224.0.10"),
        _pod("agent", "10.224.0.4", host=True),
        _pod("new", "10.224.0.77", phase="Pending"),
    )
    _arm(arm, *there).assert_addresses_are_interfaces()
    with pytest.raises(ConformanceFailure, match="of pod shop/till on node node-a"):
        _arm(arm, *there, _pod("till", "10.224.0.88")).assert_addresses_are_interfaces()


def test_pods_of_other_modes_are_not_looked_for_on_interfaces() -> None:
    _arm(ScriptedArm(), _pod("cart", "10.244.0.10")).assert_addresses_are_interfaces()
    pools = (replace(azure_samples.POOL, pod_subnet=one.SUBNET_ID),)
    in_pod_subnet = ScriptedArm(cluster=_cluster(), pools=pools)
    _arm(in_pod_subnet, _pod("cart", "10.232.0.10")).assert_addresses_are_interfaces()


def test_subnets_are_held_against_those_of_the_pools() -> None:
    pools = (replace(azure_samples.POOL, node_subnet=one.SUBNET_ID),)
    _arm(ScriptedArm(pools=pools)).assert_interfaces_in_pool_subnets()
    other = (replace(azure_samples.POOL, name="other"),)
    with pytest.raises(FactUnknown, match="ARM knows no pool user"):
        _arm(ScriptedArm(pools=other)).assert_interfaces_in_pool_subnets()


def test_nodes_of_nobody_are_not_judged() -> None:
    stranger = _node("10.0.0.1")
    stranger["spec"]["providerID"] = "kind://x"
    with pytest.raises(NotApplicable, match="no node is on a machine of an agent pool in Azure"):
        _arm(ScriptedArm(), node=stranger).assert_addresses_are_interfaces()
    with pytest.raises(FactUnknown, match="ARM lists no interface"):
        _arm(ScriptedArm(), node=stranger).assert_vf_where_accelerated(HOST)
