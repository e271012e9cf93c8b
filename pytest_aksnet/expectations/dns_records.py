"""What records a name must have, how long a denial may be kept, and when a name has ended."""

from collections.abc import Collection
from ipaddress import ip_address

from pytest_aksnet.expectations.dns import SOURCE, failure
from pytest_aksnet.model.observation import Denial, DnsAnswer, DnsStatus
from pytest_aksnet.model.profile import Network
from pytest_aksnet.model.verdict import Outcome, Verdict

FALLBACK = "RFC 2181, 9, and RFC 7766, 5: what does not fit a datagram is asked for again over TCP"
NEGATIVE = "RFC 2308, 5; CoreDNS docs: plugins kubernetes (ttl) and cache"


def judge_records(answer: DnsAnswer, *, expected: Collection[str]) -> Verdict:
    """Whether the name has exactly these records, of an SRV record "PORT TARGET"."""
    wanted = f"{answer.name} should have the {answer.qtype} records {_some(expected)}"
    problem = failure(answer)
    if not problem and _seen(answer) != {_plain(text) for text in expected}:
        problem = f"it has {_some(_seen(answer))}"
    return _verdict(wanted, problem, SOURCE)


def judge_whole(answer: DnsAnswer, *, expected: Collection[str]) -> Verdict:
    """Whether all records came although they do not fit a datagram, by a second try over TCP.

    An answer that was never cut short proves nothing.
    """
    wanted = f"all {len(expected)} {answer.qtype} records of {answer.name} should come"
    problem = failure(answer)
    missing = {_plain(text) for text in expected} - _seen(answer)
    if not problem and missing:
        problem = f"{len(missing)} of them are missing: what was cut short was not asked for again"
    if not problem and not answer.truncated:
        return Verdict(
            outcome=Outcome.INCONCLUSIVE,
            sentence=f"{wanted} by TCP, but the answer over UDP was not cut short, so TCP was not "
            "needed",
        )
    if answer.status is DnsStatus.TIMEOUT and answer.truncated:
        problem = "the answer over UDP was cut short, and none came over TCP"
    return _verdict(wanted, problem, FALLBACK)


def judge_denial(denial: Denial, *, longest_s: int, corefile: str) -> Verdict:
    """Whether a denial may be kept for `longest_s` at most (seconds), as the Corefile has it."""
    wanted = (
        f"that {denial.name} does not exist may be kept for {longest_s} s, as {corefile} has it"
    )
    problem = ""
    if denial.status is not DnsStatus.NXDOMAIN:
        problem = f"the answer is {denial.status.value}"
    elif denial.ttl_s is not None and denial.ttl_s > longest_s:
        problem = (
            f"zone {denial.zone} says {denial.ttl_s} s: a Service that is asked for before it "
            "exists stays unknown that long; another DNS server or a cache answers in between"
        )
    return _verdict(wanted, problem, NEGATIVE)


def judge_gone(answer: DnsAnswer) -> Verdict:
    """Whether the name of what was deleted does not exist any more."""
    problem = ""
    if answer.status is DnsStatus.NOERROR:
        held = ", ".join(answer.addresses)
        problem = f"it still exists{f' with {held}' if held else ''}: the DNS does not follow"
    elif answer.status is not DnsStatus.NXDOMAIN:
        problem = failure(answer)
    return _verdict(f"{answer.name} should be gone (NXDOMAIN)", problem, SOURCE)


def judge_one_of_ranges(answer: DnsAnswer, *, ranges: Collection[Network]) -> Verdict:
    """Whether the name has exactly one address of this type, which lies in one of the ranges."""
    wanted = f"{answer.name} should have one {answer.qtype} record in {', '.join(map(str, ranges))}"
    problem = failure(answer)
    if not problem and len(answer.addresses) != 1:
        problem = f"it has {_some(answer.addresses)}"
    if not problem and not any(ip_address(answer.addresses[0]) in one for one in ranges):
        problem = f"it has {answer.addresses[0]}"
    return _verdict(wanted, problem, SOURCE)


def _verdict(wanted: str, problem: str, source: str) -> Verdict:
    if problem:
        return Verdict(outcome=Outcome.FAIL, sentence=f"{wanted}, but {problem}", source=source)
    return Verdict(outcome=Outcome.PASS, sentence=f"{wanted}, and so it is", source=source)


def _seen(answer: DnsAnswer) -> set[str]:
    # SRV: priority and weight are the server's choice.
    skipped = 2 if answer.qtype.upper() == "SRV" else 0
    return {_plain(" ".join(text.split()[skipped:])) for text in answer.addresses}


def _plain(text: str) -> str:
    return text.lower().rstrip(".")


def _some(records: Collection[str]) -> str:
    shown = ", ".join(sorted(records)[:6])
    more = len(records) - 6
    return f"{shown} and {more} more" if more > 0 else shown or "none"
