"""What DNS servers that stand for each other must have in common: they answer, and say the same."""

from collections.abc import Mapping, Sequence

from pytest_aksnet.model.probing import Answer, Finding
from pytest_aksnet.model.verdict import Outcome, Verdict

CUSTOM_SERVERS = (
    "Azure docs: virtual-networks-name-resolution-for-vms-and-role-instances; AKS docs: "
    "private-clusters and coredns-custom, custom DNS servers"
)
# What a server says that does not, or may not, find out.
_NO_ANSWERS = ("SERVFAIL", "REFUSED", "NOTIMP", "FORMERR")


def judge_agreement(
    answers: Mapping[tuple[str, str], Answer | None],
    *,
    servers: Sequence[str],
    names: Sequence[str],
    same_records: frozenset[str],
) -> Verdict:
    """Whether every server answers every name, and all with the same code.

    `answers` are by server and name. Of `same_records` the records must be equal as well: other
    names may have addresses in turn.
    """
    unseen = [key for key, answer in answers.items() if answer is None or not answer.looked]
    silent = [
        server
        for server in servers
        if any(
            (answer := answers[server, name]) is not None
            and answer.looked
            and answer.finding is not Finding.OK
            for name in names
        )
    ]
    problems = []
    if silent:
        problems.append(
            f"the DNS server {', '.join(silent)} does not answer: resolvers wait for it each time "
            "before they ask the next one"
        )
    for name in names:
        said = {
            server: _said(answer, records=name in same_records)
            for server in servers
            if (answer := answers[server, name]) is not None and answer.finding is Finding.OK
        }
        if len(set(said.values())) > 1:
            told = "; ".join(f"{server}: {text}" for server, text in said.items())
            problems.append(f"they disagree about {name} ({told})")
    if problems:
        sentence = (
            "the virtual network's DNS servers should all say the same, as which of them is asked "
            f"is chance, but {'; '.join(problems)}"
        )
        return Verdict(outcome=Outcome.FAIL, sentence=sentence, source=CUSTOM_SERVERS)
    if all(
        answer is not None and str(answer.facts.get("rcode")) in _NO_ANSWERS
        for answer in answers.values()
    ):
        codes = {str(one.facts.get("rcode")) for one in answers.values() if one is not None}
        sentence = (
            f"{', '.join(servers)} say {' or '.join(sorted(codes)) or 'nothing'} to all that was "
            "asked, so that they say the same proves nothing"
        )
        return Verdict(outcome=Outcome.INCONCLUSIVE, sentence=sentence, source=CUSTOM_SERVERS)
    if unseen:
        sentence = f"{len(unseen)} of {len(answers)} questions could not be looked at"
        return Verdict(outcome=Outcome.INCONCLUSIVE, sentence=sentence)
    return Verdict(
        outcome=Outcome.PASS,
        sentence=f"{', '.join(servers)} say the same about {', '.join(names)}",
        source=CUSTOM_SERVERS,
    )


def _said(answer: Answer, *, records: bool) -> str:
    code = str(answer.facts.get("rcode"))
    found = answer.facts.get("records")
    held = sorted(map(str, found)) if isinstance(found, list | tuple) else []
    return f"{code} {', '.join(held) or 'without a record'}" if records else code
