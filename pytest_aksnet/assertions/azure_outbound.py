"""Verbs about the way out in ARM, held against the addresses that the internet sees of pods."""

from collections.abc import Sequence

from pytest_aksnet.assertions.azure_members import with_machines
from pytest_aksnet.assertions.azure_packets import AzurePackets, address_told
from pytest_aksnet.assertions.azure_settling import settled
from pytest_aksnet.assertions.balanced_objects import backend_nodes
from pytest_aksnet.assertions.target import AnyPod, pod_of
from pytest_aksnet.expectations.azure_backends import is_member, judge_outbound_pools
from pytest_aksnet.expectations.azure_blame import Finding
from pytest_aksnet.expectations.azure_outbound import (
    BALANCER_TYPE,
    CLOSED_TYPES,
    ROUTED_TYPE,
    addresses_of_gateways,
    addresses_of_rules,
    is_by_gateway,
    judge_egress,
    judge_gateways,
    judge_routed_egress,
    subnets_of,
)
from pytest_aksnet.expectations.azure_snat import (
    Moment,
    clock,
    count_addresses,
    halved,
    judge_fit,
    judge_halved,
    judge_in_use,
    moments,
    outbound_rule,
)
from pytest_aksnet.model.azure import CLUSTER, POOLS, NetworkPlan
from pytest_aksnet.model.azure_balancers import LOAD_BALANCERS, Balancer, OutboundRule
from pytest_aksnet.model.azure_outbound import (
    NAT_GATEWAYS,
    OUTBOUND_ADDRESSES,
    SNAT_METRICS,
    SnatPorts,
)
from pytest_aksnet.model.azure_vnet import VNETS
from pytest_aksnet.model.errors import FactUnknown, NotApplicable
from pytest_aksnet.model.observation import FactSheet
from pytest_aksnet.model.peers import Endpoint
from pytest_aksnet.model.probing import Kind


