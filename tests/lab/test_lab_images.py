"""Images of nodes: what is there from the start, what a pod brings, and what the plan reads."""

import secrets
from collections.abc import Iterator
from typing import Any

import pytest

from pytest_aksnet.cluster.connect import Cluster, connect
from pytest_aksnet.cluster.nodes import read_nodes
from pytest_aksnet.spelling import canonical_image
from tests.lab.running_lab import RunningLab
from tests.lab.user import User


@pytest.fixture
def cluster(lab: RunningLab) -> Iterator[Cluster]:
    found = connect(str(lab.kubeconfig), None)
    yield found
    found.close()


def _having(cluster: Cluster, image: str) -> list[str]:
    """The nodes that list an image, as --aksnet-plan reads it."""
    images = read_nodes(cluster).images
    return sorted(node for node, names in images.items() if canonical_image(image) in names)


def _texts(user: User, pod: str) -> list[str]:
    """What was said of a pod's image."""
    events = user.core.list_namespaced_event(
        user.namespace, field_selector=f"involvedObject.name={pod}"
    )
    return sorted(item.message for item in events.items if item.reason in ("Pulling", "Pulled"))


def _create(user: User, name: str, image: str, node: str, policy: str) -> Any:
    container = {"image": image, "imagePullPolicy": policy}
    user.create_pod(name, node=node, container=container)


def test_nodes_have_the_images_of_the_system(user: User) -> None:
    pods = user.core.list_namespaced_pod("kube-system").items
    used = {(item.spec.node_name, item.spec.containers[0].image) for item in pods}
    assert used
    for node in user.core.list_node().items:
        listed = node.status.images
        names = {name for image in listed for name in image.names}
        if len(listed) < 50:  # other tests of this lab have brought theirs
            assert {image for name, image in used if name == node.metadata.name} <= names
            assert any("/pause@sha256:" in name for name in names)
        sizes = [image.size_bytes for image in listed]
        assert sizes == sorted(sizes, reverse=True)
        assert sizes[-1] > 0
        assert len(sizes) <= 50


def test_a_node_has_an_image_after_a_pod_used_it(user: User, cluster: Cluster) -> None:
    image = f"nicolaka/netshoot:v{secrets.token_hex(4)}"
    first, second, _ = user.nodes()
    assert _having(cluster, image) == []
    _create(user, "a", image, second, "IfNotPresent")
    user.ready("a")
    assert _having(cluster, image) == [second]
    pulling, pulled = _texts(user, "a")
    assert pulling == f'Pulling image "{image}"'
    assert pulled.startswith(f'Successfully pulled image "{image}" in ')
    assert pulled.endswith("including waiting). Image size: 187000000 bytes.")
    for name, policy in (("b", "IfNotPresent"), ("c", "Never"), ("d", "Always")):
        _create(user, name, image, second, policy)
    user.ready("b", "c", "d")
    present = f'Container image "{image}" already present on machine and can be accessed by the pod'
    assert _texts(user, "b") == _texts(user, "c") == [present]
    assert len(_texts(user, "d")) == 2
    _create(user, "e", image, first, "Never")
    user.await_pod("e", lambda pod: "ErrImageNeverPull" in str(pod.status), "without its image")
    assert _having(cluster, image) == [second]
    digest = user.pod("a").status.container_statuses[0].image_id
    assert _having(cluster, digest) == [second]
    _create(user, "f", digest, second, "Never")
    user.ready("f")


def test_a_node_lists_its_largest_images_only(user: User, cluster: Cluster) -> None:
    node = user.nodes()[2]
    images = [f"busybox:v{secrets.token_hex(4)}" for _ in range(60)]
    init = [
        {"name": f"i{number}", "image": image, "command": ["true"]}
        for number, image in enumerate(images[1:])
    ]
    user.create_pod("p", node=node, container={"image": images[0]}, initContainers=init)
    user.ready("p")
    [found] = [item for item in user.core.list_node().items if item.metadata.name == node]
    assert len(found.status.images) == 50
    listed = [image for image in images if _having(cluster, image)]
    assert 0 < len(listed) < 50
