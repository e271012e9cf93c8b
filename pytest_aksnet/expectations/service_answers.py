"""What may be concluded from an agent's answers about a frontend of a Service.

Pure. A frontend is a cluster IP, a node port or a load balancer's address, each with its port.
"""

from collections.abc import Collection

from pytest_aksnet.expectations.probing import HOW_IT_FAILED, too_close
from pytest_aksnet.model.probing import Answer, Finding
from pytest_aksnet.model.verdict import Outcome, Verdict

VIRTUAL_IPS = "Kubernetes docs: reference/networking/virtual-ips"
NODE_PORTS = "Kubernetes docs: concepts/services-networking/service, type NodePort"
AFFINITY = f"{VIRTUAL_IPS}, session affinity"
REJECTED = (
    "Kubernetes end-to-end tests: Services should be rejected when no endpoints exist; "
    f"{VIRTUAL_IPS}"
)
REJECTING = frozenset({"iptables", "nftables", "ipvs"})
_NEVER_CAME = {
    **HOW_IT_FAILED,
    # What a Service that is silent or refuses suggests is another thing than of a pod.
    Finding.TIMEOUT: "nothing answered",
    Finding.REFUSED: "it was refused",
}


def answered_by(answer: Answer) -> str:
    """The name of the pod that answered; empty where the answerer is no reflector."""
    return str(answer.facts.get("pod") or "")


def judge_answer(
    answer: Answer | None,
    *,
    what: str,
    servers: Collection[str],
    source: str,
    clients: Collection[str] = (),
) -> Verdict:
    """Whether one of the pods `servers` answered, who saw one of the addresses `clients` if any."""
    if answer is None or not answer.looked:
        return _unseen(answer, what)
    problem = ""
    if answer.finding is not Finding.OK:
        problem = _NEVER_CAME[answer.finding]
    elif answered_by(answer) not in servers:
        problem = (
            f"{answered_by(answer) or 'a stranger'} answered, which is no ready endpoint of it: "
            "the service proxy sends to a stale one"
        )
    elif clients and answer.facts.get("source") not in clients:
        problem = (
            f"{answered_by(answer)} saw {answer.facts.get('source')} instead of the client "
            f"({', '.join(sorted(clients))}): the source was masqueraded"
        )
    if problem:
        sentence = f"{what} should be served by {', '.join(sorted(servers))}, but {problem}"
        return Verdict(outcome=Outcome.FAIL, sentence=sentence, source=source)
    sentence = f"{what} was served by {answered_by(answer)}"
    return Verdict(outcome=Outcome.PASS, sentence=sentence, source=source)


def judge_same_endpoint(answer: Answer | None, *, what: str, first: str) -> Verdict:
    """Whether a connection of a client reached the pod `first` that its first one reached."""
    if answer is None or not answer.looked:
        return _unseen(answer, what)
    if answer.finding is Finding.OK and answered_by(answer) == first:
        return Verdict(outcome=Outcome.PASS, sentence=f"{first} served again", source=AFFINITY)
    problem = (
        f"{answered_by(answer)} did: session affinity is lost"
        if answer.finding is Finding.OK
        else _NEVER_CAME[answer.finding]
    )
    return Verdict(
        outcome=Outcome.FAIL,
        sentence=f"{what} (sessionAffinity: ClientIP) should be served by {first}, which served "
        f"this client first, but {problem}",
        source=AFFINITY,
    )


def judge_rejected(answer: Answer | None, *, what: str, proxy_mode: str | None) -> Verdict:
    """Whether a Service without endpoints is rejected at once.

    kube-proxy does in every mode; an eBPF proxy may drop as well (Cilium docs: option
    service-no-backend-response), and of an unknown proxy silence only warns.
    """
    if answer is None or not answer.looked:
        return _unseen(answer, what)
    expected = f"{what}, which has no endpoint, should be rejected at once"
    if answer.finding in (Finding.OK, Finding.MUTE, Finding.EOF, Finding.WRONG):
        return Verdict(
            outcome=Outcome.FAIL,
            sentence=f"{expected}, but {answered_by(answer) or 'somebody'} answered: the service "
            "proxy sends to an endpoint that is not there",
            source=REJECTED,
        )
    if answer.finding is not Finding.TIMEOUT:
        return Verdict(
            outcome=Outcome.PASS, sentence=f"{what} is {answer.detail} at once", source=REJECTED
        )
    if proxy_mode in REJECTING:
        return Verdict(
            outcome=Outcome.FAIL,
            sentence=f"{expected}, but nothing answered, so clients hang: the service proxy "
            f"(kube-proxy, {proxy_mode}) has no rule that rejects",
            source=REJECTED,
        )
    known = "" if proxy_mode == "none" else f"{what} hangs instead of being rejected"
    return Verdict(
        outcome=Outcome.PASS,
        sentence=f"{what}, which has no endpoint, is not served",
        source=REJECTED,
        warning=known,
    )


