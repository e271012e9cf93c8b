"""What a connection that must succeed has to show, and what each way of failing suggests."""

from pytest_aksnet.model.observation import Connection, ConnectOutcome
from pytest_aksnet.model.verdict import Outcome, Verdict

_SUGGESTS = {
    ConnectOutcome.TIMEOUT: "nothing answered: the packets are dropped on the way",
    ConnectOutcome.REFUSED: "the connection was refused: nothing listens there",
    ConnectOutcome.DNS: "the name could not be resolved",
    ConnectOutcome.UNREACHABLE: "there is no route",
    ConnectOutcome.OTHER: "it failed",
}


def judge_connected(seen: Connection, *, what: str, source: str) -> Verdict:
    """Whether the connection to `what` (a noun) was established. `source` is the promise."""
    if seen.outcome is ConnectOutcome.CONNECTED:
        by = f", {seen.answered_by} answered" if seen.answered_by else ""
        return Verdict(
            outcome=Outcome.PASS,
            sentence=f"{what} ({seen.host}:{seen.port}) was reached{by}",
            source=source,
        )
    detail = f" ({seen.detail})" if seen.detail else ""
    return Verdict(
        outcome=Outcome.FAIL,
        sentence=f"{what} ({seen.host}:{seen.port}) should be reached, but "
        f"{_SUGGESTS[seen.outcome]}{detail}",
        source=source,
    )
