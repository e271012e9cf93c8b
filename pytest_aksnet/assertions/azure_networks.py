"""Verbs about virtual networks: peerings, ranges, DNS servers, and the state of subnets."""

import ipaddress
from collections import defaultdict
from collections.abc import Sequence

from pytest_aksnet.assertions.azure_packets import got_there
from pytest_aksnet.assertions.azure_places import AzurePlaces, Neighbourhood
from pytest_aksnet.assertions.azure_settling import confirmed
from pytest_aksnet.assertions.target import AnyPod, pod_of
from pytest_aksnet.expectations.azure_blame import together
from pytest_aksnet.expectations.azure_networks import (
    PeeringSeen,
    judge_dns_servers,
    judge_overlap,
    judge_peerings,
    judge_subnets,
)
from pytest_aksnet.expectations.azure_security_rules import networks
from pytest_aksnet.expectations.dns_resolver import LOCAL_DNS_OF_NODES
from pytest_aksnet.model.azure_vnet import PEERED_NETWORKS, Peering, VirtualNetwork
from pytest_aksnet.model.errors import ArmForbidden, ArmUnanswered, FactUnknown, NotApplicable
from pytest_aksnet.model.observation import FactSheet
from pytest_aksnet.model.probing import Kind
from pytest_aksnet.probes.resolver import ResolvConf

_SERVICE_CIDRS = "/apis/networking.k8s.io/v1/servicecidrs"


