"""The Azure resources of a lab, all in one place, and who hears of changes."""

import ipaddress
from collections.abc import Callable, Iterator

from pytest_aksnet.lab.azure.machines import MachineState
from pytest_aksnet.lab.azure.managed import ManagedSettings, authorized_at_first
from pytest_aksnet.lab.azure.resources import (
    LeftOverRule,
    NatGateway,
    OutboundRule,
    Peering,
    PrivateEndpoint,
    PrivateZone,
    PublicAddress,
    RecordSet,
    Route,
    RouteTable,
    SecurityGroup,
    Subnet,
    VirtualNetwork,
    VpnSite,
    ZoneLink,
)
from pytest_aksnet.lab.spec import (
    NODE_RESOURCE_GROUP,
    RESOURCE_GROUP,
    SUBSCRIPTION,
    LabSpec,
)

CLUSTER_NETWORK = "vnet-aksnet-lab"
PEERED_NETWORK = "vnet-hub"
NODE_SUBNET = "aks-nodes"
POD_SUBNET = "aks-pods"
VM_SUBNET = "vms"
ENDPOINT_SUBNET = "private-endpoints"
FIREWALL_SUBNET = "AzureFirewallSubnet"
GATEWAY_SUBNET = "GatewaySubnet"
SECURITY_GROUP = "aks-agentpool-31337042-nsg"
POD_SECURITY_GROUP = "aks-pods-nsg"
ROUTE_TABLE = "aks-agentpool-31337042-routetable"
FIREWALL_ROUTE = "to-firewall"


class AzureState:
    """All resources by kind and name. Whoever changes one calls `changed` afterwards.

    `revision` counts the changes. `full_subnets` are names of subnets without a free address.
    `left_over_rules` are those of Services that are gone; with `default_timeouts` the load
    balancers do not follow annotations of Services. `autoscaling` are the fewest and the most nodes
    of pools that the cluster autoscaler looks after, by name.
    """

    def __init__(self, spec: LabSpec) -> None:
        self.spec = spec
        self.full_subnets: set[str] = set()
        self.managed = ManagedSettings(authorized_ranges=authorized_at_first(spec))
        self.machines = MachineState()
        self.left_over_rules: list[LeftOverRule] = []
        self.default_timeouts = False
        self.balancer_sku = "Standard"
        self.autoscaling: dict[str, tuple[int, int]] = {}
        self.networks = {network.name: network for network in _networks(spec)}
        self.security_groups = {
            SECURITY_GROUP: SecurityGroup(name=SECURITY_GROUP, resource_group=NODE_RESOURCE_GROUP)
        }
        if spec.mode == "pod-subnet":
            # AKS makes none for the pods' subnet: it is the user's own, as the subnet is.
            self.security_groups[POD_SECURITY_GROUP] = SecurityGroup(
                name=POD_SECURITY_GROUP, resource_group=RESOURCE_GROUP
            )
        self.route_tables = {table.name: table for table in _route_tables(spec)}
        self.sites = {
            "on-prem": VpnSite(
                name="on-prem",
                resource_group=RESOURCE_GROUP,
                network=CLUSTER_NETWORK,
                prefixes=[spec.on_prem_cidr],
            )
        }
        self.public_addresses = {address.name: address for address in _public_addresses(spec)}
        self.nat_gateways: dict[str, NatGateway] = {}
        self.outbound_rule: OutboundRule | None = None
        if spec.options.egress == "nat-gateway":
            self.nat_gateways["aks-natgw"] = NatGateway(
                name="aks-natgw",
                resource_group=NODE_RESOURCE_GROUP,
                public_addresses=["nat-gateway-ip"],
            )
        elif spec.options.egress == "load-balancer":
            self.outbound_rule = OutboundRule(
                name="aksOutboundRule",
                public_addresses=["outbound-ip", *(["outbound-ip-v6"] if spec.dual_stack else [])],
                ports=spec.options.outbound_ports,
            )
        self.private_endpoints = {
            one.name: PrivateEndpoint(
                name=one.name,
                resource_group=RESOURCE_GROUP,
                ip=one.ip,
                subnet=ENDPOINT_SUBNET,
                fqdn=one.fqdn,
                zone=one.zone,
                group_id="blob",
                target=f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{RESOURCE_GROUP}/providers"
                f"/Microsoft.Storage/storageAccounts/{one.fqdn.partition('.')[0]}",
            )
            for one in spec.private_endpoints
        }
        self.private_zones = {zone.name: zone for zone in _private_zones(spec)}
        self.revision = 0
        self._listeners: list[Callable[[], None]] = []

    @property
    def cluster_network(self) -> VirtualNetwork:
        """The virtual network of the cluster."""
        return self.networks[CLUSTER_NETWORK]

    @property
    def gateway_ip(self) -> str:
        """The address of the VPN gateway, the first that Azure gives in its subnet."""
        subnet = self.cluster_network.subnet(GATEWAY_SUBNET)
        return str(ipaddress.ip_network(subnet.prefix).network_address + 4)

    def network_of_subnet(self, name: str) -> VirtualNetwork:
        """The first network that has a subnet of that name. Raises KeyError."""
        for network in self.networks.values():
            if any(subnet.name == name for subnet in network.subnets):
                return network
        raise KeyError(name)

    def subscribe(self, listener: Callable[[], None]) -> None:
        """Have it called after every change."""
        self._listeners.append(listener)

    def changed(self) -> None:
        """Tell everybody that resources have changed; synchronous."""
        self.revision += 1
        for listener in self._listeners:
            listener()


