"""Pods as the API has them and as the other layers see them: read, listed, deleted."""

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

from pytest_aksnet.cluster.connect import Cluster
from pytest_aksnet.cluster.rest import path_of
from pytest_aksnet.model.api import Json
from pytest_aksnet.model.errors import EnvironmentProblem
from pytest_aksnet.model.peers import PodRef

PARALLEL = 8


def pods_path(namespace: str) -> str:
    """The path of the pods of a namespace."""
    return path_of("api", "v1", "namespaces", namespace, "pods")


def pod_ref(pod: Json) -> PodRef:
    """A pod of the API as the other layers see it; port is its first container's first TCP port."""
    metadata, spec, status = pod["metadata"], pod["spec"], pod.get("status") or {}
    container = spec["containers"][0]
    ports = [
        int(port["containerPort"])
        for port in container.get("ports") or ()
        if port.get("protocol", "TCP") == "TCP"
    ]
    return PodRef(
        namespace=metadata["namespace"],
        name=metadata["name"],
        container=container["name"],
        node=spec.get("nodeName") or "",
        ip=status.get("podIP") or "",
        uid=metadata.get("uid") or "",
        host_network=bool(spec.get("hostNetwork")),
        port=ports[0] if ports else 0,
        labels=dict(metadata.get("labels") or {}),
        ips=tuple(one["ip"] for one in status.get("podIPs") or () if one.get("ip")),
    )


def list_pods(cluster: Cluster, namespace: str, selector: str) -> tuple[PodRef, ...]:
    """The running pods of a namespace that a label selector matches, sorted by name."""
    found = cluster.rest.items(pods_path(namespace), {"labelSelector": selector})
    running = [
        pod
        for pod in found
        if pod["status"].get("phase") == "Running"
        and pod["status"].get("podIP")
        and not pod["metadata"].get("deletionTimestamp")
    ]
    return tuple(sorted(map(pod_ref, running), key=lambda pod: pod.name))


def delete_pods(cluster: Cluster, pods: Iterable[PodRef], *, quiet: bool = False) -> None:
    """Ask for the end of these pods, each only if it is still that very pod. Does not wait.

    With `quiet` what cannot be deleted is left to the end of its namespace.
    """

    def delete(pod: PodRef) -> None:
        path = path_of("api", "v1", "namespaces", pod.namespace, "pods", pod.name)
        try:
            cluster.rest.delete(path, uid=pod.uid)
        except EnvironmentProblem:
            if not quiet:
                raise

    with ThreadPoolExecutor(PARALLEL, "aksnet-pods") as pool:
        list(pool.map(delete, pods))
