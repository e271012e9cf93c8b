"""Whether the addresses and ports of Services are frontends and rules of a load balancer. Pure.

Source: Kubernetes docs: Service, type LoadBalancer. What rules say is in `azure_balancer_rules`.
"""

from collections.abc import Iterable, Mapping, Sequence

from pytest_aksnet.expectations.addresses import is_private
from pytest_aksnet.expectations.azure_blame import Finding, failed, open_, passed, together
from pytest_aksnet.model.azure_balancers import Balancer, BalancerRule, Frontend
from pytest_aksnet.model.balanced import BalancedService

SERVED = "cloud-provider-azure: EnsureLoadBalancer; AKS docs: load-balancer-standard"
_NO_RULE_ANNOTATION = "service.beta.kubernetes.io/port_{port}_no_lb_rule"


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
