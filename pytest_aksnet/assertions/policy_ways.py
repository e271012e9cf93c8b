"""Ways from pods to nodes, Services and platform addresses, with what policies make of them.

Owns which ways there are and that all of them are open before a policy exists. How they are looked
at then is in `policy_looks`, what is expected of them in `expectations.policy_ways`.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol

from pytest_aksnet.assertions.looker import Looker
from pytest_aksnet.assertions.policy_looks import (
    OPEN,
    Tried,
    ask_all,
    ending,
    from_pod,
    look_and_judge,
)
from pytest_aksnet.assertions.target import AnyPod, pod_of
from pytest_aksnet.check import Engine
from pytest_aksnet.expectations.dns_lists import as_dns_answer
from pytest_aksnet.expectations.policy_ways import (
    Way,
    end_at,
    expected_ways,
    policy_node,
    policy_pod,
)
from pytest_aksnet.model.errors import ControlFailed, FactUnknown, NotApplicable, SettingsError
from pytest_aksnet.model.peers import NodeRef, PodRef, ServiceRef
from pytest_aksnet.model.policy import End, Node, PortSpec
from pytest_aksnet.model.probing import Answer, Batch, Finding, Kind, Probe

KUBELET = 10250  # Kubernetes docs: ports and protocols
_DNS = 53
_ANY_NAME = "kubernetes.default.svc.cluster.local."  # any answer will do, a denial too


class Written(Protocol):
    """A NetworkPolicy that exists, as `network_policy` gives it."""

    @property
    def manifest(self) -> Mapping[str, Any]:
        """Its metadata and its spec."""
        ...


class PolicyWays:
    """Ways of some pods, gathered by `to_...` and `through_nodes`, which give the same object back.

    `witness` is a pod that no policy selects: it shows that what is no pod is alive.
    """

    def __init__(self, engine: Engine, sources: Sequence[PodRef], witness: PodRef | None) -> None:
        self._engine = engine
        self._sources = sources
        self._witness = witness
        self._tried: list[Tried] = []
        self._slowest_ms = 0.0
        self._ranges: tuple[str, ...] = ()
        for pod in (*sources, *filter(None, (witness,))):
            engine.uses(pod)

    def to_pods(
        self, targets: Iterable[AnyPod], *, kind: Kind = Kind.TCP, version: int = 4
    ) -> "PolicyWays":
        """To the reflectors of these pods, over TCP or UDP, at their address of this family."""
        for target in map(pod_of, targets):
            self._engine.uses(target)
            host = address_of(target, version)
            probe = self._probe(kind, host, target.port, {"pod": target.name})
            over = " over UDP" if kind is Kind.UDP else ""
            what = f"{from_pod(target)} ({host} port {target.port}{over})"
            for source in self._sources:
                if source != target:
                    self._add(source, what, policy_pod(target), probe, shown_by=target)
        return self

    def to_nodes(self, nodes: Iterable[NodeRef]) -> "PolicyWays":
        """To the kubelets of these nodes, at the nodes' own addresses."""
        for node in nodes:
            probe = self._probe(Kind.CONNECT, node.ip, KUBELET)
            for source in self._sources:
                self._add(source, f"node {node.name} ({node.ip})", policy_node(node), probe)
        return self

    def to_addresses(self, places: Iterable[tuple[str, str, int]]) -> "PolicyWays":
        """To "(noun, address, port)" over TCP; an address of a node is taken for that node."""
        nodes = self._engine.view.nodes()
        for noun, host, port in places:
            probe = self._probe(Kind.CONNECT, host, port)
            for source in self._sources:
                self._add(source, f"{noun} ({host} port {port})", end_at(host, (), nodes), probe)
        return self

    def to_api_server(self, api: ServiceRef) -> "PolicyWays":
        """To the address of the Service kubernetes, which leads to the API server.

        Policies are asked about its endpoints. Raises FactUnknown where it has none.
        """
        endpoints = self._engine.view.endpoints(api)
        if not endpoints:
            raise FactUnknown(f"Service {api.namespace}/{api.name} has no endpoints")
        self._ranges = tuple(f"{ip}/32" for ip in (api.cluster_ip, *(e.ip for e in endpoints)))
        server = end_at(endpoints[0].ip, (), self._engine.view.nodes())
        what = f"the API server ({api.cluster_ip} port {api.port})"
        probe = self._probe(Kind.CONNECT, api.cluster_ip, api.port)
        for source in self._sources:
            self._add(source, what, server, probe, number=endpoints[0].port)
        return self

    def to_own_dns(self, addresses: Iterable[str]) -> "PolicyWays":
        """To DNS servers on each pod's own node, at these addresses, over UDP and TCP."""
        for address in addresses:
            for over in ("UDP", "TCP"):
                tcp = {"tcp": "yes"} if over == "TCP" else {}
                options = {"name": _ANY_NAME, "type": "A", **tcp}
                probe = self._probe(Kind.DNS, address, _DNS, options)
                for source in self._sources:
                    own = Node(name=source.node, ips=(address,))
                    self._add(source, f"DNS at {address} over {over}", own, probe)
        return self

    def through_nodes(
        self, service: ServiceRef, nodes: Iterable[NodeRef], backend: AnyPod
    ) -> "PolicyWays":
        """Through the Service's port of these nodes to its one pod, which tells whom it sees."""
        served, port = pod_of(backend), service.node_port
        self._engine.uses(served)
        for node in nodes:
            probe = self._probe(Kind.TCP, node.ip, port, {"pod": served.name})
            what = f"port {port} of node {node.name} ({node.ip})"
            for source in self._sources:
                target = policy_pod(served)
                self._add(source, what, target, probe, shown_by=served, entered=node)
        return self

    def assert_open(self, unless: str = "") -> "PolicyWays":
        """Every way is open while no policy closes it: the first half of a deny.

        With `unless`, a sentence, ways that are closed already are left out, and NotApplicable is
        raised with it where none is left. Raises ControlFailed.
        """
        pacing = self._engine.pacing
        service = any(tried.entered is not None for tried in self._tried)
        patience = 0.0 if unless else pacing.patience_with(service=service)
        wait = pacing.deny_timeout_s if unless else pacing.connect_timeout_s
        lists = {
            source: [
                replace(tried.probe, timeout_s=wait, until=OPEN, within_s=patience)
                for tried in self._tried
                if tried.source == source
            ]
            for source in self._sources
        }
        batches = ask_all(self._engine, lists, patience)
        answers = {source: list(batch.answers) for source, batch in batches.items()}
        kept = []
        for tried in self._tried:
            answer = answers[tried.source].pop(0)
            if answer is not None and answer.finding is Finding.OK:
                self._slowest_ms = max(self._slowest_ms, answer.ms)
                kept.append(self._as_seen(tried, answer))
            elif not (unless and answer is not None and answer.looked):
                raise ControlFailed(
                    f"the positive control that {tried.way.what} is reached without a policy did "
                    f"not hold: {ending(answer, batches[tried.source])}"
                )
        if not kept:
            raise NotApplicable(unless)
        self._tried = kept
        return self

    def assert_judged(self, *policies: Written) -> dict[PodRef, Batch]:
        """With these policies ways are as they say; others that select these pods open nothing.

        Raises SettingsError where none of them is to be closed, so that nothing would show that
        the policies hold, and otherwise as `check_many.look_at_all`.
        """
        expected = expected_ways(
            [tried.way for tried in self._tried],
            [policy.manifest for policy in policies],
            self._engine.profile.get("policy-engine"),
        )
        if all(one.allowed for one in expected):
            raise SettingsError("no way is to be closed: name one that shows that policies hold")
        pairs = list(zip(self._tried, expected, strict=True))
        return look_and_judge(self._engine, pairs, self._slowest_ms)

    def and_those_of(self, others: "PolicyWays") -> "PolicyWays":
        """These ways and the others, to be judged together; both were seen open."""
        self._tried += others._tried
        self._slowest_ms = max(self._slowest_ms, others._slowest_ms)
        return self

    def api_server_ranges(self) -> tuple[str, ...]:
        """The API server's Service and its endpoints, as CIDRs of one address each."""
        return self._ranges

    def ingress_as_seen(self) -> list[dict[str, object]]:
        """Rules of a policy that let in whom the pods behind Services saw, by their addresses."""
        seen = (tried.way.client.ips[0] for tried in self._tried if tried.entered is not None)
        return [{"from": [{"ipBlock": {"cidr": f"{address}/32"}} for address in set(seen)]}]

    def _add(
        self,
        source: PodRef,
        what: str,
        destination: End,
        probe: Probe,
        *,
        shown_by: PodRef | None = None,
        entered: NodeRef | None = None,
        number: int = 0,
    ) -> None:
        control = replace(probe, until=OPEN, within_s=self._engine.pacing.control_patience_s)
        if shown_by is not None and entered is not None:
            control = replace(control, host=shown_by.ip, port=shown_by.port)
            number = shown_by.port
        datagrams = probe.kind is Kind.UDP or (
            probe.kind is Kind.DNS and "tcp" not in probe.options
        )
        way = Way(
            what=f"{what} from {from_pod(source)}",
            client=policy_pod(source),
            destination=destination,
            port=PortSpec(number=number or probe.port, protocol="UDP" if datagrams else "TCP"),
            version=6 if ":" in probe.host else 4,
        )
        self._tried.append(
            Tried(
                source=source,
                probe=probe,
                way=way,
                control_pod=shown_by or self._witness,
                control=control,
                entered=entered,
            )
        )

    def _as_seen(self, tried: Tried, answer: Answer) -> Tried:
        """With the client as the pod behind a Service saw it."""
        if tried.entered is None:
            return tried
        seen = str(answer.facts.get("source", ""))
        client = end_at(seen, [tried.source], self._engine.view.nodes())
        if isinstance(client, Node) and client.name != tried.source.node:
            self._need_entered(tried, client.name, seen)
        through = isinstance(client, Node) and client.name == tried.entered.name
        way = replace(
            tried.way,
            what=f"{tried.way.what}, whom the Service's pod sees as {seen},",
            client=replace(client, ips=(seen,)),
            via=policy_node(tried.entered) if through else None,
        )
        return replace(tried, way=way)

    @staticmethod
    def _need_entered(tried: Tried, node: str, seen: str) -> None:
        """Raise ControlFailed where the pod's own node masquerades: policies were asked before."""
        if tried.control_pod is not None and node == tried.control_pod.node:
            raise ControlFailed(
                f"the positive control that the client's address is kept did not hold: through "
                f"{tried.way.what} the pod sees its own node, {seen}, so that it is not known whom "
                "policies are asked about; see traffic-policy.external-local-source"
            )

    def _probe(
        self, kind: Kind, host: str, port: int, options: Mapping[str, str] | None = None
    ) -> Probe:
        wait = self._engine.pacing.connect_timeout_s
        return Probe(kind=kind, host=host, port=port, timeout_s=wait, options=options or {})


