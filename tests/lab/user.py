"""Somebody with the unmodified kubernetes client who works in a namespace of a lab."""

import json
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any

from kubernetes import client, config
from kubernetes.stream import stream

from tests.lab.running_lab import RunningLab

IMAGE = "nicolaka/netshoot:v0.13"
PATIENCE_S = 15.0
REFLECT = """
import http.server
class Reflect(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = (self.client_address[0] + "\\n").encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
http.server.ThreadingHTTPServer(("", 8080), Reflect).serve_forever()
"""


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    code: int
    stdout: str
    stderr: str


class User:
    """Has a namespace of its own that goes with it."""

    def __init__(self, lab: RunningLab) -> None:
        self.lab = lab
        self.namespace = f"test-{secrets.token_hex(4)}"
        self._api = self._new_client()
        self.core = client.CoreV1Api(self._api)
        self.apps = client.AppsV1Api(self._api)
        self.networking = client.NetworkingV1Api(self._api)
        self.discovery = client.DiscoveryV1Api(self._api)
        self.custom = client.CustomObjectsApi(self._api)

    def __enter__(self) -> "User":
        self.core.create_namespace({"metadata": {"name": self.namespace}})
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.core.delete_namespace(self.namespace)
        self.eventually(lambda: self.namespace not in self.namespaces(), "the namespace is gone")
        _close(self._api)

    def _new_client(self) -> Any:
        return config.new_client_from_config(str(self.lab.kubeconfig))

    # -- reading ---------------------------------------------------------------------------

    def namespaces(self) -> list[str]:
        """Names of all namespaces."""
        return [item.metadata.name for item in self.core.list_namespace().items]

    def nodes(self) -> list[str]:
        """Names of all nodes, sorted."""
        return sorted(item.metadata.name for item in self.core.list_node().items)

    def node_ip(self, node: str) -> str:
        """The internal address of a node."""
        return str(self.core.read_node(node).status.addresses[0].address)

    def pod(self, name: str) -> Any:
        """A pod."""
        return self.core.read_namespaced_pod(name, self.namespace)

    def pod_ip(self, name: str) -> str:
        """The address of a pod."""
        return str(self.pod(name).status.pod_ip)

    def reasons(self, name: str) -> set[str]:
        """The reasons of an object's events."""
        events = self.core.list_namespaced_event(
            self.namespace, field_selector=f"involvedObject.name={name}"
        )
        return {item.reason for item in events.items}

    def log(self, pod: str, **options: Any) -> str:
        """A pod's log."""
        return str(self.core.read_namespaced_pod_log(pod, self.namespace, **options))

    # -- doing -----------------------------------------------------------------------------

    def create_pod(
        self,
        name: str,
        *,
        command: Sequence[str] = ("sleep", "infinity"),
        node: str = "",
        labels: Mapping[str, str] | None = None,
        container: Mapping[str, Any] | None = None,
        **spec: Any,
    ) -> None:
        """Create a pod with one container."""
        if node:
            spec["nodeSelector"] = {"kubernetes.io/hostname": node}
        main = {"name": "main", "image": IMAGE, "command": list(command), **(container or {})}
        self.core.create_namespaced_pod(
            self.namespace,
            {
                "metadata": {"name": name, "labels": dict(labels or {"app": name})},
                "spec": {"containers": [main], **spec},
            },
        )

    def create_reflector(self, name: str, **options: Any) -> None:
        """Create a pod that answers on 8080 with its client's address; Ready when it listens."""
        probe = {"tcpSocket": {"port": 8080}, "periodSeconds": 1}
        command = ["python3", "-c", REFLECT]
        self.create_pod(name, command=command, container={"readinessProbe": probe}, **options)

    def create_service(
        self, name: str, *, kind: str = "ClusterIP", selector: str = "", **spec: Any
    ) -> Any:
        """Create a Service from port 80 to 8080 of the pods with label app=`selector`."""
        body = {
            "metadata": {"name": name},
            "spec": {
                "type": kind,
                "selector": {"app": selector or name},
                "ports": [{"port": 80, "targetPort": 8080}],
                **spec,
            },
        }
        return self.core.create_namespaced_service(self.namespace, body)

    def create_policy(self, name: str, spec: Mapping[str, Any]) -> None:
        """Create a NetworkPolicy."""
        self.networking.create_namespaced_network_policy(
            self.namespace, {"metadata": {"name": name}, "spec": dict(spec)}
        )

    def run(self, pod: str, *argv: str, container: str = "main", stdin: str = "") -> Ended:
        """Run a command in a pod of this namespace."""
        api = self._new_client()  # stream() changes its ApiClient for good
        session = stream(
            client.CoreV1Api(api).connect_get_namespaced_pod_exec,
            pod,
            self.namespace,
            command=list(argv),
            container=container,
            stdin=bool(stdin),
            stdout=True,
            stderr=True,
            tty=False,
            _preload_content=False,
        )
        if stdin:
            session.write_stdin(stdin)
        session.run_forever(timeout=PATIENCE_S)
        ended = Ended(session.returncode, session.read_stdout(), session.read_stderr())
        session.sock.shutdown()  # close() leaves a socket open whose server closed first
        _close(api)
        return ended

    def seen_by(self, pod: str, host: str, port: int = 8080, seconds: int = 3) -> str:
        """The address by which a reflector saw a pod; "" where it cannot be reached."""
        url = f"http://{host}:{port}/"
        return self.run(pod, "curl", "-s", "-m", str(seconds), url).stdout.strip()

    def at(self, place: str, *argv: str) -> Ended:
        """Run a command at a place of the lab that is no pod."""
        done = self.lab.tool("exec", place, "--", *argv)
        return Ended(done.returncode, done.stdout, done.stderr)

    def inject(self, fault: str) -> None:
        """Inject a fault into the lab."""
        done = self.lab.tool("fault", "inject", fault)
        assert done.returncode == 0, done.stderr

    def heal(self, fault: str) -> None:
        """Heal a fault of the lab."""
        done = self.lab.tool("fault", "heal", fault)
        assert done.returncode == 0, done.stderr

    def heal_all(self) -> None:
        """Heal whatever is injected."""
        for line in self.lab.tool("fault", "list").stdout.splitlines():
            if line.startswith("* "):
                for label in line.partition("(on ")[2].removesuffix(")").split(", "):
                    self.heal(label)

    # -- waiting ---------------------------------------------------------------------------

    def await_pod(self, name: str, condition: Callable[[Any], bool], what: str) -> Any:
        """Look at a pod until a condition of it holds; the pod as it is then."""
        seen: list[Any] = []

        def holds() -> bool:
            seen[:] = [self.pod(name)]
            return condition(seen[0])

        try:
            self.eventually(holds, f"{name} is {what}")
        except AssertionError as error:
            shown = json.dumps(seen[0].status.to_dict(), default=str) if seen else "never seen"
            raise AssertionError(f"{error}: {shown}") from None
        return seen[0]

    def ready(self, *names: str) -> None:
        """Wait until pods are Ready."""
        for name in names:
            self.await_pod(name, is_ready, "Ready")

    def eventually(self, condition: Callable[[], bool], what: str) -> None:
        """Ask again and again until it is so."""
        deadline = time.monotonic() + PATIENCE_S
        pause = 0.01
        while not condition():
            if time.monotonic() > deadline:
                raise AssertionError(f"not so in {PATIENCE_S:.0f} s: {what}")
            time.sleep(pause)
            pause = min(pause * 1.5, 0.3)


def is_ready(pod: Any) -> bool:
    """Whether a pod's Ready condition holds."""
    conditions = pod.status.conditions or []
    return any(item.type == "Ready" and item.status == "True" for item in conditions)


def _close(api: Any) -> None:
    """Close a client's connections too, which its own close() leaves to the garbage collector."""
    api.close()
    api.rest_client.pool_manager.clear()
