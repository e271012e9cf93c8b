"""What a new exec costs: ours against a bare WebSocket exec of the same command in the same pod.

Bare is the library `websockets` with its own connection and no envelope: the least that one needs.
Both take turns, so that a bad moment of the machine meets both. Then many execs at once.
Run: python -m benchmarks.exec_cost [ROUNDS]
"""

import asyncio
import ssl
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlencode

from websockets.asyncio.client import connect as connect_websocket
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from pytest_aksnet.cluster.connect import Cluster, connect
from pytest_aksnet.cluster.exec import StreamExecutor
from pytest_aksnet.model.execution import Completed
from pytest_aksnet.model.peers import PodRef
from tests.lab.running_lab import start_lab
from tests.lab.user import User, is_ready

AT_ONCE = 100
COMMAND = ["true"]
SUBPROTOCOL = Subprotocol("v5.channel.k8s.io")


class BareExec:
    """Execs without envelope, retries, proxy or error texts, on a loop of its own."""

    def __init__(self, cluster: Cluster, pod: PodRef, tls: ssl.SSLContext) -> None:
        self._loop = asyncio.new_event_loop()
        query = [("command", word) for word in COMMAND]
        query += [("container", pod.container)]
        query += [(name, "true") for name in ("stdin", "stdout", "stderr")]
        server = cluster.access.server.replace("https://", "wss://")
        path = f"/api/v1/namespaces/{pod.namespace}/pods/{pod.name}/exec"
        self._url = f"{server}{path}?{urlencode(query)}"
        self._headers = {"Authorization": cluster.access.credentials.authorization()}
        self._tls = tls

    def run(self) -> None:
        """One exec, to the end of its stream."""
        status = self._loop.run_until_complete(self._exec())
        assert b"Success" in status, status

    def run_many(self, count: int) -> None:
        """So many at once."""

        async def gather() -> None:
            await asyncio.gather(*(self._exec() for _ in range(count)))

        self._loop.run_until_complete(gather())

    def close(self) -> None:
        """End the loop."""
        self._loop.close()

    async def _exec(self) -> bytes:
        last = b""
        async with connect_websocket(
            self._url,
            ssl=self._tls,
            additional_headers=self._headers,
            subprotocols=[SUBPROTOCOL],
            compression=None,
            max_size=None,
            ping_interval=None,
            open_timeout=60,
            proxy=None,
        ) as socket:
            try:
                while True:
                    last = await socket.recv(decode=False)
            except ConnectionClosed:
                return last


def seconds_of(action: Callable[[], object]) -> float:
    started = time.perf_counter()
    action()
    return time.perf_counter() - started


def our_exec(executor: StreamExecutor, pod: PodRef) -> None:
    done = executor.run(pod, COMMAND, timeout_s=60)
    assert isinstance(done, Completed), done
    assert done.attempts == 1


def our_many(executor: StreamExecutor, pod: PodRef, count: int) -> None:
    with ThreadPoolExecutor(count) as pool:
        list(pool.map(lambda _: our_exec(executor, pod), range(count)))


def show(what: str, values: Sequence[float], reference: float) -> None:
    median = statistics.median(values)
    slow = sorted(values)[int(len(values) * 0.95)]
    print(
        f"{what:36} median {median * 1000:8.2f} ms   95 % {slow * 1000:8.2f} ms   "
        f"{median / reference:5.2f} x bare"
    )


def measure(cluster: Cluster, pod: PodRef, rounds: int) -> None:
    executor = StreamExecutor(cluster)
    trust = cluster.access.configuration
    tls = ssl.create_default_context(cafile=trust.ssl_ca_cert, cadata=trust.ca_cert_data)
    bare = BareExec(cluster, pod, tls)
    bares: list[float] = []
    ours: list[float] = []
    for number in range(rounds + 3):
        pair = (seconds_of(bare.run), seconds_of(lambda: our_exec(executor, pod)))
        if number >= 3:  # the first ones load modules and files
            bares.append(pair[0])
            ours.append(pair[1])
    reference = statistics.median(bares)
    show("bare WebSocket exec", bares, reference)
    show("exec", ours, reference)
    many_bare = [seconds_of(lambda: bare.run_many(AT_ONCE)) for _ in range(3)]
    many_ours = [seconds_of(lambda: our_many(executor, pod, AT_ONCE)) for _ in range(3)]
    show(f"{AT_ONCE} bare execs at once", many_bare, statistics.median(many_bare))
    show(f"{AT_ONCE} execs at once, {AT_ONCE} threads", many_ours, statistics.median(many_bare))
    print(f"tries that were repeated: {executor.retries.counts() or 'none'}")
    bare.close()


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    lab = start_lab()
    try:
        with User(lab) as user:
            user.create_pod("pod")
            while not is_ready(user.pod("pod")):
                time.sleep(0.01)
            pod = PodRef(
                namespace=user.namespace,
                name="pod",
                container="main",
                node="",
                ip=user.pod_ip("pod"),
            )
            cluster = connect(str(lab.kubeconfig), None)
            measure(cluster, pod, rounds)
            cluster.close()
    finally:
        lab.end()


if __name__ == "__main__":
    main()
