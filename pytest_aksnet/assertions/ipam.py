"""Verbs about address ranges: how full they are, whether they overlap, and what lacks addresses."""

import ipaddress
from collections import Counter
from collections.abc import Sequence

from pytest_aksnet.assertions.cluster_state import nodes_of, pods_of
from pytest_aksnet.assertions.ipam_pressure import pressure_of
from pytest_aksnet.assertions.ipam_rooms import Rooms
from pytest_aksnet.assertions.looker import Reader
from pytest_aksnet.assertions.sheets import judge_sheet
from pytest_aksnet.check import Engine
from pytest_aksnet.expectations import ipam, ipam_arithmetic, ipam_upgrade
from pytest_aksnet.expectations.ipam_arithmetic import Network
from pytest_aksnet.expectations.ipam_upgrade import Demand
from pytest_aksnet.expectations.upgrade_ports import judge_snat_ports
from pytest_aksnet.expectations.upgrade_versions import minor_of
from pytest_aksnet.model.addresses import is_address
from pytest_aksnet.model.errors import FactUnknown, NotApplicable
from pytest_aksnet.model.observation import FactSheet

_NODES = ("kubectl", "get", "nodes", "--output=wide")
_USAGE = ("az", "network", "vnet", "list-usage", "--ids", "VNET")
_SERVICE_CIDRS = ("kubectl", "get", "servicecidrs")
_OVERLAY_BLOCK = ipam_arithmetic.NODE_BLOCK_PREFIX


