"""The health that a load balancer sees, held against where the pods of Services are Ready. Pure.

Source: Azure docs load-balancer-manage-health-status, load-balancer-custom-probe-overview; AKS docs
load-balancer-standard: with externalTrafficPolicy Local a node without an endpoint is Down on
purpose.
"""

from collections.abc import Collection, Iterable, Sequence
from itertools import chain

from pytest_aksnet.expectations.azure_balancer_rules import rules_of
from pytest_aksnet.expectations.azure_blame import Finding, failed, open_, passed, together
from pytest_aksnet.model.azure_balancers import (
    BackendHealth,
    Balancer,
    BalancerRule,
    RuleHealth,
    RulesHealth,
)
from pytest_aksnet.model.balanced import BackendNode, BalancedService

HEALTH = (
    "Azure docs: load-balancer-manage-health-status; AKS docs: load-balancer-standard, "
    "health probes"
)
# A probe that was dropped, and not one that was answered with something else.
_SILENT = frozenset(
    {
        "down_probe_tcpprobetimeout",
        "down_probe_httpnoresponse",
        "down_probe_httpendpointunreachable",
    }
)


def up_on(service: BalancedService, nodes: Iterable[BackendNode]) -> frozenset[str]:
    """The nodes on which the probes of a Service must be answered."""
    serving = frozenset(node.name for node in nodes if not node.spared)
    if service.local:
        return serving & service.ready_on
    return serving if service.ready_on else frozenset()


def judge_health(
    services: Iterable[BalancedService],
    balancers: Sequence[Balancer],
    health: RulesHealth,
    nodes: Sequence[BackendNode],
    *,
    groups: Sequence[str] = (),
    seen: str = "",
) -> Finding:
    """Rules of Services are Up on the nodes where their pods are Ready.

    `groups` are the ids of the network security groups of the nodes' subnets, which are blamed
    where no node at all answers a probe. `seen` is what packets said of it, in words.
    """
    if any(one.rules is None for one in balancers):
        return open_("ARM's answer lacks the rules of a load balancer", source=HEALTH)
    return together(
        _judge_service(service, balancers, health, nodes, groups, seen) for service in services
    )


def _judge_service(
    service: BalancedService,
    balancers: Sequence[Balancer],
    health: RulesHealth,
    nodes: Sequence[BackendNode],
    groups: Sequence[str],
    seen: str,
) -> Finding:
    expected = up_on(service, nodes)
    if not expected:
        return passed(f"no node has a Ready pod of {service.key}", source=HEALTH)
    told = {one.rule: one for one in health.rules}
    made = rules_of(service, balancers)
    rules = [rule for rule in made if rule.id in told]
    if not rules and made and all(rule.protocol == "udp" for rule in made):
        return passed(f"UDP is not probed, and Service {service.key} has no other port")
    if not rules and health.left_out and any(rule.probe for rule in made):
        return passed(f"the rules of Service {service.key} are not among those that were asked")
    if not rules:
        return open_(f"ARM told the health of no rule of Service {service.key}", source=HEALTH)
    return together(
        _judge_rule(service, rule, told[rule.id], nodes, expected, groups, seen) for rule in rules
    )


def _judge_rule(
    service: BalancedService,
    rule: BalancerRule,
    health: RuleHealth,
    nodes: Sequence[BackendNode],
    expected: Collection[str],
    groups: Sequence[str],
    seen: str,
) -> Finding:
    what = f"rule {rule.name} of Service {service.key}"
    if health.backends is None:
        return open_(f"ARM's answer lacks the health of {what}", source=HEALTH)
    states = {
        node.name: found
        for node in nodes
        if (found := _backend_of(node, health.backends)) is not None
    }
    down = sorted(name for name in expected if name in states and states[name].state == "down")
    if down:
        reasons = {states[name].reason for name in down}
        listed = ", ".join(f"{name} ({states[name].reason or 'no reason'})" for name in down)
        told = f"; {seen}" if seen else ""
        silent = {one.lower() for one in reasons} <= _SILENT
        all_down = len(down) > 1 and len(down) == len(expected)
        sentence = (
            f"{what} should be Up where its pods are Ready, and is Down on {listed}, so nothing "
            "is sent there"
        )
        if all_down and silent and groups:
            return failed(
                f"{sentence}; no node answers, as where network security group "
                f"{groups[0].rpartition('/')[2]} denies the service tag AzureLoadBalancer{told}",
                resource=groups[0],
                change="let the service tag AzureLoadBalancer in",
                source=HEALTH,
            )
        return failed(
            f"{sentence}{told}",
            resource=rule.probe,
            change=f"have its probes, from 168.63.129.16, answered by {', '.join(down)}",
            source=HEALTH,
        )
    # A node that is missing in the pool is not probed at all; the check of pools says so.
    probed = sorted(name for name in expected if name in states)
    up = [name for name in probed if states[name].state == "up"]
    if not up or up != probed or not all(one.ip or one.configuration for one in health.backends):
        unknown = ", ".join(sorted(set(expected) - set(up)))
        return open_(f"ARM does not tell whether {what} is Up on {unknown}", source=HEALTH)
    return passed(f"{what} is Up on {', '.join(up)}", source=HEALTH)


def _backend_of(node: BackendNode, backends: Iterable[BackendHealth]) -> BackendHealth | None:
    """A node by its machine, else by an address, which a kubelet may list wrongly."""
    found = list(backends)
    machine = f"{node.machine}/" if node.machine else "-"
    by_machine = (one for one in found if one.configuration.startswith(machine))
    by_address = (one for one in found if one.ip in node.addresses)
    return next(chain(by_machine, by_address), None)
