"""An API server for tests: real TLS socket, local processes instead of containers.

The kubelet here runs local programs and keeps one process per pod; a small controller marks pods
as running, ends deleted ones and finalizes namespaces.
"""

import asyncio
import contextlib
import dataclasses
import os
import signal
import socket
import subprocess
import threading
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path

import yaml
from aiohttp import web

from pytest_aksnet.lab.api.errors import ApiError
from pytest_aksnet.lab.api.objects import JsonObject, timestamp
from pytest_aksnet.lab.api.resources import NAMESPACES, NODES, PODS, RESOURCES
from pytest_aksnet.lab.api.server import create_app
from pytest_aksnet.lab.api.store import Store
from pytest_aksnet.lab.contracts import ExecNotStarted, ExecSession, KubeletRefusal
from pytest_aksnet.lab.controllers.disruption import DisruptionController
from pytest_aksnet.lab.controllers.resource_quotas import ResourceQuotaController
from pytest_aksnet.lab.layout import default_spec
from pytest_aksnet.lab.spec import LabSpec
from pytest_aksnet.lab.tls import Authority
from tests.lab import recordings

TOKEN = "secret-token"
RECORDINGS = recordings.FOLDER


class LocalProcess:
    """A local process as contracts.Process."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.pid = process.pid

    async def wait(self) -> int:
        code = await self._process.wait()
        return code if code >= 0 else 128 - code

    def signal(self, signum: int) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signum)


class LocalKubelet:
    """contracts.Kubelet over local processes.

    `lines` is the log of every container, `attached` the program that an attach shows.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self.processes: dict[tuple[str, str], list[LocalProcess]] = {}
        self.attached: Sequence[str] = ("sh", "-c", "echo attached; exec sleep 0.2")
        self.lines: list[bytes] = [b"line 1\n", b"line 2\n", b"line 3\n"]

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
        phase = self._store.get(PODS, pod, namespace).get("status", {}).get("phase")
        if phase != "Running":
            raise KubeletRefusal(500, f'container not found ("{container}")')
        if tty:
            ours, theirs = os.openpty()
            pairs = dict.fromkeys(("stdin", "stdout"), (ours, theirs))
        else:
            pairs = {}
            for name, wanted in (("stdin", stdin), ("stdout", stdout), ("stderr", stderr)):
                if wanted:
                    read, write = os.pipe()
                    pairs[name] = (write, read) if name == "stdin" else (read, write)
        theirs_of = {name: pair[1] for name, pair in pairs.items()}
        try:
            process = await asyncio.create_subprocess_exec(
                *argv,
                stdin=theirs_of.get("stdin", subprocess.DEVNULL),
                stdout=theirs_of.get("stdout", subprocess.DEVNULL),
                stderr=theirs_of.get("stderr", theirs_of.get("stdout", subprocess.DEVNULL)),
                start_new_session=True,
            )
        except OSError as error:
            for descriptor in {pair[0] for pair in pairs.values()}:
                os.close(descriptor)
            code = 126 if isinstance(error, PermissionError) else 127
            text = (
                f'unable to start container process: exec: "{argv[0]}": permission denied'
                if code == 126
                else f'unable to start container process: exec: "{argv[0]}": stat {argv[0]}: '
                "no such file or directory"
            )
            raise ExecNotStarted(code, text) from error
        finally:
            for descriptor in {pair[1] for pair in pairs.values()}:
                os.close(descriptor)
        local = LocalProcess(process)
        self.processes.setdefault((namespace, pod), []).append(local)
        ours_of = {name: pair[0] for name, pair in pairs.items()}
        return ExecSession(
            process=local,
            stdin_fd=ours_of.get("stdin", -1),
            stdout_fd=ours_of.get("stdout", -1),
            stderr_fd=ours_of.get("stderr", -1),
        )

    async def attach(self, namespace: str, pod: str, container: str | None) -> ExecSession:
        return await self.exec(
            namespace,
            pod,
            container,
            self.attached,
            stdin=False,
            stdout=True,
            stderr=True,
            tty=False,
        )

    async def connect(self, namespace: str, pod: str, port: int) -> socket.socket:
        opened = socket.socket()
        opened.setblocking(False)
        await asyncio.get_running_loop().sock_connect(opened, ("127.0.0.1", port))
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
        if previous:
            text = f'previous terminated container "{container}" in pod "{pod}" not found'
            raise KubeletRefusal(400, text)
        lines = self.lines if tail_lines is None else self.lines[-tail_lines:]
        if limit_bytes is not None:
            yield b"".join(lines)[:limit_bytes]
            return
        for line in lines:
            yield line
            await asyncio.sleep(0)

    def kill(self, namespace: str, pod: str) -> None:
        for process in self.processes.pop((namespace, pod), []):
            process.signal(signal.SIGKILL)

    async def end(self) -> None:
        """Kill all processes and take their exit statuses."""
        processes = [process for found in self.processes.values() for process in found]
        for place in tuple(self.processes):
            self.kill(*place)
        for process in processes:
            await process.wait()


