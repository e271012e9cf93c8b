"""The forms of answers against Azure's published examples: what both have is of the same type."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pytest_aksnet.lab.azure.state import AzureState
from pytest_aksnet.lab.layout import make_spec
from pytest_aksnet.lab.options import LabOptions
from tests.lab.arm_clients import Clients
from tests.lab.arm_server import GROUP, NODE_GROUP, RunningArm, arm_server

EXAMPLES = Path(__file__).parents[2].parent / "shared" / "data" / "azure-examples"
_NETWORK = "Microsoft.Network"
_VMSS = "Microsoft.Compute/virtualMachineScaleSets/aks-user-31337042-vmss"
_BALANCER = f"{_NETWORK}/loadBalancers/kubernetes"
_VNET = f"{_NETWORK}/virtualNetworks/vnet-aksnet-lab"
_ZONE = f"{_NETWORK}/privateDnsZones/privatelink.blob.core.windows.net"
_CLUSTER = "Microsoft.ContainerService/managedClusters/aksnet-lab"

# Example, resource group, path below its providers.
_READS = (
    ("network/LoadBalancerGet", NODE_GROUP, _BALANCER),
    ("network/LoadBalancerList", NODE_GROUP, f"{_NETWORK}/loadBalancers"),
    ("network/LoadBalancerProbeList", NODE_GROUP, f"{_BALANCER}/probes"),
    ("network/LoadBalancerOutboundRuleList", NODE_GROUP, f"{_BALANCER}/outboundRules"),
    ("network/LoadBalancerLoadBalancingRuleList", NODE_GROUP, f"{_BALANCER}/loadBalancingRules"),
    ("network/LoadBalancerBackendAddressPoolList", NODE_GROUP, f"{_BALANCER}/backendAddressPools"),
    ("network/NatGatewayGet", NODE_GROUP, f"{_NETWORK}/natGateways/aks-natgw"),
    ("network/NetworkInterfaceGet", GROUP, f"{_NETWORK}/networkInterfaces/vm-nic"),
    ("network/NetworkInterfaceList", GROUP, f"{_NETWORK}/networkInterfaces"),
    (
        "network/NetworkSecurityGroupGet",
        NODE_GROUP,
        f"{_NETWORK}/networkSecurityGroups/aks-agentpool-31337042-nsg",
    ),
    (
        "network/NetworkSecurityGroupRuleList",
        NODE_GROUP,
        f"{_NETWORK}/networkSecurityGroups/aks-agentpool-31337042-nsg/defaultSecurityRules",
    ),
    (
        "network/RouteTableGet",
        NODE_GROUP,
        f"{_NETWORK}/routeTables/aks-agentpool-31337042-routetable",
    ),
    ("network/NetworkWatcherListAll", "NetworkWatcherRG", f"{_NETWORK}/networkWatchers"),
    ("network/PrivateEndpointGet", GROUP, f"{_NETWORK}/privateEndpoints/pe-aksnetlab"),
    ("network/PrivateEndpointList", GROUP, f"{_NETWORK}/privateEndpoints"),
    (
        "network/PrivateEndpointDnsZoneGroupList",
        GROUP,
        f"{_NETWORK}/privateEndpoints/pe-aksnetlab/privateDnsZoneGroups",
    ),
    ("network/PublicIpAddressGet", NODE_GROUP, f"{_NETWORK}/publicIPAddresses/nat-gateway-ip"),
    ("network/PublicIpAddressList", NODE_GROUP, f"{_NETWORK}/publicIPAddresses"),
    ("network/SubnetGet", GROUP, f"{_VNET}/subnets/aks-nodes"),
    ("network/SubnetGetWithDelegation", GROUP, f"{_VNET}/subnets/aks-pods"),
    ("network/SubnetList", GROUP, f"{_VNET}/subnets"),
    ("network/VirtualNetworkGet", GROUP, _VNET),
    ("network/VirtualNetworkListUsage", GROUP, f"{_VNET}/usages"),
    ("network/VirtualNetworkPeeringList", GROUP, f"{_VNET}/virtualNetworkPeerings"),
    ("network/VmssNetworkInterfaceList", NODE_GROUP, f"{_VMSS}/networkInterfaces"),
    (
        "network/VmssVmNetworkInterfaceList",
        NODE_GROUP,
        f"{_VMSS}/virtualMachines/1/networkInterfaces",
    ),
    (
        "network/VmssNetworkInterfaceGet",
        NODE_GROUP,
        f"{_VMSS}/virtualMachines/1/networkInterfaces/aks-user-31337042-vmss",
    ),
    ("privatedns/PrivateZoneGet", GROUP, _ZONE),
    ("privatedns/PrivateZoneListInResourceGroup", GROUP, f"{_NETWORK}/privateDnsZones"),
    ("privatedns/RecordSetALLList", GROUP, f"{_ZONE}/ALL"),
    ("privatedns/RecordSetAList", GROUP, f"{_ZONE}/A"),
    ("privatedns/RecordSetAGet", GROUP, f"{_ZONE}/A/aksnetlab"),
    ("privatedns/VirtualNetworkLinkList", GROUP, f"{_ZONE}/virtualNetworkLinks"),
    (
        "privatedns/VirtualNetworkLinkGet",
        GROUP,
        f"{_ZONE}/virtualNetworkLinks/to-vnet-aksnet-lab",
    ),
    ("containerservice/ManagedClustersGet", GROUP, _CLUSTER),
    ("containerservice/AgentPoolsGet", GROUP, f"{_CLUSTER}/agentPools/user"),
    ("containerservice/AgentPoolsList", GROUP, f"{_CLUSTER}/agentPools"),
    (
        "containerservice/ManagedClustersGetUpgradeProfile",
        GROUP,
        f"{_CLUSTER}/upgradeProfiles/default",
    ),
    (
        "containerservice/OutboundNetworkDependenciesEndpointsList",
        GROUP,
        f"{_CLUSTER}/outboundNetworkDependenciesEndpoints",
    ),
    ("containerservice/PrivateLinkResourcesList", GROUP, f"{_CLUSTER}/privateLinkResources"),
    (
        "compute/VirtualMachineScaleSetVM_List_MaximumSet_Gen",
        NODE_GROUP,
        f"{_VMSS}/virtualMachines",
    ),
    ("compute/ListAvailableResourceSkusForARegion", "", "Microsoft.Compute/skus"),
    (
        "monitor/GetMetric",
        NODE_GROUP,
        f"{_BALANCER}/providers/Microsoft.Insights/metrics",
    ),
    (
        "monitor/GetMetricDefinitions",
        NODE_GROUP,
        f"{_BALANCER}/providers/Microsoft.Insights/metricDefinitions",
    ),
)


@pytest.fixture(scope="module")
def arm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningArm]:
    """A lab that has some of everything."""
    options = LabOptions(mode="pod-subnet", egress="nat-gateway")
    with arm_server(tmp_path_factory.mktemp("arm"), options) as running:
        state = running.world.azure
        outbound = AzureState(make_spec(LabOptions(mode="kubenet")))
        state.outbound_rule = outbound.outbound_rule
        state.public_addresses.update(outbound.public_addresses)
        state.route_tables.update(outbound.route_tables)
        running.add_service("web", "198.51.100.17")
        running.add_service("inside", "10.224.200.1")
        yield running


@pytest.mark.skipif(not EXAMPLES.is_dir(), reason="the published examples are not on this machine")
@pytest.mark.parametrize(("example", "group", "path"), _READS, ids=[one[0] for one in _READS])
def test_what_both_have_is_of_the_same_type(
    example: str, group: str, path: str, arm: RunningArm
) -> None:
    ours = _answer(arm.clients, group, path)
    theirs = _example(example)
    different = list(_differences(ours, theirs, ""))
    assert different == []
    assert _common(ours, theirs) or path.endswith("/privateLinkResources")


@pytest.mark.skipif(not EXAMPLES.is_dir(), reason="the published examples are not on this machine")
@pytest.mark.parametrize(
    ("example", "path", "body"),
    [
        (
            "network/NetworkInterfaceEffectiveRouteTableList",
            "networkInterfaces/vm-nic/effectiveRouteTable",
            {},
        ),
        (
            "network/NetworkInterfaceEffectiveNSGList",
            "networkInterfaces/vm-nic/effectiveNetworkSecurityGroups",
            {},
        ),
    ],
)
def test_the_results_of_operations_too(
    example: str, path: str, body: object, arm: RunningArm
) -> None:
    clients = arm.clients
    subnet = arm.world.azure.cluster_network.subnet("vms")
    subnet.security_group = "aks-agentpool-31337042-nsg"
    begun = clients.raw("POST", _url(clients, GROUP, f"{_NETWORK}/{path}"), body=body)
    assert begun.status_code == 202
    result = clients.raw("GET", begun.headers["Location"].removeprefix(clients.url))
    assert list(_differences(result.json(), _example(example), "")) == []


def _url(clients: Clients, group: str, path: str) -> str:
    within = f"/resourceGroups/{group}" if group else ""
    return f"/subscriptions/{clients.subscription}{within}/providers/{path}?api-version=2024-02-01"


def _answer(clients: Clients, group: str, path: str) -> Any:
    answer = clients.raw("GET", _url(clients, group, path))
    assert answer.status_code == 200, answer.text
    return answer.json()


def _example(name: str) -> Any:
    return json.loads((EXAMPLES / f"{name}.json").read_text())["responses"]["200"]["body"]


def _differences(ours: Any, theirs: Any, where: str) -> Iterator[str]:
    """Where a field that both have is of another type."""
    if isinstance(ours, list) and isinstance(theirs, list):
        for one in ours:
            for other in theirs[:1]:
                yield from _differences(one, other, f"{where}[]")
        return
    if isinstance(ours, dict) and isinstance(theirs, dict):
        for key in ours.keys() & theirs.keys():
            yield from _differences(ours[key], theirs[key], f"{where}.{key}")
        return
    if theirs is not None and _type(ours) != _type(theirs):
        yield f"{where}: {ours!r} is not as {theirs!r}"


def _type(value: object) -> type:
    return float if type(value) is int else type(value)


def _common(ours: Any, theirs: Any) -> bool:
    """Whether there is anything to compare."""
    if "value" in ours and isinstance(ours["value"], list) and ours["value"]:
        return bool(ours["value"][0].keys() & theirs["value"][0].keys())
    return bool(ours.keys() & theirs.keys())
