"""Frontends and rules of load balancers, held against the Services that they are made for. Pure.

Source: cloud-provider-azure, pkg/provider/azure_loadbalancer.go: names of rules and frontends begin
with "a" and the Service's uid; Kubernetes docs: Service, type LoadBalancer.
"""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence

from pytest_aksnet.expectations.addresses import is_private
from pytest_aksnet.expectations.azure_blame import Finding, failed, open_, passed, together
from pytest_aksnet.model.azure_balancers import Balancer, BalancerRule, Frontend
from pytest_aksnet.model.balanced import BalancedService

SERVED = "cloud-provider-azure: EnsureLoadBalancer; AKS docs: load-balancer-standard"
CLEANUP = "Kubernetes docs: Service, garbage collecting load balancers"
TIMEOUTS = "AKS docs: load-balancer-standard, annotations; cloud-provider-azure: load balancer"
IDLE_ANNOTATION = "service.beta.kubernetes.io/azure-load-balancer-tcp-idle-timeout"
_RESET_ANNOTATION = "service.beta.kubernetes.io/azure-load-balancer-disable-tcp-reset"
_NO_RULE_ANNOTATION = "service.beta.kubernetes.io/port_{port}_no_lb_rule"
_IDLE_MINUTES = 4
_ALLOWED_MINUTES = range(4, 101)
_OF_A_SERVICE = re.compile(r"^(a[0-9a-f]{31})(?=-|$)")


def rules_of(service: BalancedService, balancers: Iterable[Balancer]) -> list[BalancerRule]:
    """The rules that were made for a Service."""
    return [
        rule
        for balancer in balancers
        for rule in balancer.rules or ()
        if rule.name.startswith(service.prefix)
    ]


# -- frontends -------------------------------------------------------------------------------


def judge_frontends(
    services: Iterable[BalancedService],
    balancers: Sequence[Balancer],
    public: Mapping[str, str],
    *,
    cluster: str,
) -> Finding:
    """Each address of a Service is a frontend, with a rule for each of its ports.

    `public` are addresses by the ids of public addresses. `cluster` is the id that is blamed where
    there is no load balancer at all.
    """
    if any(one.frontends is None or one.rules is None for one in balancers):
        return open_("ARM's answer lacks frontends or rules of a load balancer", source=SERVED)
    return together(
        _judge_address(service, address, balancers, public, cluster)
        for service in services
        for address in service.addresses
    )


def _judge_address(
    service: BalancedService,
    address: str,
    balancers: Sequence[Balancer],
    public: Mapping[str, str],
    cluster: str,
) -> Finding:
    frontends = [one for balancer in balancers for one in balancer.frontends or ()]
    mine = [one for one in frontends if _address(one, public) == address] or [
        # An address in another resource group is not told; the name says whose it is.
        one
        for one in frontends
        if not _address(one, public) and one.id.rpartition("/")[2].startswith(service.prefix)
    ]
    if not mine:
        internal = is_private(address)
        if any(_may_have(one, public, internal=internal) for one in frontends):
            return open_(
                f"which frontend has {address} of Service {service.key} is not known: ARM's answer "
                "lacks the address of some",
                source=SERVED,
            )
        near = [one.id for one in balancers if one.name.endswith("-internal") == internal]
        return failed(
            f"{address} of Service {service.key} should be a frontend of a load balancer, and none "
            "has it, so nobody reaches the Service from outside",
            resource=(*near, *(one.id for one in balancers), cluster)[0],
            change=f"have the cloud provider make the frontend and rules of {service.key}",
            source=SERVED,
        )
    ids = {one.id for one in mine}
    rules = [rule for one in balancers for rule in one.rules or ()]
    wanted = [
        (protocol, port)
        for protocol, port in service.ports
        if service.annotations.get(_NO_RULE_ANNOTATION.format(port=port), "").lower() != "true"
    ]
    lacking = [
        f"{port}/{protocol}"
        for protocol, port in wanted
        if not any(rule.frontend in ids and _covers(rule, protocol, port) for rule in rules)
    ]
    if not lacking:
        return passed(f"{address} of Service {service.key} has its rules", source=SERVED)
    if any(not rule.frontend or not rule.protocol or rule.port is None for rule in rules):
        return open_(
            f"whether {', '.join(lacking)} of Service {service.key} has a rule is not known: ARM's "
            "answer lacks frontend, protocol or port of some",
            source=SERVED,
        )
    return failed(
        f"frontend {address} of Service {service.key} should have a rule for "
        f"{', '.join(lacking)}, and has none",
        resource=mine[0].id,
        change=f"have the cloud provider make the rules of {service.key}",
        source=SERVED,
    )


