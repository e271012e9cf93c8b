"""The kubelet of every node, and what the API server asks of them: exec, attach, logs."""

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Mapping, Sequence

from pytest_aksnet.lab.api.journal import DELETED, Change
from pytest_aksnet.lab.api.objects import JsonObject
from pytest_aksnet.lab.api.resources import PODS
from pytest_aksnet.lab.contracts import ExecNotStarted, ExecSession, KubeletRefusal, Sandbox
from pytest_aksnet.lab.controllers.kubelet import processes
from pytest_aksnet.lab.controllers.kubelet.container import ContainerRunner
from pytest_aksnet.lab.controllers.kubelet.kubelet_node import KubeletNode
from pytest_aksnet.lab.controllers.kubelet.link import NodeLink
from pytest_aksnet.lab.controllers.kubelet.pod_context import PodContext
from pytest_aksnet.lab.controllers.kubelet.surroundings import Surroundings
from pytest_aksnet.lab.controllers.kubelet.worker import PodWorker
from pytest_aksnet.lab.controllers.loop import ControlLoop
from pytest_aksnet.lab.sockets import tcp_socket

_KUBELET_PORT = 10250
_FORCED_GRACE_SECONDS = 1.0
_NOT_FOUND, _NOT_EXECUTABLE = 127, 126
_WAITING_TEXTS = {
    "ErrImagePull": "image can't be pulled",
    "ImagePullBackOff": "trying and failing to pull image",
}


