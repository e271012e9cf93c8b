"""A lab with somebody in it who looks from its pods, nodes and hosts: what fault rows are given.

Places are as `aksnet-lab exec` names them. Each look is a process at its place; what the network
did to it is an outcome, never an exception.
"""

import base64
import contextlib
import json
import time
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple
from urllib.parse import urlencode

from pytest_aksnet.lab.spec import LabSpec
from tests.lab.raw_api import STDERR, RawApi, RawStream, output, status_of
from tests.lab.running_lab import RunningLab
from tests.lab.user import Ended, User

HTTP_PORT, UDP_PORT = 8080, 8081
_SECONDS = 2  # for a look; silence is an outcome after it
_PATIENCE_S = 30.0


class Look(NamedTuple):
    """What one look saw.

    `outcome` is "ok", "timeout", "refused", "reset", "unreachable", "error", of HTTP also
    "http STATUS", of ping "too long" or "ttl", of DNS the status in lower case ("noerror",
    "servfail", ...) or "truncated". `source` is the address by which a server saw it, `text` what
    else was seen (DNS: one answer's data per line), `seconds` how long it took.
    """

    outcome: str
    source: str
    text: str
    seconds: float

    @property
    def ok(self) -> bool:
        """Whether there was an answer."""
        return self.outcome == "ok"