def _address(frontend: Frontend, public: Mapping[str, str]) -> str:
    return frontend.ip or public.get(frontend.public_address, "")


def _may_have(frontend: Frontend, public: Mapping[str, str], *, internal: bool) -> bool:
    """Whether it may have an internal, or a public, address that ARM's answer does not tell."""
    is_public = bool(frontend.public_address or frontend.public_prefix)
    if frontend.ip or (internal and is_public):
        return False
    return not public.get(frontend.public_address)


def _covers(rule: BalancerRule, protocol: str, port: int) -> bool:
    if rule.protocol == "all":
        return rule.port in (0, port)
    return (rule.protocol, rule.port) == (protocol, port)


# -- what nobody asked for -------------------------------------------------------------------


def judge_orphans(uids: Collection[str], balancers: Iterable[Balancer]) -> Finding:
    """Each rule and frontend that was made for a Service is of one that exists."""
    owners = {f"a{uid.replace('-', '').lower()}"[:32] for uid in uids}
    found, whole = 0, True
    for balancer in balancers:
        whole = whole and balancer.rules is not None and balancer.frontends is not None
        names = [(one.id, one.name) for one in balancer.rules or ()]
        names += [(one.id, one.id.rpartition("/")[2]) for one in balancer.frontends or ()]
        for part, name in names:
            made = _OF_A_SERVICE.match(name)
            found += made is not None
            if made and made[1] not in owners:
                return failed(
                    f"{part.split('/')[-2]} {name} of load balancer {balancer.name} was made for a "
                    "Service that does not exist any more: its address is held, and paid for "
                    "where it is public",
                    resource=part,
                    change="delete it with its probe and its frontend",
                    source=CLEANUP,
                )
    if not whole:
        return open_("ARM's answer lacks frontends or rules of a load balancer", source=CLEANUP)
    return passed(f"all {found} rules and frontends are of Services that exist", source=CLEANUP)


# -- time-outs -------------------------------------------------------------------------------


def judge_timeouts(services: Iterable[BalancedService], balancers: Sequence[Balancer]) -> Finding:
    """Rules have the idle time-out and the TCP reset that their Service's annotations ask for."""
    if any(one.rules is None for one in balancers):
        return open_("ARM's answer lacks the rules of a load balancer", source=TIMEOUTS)
    return together(_judge_timeout(service, balancers) for service in services)


def _judge_timeout(service: BalancedService, balancers: Sequence[Balancer]) -> Finding:
    said = service.annotations.get(IDLE_ANNOTATION, str(_IDLE_MINUTES)).strip()
    if not said.isdecimal() or int(said) not in _ALLOWED_MINUTES:
        return passed(f"{service.key} asks for an idle timeout that there is not: {said}")
    reset = service.annotations.get(_RESET_ANNOTATION, "").strip().lower() != "true"
    rules = rules_of(service, balancers)
    if not rules:
        return open_(f"no rule of Service {service.key} was found", source=TIMEOUTS)
    for rule in rules:
        wrong = []
        if rule.idle_minutes is not None and rule.idle_minutes != int(said):
            wrong.append(f"an idle timeout of {said} minutes, and has {rule.idle_minutes}")
        if rule.protocol == "tcp" and rule.tcp_reset is not None and rule.tcp_reset != reset:
            wrong.append(f"TCP reset {_on(reset)}, and has it {_on(rule.tcp_reset)}")
        if wrong:
            return failed(
                f"rule {rule.name} should have, as Service {service.key} says, {'; '.join(wrong)}: "
                "silent connections end sooner or otherwise than the application counts on",
                resource=rule.id,
                change="have the cloud provider write it again, by a change of the Service",
                source=TIMEOUTS,
            )
    if any(
        rule.idle_minutes is None
        or not rule.protocol
        or (rule.protocol == "tcp" and rule.tcp_reset is None)
        for rule in rules
    ):
        return open_(f"ARM's answer lacks time-outs of the rules of {service.key}", source=TIMEOUTS)
    return passed(f"the rules of {service.key} have {said} minutes", source=TIMEOUTS)


def _on(value: bool) -> str:
    return "on" if value else "off"
