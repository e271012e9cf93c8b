"""What ARM tells, with the unmodified clients, each attribute read; in every network mode."""

import ipaddress
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError, ResourceNotFoundError

from pytest_aksnet.lab.options import MODES, SIZES, LabOptions, PoolOptions
from tests.lab.arm_clients import Clients, walk
from tests.lab.arm_server import GROUP, NODE_GROUP, RunningArm, arm_server

CLUSTER_VNET = "vnet-aksnet-lab"
_OPTIONS = {
    "overlay": LabOptions(mode="overlay", dual_stack=True, local_dns=True),
    "node-subnet": LabOptions(mode="node-subnet", egress="nat-gateway", custom_dns=True),
    "pod-subnet": LabOptions(mode="pod-subnet", engine="cilium", egress="firewall"),
    "kubenet": LabOptions(mode="kubenet", egress="none"),
}
_NETWORK_PROFILES: Mapping[str, Mapping[str, object]] = {
    "overlay": {
        "networkPlugin": "azure",
        "networkPluginMode": "overlay",
        "networkDataplane": "azure",
        "networkPolicy": "calico",
        "podCidr": "10.244.0.0/16",
        "outboundType": "loadBalancer",
        "ipFamilies": ["IPv4", "IPv6"],
    },
    "node-subnet": {
        "networkPlugin": "azure",
        "networkDataplane": "azure",
        "outboundType": "managedNATGateway",
        "ipFamilies": ["IPv4"],
    },
    "pod-subnet": {
        "networkPlugin": "azure",
        "networkDataplane": "cilium",
        "networkPolicy": "cilium",
        "outboundType": "userDefinedRouting",
    },
    "kubenet": {"networkPlugin": "kubenet", "podCidr": "10.244.0.0/16", "outboundType": "none"},
}


@pytest.fixture(scope="module", params=MODES)
def arm(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningArm]:
    with arm_server(tmp_path_factory.mktemp("arm"), _OPTIONS[request.param]) as running:
        first = running.world.spec.nodes[0].name
        running.add_service("web", "198.51.100.17", up=[first])
        running.add_service("local", "198.51.100.18", local=True)
        running.add_service("dns", "198.51.100.19", protocol="UDP", port=53)
        running.add_service("inside", "10.224.200.1", up=[first])
        yield running


