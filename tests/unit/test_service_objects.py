"""Objects that checks of Services make besides: a slice of their own, pods that are replaced."""

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any, cast

from pytest_aksnet.cluster.connect import Cluster
from pytest_aksnet.cluster.objects import await_endpoints, service_ref
from pytest_aksnet.cluster.probe_pod_manifest import ProbePodRequest
from pytest_aksnet.rollouts import DeploymentRollout, deployment
from pytest_aksnet.service_manifests import endpoint_slice
from tests.unit.scripted import NODES, SERVER, SERVICE, pod

SELECTOR = {"app": "web"}
PATH = "/apis/apps/v1/namespaces/ns/deployments/web"


class Objects:
    """A REST door over objects by their path."""

    def __init__(self, **status: int) -> None:
        self.patched: list[tuple[str, Mapping[str, object]]] = []
        self.pods: list[dict[str, Any]] = [{}, {}]
        self.slices: list[dict[str, Any]] = []
        self.asked: list[Mapping[str, str] | None] = []
        self.found: dict[str, Any] = {
            "metadata": {"generation": 2},
            "spec": {"replicas": 2},
            "status": status,
        }

    def get(self, path: str) -> dict[str, Any]:
        assert path == PATH
        return self.found

    def items(self, path: str, query: Mapping[str, str] | None = None) -> list[dict[str, Any]]:
        self.asked.append(query)
        return self.slices if path.endswith("endpointslices") else self.pods

    def patch(self, path: str, change: Mapping[str, object]) -> None:
        self.patched.append((path, change))


def cluster(rest: Objects) -> Cluster:
    return cast(Cluster, SimpleNamespace(rest=rest))


def test_a_slice_names_its_service_and_the_pods() -> None:
    made = endpoint_slice(SERVICE, [SERVER])
    assert made["metadata"]["labels"]["kubernetes.io/service-name"] == "web"
    assert made["addressType"] == "IPv4"
    assert made["endpoints"][0] | {"conditions": {}} == {
        "addresses": [SERVER.ip],
        "conditions": {},
        "nodeName": SERVER.node,
    }
    assert endpoint_slice(SERVICE, [pod("six", "node-a", "fd00::9")])["addressType"] == "IPv6"


def test_a_deployment_has_pods_that_a_controller_may_have() -> None:
    request = ProbePodRequest(
        namespace="ns",
        name="netshoot-1",
        node="",
        image="image",
        command=lambda port: ("serve", str(port)),
        port=8080,
        labels=SELECTOR,
        lifetime_s=600,
    )
    made = deployment(request, NODES[:2], selector=SELECTOR, replicas=2, serves_on_s=7)
    template = made["spec"]["template"]
    assert template["metadata"]["labels"] == SELECTOR == made["spec"]["selector"]["matchLabels"]
    assert not {"activeDeadlineSeconds", "restartPolicy", "nodeName"} & template["spec"].keys()
    [container] = template["spec"]["containers"]
    assert container["lifecycle"]["preStop"]["exec"]["command"] == ["sleep", "7"]
    assert template["spec"]["terminationGracePeriodSeconds"] > 7
    terms = template["spec"]["affinity"]["nodeAffinity"][
        "requiredDuringSchedulingIgnoredDuringExecution"
    ]["nodeSelectorTerms"]
    # matchFields takes one value each, and terms are alternatives.
    assert [term["matchFields"][0]["values"] for term in terms] == [["node-a"], ["node-b"]]
    assert made["spec"]["strategy"]["rollingUpdate"]["maxUnavailable"] == 0


def test_a_rollout_is_over_when_nothing_of_the_old_is_left() -> None:
    rest = Objects(observedGeneration=2, replicas=2, updatedReplicas=2, availableReplicas=2)
    made = {"metadata": {"namespace": "ns", "name": "web"}}
    rollout = DeploymentRollout(cluster(rest), made, selector=SELECTOR)
    assert rollout.finished()
    assert rest.asked == [{"labelSelector": "app=web"}]
    rest.pods = [{}, {}, {}]
    assert not rollout.finished()
    rest.pods = [{}, {}]
    for late in ({"observedGeneration": 1}, {"updatedReplicas": 1}, {"availableReplicas": 1}):
        rest.found["status"] = {
            "observedGeneration": 2,
            "replicas": 2,
            "updatedReplicas": 2,
            "availableReplicas": 2,
            **late,
        }
        assert not rollout.finished()
    rest.found["status"] = {}
    assert not rollout.finished()
    rollout.start()
    [(path, change)] = rest.patched
    assert path == PATH
    assert "kubectl.kubernetes.io/restartedAt" in str(change)


def test_addresses_of_the_other_family_are_not_waited_for() -> None:
    rest = Objects()
    rest.slices = [
        {"ports": [{"port": 8080}], "endpoints": [{"addresses": [ip]}]}
        for ip in (SERVER.ip, "fd00::9")
    ]
    found = await_endpoints(cluster(rest), SERVICE, [SERVER.ip], timeout_s=0)
    assert {one.ip for one in found} == {SERVER.ip, "fd00::9"}


def test_a_service_of_two_families_has_both_addresses() -> None:
    made = {
        "metadata": {"namespace": "ns", "name": "web"},
        "spec": {"clusterIP": "10.0.5.5", "clusterIPs": ["10.0.5.5", "fd00::5"]},
    }
    assert service_ref(made, "cluster.local").cluster_ips == ("10.0.5.5", "fd00::5")
    made["spec"] = {"clusterIP": "None", "clusterIPs": ["None"]}
    assert service_ref(made, "cluster.local").cluster_ips == ()
