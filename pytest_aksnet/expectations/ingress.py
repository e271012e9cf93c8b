"""What Ingress and Gateway API promise of requests, and judgements of what became of them. Pure."""

import ipaddress
import json
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from pytest_aksnet.expectations.probing import judge_reached
from pytest_aksnet.expectations.shares import plausible_counts
from pytest_aksnet.model.ingress import Wanted
from pytest_aksnet.model.probing import Answer, Finding
from pytest_aksnet.model.verdict import Outcome, Verdict

ROUTES = "Kubernetes docs: concepts/services-networking/ingress, Ingress rules and path types"
TLS = "Kubernetes docs: concepts/services-networking/ingress, TLS"
FORWARDED = (
    "ingress-nginx docs: use-forwarded-headers; Azure docs: how-application-gateway-works, "
    "modifications to the request"
)
WEIGHTS = "ingress-nginx docs: canary; Gateway API specification: BackendRef weight"
STATUS = "Kubernetes docs: concepts/services-networking/ingress, IngressStatus"
PROGRAMMED = "Gateway API specification: Gateway status, addresses and Programmed"

_REDIRECTS = (301, 302, 303, 307, 308)


@dataclass(frozen=True, slots=True)
class Reply:
    """An HTTP answer: status, and what a pod's reflector said, where it was one."""

    status: int
    pod: str = ""
    source: str = ""
    forwarded: Mapping[str, str] = field(default_factory=dict)


def reply_of(answer: Answer) -> Reply:
    """What an answer to an HTTP probe says; a body that is no reflector's is left out."""
    status = answer.facts.get("status")
    try:
        body = json.loads(str(answer.facts.get("body") or ""))
    except (ValueError, RecursionError):
        body = None
    code = status if isinstance(status, int) else 0
    if not isinstance(body, dict):
        return Reply(code)
    forwarded = body.get("forwarded")
    return Reply(
        code,
        str(body.get("pod") or "")[:253],
        str(body.get("source") or "")[:64],
        {str(k): str(v) for k, v in forwarded.items()} if isinstance(forwarded, dict) else {},
    )


def judge_routed(answer: Answer | None, wanted: Wanted, *, source: str = ROUTES) -> Verdict:
    """Whether a request was answered by who should answer it."""
    what = f"http://{wanted.host}{wanted.path}"
    reached = judge_reached(answer, what=what, source=source)
    if answer is None or reached.outcome is not Outcome.PASS:
        return reached
    reply = reply_of(answer)
    expected = (
        f"be answered by {_either(wanted.pods)}"
        if wanted.pods
        else f"be answered with {_either(map(str, wanted.statuses))}"
    )
    by = f" by pod {reply.pod}" if reply.pod else ""
    seen = f"{what} should {expected}; it was answered with {reply.status}{by}"
    good = reply.status in wanted.statuses and (
        reply.pod in wanted.pods if wanted.pods else not reply.pod
    )
    outcome = Outcome.PASS if good else Outcome.FAIL
    return Verdict(outcome=outcome, sentence=seen, source=source)


def judge_forwarded_for(
    answer: Answer | None, wanted: Wanted, *, clients: Collection[str]
) -> Verdict:
    """Whether the backend is told the client's address, one of `clients`."""
    routed = judge_routed(answer, wanted, source=FORWARDED)
    if answer is None or routed.outcome is not Outcome.PASS:
        return routed
    said = reply_of(answer).forwarded.get("x-forwarded-for", "")
    told = [_address(part) for part in said.split(",")]
    good = any(one in clients for one in told if one)
    sentence = (
        f"the header X-Forwarded-For that pod {reply_of(answer).pod} gets for {wanted.host} should "
        f"have the client's address, {_either(sorted(clients))}; "
        + (f"it is {said!r}" if said else "there is none")
    )
    outcome = Outcome.PASS if good else Outcome.FAIL
    return Verdict(outcome=outcome, sentence=sentence, source=FORWARDED)