class AzureNetworkVerbs(AzurePlaces):
    """What `Arm` says of virtual networks."""

    def assert_peerings_connected(self, pod: AnyPod) -> FactSheet:
        """Peerings of the cluster's network are connected on both sides, and in sync.

        Where the site file names a host in a peered network, the pod asks it.
        Raises NotApplicable where there is no peering.
        """
        around = self.neighbourhood(groups=False)
        seen = [self._peering(one, pod) for one in _peerings(around)]
        facts = {
            f"peering {one.near.id.rpartition('/')[2]}": ", ".join(
                (
                    f"{one.near.state} {one.near.in_sync}",
                    f"far side {one.back.state if one.back else 'not known'}",
                    f"{one.host or 'no host named'} answers: {one.answers}",
                )
            )
            for one in seen
        }
        return self.judge("peerings", facts, judge_peerings(seen), shows=around.vnets[0].id)

    def assert_peerings_do_not_overlap(self) -> FactSheet:
        """No range of a peered network is one of the cluster's own.

        Raises NotApplicable where there is no peering.
        """
        around = self.neighbourhood(groups=False)
        peerings = _peerings(around)
        plan = around.cluster.network
        own: dict[str, Sequence[str]] = {
            "the pod range": plan.pod_cidrs if plan else (),
            "the Service range": plan.service_cidrs if plan else (),
            "the nodes' share of pod addresses": [
                cidr for node in around.nodes for cidr in node.pod_cidrs
            ],
            "the range of a ServiceCIDR": [
                cidr
                for one in self._engine.api.items(_SERVICE_CIDRS)
                for cidr in one["spec"].get("cidrs") or ()
            ],
            **{f"the range of {one.name}": one.ranges for one in around.vnets},
        }
        if not own["the Service range"] and not own["the range of a ServiceCIDR"]:
            raise FactUnknown("neither ARM nor the cluster tells the range of Services")
        facts = {what: ", ".join(sorted(set(ranges))) for what, ranges in own.items() if ranges}
        facts |= {f"peered by {one.id}": ", ".join(one.remote_ranges) for one in peerings}
        finding = judge_overlap(peerings, own)
        return self.judge("ranges of peered networks", facts, finding, shows=around.vnets[0].id)

    def assert_dns_servers_agree(self, hosts: Sequence[AnyPod]) -> FactSheet:
        """Nodes ask the DNS servers that their virtual network has.

        `hosts` are pods with the nodes' resolvers. Raises NotApplicable where LocalDNS hides which
        servers a node asks.
        """
        around = self.neighbourhood(groups=False)
        asked: dict[str, tuple[str, ...]] = {}
        by_vnet: defaultdict[str, dict[str, tuple[str, ...]]] = defaultdict(dict)
        for pod in map(pod_of, hosts):
            config = self._engine.diagnose_look(pod, ResolvConf())
            asked[pod.node] = config.nameservers
            if config.nameservers != (LOCAL_DNS_OF_NODES,):
                vnet = around.spot(around.node(pod.node)).vnet
                by_vnet[vnet.id][pod.node] = config.nameservers
        if not by_vnet:
            raise NotApplicable(
                f"nodes ask LocalDNS ({LOCAL_DNS_OF_NODES}), and whom that asks is not seen by pods"
            )
        facts = {f"resolvers of node {node}": ", ".join(ones) for node, ones in asked.items()}
        facts |= {
            f"DNS servers of {vnet.name}": ", ".join(vnet.dns_servers) or "Azure's"
            for vnet in around.vnets
        }
        finding = confirmed(
            lambda since: together(
                judge_dns_servers(vnet, by_vnet[vnet.id])
                for vnet in self.neighbourhood(groups=False, since=since).vnets
                if vnet.id in by_vnet
            )
        )
        return self.judge("DNS servers of the network", facts, finding, shows=around.vnets[0].id)

    def assert_subnets_succeeded(self, pods: Sequence[AnyPod]) -> FactSheet:
        """Subnets of nodes and pods, and their networks, are in the state that was asked for.

        `pods` are some that show in which subnets pods are.
        """
        around = self.neighbourhood(groups=False)
        plan = around.cluster.network
        if plan is None or not plan.outbound_type:
            raise FactUnknown("ARM's answer has no outboundType of the cluster")
        spots = [around.spot(node) for node in around.nodes]
        spots += [spot for pod in pods if (spot := around.spot_of_pod(pod_of(pod))) is not None]
        subnets = {spot.subnet.id: spot.subnet for spot in spots}
        vnets = {spot.vnet.id: spot.vnet for spot in spots}
        facts = {
            f"subnet {one.name}": f"{one.provisioning_state or 'not told'}, default outbound "
            f"access {one.default_outbound}"
            for one in subnets.values()
        }
        facts |= {one.name: one.provisioning_state or "not told" for one in vnets.values()}
        finding = judge_subnets(tuple(vnets.values()), tuple(subnets.values()), plan.outbound_type)
        return self.judge("state of subnets", facts, finding, shows=next(iter(subnets)))

    def _peering(self, near: Peering, pod: AnyPod) -> PeeringSeen:
        far = next((one for one in self._far() if one.id == near.remote_vnet), None)
        own = near.id.partition("/virtualnetworkpeerings/")[0]
        back = next((one for one in far.peerings if one.remote_vnet == own), None) if far else None
        there = self._engine.site.peered_vm
        answers, host = None, ""
        if there is not None and _is_inside(there.host, near.remote_ranges):
            host = f"{there.what} ({there.host}:{there.port})"
            [became] = self.packets(
                pod,
                [self.patient_probe(Kind.CONNECT, there.host, there.port)],
                what=f"a host behind peering {near.id.rpartition('/')[2]}",
                by_hand=("nc", "-nvz", "-w", "3", there.host, str(there.port)),
            )
            answers = got_there(became)
        return PeeringSeen(near=near, back=back, host=host, answers=answers)

    def _far(self) -> tuple[VirtualNetwork, ...]:
        """The peered networks; none where they may not be read, as hubs of others often may not."""
        try:
            return self.read(PEERED_NETWORKS)
        except (ArmForbidden, ArmUnanswered):
            return ()


def _peerings(around: Neighbourhood) -> list[Peering]:
    found = [one for vnet in around.vnets for one in vnet.peerings]
    if not found:
        if not all(vnet.is_whole for vnet in around.vnets):
            raise FactUnknown("ARM's answer has no list of peerings")
        raise NotApplicable(
            f"virtual network {', '.join(one.name for one in around.vnets)} has no peering"
        )
    return found


def _is_inside(host: str, ranges: Sequence[str]) -> bool:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    return any(address in one for one in networks(ranges))
