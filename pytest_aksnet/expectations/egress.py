"""What destinations outside the cluster must show: reached, closed, with the promised address."""

from collections.abc import Collection, Mapping

from pytest_aksnet.expectations.addresses import is_private
from pytest_aksnet.expectations.probing import too_close
from pytest_aksnet.model.probing import Answer, Batch, Finding
from pytest_aksnet.model.verdict import Outcome, Verdict

SITE = "the site file"
OUTBOUND_TYPE = "AKS docs: egress-outboundtype"
REQUIRED = "AKS docs: outbound-rules-control-egress"
NO_INSPECTION = f"{REQUIRED}; Azure docs: Azure Firewall Premium, TLS inspection"

_WAYS = {
    Finding.TIMEOUT: "nothing answered: the packets are dropped on the way, by a route without a "
    "next hop, a network security group, a firewall, or for want of an outbound address",
    Finding.REFUSED: "the connection was refused: nothing listens there, or a firewall resets what "
    "it denies",
    Finding.RESET: "the connection was reset, as firewalls do with what they deny",
    Finding.UNREACH: "there is no route",
    Finding.PROHIBITED: "a filter rejected it",
    Finding.MUTE: "a connection was made, but nothing came over it: something between accepts "
    "connections and passes nothing on",
    Finding.EOF: "the connection was closed without an answer, as by a firewall that filters TLS "
    "by name",
    Finding.WRONG: "something else answered",
    Finding.UNRESOLVED: "the name could not be resolved",
}
_CLOSED = frozenset({Finding.UNREACH, Finding.PROHIBITED})


def judge_required(answer: Answer | None, *, what: str, source: str) -> Verdict:
    """Whether a destination that must be reached was; `source` is where that is written."""
    if answer is None or not answer.looked:
        return _not_looked(answer, what)
    if answer.finding is Finding.OK:
        return Verdict(outcome=Outcome.PASS, sentence=f"{what} was reached", source=source)
    return Verdict(
        outcome=Outcome.FAIL,
        sentence=f"{what} must be reached, but {_WAYS[answer.finding]}{_said(answer)}",
        source=source,
    )


def judge_closed(
    batch: Batch, index: int, *, what: str, timeout_s: float, control: int, source: str, cause: str
) -> Verdict:
    """Whether a destination that must not be reached was not.

    Silence counts while the probe at `control` was answered in the same list, several times
    sooner than was waited for; so does what a router or filter says. A refused or reset connection
    may come from the destination itself, so it proves neither. `cause` says what an open way means.
    """
    answer = batch.answers[index]
    if answer is None or not answer.looked:
        return _not_looked(answer, what)
    if answer.finding in (Finding.OK, Finding.MUTE, Finding.EOF, Finding.WRONG):
        return Verdict(
            outcome=Outcome.FAIL,
            sentence=f"{what} must not be reached, but a connection was made: {cause}",
            source=source,
        )
    if answer.finding in _CLOSED:
        return Verdict(
            outcome=Outcome.PASS,
            sentence=f"{what} is closed: {_WAYS[answer.finding]}",
            source=source,
        )
    held = batch.answers[control]
    why = ""
    if answer.finding is not Finding.TIMEOUT:
        why = f"{_WAYS[answer.finding]}, which may as well come from the destination itself"
    elif held is None or held.finding is not Finding.OK:
        why = "the positive control did not hold, so a missing answer proves nothing"
    elif not batch.ended or batch.gaps:
        why = f"answers of the agent are missing ({batch.problem or 'a gap'})"
    else:
        why = too_close(timeout_s, held.ms)
    if why:
        return Verdict(outcome=Outcome.INCONCLUSIVE, sentence=f"{what}: {why}", source=source)
    return Verdict(outcome=Outcome.PASS, sentence=f"{what} is closed", source=source)


def judge_egress_address(seen: str, *, promised: Collection[str], who: str, source: str) -> Verdict:
    """Whether the address that somebody outside saw is one of the `promised` ones.

    `who` says between whom. With no address of its family promised, any public one will do.
    """
    same_family = [one for one in promised if (":" in one) == (":" in seen)]
    if seen in promised or (not same_family and not is_private(seen)):
        note = "" if same_family else ", judged without a list of them"
        return Verdict(
            outcome=Outcome.PASS, sentence=f"{who}: it left with {seen}{note}", source=source
        )
    expected = ", ".join(sorted(same_family)) or "a public address"
    return Verdict(
        outcome=Outcome.FAIL,
        sentence=f"{who}: it should leave with {expected}, but left with {seen}: the egress "
        "address has changed or another way out is taken (outbound IPs of the load balancer, NAT "
        "gateway, firewall behind a route), or the list of egress addresses is old",
        source=source,
    )


def judge_told_address(answer: Answer | None, *, promised: Collection[str], who: str) -> Verdict:
    """The same for what a name server told; one that is not reached tells nothing.

    Many sites let no DNS out: that is no wrong address.
    """
    if answer is None or not answer.looked:
        return _not_looked(answer, who)
    records = answer.facts.get("records")
    seen = str(records[0]) if isinstance(records, list) and records else ""
    if answer.finding is Finding.OK and seen:
        return judge_egress_address(seen, promised=promised, who=who, source=OUTBOUND_TYPE)
    why = "it told none" if answer.finding is Finding.OK else _WAYS[answer.finding]
    return Verdict(
        outcome=Outcome.INCONCLUSIVE,
        sentence=f"{who}: with which address is not known, as {why}{_said(answer)}",
    )


def judge_certificate(answer: Answer | None, *, what: str, trusted: str) -> Verdict:
    """Whether the certificate of `what` is one of the authorities `trusted` (a noun) vouches for.

    What was not reached says nothing about certificates.
    """
    if answer is None or not answer.looked:
        return _not_looked(answer, what)
    facts: Mapping[str, object] = answer.facts
    if answer.finding is not Finding.OK:
        return Verdict(
            outcome=Outcome.INCONCLUSIVE,
            sentence=f"{what} shows no certificate: {_WAYS[answer.finding]}{_said(answer)}",
        )
    if facts.get("verified"):
        return Verdict(
            outcome=Outcome.PASS,
            sentence=f"{what} shows a certificate of {facts.get('issuer')}",
            source=NO_INSPECTION,
        )
    return Verdict(
        outcome=Outcome.FAIL,
        sentence=f"{what} should show a certificate that {trusted} vouch for, but shows one of "
        f"{facts.get('issuer') or 'an unnamed issuer'} ({facts.get('why', 'not verified')}): "
        "something between ends the TLS connections, such as a firewall that inspects them, or the "
        "host itself has a bad certificate",
        source=NO_INSPECTION,
    )


def _said(answer: Answer) -> str:
    detail = answer.facts.get("detail")
    return f" ({detail})" if detail else ""


def _not_looked(answer: Answer | None, what: str) -> Verdict:
    why = "no answer of the agent" if answer is None else answer.detail
    return Verdict(outcome=Outcome.INCONCLUSIVE, sentence=f"{what} could not be looked at: {why}")