class PolicyWayVerbs(Looker):
    """The ways of a pod that policies may close."""

    def policy_ways(
        self, others: Sequence[AnyPod] = (), *, witness: AnyPod | None = None
    ) -> PolicyWays:
        """The ways of this pod and the `others`, which are named one after the other.

        See PolicyWays.
        """
        seen_by = pod_of(witness) if witness is not None else None
        return PolicyWays(self._engine, [self._pod, *map(pod_of, others)], seen_by)

    def private_places(self) -> tuple[tuple[str, str, int], ...]:
        """Noun, address and port of each private endpoint that the site file names.

        An address that is not in the site file is the one that this pod's DNS gives. Raises
        FactUnknown where the site file names none, ControlFailed where one does not resolve.
        """
        wait = self._engine.pacing.connect_timeout_s
        names = self._engine.site.need_private_names()
        options = ({"name": one.name, "type": "A"} for one in names)
        probes = [Probe(kind=Kind.DNS, host="", timeout_s=wait, options=one) for one in options]
        batch = self._engine.prober.probe(self._pod, probes, budget_s=2 * wait)
        places = []
        for private, answer in zip(names, batch.answers, strict=True):
            found = private.addresses or _addresses(answer, private.name)
            if not found:
                raise ControlFailed(f"{private.name} does not resolve: {ending(answer, batch)}")
            places.append((private.name, found[0], private.port))
        return tuple(places)


def address_of(pod: PodRef, version: int) -> str:
    """The pod's address of this family. Raises SettingsError where it has none."""
    if found := pod.address(version):
        return found
    raise SettingsError(f"pod {pod.namespace}/{pod.name} has no IPv{version} address")


def _addresses(answer: Answer | None, name: str) -> tuple[str, ...]:
    if answer is None or answer.finding is not Finding.OK:
        return ()
    return as_dns_answer(answer, name=name, qtype="A").addresses