async def control(store: Store, kubelet: LocalKubelet) -> None:
    """Bind and run pods at once; end what is deleted."""
    async for change in store.subscribe(PODS, NAMESPACES):
        metadata = change.value["metadata"]
        with contextlib.suppress(ApiError):
            if change.resource is NAMESPACES:
                if "deletionTimestamp" in metadata and change.kind != "DELETED":
                    finalize(store, kubelet, metadata["name"])
            elif change.kind == "DELETED":
                kubelet.kill(metadata["namespace"], metadata["name"])
            elif "deletionTimestamp" in metadata:
                kubelet.kill(metadata["namespace"], metadata["name"])
                store.delete(PODS, metadata["name"], metadata["namespace"], grace_seconds=0)
            elif change.kind == "ADDED" and not change.value["spec"].get("nodeSelector"):
                run(store, metadata["name"], metadata["namespace"])


def run(store: Store, name: str, namespace: str) -> None:
    if not store.get(PODS, name, namespace)["spec"].get("nodeName"):
        store.bind(name, namespace, "node-0")

    def started(pod: JsonObject) -> None:
        pod["status"] |= {
            "phase": "Running",
            "podIP": "10.244.0.9",
            "podIPs": [{"ip": "10.244.0.9"}],
            "hostIP": "10.224.0.4",
            "startTime": timestamp(),
            "containerStatuses": [
                {
                    "name": container["name"],
                    "state": {"running": {"startedAt": timestamp()}},
                    "lastState": {},
                    "ready": True,
                    "restartCount": 0,
                    "image": container["image"],
                    "imageID": "sha256:0",
                    "started": True,
                }
                for container in pod["spec"]["containers"]
            ],
        }
        ready = {"status": "True", "lastTransitionTime": timestamp()}
        pod["status"]["conditions"] += [
            {"type": kind, **ready} for kind in ("Initialized", "Ready", "ContainersReady")
        ]

    store.mutate(PODS, name, namespace, change=started, subresource="status")


def finalize(store: Store, kubelet: LocalKubelet, name: str) -> None:
    for resource in RESOURCES:
        if resource.namespaced:
            for value in store.list(resource, name):
                kubelet.kill(name, value["metadata"]["name"])
                store.delete(resource, value["metadata"]["name"], name, grace_seconds=0)
    namespace = store.get(NAMESPACES, name)
    namespace["spec"] = {"finalizers": []}
    store.update(NAMESPACES, namespace, subresource="finalize")


@dataclasses.dataclass(kw_only=True)
class ApiServer:
    """A running server: its address, its files, its store (use it from `call` only)."""

    url: str
    port: int
    kubeconfig: Path
    ca_file: Path
    store: Store
    kubelet: LocalKubelet
    loop: asyncio.AbstractEventLoop
    spec: LabSpec


def seed(store: Store) -> None:
    for name in ("default", "kube-system"):
        store.create(NAMESPACES, {"metadata": {"name": name}})
    info = {
        "architecture": "amd64",
        "bootID": "b",
        "containerRuntimeVersion": "containerd://2.2.7",
        "kernelVersion": "6.8",
        "kubeProxyVersion": "",
        "kubeletVersion": "v1.34.2",
        "machineID": "m",
        "operatingSystem": "linux",
        "osImage": "Ubuntu 24.04",
        "systemUUID": "s",
    }
    store.create(
        NODES,
        {
            "metadata": {"name": "node-0", "labels": {"kubernetes.io/role": "agent"}},
            "spec": {"podCIDR": "10.244.0.0/24"},
            "status": {
                "addresses": [{"type": "InternalIP", "address": "10.224.0.4"}],
                "conditions": [
                    {
                        "type": "Ready",
                        "status": "True",
                        "reason": "KubeletReady",
                        "message": "",
                        "lastHeartbeatTime": timestamp(),
                        "lastTransitionTime": timestamp(),
                    }
                ],
                "nodeInfo": info,
            },
        },
    )


def start(folder: Path) -> Iterator[ApiServer]:
    """Serve until the generator is closed."""
    spec = default_spec("overlay", "none")
    store = Store(spec)
    seed(store)
    kubelet = LocalKubelet(store)
    authority = Authority()
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    loop = asyncio.new_event_loop()
    ready = threading.Event()
    stop = asyncio.Event()

    async def serve() -> None:
        runner = web.AppRunner(
            create_app(store, kubelet, token=TOKEN, spec=spec),
            access_log=None,
            shutdown_timeout=1,
        )
        await runner.setup()
        context = authority.server_context(["localhost"], ["127.0.0.1"])
        await web.SockSite(runner, listener, ssl_context=context).start()
        controllers = [
            asyncio.create_task(control(store, kubelet)),
            asyncio.create_task(ResourceQuotaController(store).run()),
            asyncio.create_task(DisruptionController(store).run()),
        ]
        ready.set()
        await stop.wait()
        for controller in controllers:
            controller.cancel()
        await kubelet.end()
        await runner.cleanup()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    assert ready.wait(10)
    ca_file, kubeconfig = folder / "ca.crt", folder / "kubeconfig"
    ca_file.write_bytes(authority.certificate_pem)
    url = f"https://127.0.0.1:{port}"
    kubeconfig.write_text(
        yaml.safe_dump(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "clusters": [
                    {
                        "name": "lab",
                        "cluster": {"server": url, "certificate-authority": str(ca_file)},
                    }
                ],
                "users": [{"name": "lab", "user": {"token": TOKEN}}],
                "contexts": [{"name": "lab", "context": {"cluster": "lab", "user": "lab"}}],
                "current-context": "lab",
            }
        )
    )
    try:
        yield ApiServer(
            url=url,
            port=port,
            kubeconfig=kubeconfig,
            ca_file=ca_file,
            store=store,
            kubelet=kubelet,
            loop=loop,
            spec=spec,
        )
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(10)
        loop.close()
