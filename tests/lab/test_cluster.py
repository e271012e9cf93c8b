"""The cluster layer against a whole cluster: the lab, and with AKSNET_LIVE_KUBECONFIG a live one.

What holds in both is asserted in both, so that the lab stays a stand-in for the real thing.
"""

import dataclasses
import os
import shlex
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from pytest_aksnet.cluster.connect import Cluster, connect
from pytest_aksnet.cluster.exec import StreamExecutor
from pytest_aksnet.cluster.facts import read_profile
from pytest_aksnet.cluster.nodes import Nodes, read_nodes
from pytest_aksnet.cluster.objects import (
    ServiceRequest,
    await_endpoints,
    create_network_policy,
    create_service,
    delete_network_policy,
    delete_service,
)
from pytest_aksnet.cluster.pods import delete_pods
from pytest_aksnet.cluster.probe_pod_manifest import ProbePodRequest, Readiness
from pytest_aksnet.cluster.probe_pods import start_pods
from pytest_aksnet.cluster.scope import RunScope
from pytest_aksnet.cluster.view import LiveView
from pytest_aksnet.model.errors import EnvironmentProblem
from pytest_aksnet.model.execution import Completed, NotCompleted, Reason
from pytest_aksnet.model.peers import PodRef

IMAGE = os.environ.get("AKSNET_LIVE_IMAGE", "nicolaka/netshoot:v0.13")
LISTEN = (
    "import http.server,sys;"
    "http.server.ThreadingHTTPServer(('',int(sys.argv[1])),"
    "http.server.SimpleHTTPRequestHandler).serve_forever()"
)


def listen(port: int) -> list[str]:
    """The argv of a main process that listens on a TCP port."""
    return ["python3", "-c", LISTEN, str(port)]


def sleep(port: int) -> list[str]:
    """The argv of a main process that only lives."""
    return ["sleep", "infinity"]


@pytest.fixture(scope="module", params=["lab", pytest.param("live", marks=pytest.mark.live)])
def cluster(request: pytest.FixtureRequest) -> Iterator[Cluster]:
    if request.param == "lab":
        kubeconfig = str(request.getfixturevalue("lab").kubeconfig)
    else:
        kubeconfig = os.environ.get("AKSNET_LIVE_KUBECONFIG", "")
        if not kubeconfig:
            pytest.skip("AKSNET_LIVE_KUBECONFIG names no cluster")
    connected = connect(kubeconfig, None)
    yield connected
    connected.close()


@pytest.fixture(scope="module")
def scope(cluster: Cluster) -> Iterator[RunScope]:
    run = RunScope(cluster, host_network=True)
    yield run
    closed = run.close()
    assert not closed.left
    assert closed.removed


@pytest.fixture(scope="module")
def nodes(cluster: Cluster) -> Nodes:
    return read_nodes(cluster)


@pytest.fixture(scope="module")
def wanted(scope: RunScope, nodes: Nodes) -> ProbePodRequest:
    """A pod on the first node; tests replace what they need otherwise."""
    return ProbePodRequest(
        namespace=scope.namespace(),
        name="pod",
        node=nodes.taking_part[0].name,
        image=IMAGE,
        command=listen,
        port=8080,
        labels=scope.labels(),
        annotations=scope.annotations(),
    )


@pytest.fixture(scope="module")
def pod(cluster: Cluster, scope: RunScope, wanted: ProbePodRequest) -> PodRef:
    return start_pods(cluster, [dataclasses.replace(wanted, name=scope.unique_name("shared"))])[0]


@pytest.fixture(scope="module")
def executor(cluster: Cluster) -> StreamExecutor:
    return StreamExecutor(cluster)


def completed(executor: StreamExecutor, pod: PodRef, *argv: str) -> Completed:
    done = executor.run(pod, argv, timeout_s=30)
    assert isinstance(done, Completed), done
    return done


def test_nodes_are_sorted_with_addresses(nodes: Nodes) -> None:
    names = [node.name for node in nodes.taking_part]
    assert names == sorted(names)
    assert len(names) >= 2
    assert all(node.ip for node in nodes.taking_part)


def test_pods_on_every_node_start_together(
    cluster: Cluster, scope: RunScope, nodes: Nodes, wanted: ProbePodRequest
) -> None:
    requests = [
        dataclasses.replace(wanted, name=scope.unique_name("each"), node=node.name)
        for node in nodes.taking_part
    ]
    pods = start_pods(cluster, requests)
    assert [pod.node for pod in pods] == [node.name for node in nodes.taking_part]
    assert len({pod.ip for pod in pods}) == len(pods)
    delete_pods(cluster, pods)