class IpamVerbs(Reader):
    """What `Inventory` says of addresses."""

    def assert_node_subnet_has_room(self) -> FactSheet:
        """The nodes' subnets have what one more node takes.

        Raises NotApplicable off Azure, FactUnknown where the subnet is not known.
        """
        rooms = Rooms(self._engine).of_nodes()
        return _judge_rooms(self._engine, "room in the nodes' subnets", rooms)

    def assert_pod_subnet_has_room(self) -> FactSheet:
        """The pods' subnets have what one more node takes. Raises NotApplicable in other modes."""
        return _judge_rooms(
            self._engine, "room in the pods' subnets", Rooms(self._engine).of_pods()
        )

    def assert_pod_range_has_room(self) -> FactSheet:
        """The pods' range has a block, and a route table a route, for one more node."""
        return _judge_rooms(
            self._engine, "room in the pods' range", Rooms(self._engine).of_pod_range()
        )

    def assert_room_for_upgrade(self) -> FactSheet:
        """Every range and subnet has room for the nodes that an upgrade adds for a while."""
        rooms = Rooms(self._engine)
        demands = rooms.of_nodes()
        if rooms.mode == "pod-subnet":
            demands += rooms.of_pods()
        if rooms.mode in ("overlay", "kubenet"):
            demands += rooms.of_pod_range()
        version = minor_of(self._engine.profile.need("kubernetes-version"))
        verdict = ipam_upgrade.judge_surge(demands, falls_back=ipam_arithmetic.falls_back(version))
        facts = {
            f"surge of pool {pool.name}": f"{pool.max_surge} of {pool.nodes} nodes"
            for pool in rooms.pools
        }
        facts |= {demand.room.what: str(demand.room) for demand in demands}
        return judge_sheet(self._engine, "room for the surge of an upgrade", facts, verdict, _USAGE)

    def assert_snat_ports_for_upgrade(self) -> FactSheet:
        """Nodes keep their SNAT ports during an upgrade. Raises NotApplicable off Azure."""
        rooms = Rooms(self._engine)
        profile = self._engine.profile
        nodes = sum(pool.nodes for pool in rooms.pools)
        surge = sum(pool.surge for pool in rooms.pools)
        azure, outbound = profile.azure, profile.get("outbound-type")
        verdict = judge_snat_ports(
            nodes,
            surge,
            outbound_type=outbound,
            ports=azure.outbound_ports if azure else None,
            addresses=azure.outbound_ips if azure else None,
        )
        facts = {
            "nodes": str(nodes),
            "surge": str(surge),
            "outbound type": outbound or "not known",
            "fixed ports of each node": str(azure.outbound_ports if azure else "not known"),
        }
        by_hand = ("az", "aks", "show", "--query=networkProfile.loadBalancerProfile")
        return judge_sheet(self._engine, "SNAT ports", facts, verdict, by_hand)

    def assert_pods_fit_nodes(self) -> FactSheet:
        """No node runs as many pods as its kubelet takes. Raises FactUnknown without a limit."""
        pods = Counter(pod.node for pod in pods_of(self._engine.api))
        rooms = {node.name: node.pod_room for node in nodes_of(self._engine.api)}
        known = {name: (pods[name], room) for name, room in rooms.items() if room is not None}
        if len(known) < len(rooms):
            lacking = sorted(rooms.keys() - known.keys())
            raise FactUnknown(f"status.allocatable.pods is missing of node {', '.join(lacking)}")
        return judge_sheet(
            self._engine,
            "pods per node",
            {name: f"{count} of {most} pods" for name, (count, most) in known.items()},
            ipam.judge_pods_per_node(known),
            ("kubectl", "describe", "nodes"),
        )

    def assert_no_address_pressure(self) -> FactSheet:
        """No pod waits because addresses or places are used up, as events tell."""
        found = pressure_of(self._engine.api)
        return judge_sheet(
            self._engine,
            "events that tell of a lack of addresses",
            {
                "lasting": "; ".join(found.lasting) or "none",
                "over": "; ".join(found.over) or "none",
            },
            ipam.judge_pressure(found.lasting, found.over),
            ("kubectl", "get", "events", "--all-namespaces", "--field-selector=type=Warning"),
        )

    def assert_ranges_disjoint(self) -> FactSheet:
        """The ranges of pods, Services and network do not overlap, nor touch reserved ones.

        Raises FactUnknown where neither the pods' nor the Services' ranges are known.
        """
        profile = self._engine.profile
        names = {
            "pods": "pod-cidrs",
            "Services": "service-cidrs",
            "nodes": "node-cidrs",
            "the virtual network": "vnet-cidrs",
        }
        ranges: dict[str, Sequence[Network]] = {
            whose: found
            for whose, fact in names.items()
            if profile.get(fact) and (found := _bounded(profile.networks(fact)))
        }
        if "Services" in ranges or _service_cidrs(self._engine):
            ranges["Services"] = _service_cidrs(self._engine) or ranges["Services"]
        if not ranges.keys() & {"pods", "Services"}:
            profile.need("service-cidrs")
        nested = {frozenset(("nodes", "the virtual network"))}
        # Where pods have addresses of the network, theirs are among its ranges.
        if profile.get("mode") in ("node-subnet", "pod-subnet"):
            nested |= {frozenset(("pods", one)) for one in ("nodes", "the virtual network")}
        verdict = ipam.judge_disjoint(
            ranges,
            _hosts(self._engine, in_network=profile.get("mode") in ("node-subnet", "pod-subnet")),
            nested=frozenset(nested),
            reserved=profile.get("cloud") == "azure",
        )
        facts = {whose: ", ".join(map(str, found)) for whose, found in ranges.items()}
        return judge_sheet(self._engine, "ranges of addresses", facts, verdict, _SERVICE_CIDRS)

    def assert_service_range_has_room(self) -> FactSheet:
        """A new Service gets a cluster IP. Raises FactUnknown where the range is not known."""
        ranges = _service_cidrs(self._engine) or self._engine.profile.networks("service-cidrs")
        families = {one.version for one in ranges}
        rooms = []
        for version in sorted(families):
            of_family = [one for one in ranges if one.version == version]
            held = {ip for ip in _cluster_ips(self._engine) if any(ip in one for one in of_family)}
            rooms.append(
                ipam.Room(
                    what=f"cluster IPs of {', '.join(map(str, of_family))}",
                    size=ipam_arithmetic.service_addresses(of_family),
                    used=len(held),
                    is_measured=True,
                )
            )
        fullest = min(rooms, key=lambda room: room.free)
        facts = {room.what: str(room) for room in rooms}
        return judge_sheet(
            self._engine,
            "room in the Services' range",
            facts,
            ipam.judge_service_range(fullest),
            _SERVICE_CIDRS,
        )

    def assert_node_ranges_distinct(self) -> FactSheet:
        """No two nodes give their pods addresses of one range.

        Raises NotApplicable without any range or with one node, FactUnknown where just one's is
        known.
        """
        nodes = nodes_of(self._engine.api)
        blocks: dict[str, list[Network]] = {
            node.name: [ipaddress.ip_network(cidr) for cidr in node.pod_cidrs]
            for node in nodes
            if node.pod_cidrs
        }
        where = "spec.podCIDRs of the nodes"
        if not blocks and self._engine.profile.get("mode") == "overlay":
            where = f"addresses of running pods, by their /{_OVERLAY_BLOCK}"
            blocks = _blocks_of_pods(self._engine)
        if not blocks:
            raise NotApplicable(
                "no node has a range of its own for pods (spec.podCIDRs), and the network mode is "
                f"{self._engine.profile.get('mode') or 'not known'}"
            )
        if len(nodes) == 1:
            raise NotApplicable("the cluster has one node, whose range nobody shares")
        if len(blocks) == 1:
            raise FactUnknown(f"the range of one node alone is known: {', '.join(blocks)}")
        facts = {name: ", ".join(map(str, found)) for name, found in blocks.items()}
        verdict = ipam.judge_blocks_distinct(blocks)
        return judge_sheet(self._engine, f"ranges of nodes: {where}", facts, verdict, _NODES)