def judge_closed(
    answer: Answer | None, control: Answer | None, *, what: str, timeout_s: float
) -> Verdict:
    """Whether no pod of ours answers at an address and port that no Service has.

    Somebody else who does may be a middlebox that accepts whatever leaves the node. `control` is
    the answer of a frontend that must answer, in the same list; `timeout_s` is how long the closed
    one was waited for (seconds).
    """
    if answer is None or not answer.looked:
        return _unseen(answer, what)
    if answer.finding is Finding.OK:
        return Verdict(
            outcome=Outcome.FAIL,
            sentence=f"{what} should not answer, as no Service has that port there, but "
            f"{answered_by(answer) or 'a reflector'} did: the service proxy serves ports that it "
            "was not asked to serve",
            source=VIRTUAL_IPS,
        )
    if answer.finding in (Finding.MUTE, Finding.EOF, Finding.WRONG):
        return Verdict(
            outcome=Outcome.INCONCLUSIVE,
            sentence=f"{what} is no port of a Service, and somebody accepts connections there, who "
            f"is no pod of this check: {_NEVER_CAME[answer.finding]}",
            source=VIRTUAL_IPS,
        )
    late = too_close(timeout_s, control.ms) if control is not None else ""
    if answer.finding is Finding.TIMEOUT and late:
        return Verdict(
            outcome=Outcome.INCONCLUSIVE, sentence=f"{what} was {late}", source=VIRTUAL_IPS
        )
    return Verdict(
        outcome=Outcome.PASS, sentence=f"{what} is closed ({answer.detail})", source=VIRTUAL_IPS
    )


def judge_gone(answer: Answer | None, *, what: str, servers: Collection[str]) -> Verdict:
    """Whether a deleted Service, whose endpoints `servers` live on, is not served any more."""
    if answer is None or not answer.looked:
        return _unseen(answer, what)
    if answer.finding is Finding.OK and answered_by(answer) in servers:
        return Verdict(
            outcome=Outcome.FAIL,
            sentence=f"{what} was deleted and should not be served, but {answered_by(answer)} "
            "still answers: the service proxy keeps rules of Services that are gone",
            source=VIRTUAL_IPS,
        )
    if answer.finding is Finding.OK:
        return Verdict(
            outcome=Outcome.INCONCLUSIVE,
            sentence=f"{what} was deleted, and {answered_by(answer) or 'somebody else'} answers at "
            "its address, which another Service may have got",
            source=VIRTUAL_IPS,
        )
    return Verdict(
        outcome=Outcome.PASS, sentence=f"{what} is gone ({answer.detail})", source=VIRTUAL_IPS
    )


def judge_no_loss(answers: Collection[Answer | None], *, what: str) -> Verdict:
    """Whether each connection made while pods were replaced was served."""
    unseen = sum(answer is None or not answer.looked for answer in answers)
    lost = [
        _NEVER_CAME[answer.finding]
        for answer in answers
        if answer is not None and answer.looked and answer.finding is not Finding.OK
    ]
    source = "Kubernetes docs: tutorials/services/pods-and-endpoint-termination-flow"
    if lost:
        words = ", ".join(f"{lost.count(word)} times {word}" for word in dict.fromkeys(lost))
        return Verdict(
            outcome=Outcome.FAIL,
            sentence=f"{what}: no connection should be lost, but {len(lost)} were: {words}; the "
            "service proxy there still sends to pods that have ended, or does not yet know those "
            "that serve",
            source=source,
        )
    if unseen:
        sentence = f"{what}: {unseen} connections could not be looked at"
        return Verdict(outcome=Outcome.INCONCLUSIVE, sentence=sentence, source=source)
    return Verdict(outcome=Outcome.PASS, sentence=f"{what}: none lost", source=source)


def _unseen(answer: Answer | None, what: str) -> Verdict:
    why = "no answer of the agent" if answer is None else answer.detail
    return Verdict(outcome=Outcome.INCONCLUSIVE, sentence=f"{what} could not be looked at: {why}")
