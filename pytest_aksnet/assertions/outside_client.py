"""Clients outside the cluster, and what they see of load balancers.

A pod's own node answers for a frontend, so its packets never get to the load balancer: only hosts
outside the cluster can say what that does.
"""

import dataclasses
from collections import Counter
from collections.abc import Callable, Collection, Sequence

from pytest_aksnet.assertions.load_balancer_causes import why_left_out
from pytest_aksnet.assertions.looker import Reader
from pytest_aksnet.assertions.policy_ways import Written
from pytest_aksnet.assertions.target import AnyPod, pod_of
from pytest_aksnet.check import Engine
from pytest_aksnet.check_list import Asking, converge_list
from pytest_aksnet.expectations.addresses import is_private, node_addresses
from pytest_aksnet.expectations.load_balancer import (
    CLEANUP,
    RANGES,
    connections_to_see,
    entered_node,
    judge_closed,
    judge_frontend,
    judge_shares,
    judge_source_kept,
)
from pytest_aksnet.expectations.policy_ways import Way, expected_ways, policy_pod
from pytest_aksnet.model.command_line import shell_line
from pytest_aksnet.model.errors import (
    ConformanceFailure,
    ControlFailed,
    FactUnknown,
    NotApplicable,
)
from pytest_aksnet.model.peers import NodeRef, PodRef, ServiceRef
from pytest_aksnet.model.policy import Node, PortSpec
from pytest_aksnet.model.policy import Outside as OutsideHost
from pytest_aksnet.model.probing import Answer, Batch, Finding, Kind, Probe, Prober
from pytest_aksnet.model.site import ClientHost
from pytest_aksnet.model.verdict import Outcome, Verdict

_LOOKS = 16
_ANYWHERE = ("0.0.0.0",)
_DENY_LOOKS = 6
_EXCLUDED = "node.kubernetes.io/exclude-from-external-load-balancers"
_KEYS = {
    "vnet": '[vnet_client] command (such as ["ssh", "user@vm"]) and addresses: a host in the VNet',
    "internet": '[internet_client] command (such as ["ssh", "user@host"]) and addresses: a host on '
    "the internet",
}


class Outside:
    """The hosts outside the cluster from which a test may look."""

    def __init__(self, engine: Engine, prober: Prober) -> None:
        self._engine = engine
        self._prober = prober

    @property
    def in_vnet(self) -> "OutsideClient":
        """A host in the virtual network; the machine that runs pytest where none is named."""
        return OutsideClient(self._engine, self._prober, self._engine.site.vnet_client, "vnet")

    @property
    def on_internet(self) -> "OutsideClient":
        """A host on the internet; the machine that runs pytest where none is named."""
        host = self._engine.site.internet_client
        return OutsideClient(self._engine, self._prober, host, "internet")