class Scene:
    """One started lab and one namespace in it, for one row. Use it as a context manager.

    Pods are made when they are first asked for. Each of them serves: HTTP on 8080 and UDP on 8081,
    answered with the address that the server saw.
    """

    def __init__(self, lab: RunningLab, spec: LabSpec, folder: Path) -> None:
        self.lab = lab
        self.spec = spec
        self.api = RawApi(lab, folder)
        self.user = User(lab)
        self.nodes = [node.name for node in spec.nodes]
        self._pods: set[str] = set()
        self._open = contextlib.ExitStack()

    def __enter__(self) -> "Scene":
        self._open.enter_context(self.user)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.heal_all()
        self._open.close()

    # -- places ----------------------------------------------------------------------------

    def pod(
        self, node: int = 0, name: str = "", *, app: str = "", wait: bool = True, **options: Any
    ) -> str:
        """A Ready pod on the node of that index (-1: the last) as a place.

        `name` is for more than one pod of a node, `app` its label, `options` are those of
        `User.create_pod`. With `wait` false it may still be starting.
        """
        on = self.nodes[node]
        name = name or f"pod{self.nodes.index(on)}"
        if name not in self._pods:
            self._pods.add(name)
            # The fields of pods' DNS and of other things are the row's business, the probe is not.
            self.user.create_pod(
                name,
                command=["python3", "-c", script("reflect_script")],
                node=on,
                labels={"app": app or name},
                container={
                    "readinessProbe": {"tcpSocket": {"port": HTTP_PORT}, "periodSeconds": 1}
                },
                **options,
            )
        if wait:
            self.user.ready(name)
        return f"pod/{self.user.namespace}/{name}"

    def delete_pod(self, name: str) -> None:
        """Delete a pod at once and wait until it is gone."""
        self.user.core.delete_namespaced_pod(name, self.user.namespace, grace_period_seconds=0)
        self._pods.discard(name)
        self.user.eventually(lambda: name not in self.pod_names(), f"{name} is gone")

    def pod_names(self) -> list[str]:
        """Names of this namespace's pods."""
        found = self.user.core.list_namespaced_pod(self.user.namespace).items
        return [pod.metadata.name for pod in found]

    def node(self, index: int = 0) -> str:
        """The place of a node."""
        return f"node/{self.nodes[index]}"

    def host(self, name: str) -> str:
        """The place of a host of the spec: vm, internet, runner, peered-vm, on-prem..."""
        return f"host/{name}"

    def ip(self, place: str) -> str:
        """The IPv4 address of a place."""
        kind, _, rest = place.partition("/")
        if kind == "pod":
            return self.user.pod_ip(rest.partition("/")[2])
        if kind == "node":
            return self.spec.node(rest).ip
        return next(host.ip for host in self.spec.hosts if host.name == rest)

    def ip6(self, place: str) -> str:
        """The IPv6 address of a place. Raises KeyError where it has none."""
        kind, _, rest = place.partition("/")
        found: list[str | None]
        if kind == "pod":
            status = self.user.pod(rest.partition("/")[2]).status
            found = [one.ip for one in status.pod_ips or [] if ":" in one.ip]
        elif kind == "node":
            found = [self.spec.node(rest).ip6]
        else:
            found = [host.ip6 for host in self.spec.hosts if host.name == rest]
        if not found or found[0] is None:
            raise KeyError(place)
        return found[0]

    def service(self, name: str, *, app: str = "", wait: bool = True, **options: Any) -> Any:
        """A Service from port 80 to 8080 of the pods with label app=`app` (default: its name).

        `options` are those of `User.create_service`: kind, and fields of its spec. With `wait`
        its endpoints are there when it returns.
        """
        service = self.user.create_service(name, selector=app, **options)
        if wait:
            self.user.eventually(lambda: bool(self.endpoints(name)), f"{name} has endpoints")
        return self.user.core.read_namespaced_service(name, self.user.namespace) or service

    def endpoints(self, service: str) -> list[str]:
        """The ready endpoint addresses of a Service, sorted."""
        slices = self.user.discovery.list_namespaced_endpoint_slice(
            self.user.namespace, label_selector=f"kubernetes.io/service-name={service}"
        ).items
        return sorted(
            address
            for one in slices
            for endpoint in one.endpoints or []
            if endpoint.conditions.ready is not False
            for address in endpoint.addresses
        )

    def load_balancer_ip(self, service: str) -> str:
        """The external address of a Service, once it has one."""
        found: list[str] = []

        def there() -> bool:
            status = self.user.core.read_namespaced_service(service, self.user.namespace).status
            found[:] = [one.ip for one in status.load_balancer.ingress or []]
            return bool(found)

        self.user.eventually(there, f"{service} has an external address")
        return found[0]

    # -- looking ---------------------------------------------------------------------------

    def tcp(
        self,
        place: str,
        host: str,
        port: int = HTTP_PORT,
        *,
        seconds: float = _SECONDS,
        source_port: int = 0,
        message: str = "",
    ) -> Look:
        """A TCP handshake from a place; with a message, `text` is the first answer to it."""
        return self.tcps(
            place, host, port, count=1, seconds=seconds, source_port=source_port, message=message
        )[0]

    def tcps(
        self,
        place: str,
        host: str,
        port: int = HTTP_PORT,
        *,
        count: int,
        seconds: float = _SECONDS,
        source_port: int = 0,
        message: str = "",
    ) -> list[Look]:
        """Several, one after the other."""
        return self._looks(place, count, "tcp", host, port, seconds, source_port, message)

    def udp(
        self,
        place: str,
        host: str,
        port: int = UDP_PORT,
        *,
        seconds: float = _SECONDS,
        source_port: int = 0,
    ) -> Look:
        """A datagram to a reflector and its answer."""
        return self._looks(place, 1, "udp", host, port, seconds, source_port, "")[0]

    def udps(
        self,
        place: str,
        host: str,
        port: int = UDP_PORT,
        *,
        count: int,
        seconds: float = _SECONDS,
        source_port: int = 0,
    ) -> list[Look]:
        """Several, one after the other."""
        return self._looks(place, count, "udp", host, port, seconds, source_port, "")

    def http(self, place: str, url: str, *, seconds: float = _SECONDS, upload: int = 0) -> Look:
        """A GET; `url` has a port. `source` and `text` are the body, certificates are not checked.

        `upload` is the length of a body that goes with it.
        """
        return self._looks(place, 1, "http", url, seconds, upload)[0]

    def https_issuer(
        self, place: str, host: str, port: int = 443, *, name: str, seconds: float = _SECONDS
    ) -> Look:
        """A TLS handshake; `text` is the certificate (PEM), whoever signed it."""
        return self._looks(place, 1, "tls", host, port, seconds, name)[0]

    def seen(self, place: str, host: str, port: int = HTTP_PORT, seconds: float = _SECONDS) -> str:
        """The address by which an HTTP reflector saw a place; the outcome where that is not ok."""
        shown = f"[{host}]" if ":" in host else host
        look = self.http(place, f"http://{shown}:{port}/", seconds=seconds)
        return look.source if look.ok else look.outcome

    def ping(
        self, place: str, host: str, *, size: int = 84, seconds: int = 1, ttl: int = 64
    ) -> Look:
        """An ICMP echo of `size` bytes with its IP header, not to be fragmented."""
        return self._looks(place, 1, "ping", host, size, seconds, ttl)[0]

    def pings(
        self, place: str, host: str, *, count: int, size: int = 84, seconds: int = 1
    ) -> list[Look]:
        """Several, one after the other."""
        return self._looks(place, count, "ping", host, size, seconds, 64)

    def dns(
        self,
        place: str,
        name: str,
        kind: str = "A",
        *,
        server: str = "",
        transport: str = "udp",
        seconds: int = _SECONDS,
    ) -> Look:
        """A question, by default to the place's first resolver.

        `transport` is tcp, udp (with TCP after truncation) or udp-only.
        """
        return self.dnss(
            place, name, kind, count=1, server=server, transport=transport, seconds=seconds
        )[0]

    def dnss(
        self,
        place: str,
        name: str,
        kind: str = "A",
        *,
        count: int,
        server: str = "",
        transport: str = "udp",
        seconds: int = _SECONDS,
    ) -> list[Look]:
        """Several, one after the other."""
        return self._looks(place, count, "dns", name, kind, server, transport, seconds)

    def _looks(self, place: str, count: int, verb: str, *arguments: object) -> list[Look]:
        argv = ["python3", "-c", script("look_script"), str(count), verb, *map(str, arguments)]
        done = self.run(place, *argv)
        assert done.code == 0, f"could not look from {place}: {done.stderr}"
        return [Look(*json.loads(line)) for line in done.stdout.splitlines()]

    # -- doing -----------------------------------------------------------------------------

    def run(self, place: str, *argv: str, seconds: float = _PATIENCE_S) -> Ended:
        """Run a command at a place to its end."""
        with contextlib.closing(self._exec(place, *argv)) as stream:
            frames, ending = stream.frames(seconds)
        status = status_of(frames)
        assert status is not None, f"{argv[0]} at {place}: {ending}"
        code = 0
        if status["status"] != "Success":
            causes = status.get("details", {}).get("causes", [])
            code = next(int(one["message"]) for one in causes if one["reason"] == "ExitCode")
        text, error = output(frames).decode(), output(frames, STDERR).decode()
        return Ended(code, text, error)

    @contextlib.contextmanager
    def served(self, place: str, http_port: int, udp_port: int = UDP_PORT) -> Iterator[None]:
        """Serve at a node or host as the pods do, as long as the block runs."""
        argv = ("python3", "-c", script("reflect_script"), str(http_port), str(udp_port), "1")
        with contextlib.closing(self._exec(place, *argv, stdin=True)) as stream:
            said = stream.next()
            assert said == (1, b"ready\n"), f"{place} does not serve: {said!r}"
            yield

    @contextlib.contextmanager
    def talks(self, place: str, *argv: str) -> Iterator[RawStream]:
        """Run a command at a place that is told by its standard input when to go on."""
        with contextlib.closing(self._exec(place, *argv, stdin=True)) as stream:
            yield stream

    def _exec(self, place: str, *argv: str, stdin: bool = False) -> RawStream:
        query = [("place", place), *(("command", part) for part in argv)]
        query += [("stdout", "true"), ("stderr", "true"), *([("stdin", "true")] if stdin else [])]
        stream = RawStream(self.api, f"/lab/v1/exec?{urlencode(query)}")
        if stream.status != 101:
            stream.close()
        assert stream.status == 101, stream.body
        return stream

    def inject(self, fault: str) -> None:
        """Inject a fault: NAME[=VALUE][@NODE]."""
        self.api.inject(fault)

    def heal(self, fault: str) -> None:
        """Heal a fault."""
        self.api.heal(fault)

    def heal_all(self) -> None:
        """Heal whatever is injected."""
        for fault in self.api.injected():
            self.api.heal(fault)

    def holds(self, condition: "Callable[[Scene], None]", seconds: float = 10.0) -> None:
        """Ask `condition(self)` again until it raises no AssertionError, at most `seconds` long."""
        deadline = time.monotonic() + seconds
        pause = 0.02
        while True:
            try:
                condition(self)
            except AssertionError:
                if time.monotonic() > deadline:
                    raise
            else:
                return
            time.sleep(pause)
            pause = min(2 * pause, 0.5)


def script(name: str) -> str:
    """The text of a script beside this file as a short Python program."""
    text = (Path(__file__).parent / f"{name}.py").read_bytes()
    packed = base64.b64encode(zlib.compress(text, 9)).decode()
    return f"import base64,zlib;exec(zlib.decompress(base64.b64decode('{packed}')))"