def test_every_list_can_be_read_to_the_last_attribute(clients: Clients) -> None:
    network, scale_set = clients.network, "aks-user-31337042-vmss"
    nics = network.network_interfaces
    lists: Mapping[str, Iterable[Any]] = {
        "networks": network.virtual_networks.list(GROUP),
        "networks of all": network.virtual_networks.list_all(),
        "subnets": network.subnets.list(GROUP, CLUSTER_VNET),
        "usage": network.virtual_networks.list_usage(GROUP, CLUSTER_VNET),
        "peerings": network.virtual_network_peerings.list(GROUP, CLUSTER_VNET),
        "groups": network.network_security_groups.list(NODE_GROUP),
        "default rules": network.default_security_rules.list(
            NODE_GROUP, "aks-agentpool-31337042-nsg"
        ),
        "balancers": network.load_balancers.list(NODE_GROUP),
        "frontends": network.load_balancer_frontend_ip_configurations.list(
            NODE_GROUP, "kubernetes"
        ),
        "pools": network.load_balancer_backend_address_pools.list(NODE_GROUP, "kubernetes"),
        "rules": network.load_balancer_load_balancing_rules.list(NODE_GROUP, "kubernetes"),
        "probes": network.load_balancer_probes.list(NODE_GROUP, "kubernetes"),
        "addresses": network.public_ip_addresses.list(NODE_GROUP),
        "interfaces": nics.list(GROUP),
        "interfaces of a scale set": nics.list_virtual_machine_scale_set_network_interfaces(
            NODE_GROUP, scale_set
        ),
        "interfaces of an instance": nics.list_virtual_machine_scale_set_vm_network_interfaces(
            NODE_GROUP, scale_set, "1"
        ),
        "endpoints": network.private_endpoints.list(GROUP),
        "zone groups": network.private_dns_zone_groups.list("pe-aksnetlab", GROUP),
        "watchers": network.network_watchers.list_all(),
        "gateways": network.virtual_network_gateways.list(GROUP),
        "connections": network.virtual_network_gateway_connections.list(GROUP),
        "scale sets": clients.compute.virtual_machine_scale_sets.list(NODE_GROUP),
        "instances": clients.compute.virtual_machine_scale_set_vms.list(NODE_GROUP, scale_set),
        "machines": clients.compute.virtual_machines.list(GROUP),
        "sizes": clients.compute.resource_skus.list(filter="location eq 'westeurope'"),
        "clusters": clients.aks.managed_clusters.list(),
        "agent pools": clients.aks.agent_pools.list(GROUP, "aksnet-lab"),
        "zones": clients.dns.private_zones.list_by_resource_group(GROUP),
        "records": clients.dns.record_sets.list(GROUP, "privatelink.blob.core.windows.net"),
        "A records": clients.dns.record_sets.list_by_type(
            GROUP, "privatelink.blob.core.windows.net", "A"
        ),
        "links": clients.dns.virtual_network_links.list(GROUP, "privatelink.blob.core.windows.net"),
        "dependencies": clients.aks.managed_clusters.list_outbound_network_dependencies_endpoints(
            GROUP, "aksnet-lab"
        ),
    }
    for what, found in lists.items():
        models = list(found)
        assert models, what
        for model in models:
            assert walk(model) > 1, what
    # What there may be nothing of.
    some: list[Any] = [*network.nat_gateways.list_all(), *network.route_tables.list_all()]
    for model in some:
        assert walk(model) > 1


def test_the_cluster_tells_its_mode(arm: RunningArm, clients: Clients) -> None:
    mode = arm.world.spec.mode
    cluster = clients.aks.managed_clusters.get(GROUP, "aksnet-lab")
    profile = cluster["properties"]["networkProfile"]
    assert {key: profile.get(key) for key in _NETWORK_PROFILES[mode]} == _NETWORK_PROFILES[mode]
    assert ("networkPluginMode" in profile) == (mode == "overlay")
    assert cluster.node_resource_group == NODE_GROUP
    private = arm.world.spec.options.egress == "none"
    assert cluster.api_server_access_profile.enable_private_cluster == private
    names = [one.name for one in clients.network.private_endpoints.list_by_subscription()]
    assert ("kube-apiserver" in names) == private
    balancer, gateway = profile.get("loadBalancerProfile"), profile.get("natGatewayProfile")
    assert (balancer is not None) == (arm.world.spec.options.egress == "load-balancer")
    assert (gateway is not None) == (arm.world.spec.options.egress == "nat-gateway")
    for pool in clients.aks.agent_pools.list(GROUP, "aksnet-lab"):
        assert pool.vnet_subnet_id.endswith("/subnets/aks-nodes")
        assert (pool.pod_subnet_id is not None) == (mode == "pod-subnet")
        assert pool.count == sum(node.pool == pool.name for node in arm.world.spec.nodes)
    walk(clients.aks.managed_clusters.get_upgrade_profile(GROUP, "aksnet-lab"))
    walk(clients.aks.agent_pools.get_upgrade_profile(GROUP, "aksnet-lab", "user"))


