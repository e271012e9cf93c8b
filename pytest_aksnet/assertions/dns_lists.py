"""Verbs that ask DNS servers many questions at once, as one list that the pod's agent works off."""

import secrets
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from pytest_aksnet.assertions.dns_diagnosis import why_unresolved
from pytest_aksnet.assertions.looker import Looker
from pytest_aksnet.check import Engine
from pytest_aksnet.check_many import Cell, look_at_all
from pytest_aksnet.expectations.dns_lists import (
    RESOLVER_TIMEOUT_S,
    as_dns_answer,
    judge_answer,
    judge_burst,
    judge_latency,
    judge_seen,
)
from pytest_aksnet.model.errors import FactUnknown, SettingsError
from pytest_aksnet.model.observation import DnsAnswer
from pytest_aksnet.model.peers import ServiceRef
from pytest_aksnet.model.probing import Answer, Batch, Finding, Kind, Probe
from pytest_aksnet.model.verdict import Verdict

_DNS_PORT = 53
# Asked anew after a quarter and half of it: a server that first asks one that is down needs 2 s.
_TIMEOUT_S = 6.0
_GRACE_S = 2.0
_TCP_TIMES = 20  # each connection may go to another replica: 2^-20 that one of two is left out
_LATENCY_SAMPLE = 100
_BURST = 120
_BURST_WAIT_S = 2.5  # well above what answers take, below the 5 s after which resolvers ask again


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One question and what its answer must be; see `judge_answer` for `rcode` and `records`.

    Without `server`, an address, those of the pod's resolv.conf are asked. `layer` says what is
    to blame where the answer is bad; without one the shared diagnosis looks for it.
    """

    name: str
    qtype: str = "A"
    server: str = ""
    server_is: str = "the pod's DNS server"
    tcp: bool = False
    rcode: str = "NOERROR"
    records: Collection[str] | None = None
    layer: str = ""


class DnsListVerbs(Looker):
    """What many DNS questions of a pod give."""

    def assert_answers(self, questions: Sequence[Question], *, what: str) -> Batch:
        """All these questions are answered as they must be; `what` names them in messages."""
        if not questions:
            raise SettingsError(f"{what}: there is no question to ask")
        patience = self._engine.pacing.patience_s
        return look_at_all(
            self._engine,
            self._pod,
            [self._cell(question, patience) for question in questions],
            what=f"{what}, from pods of node {self._pod.node}",
            by_hand=_by_hand(questions[0]),
            budget_s=patience + _TIMEOUT_S + _GRACE_S,
        )

    def assert_every_replica(self, service: ServiceRef) -> Batch:
        """Each replica of the cluster's DNS answers for this Service, by UDP and by TCP.

        Raises FactUnknown where no ready endpoint of the Service kube-dns is known.
        """
        questions = [
            _of_service(service, server=ip, server_is=f"CoreDNS replica {ip}", tcp=tcp)
            for ip in self._replicas()
            for tcp in (False, True)
        ]
        return self.assert_answers(questions, what="the replicas of the cluster's DNS")

    def assert_dns_by_tcp(self, name: str, *, records: Collection[str] | None = None) -> Batch:
        """The pod's DNS server answers over TCP, so often that all replicas are asked."""
        question = Question(name=name, tcp=True, records=records)
        return self.assert_answers([question] * _TCP_TIMES, what=f"{name} over TCP")

    def assert_unknown(self, domain: str) -> Batch:
        """A name below `domain` that nobody has is denied (NXDOMAIN): no error, no silence."""
        name = f"x{secrets.token_hex(5)}.{domain}"
        question = Question(name=name, rcode="NXDOMAIN", records=())
        return self.assert_answers([question], what="a name that does not exist")

    def assert_no_record(self, service: ServiceRef, qtype: str) -> Batch:
        """The name of a Service exists and has no record of this type: NOERROR without any."""
        question = Question(name=service.fqdn, qtype=qtype, records=())
        return self.assert_answers([question], what=f"type {qtype} of a Service that has none")

    def assert_any_case(self, service: ServiceRef) -> Batch:
        """The name of a Service resolves in whatever case its letters are asked (RFC 4343)."""
        mixed = "".join(
            letter.upper() if number % 2 else letter for number, letter in enumerate(service.fqdn)
        )
        questions = [
            Question(name=name, records=(service.cluster_ip,))
            for name in (mixed, service.fqdn.upper())
        ]
        return self.assert_answers(questions, what="names in other cases")

    def assert_dns_latency(self, service: ServiceRef) -> Batch:
        """99 of 100 answers come before a resolver gives up, or within the site's `dns_p99_ms`.

        A sample of 100 is asked at once; p50 and p99 are reported.
        """
        limit = self._engine.site.dns_p99_ms
        limit_s = RESOLVER_TIMEOUT_S if limit is None else limit / 1000
        where = f"pods of node {self._pod.node}"
        return self._sample(
            service,
            _LATENCY_SAMPLE,
            timeout_s=max(RESOLVER_TIMEOUT_S, limit_s),
            overall=lambda batch: judge_latency(batch, limit_s=limit_s, where=where),
        )

    def assert_no_query_lost(self, service: ServiceRef) -> Batch:
        """Of 120 queries at once, each from a port of its own, none has to be sent again."""
        where = f"node {self._pod.node}"
        return self._sample(
            service,
            _BURST,
            timeout_s=_BURST_WAIT_S,
            overall=lambda batch: judge_burst(batch, within_s=_BURST_WAIT_S, where=where),
        )

    def _sample(
        self,
        service: ServiceRef,
        asked: int,
        *,
        timeout_s: float,
        overall: Callable[[Batch], Verdict],
    ) -> Batch:
        question = _of_service(service)
        probe = Probe(
            kind=Kind.DNS,
            host="",
            port=_DNS_PORT,
            timeout_s=timeout_s,
            options={**_options(question), "once": "yes"},
        )
        cell = Cell(
            probe=probe,
            judge=_judge(question),
            diagnose=_diagnosis(self._engine, self, question),
        )
        return look_at_all(
            self._engine,
            self._pod,
            [cell] * asked,
            what=f"{asked} queries for {service.fqdn}",
            by_hand=_by_hand(question),
            budget_s=timeout_s + _GRACE_S,
            overall=overall,
        )

    def _replicas(self) -> tuple[str, ...]:
        replicas = self._engine.view.coredns_ips()
        if not replicas:
            raise FactUnknown(
                "the replicas of the cluster's DNS are not known: the Service kube-system/kube-dns "
                "has no ready endpoint, or its EndpointSlices may not be listed; see "
                "kubectl get endpointslices -n kube-system -l kubernetes.io/service-name=kube-dns"
            )
        return replicas

    def _cell(self, question: Question, patience_s: float) -> Cell:
        probe = Probe(
            kind=Kind.DNS,
            host=question.server,
            port=_DNS_PORT,
            timeout_s=_TIMEOUT_S,
            options=_options(question),
            until=frozenset({Finding.OK}),
            within_s=patience_s,
        )
        return Cell(
            probe=probe,
            judge=_judge(question),
            diagnose=_diagnosis(self._engine, self, question),
        )


