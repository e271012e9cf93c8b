"""How probe pods are made, awaited and given up."""

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from pytest_aksnet.cluster import pod_start
from pytest_aksnet.cluster.connect import Cluster
from pytest_aksnet.cluster.pod_progress import progress
from pytest_aksnet.cluster.pods import delete_pods, list_pods
from pytest_aksnet.cluster.probe_pod_manifest import (
    ProbePodRequest,
    Readiness,
    pod_manifest,
)
from pytest_aksnet.cluster.probe_pods import start_each, start_pods
from pytest_aksnet.model.errors import (
    AksnetError,
    EnvironmentProblem,
    ImageRefused,
    ToolMissing,
)
from pytest_aksnet.model.peers import PodRef
from tests.unit.cluster.scripted_api import Json, Request, ScriptedApi, status

PODS = "/api/v1/namespaces/ns/pods"


def request(name: str = "a", **more: Any) -> ProbePodRequest:
    defaults: dict[str, Any] = {
        "namespace": "ns",
        "node": "node-1",
        "image": "netshoot:v1",
        "command": lambda port: ["serve", str(port)],
        "port": 8080,
    }
    return ProbePodRequest(name=name, **{**defaults, **more})


READY = {
    "phase": "Running",
    "podIP": "10.244.0.9",
    "conditions": [{"type": "PodScheduled", "status": "True"}, {"type": "Ready", "status": "True"}],
    "containerStatuses": [{"name": "probe", "state": {"running": {}}}],
}


class Pods:
    """The pods of one namespace on a scripted server: each gets the states it is told, in turn.

    Every list shows a pod's next state; watches are silent and short.
    """

    def __init__(self, api: ScriptedApi, states: dict[str, list[Json]]) -> None:
        self.states = states
        self.created: dict[str, Json] = {}
        self.deleted: list[str] = []
        self._api = api
        self._lock = threading.Lock()
        api.routes["POST", PODS] = self._create
        api.routes["GET", PODS] = self._list
        api.watches[PODS] = lambda request: iter(())

    def _create(self, request: Request) -> tuple[int, Json]:
        name = request.body["metadata"]["name"]
        metadata = {**request.body["metadata"], "uid": f"uid-{name}"}
        with self._lock:
            self.created[name] = {**request.body, "metadata": metadata}
        self._api.routes["DELETE", f"{PODS}/{name}"] = lambda request: self._delete(name)
        return 201, self.created[name]

    def _delete(self, name: str) -> tuple[int, Json]:
        with self._lock:
            self.deleted.append(name)
            self.created.pop(name, None)
        return 200, {}

    def _list(self, request: Request) -> tuple[int, Json]:
        with self._lock:
            items = []
            for name, pod in self.created.items():
                left = self.states.get(name, [READY])
                items.append({**pod, "status": left.pop(0) if len(left) > 1 else left[0]})
        return 200, {"metadata": {"resourceVersion": "5"}, "items": items}


def test_pods_are_started_together_and_come_back_in_order(
    api: ScriptedApi, cluster: Cluster
) -> None:
    pods = Pods(api, {"a": [{}, READY]})
    refs = start_pods(cluster, [request("b"), request("a", labels={"app": "x"})])
    assert [ref.name for ref in refs] == ["b", "a"]
    ref = refs[1]
    assert (ref.namespace, ref.ip, ref.uid, ref.port) == ("ns", "10.244.0.9", "uid-a", 8080)
    assert (ref.container, ref.host_network, ref.labels) == ("probe", False, {"app": "x"})
    assert not pods.deleted


def test_events_of_the_watch_make_a_pod_ready(api: ScriptedApi, cluster: Cluster) -> None:
    pods = Pods(api, {"a": [{}]})

    def events(request: Request) -> Iterator[Json]:
        assert request.query["resourceVersion"] == "5"
        yield {"type": "MODIFIED", "object": {**pods.created["a"], "status": READY}}

    api.watches[PODS] = events
    [ref] = start_pods(cluster, [request("a")])
    assert ref.ip == "10.244.0.9"


def test_a_watch_that_is_too_old_is_followed_by_a_new_list(
    api: ScriptedApi, cluster: Cluster
) -> None:
    Pods(api, {"a": [{}, READY]})
    gone = {"type": "ERROR", "object": {"kind": "Status", "code": 410}}
    api.watches[PODS] = lambda request: iter([gone])
    start_pods(cluster, [request("a")])


def waiting(reason: str, said: str) -> Json:
    state = {"waiting": {"reason": reason, "message": said}}
    return {"phase": "Pending", "containerStatuses": [{"name": "probe", "state": state}]}


