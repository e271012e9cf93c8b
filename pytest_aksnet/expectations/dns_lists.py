"""What lists of DNS questions must give: each its answer, or as many of them as chance explains."""

from collections.abc import Collection

from pytest_aksnet.expectations.chance import FALSE_ALARM, most_by_chance, percentile
from pytest_aksnet.model.observation import DnsAnswer, DnsStatus
from pytest_aksnet.model.probing import Answer, Batch, Finding
from pytest_aksnet.model.verdict import Outcome, Verdict

SPECIFICATION = "Kubernetes DNS-based service discovery 1.1.0"
RETRY = "resolv.conf(5): timeout, 5 s by default; Kubernetes docs: dns-debugging-resolution"
RESOLVER_TIMEOUT_S = 5.0
TOLERATED_SHARE = 0.01
"""Of slow or lost queries: no document promises none, so fewer than that fail no check."""

_SAID = {
    Finding.TIMEOUT: "nothing answered",
    Finding.REFUSED: "the port is closed: no DNS server listens there",
    Finding.RESET: "the connection was reset",
    Finding.UNREACH: "there is no route",
    Finding.PROHIBITED: "a filter rejected it",
    Finding.MUTE: "a connection was made, but no answer came over it",
    Finding.EOF: "the connection was closed without an answer",
    Finding.WRONG: "the answer cannot be read",
}
_CODES = {
    "NXDOMAIN": "NXDOMAIN, the name does not exist for it",
    "SERVFAIL": "SERVFAIL, it could not find out, for a fault of its own or of its upstream",
    "REFUSED": "REFUSED, it does not answer this client or this name",
}


def judge_answer(
    answer: Answer | None,
    *,
    what: str,
    rcode: str = "NOERROR",
    records: Collection[str] | None = None,
    source: str = SPECIFICATION,
) -> Verdict:
    """Whether `what` ("NAME of SERVER over PROTOCOL") has this code and exactly these records.

    Records are compared as text, names without their last dot and in lower case. None is any, but
    at least one where the code is NOERROR.
    """
    if answer is None or not answer.looked:
        why = f": {answer.detail}" if answer is not None else ""
        return Verdict(outcome=Outcome.INCONCLUSIVE, sentence=f"{what} could not be looked at{why}")
    wanted = f"{what} should give {rcode}" + (f" with {_listed(records)}" if records else "")
    if problem := _problem(answer, rcode, records):
        return Verdict(outcome=Outcome.FAIL, sentence=f"{wanted}, but {problem}", source=source)
    return Verdict(outcome=Outcome.PASS, sentence=f"{what} gives {rcode}", source=source)


def as_dns_answer(answer: Answer, *, name: str, qtype: str) -> DnsAnswer:
    """The answer of an agent as that of a look-up, for a diagnosis."""
    status = DnsStatus.TIMEOUT
    if answer.finding is Finding.OK:
        word = str(answer.facts.get("rcode"))
        status = DnsStatus(word) if word in DnsStatus.__members__ else DnsStatus.OTHER
    return DnsAnswer(
        name=name,
        qtype=qtype,
        status=status,
        addresses=_texts(answer, "records"),
        cname_chain=_texts(answer, "aliases"),
        server=str(answer.facts.get("server", "")),
        elapsed_s=answer.ms / 1000,
    )


def judge_seen(seen: DnsAnswer, *, rcode: str, records: Collection[str] | None) -> Verdict:
    """The same as `judge_answer` of an answer that another tool saw."""
    good = seen.status.value == rcode and (
        bool(seen.addresses) or rcode != "NOERROR"
        if records is None
        else {_plain(text) for text in seen.addresses} == {_plain(text) for text in records}
    )
    outcome = Outcome.PASS if good else Outcome.FAIL
    return Verdict(outcome=outcome, sentence=f"{seen.name}: {seen.status.value}")