@pytest.mark.parametrize(
    ("argv", "code", "stdout"),
    [
        (("printf", "no break"), 0, "no break"),
        (("sh", "-c", 'echo "$1"; exit 3', "x", "a 'b' $(c) €"), 3, "a 'b' $(c) €\n"),
        (("no-such-tool",), 127, ""),
        (("/etc/passwd",), 126, ""),
        (("sh", "-c", "kill -9 $$"), 137, ""),
    ],
)
def test_a_command_keeps_its_output_and_exit_code(
    executor: StreamExecutor, pod: PodRef, argv: tuple[str, ...], code: int, stdout: str
) -> None:
    done = completed(executor, pod, *argv)
    assert (done.exit_code, done.stdout) == (code, stdout)


def test_two_megabytes_arrive_whole(executor: StreamExecutor, pod: PodRef) -> None:
    done = completed(executor, pod, "sh", "-c", "head -c 2000000 /dev/zero | tr '\\0' x")
    assert len(done.stdout) == 2_000_000


def test_the_streams_are_kept_apart(executor: StreamExecutor, pod: PodRef) -> None:
    done = completed(executor, pod, "sh", "-c", "echo out; echo err >&2")
    assert (done.stdout, done.stderr) == ("out\n", "err\n")


def test_the_pod_knows_its_names_and_has_no_secrets(executor: StreamExecutor, pod: PodRef) -> None:
    script = 'echo "$POD_NAME $POD_IP $NODE_NAME"; ls /var/run/secrets 2>/dev/null; exit 0'
    done = completed(executor, pod, "sh", "-c", script)
    assert done.stdout == f"{pod.name} {pod.ip} {pod.node}\n"


@pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not installed")
def test_kubectl_repeats_a_command_by_hand(executor: StreamExecutor, pod: PodRef) -> None:
    line = executor.command_line(pod, ["sh", "-c", 'echo "$1"; exit 3', "x", "a 'b' $(c)"])
    repeated = subprocess.run(
        shlex.split(line), capture_output=True, text=True, timeout=30, check=False
    )
    assert (repeated.returncode, repeated.stdout) == (3, "a 'b' $(c)\n")


def test_sixteen_threads_share_one_executor(executor: StreamExecutor, pod: PodRef) -> None:
    with ThreadPoolExecutor(16) as pool:
        done = list(pool.map(lambda n: completed(executor, pod, "echo", str(n)), range(32)))
    assert [one.stdout for one in done] == [f"{n}\n" for n in range(32)]


def test_the_deadline_ends_the_command_in_the_pod(executor: StreamExecutor, pod: PodRef) -> None:
    # The number is the command's mark: pgrep -f finds it, and nobody else sleeps that long.
    done = executor.run(pod, ["sleep", "98765"], timeout_s=1)
    assert isinstance(done, NotCompleted)
    assert done.reason is Reason.DEADLINE
    deadline = time.monotonic() + 10
    # One bracket keeps pgrep from finding itself and the shell around it.
    while completed(executor, pod, "pgrep", "-f", "sleep 9876[5]").exit_code == 0:
        assert time.monotonic() < deadline, "the command still runs"


def test_commands_leave_no_processes_behind(executor: StreamExecutor, pod: PodRef) -> None:
    count = "ls -d /proc/[0-9]* | wc -l"
    before = int(completed(executor, pod, "sh", "-c", count).stdout)
    for _ in range(5):
        completed(executor, pod, "true")
    deadline = time.monotonic() + 10
    # A command is done when its output and status are known; its processes end a moment later.
    while (now := int(completed(executor, pod, "sh", "-c", count).stdout)) > before:
        assert time.monotonic() < deadline, f"{now} processes instead of {before}"


def test_a_pod_that_is_deleted_meanwhile_is_gone(
    cluster: Cluster, scope: RunScope, executor: StreamExecutor, wanted: ProbePodRequest
) -> None:
    [victim] = start_pods(cluster, [dataclasses.replace(wanted, name=scope.unique_name("victim"))])
    timer = threading.Timer(0.5, delete_pods, (cluster, [victim]))
    timer.start()
    done = executor.run(victim, ["sleep", "60"], timeout_s=30)
    timer.join()
    assert isinstance(done, NotCompleted)
    assert done.reason is Reason.POD_GONE, done
    deadline = time.monotonic() + 30
    while True:  # until the pod object is gone, a try meets its end in other words
        later = executor.run(victim, ["true"], timeout_s=5)
        assert isinstance(later, NotCompleted)
        if "not found" in later.detail:
            break
        assert time.monotonic() < deadline, later
    assert later.reason is Reason.POD_GONE


