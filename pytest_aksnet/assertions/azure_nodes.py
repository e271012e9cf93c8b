"""Verbs about the machines of the nodes and their network interfaces in ARM, beside the nodes."""

import time
from collections.abc import Callable, Mapping, Sequence

from pytest_aksnet.assertions.azure_looker import AzureVerbs
from pytest_aksnet.assertions.cluster_state import nodes_of, pods_of
from pytest_aksnet.assertions.node_health import require_host_network
from pytest_aksnet.assertions.target import AnyPod, pod_of
from pytest_aksnet.expectations import (
    azure_acceleration,
    azure_interfaces,
    azure_machines,
    azure_private_nodes,
)
from pytest_aksnet.expectations.accelerated_networking import virtual_function
from pytest_aksnet.expectations.azure_blame import Finding, open_, together
from pytest_aksnet.expectations.azure_machines import ClusterNode
from pytest_aksnet.model.azure import CLUSTER, POOLS, AzurePool, NetworkPlan
from pytest_aksnet.model.azure_machines import (
    INTERFACES,
    MACHINES,
    SCALE_SETS,
    SIZES,
    Interface,
    machine_of,
)
from pytest_aksnet.model.errors import FactUnknown, NotApplicable
from pytest_aksnet.model.observation import FactSheet, NicState
from pytest_aksnet.model.peers import PodRef
from pytest_aksnet.model.verdict import Outcome, Verdict
from pytest_aksnet.probes.nic import Nics

_ON = "azure.accelerated-networking-on"
# Nodes come and go while a run lasts: before a failure, ARM's word must be as young as this (s).
_YOUNG_S = 20.0
_PAUSE_S = 2.0

_Facts = dict[str, str]
_Look = Callable[[float], tuple[_Facts, Finding]]
_OfNode = Callable[[ClusterNode, list[Interface]], Finding | None]
_NO_POOL = AzurePool(name="", count=None, max_pods=0)
_KARPENTER = "karpenter.sh/nodepool"