def _of_service(
    service: ServiceRef,
    *,
    server: str = "",
    server_is: str = "the pod's DNS server",
    tcp: bool = False,
    layer: str = "",
) -> Question:
    return Question(
        name=service.fqdn,
        server=server,
        server_is=server_is,
        tcp=tcp,
        records=(service.cluster_ip,),
        layer=layer,
    )


def _judge(question: Question) -> Callable[[Batch, int], Verdict]:
    protocol = "TCP" if question.tcp else "UDP"
    what = f"{question.name} {question.qtype} asked of {question.server_is} over {protocol}"

    def judge(batch: Batch, index: int) -> Verdict:
        return judge_answer(
            batch.answers[index], what=what, rcode=question.rcode, records=question.records
        )

    return judge


def _diagnosis(engine: Engine, verbs: Looker, question: Question) -> Callable[[Answer], str]:
    def diagnose(answer: Answer) -> str:
        if question.layer:
            return f"the first broken layer is {question.layer}"
        if question.server:
            return ""

        def judge(seen: DnsAnswer) -> Verdict:
            return judge_seen(seen, rcode=question.rcode, records=question.records)

        seen = as_dns_answer(answer, name=question.name, qtype=question.qtype)
        return why_unresolved(engine, verbs.pod, seen, judge, tcp=question.tcp)

    return diagnose


def _options(question: Question) -> dict[str, str]:
    options = {"name": question.name, "type": question.qtype}
    return {**options, "tcp": "yes"} if question.tcp else options


def _by_hand(question: Question) -> tuple[str, ...]:
    return (
        "dig",
        *((f"@{question.server}",) if question.server else ()),
        *(("+tcp",) if question.tcp else ()),
        "-t",
        question.qtype,
        "-q",
        f"{question.name.rstrip('.')}.",
    )