class AzureOutboundVerbs(AzurePackets):
    """What `Arm` says of the way out."""

    def assert_egress_address_is_outbound(self, pods: Sequence[AnyPod]) -> FactSheet:
        """The internet sees these pods with an outbound address that ARM has for the cluster.

        With user-defined routes, with none of the load balancer. Raises FactUnknown where the site
        file names no host on the internet, NotApplicable without a way out.
        """
        to = self._engine.site.need_internet()
        cluster, plan = self.read(CLUSTER), self._outbound_plan()
        outbound_type = plan.outbound_type.lower()
        if outbound_type in CLOSED_TYPES:
            raise NotApplicable(f"the cluster has outbound type {plan.outbound_type}")
        pools = self.read(POOLS)
        own = [pool.name for pool in pools if pool.public_ips]
        if own:
            raise NotApplicable(
                f"nodes of pool {', '.join(own)} have public addresses of their own"
            )
        addresses, vnets = self.read(OUTBOUND_ADDRESSES), self.read(VNETS)
        subnets = subnets_of(pools, vnets)
        seen = self._outbound_sources(pods, to)
        if outbound_type == ROUTED_TYPE:
            balancers = self.read(LOAD_BALANCERS)
            finding = judge_routed_egress(seen, addresses_of_rules(balancers), addresses)
        else:
            promised = plan.outbound_ids
            if is_by_gateway(outbound_type):
                gateways = self.read(NAT_GATEWAYS)
                of_gateways = addresses_of_gateways(gateways, subnets)
                promised = tuple(dict.fromkeys((*promised, *of_gateways)))
            finding = judge_egress(
                seen,
                promised,
                addresses,
                subnets,
                outbound_type=plan.outbound_type,
                cluster=cluster.id,
            )
        facts = {f"seen of node {who}": ip or "nothing" for who, ip in seen.items()}
        facts["outbound type"] = plan.outbound_type
        facts |= {
            f"address {one.id.rpartition('/')[2]}": f"{one.range or 'not said'} of {one.owner}"
            for one in addresses
        }
        return self.judge("outbound addresses", facts, finding, shows=cluster.id)

    def assert_outbound_rule_covers_nodes(self) -> FactSheet:
        """Each Ready node is in the backend pool of an outbound rule that has an address.

        Raises NotApplicable with another outbound type than loadBalancer.
        """
        cluster = self.read(CLUSTER)
        self._outbound_need_balancer()

        def judge_now(balancers: Sequence[Balancer]) -> Finding:
            nodes = backend_nodes(self._engine.api)
            told = with_machines(self, balancers, nodes, since=0.0)
            return judge_outbound_pools(told, nodes)

        finding, balancers = settled(self, self._engine, LOAD_BALANCERS, judge_now)
        nodes = backend_nodes(self._engine.api)
        pools = {pool.id: pool for one in balancers for pool in one.pools or ()}
        facts = {f"node {node.name}": node.spared or "Ready" for node in nodes}
        facts |= {
            f"outbound rule {rule.id.rpartition('/')[2]}": ", ".join(
                node.name
                for node in nodes
                if rule.pool in pools and is_member(node, pools[rule.pool])
            )
            or "no node"
            for one in balancers
            for rule in one.outbound_rules or ()
        }
        return self.judge("outbound rule and its nodes", facts, finding, shows=cluster.id)

    def assert_nat_gateway_on_subnets(self, pods: Sequence[AnyPod]) -> FactSheet:
        """Each of the nodes' subnets has a NAT gateway, and that has addresses.

        The pods show with which address they leave, where the site file names a host on the
        internet and they share the nodes' subnets. Raises NotApplicable with another outbound type.
        """
        cluster, plan = self.read(CLUSTER), self._outbound_plan()
        if not is_by_gateway(plan.outbound_type.lower()):
            raise NotApplicable(f"the cluster has outbound type {plan.outbound_type}")
        pools, vnets = self.read(POOLS), self.read(VNETS)
        gateways, addresses = self.read(NAT_GATEWAYS), self.read(OUTBOUND_ADDRESSES)
        subnets = subnets_of(pools, vnets, of_nodes=True)
        to = self._engine.site.internet
        apart = any(pool.pod_subnet for pool in pools)
        seen = {} if to is None or apart else self._outbound_sources(pods, to)
        left_with = {ip for ip in seen.values() if ip}
        finding = judge_gateways(subnets, gateways, seen=left_with, addresses=addresses)
        facts = {f"subnet {one.name}": one.nat_gateway or "no NAT gateway" for one in subnets}
        facts |= {f"seen of node {who}": ip or "nothing" for who, ip in seen.items()}
        return self.judge("NAT gateways", facts, finding, shows=cluster.id)

    def assert_snat_ports_fit(self) -> FactSheet:
        """Addresses have the fixed SNAT ports of all nodes: now, in an upgrade, at the most.

        Raises NotApplicable with another outbound type than loadBalancer.
        """
        cluster, rule = self.read(CLUSTER), self._outbound_rule()
        times = self._outbound_times()
        balancers, addresses = self.read(LOAD_BALANCERS), self.read(OUTBOUND_ADDRESSES)
        count = count_addresses(rule, balancers, addresses)
        facts = {
            "ports of each node": "by the size of the pool" if rule.ports == 0 else str(rule.ports),
            "addresses": "not known" if count is None else str(count),
            **{f"nodes {one.when}": str(one.nodes) for one in times},
        }
        return self.judge(
            "SNAT ports of the outbound rule",
            facts,
            judge_fit(rule, count, times),
            shows=cluster.id,
        )

    def assert_snat_ports_in_use(self) -> FactSheet:
        """No node uses nearly all its SNAT ports, by the newest samples of Azure Monitor.

        Raises NotApplicable with another outbound type than loadBalancer.
        """
        cluster, rule = self.read(CLUSTER), self._outbound_rule()
        ports, names = self.read(SNAT_METRICS), self._outbound_names()
        finding = judge_in_use(ports, names, rule=rule)
        return self.judge("SNAT ports in use", _uses(ports, names), finding, shows=cluster.id)

    def assert_snat_ports_after_scale_out(self) -> FactSheet:
        """No node uses more SNAT ports than it keeps when the pool of backends grows.

        Raises NotApplicable where ports are fixed, or with another outbound type than loadBalancer.
        """
        cluster, rule = self.read(CLUSTER), self._outbound_rule()
        if rule.ports is None:
            raise FactUnknown("ARM's answer lacks the ports of the outbound rule")
        if rule.ports:
            raise NotApplicable(f"each node has {rule.ports} SNAT ports, whatever there are")
        times = self._outbound_times()
        facts = {f"nodes {one.when}": str(one.nodes) for one in times}
        then = halved(times)
        if then is None:
            finding = judge_fit(rule, None, times)
        else:
            ports, names = self.read(SNAT_METRICS), self._outbound_names()
            facts |= _uses(ports, names)
            finding = judge_halved(then, ports, names, rule=rule)
        return self.judge("SNAT ports after a scale-out", facts, finding, shows=cluster.id)

    # -- how they look -----------------------------------------------------------------------

    def _outbound_plan(self) -> NetworkPlan:
        plan = self.read(CLUSTER).network
        if plan is None or not plan.outbound_type:
            raise FactUnknown("ARM's answer lacks the outbound type of the managed cluster")
        return plan

    def _outbound_need_balancer(self) -> None:
        plan = self._outbound_plan()
        if plan.outbound_type.lower() != BALANCER_TYPE:
            raise NotApplicable(f"the cluster has outbound type {plan.outbound_type}")

    def _outbound_rule(self) -> OutboundRule:
        self._outbound_need_balancer()
        balancers = self.read(LOAD_BALANCERS)
        rule = outbound_rule(balancers)
        if rule is None:
            raise FactUnknown("ARM shows no outbound rule of the load balancer")
        return rule

    def _outbound_times(self) -> list[Moment]:
        pools = self.read(POOLS)
        if not pools or any(pool.count is None for pool in pools):
            raise FactUnknown("ARM's answer lacks how many nodes the pools have")
        try:
            return moments(pools)
        except ValueError as error:
            raise FactUnknown(f"ARM tells a surge that is none: {error}") from error

    def _outbound_names(self) -> dict[str, str]:
        return {ip: node.name for node in backend_nodes(self._engine.api) for ip in node.addresses}

    def _outbound_sources(self, pods: Sequence[AnyPod], to: Endpoint) -> dict[str, str]:
        """The address that the internet saw, by node; empty where it told none."""
        found = {}
        for pod in pods:
            [answer] = self.answers(
                pod,
                [self.patient_probe(Kind.HTTP, to.host, to.port)],
                what=f"the address that {to.what} sees",
                by_hand=("curl", "-s", f"http://{to.host}:{to.port}/"),
            )
            found[pod_of(pod).node] = address_told(answer)
        return found


def _uses(ports: Sequence[SnatPorts], names: dict[str, str]) -> dict[str, str]:
    return {
        f"{names.get(one.ip, one.ip)}, {one.protocol}": f"{one.used} of {one.allocated} at "
        f"{clock(one.at)}"
        for one in ports
    }
