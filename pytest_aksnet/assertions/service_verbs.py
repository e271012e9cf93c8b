"""Verbs about Services by lists: who serves, who must not, how connections spread and stick."""

from collections import Counter
from collections.abc import Sequence

from pytest_aksnet.assertions.looker import Looker
from pytest_aksnet.assertions.service_lists import (
    Frontend,
    Protocol,
    curl_by_hand,
    frontends,
    look,
    nc_by_hand,
    note_delay,
    seen_as,
    serving_cell,
    settle,
    slowest_s,
)
from pytest_aksnet.assertions.target import AnyPod, pod_of
from pytest_aksnet.check_facts import judge_facts
from pytest_aksnet.check_many import Cell
from pytest_aksnet.expectations.addresses import is_dual_stack
from pytest_aksnet.expectations.service_answers import (
    AFFINITY,
    NODE_PORTS,
    REJECTING,
    VIRTUAL_IPS,
    answered_by,
    judge_closed,
    judge_gone,
    judge_rejected,
    judge_same_endpoint,
)
from pytest_aksnet.expectations.service_spread import connections_needed, judge_near, judge_spread
from pytest_aksnet.model.errors import NotApplicable, SettingsError
from pytest_aksnet.model.observation import FactSheet
from pytest_aksnet.model.peers import NodeRef, ServiceRef
from pytest_aksnet.model.probing import Batch, Finding
from pytest_aksnet.model.verdict import Verdict

# Without affinity a client of two endpoints is served by one of them 40 times once in 2^39.
_AFFINE_CONNECTIONS = 40
# A source port that no other look of an agent takes.
_STEADY_PORT = 19153
_NEARBY_CONNECTIONS = 30
_DUAL_STACK = "Kubernetes docs: concepts/services-networking/dual-stack, Services"
_CLOSED = frozenset(
    {Finding.TIMEOUT, Finding.REFUSED, Finding.RESET, Finding.UNREACH, Finding.PROHIBITED}
)


