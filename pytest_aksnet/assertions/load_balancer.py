"""Verbs about load balancers, of pods: their own node answers for a frontend."""

from collections.abc import Callable, Collection, Sequence
from functools import partial

from pytest_aksnet.assertions.load_balancer_causes import why_not_by_proxy
from pytest_aksnet.assertions.looker import Looker
from pytest_aksnet.assertions.target import AnyPod, pod_of
from pytest_aksnet.check_list import Asking, converge_list
from pytest_aksnet.expectations.load_balancer import (
    connections_to_see,
    judge_frontend,
    judge_hairpin,
)
from pytest_aksnet.model.peers import ServiceRef
from pytest_aksnet.model.probing import Batch, Kind, Probe
from pytest_aksnet.model.verdict import Verdict

_LOOKS = 16


class LoadBalancerVerbs(Looker):
    """What pods see of load balancers: their own node answers for the frontend."""

    def assert_served_by_frontend(self, service: ServiceRef, serving: Sequence[AnyPod]) -> Batch:
        """Each connection to the Service's frontend is answered by one of the pods `serving`."""
        servers = {pod_of(pod).name for pod in serving}
        return self._inside_frontend(
            service, serving, partial(self._inside_served, servers=servers), _LOOKS
        )

    def assert_hairpin_by_frontend(self, service: ServiceRef, serving: Sequence[AnyPod]) -> Batch:
        """This pod, one of those `serving`, gets through each time, and reaches itself as well.

        Statistical: that none of the connections comes to itself happens by chance less than once
        in 10 million times.
        """
        servers = {pod_of(pod).name for pod in serving}

        def judge(batch: Batch, frontend: str) -> Verdict:
            return judge_hairpin(
                batch.answers, frontend=frontend, pod=self._pod.name, servers=servers
            )

        return self._inside_frontend(service, serving, judge, connections_to_see(len(serving)))

    def _inside_served(self, batch: Batch, frontend: str, *, servers: Collection[str]) -> Verdict:
        return judge_frontend(batch.answers, frontend=frontend, servers=servers)

    def _inside_frontend(
        self,
        service: ServiceRef,
        serving: Sequence[AnyPod],
        judge: Callable[[Batch, str], Verdict],
        count: int,
    ) -> Batch:
        engine, host = self._engine, service.load_balancer_ips[0]
        frontend = f"{host}:{service.port}"
        argv = ("curl", "-sS", "-m", "5", f"http://{frontend}/")
        asking = Asking(
            prober=engine.prober,
            pod=self._pod,
            where=f"pod {self._pod.namespace}/{self._pod.name} on node {self._pod.node}",
            argv=argv,
            by_hand=engine.command_line(self._pod, argv),
        )
        wait = engine.pacing.connect_timeout_s
        return converge_list(
            engine,
            asking,
            [Probe(kind=Kind.TCP, host=host, port=service.port, timeout_s=wait)] * count,
            lambda batch: judge(batch, frontend),
            what=f"{count} connections to {frontend}",
            patience_s=engine.pacing.patience_with(service=True),
            diagnose=lambda _: why_not_by_proxy(engine, self._pod, serving),
        )
