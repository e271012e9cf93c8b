"""What pods see of names and addresses of private endpoints, without judging it.

An answer of any kind is a look; where the agent could not look, the check ends inconclusive.
"""

from collections.abc import Callable, Mapping, Sequence

from pytest_aksnet.assertions.looker import Looker
from pytest_aksnet.check import Engine
from pytest_aksnet.check_many import Cell, look_at_all
from pytest_aksnet.expectations.dns_lists import as_dns_answer
from pytest_aksnet.model.observation import DnsAnswer
from pytest_aksnet.model.probing import Batch, Finding, Kind, Probe
from pytest_aksnet.model.verdict import Outcome, Verdict

_DNS_PORT = 53
_GRACE_S = 3.0
_ANSWERED = frozenset({Finding.OK})


def ask_names(
    engine: Engine, looker: Looker, names: Sequence[str], servers: Mapping[str, str]
) -> dict[tuple[str, str], DnsAnswer]:
    """The A answers to a pod, by server and name.

    `servers` are nouns by address; the empty address is whom resolv.conf names.
    """
    questions = [(server, name) for server in servers for name in names]
    if not questions:
        return {}
    timeout_s = engine.pacing.connect_timeout_s

    def probe(server: str, name: str) -> Probe:
        return Probe(
            kind=Kind.DNS,
            host=server,
            port=_DNS_PORT,
            timeout_s=timeout_s,
            options={"name": f"{name}.", "type": "A"},
            until=_ANSWERED,
            within_s=engine.pacing.patience_s,
        )

    batch = _look(
        engine,
        looker,
        [probe(*question) for question in questions],
        what=f"what {', '.join(servers.values())} says of private names",
        by_hand=("sh", "-c", 'for n; do dig +noall +answer "$n"; done', "sh", *names),
    )
    return {
        question: as_dns_answer(answer, name=question[1], qtype="A")
        for question, answer in zip(questions, batch.answers, strict=True)
        if answer is not None
    }


def ask_ports(
    engine: Engine, looker: Looker, places: Sequence[tuple[str, int]]
) -> dict[tuple[str, int], bool]:
    """Whether each (address, TCP port) accepts a connection from a pod."""
    if not places:
        return {}

    def probe(address: str, port: int) -> Probe:
        return Probe(
            kind=Kind.CONNECT,
            host=address,
            port=port,
            timeout_s=engine.pacing.connect_timeout_s,
            until=_ANSWERED,
            within_s=engine.pacing.patience_s,
        )

    batch = _look(
        engine,
        looker,
        [probe(*place) for place in places],
        what="ports of private endpoints",
        by_hand=("nc", "-vz", places[0][0], str(places[0][1])),
    )
    return {
        place: answer is not None and answer.finding is Finding.OK
        for place, answer in zip(places, batch.answers, strict=True)
    }


def _look(
    engine: Engine, looker: Looker, probes: Sequence[Probe], *, what: str, by_hand: Sequence[str]
) -> Batch:
    pacing = engine.pacing
    return look_at_all(
        engine,
        looker.pod,
        [Cell(probe=probe, judge=_looked(probe)) for probe in probes],
        what=f"{what}, from node {looker.pod.node}",
        by_hand=by_hand,
        budget_s=pacing.patience_s + pacing.connect_timeout_s + _GRACE_S,
    )


def _looked(probe: Probe) -> Callable[[Batch, int], Verdict]:
    what = probe.options.get("name") or f"{probe.host} port {probe.port}"

    def judge(batch: Batch, index: int) -> Verdict:
        answer = batch.answers[index]
        if answer is None or not answer.looked:
            why = batch.problem if answer is None else answer.detail
            sentence = f"{what} could not be looked at: {why}"
            return Verdict(outcome=Outcome.INCONCLUSIVE, sentence=sentence)
        return Verdict(outcome=Outcome.PASS, sentence=f"{what}: {answer.detail}")

    return judge
