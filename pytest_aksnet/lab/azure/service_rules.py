"""The rules that cloud-provider-azure adds to the cluster's group for LoadBalancer Services. Pure.

Source: "cloud-provider-azure: pkg/provider/loadbalancer/accesscontrol.go". A public frontend is
opened for everybody, or for the Service's ranges alone; an internal one needs no rule, as the
virtual network is allowed anyhow, unless it has ranges. Frontends with the same sources and ports
share a rule.
"""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Iterator

from pytest_aksnet.lab.azure.resources import SecurityGroup, SecurityRule
from pytest_aksnet.lab.network_views import ServicePortView

PREFIX = "k8s-azure-lb_"
_FIRST_PRIORITY = 500


def write_service_rules(
    group: SecurityGroup, services: Iterable[ServicePortView], internal: Iterable[str]
) -> bool:
    """Have the group's rules for Services be those of these; whether any is different.

    `internal` are the addresses of frontends inside the virtual network. Rules of others stay,
    and so do the priorities of rules that stay.
    """
    wanted = {rule.name: rule for rule in _rules(services, set(internal))}
    present = {rule.name: rule for rule in group.rules if rule.name.startswith(PREFIX)}
    taken = {
        rule.priority
        for rule in group.rules
        if rule.direction == "Inbound" and (rule.name not in present or rule.name in wanted)
    }
    priority = _FIRST_PRIORITY
    for name, rule in wanted.items():
        if name in present:
            rule.priority = present[name].priority
            continue
        while priority in taken:
            priority += 1
        taken.add(priority)
        rule.priority = priority
    if present == wanted:
        return False
    others = [rule for rule in group.rules if rule.name not in present]
    group.rules[:] = sorted([*others, *wanted.values()], key=lambda rule: rule.priority)
    return True


def _rules(services: Iterable[ServicePortView], internal: set[str]) -> Iterator[SecurityRule]:
    opened: defaultdict[tuple[str, str, tuple[str, ...]], dict[str, set[str]]] = defaultdict(dict)
    for service in services:
        ranges = tuple(sorted({*service.source_ranges, *service.security_group_ranges}))
        for ip in service.load_balancer_ips:
            if ip in internal and not ranges:
                continue
            family = "IPv6" if ":" in ip else "IPv4"
            sources = ranges or ("Internet",)
            ports = opened[family, service.protocol.capitalize(), sources]
            ports.setdefault(ip, set()).add(str(service.port))
    for (family, protocol, sources), frontends in sorted(opened.items()):
        by_ports: defaultdict[tuple[str, ...], list[str]] = defaultdict(list)
        for ip, numbers in frontends.items():
            by_ports[tuple(sorted(numbers, key=int))].append(ip)
        for numbers_of, ips in sorted(by_ports.items()):
            text = f"{protocol}|{','.join(sources)}|{','.join(numbers_of)}"
            digest = hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()
            yield SecurityRule(
                name=f"{PREFIX}allow_{family}_{digest}",
                priority=_FIRST_PRIORITY,
                direction="Inbound",
                access="Allow",
                protocol=protocol,
                sources=sources,
                destinations=tuple(sorted(ips)),
                destination_ports=numbers_of,
            )