class AzureNodeVerbs(AzureVerbs):
    """What `Arm` says of the nodes' machines."""

    def assert_machines_are_nodes(self) -> FactSheet:
        """Each running machine of the agent pools is a node, and each node has its machine."""

        def look(since: float) -> tuple[_Facts, Finding]:
            machines, nodes = self.read(MACHINES, since=since), self._nodes()
            there = azure_machines.by_machine(nodes)
            facts = {
                azure_machines.named(one): f"{one.power_state or 'power state not told'}, "
                + (f"node {there[one.id].name}" if one.id in there else "no node")
                for one in machines
                if one.pool
            }
            return facts, azure_machines.judge_joined(machines, nodes)

        return self._settle("machines and nodes", look)

    def assert_machines_healthy(self) -> FactSheet:
        """ARM calls no scale set and no machine of the cluster Failed."""

        def look(since: float) -> tuple[_Facts, Finding]:
            machines, sets = self.read(MACHINES, since=since), self.read(SCALE_SETS, since=since)
            facts = {
                **{f"scale set {one.name}": one.provisioning_state for one in sets},
                **{azure_machines.named(one): one.provisioning_state for one in machines},
            }
            return facts, azure_machines.judge_states(sets, machines, self._nodes())

        return self._settle("states of scale sets and machines", look)

    def assert_vf_where_accelerated(self, host: AnyPod) -> NicState:
        """The node of this host-network pod shows the virtual function that ARM says it has."""
        pod = require_host_network(pod_of(host))
        found = self._of_node(pod)
        on = azure_interfaces.main_interface(found).accelerated
        if on is None:
            raise FactUnknown(
                f"ARM does not say whether node {pod.node} has accelerated networking"
            )
        if not on:
            raise NotApplicable(
                f"ARM says that node {pod.node} has no accelerated networking: {_ON} judges that"
            )
        return self._engine.converge(
            pod,
            Nics(),
            lambda state: azure_acceleration.judge_shown(state, found, node=pod.node),
            # The virtual function goes away for a while when Azure services the host.
            patience_s=self._engine.pacing.servicing_s,
        )

    def assert_accelerated_networking_on(self, hosts: Sequence[AnyPod]) -> FactSheet:
        """Each node has accelerated networking whose size can; those without are looked at.

        `hosts` are host-network pods on the nodes.
        """
        pods = {pod.node: require_host_network(pod) for pod in map(pod_of, hosts)}
        seen: dict[str, bool] = {}

        def look(since: float) -> tuple[_Facts, Finding]:
            machines = {one.id: one for one in self.read(MACHINES, since=since)}
            sizes = {one.name.lower(): one for one in self.read(SIZES)}

            def judge(node: ClusterNode, found: list[Interface]) -> Finding:
                off = azure_interfaces.main_interface(found).accelerated is False
                if off and node.name in pods and node.name not in seen:
                    seen[node.name] = self._shows_vf(pods[node.name])
                return azure_acceleration.judge_turned_on(
                    node,
                    found,
                    machines[node.machine].size if node.machine in machines else "",
                    sizes,
                    shows_vf=seen.get(node.name),
                )

            return self._of_each(judge, since, lambda one: f"accelerated {one.accelerated}")

        return self._settle("accelerated networking of nodes", look)

    def assert_forwarding_as_needed(self) -> FactSheet:
        """The interfaces of the nodes forward as the network mode needs it."""
        plan = self._plan()
        pools = {pool.name: pool for pool in self.read(POOLS)}
        wanted = {
            name: azure_interfaces.wanted_forwarding(plan, pool) for name, pool in pools.items()
        }
        if pools and not any(one is not None for one in wanted.values()):
            raise NotApplicable(
                f"nothing says whether interfaces forward with network plugin {plan.plugin} "
                f"{plan.plugin_mode or 'and pods in a subnet of their own'}"
            )

        def judge(node: ClusterNode, found: list[Interface]) -> Finding:
            want = wanted.get(node.pool)
            if not node.is_of_pool:
                want = azure_interfaces.wanted_forwarding(plan, _NO_POOL)
            if want is None:
                return open_(f"nothing says whether the interface of node {node.name} forwards")
            nic = azure_interfaces.main_interface(found)
            return azure_interfaces.judge_forwarding(node, nic, plan=plan, wanted=want)

        return self._settle(
            "IP forwarding of interfaces",
            lambda since: self._of_each(judge, since, lambda one: f"forwards {one.forwards}"),
        )

    def assert_addresses_are_interfaces(self) -> FactSheet:
        """Each address of nodes, and of pods in the nodes' subnet, is one of its interface."""

        def look(since: float) -> tuple[_Facts, Finding]:
            pods = self._pods_in_node_subnets()

            def judge(node: ClusterNode, found: list[Interface]) -> Finding:
                findings = [azure_interfaces.judge_node_addresses(node, found)]
                if own := pods.get(node.name):
                    findings.append(azure_interfaces.judge_pod_addresses(node, own, found))
                return together(findings)

            return self._of_each(judge, since, _addresses_of)

        return self._settle("addresses of nodes and interfaces", look)

    def assert_interfaces_in_pool_subnets(self) -> FactSheet:
        """The interface of each node is in the subnet that its pool names."""
        group = self.read(CLUSTER).node_group

        def look(since: float) -> tuple[_Facts, Finding]:
            pools = {pool.name: pool for pool in self.read(POOLS, since=since)}

            def judge(node: ClusterNode, found: list[Interface]) -> Finding | None:
                pool = pools.get(node.pool)
                if not node.is_of_pool:
                    return None  # its AKSNodeClass says where it is
                if pool is None:
                    return open_(f"ARM knows no pool {node.pool or 'at all'} of node {node.name}")
                nic = azure_interfaces.main_interface(found)
                return azure_interfaces.judge_subnet(node, pool, nic, node_group=group)

            return self._of_each(judge, since, _subnets_of)

        return self._settle("subnets of interfaces", look)

    def assert_no_public_node_addresses(self) -> FactSheet:
        """No pool gives public addresses, and neither an interface nor a node has one."""

        def look(since: float) -> tuple[_Facts, Finding]:
            pools, machines = self.read(POOLS, since=since), self.read(MACHINES, since=since)
            nodes, found = self._nodes(), self._interfaces(since)
            facts = {
                **{f"pool {one.name}": f"enableNodePublicIP {one.public_ips}" for one in pools},
                **{f"node {one.name}": ", ".join(one.external) or "none" for one in nodes},
            }
            return facts, azure_private_nodes.judge_private(pools, machines, found, nodes)

        return self._settle("public addresses of nodes", look)

    # -- what they rest on -----------------------------------------------------------------

    def _settle(self, what: str, look: _Look) -> FactSheet:
        """Judge what was read; by a young reading where that was before a node came, or failed.

        A failure must last: machines run before they are nodes, and are gone before their nodes.
        """
        facts, finding = look(0.0)
        deadline = self._engine.now() + self._engine.pacing.frontend_s
        if finding.verdict.outcome is not Outcome.PASS:
            facts, finding = look(time.time() - _YOUNG_S)
        while finding.verdict.outcome is Outcome.FAIL and self._engine.now() < deadline:
            self._engine.rest(_PAUSE_S)
            facts, finding = look(time.time())
        return self.judge(what, facts, finding, shows=self.read(CLUSTER).id)

    def _of_each(
        self, judge: _OfNode, since: float, says: Callable[[Interface], str]
    ) -> tuple[_Facts, Finding]:
        """Judge each node that is on a machine of Azure with the interfaces of its machine."""
        found = self._interfaces(since)
        facts, findings = {}, []
        for node in self._nodes():
            if not node.machine:
                continue
            own = found.get(node.machine, [])
            facts[f"node {node.name}"] = "; ".join(map(says, own)) or "no interface"
            finding = judge(node, own) if own else azure_interfaces.unknown_interface(node)
            findings += [] if finding is None else [finding]
        if not findings:
            raise NotApplicable("no node is on a machine of an agent pool in Azure")
        return facts, together(findings)

    def _interfaces(self, since: float) -> dict[str, list[Interface]]:
        interfaces = self.read(INTERFACES, since=since)
        return azure_interfaces.by_machine(interfaces)

    def _nodes(self) -> list[ClusterNode]:
        return [
            ClusterNode(
                name=node.name,
                machine=machine_of(node.provider_id),
                pool=node.pool,
                addresses=node.addresses,
                external=node.external,
                is_ready=node.is_ready,
                is_of_pool=_KARPENTER not in node.labels,
                is_windows=node.info.get("operatingSystem", "").lower() == "windows",
            )
            for node in nodes_of(self._engine.api)
        ]

    def _of_node(self, pod: PodRef) -> list[Interface]:
        """The interfaces of a pod's node. Raises FactUnknown where ARM lists none."""
        machine = next((one.machine for one in self._nodes() if one.name == pod.node), "")
        found = [one for one in self.read(INTERFACES) if machine and one.machine == machine]
        if not found:
            raise FactUnknown(f"ARM lists no interface of the machine of node {pod.node}")
        return found

    def _shows_vf(self, pod: PodRef) -> bool:
        step = Verdict(outcome=Outcome.INCONCLUSIVE, sentence=f"the interfaces of {pod.node}")
        seen = self._engine.look(pod, Nics(), lambda _: step)
        return virtual_function(seen.observation) is not None

    def _plan(self) -> NetworkPlan:
        plan = self.read(CLUSTER).network
        if plan is None or not plan.plugin:
            raise FactUnknown("ARM does not say which network plugin the cluster has")
        return plan

    def _pods_in_node_subnets(self) -> Mapping[str, Mapping[str, Sequence[str]]]:
        """The addresses of running pods, by node and pod, of nodes that hold them for pods."""
        plan = self._plan()
        pools = {one.name for one in self.read(POOLS) if _in_node_subnet(plan, one)}
        pods = pods_of(self._engine.api)
        return {
            node.name: {
                pod.key: pod.ips
                for pod in pods
                if pod.node == node.name and not pod.host_network and pod.phase == "Running"
            }
            for node in self._nodes()
            if node.pool in pools
        }


def _in_node_subnet(plan: NetworkPlan, pool: AzurePool) -> bool:
    return azure_interfaces.wanted_forwarding(plan, pool) is False


def _addresses_of(nic: Interface) -> str:
    ips = [one.ip for one in nic.configurations or ()]
    return f"{len(ips)} addresses, {', '.join(ips[:3])}"


def _subnets_of(nic: Interface) -> str:
    return ", ".join(sorted({one.subnet for one in nic.configurations or ()})) or "not told"
