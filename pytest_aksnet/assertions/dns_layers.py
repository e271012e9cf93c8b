"""Verbs that look at the parts of the cluster's DNS one by one, and name the first broken one."""

from collections.abc import Sequence

from pytest_aksnet.assertions.dns_diagnosis import upstreams
from pytest_aksnet.assertions.dns_lists import DnsListVerbs, Question
from pytest_aksnet.assertions.target import AnyPod, pod_of
from pytest_aksnet.check_many import Cell, look_at_all
from pytest_aksnet.expectations.dns_lists import judge_answer
from pytest_aksnet.expectations.dns_resolver import (
    LOCAL_DNS_OF_NODES,
    LOCAL_DNS_OF_PODS,
    judge_local_dns,
)
from pytest_aksnet.expectations.dns_servers import judge_agreement
from pytest_aksnet.model.errors import NotApplicable, SettingsError
from pytest_aksnet.model.peers import NodeRef, ServiceRef
from pytest_aksnet.model.probing import Batch, Kind, Probe
from pytest_aksnet.model.verdict import Verdict
from pytest_aksnet.probes.resolver import ResolvConf

LOCAL_DNS_LABEL = "kubernetes.azure.com/localdns-state"
_ENABLED = "enabled"
_SERVER_TIMEOUT_S = 4.0
_GRACE_S = 2.0


def nodes_with_local_dns(nodes: Sequence[NodeRef]) -> tuple[NodeRef, ...]:
    """The nodes whose label says that LocalDNS runs there. Raises NotApplicable without any."""
    found = tuple(node for node in nodes if node.labels.get(LOCAL_DNS_LABEL) == _ENABLED)
    if not found:
        raise NotApplicable(f"no node that takes part has the label {LOCAL_DNS_LABEL}={_ENABLED}")
    return found


class DnsLayerVerbs(DnsListVerbs):
    """What each part of the way of a name says."""

    def assert_layers(self, service: ServiceRef, external: Sequence[str], *, host: AnyPod) -> Batch:
        """Every part answers: upstream, node, CoreDNS replicas, their Service, the pod's server.

        They are asked in this order, the deepest first, so that the first that fails is to blame.
        `external` are names outside of the cluster, of which the first is asked for; without any
        the cluster's own names are. `host` is a host-network pod with dnsPolicy Default on the same
        node: it asks as the node does. Raises FactUnknown where the replicas, or the address of the
        Service kube-dns, are not known.
        """
        if not external:
            return self.assert_answers(self._in_cluster(service), what="DNS layer by layer")
        name, node = f"{external[0]}.", f"node {self._pod.node}"
        deep = [
            Question(
                name=name,
                server=ip,
                server_is=f"the virtual network's DNS {ip}",
                layer=f"the virtual network's DNS server {ip}, or the way from {node} to it",
            )
            for ip in upstreams(self._engine)
        ]
        deep.append(
            Question(
                name=name,
                server_is="the node's own resolver",
                layer=f"the resolver that {node} itself has in its resolv.conf",
            )
        )
        DnsListVerbs(self._engine, pod_of(host)).assert_answers(deep, what=f"DNS as {node} has it")
        return self.assert_answers(self._in_cluster(service, name), what="DNS layer by layer")

    def _in_cluster(self, service: ServiceRef, external: str = "") -> list[Question]:
        node = f"node {self._pod.node}"
        address = self._engine.profile.need("dns-service-ip")
        layers = [
            (ip, f"CoreDNS replica {ip}", f"CoreDNS replica {ip}, or the way from {node} to it")
            for ip in self._replicas()
        ]
        layers.append(
            (
                address,
                f"the Service kube-dns {address}",
                f"the Service address {address}: service proxy rules on {node}",
            )
        )
        layers.append(
            (
                "",
                "the server of the pod's resolv.conf",
                f"the server that pods of {node} are given: LocalDNS or another cache on the node, "
                "or clusterDNS of its kubelet",
            )
        )
        own = [
            Question(
                name=service.fqdn,
                server=ip,
                server_is=what,
                records=(service.cluster_ip,),
                layer=blame,
            )
            for ip, what, blame in layers
        ]
        others = [
            Question(
                name=external,
                server=ip,
                server_is=what,
                layer=(
                    f"what {what} forwards to: the way from there to the DNS servers behind it, "
                    "which answer the node itself"
                ),
            )
            for ip, what, _ in (layers if external else ())
        ]
        return [*own, *others]

    def assert_local_dns(self, service: ServiceRef, external: Sequence[str]) -> Batch:
        """LocalDNS of this pod's node answers at both of its addresses, by UDP and by TCP.

        The pod's resolv.conf names it. Of `external`, names outside of the cluster, the first is
        asked for; without one there is nothing to ask at the nodes' address (SettingsError).
        """
        if not external:
            raise SettingsError("LocalDNS is asked for a name outside of the cluster: name one")
        node = f"node {self._pod.node}"
        self._engine.converge(
            self._pod,
            ResolvConf(),
            lambda config: judge_local_dns(config, where=node),
            patience_s=0.0,
        )
        asked: list[tuple[str, str, tuple[str, ...] | None]] = [
            (LOCAL_DNS_OF_PODS, service.fqdn, (service.cluster_ip,))
        ]
        asked += [(ip, f"{external[0]}.", None) for ip in (LOCAL_DNS_OF_NODES, LOCAL_DNS_OF_PODS)]
        questions = [
            Question(
                name=name,
                server=ip,
                server_is=f"LocalDNS {ip}",
                tcp=tcp,
                records=records,
                layer=f"LocalDNS of {node}: see systemctl status localdns on it",
            )
            for ip, name, records in asked
            for tcp in (False, True)
        ]
        return self.assert_answers(questions, what="LocalDNS")

    def assert_servers_agree(
        self, servers: Sequence[str], names: Sequence[str], *, private: Sequence[str] = ()
    ) -> Batch:
        """All these DNS servers answer, and say the same of all names.

        Of the `private` names the records must be the same as well.
        """
        asked = [(server, name) for server in servers for name in (*names, *private)]

        def overall(batch: Batch) -> Verdict:
            return judge_agreement(
                dict(zip(asked, batch.answers, strict=True)),
                servers=servers,
                names=[*names, *private],
                same_records=frozenset(private),
            )

        return look_at_all(
            self._engine,
            self._pod,
            [_server_cell(server, name) for server, name in asked],
            what=f"{len(servers)} DNS servers of the virtual network",
            by_hand=("dig", f"@{servers[0]}", "-q", asked[0][1]),
            budget_s=_SERVER_TIMEOUT_S + _GRACE_S,
            overall=overall,
        )


def _server_cell(server: str, name: str) -> Cell:
    def judge(batch: Batch, index: int) -> Verdict:
        return judge_answer(batch.answers[index], what=f"{name} asked of {server}")

    probe = Probe(
        kind=Kind.DNS, host=server, port=53, timeout_s=_SERVER_TIMEOUT_S, options={"name": name}
    )
    return Cell(probe=probe, judge=judge)