def _bounded(ranges: Sequence[Network]) -> tuple[Network, ...]:
    """Without those of everything, which a masquerade list may have: they are no range of pods."""
    return tuple(one for one in ranges if one.prefixlen > 0)


def _blocks_of_pods(engine: Engine) -> dict[str, list[Network]]:
    blocks: dict[str, set[Network]] = {}
    for pod in pods_of(engine.api):
        if pod.host_network or not pod.node:
            continue
        for text in pod.ips:
            if ipaddress.ip_address(text).version == 4:
                block = ipaddress.ip_network(f"{text}/{_OVERLAY_BLOCK}", strict=False)
                blocks.setdefault(pod.node, set()).add(block)
    return {node: sorted(found, key=str) for node, found in sorted(blocks.items())}


def _service_cidrs(engine: Engine) -> tuple[Network, ...]:
    found = engine.api.items("/apis/networking.k8s.io/v1/servicecidrs")
    return tuple(
        ipaddress.ip_network(cidr) for one in found for cidr in one["spec"].get("cidrs") or ()
    )


def _cluster_ips(engine: Engine) -> set[ipaddress.IPv4Address | ipaddress.IPv6Address]:
    return {
        ipaddress.ip_address(ip)
        for service in engine.api.items("/api/v1/services")
        for ip in (service.get("spec") or {}).get("clusterIPs") or ()
        if ip and ip != "None"
    }


def _hosts(engine: Engine, *, in_network: bool) -> dict[str, str]:
    """Machines that pods must reach, by what they are; nodes only where pods are elsewhere."""
    site = engine.site
    named = (site.vnet_vm, site.peered_vm, site.on_prem)
    hosts = {one.what: one.host for one in named if one is not None and not in_network}
    if not in_network:
        hosts |= {
            f"node {node.name}": ip for node in nodes_of(engine.api) for ip in node.addresses[:1]
        }
    return {what: host for what, host in hosts.items() if is_address(host)}


def _judge_rooms(engine: Engine, what: str, demands: Sequence[Demand]) -> FactSheet:
    rooms = [
        (demand.room, max((cost for _, cost in demand.pools), key=lambda cost: cost.sure))
        for demand in demands
    ]
    verdict = ipam.judge_room_for_a_node(rooms, source=ipam.PLANNING)
    return judge_sheet(engine, what, {room.what: str(room) for room, _ in rooms}, verdict, _USAGE)
