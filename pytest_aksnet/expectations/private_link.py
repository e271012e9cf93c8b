"""What a name behind a private endpoint must resolve to, and what a wrong answer says."""

from collections.abc import Collection

from pytest_aksnet.expectations.addresses import is_private
from pytest_aksnet.expectations.dns import failure
from pytest_aksnet.model.observation import DnsAnswer, DnsStatus
from pytest_aksnet.model.verdict import Outcome, Verdict

SOURCE = "Azure docs: private-endpoint-dns"
_LABEL = ".privatelink."


def zone_of(answer: DnsAnswer) -> str:
    """The private DNS zone that the aliases of `answer` name; blank where there is none."""
    for name in answer.cname_chain:
        _, found, rest = f".{name}".lower().partition(_LABEL)
        if found:
            return f"privatelink.{rest}"
    return ""


def judge_private(answer: DnsAnswer, *, addresses: Collection[str]) -> Verdict:
    """Whether every address is private and, where `addresses` are known, one of them.

    A public answer whose aliases go through a privatelink name means that the private DNS zone
    is not linked to the virtual network that asks, or has no record for the name.
    """
    expectation = f"{answer.name} should resolve to its private endpoint"
    wanted = f" ({', '.join(sorted(addresses))})" if addresses else ""
    problem = _problem(answer, addresses)
    if problem:
        return Verdict(
            outcome=Outcome.FAIL, sentence=f"{expectation}{wanted}, but {problem}", source=SOURCE
        )
    warning = ""
    if not zone_of(answer):
        warning = f"{answer.name} is private, but no alias of it is a privatelink name"
    return Verdict(
        outcome=Outcome.PASS,
        sentence=f"{answer.name} resolved to the private {', '.join(answer.addresses)}",
        source=SOURCE,
        warning=warning,
    )


def judge_no_public(answer: DnsAnswer) -> Verdict:
    """Whether the second look-up (AAAA) adds no public address; having none at all is good."""
    public = [address for address in answer.addresses if not is_private(address)]
    if public:
        return Verdict(
            outcome=Outcome.FAIL,
            sentence=f"{answer.name} should have private addresses only, but its {answer.qtype} "
            f"look-up gave the public {', '.join(public)}",
            source=SOURCE,
        )
    return Verdict(
        outcome=Outcome.PASS,
        sentence=f"{answer.name} has no public {answer.qtype} address",
        source=SOURCE,
    )


def _problem(answer: DnsAnswer, addresses: Collection[str]) -> str:
    zone = zone_of(answer)
    unanswered = failure(answer)
    if unanswered and zone and answer.status in (DnsStatus.NXDOMAIN, DnsStatus.NOERROR):
        return f"the private DNS zone {zone} is linked and has no record for it ({unanswered})"
    if unanswered:
        return unanswered
    public = [address for address in answer.addresses if not is_private(address)]
    if public and zone:
        return (
            f"it resolved to the public {', '.join(public)} by way of "
            f"{' -> '.join(answer.cname_chain)}: the private DNS zone {zone} is not linked to the "
            "cluster's virtual network, or its record is missing"
        )
    if public:
        return (
            f"it resolved to the public {', '.join(public)} without any privatelink alias: "
            "the resource has no private endpoint"
        )
    strangers = set(answer.addresses) - set(addresses)
    if addresses and strangers:
        return f"it resolved to {', '.join(sorted(strangers))}: a stale or a foreign record"
    return ""
