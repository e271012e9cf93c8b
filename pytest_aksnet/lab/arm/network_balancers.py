"""Microsoft.Network: the cluster's load balancers, and the health of their rules."""

from collections.abc import Iterable

from aiohttp import web

from pytest_aksnet.lab.arm.balancers import (
    BALANCERS,
    OUTBOUND_POOL,
    PUBLIC,
    Rule,
    balancer_id,
    pool_id,
    pools,
    rules,
)
from pytest_aksnet.lab.arm.documents import (
    Document,
    part,
    reference,
    references,
    resource,
    without_nothing,
)
from pytest_aksnet.lab.arm.errors import ArmError
from pytest_aksnet.lab.arm.ids import guid
from pytest_aksnet.lab.arm.interfaces import node_interface
from pytest_aksnet.lab.arm.kinds import Call, Provider, embedded
from pytest_aksnet.lab.arm.network_addresses import address_id, outbound_frontend_id
from pytest_aksnet.lab.arm.network_vnets import subnet_id
from pytest_aksnet.lab.arm.places import locate
from pytest_aksnet.lab.arm.world import World
from pytest_aksnet.lab.azure.resources import OutboundRule
from pytest_aksnet.lab.spec import CLUSTER_NAME, NODE_RESOURCE_GROUP, RESOURCE_GROUP

_RULES = f"{BALANCERS}/loadBalancingRules"
_PROBE_SECONDS = 5
_PROBE_COUNT = 2


def _balancers(world: World) -> Iterable[Document]:
    found = rules(world)
    for balancer in dict.fromkeys(balancer for balancer, _ in pools(world)):
        mine = [rule for rule in found if rule.frontend.balancer == balancer]
        here = balancer_id(balancer)
        outbound = world.azure.outbound_rule if balancer == PUBLIC else None
        yield resource(
            NODE_RESOURCE_GROUP,
            BALANCERS,
            balancer,
            {
                "resourceGuid": guid(here),
                "frontendIPConfigurations": [
                    *_outbound_frontends(world, outbound),
                    *_service_frontends(world, mine),
                ],
                "backendAddressPools": [
                    _pool(world, balancer, pool, mine, outbound)
                    for one, pool in pools(world)
                    if one == balancer
                ],
                "loadBalancingRules": [_rule(rule) for rule in mine],
                "probes": [_probe(rule) for rule in mine if rule.probe_port],
                "inboundNatRules": [],
                "inboundNatPools": [],
                "outboundRules": [_outbound_rule(here, outbound)] if outbound else [],
            },
            sku={"name": world.azure.balancer_sku, "tier": "Regional"},
            tags={
                "aks-managed-cluster-name": CLUSTER_NAME,
                "aks-managed-cluster-rg": RESOURCE_GROUP,
            },
        )


# -- frontends -------------------------------------------------------------------------------


def _outbound_frontends(world: World, outbound: OutboundRule | None) -> Iterable[Document]:
    here = balancer_id(PUBLIC)
    for name in outbound.public_addresses if outbound else ():
        yield part(
            here,
            f"{BALANCERS}/frontendIPConfigurations",
            outbound_frontend_id(name).rpartition("/")[2],
            {
                "privateIPAllocationMethod": "Dynamic",
                "publicIPAddress": reference(address_id(world, name)),
                "outboundRules": references([_outbound_id(here, outbound)] if outbound else []),
            },
        )


def _service_frontends(world: World, mine: Iterable[Rule]) -> Iterable[Document]:
    by_frontend: dict[str, list[Rule]] = {}
    for rule in mine:
        by_frontend.setdefault(rule.frontend.name, []).append(rule)
    for name, of_it in by_frontend.items():
        frontend = of_it[0].frontend
        place = locate(world, frontend.ip)
        if place is None:
            where: Document = {
                "privateIPAllocationMethod": "Dynamic",
                "publicIPAddress": reference(address_id(world, frontend.public_address_name)),
            }
        else:
            network = world.azure.networks[place[0]]
            where = {
                "privateIPAddress": frontend.ip,
                "privateIPAddressVersion": "IPv6" if ":" in frontend.ip else "IPv4",
                "privateIPAllocationMethod": "Dynamic",
                "subnet": reference(subnet_id(network, place[1])),
            }
        yield part(
            balancer_id(frontend.balancer),
            f"{BALANCERS}/frontendIPConfigurations",
            name,
            {**where, "loadBalancingRules": references(map(_rule_id, of_it))},
        )


# -- rules, probes and pools -----------------------------------------------------------------


def _rule_id(rule: Rule) -> str:
    return f"{balancer_id(rule.frontend.balancer)}/loadBalancingRules/{rule.name}"


def _probe_id(rule: Rule) -> str:
    return f"{balancer_id(rule.frontend.balancer)}/probes/{rule.name}"


def _rule(rule: Rule) -> Document:
    balancer = rule.frontend.balancer
    return part(
        balancer_id(balancer),
        _RULES,
        rule.name,
        without_nothing(
            {
                "frontendIPConfiguration": reference(rule.frontend.id),
                "frontendPort": rule.port.port,
                "backendPort": rule.port.port,
                "enableFloatingIP": True,
                "idleTimeoutInMinutes": rule.idle_minutes,
                "protocol": rule.port.protocol.capitalize(),
                "enableTcpReset": rule.tcp_reset,
                "loadDistribution": "SourceIP" if rule.port.affinity_seconds else "Default",
                "disableOutboundSnat": True,
                "backendAddressPool": reference(pool_id(balancer, rule.pool)),
                "backendAddressPools": references([pool_id(balancer, rule.pool)]),
                "probe": reference(_probe_id(rule)) if rule.probe_port else None,
            }
        ),
    )


