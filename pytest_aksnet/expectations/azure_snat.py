"""SNAT ports of the load balancer's outbound rule: enough of them, now and after a scale-out. Pure.

Sources: see `upgrade_ports`; Azure Monitor Baseline Alerts, loadBalancers (UsedSnatPorts above 900,
where a machine has 1,024 by default).
"""

import datetime
import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pytest_aksnet.expectations.azure_blame import Finding, failed, open_, passed, together
from pytest_aksnet.expectations.ipam_arithmetic import surge_nodes
from pytest_aksnet.expectations.upgrade_ports import SNAT, nodes_with_ports, ports_by_size
from pytest_aksnet.model.azure import AzurePool
from pytest_aksnet.model.azure_balancers import Balancer, OutboundRule
from pytest_aksnet.model.azure_outbound import OutboundAddress, SnatPorts

IN_USE = "Azure Monitor Baseline Alerts: loadBalancers, UsedSnatPorts above 900 of 1,024"
_ALARM = 900 / 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """How many nodes there are at a time; `when` completes "there are N nodes ..."."""

    when: str
    nodes: int


def moments(pools: Sequence[AzurePool]) -> list[Moment]:
    """Now, during an upgrade of all pools, and when the autoscaler has added all that it may.

    A pool whose count is not known counts for none. Raises ValueError where a surge is neither a
    number nor a percentage.
    """
    now = sum(pool.count or 0 for pool in pools)
    found = [Moment(when="now", nodes=now)]
    surge = sum(surge_nodes(pool.count or 0, pool.max_surge) for pool in pools)
    if surge:
        found.append(Moment(when="during an upgrade", nodes=now + surge))
    most = sum(max(pool.count or 0, pool.max_count or 0) for pool in pools)
    if most > now:
        found.append(Moment(when="when the autoscaler has added all it may", nodes=most))
    return found


def outbound_rule(balancers: Sequence[Balancer]) -> OutboundRule | None:
    """The outbound rule that gives ports, or None; AKS makes one (aksOutboundRule)."""
    return next((rule for one in balancers for rule in one.outbound_rules or ()), None)


def count_addresses(
    rule: OutboundRule, balancers: Sequence[Balancer], addresses: Sequence[OutboundAddress]
) -> int | None:
    """How many IPv4 addresses a rule gives ports of; None where ARM's answer does not say."""
    known = {one.id: one.range for one in addresses}
    frontends = {one.id: one for balancer in balancers for one in balancer.frontends or ()}
    if rule.frontends is None:
        return None
    count = 0
    for name in rule.frontends:
        frontend = frontends.get(name)
        range_ = known.get(frontend.public_address or frontend.public_prefix) if frontend else ""
        if not range_:
            return None
        network = ipaddress.ip_network(range_)
        count += network.num_addresses if network.version == 4 else 0
    return count


def judge_fit(rule: OutboundRule, count: int | None, times: Sequence[Moment]) -> Finding:
    """The addresses of a rule have the fixed ports of every node, at all these times."""
    if rule.ports is None:
        return open_("ARM's answer lacks the ports of the outbound rule", source=SNAT)
    most = max(times, key=lambda one: one.nodes)
    if not rule.ports:
        each = ports_by_size(most.nodes)
        return passed(
            f"nodes get ports by the size of the pool, {each} each of {most.nodes}", source=SNAT
        )
    if not count:
        return open_("how many addresses the outbound rule has is not known", source=SNAT)
    fit = nodes_with_ports(rule.ports, count)
    for one in times:
        if one.nodes > fit:
            return failed(
                f"every node must get its {rule.ports} SNAT ports: {count} addresses have them for "
                f"{fit} nodes, and there are {one.nodes} {one.when}, so {one.nodes - fit} have no "
                "way out",
                resource=rule.id,
                change="fewer ports for each node, more addresses, or a NAT gateway",
                source=SNAT,
            )
    return passed(
        f"{count} addresses have {rule.ports} ports for {fit} nodes, and there are never more than "
        f"{most.nodes}",
        source=SNAT,
    )


def judge_in_use(
    ports: Sequence[SnatPorts], names: Mapping[str, str], *, rule: OutboundRule
) -> Finding:
    """No node uses nearly all its SNAT ports; `names` are nodes by address."""
    if not ports:
        return open_(
            "Azure Monitor has no samples of SNAT ports of the last minutes", source=IN_USE
        )
    return together(_judge_use(one, names.get(one.ip, one.ip), rule) for one in ports)


def _judge_use(one: SnatPorts, name: str, rule: OutboundRule) -> Finding:
    if not one.allocated or one.used is None:
        return open_(f"Azure Monitor does not say how many ports {name} has and uses")
    said = f"{one.used:.0f} of {one.allocated:.0f} SNAT ports of {name} for {one.protocol}"
    if one.used <= _ALARM * one.allocated:
        return passed(f"{said} were in use at {clock(one.at)}", source=IN_USE)
    return failed(
        f"{said} were in use at {clock(one.at)}, which is where Azure's baseline has an alarm: "
        "new connections to the same destination fail when they are used up",
        resource=rule.id,
        change="more ports for each node, a NAT gateway, or connections that are used again",
        source=IN_USE,
    )


def halved(times: Sequence[Moment]) -> Moment | None:
    """The first time at which each node has fewer ports by the size of the pool than now."""
    now = ports_by_size(times[0].nodes)
    return next((one for one in times if ports_by_size(one.nodes) < now), None)


def judge_halved(
    then: Moment, ports: Sequence[SnatPorts], names: Mapping[str, str], *, rule: OutboundRule
) -> Finding:
    """No node uses more ports than it has when the pool has crossed a size that halves them."""
    left = ports_by_size(then.nodes)
    known = [one for one in ports if one.used is not None]
    crossing = f"{then.nodes} nodes {then.when}, which leaves each {left} SNAT ports by itself"
    if not known:
        return open_(
            f"there are {crossing}, and Azure Monitor does not say how many are in use", source=SNAT
        )
    top = max(known, key=lambda one: one.used or 0.0)
    used = top.used or 0.0
    name = names.get(top.ip, top.ip)
    if used > left:
        return failed(
            f"no running node may lose SNAT ports that it uses: there are {crossing}, and {name} "
            f"used {used:.0f} for {top.protocol} at {clock(top.at)}",
            resource=rule.id,
            change="fix the ports of each node (az aks update --load-balancer-outbound-ports), or "
            "a NAT gateway",
            source=SNAT,
        )
    return passed(
        f"at most {used:.0f} SNAT ports were in use at {clock(top.at)}",
        source=SNAT,
        warning=f"{crossing}, and connections of running nodes may be cut",
    )


def clock(at: float) -> str:
    """A time of samples, as UTC."""
    moment = datetime.datetime.fromtimestamp(at, datetime.UTC)
    return moment.strftime("%Y-%m-%d %H:%M UTC")
