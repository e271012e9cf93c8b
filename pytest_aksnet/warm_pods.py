"""The warm pods of a run: one netshoot pod per node, and one in the node's network, for all tests.

Owns when they are started and replaced, and what is known about the image. They are nobody's own:
what would change them for others is made of own pods instead.
"""

import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future

from pytest_aksnet.cluster.connect import Cluster
from pytest_aksnet.cluster.pods import list_pods
from pytest_aksnet.cluster.probe_pods import start_each
from pytest_aksnet.model.errors import AksnetError, EnvironmentProblem, ImageRefused
from pytest_aksnet.model.peers import NodeRef, PodRef
from pytest_aksnet.pod_requests import POD_LABEL, PodRequests

# What took so long to fail is not tried again for each test that asks.
_SLOW_S = 20.0
_STANDS_S = 300.0


class ImageVerdict:
    """Whether pods of this run can have their image. Safe to share between threads.

    One that has it is enough: what another node lacks is that node's own trouble. Two that cannot
    have it, and none that can, settle it for a while: registries come back.
    """

    def __init__(self, nodes: int) -> None:
        self._decisive = min(nodes, 2)
        self._lock = threading.Lock()
        self._works = False
        self._refusals = 0
        self._problem = ""
        self._decided = 0.0

    def tried(self, problem: str) -> None:
        """Take in what one pod found out: why it cannot have the image; empty if it has."""
        with self._lock:
            if not problem:
                self._works, self._problem = True, ""
                return
            self._refusals += 1
            if not self._works and self._refusals >= self._decisive:
                self._problem, self._decided = problem, time.monotonic()

    def refused(self) -> str:
        """The kubelet's reason, while it stands; empty where nothing is known against it."""
        with self._lock:
            return self._problem if time.monotonic() - self._decided < _STANDS_S else ""


class WarmPods:
    """Safe to share between threads: whoever asks for a pod that is starting waits for it alone."""

    def __init__(
        self,
        cluster: Cluster,
        requests: PodRequests,
        every_node: Sequence[NodeRef],
        image: ImageVerdict,
    ) -> None:
        self._cluster = cluster
        self._requests = requests
        self._every_node = every_node
        self._image = image
        self._lock = threading.Lock()
        self._creating = threading.Lock()
        self._ended = False
        self._places: dict[tuple[str, bool], _Place] = {}

    def end(self) -> None:
        """Make no namespace any more: what is there now can be removed without another coming."""
        with self._creating:
            self._ended = True

    def get(self, nodes: Sequence[NodeRef], *, host_network: bool) -> tuple[PodRef, ...]:
        """The warm pods of these nodes, in their order; the first call starts those of all nodes.

        Raises what starting one of these failed with: EnvironmentProblem or ToolMissing.
        """
        known = {
            node.name: place
            for node in nodes
            if (place := self._places.get((node.name, host_network))) is not None
        }
        gone = self._gone(known)
        starting: dict[str, _Place] = {}
        with self._lock:
            first = not any(host == host_network for _, host in self._places)
            for node in (*self._every_node, *nodes) if first else nodes:
                key = (node.name, host_network)
                place = self._places.get(key)
                if place is None or place is gone.get(node.name) or place.may_be_tried_again:
                    self._places[key] = starting[node.name] = _Place(node)
            wanted = [self._places[node.name, host_network] for node in nodes]
        if starting:
            self._start(list(starting.values()), host_network=host_network)
        return tuple(place.pod.result() for place in wanted)

    def _start(self, places: Sequence["_Place"], *, host_network: bool) -> None:
        def ended(number: int, outcome: PodRef | AksnetError) -> None:
            place = places[number]
            place.took_s = time.monotonic() - place.since
            if isinstance(outcome, AksnetError):
                if isinstance(outcome, ImageRefused):
                    self._image.tried(str(outcome))
                place.pod.set_exception(outcome)
            else:
                self._image.tried("")
                place.pod.set_result(outcome)

        failure: AksnetError = EnvironmentProblem("the start of the warm pods was interrupted")
        try:
            if refused := self._image.refused():
                raise ImageRefused(refused)
            with self._creating:
                if self._ended:
                    raise EnvironmentProblem("the run is ending: no pod is started any more")
                requests = [
                    self._requests.netshoot(place.node, host_network=host_network)
                    for place in places
                ]
            start_each(self._cluster, requests, ended)
        except AksnetError as error:
            failure = error
        finally:
            for place in places:
                if not place.pod.done():
                    place.pod.set_exception(failure)

    def _gone(self, known: Mapping[str, "_Place"]) -> dict[str, "_Place"]:
        """The places whose pod does not run any more: a test may have deleted or broken one."""
        started = {name: place for name, place in known.items() if place.has_started}
        if not started:
            return {}
        namespace = self._requests.scope.namespace()
        running = {pod.uid for pod in list_pods(self._cluster, namespace, POD_LABEL)}
        return {
            name: place for name, place in started.items() if place.pod.result().uid not in running
        }


class _Place:
    """One node's warm pod, on its way, there, or why it is not there."""

    def __init__(self, node: NodeRef) -> None:
        self.node = node
        self.pod: Future[PodRef] = Future()
        self.since = time.monotonic()
        self.took_s = 0.0

    @property
    def has_started(self) -> bool:
        """Whether it is ready, or was."""
        return self.pod.done() and self.pod.exception() is None

    @property
    def may_be_tried_again(self) -> bool:
        """Whether it failed, and that is not so costly that it stands for a while."""
        if not self.pod.done() or self.pod.exception() is None:
            return False
        return self.took_s < _SLOW_S or time.monotonic() - self.since > _STANDS_S
