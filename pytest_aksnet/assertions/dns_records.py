"""Verbs about records of names of the cluster: Services, pods, their reverse names, their end."""

import ipaddress
import secrets
from collections.abc import Collection, Sequence

from pytest_aksnet.assertions.dns_diagnosis import why_unresolved
from pytest_aksnet.assertions.looker import Looker
from pytest_aksnet.check import Judge
from pytest_aksnet.expectations.corefile import denial_ttl_s, has_plugin, pod_records
from pytest_aksnet.expectations.dns import NEGATIVE_CACHE_S
from pytest_aksnet.expectations.dns_records import (
    judge_denial,
    judge_gone,
    judge_one_of_ranges,
    judge_records,
    judge_whole,
)
from pytest_aksnet.model.errors import FactUnknown, NotApplicable
from pytest_aksnet.model.observation import Denial, DnsAnswer, DnsStatus
from pytest_aksnet.model.peers import PodRef, ServiceRef
from pytest_aksnet.model.verdict import Verdict
from pytest_aksnet.probes.dig import Dig
from pytest_aksnet.probes.dig_denial import DigDenial

COREFILE = "/api/v1/namespaces/kube-system/configmaps/coredns"
_COREFILE_IS = "ConfigMap kube-system/coredns"
_DATAGRAM = 1232  # bytes: what DNS servers keep datagrams to (DNS Flag Day 2020)


class RecordVerbs(Looker):
    """What records names have."""

    def assert_records(self, name: str, qtype: str, expected: Collection[str]) -> DnsAnswer:
        """The name has exactly these records, as the pod's DNS server says.

        An SRV record is given as "PORT TARGET".
        """

        def judge(answer: DnsAnswer) -> Verdict:
            return judge_records(answer, expected=expected)

        return self._converge(Dig(name=name, qtype=qtype), judge)

    def assert_reverse(self, ip: str, name: str) -> DnsAnswer:
        """The address has this one name."""
        return self.assert_records(f"{ipaddress.ip_address(ip).reverse_pointer}.", "PTR", [name])

    def assert_pod_record(self, pod: PodRef) -> DnsAnswer:
        """The name of a pod's address, such as 10-1-2-3.NAMESPACE.pod.DOMAIN, resolves to it.

        Raises NotApplicable where CoreDNS is set not to have such names, FactUnknown where its
        Corefile cannot be read.
        """
        if pod_records(self._corefile()) == "disabled":
            raise NotApplicable(f"pods have no names of their own: {_COREFILE_IS} does not say so")
        label = pod.ip.replace(".", "-").replace(":", "-")
        name = f"{label}.{pod.namespace}.pod.{self._engine.profile.need('cluster-domain')}."
        return self.assert_records(name, "AAAA" if ":" in pod.ip else "A", [pod.ip])

    def assert_whole_answer(self, name: str, qtype: str, expected: Sequence[str]) -> DnsAnswer:
        """An answer too long for a datagram comes whole: cut short by UDP, then by TCP."""

        def judge(answer: DnsAnswer) -> Verdict:
            return judge_whole(answer, expected=expected)

        return self._converge(Dig(name=name, qtype=qtype, buffer=_DATAGRAM), judge)

    def assert_denial_is_short(self, service: ServiceRef) -> Denial:
        """That a name beside this Service does not exist is kept no longer than the Corefile says.

        Raises FactUnknown where the Corefile cannot be read.
        """
        longest = denial_ttl_s(self._corefile())
        name = f"x{secrets.token_hex(5)}.{service.namespace}.svc.{service.cluster_domain}."
        return self._engine.converge(
            self._pod,
            DigDenial(name=name),
            lambda denial: judge_denial(denial, longest_s=longest, corefile=_COREFILE_IS),
        )

    def assert_gone(self, service: ServiceRef) -> DnsAnswer:
        """The name of a deleted Service ends; it is asked for a type that nobody asked before.

        CoreDNS keeps an answer of before for its `cache`, so that long may pass.
        """

        def patience(answer: DnsAnswer) -> float:
            kept = answer.status is DnsStatus.NOERROR
            return NEGATIVE_CACHE_S if kept else self._engine.pacing.patience_s

        return self._engine.converge(
            self._pod,
            Dig(name=f"{service.fqdn}.", qtype="AAAA"),
            judge_gone,
            patience_s=patience,
        )

    def assert_both_families(self, service: ServiceRef) -> DnsAnswer:
        """The name has one IPv4 and one IPv6 address, each of a range of Services.

        Raises FactUnknown where these ranges are not known.
        """
        ranges = self._engine.profile.networks("service-cidrs")
        for qtype in ("A", "AAAA"):
            answer = self._converge(
                Dig(name=f"{service.fqdn}.", qtype=qtype),
                lambda seen: judge_one_of_ranges(seen, ranges=ranges),
            )
        return answer

    def _corefile(self) -> str:
        found = self._engine.api.get(COREFILE)
        text = str(((found or {}).get("data") or {}).get("Corefile", ""))
        if not text:
            raise FactUnknown(
                f"there is no {_COREFILE_IS} with a Corefile, so what it sets is not known; where "
                "CoreDNS is configured elsewhere this cannot be checked"
            )
        if not has_plugin(text, "kubernetes"):
            raise FactUnknown(
                f"what CoreDNS does with names of the cluster is not known: the Corefile of "
                f"{_COREFILE_IS} has no plugin kubernetes, or does not parse"
            )
        return text

    def _converge(self, probe: Dig, judge: Judge[DnsAnswer]) -> DnsAnswer:
        def diagnose(answer: DnsAnswer) -> str:
            return why_unresolved(self._engine, self._pod, answer, judge)

        def patience(answer: DnsAnswer) -> float:
            # What was denied a moment before it came is remembered.
            empty = answer.status is DnsStatus.NOERROR and not answer.addresses
            denied = empty or answer.status is DnsStatus.NXDOMAIN
            return NEGATIVE_CACHE_S if denied else self._engine.pacing.patience_s

        return self._engine.converge(
            self._pod, probe, judge, patience_s=patience, diagnose=diagnose
        )
