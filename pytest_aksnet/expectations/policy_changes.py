"""Policies in time: how soon they hold, from when on they protect a new pod, and what they end.

Pure. The API promises that each policy is handled some time, that new pods are isolated before
they start once it is, and nothing of connections that are there ("Kubernetes docs:
network-policies, pod lifecycle" and "impact on existing connections").
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pytest_aksnet.expectations.policy_engines import engine_rules
from pytest_aksnet.model.probing import Answer, Finding
from pytest_aksnet.model.verdict import Outcome, Verdict

LIFECYCLE = "Kubernetes docs: network-policies, pod lifecycle"
CONNECTIONS = "Kubernetes docs: network-policies, impact on existing connections"
_ENDED = frozenset({Finding.MUTE, Finding.EOF, Finding.RESET})


@dataclass(frozen=True, slots=True, kw_only=True)
class Convergence:
    """How long (seconds) after it was made a deny held on a node, and after it was deleted not.

    None where that did not come while it was waited for.
    """

    node: str
    closed_s: float | None
    opened_s: float | None

    @property
    def told(self) -> str:
        """For people."""
        parts = (("closed", self.closed_s), ("open again", self.opened_s))
        return ", ".join(
            f"{what} after {seconds:.1f} s" if seconds is not None else f"not {what}"
            for what, seconds in parts
        )


def judge_convergence(found: Sequence[Convergence], *, limit_s: float) -> Verdict:
    """Whether every node took in a policy that came and went within `limit_s` seconds.

    The API names no time: beyond the patience of the run a policy counts as not enforced.
    """
    late = [
        one
        for one in found
        if one.closed_s is None or one.opened_s is None or max(one.closed_s, one.opened_s) > limit_s
    ]
    if late:
        listed = "; ".join(f"node {one.node}: {one.told}" for one in late)
        return Verdict(
            outcome=Outcome.FAIL,
            sentence=f"policies should come and go within {limit_s:.0f} s on every node: {listed}",
            source=LIFECYCLE,
        )
    slowest = max(max(one.closed_s or 0.0, one.opened_s or 0.0) for one in found)
    return Verdict(
        outcome=Outcome.PASS,
        sentence=f"a policy came and went on {len(found)} nodes within {slowest:.1f} s",
        source=LIFECYCLE,
    )


def judge_windows(windows: Mapping[str, float], *, limit_s: float) -> Verdict:
    """From when on new pods were protected, by which pod (seconds); 0 is from the first packet on.

    Isolation before the start is what the API asks of engines. Beyond `limit_s` a pod counts as not
    protected; a shorter window is a warning.
    """
    opened = {who: seconds for who, seconds in windows.items() if seconds > 0}
    listed = "; ".join(f"{who}: {seconds:.1f} s" for who, seconds in opened.items())
    if any(seconds > limit_s for seconds in opened.values()):
        return Verdict(
            outcome=Outcome.FAIL,
            sentence="a new pod should be isolated before it starts by the policies that are there,"
            f" and at least within {limit_s:.0f} s, but it was unprotected for {listed}",
            source=LIFECYCLE,
        )
    return Verdict(
        outcome=Outcome.PASS,
        sentence=f"new pods were isolated, as {len(windows)} looks out of and into them tell"
        + (f", though not from their first packet on: {listed}" if opened else ""),
        source=LIFECYCLE,
        warning=f"new pods were unprotected at first, which the API does not allow: {listed}"
        if opened
        else "",
    )


def judge_established(answers: Sequence[Answer | None], *, engine: str | None) -> Verdict:
    """What became of connections that were there when a policy denied them.

    They were made before and used after it. An engine that is known to judge each packet must end
    them; one that is known to let them go on is only told of.
    """
    rules = engine_rules(engine)
    source = rules.connections_document or CONNECTIONS
    findings = [one.finding for one in answers if one is not None]
    if len(findings) < len(answers) or not set(findings) <= {Finding.OK, *_ENDED}:
        seen = ", ".join(sorted({one.detail if one else "no answer" for one in answers}))
        return Verdict(
            outcome=Outcome.INCONCLUSIVE,
            sentence=f"the connections were not there when the policy came: {seen}",
        )
    went_on = findings.count(Finding.OK)
    told = f"{went_on} of {len(findings)} connections that were there went on after the deny"
    if rules.ends_connections and went_on:
        return Verdict(
            outcome=Outcome.FAIL,
            sentence=f"{told}, although policy engine {rules.engine} judges every packet: whoever "
            "is connected stays so",
            source=source,
        )
    unlike = rules.ends_connections is False and went_on < len(findings)
    return Verdict(
        outcome=Outcome.PASS,
        sentence=told,
        source=source,
        warning=f"{told}, although policy engine {rules.engine} is known to let them go on"
        if unlike
        else "",
    )


def judge_kept(answers: Sequence[Answer | None]) -> Verdict:
    """Whether connections lived on that policies allowed while policies came and went."""
    findings = [one.finding if one is not None else None for one in answers]
    if not set(findings) <= {Finding.OK, *_ENDED}:
        seen = ", ".join(sorted({one.detail if one else "no answer" for one in answers}))
        return Verdict(
            outcome=Outcome.INCONCLUSIVE,
            sentence=f"the connections were not there when the policies came: {seen}",
        )
    lost = sum(one is not Finding.OK for one in findings)
    return Verdict(
        outcome=Outcome.FAIL if lost else Outcome.PASS,
        sentence=f"{lost} of {len(findings)} connections that policies allowed all the time were "
        "lost when policies changed"
        if lost
        else f"{len(findings)} connections that policies allowed lived on",
        source=CONNECTIONS,
    )