@pytest.mark.parametrize(
    ("state", "words"),
    [
        (waiting("InvalidImageName", "bad"), "InvalidImageName"),
        (
            {"phase": "Failed", "reason": "Evicted", "message": "The node was low on memory"},
            "Evicted: The node was low on memory",
        ),
        (
            {
                "phase": "Failed",
                "containerStatuses": [
                    {"name": "probe", "state": {"terminated": {"exitCode": 2, "message": "boom"}}}
                ],
            },
            "ended with exit code 2: boom",
        ),
    ],
)
def test_what_cannot_get_better_fails_at_once_and_leaves_nothing(
    api: ScriptedApi, cluster: Cluster, state: Json, words: str
) -> None:
    pods = Pods(api, {"a": [{}, state]})
    with pytest.raises(EnvironmentProblem) as error:
        start_pods(cluster, [request("a"), request("b")])
    text = str(error.value)
    assert words in text
    assert "ns/a" in text
    assert "node-1" in text
    assert "\n" not in text
    assert sorted(pods.deleted) == ["a", "b"]


def test_an_image_that_cannot_be_pulled_is_tried_by_two_pods(
    api: ScriptedApi, cluster: Cluster
) -> None:
    no_image = [waiting("ErrImagePull", "no such host")]
    pods = Pods(api, {"a": no_image})
    assert [pod.name for pod in start_pods(cluster, [request("a")])] == ["a-again"]
    pods.states["a-again"] = no_image
    with pytest.raises(ImageRefused, match="ErrImagePull: no such host"):
        start_pods(cluster, [request("a")])
    assert not pods.created


def test_each_pod_of_many_ends_for_itself(api: ScriptedApi, cluster: Cluster) -> None:
    no_image = [waiting("ErrImagePull", "not found")]
    pods = Pods(api, {"b": no_image, "b-again": no_image, "c": [{}, {}, READY]})
    ended: dict[int, PodRef | AksnetError] = {}
    requests = [request(name) for name in "abc"]
    start_each(cluster, requests, lambda number, outcome: ended.update({number: outcome}))
    assert sorted(ended) == [0, 1, 2]
    assert [one.name for _, one in sorted(ended.items()) if isinstance(one, PodRef)] == ["a", "c"]
    refused = ended[1]
    assert isinstance(refused, ImageRefused)
    assert "ErrImagePull: not found" in str(refused)
    assert sorted(pods.created) == ["a", "c"]


def test_pods_that_are_not_admitted_do_not_stop_the_others(
    api: ScriptedApi, cluster: Cluster
) -> None:
    pods = Pods(api, {})
    create = api.routes["POST", PODS]

    def only_a(asked: Request) -> Any:
        if asked.body["metadata"]["name"] != "a":
            return status(403, "Forbidden", "a policy says no")
        return create(asked)

    api.routes["POST", PODS] = only_a
    ended: dict[int, PodRef | AksnetError] = {}
    requests = [request(name) for name in "ab"]
    start_each(cluster, requests, lambda number, outcome: ended.update({number: outcome}))
    assert isinstance(ended[0], PodRef)
    assert "a policy says no" in str(ended[1])
    assert not pods.deleted


def unschedulable(said: str) -> Json:
    condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable"}
    return {"phase": "Pending", "conditions": [{**condition, "message": said}]}


@pytest.mark.parametrize(
    "words",
    [
        'exec: "serve": executable file not found in $PATH',
        "executable file `serve` not found in $P",
    ],
)
@pytest.mark.parametrize("host_network", [False, True])
def test_an_image_without_the_main_process_lacks_a_tool(
    api: ScriptedApi, cluster: Cluster, words: str, host_network: bool
) -> None:
    ended = {"terminated": {"exitCode": 128, "reason": "StartError", "message": words}}
    state = {"phase": "Failed", "containerStatuses": [{"name": "probe", "state": ended}]}
    pods = Pods(api, {"a": [state]})
    wanted = request(host_network=host_network, host_port_choices=(8081,))
    with pytest.raises(ToolMissing, match=r"^serve cannot be run in the pod: .*image netshoot:v1"):
        start_pods(cluster, [wanted])
    assert pods.deleted == ["a"]


