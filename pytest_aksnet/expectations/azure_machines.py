"""Which machines of Azure are nodes of the cluster, and how both sides say they are. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from pytest_aksnet.expectations.azure_blame import Finding, failed, open_, passed, together
from pytest_aksnet.model.azure_machines import Machine, ScaleSet

JOINS = "AKS docs: core concepts (a node is a virtual machine of an agent pool)"
LEAVES = "Kubernetes docs: Cloud Controller Manager (a node whose machine is gone is deleted)"
STATES = "Azure docs: troubleshoot AKS clusters or nodes in a failed state"

_NO_POOLS = "ARM lists no machine that is tagged with an agent pool"
_FAILED = "Failed"
_SUCCEEDED = "Succeeded"
_RUNNING = "running"
_OFF = ("deallocated", "deallocating", "stopped", "stopping")


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterNode:
    """A node as the cluster has it; `machine` is the id of its machine, empty for none of Azure.

    `pool` is the agent pool of its label, empty for none; a node that Karpenter made (node
    autoprovisioning) is of none, and `is_of_pool` is false. `addresses` are its internal addresses,
    `external` its public ones.
    """

    name: str
    machine: str
    pool: str = ""
    addresses: tuple[str, ...] = ()
    external: tuple[str, ...] = ()
    is_ready: bool = True
    is_of_pool: bool = True
    is_windows: bool = False


def by_machine(nodes: Iterable[ClusterNode]) -> dict[str, ClusterNode]:
    """The nodes by the ids of their machines, without those that are on none of Azure's."""
    return {node.machine: node for node in nodes if node.machine}


def judge_joined(machines: Sequence[Machine], nodes: Sequence[ClusterNode]) -> Finding:
    """Whether each running machine of a pool is a node, and each node has its machine."""
    there = by_machine(nodes)
    if not there:
        return open_("no node names a machine of Azure as its spec.providerID")
    if not any(machine.pool for machine in machines):
        return open_(_NO_POOLS)
    known = {machine.id for machine in machines}
    findings = [_joined(machine, there) for machine in machines if machine.pool]
    findings += [_has_machine(node) for id_, node in there.items() if id_ not in known]
    return together(findings)


def _joined(machine: Machine, nodes: Mapping[str, ClusterNode]) -> Finding:
    node = nodes.get(machine.id)
    called = named(machine)
    if node is not None:
        return passed(f"{called} is node {node.name}", source=JOINS)
    if machine.power_state in _OFF:
        return passed(f"{called} is {machine.power_state}, and no node", source=JOINS)
    if machine.power_state != _RUNNING or machine.provisioning_state not in (_SUCCEEDED, _FAILED):
        return open_(
            f"{called} is no node, and ARM does not say that it runs and is made: power state "
            f"{machine.power_state or 'not told'}, provisioning state "
            f"{machine.provisioning_state or 'not told'}"
        )
    return failed(
        f"{called} of pool {machine.pool} runs, and no node of the cluster names it as its "
        "spec.providerID: it never joined, or its node was deleted",
        resource=machine.id,
        change="reimage or delete the machine",
        source=JOINS,
    )


def _has_machine(node: ClusterNode) -> Finding:
    if node.is_ready:
        return open_(f"node {node.name} is Ready, and ARM lists no machine {node.machine}")
    return failed(
        f"node {node.name} is not Ready, and its machine is none of those that ARM lists",
        resource=node.machine,
        change="it is gone: delete the node",
        source=LEAVES,
    )


def judge_states(
    sets: Sequence[ScaleSet], machines: Sequence[Machine], nodes: Sequence[ClusterNode]
) -> Finding:
    """Whether ARM calls no scale set and no machine Failed that the cluster runs on."""
    there = by_machine(nodes)
    if not any(machine.pool for machine in machines):
        return open_(_NO_POOLS)
    findings = [_state(machine, _of_node(machine, there)) for machine in machines if machine.pool]
    findings += [
        _state_of(f"scale set {one.name}", one.id, one.provisioning_state, _nodes_in(one, there))
        for one in sets
        if one.pool
    ]
    return together(findings)


def _state(machine: Machine, node: str) -> Finding:
    return _state_of(named(machine), machine.id, machine.provisioning_state, node)


def _of_node(machine: Machine, nodes: Mapping[str, ClusterNode]) -> str:
    node = nodes.get(machine.id)
    if node is None:
        return "; no node of the cluster is on it"
    return f"; its node {node.name} is {'Ready' if node.is_ready else 'not Ready'}"


def _nodes_in(one: ScaleSet, nodes: Mapping[str, ClusterNode]) -> str:
    ready = [node.is_ready for id_, node in nodes.items() if id_.startswith(f"{one.id}/")]
    return f"; {sum(ready)} of its {len(ready)} nodes are Ready"


def _state_of(what: str, resource: str, state: str, beside: str) -> Finding:
    if not state:
        return open_(f"ARM does not say the provisioning state of {what}")
    if state != _FAILED:
        return passed(f"{what} is {state}", source=STATES)
    return failed(
        f"ARM says that {what} is Failed{beside}",
        resource=resource,
        change="reconcile it: `az aks nodepool update`, or reimage the machine",
        source=STATES,
    )


def named(machine: Machine) -> str:
    """What a machine is called: its name in Azure, and that of the computer where it differs."""
    if machine.computer_name and machine.computer_name != machine.name.lower():
        return f"machine {machine.name} ({machine.computer_name})"
    return f"machine {machine.name}"
