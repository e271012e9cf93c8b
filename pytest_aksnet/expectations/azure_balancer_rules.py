"""Rules of load balancers: of which Service they are, and whether they say what it asks for. Pure.

Source: cloud-provider-azure, pkg/provider/azure_loadbalancer.go: names of rules and frontends begin
with "a" and the Service's uid.
"""

import re
from collections.abc import Collection, Iterable, Sequence

from pytest_aksnet.expectations.azure_blame import Finding, failed, open_, passed, together
from pytest_aksnet.model.azure_balancers import Balancer, BalancerRule
from pytest_aksnet.model.balanced import BalancedService

CLEANUP = "Kubernetes docs: Service, garbage collecting load balancers"
TIMEOUTS = "AKS docs: load-balancer-standard, annotations; cloud-provider-azure: load balancer"
IDLE_ANNOTATION = "service.beta.kubernetes.io/azure-load-balancer-tcp-idle-timeout"
_RESET_ANNOTATION = "service.beta.kubernetes.io/azure-load-balancer-disable-tcp-reset"
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


def judge_orphans(uids: Collection[str], balancers: Iterable[Balancer]) -> Finding:
    """Each rule and frontend that was made for a Service is of one that exists."""
    owners = {f"a{uid.replace('-', '').lower()}"[:32] for uid in uids}
    found, whole = 0, True
    for balancer in balancers:
        whole = whole and balancer.rules is not None and balancer.frontends is not None
        names = [(one.id, one.name) for one in balancer.rules or ()]
        # An address that Services share is named after the first of them, and may outlive it.
        shared = {
            one.frontend
            for one in balancer.rules or ()
            if (of := _OF_A_SERVICE.match(one.name)) and of[1] in owners
        }
        shared |= {one for rule in balancer.outbound_rules or () for one in rule.frontends or ()}
        names += [
            (one.id, one.id.rpartition("/")[2])
            for one in balancer.frontends or ()
            if one.id not in shared
        ]
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
        # The annotation is about TCP: what UDP gets by it differs between cloud providers.
        is_timed = rule.protocol != "udp" and rule.idle_minutes is not None
        if is_timed and rule.idle_minutes != int(said):
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