def _networks(spec: LabSpec) -> list[VirtualNetwork]:
    options, two = spec.options, spec.dual_stack
    nat_gateway = "aks-natgw" if options.egress == "nat-gateway" else ""
    udr = spec.mode == "kubenet" or options.egress == "firewall"
    nodes = Subnet(
        name=NODE_SUBNET,
        prefix=spec.node_subnet,
        prefix6=spec.node_subnet6 if two else None,
        security_group=SECURITY_GROUP,
        route_table=ROUTE_TABLE if udr else "",
        nat_gateway=nat_gateway,
    )
    subnets = [
        nodes,
        Subnet(name=VM_SUBNET, prefix=spec.vm_subnet, prefix6=spec.vm_subnet6 if two else None),
        Subnet(name=ENDPOINT_SUBNET, prefix=spec.endpoint_subnet),
        Subnet(name=GATEWAY_SUBNET, prefix=spec.gateway_subnet),
    ]
    if spec.mode == "pod-subnet":
        subnets.append(
            Subnet(
                name=POD_SUBNET,
                prefix=spec.pod_subnet,
                security_group=POD_SECURITY_GROUP,
                route_table=nodes.route_table,
                nat_gateway=nat_gateway,
                delegation="Microsoft.ContainerService/managedClusters",
            )
        )
    if options.egress == "firewall":
        subnets.append(Subnet(name=FIREWALL_SUBNET, prefix=spec.firewall_subnet))
    return [
        VirtualNetwork(
            name=CLUSTER_NETWORK,
            resource_group=RESOURCE_GROUP,
            prefixes=[spec.vnet_cidr, *([spec.vnet_cidr6] if two else [])],
            subnets=subnets,
            dns_servers=[host.ip for host in spec.hosts if host.role == "dns"],
            peerings=[Peering(name="to-hub", remote_network=PEERED_NETWORK)],
        ),
        VirtualNetwork(
            name=PEERED_NETWORK,
            resource_group=RESOURCE_GROUP,
            prefixes=[spec.peered_vnet_cidr],
            subnets=[Subnet(name="default", prefix=spec.peered_vnet_cidr)],
            peerings=[Peering(name="to-aks", remote_network=CLUSTER_NETWORK)],
        ),
    ]


def _route_tables(spec: LabSpec) -> list[RouteTable]:
    routes = []
    if spec.mode == "kubenet":
        routes += [
            Route(
                name=f"{node.name}____{prefix.replace('.', '').replace(':', '').replace('/', '')}",
                prefix=prefix,
                next_hop_type="VirtualAppliance",
                next_hop_ip=address,
            )
            for node in spec.nodes
            for prefix, address in ((node.pod_cidr, node.ip), (node.pod_cidr6, node.ip6))
            if prefix and address
        ]
    firewalls = [host.ip for host in spec.hosts if host.role == "firewall"]
    routes += [
        Route(
            name=FIREWALL_ROUTE,
            prefix="0.0.0.0/0",
            next_hop_type="VirtualAppliance",
            next_hop_ip=ip,
        )
        for ip in firewalls
    ]
    if not routes:
        return []
    return [RouteTable(name=ROUTE_TABLE, resource_group=NODE_RESOURCE_GROUP, routes=routes)]


def _public_addresses(spec: LabSpec) -> list[PublicAddress]:
    group = NODE_RESOURCE_GROUP
    if spec.options.egress == "load-balancer":
        addresses = {"outbound-ip": spec.load_balancer_ip}
        if spec.dual_stack:
            addresses["outbound-ip-v6"] = spec.load_balancer_ip6
        return [
            PublicAddress(
                name=name, resource_group=group, ip=ip, used_by="loadBalancers/kubernetes"
            )
            for name, ip in addresses.items()
        ]
    if spec.options.egress == "nat-gateway":
        return [
            PublicAddress(
                name="nat-gateway-ip",
                resource_group=group,
                ip=spec.nat_gateway_ip,
                used_by="natGateways/aks-natgw",
            )
        ]
    if spec.options.egress == "firewall":
        return [
            PublicAddress(
                name="firewall-ip",
                resource_group=RESOURCE_GROUP,
                ip=spec.firewall_public_ip,
                used_by="azureFirewalls/firewall",
            )
        ]
    return []


def _private_zones(spec: LabSpec) -> Iterator[PrivateZone]:
    """Those of private endpoints, and that of a private API server, which AKS makes itself."""
    groups = [(one, RESOURCE_GROUP) for one in spec.private_endpoints]
    if spec.private_api is not None:
        groups.append((spec.private_api, NODE_RESOURCE_GROUP))
    for endpoint, group in groups:
        name = endpoint.privatelink_fqdn.removesuffix(f".{endpoint.zone}")
        yield PrivateZone(
            name=endpoint.zone,
            resource_group=group,
            records=[RecordSet(name=name, kind="A", values=[endpoint.ip])],
            links=[ZoneLink(name=f"to-{CLUSTER_NETWORK}", network=CLUSTER_NETWORK)],
        )