def judge_latency(batch: Batch, *, limit_s: float, where: str) -> Verdict:
    """Whether 99 of 100 answers come within `limit_s` (seconds), to pods of `where`.

    It fails where more are late or missing than chance explains if one in a hundred is.
    """
    late = [a for a in batch.answers if a is not None and _is_late(a, limit_s)]
    return _judge_share(
        batch,
        len(late),
        what=f"of the answers to {where} come later than {limit_s:g} s or never",
        source=RETRY,
    )


def judge_burst(batch: Batch, *, within_s: float, where: str) -> Verdict:
    """Whether queries that were sent at once, and once only, are answered (`within_s` seconds)."""
    lost = [a for a in batch.answers if a is not None and _is_late(a, within_s)]
    return _judge_share(
        batch,
        len(lost),
        what=f"of the queries that pods of {where} send at once are lost: no answer came within "
        f"{within_s:g} s",
        source=RETRY,
    )


def _judge_share(batch: Batch, bad: int, *, what: str, source: str) -> Verdict:
    asked = len(batch.answers)
    most = most_by_chance(asked, TOLERATED_SHARE)
    heard = [a for a in batch.answers if a is not None and a.finding is Finding.OK]
    wrong = [problem for answer in heard if (problem := _problem(answer, "NOERROR", None))]
    seen = sorted(answer.ms for answer in heard)
    times = (
        f"p50 {percentile(seen, 0.5):.1f} ms, p99 {percentile(seen, 0.99):.1f} ms" if seen else ""
    )
    if max(bad, len(wrong)) > most:
        sentence = f"{bad} of {asked} {what}" if bad > most else _told(wrong, asked)
        sentence += f"; of the answers that came {times}" if times else ""
        sentence += (
            f"; where {TOLERATED_SHARE:.0%} are so, more than {most} come with a probability "
            f"below {FALSE_ALARM:g}"
        )
        return Verdict(outcome=Outcome.FAIL, sentence=sentence, source=source)
    unseen = sum(1 for answer in batch.answers if answer is None or not answer.looked)
    if unseen:
        sentence = f"{unseen} of {asked} queries could not be looked at"
        return Verdict(outcome=Outcome.INCONCLUSIVE, sentence=sentence)
    return Verdict(
        outcome=Outcome.PASS, sentence=f"{bad} of {asked} {what}; {times}", source=source
    )


def _told(wrong: list[str], asked: int) -> str:
    return f"{len(wrong)} of {asked} queries are not answered well: {wrong[0]}"


def _is_late(answer: Answer, limit_s: float) -> bool:
    return answer.looked and (answer.finding is not Finding.OK or answer.ms > 1000 * limit_s)


def _problem(answer: Answer, rcode: str, records: Collection[str] | None) -> str:
    """What is not as it should be, as a clause; blank where nothing is."""
    said = answer.facts.get("detail")
    asked = answer.facts.get("server")
    if answer.finding is not Finding.OK:
        details = ", ".join(str(one) for one in (asked, said) if one)
        return _SAID.get(answer.finding, str(answer.finding.value)) + (
            f" ({details})" if details else ""
        )
    code = str(answer.facts.get("rcode"))
    server = f" from {asked}" if asked else ""
    if code != rcode:
        return f"the answer{server} is {_CODES.get(code, code)}"
    seen = {_plain(text) for text in _texts(answer, "records")}
    if records is None:
        return "" if seen or rcode != "NOERROR" else f"the answer{server} holds no record"
    if seen != {_plain(text) for text in records}:
        return f"the answer{server} holds {_listed(seen)}"
    return ""


def _texts(answer: Answer, fact: str) -> tuple[str, ...]:
    found = answer.facts.get(fact)
    return tuple(map(str, found)) if isinstance(found, list | tuple) else ()


def _plain(text: str) -> str:
    return text.lower().rstrip(".")


def _listed(records: Collection[str] | None) -> str:
    return ", ".join(sorted(records or ())) or "no record"
