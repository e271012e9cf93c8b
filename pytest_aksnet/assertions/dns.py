"""Verbs about names: they resolve, to the right addresses, privately."""

from collections.abc import Sequence

from pytest_aksnet.assertions.dns_diagnosis import why_unresolved
from pytest_aksnet.check import Engine
from pytest_aksnet.expectations.dns import NEGATIVE_CACHE_S, judge_resolution
from pytest_aksnet.expectations.private_link import judge_no_public, judge_private
from pytest_aksnet.model.observation import DnsAnswer, DnsStatus
from pytest_aksnet.model.peers import PodRef, ServiceRef
from pytest_aksnet.model.verdict import Verdict
from pytest_aksnet.probes.dig import Dig


def assert_resolves(
    engine: Engine,
    pod: PodRef,
    name: str,
    *,
    to: str | ServiceRef | Sequence[str] | None,
    qtype: str,
    server: str,
) -> DnsAnswer:
    """See ProbePod.assert_resolves."""
    expected = _expected(to)

    def judge(answer: DnsAnswer) -> Verdict:
        return judge_resolution(answer, to=expected)

    def patience(answer: DnsAnswer) -> float:
        fresh = answer.status is DnsStatus.NXDOMAIN and _in_cluster(engine, name)
        return NEGATIVE_CACHE_S if fresh else engine.pacing.patience_s

    def diagnose(answer: DnsAnswer) -> str:
        return why_unresolved(engine, pod, answer, judge)

    return engine.converge(
        pod,
        Dig(name=name, qtype=qtype, server=server),
        judge,
        patience_s=patience,
        diagnose=None if server else diagnose,
    )


def assert_resolves_private(engine: Engine, pod: PodRef, name: str) -> DnsAnswer:
    """See ProbePod.assert_resolves_private."""
    addresses = next(
        (entry.addresses for entry in engine.site.private_names if entry.name == name), ()
    )

    def judge(answer: DnsAnswer) -> Verdict:
        return judge_private(answer, addresses=addresses)

    def diagnose(answer: DnsAnswer) -> str:
        return why_unresolved(engine, pod, answer, judge)

    answer = engine.converge(pod, Dig(name=name), judge, diagnose=diagnose)
    engine.converge(pod, Dig(name=name, qtype="AAAA"), judge_no_public)
    return answer


def _expected(to: str | ServiceRef | Sequence[str] | None) -> tuple[str, ...]:
    match to:
        case None:
            return ()
        case str():
            return (to,)
        case ServiceRef():
            return (to.cluster_ip,)
        case _:
            return tuple(to)


def _in_cluster(engine: Engine, name: str) -> bool:
    domain = engine.profile.get("cluster-domain") or "cluster.local"
    return name.rstrip(".").endswith(f".{domain}")
