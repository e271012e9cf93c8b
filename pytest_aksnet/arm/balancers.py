"""Reads the load balancers of the nodes' resource group, and the health of their rules.

Source: the REST API of Microsoft.Network (2026-03-01). The cloud provider makes all of the
cluster's load balancers in that group (AKS docs: load-balancer-standard).
"""

from functools import partial
from typing import Any

from azure.core.exceptions import ResourceNotFoundError

from pytest_aksnet.arm.cluster import node_group_of
from pytest_aksnet.arm.reader import Look, TopicReader
from pytest_aksnet.arm.values import id_of, ids_of, text
from pytest_aksnet.model.azure_balancers import (
    LOAD_BALANCERS,
    MOST_RULES,
    RULE_HEALTH,
    BackendHealth,
    BackendPool,
    Balancer,
    BalancerProbe,
    BalancerRule,
    Frontend,
    OutboundRule,
    RuleHealth,
    RulesHealth,
)
from pytest_aksnet.model.resource_id import resource_id

_OWNER = "aks-managed-cluster-name"


def _read_balancers(look: Look) -> tuple[Balancer, ...]:
    name = look.place.name.lower()
    found = look.door.network.load_balancers.list(node_group_of(look))
    # Two clusters may share one group; AKS writes the cluster's name on what it makes.
    mine = (one for one in found if (one.tags or {}).get(_OWNER, name).lower() == name)
    return tuple(map(_balancer, mine))


def _balancer(found: Any) -> Balancer:
    return Balancer(
        id=id_of(found),
        sku=text(found.sku.name if found.sku else None).lower(),
        frontends=_all(_frontend, found.frontend_ip_configurations),
        pools=_all(_pool, found.backend_address_pools),
        probes=_all(_probe, found.probes),
        rules=_all(_rule, found.load_balancing_rules),
        outbound_rules=_all(_outbound_rule, found.outbound_rules),
    )


def _all(make: Any, found: Any) -> tuple[Any, ...] | None:
    return None if found is None else tuple(map(make, found))


def _frontend(found: Any) -> Frontend:
    return Frontend(
        id=id_of(found),
        ip=text(found.private_ip_address),
        public_address=id_of(found.public_ip_address),
        public_prefix=id_of(found.public_ip_prefix),
    )


def _pool(found: Any) -> BackendPool:
    told = found.backend_ip_configurations
    members = [
        (id_of(one.network_interface_ip_configuration), text(one.ip_address))
        for one in found.load_balancer_backend_addresses or ()
    ]
    if told is not None:
        configurations = ids_of(told)
    else:
        configurations = tuple(configuration for configuration, _ in members)
    listed = found.load_balancer_backend_addresses is not None and all(map(any, members))
    return BackendPool(
        id=id_of(found),
        configurations=_known(configurations),
        addresses=_known(ip for _, ip in members),
        is_known=told is not None or listed,
    )


def _known(texts: Any) -> tuple[str, ...]:
    return tuple(one for one in texts if one)


def _probe(found: Any) -> BalancerProbe:
    return BalancerProbe(id=id_of(found), protocol=text(found.protocol).lower(), port=found.port)


def _rule(found: Any) -> BalancerRule:
    pools = found.backend_address_pools or [found.backend_address_pool]
    return BalancerRule(
        id=id_of(found),
        frontend=id_of(found.frontend_ip_configuration),
        pools=_known(ids_of(pools)),
        probe=id_of(found.probe),
        protocol=text(found.protocol).lower(),
        port=found.frontend_port,
        idle_minutes=found.idle_timeout_in_minutes,
        tcp_reset=found.enable_tcp_reset,
    )


def _outbound_rule(found: Any) -> OutboundRule:
    frontends = found.frontend_ip_configurations
    return OutboundRule(
        id=id_of(found),
        protocol=text(found.protocol).lower(),
        ports=found.allocated_outbound_ports,
        frontends=None if frontends is None else ids_of(frontends),
        pool=id_of(found.backend_address_pool),
    )


def _read_health(look: Look) -> RulesHealth:
    """Of each rule with a probe: ARM refuses to tell it of others."""
    probed = [
        rule.id
        for balancer in look.read(LOAD_BALANCERS)
        for rule in balancer.rules or ()
        if rule.probe
    ]
    # The newest are the last ones: the cloud provider appends.
    asked = probed[-MOST_RULES:]
    # ARM wants each to be waited for; begun before that they end at about the same time.
    begun = look.together(partial(_begin, look, rule) for rule in asked)
    found = [_health(rule, one) for rule, one in zip(asked, begun, strict=True)]
    return RulesHealth(
        rules=tuple(one for one in found if one is not None),
        left_out=len(probed) - len(asked),
    )


def _begin(look: Look, rule: str) -> Any:
    """None where the rule has gone meanwhile, with its Service."""
    place = resource_id(rule)
    balancer, name = place.names
    rules = look.door.network.load_balancer_load_balancing_rules
    try:
        return rules.begin_health(place.group, balancer, name)
    except ResourceNotFoundError:
        return None


def _health(rule: str, begun: Any) -> RuleHealth | None:
    try:
        found = begun.result() if begun is not None else None
    except ResourceNotFoundError:
        found = None
    if found is None:
        return None
    return RuleHealth(rule=rule, backends=_all(_backend, found.load_balancer_backend_addresses))


def _backend(found: Any) -> BackendHealth:
    return BackendHealth(
        ip=text(found.ip_address),
        configuration=id_of(found.network_interface_ip_configuration_id),
        state=text(found.state).lower(),
        reason=text(found.reason),
    )


READERS = (
    TopicReader(LOAD_BALANCERS, _read_balancers),
    TopicReader(RULE_HEALTH, _read_health),
)
