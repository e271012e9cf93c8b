"""Promises about private endpoints beyond one look-up: ports, certificates, accord."""

import pytest

from pytest_aksnet.expectations import private_link
from pytest_aksnet.model.observation import DnsAnswer, DnsStatus
from pytest_aksnet.model.probing import Answer, Finding
from pytest_aksnet.model.verdict import Outcome

Seen = dict[str, dict[tuple[str, ...], list[str]]]
NAME = "acct.blob.core.windows.net"


def ended(finding: Finding, **facts: object) -> Answer:
    return Answer(finding, 1.0, 1.0, facts)


def presents(*names: str, verified: bool = True, issuer: str = "CN=Microsoft TLS") -> Answer:
    why = {} if verified else {"why": "unable to get local issuer certificate"}
    return ended(Finding.OK, names=list(names), issuer=issuer, verified=verified, **why)


@pytest.mark.parametrize(
    ("answer", "outcome", "words"),
    [
        (presents("*.blob.core.windows.net"), Outcome.PASS, "Microsoft TLS"),
        (presents(NAME.upper()), Outcome.PASS, ""),
        (presents("*.core.windows.net"), Outcome.FAIL, "another resource"),
        (presents("vault.azure.net"), Outcome.FAIL, "one of vault.azure.net"),
        (presents(), Outcome.FAIL, "no name"),
        (presents(NAME, verified=False, issuer="O=Firewall"), Outcome.FAIL, "O=Firewall"),
        (presents(NAME, verified=False), Outcome.FAIL, "intercepted"),
        (ended(Finding.EOF), Outcome.FAIL, "should speak TLS"),
        (ended(Finding.OK, address="203.0.113.90"), Outcome.FAIL, "the public 203.0.113.90"),
        (ended(Finding.LOCAL), Outcome.INCONCLUSIVE, ""),
        (None, Outcome.INCONCLUSIVE, ""),
    ],
)
def test_the_certificate_is_of_the_name_and_trusted(
    answer: Answer | None, outcome: Outcome, words: str
) -> None:
    verdict = private_link.judge_certificate(answer, name=NAME)
    assert verdict.outcome is outcome
    assert words in verdict.sentence


@pytest.mark.parametrize(
    ("answer", "outcome", "words"),
    [
        (ended(Finding.OK), Outcome.PASS, ""),
        (ended(Finding.OK, address="203.0.113.90"), Outcome.FAIL, "not linked"),
        (ended(Finding.TIMEOUT, address="10.226.0.5"), Outcome.FAIL, "at 10.226.0.5"),
        (ended(Finding.UNRESOLVED), Outcome.FAIL, "does not resolve"),
        (ended(Finding.TIMEOUT), Outcome.FAIL, "no DNS server answered"),
        (ended(Finding.REFUSED), Outcome.FAIL, "refused"),
        (ended(Finding.AGENT), Outcome.INCONCLUSIVE, ""),
        (None, Outcome.INCONCLUSIVE, ""),
    ],
)
def test_the_endpoint_accepts(answer: Answer | None, outcome: Outcome, words: str) -> None:
    verdict = private_link.judge_endpoint(answer, name=NAME, port=443)
    assert verdict.outcome is outcome
    assert words in verdict.sentence


def look(status: DnsStatus, *addresses: str) -> DnsAnswer:
    return DnsAnswer(name="a.example", qtype="AAAA", status=status, addresses=addresses)


@pytest.mark.parametrize(
    ("seen", "outcome"),
    [
        (look(DnsStatus.NOERROR), Outcome.PASS),
        (look(DnsStatus.NXDOMAIN), Outcome.PASS),
        (look(DnsStatus.NOERROR, "2001:db8::5"), Outcome.FAIL),
        (look(DnsStatus.TIMEOUT), Outcome.INCONCLUSIVE),
        (look(DnsStatus.SERVFAIL), Outcome.INCONCLUSIVE),
        (look(DnsStatus.REFUSED), Outcome.INCONCLUSIVE),
    ],
)
def test_only_an_answer_says_that_there_is_no_public_address(
    seen: DnsAnswer, outcome: Outcome
) -> None:
    assert private_link.judge_no_public(seen).outcome is outcome


def test_a_certificate_that_was_not_verified_is_neither_trusted_nor_not() -> None:
    unknown = Answer(Finding.OK, 1.0, 1.0, {"names": ["a.example"]})
    verdict = private_link.judge_certificate(unknown, name="a.example")
    assert verdict.outcome is Outcome.INCONCLUSIVE


def test_pods_that_see_other_addresses_are_named() -> None:
    same: Seen = {NAME: {("10.226.0.5",): ["node-a", "node-b"]}}
    assert private_link.judge_agreement(same).outcome is Outcome.PASS
    other: Seen = {NAME: {("10.226.0.5",): ["node-a"], ("10.226.0.9",): ["node-b"]}}
    verdict = private_link.judge_agreement(other)
    assert verdict.outcome is Outcome.FAIL
    assert "10.226.0.9 on node-b" in verdict.sentence
