"""Verbs about private endpoints: all their names and ports at once, as lists of the pod's agent."""

from collections.abc import Mapping, Sequence

from pytest_aksnet.assertions.authority import cluster_authority
from pytest_aksnet.assertions.looker import Looker
from pytest_aksnet.check_facts import judge_facts
from pytest_aksnet.check_many import Cell, look_at_all
from pytest_aksnet.expectations.dns_lists import as_dns_answer
from pytest_aksnet.expectations.private_link import (
    HTTPS,
    judge_agreement,
    judge_certificate,
    judge_endpoint,
    judge_no_public,
    judge_private_by,
)
from pytest_aksnet.model.errors import FactUnknown, NotApplicable, SettingsError
from pytest_aksnet.model.observation import FactSheet
from pytest_aksnet.model.probing import Batch, Finding, Kind, Probe
from pytest_aksnet.model.site import PrivateName
from pytest_aksnet.model.verdict import Outcome, Verdict

_DNS_PORT = 53
_ANSWERED = frozenset({Finding.OK})
_GRACE_S = 3.0
_BY_HAND = ("sh", "-c", 'for n; do dig +noall +answer "$n"; done', "sh")


class PrivateLinkVerbs(Looker):
    """What a pod sees of the private endpoints that the site file names."""

    def assert_private_names(self) -> Batch:
        """Every name behind a private endpoint resolves privately, as resolv.conf says.

        Its A records are private, and those of the site file where it has them; AAAA adds nothing
        public. Raises FactUnknown where the site file names none.
        """
        here = "the node" if self._pod.host_network else "the pod's DNS"
        return self._private_answers({"": here})

    def assert_private_names_agree(self, others: Sequence["PrivateLinkVerbs"]) -> FactSheet:
        """This pod and the `others` get the same private addresses for each name.

        Raises SettingsError without others: one pod agrees with itself.
        """
        if not others:
            raise SettingsError("no other pod is named whose answers could be compared")
        seen: dict[str, dict[tuple[str, ...], list[str]]] = {}
        for looker in (self, *others):
            batch = looker.assert_private_names()
            for private, answer in zip(self._private_names(), batch.answers[::2], strict=True):
                assert answer is not None
                found = as_dns_answer(answer, name=private.name, qtype="A")
                addresses = tuple(sorted(found.addresses))
                seen.setdefault(private.name, {}).setdefault(addresses, []).append(looker.pod.node)
        sheet = FactSheet(
            what="the addresses of names behind private endpoints",
            source="pods of " + ", ".join(one.pod.node for one in (self, *others)),
            facts={
                name: "; ".join(
                    f"{', '.join(addresses)} on {', '.join(nodes)}"
                    for addresses, nodes in found_by.items()
                )
                for name, found_by in seen.items()
            },
        )
        by_hand = (*_BY_HAND, *seen)
        return judge_facts(self._engine, sheet, judge_agreement(seen), by_hand=by_hand)

    def assert_private_by_every_replica(self) -> Batch:
        """Each replica of the cluster's DNS, asked directly, gives the same private answers."""
        replicas = self._engine.view.coredns_ips()
        if not replicas:
            raise FactUnknown("no ready replica of the Service kube-dns in kube-system is known")
        return self._private_answers({ip: f"CoreDNS replica {ip}" for ip in replicas})

    def assert_private_by_servers(self, servers: Sequence[str]) -> Batch:
        """Each of the VNet's own DNS servers gives the same private answers."""
        return self._private_answers({ip: f"the VNet's DNS server {ip}" for ip in servers})

    def assert_endpoints_connect(self) -> Batch:
        """Every private endpoint accepts connections at its port, by its name."""

        def cell(private: PrivateName) -> Cell:
            def judge(batch: Batch, index: int) -> Verdict:
                return judge_endpoint(batch.answers[index], name=private.name, port=private.port)

            return Cell(probe=self._private_probe(Kind.CONNECT, private), judge=judge)

        return self._private_list([cell(one) for one in self._private_names()], "private endpoints")

    def assert_private_certificates(self) -> Batch:
        """Every private endpoint presents a certificate of its own name that this pod trusts.

        `trusted_ca` of the site file stands for the image's own roots where it is set. Names with
        another port than 443 are left out: not every service speaks TLS at once.
        """
        names = [one for one in self._private_names() if one.port == HTTPS]
        if not names:
            raise NotApplicable("no private name of the site file has port 443")
        ca = self._engine.site.trusted_ca

        def cell(private: PrivateName) -> Cell:
            def judge(batch: Batch, index: int) -> Verdict:
                return judge_certificate(batch.answers[index], name=private.name)

            options = {"name": private.name, **({"ca": ca} if ca else {})}
            return Cell(probe=self._private_probe(Kind.TLS, private, **options), judge=judge)

        return self._private_list([cell(one) for one in names], "certificates of private endpoints")

    def assert_private_api_server(self) -> Batch:
        """The API server's private name resolves privately and leads to its certificate.

        Raises NotApplicable and FactUnknown as `Site.need_private_api_server` does, and FactUnknown
        where the authority of the cluster is not to be had.
        """
        engine = self._engine
        name = engine.site.need_private_api_server(engine.profile.get("api-server"))
        authority = cluster_authority(engine, self._pod.namespace)
        private = PrivateName(name=name)
        probe = self._private_probe(Kind.TLS, private, name=name, ca=authority)

        def judge(batch: Batch, index: int) -> Verdict:
            return judge_certificate(batch.answers[index], name=name)

        here = "the node" if self._pod.host_network else "the pod's DNS"
        cells = [self._private_question(private, "", here, "A"), Cell(probe=probe, judge=judge)]
        return self._private_list(cells, f"the API server {name}", name)

    def _private_names(self) -> tuple[PrivateName, ...]:
        return self._engine.site.need_private_names()

    def _private_probe(self, kind: Kind, private: PrivateName, **options: str) -> Probe:
        return Probe(
            kind=kind,
            host=private.name,
            port=private.port,
            timeout_s=self._engine.pacing.connect_timeout_s,
            options=options,
            until=_ANSWERED,
            within_s=self._engine.pacing.patience_s,
        )

    def _private_answers(self, servers: Mapping[str, str]) -> Batch:
        cells = [
            self._private_question(private, server, of, qtype)
            for private in self._private_names()
            for server, of in servers.items()
            for qtype in ("A", "AAAA")
        ]
        return self._private_list(
            cells, f"names behind private endpoints, asked of {', '.join(servers.values())}"
        )

    def _private_question(self, private: PrivateName, server: str, of: str, qtype: str) -> Cell:
        def judge(batch: Batch, index: int) -> Verdict:
            answer = batch.answers[index]
            if answer is None or not answer.looked:
                why = batch.problem if answer is None else answer.detail
                sentence = f"{private.name} of {of} could not be looked at: {why}"
                return Verdict(outcome=Outcome.INCONCLUSIVE, sentence=sentence)
            seen = as_dns_answer(answer, name=private.name, qtype=qtype)
            if qtype == "AAAA":
                return judge_no_public(seen)
            return judge_private_by(seen, addresses=private.addresses, server=of)

        probe = Probe(
            kind=Kind.DNS,
            host=server,
            port=_DNS_PORT,
            timeout_s=self._engine.pacing.connect_timeout_s,
            options={"name": f"{private.name.rstrip('.')}.", "type": qtype},
        )
        return Cell(probe=probe, judge=judge)

    def _private_list(self, cells: Sequence[Cell], what: str, *names: str) -> Batch:
        pacing = self._engine.pacing
        here = "node" if self._pod.host_network else "pods of node"
        return look_at_all(
            self._engine,
            self._pod,
            cells,
            what=f"{what} from {here} {self._pod.node}",
            by_hand=(*_BY_HAND, *(names or (one.name for one in self._private_names()))),
            budget_s=pacing.patience_s + pacing.connect_timeout_s + _GRACE_S,
        )
