"""What the lab's controllers keep right: namespaces, owners, workloads, system objects."""

import pytest
from kubernetes.client import ApiException

from tests.lab.user import User

TEMPLATE = {
    "metadata": {"labels": {"app": "d"}},
    "spec": {
        "terminationGracePeriodSeconds": 1,
        "containers": [{"name": "main", "image": "netshoot:1", "command": ["sleep", "infinity"]}],
    },
}


def create_deployment(user: User, replicas: int) -> None:
    user.apps.create_namespaced_deployment(
        user.namespace,
        {
            "metadata": {"name": "d"},
            "spec": {
                "replicas": replicas,
                "selector": {"matchLabels": {"app": "d"}},
                "template": TEMPLATE,
            },
        },
    )


def pods(user: User) -> int:
    return len(user.core.list_namespaced_pod(user.namespace).items)


def available(user: User) -> int:
    status = user.apps.read_namespaced_deployment("d", user.namespace).status
    return status.available_replicas or 0


def test_a_new_namespace_gets_its_account_and_the_clusters_ca(user: User) -> None:
    user.eventually(
        lambda: (
            [
                item.metadata.name
                for item in user.core.list_namespaced_service_account(user.namespace).items
            ]
            == ["default"]
        ),
        "the account",
    )
    ca = user.core.read_namespaced_config_map("kube-root-ca.crt", user.namespace)
    assert ca.data["ca.crt"].startswith("-----BEGIN CERTIFICATE-----")


def test_a_namespace_goes_with_all_that_is_in_it(user: User) -> None:
    with User(user.lab) as other:
        create_deployment(other, 2)
        other.create_service("s", kind="LoadBalancer")
        other.eventually(lambda: available(other) == 2, "available")
    with pytest.raises(ApiException, match="404"):
        user.core.read_namespace(other.namespace)
    assert pods(other) == 0


def test_nothing_can_be_created_in_a_terminating_namespace(user: User) -> None:
    with User(user.lab) as other:
        other.create_pod(
            "p",
            command=["sh", "-c", "trap '' TERM; echo up; while :; do sleep 0.05; done"],
            terminationGracePeriodSeconds=1,
        )
        other.ready("p")
        other.eventually(lambda: other.log("p") == "up\n", "the trap is set")
        other.core.delete_namespace(other.namespace)
        with pytest.raises(ApiException, match="being terminated"):
            other.create_service("s")
        other.eventually(lambda: other.namespace not in other.namespaces(), "gone")
        other.core.create_namespace({"metadata": {"name": other.namespace}})


def test_a_deployment_scales_replaces_and_takes_its_pods_with_it(user: User) -> None:
    create_deployment(user, 2)
    user.eventually(lambda: available(user) == 2, "two are available")
    user.apps.patch_namespaced_deployment_scale("d", user.namespace, {"spec": {"replicas": 1}})
    user.eventually(lambda: pods(user) == 1, "one pod")
    (pod,) = user.core.list_namespaced_pod(user.namespace).items
    user.core.delete_namespaced_pod(pod.metadata.name, user.namespace)
    user.eventually(lambda: available(user) == 1 and pods(user) == 1, "it was replaced")
    (newer,) = user.core.list_namespaced_pod(user.namespace).items
    assert newer.metadata.uid != pod.metadata.uid
    user.apps.delete_namespaced_deployment("d", user.namespace)
    user.eventually(lambda: pods(user) == 0, "the pods went too")


def test_the_system_has_what_aks_runs(user_of_each: User) -> None:
    user = user_of_each
    sets = {
        item.metadata.name: item for item in user.apps.list_daemon_set_for_all_namespaces().items
    }
    expected = {"calico-node", "kube-proxy"}
    if user.lab.mode in ("overlay", "pod-subnet"):
        expected.add("azure-cns")
    if user.lab.mode != "pod-subnet":
        expected.add("azure-ip-masq-agent")
    assert set(sets) == expected
    user.eventually(
        lambda: all(
            item.status.number_ready == 3
            for item in user.apps.list_daemon_set_for_all_namespaces().items
        ),
        "a pod on each node",
    )
    node = user.core.read_node(user.nodes()[0])
    overlay = node.metadata.labels.get("kubernetes.azure.com/azure-cni-overlay")
    assert overlay == ("true" if user.lab.mode == "overlay" else None)
    kind = node.metadata.labels.get("kubernetes.azure.com/podnetwork-type")
    assert kind == {"overlay": "overlay", "pod-subnet": "vnet"}.get(user.lab.mode)
    assert node.spec.pod_cidr == ("10.244.0.0/24" if user.lab.mode == "kubenet" else None)
    assert node.spec.provider_id.startswith("azure:///subscriptions/")