def _probe(rule: Rule) -> Document:
    return part(
        balancer_id(rule.frontend.balancer),
        f"{BALANCERS}/probes",
        rule.name,
        without_nothing(
            {
                "protocol": "Http" if rule.probe_http else "Tcp",
                "port": rule.probe_port,
                "requestPath": "/healthz" if rule.probe_http else None,
                "intervalInSeconds": _PROBE_SECONDS,
                "numberOfProbes": _PROBE_COUNT,
                "probeThreshold": _PROBE_COUNT,
                "noHealthyBackendsBehavior": "AllProbedDown",
                "loadBalancingRules": references([_rule_id(rule)]),
            }
        ),
    )


def _pool(
    world: World, balancer: str, pool: str, mine: Iterable[Rule], outbound: OutboundRule | None
) -> Document:
    here = balancer_id(balancer)
    is_outbound = pool == OUTBOUND_POOL
    left_out = outbound.left_out if outbound else set()
    members = (
        [node for node in world.spec.nodes if node.name not in left_out]
        if is_outbound
        else world.network.backends()
    )
    nodes = [node_interface(world, node) for node in members]
    sixth = pool.endswith("IPv6")
    configurations = [
        node.configuration_id(len(node.ips) if sixth else 0)
        for node in nodes
        if node.ip6 or not sixth
    ]
    return part(
        here,
        f"{BALANCERS}/backendAddressPools",
        pool,
        without_nothing(
            {
                "backendIPConfigurations": references(configurations),
                "loadBalancerBackendAddresses": [
                    {
                        "name": guid(f"{pool_id(balancer, pool)} {configuration}"),
                        "properties": {
                            "networkInterfaceIPConfiguration": reference(configuration),
                            "inboundNatRulesPortMapping": [],
                        },
                    }
                    for configuration in configurations
                ],
                "loadBalancingRules": references(
                    _rule_id(rule) for rule in mine if rule.pool == pool
                )
                or None,
                "outboundRules": references([_outbound_id(here, outbound)])
                if outbound and is_outbound
                else None,
            }
        ),
    )


def _outbound_id(here: str, outbound: OutboundRule) -> str:
    return f"{here}/outboundRules/{outbound.name}"


def _outbound_rule(here: str, outbound: OutboundRule) -> Document:
    frontends = map(outbound_frontend_id, outbound.public_addresses)
    return part(
        here,
        f"{BALANCERS}/outboundRules",
        outbound.name,
        {
            "allocatedOutboundPorts": outbound.ports,
            "protocol": "All",
            "enableTcpReset": True,
            "idleTimeoutInMinutes": outbound.idle_minutes,
            "frontendIPConfigurations": references(frontends),
            "backendAddressPool": reference(f"{here}/backendAddressPools/{OUTBOUND_POOL}"),
        },
    )


# -- health ----------------------------------------------------------------------------------


def _health(call: Call) -> web.Response:
    """Which backends take new flows ("Azure docs: load-balancer-manage-health-status")."""
    rule = next(rule for rule in rules(call.world) if _rule_id(rule) == call.parent["id"])
    return call.begin(_judge(call.world, rule))


async def _judge(world: World, rule: Rule) -> Document:
    if not rule.probe_port:
        raise ArmError(
            400,
            "LoadBalancingRuleHasNoProbe",
            f"Health is told of rules with a probe only: {_rule_id(rule)} has none.",
        )
    sixth = ":" in rule.frontend.ip
    addresses = []
    for node in world.network.backends():
        interface = node_interface(world, node)
        up = bool(rule.answers.get(node.name))
        addresses.append(
            {
                "ipAddress": interface.ip6 if sixth else node.ip,
                "networkInterfaceIPConfigurationId": interface.configuration_id(
                    len(interface.ips) if sixth else 0
                ),
                "state": "Up" if up else "Down",
                "reason": "Up_Probe_Success" if up else _reason(rule, node.name),
            }
        )
    up_count = sum(one["state"] == "Up" for one in addresses)
    return {
        "up": up_count,
        "down": len(addresses) - up_count,
        "loadBalancerBackendAddresses": addresses,
    }


def _reason(rule: Rule, node: str) -> str:
    """Why a probe fails: a node without endpoints of a Local service answers, with 503."""
    if not rule.probe_http:
        return "Down_Probe_TcpProbeTimeout"
    served = any(endpoint.node == node for endpoint in rule.port.endpoints)
    return "Down_Probe_HttpNoResponse" if served else "Down_Probe_HttpStatusCodeError"


PROVIDER = Provider(
    tops={BALANCERS: _balancers},
    parts={
        f"{BALANCERS}/{name}": embedded(name)
        for name in (
            *("frontendIPConfigurations", "backendAddressPools", "loadBalancingRules"),
            *("probes", "outboundRules", "inboundNatRules"),
        )
    },
    actions={f"{_RULES}/health": _health},
)