class OutsideClient(Reader):
    """A client outside the cluster. Verbs give the answers they judged.

    Where the site file names no such host, the machine that runs pytest looks; then only what it
    does reach says something, as it may have no way: FactUnknown names the key.
    """

    def __init__(self, engine: Engine, prober: Prober, host: ClientHost | None, place: str) -> None:
        super().__init__(engine)
        self._prober = prober
        self._named = host is not None
        self._host = host or ClientHost(what="the machine that runs pytest")
        self._place = place
        self._reached = False
        self._pod = PodRef(namespace="", name=self._host.what, container="", node="", ip="")

    def addresses(self, version: int = 4) -> tuple[str, ...]:
        """What the cluster sees of this client. Raises FactUnknown with the key to set."""
        found = tuple(one for one in self._host.addresses if (":" in one) == (version == 6))
        if not found:
            raise FactUnknown(
                f"it is not known which IPv{version} address the cluster sees of "
                f"{self._host.what}; set addresses in {_KEYS[self._place]}, in the file of "
                "--aksnet-config"
            )
        return found

    def ranges(self) -> list[str]:
        """Its IPv4 addresses as CIDRs of one address each. Raises FactUnknown as `addresses`."""
        return [f"{address}/32" for address in self.addresses()]

    def assert_frontend(
        self,
        service: ServiceRef,
        serving: Sequence[AnyPod],
        *,
        port: int | None = None,
        address: str = "",
        udp: bool = False,
    ) -> Batch:
        """Each connection to the Service's frontend is answered by one of the pods `serving`.

        By default the Service's first address and port; `udp` asks with datagrams.
        """
        host, number = address or service.load_balancer_ips[0], port or service.port
        servers = {pod_of(pod).name for pod in serving}

        def judge(batch: Batch) -> Verdict:
            return judge_frontend(batch.answers, frontend=f"{host}:{number}", servers=servers)

        kind = Kind.UDP if udp else Kind.TCP
        return self._look(host, number, _LOOKS, judge, service, serving, kind=kind)

    def assert_source_kept(self, service: ServiceRef, serving: Sequence[AnyPod]) -> Batch:
        """externalTrafficPolicy Local: pods behind the frontend see this client's own address."""
        host, servers = service.load_balancer_ips[0], {pod_of(pod).name for pod in serving}
        frontend, client = f"{host}:{service.port}", self.addresses(6 if ":" in host else 4)

        def judge(batch: Batch) -> Verdict:
            verdict = judge_frontend(batch.answers, frontend=frontend, servers=servers)
            if verdict.outcome is not Outcome.PASS:
                return verdict
            return judge_source_kept(batch.answers, frontend=frontend, client=client)

        return self._look(host, service.port, _LOOKS, judge, service, serving, held=True)

    def assert_every_node_enters(
        self, service: ServiceRef, nodes: Sequence[NodeRef], serving: Sequence[AnyPod]
    ) -> Batch:
        """externalTrafficPolicy Cluster: connections come in by each of these nodes.

        Statistical: missed by chance less than once in 10 million times, if each node that takes
        part gets half of a fair share at least. Raises NotApplicable where none takes part.
        """
        expected = [node.name for node in nodes if _EXCLUDED not in node.labels]
        if not expected:
            raise NotApplicable(f"each node that takes part has the label {_EXCLUDED}")
        owners = {
            address: node.name
            for node in self._engine.view.nodes()
            for address in node_addresses(node)
        }
        nodes_of_pods = {pod_of(pod).name: pod_of(pod).node for pod in serving}

        def by(answer: Answer) -> str:
            return entered_node(answer, owners, nodes_of_pods)

        return self._shares(service, serving, expected, by, "node")

    def assert_every_backend_serves(self, service: ServiceRef, serving: Sequence[AnyPod]) -> Batch:
        """externalTrafficPolicy Local: connections come to each node that has one of these pods.

        Statistical, as `assert_every_node_enters`.
        """
        nodes_of_pods = {pod_of(pod).name: pod_of(pod).node for pod in serving}

        def by(answer: Answer) -> str:
            return nodes_of_pods.get(str(answer.facts.get("pod", "")), "")

        return self._shares(service, serving, sorted(set(nodes_of_pods.values())), by, "node")

    def assert_not_allowed(self, service: ServiceRef, control: ServiceRef) -> Batch:
        """loadBalancerSourceRanges without this client: nothing, while `control` answers it."""
        return self._closed(service, control, "its source ranges do not have this client", RANGES)

    def hold_frontend(self, service: ServiceRef, backend: AnyPod) -> Batch:
        """The frontend leads to its one pod while no policy closes it. Raises ControlFailed."""
        try:
            return self.assert_frontend(service, [backend])
        except ConformanceFailure as failure:
            raise ControlFailed(
                "the positive control that the frontend is reached without a policy did not hold: "
                f"{str(failure).partition(chr(10))[0]}"
            ) from failure

    def assert_policies_judged(
        self,
        service: ServiceRef,
        backend: AnyPod,
        policy: Written,
        control: ServiceRef,
        *,
        by_node: bool = False,
    ) -> Batch:
        """The frontend is closed or open as the policy says of its one pod and this client.

        With `by_node` the pod sees a node, as with externalTrafficPolicy Cluster, else this client.
        `control` is a frontend that no policy closes.
        """
        served = pod_of(backend)
        way = Way(
            what=f"{service.load_balancer_ips[0]}:{service.port}",
            client=OutsideHost(name=self._host.what, ips=self._host.addresses or _ANYWHERE),
            destination=policy_pod(served),
            port=PortSpec(number=served.port),
            via=Node(name="the node that is entered", ips=_ANYWHERE) if by_node else None,
        )
        engine = self._engine.profile.get("policy-engine")
        [expected] = expected_ways([way], [policy.manifest], engine)
        if expected.allowed:
            return self.assert_frontend(service, [served])
        return self._closed(service, control, expected.why, expected.source)

    def assert_released(self, service: ServiceRef, control: ServiceRef) -> Batch:
        """The frontend of a deleted Service answers no more, while `control` does."""
        return self._closed(service, control, "its Service is deleted", CLEANUP)

    # -- how it looks

    def _closed(
        self,
        service: ServiceRef,
        control: ServiceRef,
        why: str,
        source: str,
    ) -> Batch:
        host = service.load_balancer_ips[0]
        beside = self._probe(control.load_balancer_ips[0], control.port)
        wait = self._engine.pacing.silence_s(self._answers_s(beside))
        quiet = dataclasses.replace(self._probe(host, service.port), timeout_s=wait)
        probes = [*[quiet] * _DENY_LOOKS, dataclasses.replace(beside, timeout_s=wait)]

        def judge(batch: Batch) -> Verdict:
            return judge_closed(
                batch.answers[:-1],
                batch.answers[-1],
                frontend=f"{host}:{service.port}",
                why=why,
                source=source,
            )

        return self._ask(probes, judge, f"{host}:{service.port}")

    def _shares(
        self,
        service: ServiceRef,
        serving: Sequence[AnyPod],
        expected: Collection[str],
        by: Callable[[Answer], str],
        what: str,
    ) -> Batch:
        host, servers = service.load_balancer_ips[0], {pod_of(pod).name for pod in serving}
        frontend = f"{host}:{service.port}"

        def judge(batch: Batch) -> Verdict:
            verdict = judge_frontend(batch.answers, frontend=frontend, servers=servers)
            if verdict.outcome is not Outcome.PASS:
                return verdict
            seen = Counter(by(answer) for answer in batch.answers if answer is not None)
            return judge_shares(seen, frontend=frontend, expected=expected, what=what)

        def missing(batch: Batch) -> list[str]:
            seen = {by(one) for one in batch.answers if one is not None and one.looked}
            return sorted(set(expected) - seen)

        count = connections_to_see(len(expected))
        return self._look(
            host, service.port, count, judge, service, serving, missing=missing, held=True
        )

    def _look(
        self,
        host: str,
        port: int,
        count: int,
        judge: Callable[[Batch], Verdict],
        service: ServiceRef,
        serving: Sequence[AnyPod],
        *,
        kind: Kind = Kind.TCP,
        missing: Callable[[Batch], list[str]] | None = None,
        held: bool = False,
    ) -> Batch:
        """With `held` it must stay so while the load balancer probes its nodes again."""

        def diagnose(batch: Batch) -> str:
            answered = all(one is not None and one.finding is Finding.OK for one in batch.answers)
            if answered and missing is None:
                return ""  # what is bad is what was said, not that nothing came
            nodes = missing(batch) if missing else [pod_of(pod).node for pod in serving]
            if kind is Kind.UDP:  # which is not probed, so any node may get it
                nodes = [node.name for node in self._engine.view.nodes()]
            servers = [pod_of(pod) for pod in serving]
            return why_left_out(self._engine, service, servers, nodes)

        probes = [self._probe(host, port, kind)] * count
        hold_s = self._engine.pacing.frontend_hold_s if held else 0.0
        return self._ask(probes, judge, f"{host}:{port}", diagnose, hold_s=hold_s)

    def _answers_s(self, control: Probe) -> float:
        """How long a frontend that must answer takes (seconds). Raises ControlFailed."""
        batch = self._prober.probe(self._pod, [control], budget_s=control.timeout_s + 4)
        answer = batch.answers[0]
        if answer is None or answer.finding is not Finding.OK:
            raise ControlFailed(
                f"the positive control {control.host}:{control.port} did not answer "
                f"{self._host.what}, so a missing answer proves nothing: "
                f"{batch.problem if answer is None else answer.detail}"
            )
        return answer.ms / 1000

    def _probe(self, host: str, port: int, kind: Kind = Kind.TCP) -> Probe:
        if self._place == "vnet" and not is_private(host):
            raise ControlFailed(
                f"the load balancer has the public address {host}, and {self._host.what} is to "
                "look at internal ones: the check load-balancer.internal says more"
            )
        wait = self._engine.pacing.connect_timeout_s
        return Probe(kind=kind, host=host, port=port, timeout_s=wait)

    def _patience_s(self) -> float:
        """A machine that may have no way at all is not waited for as long."""
        patience = self._engine.pacing.frontend_s
        return patience if self._named or self._reached else patience / 3

    def _ask(
        self,
        probes: Sequence[Probe],
        judge: Callable[[Batch], Verdict],
        frontend: str,
        diagnose: Callable[[Batch], str] | None = None,
        *,
        hold_s: float = 0.0,
    ) -> Batch:
        def judge_and_note(batch: Batch) -> Verdict:
            good = any(one is not None and one.finding is Finding.OK for one in batch.answers)
            self._reached = self._reached or good
            return judge(batch)

        argv = ("curl", "-sS", "-m", "5", f"http://{frontend}/")
        command = self._host.command
        asking = Asking(
            prober=self._prober,
            pod=self._pod,
            where=self._host.what,
            argv=argv,
            by_hand=shell_line([*command, shell_line(argv)] if command else argv),
        )
        try:
            return converge_list(
                self._engine,
                asking,
                probes,
                judge_and_note,
                what=f"{len(probes)} connections to {frontend}",
                patience_s=self._patience_s(),
                hold_s=hold_s,
                diagnose=diagnose,
            )
        except ConformanceFailure as failure:
            if self._named or self._reached:
                raise
            raise FactUnknown(
                f"{self._host.what} may have no way to {frontend}, so that it got no answer proves "
                f"nothing; set {_KEYS[self._place]} that has one, in the file of --aksnet-config "
                f"(default aksnet.toml). It saw: {str(failure).partition(chr(10))[0]}"
            ) from failure