def test_nodes_have_the_interfaces_of_their_mode(arm: RunningArm, clients: Clients) -> None:
    spec, nics = arm.world.spec, clients.network.network_interfaces
    for node in spec.nodes:
        [nic] = nics.list_virtual_machine_scale_set_vm_network_interfaces(
            NODE_GROUP, node.vmss, str(node.instance)
        )
        addresses = [one.private_ip_address for one in nic.ip_configurations]
        secondary = node.reserved_pod_ips if spec.mode == "node-subnet" else ()
        six = (node.ip6,) if spec.dual_stack else ()
        assert addresses == [node.ip, *secondary, *six]
        assert [one.primary for one in nic.ip_configurations].count(True) == 1
        assert nic.enable_ip_forwarding == (spec.mode in ("kubenet", "overlay"))
        assert nic.enable_accelerated_networking is True
        assert nic.mac_address.replace("-", ":").lower() == node.mac
        assert nic.virtual_machine.id.endswith(f"/virtualMachines/{node.instance}")
        assert nic.virtual_machine.id.lower() == node.provider_id.removeprefix("azure://").lower()


def test_machines_say_how_they_are(arm: RunningArm, clients: Clients) -> None:
    node = arm.world.spec.nodes[-1]
    machines = clients.compute.virtual_machine_scale_set_vms
    view = machines.get_instance_view(NODE_GROUP, node.vmss, str(node.instance))
    assert "PowerState/running" in [one.code for one in view.statuses]
    view = clients.compute.virtual_machines.instance_view(GROUP, "vm")
    assert "PowerState/running" in [one.code for one in view.statuses]
    addresses = clients.network.public_ip_addresses
    listed = addresses.list_virtual_machine_scale_set_public_ip_addresses(NODE_GROUP, node.vmss)
    assert list(listed) == []


def test_how_machines_run_is_told_to_who_asks_for_it(arm: RunningArm, clients: Clients) -> None:
    machines, vmss = clients.compute.virtual_machine_scale_set_vms, arm.world.spec.nodes[0].vmss
    assert [one.instance_view for one in machines.list(NODE_GROUP, vmss)] == [None]
    [asked] = machines.list(NODE_GROUP, vmss, expand="instanceView")
    assert "PowerState/running" in [one.code for one in asked.instance_view.statuses]
    assert clients.compute.virtual_machines.get(GROUP, "vm").instance_view is None
    shown = clients.compute.virtual_machines.get(GROUP, "vm", expand="instanceView")
    assert shown.instance_view.statuses


def test_scale_set_interfaces_have_no_effective_routes(clients: Clients) -> None:
    nic = "aks-user-31337042-vmss"
    for begin in (
        clients.network.network_interfaces.begin_get_effective_route_table,
        clients.network.network_interfaces.begin_list_effective_network_security_groups,
    ):
        with pytest.raises(ResourceNotFoundError) as refused:
            begin(NODE_GROUP, nic)
        assert refused.value.error.code == "ResourceNotFound"


def test_subnet_usage_counts_real_addresses(arm: RunningArm, clients: Clients) -> None:
    spec = arm.world.spec
    usage = {
        one.id.rpartition("/")[2]: (one.current_value, one.limit)
        for one in clients.network.virtual_networks.list_usage(GROUP, CLUSTER_VNET)
    }
    nodes = sum(
        1 + (len(node.reserved_pod_ips) if spec.mode == "node-subnet" else 0) for node in spec.nodes
    )
    assert usage["aks-nodes"] == (nodes + 1, 2**16 - 5)  # and the internal frontend
    machines = ipaddress.ip_network(spec.vm_subnet)
    there = [host for host in spec.hosts if ipaddress.ip_address(host.ip) in machines]
    assert usage["vms"] == (len(there), 251)
    private = spec.options.egress == "none"  # and so is the API server
    assert usage["private-endpoints"] == (2 if private else 1, 251)
    assert usage["GatewaySubnet"] == (-1, -1)
    if spec.mode == "pod-subnet":
        pods = sum(len(node.reserved_pod_ips) for node in spec.nodes)
        assert usage["aks-pods"] == (pods, 2**16 - 5)
    check = clients.network.virtual_networks.check_ip_address_availability
    taken = check(GROUP, CLUSTER_VNET, ip_address=spec.nodes[0].ip)
    assert not taken.available
    for free in taken.available_ip_addresses:
        assert check(GROUP, CLUSTER_VNET, ip_address=free).available
    with pytest.raises(HttpResponseError) as outside:
        check(GROUP, CLUSTER_VNET, ip_address="203.0.113.1")
    assert outside.value.status_code == 400


