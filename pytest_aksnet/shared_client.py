"""A worker's `Shared`: asks the controller of its run. Owns the worker's side of the socket."""

import threading
from collections.abc import Mapping, Sequence
from multiprocessing import AuthenticationError
from multiprocessing.connection import Client, Connection
from typing import TYPE_CHECKING, Any, cast

from pytest_aksnet.model.arm import Reading
from pytest_aksnet.model.errors import EnvironmentProblem, SettingsError
from pytest_aksnet.model.peers import NodeRef, PodRef
from pytest_aksnet.model.profile import NetworkProfile
from pytest_aksnet.model.record import CheckRecord
from pytest_aksnet.model.rights import Preflight
from pytest_aksnet.needs import Need
from pytest_aksnet.shared import Opening
from pytest_aksnet.shared_wire import Answer, Call, Raised, error_of, receive, send

if TYPE_CHECKING:
    from pytest_aksnet.cluster.connect import Cluster


class RemoteShared:
    """See `shared.Shared`. Connects with the first call, and anew after one that was interrupted.

    Every call raises EnvironmentProblem where the controller is gone.
    """

    def __init__(self, address: str, key: bytes) -> None:
        self._address = address
        self._key = key
        self._lock = threading.Lock()
        self._controller: Connection[object, object] | None = None
        self._cluster: Cluster | None = None
        self._opening: Opening | None = None
        self._profile: NetworkProfile | None = None
        self._readings: dict[str, Reading[Any]] = {}

    def connection(self) -> "Cluster":
        """See shared.Shared."""
        from pytest_aksnet.cluster.connect import attach

        opening = self.opening()
        if self._cluster is None:
            self._cluster = attach(opening.kubeconfig, opening.context, opening.version)
        return self._cluster

    def opening(self) -> Opening:
        """See shared.Shared."""
        if self._opening is None:
            self._opening = cast(Opening, self._call("opening"))
        return self._opening

    def profile(self) -> NetworkProfile:
        """See shared.Shared."""
        if self._profile is None:
            self._profile = cast(NetworkProfile, self._call("profile"))
        return self._profile

    def reading(self, topic: str, *, since: float = 0.0) -> Reading[Any]:
        """See shared.Shared. What was read is kept here too: it may be long."""
        known = self._readings.get(topic)
        if known is None or known.taken < since:
            known = cast(Reading[Any], self._call("reading", topic, since=since))
            self._readings[topic] = known
        return known

    def preflight(self, need: Need) -> Preflight:
        """See shared.Shared."""
        return cast(Preflight, self._call("preflight", need))

    def pool_namespace(self) -> str:
        """See shared.Shared."""
        return cast(str, self._call("pool_namespace"))

    def warm(self, nodes: Sequence[NodeRef], *, host_network: bool) -> tuple[PodRef, ...]:
        """See shared.Shared."""
        found = self._call("warm", tuple(nodes), host_network=host_network)
        return cast(tuple[PodRef, ...], found)

    def image_refused(self) -> str:
        """See shared.Shared."""
        return cast(str, self._call("image_refused"))

    def image_tried(self, problem: str) -> None:
        """See shared.Shared."""
        self._call("image_tried", problem)

    def begun(self, worker: str, will: CheckRecord) -> None:
        """See shared.Shared."""
        self._call("begun", worker, will)

    def keep(self, worker: str, record: CheckRecord) -> None:
        """See shared.Shared."""
        self._call("keep", worker, record)

    def kept(self, what: Sequence[str]) -> None:
        """See shared.Shared."""
        self._call("kept", tuple(what))

    def uses(self, namespace: str) -> None:
        """See shared.Shared."""
        self._call("uses", namespace)

    def alone(self, groups: Mapping[str, str]) -> None:
        """See shared.Shared."""
        self._call("alone", dict(groups))

    def close(self) -> None:
        """Close the connection; a later call opens another one."""
        with self._lock:
            self._hang_up()

    def _call(self, name: str, *positional: object, **named: object) -> object:
        with self._lock:
            try:
                connection = self._connected()
                send(connection, Call(name, positional, named))
                answer = receive(connection)
            except (OSError, EOFError) as error:
                self._hang_up()
                raise EnvironmentProblem(
                    f"the controller of this run does not answer ({type(error).__name__})"
                ) from error
            except BaseException:
                # The answer to this call must not be taken for that of the next.
                self._hang_up()
                raise
        if isinstance(answer, Raised):
            raise error_of(answer)
        assert isinstance(answer, Answer)
        return answer.value

    def _connected(self) -> "Connection[object, object]":
        if self._controller is None:
            try:
                self._controller = Client(f"\0{self._address}", family="AF_UNIX", authkey=self._key)
            except (ConnectionRefusedError, FileNotFoundError, AuthenticationError) as error:
                raise SettingsError(
                    "this worker cannot reach the controller of its run, which must be on the "
                    "same machine: use -n NUMBER, not --tx of another machine"
                ) from error
        return self._controller

    def _hang_up(self) -> None:
        if self._controller is not None:
            self._controller.close()
            self._controller = None