class Kubelets(ControlLoop):
    """All kubelets of the lab. `machines` are the nodes' sandboxes by node name."""

    watched = (PODS,)

    def __init__(self, around: Surroundings, machines: Mapping[str, Sandbox]) -> None:
        super().__init__(around.store)
        self._around = around
        self._nodes = {
            spec.name: KubeletNode(around, spec, machines[spec.name]) for spec in around.spec.nodes
        }
        self._workers: dict[str, PodWorker] = {}
        self._by_name: dict[tuple[str, str], PodWorker] = {}

    def handle(self, changes: Sequence[Change]) -> None:
        """Start workers for pods that came to a node, and tell the others what changed."""
        for change in changes:
            pod = change.value
            uid = pod["metadata"]["uid"]
            worker = self._workers.get(uid)
            node = self._nodes.get(pod["spec"].get("nodeName", ""))
            if node is None or not node.link.up:
                continue
            if worker is not None:
                if change.kind == DELETED:
                    worker.end(_FORCED_GRACE_SECONDS)
                else:
                    worker.update(pod)
            elif change.kind != DELETED:
                self._start(pod)

    def _start(self, pod: JsonObject) -> None:
        metadata = pod["metadata"]
        node = self._nodes[pod["spec"]["nodeName"]]
        key = (metadata["namespace"], metadata["name"])

        def gone() -> None:
            self._workers.pop(metadata["uid"], None)
            if self._by_name.get(key) is worker:
                del self._by_name[key]

        worker = PodWorker(node, pod, gone)
        self._workers[metadata["uid"]] = worker
        self._by_name[key] = worker
        if "deletionTimestamp" in metadata:
            worker.update(pod)

    def evict_one(self) -> None:
        """Evict one of the running pods that are not the cluster's own, if there are any."""
        found = [one for one in self._workers.values() if one.is_workload and one.is_running]
        if found:
            self._around.trouble.random.choice(found).evict()

    @property
    def links(self) -> Mapping[str, NodeLink]:
        """What connects each kubelet with the API server, by node name."""
        return {name: node.link for name, node in self._nodes.items()}

    def silence(self, name: str) -> None:
        """A node's kubelet hears nothing and is not heard any more; its pods run on."""
        node = self._nodes[name]
        node.link.cut()
        node.events.heard = False

    def restore(self, name: str) -> None:
        """A silent kubelet is heard again: it catches up, and says how its pods are."""
        node = self._nodes[name]
        if node.link.up:
            return
        node.link.restore()
        node.events.heard = True
        present = {}
        for revision in self.store.revisions(PODS):
            if revision.value["spec"].get("nodeName") == name:
                present[revision.value["metadata"]["uid"]] = revision.value
        for uid, worker in list(self._workers.items()):
            if worker.node_name == name and uid not in present:
                worker.end(_FORCED_GRACE_SECONDS)
        for uid, pod in present.items():
            known = self._workers.get(uid)
            if known is None:
                self._start(pod)
            else:
                known.update(pod)
                known.publish()

    # -- contracts.Kubelet -----------------------------------------------------------------

    def sandbox(self, namespace: str, pod: str) -> Sandbox:
        """The sandbox of a running pod. Raises KubeletRefusal."""
        return self._context(namespace, pod, "").sandbox

    async def exec(
        self,
        namespace: str,
        pod: str,
        container: str | None,
        argv: Sequence[str],
        *,
        stdin: bool,
        stdout: bool,
        stderr: bool,
        tty: bool,
    ) -> ExecSession:
        """Start a process in a running container. Raises KubeletRefusal or ExecNotStarted."""
        runner = self._runner(namespace, pod, container)
        context = self._context(namespace, pod, runner.spec["name"])
        if not runner.state.running or runner.process.group is None:
            raise _not_found(runner.spec["name"])
        try:
            return await processes.start(
                context.sandbox,
                argv,
                env=runner.process.env,
                cwd=runner.process.cwd,
                stdin=stdin,
                stdout=stdout,
                stderr=stderr,
                tty=tty,
                group=runner.process.group,
            )
        except OSError as error:
            code = _NOT_EXECUTABLE if isinstance(error, PermissionError) else _NOT_FOUND
            raise ExecNotStarted(code, processes.start_error_text(argv, error)) from error

    async def attach(self, namespace: str, pod: str, container: str | None) -> ExecSession:
        """The output of the container's main process from now on. Raises KubeletRefusal."""
        runner = self._runner(namespace, pod, container)
        session = await runner.process.attach()
        if session is None:
            raise _not_found(runner.spec["name"])
        return session

    async def connect(self, namespace: str, pod: str, port: int) -> socket.socket:
        """A TCP connection to a port of the pod's own loopback.

        Raises KubeletRefusal, or OSError where nothing listens there.
        """
        self._runner(namespace, pod, None, any_container=True)
        opened = tcp_socket(self.sandbox(namespace, pod).netns_fd)
        try:
            await asyncio.get_running_loop().sock_connect(opened, ("127.0.0.1", port))
        except BaseException:
            opened.close()
            raise
        return opened

    async def log(
        self,
        namespace: str,
        pod: str,
        container: str | None,
        *,
        follow: bool,
        previous: bool,
        timestamps: bool,
        tail_lines: int | None,
        since_seconds: int | None,
        limit_bytes: int | None,
    ) -> AsyncIterator[bytes]:
        """The container's log; ends at its end, or with the container where `follow`.

        Raises KubeletRefusal before the first chunk.
        """
        runner = self._runner(namespace, pod, container)
        log = runner.process.previous_log if previous else runner.process.log
        if log is None:
            raise KubeletRefusal(400, _no_log_text(runner, pod, previous=previous))
        left = limit_bytes
        async for chunk in log.read(
            follow=follow,
            timestamps=timestamps,
            tail_lines=tail_lines,
            since=None if since_seconds is None else time.time() - since_seconds,
        ):
            if left is None:
                yield chunk
                continue
            yield chunk[:left]
            left -= len(chunk)
            if left <= 0:
                return

    def _runner(
        self, namespace: str, pod: str, container: str | None, *, any_container: bool = False
    ) -> ContainerRunner:
        worker = self._by_name.get((namespace, pod))
        if worker is None:
            raise KubeletRefusal(400, f"pod {pod} does not have a host assigned")
        node = self._nodes[worker.node_name]
        if not node.link.up or not node.link.tunnel:
            why = "i/o timeout" if node.link.up else "connect: connection refused"
            where = f"dial tcp {node.spec.ip}:{_KUBELET_PORT}: {why}"
            raise KubeletRefusal(500, f"error dialing backend: {where}")
        if container is None:
            names = [runner.spec["name"] for runner in worker.containers.main]
            annotations = worker.pod["metadata"].get("annotations") or {}
            container = annotations.get("kubectl.kubernetes.io/default-container")
            if container is None and len(names) > 1 and not any_container:
                raise KubeletRefusal(
                    400,
                    f"a container name must be specified for pod {pod}, choose one of: "
                    f"[{' '.join(names)}]",
                )
            container = container or names[0]
        runner = worker.containers.find(container)
        if runner is None:
            raise KubeletRefusal(400, f"container {container} is not valid for pod {pod}")
        return runner

    def _context(self, namespace: str, pod: str, container: str) -> PodContext:
        worker = self._by_name.get((namespace, pod))
        if worker is None or worker.context is None:
            raise _not_found(container)
        return worker.context


def _not_found(container: str) -> KubeletRefusal:
    return KubeletRefusal(500, f'container not found ("{container}")')


def _no_log_text(runner: ContainerRunner, pod: str, *, previous: bool) -> str:
    name = runner.spec["name"]
    if previous:
        return f'previous terminated container "{name}" in pod "{pod}" not found'
    reason = (runner.state.state.get("waiting") or {}).get("reason", "ContainerCreating")
    why = _WAITING_TEXTS.get(reason, reason)
    return f'container "{name}" in pod "{pod}" is waiting to start: {why}'
