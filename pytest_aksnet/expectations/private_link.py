"""What a name behind a private endpoint must resolve to, and what a wrong answer says."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from pytest_aksnet.expectations.addresses import is_private
from pytest_aksnet.expectations.dns import failure
from pytest_aksnet.model.observation import DnsAnswer, DnsStatus
from pytest_aksnet.model.probing import Answer, Finding
from pytest_aksnet.model.verdict import Outcome, Verdict

SOURCE = "Azure docs: private-endpoint-dns"
ENDPOINT = "Azure docs: private-endpoint-overview, manage-private-endpoint"
TLS = "RFC 6125; Azure docs: private-endpoint-dns (clients go on using the public name)"
HTTPS = 443
_LABEL = ".privatelink."


def zone_of(answer: DnsAnswer) -> str:
    """The private DNS zone that the name of `answer` or its aliases name; blank without one."""
    for name in (*answer.cname_chain, answer.name):
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


def judge_private_by(answer: DnsAnswer, *, addresses: Collection[str], server: str) -> Verdict:
    """`judge_private` for an answer of `server`, a noun that the sentence names."""
    verdict = judge_private(answer, addresses=addresses)
    return replace(verdict, sentence=f"{server}: {verdict.sentence}")


def judge_agreement(seen: Mapping[str, Mapping[tuple[str, ...], Sequence[str]]]) -> Verdict:
    """Whether each name has one set of addresses; `seen` has the nodes that saw each, by name."""
    for name, found in seen.items():
        if len(found) > 1:
            listed = "; ".join(
                f"{', '.join(addresses) or 'none'} on {', '.join(nodes)}"
                for addresses, nodes in found.items()
            )
            return Verdict(
                outcome=Outcome.FAIL,
                sentence=f"pods of all nodes should get the same addresses for {name}, but got "
                f"{listed}: an old record in a cache, or another DNS server",
                source=SOURCE,
            )
    return Verdict(
        outcome=Outcome.PASS,
        sentence=f"pods of all nodes get the same addresses for {', '.join(seen)}",
        source=SOURCE,
    )


def judge_endpoint(answer: Answer | None, *, name: str, port: int) -> Verdict:
    """Whether the private endpoint behind `name` accepted a connection at its port."""
    what = f"the private endpoint of {name}, port {port}"
    if answer is None or not answer.looked:
        return _not_looked(answer, what)
    if elsewhere := _elsewhere(answer, name):
        return Verdict(outcome=Outcome.FAIL, sentence=elsewhere, source=SOURCE)
    if answer.finding is Finding.OK:
        return Verdict(outcome=Outcome.PASS, sentence=f"{what}, accepts", source=ENDPOINT)
    why = {
        Finding.TIMEOUT: "nothing answered: its connection is not approved, or a route or a "
        "network security group stands in the way",
        Finding.UNRESOLVED: "its name does not resolve",
        Finding.REFUSED: "it was refused: the address is no longer that of the private endpoint",
    }.get(answer.finding, f"it ended with {answer.detail}")
    at = answer.facts.get("address")
    if answer.finding is Finding.TIMEOUT and not at:
        why = "its name does not resolve: no DNS server answered in time"
    return Verdict(
        outcome=Outcome.FAIL,
        sentence=f"{what}, should accept connections{f' at {at}' if at else ''}, but {why}",
        source=ENDPOINT,
    )


def judge_certificate(answer: Answer | None, *, name: str) -> Verdict:
    """Whether a TLS server at the private endpoint presented a trusted certificate of `name`."""
    what = f"the private endpoint of {name}"
    if answer is None or not answer.looked:
        return _not_looked(answer, what)
    if elsewhere := _elsewhere(answer, name):
        return Verdict(outcome=Outcome.FAIL, sentence=elsewhere, source=SOURCE)
    if answer.finding in (Finding.TIMEOUT, Finding.REFUSED, Finding.UNRESOLVED):
        return judge_endpoint(answer, name=name, port=HTTPS)
    facts = answer.facts
    if answer.finding is not Finding.OK:
        return Verdict(
            outcome=Outcome.FAIL,
            sentence=f"{what} should speak TLS, but it ended with {answer.detail}",
            source=TLS,
        )
    listed = facts.get("names")
    names = [str(one) for one in listed] if isinstance(listed, list) else []
    issuer = facts.get("issuer", "")
    if not any(_covers(pattern, name) for pattern in names):
        return Verdict(
            outcome=Outcome.FAIL,
            sentence=f"{what} should present a certificate of that name, but presents one of "
            f"{', '.join(names) or 'no name'}, issued by {issuer}: another resource answers there",
            source=TLS,
        )
    if not isinstance(facts.get("verified"), bool):
        return Verdict(
            outcome=Outcome.INCONCLUSIVE,
            sentence=f"whether the certificate of {what} is trusted was not looked at",
            source=TLS,
        )
    if not facts["verified"]:
        return Verdict(
            outcome=Outcome.FAIL,
            sentence=f"{what} should present a certificate that is trusted, but presents one "
            f"issued by {issuer} ({facts.get('why', 'not trusted')}): TLS is intercepted on the "
            "way, or the resource has a certificate of its own; trusted_ca of the site file names "
            "authorities to trust",
            source=TLS,
        )
    return Verdict(
        outcome=Outcome.PASS,
        sentence=f"{what} presents a certificate of that name, issued by {issuer}",
        source=TLS,
    )


def judge_no_public(answer: DnsAnswer) -> Verdict:
    """Whether the second look-up (AAAA) adds no public address; having none at all is good.

    Only an answer says that there is none.
    """
    if answer.status not in (DnsStatus.NOERROR, DnsStatus.NXDOMAIN):
        return Verdict(
            outcome=Outcome.INCONCLUSIVE,
            sentence=f"whether {answer.name} has a public {answer.qtype} address is not known: "
            f"{failure(answer)}",
            source=SOURCE,
        )
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


def _not_looked(answer: Answer | None, what: str) -> Verdict:
    why = "no answer of the agent" if answer is None else answer.detail
    return Verdict(outcome=Outcome.INCONCLUSIVE, sentence=f"{what} could not be looked at: {why}")


def _elsewhere(answer: Answer, name: str) -> str:
    """What is wrong where the name led out of the private network; blank where it did not."""
    address = str(answer.facts.get("address", ""))
    if not address or is_private(address):
        return ""
    return (
        f"{name} should lead to its private endpoint, but led to the public {address}: the private "
        "DNS zone is not linked to the virtual network, or its record is missing"
    )


def _covers(pattern: str, name: str) -> bool:
    """Whether a name of a certificate stands for this one (RFC 6125: one label for a `*`)."""
    own, wanted = pattern.lower().rstrip("."), name.lower().rstrip(".")
    if own.startswith("*."):
        return own[2:] == wanted.partition(".")[2]
    return own == wanted


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
