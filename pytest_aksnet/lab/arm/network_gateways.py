"""Microsoft.Network: the VPN gateway, its connections and sites, and the firewall. Facades.

What they show of state is real (whether a site is connected, what its prefixes are, the firewall's
addresses); the rest of their properties is left out.
"""

from collections.abc import Iterable

from pytest_aksnet.lab.arm.documents import Document, part, reference, resource
from pytest_aksnet.lab.arm.ids import resource_id
from pytest_aksnet.lab.arm.kinds import Provider
from pytest_aksnet.lab.arm.network_addresses import address_id
from pytest_aksnet.lab.arm.network_vnets import subnet_id
from pytest_aksnet.lab.arm.occupants import FIREWALL_ID
from pytest_aksnet.lab.arm.places import locate
from pytest_aksnet.lab.arm.world import World
from pytest_aksnet.lab.azure.state import FIREWALL_SUBNET, GATEWAY_SUBNET
from pytest_aksnet.lab.spec import RESOURCE_GROUP

_GATEWAYS = "Microsoft.Network/virtualNetworkGateways"
_SITES = "Microsoft.Network/localNetworkGateways"
_CONNECTIONS = "Microsoft.Network/connections"
_FIREWALLS = "Microsoft.Network/azureFirewalls"


def _gateways(world: World) -> Iterable[Document]:
    for name in dict.fromkeys(site.network for site in world.azure.sites.values()):
        network = world.azure.networks[name]
        here = resource_id(network.resource_group, _GATEWAYS, _gateway_name(name))
        yield resource(
            network.resource_group,
            _GATEWAYS,
            _gateway_name(name),
            {
                "gatewayType": "Vpn",
                "vpnType": "RouteBased",
                "enableBgp": False,
                "sku": {"name": "VpnGw1AZ", "tier": "VpnGw1AZ"},
                "ipConfigurations": [
                    part(
                        here,
                        f"{_GATEWAYS}/ipConfigurations",
                        "default",
                        {
                            "privateIPAllocationMethod": "Dynamic",
                            "subnet": reference(subnet_id(network, GATEWAY_SUBNET)),
                        },
                    )
                ],
            },
        )


def _gateway_name(network: str) -> str:
    return f"{network}-gateway"


def _sites(world: World) -> Iterable[Document]:
    for site in world.azure.sites.values():
        yield resource(
            site.resource_group,
            _SITES,
            site.name,
            {"localNetworkAddressSpace": {"addressPrefixes": list(site.prefixes)}},
        )


def _connections(world: World) -> Iterable[Document]:
    for site in world.azure.sites.values():
        network = world.azure.networks[site.network]
        gateway = resource_id(network.resource_group, _GATEWAYS, _gateway_name(network.name))
        yield resource(
            site.resource_group,
            _CONNECTIONS,
            f"to-{site.name}",
            {
                "connectionType": "IPsec",
                "connectionStatus": "Connected" if site.connected else "NotConnected",
                "virtualNetworkGateway1": reference(gateway),
                "localNetworkGateway2": reference(
                    resource_id(site.resource_group, _SITES, site.name)
                ),
            },
        )


def _firewalls(world: World) -> Iterable[Document]:
    for host in world.spec.hosts:
        place = locate(world, host.ip)
        if host.role != "firewall" or place is None:
            continue
        public = [
            one
            for one in world.azure.public_addresses.values()
            if one.used_by == "azureFirewalls/firewall"
        ]
        network = world.azure.networks[place[0]]
        yield resource(
            RESOURCE_GROUP,
            _FIREWALLS,
            FIREWALL_ID.rpartition("/")[2],
            {
                "sku": {"name": "AZFW_VNet", "tier": "Standard"},
                "threatIntelMode": "Alert",
                "ipConfigurations": [
                    part(
                        FIREWALL_ID,
                        f"{_FIREWALLS}/azureFirewallIpConfigurations",
                        FIREWALL_SUBNET,
                        {
                            "privateIPAddress": host.ip,
                            "subnet": reference(subnet_id(network, place[1])),
                            "publicIPAddress": reference(address_id(world, one.name)),
                        },
                    )
                    for one in public
                ],
            },
        )


PROVIDER = Provider(
    tops={
        _GATEWAYS: _gateways,
        _SITES: _sites,
        _CONNECTIONS: _connections,
        _FIREWALLS: _firewalls,
    }
)
