"""Deployments of reflectors whose pods a check replaces, as `kubectl rollout restart` does.

Their pods serve on for some seconds after they were asked to end, in a preStop hook, as Kubernetes
documents for rollouts without loss (tutorials/services/pods-and-endpoint-termination-flow).
"""

import datetime
from collections.abc import Mapping, Sequence

from pytest_aksnet.cluster.connect import Cluster
from pytest_aksnet.cluster.probe_pod_manifest import ProbePodRequest, pod_manifest
from pytest_aksnet.cluster.rest import path_of
from pytest_aksnet.model.api import Json
from pytest_aksnet.model.peers import NodeRef

_TO_END_S = 10


def deployment(
    request: ProbePodRequest,
    nodes: Sequence[NodeRef],
    *,
    selector: Mapping[str, str],
    replicas: int,
    serves_on_s: int,
) -> Json:
    """A Deployment of such pods on these nodes, of which none ends before its successor is ready.

    `request` has the `selector` among its labels. In `serves_on_s` seconds service proxies learn
    that a pod ends, before it does.
    """
    pod = pod_manifest(request, request.name, request.port)
    spec = pod["spec"]
    # What a Deployment's pods may not have.
    for field in ("activeDeadlineSeconds", "restartPolicy", "affinity"):
        spec.pop(field)
    spec["terminationGracePeriodSeconds"] = serves_on_s + _TO_END_S
    spec["affinity"] = {
        "nodeAffinity": {
            "requiredDuringSchedulingIgnoredDuringExecution": {
                "nodeSelectorTerms": [
                    {
                        "matchFields": [
                            {"key": "metadata.name", "operator": "In", "values": [node.name]}
                        ]
                    }
                    for node in nodes
                ]
            }
        }
    }
    [container] = spec["containers"]
    container["lifecycle"] = {"preStop": {"exec": {"command": ["sleep", str(serves_on_s)]}}}
    metadata = {key: pod["metadata"][key] for key in ("labels", "annotations")}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"namespace": request.namespace, "labels": dict(selector)},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": dict(selector)},
            "strategy": {
                "type": "RollingUpdate",
                "rollingUpdate": {"maxUnavailable": 0, "maxSurge": "100%"},
            },
            "template": {"metadata": metadata, "spec": spec},
        },
    }


class DeploymentRollout:
    """`assertions.service_changes.Rollout` of a Deployment that exists. Raises EnvironmentProblem.

    `selector` has the labels of its pods.
    """

    def __init__(self, cluster: Cluster, made: Json, *, selector: Mapping[str, str]) -> None:
        self._rest = cluster.rest
        metadata = made["metadata"]
        self.namespace: str = metadata["namespace"]
        self.selector = dict(selector)
        collection = path_of("apis", "apps", "v1", "namespaces", self.namespace, "deployments")
        self._path = f"{collection}{path_of(metadata['name'])}"
        self._pods = path_of("api", "v1", "namespaces", self.namespace, "pods")

    def start(self) -> None:
        """Have all pods replaced."""
        now = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        annotations = {"kubectl.kubernetes.io/restartedAt": now}
        self._rest.patch(
            self._path, {"spec": {"template": {"metadata": {"annotations": annotations}}}}
        )

    def finished(self) -> bool:
        """Whether as many pods as wanted are there, all of the newest kind and available."""
        found = self._rest.get(self._path)
        wanted, status = found["spec"]["replicas"], found.get("status") or {}
        counts = [
            status.get(key, 0) for key in ("replicas", "updatedReplicas", "availableReplicas")
        ]
        if status.get("observedGeneration", 0) < found["metadata"]["generation"] or any(
            count != wanted for count in counts
        ):
            return False
        labels = ",".join(f"{key}={value}" for key, value in self.selector.items())
        # Pods that end are no replicas any more, and still there while they serve on.
        return len(self._rest.items(self._pods, {"labelSelector": labels})) == int(wanted)