def test_load_balancers_are_those_of_the_services(arm: RunningArm, clients: Clients) -> None:
    network = clients.network
    public = network.load_balancers.get(NODE_GROUP, "kubernetes")
    inside = network.load_balancers.get(NODE_GROUP, "kubernetes-internal")
    assert [one.private_ip_address for one in inside.frontend_ip_configurations] == ["10.224.200.1"]
    addresses = {one.id: one.ip_address for one in network.public_ip_addresses.list(NODE_GROUP)}
    used = {
        addresses[one.public_ip_address.id]
        for one in public.frontend_ip_configurations
        if one.load_balancing_rules
    }
    assert used == {"198.51.100.17", "198.51.100.18", "198.51.100.19"}
    for rule in public.load_balancing_rules:
        assert rule.enable_floating_ip
        assert rule.backend_port == rule.frontend_port
    by_protocol = {probe.protocol: probe for probe in public.probes}
    assert set(by_protocol) == {"Tcp", "Http"}
    assert by_protocol["Http"].request_path == "/healthz"
    assert by_protocol["Http"].port == 32000
    [udp] = [one for one in public.load_balancing_rules if one.protocol == "Udp"]
    assert udp.probe is None
    outbound = list(network.load_balancer_outbound_rules.list(NODE_GROUP, "kubernetes"))
    if arm.world.spec.options.egress == "load-balancer":
        assert [rule.name for rule in outbound] == ["aksOutboundRule"]
        assert outbound[0].idle_timeout_in_minutes == 30
    else:
        assert outbound == []


def test_only_what_exists_is_shown_per_egress(arm: RunningArm, clients: Clients) -> None:
    egress = arm.world.spec.options.egress
    gateways = list(clients.network.nat_gateways.list_all())
    assert [one.name for one in gateways] == (["aks-natgw"] if egress == "nat-gateway" else [])
    subnet = clients.network.subnets.get(GROUP, CLUSTER_VNET, "aks-nodes")
    assert (subnet.nat_gateway is not None) == (egress == "nat-gateway")
    assert subnet.network_security_group.id.endswith("/aks-agentpool-31337042-nsg")
    tables = {one.name: one for one in clients.network.route_tables.list(NODE_GROUP)}
    routed = arm.world.spec.mode == "kubenet" or egress == "firewall"
    assert (subnet.route_table is not None) == routed
    assert bool(tables) == routed
    routes = [route for table in tables.values() for route in table.routes]
    if egress == "firewall":
        assert "0.0.0.0/0" in [route.address_prefix for route in routes]
        assert [one.name for one in clients.network.azure_firewalls.list_all()] == ["firewall"]
    if arm.world.spec.mode == "kubenet":
        assert {route.address_prefix for route in routes} >= {
            node.pod_cidr for node in arm.world.spec.nodes
        }


def test_sizes_say_what_they_can(tmp_path: Path) -> None:
    pools = (PoolOptions(name="system", mode="System", size="Standard_D4ds_v5"),)
    with arm_server(tmp_path, LabOptions(pools=pools)) as arm:
        skus = {
            sku.name: {one.name: one.value for one in sku.capabilities}
            for sku in arm.clients.compute.resource_skus.list()
        }
        assert set(skus) == set(SIZES)
        for name, size in SIZES.items():
            assert skus[name]["vCPUs"] == str(size.cpus)
            assert skus[name]["AcceleratedNetworkingEnabled"] == "True"
        assert skus["Standard_D8ds_v5"]["MaxNetworkInterfaces"] == "4"
        nowhere = arm.clients.compute.resource_skus.list(filter="location eq 'mars'")
        assert list(nowhere) == []