def test_a_container_that_does_not_exist_is_refused(executor: StreamExecutor, pod: PodRef) -> None:
    done = executor.run(dataclasses.replace(pod, container="nope"), ["true"], timeout_s=10)
    assert isinstance(done, NotCompleted)
    assert done.reason is Reason.REFUSED
    assert "nope" in done.detail


def test_an_image_that_cannot_be_pulled_fails_with_the_kubelets_words(
    cluster: Cluster, scope: RunScope, wanted: ProbePodRequest
) -> None:
    image = "registry.invalid/no/such:1"
    request = dataclasses.replace(wanted, name=scope.unique_name("pull"), image=image)
    with pytest.raises(EnvironmentProblem) as error:
        start_pods(cluster, [request])
    assert "ImagePull" in str(error.value)
    assert image in str(error.value)


def test_a_main_process_that_ends_is_named_with_its_exit_code(
    cluster: Cluster, scope: RunScope, wanted: ProbePodRequest
) -> None:
    request = dataclasses.replace(
        wanted,
        name=scope.unique_name("ends"),
        command=lambda port: ["sh", "-c", "echo boom >&2; exit 4"],
    )
    with pytest.raises(EnvironmentProblem, match="exit code 4"):
        start_pods(cluster, [request])


def test_a_host_network_pod_takes_another_port_where_its_own_is_taken(
    cluster: Cluster, scope: RunScope, wanted: ProbePodRequest
) -> None:
    first = dataclasses.replace(
        wanted, name=scope.unique_name("host"), host_network=True, port=28080
    )
    second = dataclasses.replace(first, name=scope.unique_name("host"), host_port_choices=(28081,))
    [holder] = start_pods(cluster, [first])
    [other] = start_pods(cluster, [second])
    assert (holder.port, other.port) == (28080, 28081)
    assert holder.ip == other.ip
    delete_pods(cluster, [holder, other])


def test_a_baseline_namespace_admits_no_host_network(
    cluster: Cluster, scope: RunScope, wanted: ProbePodRequest
) -> None:
    namespace = scope.new_namespace({"team": "x"})
    with pytest.raises(EnvironmentProblem, match='violates PodSecurity "baseline'):
        start_pods(
            cluster,
            [dataclasses.replace(wanted, namespace=namespace, name="host", host_network=True)],
        )
    scope.delete_namespace(namespace)


def test_a_service_has_the_ready_pod_and_not_the_other(
    cluster: Cluster, scope: RunScope, wanted: ProbePodRequest
) -> None:
    labels = {**scope.labels(), "app": scope.unique_name("app")}
    ready = dataclasses.replace(wanted, name=scope.unique_name("in"), labels=labels)
    unready = dataclasses.replace(
        ready, name=scope.unique_name("out"), readiness=Readiness.NEVER, command=sleep
    )
    pods = start_pods(cluster, [ready, unready])
    request = ServiceRequest(
        namespace=scope.namespace(),
        name=scope.unique_name("svc"),
        selector={"app": labels["app"]},
        target_port=8080,
        labels=scope.labels(),
    )
    service = create_service(cluster, request, cluster_domain="cluster.local")
    assert service.cluster_ip
    [endpoint] = await_endpoints(cluster, service, [pods[0].ip])
    assert (endpoint.pod, endpoint.port) == (pods[0].name, 8080)
    assert LiveView(cluster).endpoints(service) == (endpoint,)
    delete_service(cluster, service)
    delete_service(cluster, service)
    delete_pods(cluster, pods)


def test_a_policy_is_validated_strictly(cluster: Cluster, scope: RunScope) -> None:
    def create(name: str, spec: dict[str, object]) -> None:
        create_network_policy(
            cluster,
            namespace=scope.namespace(),
            name=name,
            spec=spec,
            labels=scope.labels(),
            annotations=scope.annotations(),
        )

    create("none", {"podSelector": {"matchLabels": {"app": "nobody"}}})
    delete_network_policy(cluster, scope.namespace(), "none")
    with pytest.raises(EnvironmentProblem, match="podSelektor"):
        create("typo", {"podSelector": {}, "podSelektor": {}})
    block = {"cidr": "10.1.2.3/8"}
    with pytest.raises(EnvironmentProblem, match=r"10\.1\.2\.3/8"):
        create("host-bits", {"podSelector": {}, "egress": [{"to": [{"ipBlock": block}]}]})


def test_the_profile_tells_what_every_cluster_shows(cluster: Cluster) -> None:
    profile = read_profile(cluster, {"egress-ips": "198.51.100.1"})
    assert profile.need("egress-ips") == "198.51.100.1"
    assert profile.need("cloud") in ("azure", "other")
    assert profile.need("kubernetes-version").startswith("v1.")
    assert LiveView(cluster).coredns_ips()
