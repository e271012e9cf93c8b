"""What security groups must let in and out of the cluster, and what they must not. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pytest_aksnet.expectations.azure_blame import Finding, failed, open_, passed, together
from pytest_aksnet.expectations.azure_security_between import (
    MANAGEMENT_PORTS,
    Machine,
    alike,
    entries_of,
)
from pytest_aksnet.expectations.azure_security_rules import (
    INBOUND,
    PROBE_SOURCE,
    Effect,
    Flow,
    Ruling,
    lets_others_in,
    ruling_of_all,
)

PROBES = (
    "Azure docs: load-balancer-troubleshoot-health-probe-status (a security group that blocks "
    "AzureLoadBalancer); load-balancer-custom-probe-overview, probe source IP address"
)
FRONTENDS = "AKS docs: load-balancer-standard; Azure docs: network-security-groups-overview"
REQUIRED = "AKS docs: outbound-rules-control-egress"
MANAGEMENT = "Microsoft cloud security benchmark NS-3; Azure docs: network security best practices"
SEGMENTS = "Microsoft cloud security benchmark NS-1 (subnets have network security groups)"
# Addresses all over the internet: what is open to all of it is open to each of them.
_ON_THE_INTERNET = (
    "9.18.27.36",
    "45.54.63.72",
    "81.90.99.108",
    "137.146.155.164",
    "193.202.211.220",
    "2600:1f18:aaaa::9",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """What must get to a machine: `why` says for what, in words.

    `is_example` is whether nobody named the source, so that it stands for everybody else.
    """

    why: str
    source: str
    protocol: str
    destination: str
    port: int
    is_example: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Departure:
    """What a node must reach: how its groups judge the way, and whether packets went it.

    `what` is the destination in words; `got_there` is None where that could not be looked at.
    """

    node: str
    what: str
    ruling: Ruling
    got_there: bool | None


def judge_arrivals(machines: Sequence[Machine], wanted: Sequence[Arrival], source: str) -> Finding:
    """Whether the groups of each machine let in all that must get to it."""
    findings = []
    entries = entries_of(machines)
    for machine, *_ in alike(machines, entries):
        for one in wanted:
            if (":" in one.source) != (":" in machine.address):
                continue
            flow = Flow(
                direction=INBOUND,
                protocol=one.protocol,
                source=one.source,
                destination=one.destination or machine.address,
                port=one.port,
            )
            found = ruling_of_all(machine.groups, flow, machine.around)
            is_chosen = one.is_example and lets_others_in(found, flow, machine.around)
            findings.append(_judge_arrival(machine, one, found, source, is_chosen=is_chosen))
    return together(findings) if findings else passed("nothing must be let in", source=source)


def judge_departures(departures: Sequence[Departure]) -> Finding:
    """Whether what nodes must reach is let out; a way that is not gone is blamed on a group's rule.

    What ends elsewhere, with groups that allow it, is not theirs.
    """
    return together(map(_judge_departure, departures))


def judge_management(machines: Sequence[Machine]) -> Finding:
    """Whether SSH and RDP of nodes are closed to the internet at large."""
    findings = [
        _judge_port(machine, address, port)
        for machine, *_ in alike(machines, entries_of(machines))
        for port in MANAGEMENT_PORTS
        for address in _ON_THE_INTERNET
        if (":" in address) == (":" in machine.address)
    ]
    return together(findings)


def judge_have_groups(subnets: Mapping[str, Mapping[str, bool]]) -> Finding:
    """Whether each subnet, or each machine in it, has a group.

    By id of the subnet its machines: whether a group is in force there, by name.
    """
    findings = []
    for subnet, machines in subnets.items():
        bare = [name for name, has in machines.items() if not has]
        name = subnet.rpartition("/")[2]
        if not bare:
            findings.append(passed(f"subnet {name} has a security group", source=SEGMENTS))
            continue
        findings.append(
            failed(
                f"subnet {name} must have a network security group, but neither it nor the "
                f"interfaces of {', '.join(bare[:5])} have one: whatever has a route gets in",
                resource=subnet,
                change="give it a network security group",
                source=SEGMENTS,
            )
        )
    return together(findings)


def internet_address(version: int) -> str:
    """Some address on the internet, for what is let in from everywhere."""
    return next(one for one in _ON_THE_INTERNET if (":" in one) == (version == 6))


def probe_arrival(why: str, protocol: str, port: int) -> Arrival:
    """What a load balancer's health probe needs."""
    return Arrival(why=why, source=PROBE_SOURCE, protocol=protocol, destination="", port=port)


