"""A verdict about Azure, and the resource to change: what verbs about ARM hand on. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass

from pytest_aksnet.model.verdict import Outcome, Verdict, merge


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A verdict, and the id of the resource of Azure that is to be changed where it failed.

    `resource` is empty where nothing is wrong. `change` says what about it, in some words, such as
    "let AzureLoadBalancer in".
    """

    verdict: Verdict
    resource: str = ""
    change: str = ""


def passed(sentence: str, *, source: str = "", warning: str = "") -> Finding:
    """A finding of nothing wrong."""
    verdict = Verdict(outcome=Outcome.PASS, sentence=sentence, source=source, warning=warning)
    return Finding(verdict=verdict)


def failed(sentence: str, *, resource: str, change: str, source: str) -> Finding:
    """A finding that `resource` (an id) breaks the promise of `source`."""
    verdict = Verdict(outcome=Outcome.FAIL, sentence=sentence, source=source)
    return Finding(verdict=verdict, resource=resource, change=change)


def open_(sentence: str, *, source: str = "") -> Finding:
    """A finding that nothing can be said: a field is missing, or a look proves nothing."""
    return Finding(verdict=Verdict(outcome=Outcome.INCONCLUSIVE, sentence=sentence, source=source))


def together(findings: Iterable[Finding]) -> Finding:
    """One finding of many: the worst verdict, and the first resource to change for it."""
    found = list(findings)
    verdict = merge(one.verdict for one in found)
    blamed = (one for one in found if one.resource and one.verdict.outcome is verdict.outcome)
    first = next(blamed, Finding(verdict=verdict))
    return Finding(verdict=verdict, resource=first.resource, change=first.change)