def test_a_full_node_is_given_a_moment_then_named(
    api: ScriptedApi, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pytest_aksnet.cluster.pod_start.UNSCHEDULABLE_GRACE_S", 0.3)
    Pods(api, {"a": [unschedulable("1 Insufficient cpu")]})
    with pytest.raises(EnvironmentProblem, match="Unschedulable: 1 Insufficient cpu"):
        start_pods(cluster, [request("a")])
    Pods(api, {"a": [unschedulable("1 Insufficient cpu"), READY]})
    assert start_pods(cluster, [request("a")])


def test_a_host_port_that_is_taken_makes_the_next_one_be_tried(
    api: ScriptedApi, cluster: Cluster
) -> None:
    ended = {"terminated": {"exitCode": 1, "message": "Address already in use"}}
    pods = Pods(
        api,
        {
            "a": [unschedulable("node(s) didn't have free ports for the requested pod ports")],
            "a-p9001": [
                {"phase": "Failed", "containerStatuses": [{"name": "probe", "state": ended}]}
            ],
        },
    )
    [ref] = start_pods(
        cluster,
        [request("a", host_network=True, port=9000, host_port_choices=(9001, 9002))],
    )
    assert (ref.name, ref.port, ref.host_network) == ("a-p9002", 9002, True)
    assert pods.deleted == ["a", "a-p9001"]


def test_the_only_port_may_become_free_in_a_moment(api: ScriptedApi, cluster: Cluster) -> None:
    taken = unschedulable("node(s) didn't have free ports for the requested pod ports")
    pods = Pods(api, {"a": [taken, READY]})
    assert start_pods(cluster, [request("a", host_network=True, port=9000)])
    assert not pods.deleted


def test_ports_that_are_all_taken_end_in_an_error(
    api: ScriptedApi, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pytest_aksnet.cluster.pod_start.UNSCHEDULABLE_GRACE_S", 0.1)
    taken = unschedulable("node(s) didn't have free ports for the requested pod ports")
    Pods(api, {"a": [taken], "a-p9001": [taken]})
    wanted = request("a", host_network=True, port=9000, host_port_choices=(9001,))
    with pytest.raises(EnvironmentProblem, match="free ports"):
        start_pods(cluster, [wanted])


def test_a_pod_that_is_not_ready_in_time_is_named_with_the_last_warning(
    api: ScriptedApi, cluster: Cluster
) -> None:
    Pods(api, {"a": [{"phase": "Pending"}]})
    warning = {
        "type": "Warning",
        "reason": "FailedCreatePodSandBox",
        "message": "no address left",
        "lastTimestamp": "2026-01-01T00:00:00Z",
    }
    api.answer("GET", "/api/v1/namespaces/ns/events", (200, {"metadata": {}, "items": [warning]}))
    with pytest.raises(EnvironmentProblem) as error:
        start_pods(cluster, [request("a")], timeout_s=0.3)
    assert "phase Pending" in str(error.value)
    assert "FailedCreatePodSandBox: no address left" in str(error.value)


def test_a_pod_that_somebody_deletes_is_noticed(api: ScriptedApi, cluster: Cluster) -> None:
    pods = Pods(api, {"a": [{}]})

    def deleted(request: Request) -> Iterator[Json]:
        pods.created.clear()
        return iter([{"type": "DELETED", "object": {"metadata": {"name": "a"}}}])

    api.watches[PODS] = deleted
    with pytest.raises(EnvironmentProblem, match="somebody else has deleted it"):
        start_pods(cluster, [request("a")])


def test_a_pod_that_is_not_admitted_fails_in_the_servers_words(
    api: ScriptedApi, cluster: Cluster
) -> None:
    said = 'pods "a" is forbidden: violates PodSecurity "baseline:latest": host namespaces'
    api.answer("POST", PODS, status(403, "Forbidden", said))
    with pytest.raises(EnvironmentProblem) as error:
        start_pods(cluster, [request("a")])
    assert said in str(error.value)
    assert len(api.sent("POST", PODS)) == 1


def test_a_quota_that_is_full_for_a_moment_is_waited_for(
    api: ScriptedApi, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    pods = Pods(api, {})
    create = api.routes["POST", PODS]
    said = 'pods "a" is forbidden: exceeded quota: q, requested: pods=1, used: pods=1, limited: 1'
    refusals = [status(403, "Forbidden", said)] * 2
    api.routes["POST", PODS] = lambda asked: refusals.pop() if refusals else create(asked)
    start_pods(cluster, [request("a")])
    assert sorted(pods.created) == ["a"]
    monkeypatch.setattr(pod_start, "UNSCHEDULABLE_GRACE_S", 0.1)
    api.answer("POST", PODS, status(403, "Forbidden", said))
    with pytest.raises(EnvironmentProblem, match="exceeded quota: q"):
        start_pods(cluster, [request("b")])


def test_a_new_namespace_gets_its_service_account_a_moment_later(
    api: ScriptedApi, cluster: Cluster
) -> None:
    pods = Pods(api, {})
    create = api.routes["POST", PODS]
    refusals = [
        status(
            403,
            "Forbidden",
            'pods "a" is forbidden: error looking up service account ns/default: '
            'serviceaccount "default" not found',
        )
    ]
    api.routes["POST", PODS] = lambda request: refusals.pop() if refusals else create(request)
    start_pods(cluster, [request("a")])
    assert "a" in pods.created


def test_a_pod_that_is_never_ready_counts_when_it_runs(api: ScriptedApi, cluster: Cluster) -> None:
    running = {**READY, "conditions": [{"type": "Ready", "status": "False"}]}
    Pods(api, {"a": [{}, running]})
    [ref] = start_pods(cluster, [request("a", readiness=Readiness.NEVER)])
    assert ref.ip == "10.244.0.9"


def test_no_requests_ask_nothing(api: ScriptedApi, cluster: Cluster) -> None:
    before = len(api.requests)
    assert start_pods(cluster, []) == ()
    assert len(api.requests) == before


def test_the_manifest_is_restrictive_and_ends_by_itself() -> None:
    manifest = pod_manifest(request("a", command=lambda port: ["run", "$(X)", str(port)]), "a", 81)
    spec = manifest["spec"]
    assert spec["activeDeadlineSeconds"] == 4 * 3600
    assert spec["terminationGracePeriodSeconds"] == 1
    assert spec["automountServiceAccountToken"] is False
    assert spec["enableServiceLinks"] is False
    assert spec["restartPolicy"] == "Never"
    assert "nodeName" not in spec
    [term] = spec["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"][
        "nodeSelectorTerms"
    ]
    assert term["matchFields"] == [{"key": "metadata.name", "operator": "In", "values": ["node-1"]}]
    [container] = spec["containers"]
    assert container["command"] == ["run", "$$(X)", "81"]
    assert container["imagePullPolicy"] == "IfNotPresent"
    assert container["readinessProbe"]["tcpSocket"] == {"port": 81}
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "runAsNonRoot": True,
        "runAsUser": 65534,
        "runAsGroup": 65534,
    }
    assert {entry["name"] for entry in container["env"]} == {"POD_NAME", "POD_IP", "NODE_NAME"}


def test_a_host_network_pod_asks_the_clusters_dns() -> None:
    wanted = request("a", host_network=True, pull_secret="s", capabilities=("NET_ADMIN",))
    spec = pod_manifest(wanted, "a", 81)["spec"]
    assert (spec["hostNetwork"], spec["dnsPolicy"]) == (True, "ClusterFirstWithHostNet")
    assert spec["imagePullSecrets"] == [{"name": "s"}]
    assert spec["containers"][0]["securityContext"] == {
        "capabilities": {"drop": ["ALL"], "add": ["NET_ADMIN"]}
    }


def test_a_ready_pod_that_is_being_deleted_is_no_ready_pod() -> None:
    pod = {"metadata": {"deletionTimestamp": "now"}, "status": READY}
    assert progress(pod, Readiness.PORT).failed


def test_deleting_names_the_very_pod(api: ScriptedApi, cluster: Cluster) -> None:
    pods = Pods(api, {})
    refs = start_pods(cluster, [request("a")])
    delete_pods(cluster, refs)
    assert pods.deleted == ["a"]
    [sent] = api.sent("DELETE", f"{PODS}/a")
    assert sent.body["preconditions"] == {"uid": "uid-a"}
    delete_pods(cluster, refs)


def test_only_running_pods_are_listed(api: ScriptedApi, cluster: Cluster) -> None:
    spec = {"nodeName": "n", "containers": [{"name": "c", "ports": [{"containerPort": 53}]}]}

    def pod(name: str, state: Json, **metadata: str) -> Json:
        return {
            "metadata": {"name": name, "namespace": "ns", **metadata},
            "spec": spec,
            "status": state,
        }

    items = [
        pod("z", READY),
        pod("a", READY),
        pod("gone", READY, deletionTimestamp="now"),
        pod("new", {"phase": "Pending"}),
    ]
    api.answer("GET", PODS, (200, {"metadata": {}, "items": items}))
    found = list_pods(cluster, "ns", "k8s-app=x")
    assert [(pod.name, pod.node, pod.port) for pod in found] == [("a", "n", 53), ("z", "n", 53)]
    assert api.sent("GET", PODS)[0].query["labelSelector"] == "k8s-app=x"
