"""Judges what ARM says of things that change meanwhile: a failure must still be there later on."""

import time
from collections.abc import Callable

from pytest_aksnet.assertions.azure_looker import AzureVerbs
from pytest_aksnet.check import Engine
from pytest_aksnet.expectations.azure_blame import Finding, open_
from pytest_aksnet.model.arm import Topic, Value
from pytest_aksnet.model.verdict import Outcome

_PAUSE_S = 2.0


def settled(
    verbs: AzureVerbs,
    engine: Engine,
    topic: Topic[Value],
    judge: Callable[[Value], Finding],
    *,
    since: float = 0.0,
) -> tuple[Finding, Value]:
    """Judge a topic, and by readings of then as long as it fails and a load balancer may follow.

    Nodes and Services come and go, and what was read at the start of the run knows nothing of it.
    """
    value = verbs.read(topic, since=since)
    finding = judge(value)
    deadline = engine.now() + engine.pacing.frontend_s
    while finding.verdict.outcome is Outcome.FAIL:
        value = verbs.read(topic, since=time.time())
        finding = judge(value)
        if engine.now() >= deadline:
            break
        engine.rest(_PAUSE_S)
    return finding, value


def confirmed(judge: Callable[[float], Finding]) -> Finding:
    """A finding that something is missing in ARM counts where a second reading lacks it too.

    `judge` takes the time of the oldest reading that will do, as in `AzureVerbs.read`. An answer of
    a resource that is being changed may lack what is there.
    """
    found = judge(0.0)
    if found.verdict.outcome is not Outcome.FAIL:
        return found
    again = judge(time.time())
    if again.verdict.outcome is Outcome.FAIL:
        return again
    return open_(f"ARM said it once and not again: {found.verdict.sentence}")