def _judge_arrival(
    machine: Machine, wanted: Arrival, found: Ruling, source: str, *, is_chosen: bool
) -> Finding:
    way = f"{wanted.protocol} port {wanted.port} of {wanted.destination or machine.what}"
    if found.effect is Effect.ALLOW:
        return passed(f"{wanted.why} are let in to {way}", source=source)
    if is_chosen:
        warning = f"{found.named} denies {wanted.why} {way}, and a rule before it lets others in"
        return passed(f"some are let in to {way}", source=source, warning=warning)
    if found.effect is Effect.OPEN or found.rule is None:
        return open_(
            f"whether {wanted.why} are let in to {way} is not known: {found.why_open}",
            source=source,
        )
    return failed(
        f"{wanted.why} must be let in to {way}, but {found.named} denies them",
        resource=found.to_change,
        change=f"let {wanted.source} in to {wanted.protocol} port {wanted.port}",
        source=source,
    )


def _judge_departure(one: Departure) -> Finding:
    effect = one.ruling.effect
    denied = effect is Effect.DENY
    says = f"{one.ruling.named} denies {one.what}" if denied else ""
    if one.got_there:
        warning = f"{says}, and yet node {one.node} reaches it" if says else ""
        return passed(f"node {one.node} reaches {one.what}", source=REQUIRED, warning=warning)
    if one.got_there is None:
        return open_(
            f"whether node {one.node} reaches {one.what} could not be looked at", source=REQUIRED
        )
    if effect is Effect.OPEN:
        return open_(
            f"node {one.node} does not reach {one.what}, and whether its security groups deny it "
            f"is not known: {one.ruling.why_open}",
            source=REQUIRED,
        )
    if not denied:
        return passed(
            f"security groups allow {one.what}",
            source=REQUIRED,
            warning=f"node {one.node} does not reach {one.what}, which no security group denies",
        )
    return failed(
        f"node {one.node} must reach {one.what} and does not: {says}",
        resource=one.ruling.to_change,
        change=f"let {one.what} out",
        source=REQUIRED,
    )


def _judge_port(machine: Machine, address: str, port: int) -> Finding:
    flow = Flow(
        direction=INBOUND,
        protocol="tcp",
        source=address,
        destination=machine.address,
        port=port,
    )
    found = ruling_of_all(machine.groups, flow, machine.around)
    allows = found.rule is not None and found.rule.access.lower() == "allow"
    if found.effect is Effect.ALLOW and found.rule is not None:
        return failed(
            f"port {port} of {machine.what} must be closed to the internet, but "
            f"{found.named} lets it in",
            resource=found.to_change,
            change=f"allow port {port} from known addresses only",
            source=MANAGEMENT,
        )
    # What may open it is then a tag for some of the internet, not for all of it.
    if found.effect is Effect.DENY or (found.rule is not None and not allows and _is_whole(found)):
        return passed(f"port {port} of {machine.what} is closed", source=MANAGEMENT)
    return open_(
        f"whether port {port} of {machine.what} is closed to the internet is not known: "
        f"{found.why_open}",
        source=MANAGEMENT,
    )


def _is_whole(found: Ruling) -> bool:
    """Whether doubts are of tags alone, and of no field that ARM left out."""
    complete = all(
        one.priority is not None
        and one.sources
        and one.destinations
        and one.destination_ports
        and not one.is_by_members
        for one in found.doubts
    )
    return complete and found.group is not None and found.group.is_whole
