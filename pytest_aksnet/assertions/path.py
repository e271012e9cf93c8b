"""Verbs about reaching a peer at all."""

from pytest_aksnet.assertions.diagnosis import why_unreached
from pytest_aksnet.assertions.target import To, resolve
from pytest_aksnet.check import Engine
from pytest_aksnet.expectations.connectivity import judge_connected
from pytest_aksnet.model.observation import Connection
from pytest_aksnet.model.peers import PodRef
from pytest_aksnet.model.verdict import Verdict

_MODEL = "Kubernetes docs: concepts/services-networking, the network model"


def assert_connects(
    engine: Engine, pod: PodRef, to: To, port: int | None, *, source: str = _MODEL
) -> Connection:
    """See ProbePod.assert_connects. `source` is where the promise is written."""
    target = resolve(to, port)

    def judge(seen: Connection) -> Verdict:
        return judge_connected(seen, what=target.what, source=source)

    def diagnose(seen: Connection) -> str:
        return why_unreached(engine, pod, target, seen)

    return engine.converge(
        pod,
        target.probe(engine.pacing.connect_timeout_s),
        judge,
        patience_s=engine.pacing.patience_with(service=target.service is not None),
        diagnose=diagnose,
    )