class ServiceVerbs(Looker):
    """What a client of Services sees."""

    def assert_served(
        self,
        service: ServiceRef,
        serving: Sequence[AnyPod],
        *,
        protocol: Protocol = "tcp",
        via: Sequence[NodeRef] = (),
        port: int = 0,
        address: str = "",
        sees_client: bool = False,
    ) -> Batch:
        """Each frontend of the Service is served by one of these pods, once proxies know of it.

        Frontends are its node port at the nodes `via`, else its cluster IP or `address`. With
        `sees_client` the endpoint must see this client's own address. How long it took is kept.
        """
        engine, pod = self._engine, self._pod
        found = frontends(service, via=via, port=port, address=address)
        clients = seen_as(engine, pod, from_outside=bool(via)) if sees_client else ()
        what = f"{len(found)} frontends of {service.name} over {protocol} from node {pod.node}"
        cells = [
            serving_cell(
                engine,
                pod,
                one,
                serving,
                source=NODE_PORTS if via else VIRTUAL_IPS,
                protocol=protocol,
                clients=clients,
                within_s=engine.pacing.programming_s,
            )
            for one in found
        ]
        by_hand = nc_by_hand(found[0]) if protocol == "udp" else curl_by_hand(found)
        batch = look(engine, pod, cells, what=what, by_hand=by_hand)
        note_delay(engine, batch, what=what)
        return batch

    def assert_served_ipv6(self, service: ServiceRef, serving: Sequence[AnyPod]) -> Batch:
        """The Service's IPv6 cluster IP is served by one of these pods.

        PreferDualStack asks for one: raises ConformanceFailure where the API server gave it none
        and the cluster is known to be dual-stack, else NotApplicable.
        """
        found = [ip for ip in service.cluster_ips if ":" in ip]
        if not found and is_dual_stack(self._engine.profile):
            self._engine.fail(
                f"Service {service.namespace}/{service.name} (PreferDualStack) should have an IPv6 "
                f"cluster IP, as the cluster is dual stack, but has only "
                f"{', '.join(service.cluster_ips)}\n  promised by: {_DUAL_STACK}"
            )
        if not found:
            raise NotApplicable(
                "this cluster is not dual-stack: the API server gave the Service "
                f"{service.namespace}/{service.name} only {', '.join(service.cluster_ips)}"
            )
        return self.assert_served(service, serving, address=found[0])

    def assert_all_served(
        self, service: ServiceRef, serving: Sequence[AnyPod], *, connections: int
    ) -> Batch:
        """Every one of so many connections is served by one of these pods, once proxies know."""
        engine, pod = self._engine, self._pod
        [found] = frontends(service)
        cell = serving_cell(engine, pod, found, serving, source=VIRTUAL_IPS)
        what = f"{connections} connections to {service.name} from node {pod.node}"
        cells = [cell] * connections
        settle(engine, pod, cells, what=what)
        return look(engine, pod, cells, what=what, by_hand=curl_by_hand([found]))

    def assert_sticks(self, service: ServiceRef, serving: Sequence[AnyPod]) -> Batch:
        """With sessionAffinity ClientIP all connections of this client reach one endpoint."""
        engine, pod = self._engine, self._pod
        [found] = frontends(service)
        first = serving_cell(
            engine, pod, found, serving, source=AFFINITY, within_s=engine.pacing.programming_s
        )
        what = f"the connections of one client on node {pod.node} to {service.name}"
        by_hand = curl_by_hand([found] * 3)
        answer = look(engine, pod, [first], what=what, by_hand=by_hand).answers[0]
        server = answered_by(answer) if answer is not None else ""

        def judge(batch: Batch, index: int) -> Verdict:
            return judge_same_endpoint(batch.answers[index], what=found.what, first=server)

        again = Cell(probe=found.probe(engine.pacing.connect_timeout_s), judge=judge)
        return look(engine, pod, [again] * _AFFINE_CONNECTIONS, what=what, by_hand=by_hand)

    def assert_spread(self, service: ServiceRef, serving: Sequence[AnyPod]) -> FactSheet:
        """Connections spread over these pods as a random choice spreads them."""
        counts = self._served_counts(service, serving, connections_needed(len(serving)))
        what = f"Service {service.namespace}/{service.name} from node {self._pod.node}"
        mode = self._engine.profile.get("kube-proxy-mode")
        return self._judge_served_counts(
            counts, judge_spread(counts, what=what, proxy_mode=mode), service
        )

    def assert_prefers_near(
        self, service: ServiceRef, serving: Sequence[AnyPod], nodes: Sequence[NodeRef]
    ) -> FactSheet:
        """A Service with trafficDistribution serves this client, from its own zone if it can.

        Another zone than the client's only warns: it is a preference. `nodes` are those of all.
        """
        zone_of = {node.name: node.zone for node in nodes}
        counts = self._served_counts(service, serving, _NEARBY_CONNECTIONS)
        zones = {pod_of(server).name: zone_of[pod_of(server).node] for server in serving}
        what = f"Service {service.namespace}/{service.name}"
        verdict = judge_near(counts, zones, what=what, zone=zone_of[self._pod.node])
        return self._judge_served_counts(counts, verdict, service)

    def assert_rejected(self, service: ServiceRef, control: ServiceRef, by: AnyPod) -> Batch:
        """A Service without endpoints is rejected at once, while `control` is served `by` a pod."""
        engine = self._engine
        [found], [other] = frontends(service), frontends(control)
        mode = engine.profile.get("kube-proxy-mode")
        # Who is known to reject may be late; who may drop as well is not waited for that long.
        patience_s = engine.pacing.patience_s
        if mode in REJECTING:
            patience_s = engine.pacing.programming_s

        def judge(batch: Batch, index: int) -> Verdict:
            return judge_rejected(batch.answers[index], what=found.what, proxy_mode=mode)

        probe = found.probe(
            engine.pacing.connect_timeout_s,
            within_s=patience_s,
            until=_CLOSED - {Finding.TIMEOUT},
        )
        return self._beside_control(other, [by], [Cell(probe=probe, judge=judge)], found)

    def assert_closed(
        self,
        service: ServiceRef,
        serving: Sequence[AnyPod],
        closed: Sequence[tuple[str, int]],
        *,
        via: Sequence[NodeRef] = (),
    ) -> Batch:
        """No pod answers at these addresses and ports, while the Service is served beside them."""
        if not closed:
            raise SettingsError("no address and port is named that should be closed")
        control = frontends(service, via=via[:1])[0]
        before = self.assert_served(service, serving, via=via[:1])
        # The answer beside the silence may be slower than this one.
        timeout_s = self._engine.pacing.silence_s(2 * slowest_s(before))

        def cell(frontend: Frontend) -> Cell:
            def judge(batch: Batch, index: int) -> Verdict:
                return judge_closed(
                    batch.answers[index],
                    batch.answers[len(closed)],
                    what=frontend.what,
                    timeout_s=timeout_s,
                )

            return Cell(probe=frontend.probe(timeout_s), judge=judge)

        asked = [
            Frontend(what=f"{host} port {port}", host=host, port=port) for host, port in closed
        ]
        return self._beside_control(control, serving, [cell(one) for one in asked], asked[0])

    def assert_deleted(self, service: ServiceRef, serving: Sequence[AnyPod]) -> Batch:
        """A deleted Service is not served any more, while one of its pods answers directly."""
        engine = self._engine
        [found] = frontends(service)
        server = pod_of(serving[0])
        direct = Frontend(what=f"pod {server.name}", host=server.ip, port=server.port)
        names = {pod_of(one).name for one in serving}

        def judge(batch: Batch, index: int) -> Verdict:
            return judge_gone(batch.answers[index], what=found.what, servers=names)

        probe = found.probe(
            engine.pacing.deny_timeout_s,
            within_s=engine.pacing.programming_s,
            until=_CLOSED,
            times=engine.pacing.deny_looks,
        )
        return self._beside_control(direct, [server], [Cell(probe=probe, judge=judge)], found)

    def assert_udp_flow(self, service: ServiceRef, serving: Sequence[AnyPod]) -> Batch:
        """Datagrams from one steady source port reach one of these pods, once proxies know."""
        engine, pod = self._engine, self._pod
        [found] = frontends(service)
        what = f"the UDP flow from port {_STEADY_PORT} on node {pod.node} to {service.name}"
        cell = serving_cell(
            engine,
            pod,
            found,
            serving,
            source=f"{VIRTUAL_IPS}; kubernetes/kubernetes#19029",
            protocol="udp",
            source_port=_STEADY_PORT,
        )
        settle(engine, pod, [cell], what=what)
        return look(engine, pod, [cell], what=what, by_hand=nc_by_hand(found, _STEADY_PORT))

    def _served_counts(
        self, service: ServiceRef, serving: Sequence[AnyPod], connections: int
    ) -> dict[str, int]:
        """How many of so many connections each of these pods served; all must be."""
        batch = self.assert_all_served(service, serving, connections=connections)
        served = Counter(answered_by(one) for one in batch.answers[:connections] if one)
        return {name: served[name] for name in (pod_of(server).name for server in serving)}

    def _judge_served_counts(
        self, counts: dict[str, int], verdict: Verdict, service: ServiceRef
    ) -> FactSheet:
        found = frontends(service)
        sheet = FactSheet(
            what="connections by endpoint",
            source=f"pod {self._pod.namespace}/{self._pod.name} on node {self._pod.node}",
            facts={pod: str(count) for pod, count in sorted(counts.items())},
        )
        by_hand = curl_by_hand(found * 10)
        return judge_facts(self._engine, sheet, verdict, by_hand=by_hand)

    def _beside_control(
        self, control: Frontend, by: Sequence[AnyPod], cells: Sequence[Cell], asked: Frontend
    ) -> Batch:
        """Judge these cells in one list with a frontend that must be served."""
        engine, pod = self._engine, self._pod
        good = serving_cell(
            engine,
            pod,
            control,
            by,
            source=VIRTUAL_IPS,
            within_s=engine.pacing.programming_s,
        )
        what = f"{asked.what} from node {pod.node}"
        batch = look(engine, pod, [*cells, good], what=what, by_hand=curl_by_hand([asked]))
        note_delay(engine, batch, what=what)
        return batch
