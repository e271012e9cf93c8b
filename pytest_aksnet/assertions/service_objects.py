"""Verbs about what the API server says of Services."""

from collections.abc import Sequence

from pytest_aksnet.assertions.looker import Reader
from pytest_aksnet.assertions.target import AnyPod, pod_of
from pytest_aksnet.check_facts import judge_facts
from pytest_aksnet.expectations.service_state import judge_listed
from pytest_aksnet.model.observation import FactSheet
from pytest_aksnet.model.peers import ServiceRef
from pytest_aksnet.model.verdict import Outcome


class ServiceObjectVerbs(Reader):
    """What `Inventory` says of Services."""

    def assert_listed(self, service: ServiceRef, ready: Sequence[AnyPod]) -> FactSheet:
        """The ready endpoints of the Service become exactly these pods; how long it took is kept.

        Waits for as long as service proxies are waited for.
        """
        engine = self._engine
        what = f"Service {service.namespace}/{service.name}"
        wanted = [pod_of(pod).ip for pod in ready]
        families = {":" in ip for ip in wanted}
        began, pause = engine.now(), engine.pacing.first_pause_s
        while True:
            found = engine.view.endpoints(service)
            listed = [one.ip for one in found if not families or (":" in one.ip) in families]
            took = engine.now() - began
            verdict = judge_listed(listed, wanted, what=what, after_s=took)
            if verdict.outcome is Outcome.PASS or took > engine.pacing.programming_s:
                break
            engine.rest(pause)
            pause = min(2 * pause, engine.pacing.longest_pause_s)
        sheet = FactSheet(
            what=f"the ready endpoints of {what}",
            source="EndpointSlices",
            facts={one.ip: f"{one.pod or 'no pod'} on {one.node or '?'}" for one in found}
            | {"listed after": f"{took:.1f} s"},
        )
        by_hand = ("kubectl", "get", "endpointslices", "-n", service.namespace, "-l")
        label = f"kubernetes.io/service-name={service.name}"
        return judge_facts(engine, sheet, verdict, by_hand=(*by_hand, label))