def judge_split(
    answers: Sequence[Answer | None], shares: Mapping[str, float], *, what: str
) -> Verdict:
    """Whether pods, by name, got the shares (of 1) of the requests that the weights give them.

    A share that is kept is taken for broken with a probability of at most 4e-7 in all.
    """
    lost = [answer for answer in answers if answer is None or answer.finding is not Finding.OK]
    if lost:
        return judge_reached(lost[0], what=what, source=WEIGHTS)
    counts = _counts(answers)
    sentence = f"{what}: of {len(answers)} requests " + ", ".join(
        f"{counts[pod]} went to pod {pod} (weight {share:.0%}: "
        f"{'{} to {}'.format(*plausible_counts(len(answers), share))} are plausible)"
        for pod, share in shares.items()
    )
    others = [
        f"{number} were answered by {who}" for who, number in counts.items() if who not in shares
    ]
    sentence = ", ".join([sentence, *others])
    good = not others and all(
        least <= counts[pod] <= largest
        for pod, share in shares.items()
        for least, largest in [plausible_counts(len(answers), share)]
    )
    outcome = Outcome.PASS if good else Outcome.FAIL
    return Verdict(outcome=outcome, sentence=sentence, source=WEIGHTS)


def counted(answers: Sequence[Answer | None]) -> dict[str, str]:
    """How many requests each pod answered, by its name, or which status, where it was none."""
    return {who: str(number) for who, number in sorted(_counts(answers).items())}


def _counts(answers: Sequence[Answer | None]) -> Counter[str]:
    replies = [reply_of(answer) for answer in answers if answer is not None]
    return Counter(reply.pod or f"status {reply.status}" for reply in replies)


def judge_certificate(answer: Answer | None, *, host: str) -> Verdict:
    """Whether the certificate shown for a host is its own, which the probe was told to trust."""
    what = f"https://{host}"
    reached = judge_reached(answer, what=what, source=TLS)
    if answer is None or reached.outcome is not Outcome.PASS:
        return reached
    verified = answer.facts.get("verified")
    if not isinstance(verified, bool):
        return Verdict(
            outcome=Outcome.INCONCLUSIVE,
            sentence=f"the certificate of {what} could not be looked at: {answer.detail}",
            source=TLS,
        )
    names = answer.facts.get("names")
    shown = ", ".join(map(str, names)) if isinstance(names, list) and names else "no name"
    sentence = f"for SNI {host} the certificate of its own Secret should be shown; " + (
        "it is"
        if verified
        else f"one for {shown} of issuer {answer.facts.get('issuer')} is "
        f"({answer.facts.get('why')})"
    )
    outcome = Outcome.PASS if verified else Outcome.FAIL
    return Verdict(outcome=outcome, sentence=sentence, source=TLS)


def judge_redirect(answer: Answer | None, *, host: str, source: str) -> Verdict:
    """Whether HTTP is answered with a redirect to HTTPS of the same host."""
    what = f"http://{host}/"
    reached = judge_reached(answer, what=what, source=source)
    if answer is None or reached.outcome is not Outcome.PASS:
        return reached
    status, to = reply_of(answer).status, answer.facts.get("location")
    sentence = f"{what} should be redirected to https://{host}; it was answered with {status}"
    if status not in _REDIRECTS:
        return Verdict(outcome=Outcome.FAIL, sentence=sentence, source=source)
    if to is None:
        return Verdict(
            outcome=Outcome.INCONCLUSIVE,
            sentence=f"{sentence}, and where to is not known: the pod's image has no python3",
            source=source,
        )
    good = str(to).startswith((f"https://{host}/", f"https://{host}:443/"))
    outcome = Outcome.PASS if good else Outcome.FAIL
    return Verdict(outcome=outcome, sentence=f"{sentence} to {to}", source=source)


def _address(text: str) -> str:
    """The address in an element of X-Forwarded-For; Application Gateway adds the port."""
    part = text.strip()
    for candidate in (part, part.rpartition(":")[0], part.strip("[]")):
        try:
            return str(ipaddress.ip_address(candidate.strip("[]")))
        except ValueError:
            continue
    return ""


def _either(names: Iterable[str]) -> str:
    return " or ".join(names)
