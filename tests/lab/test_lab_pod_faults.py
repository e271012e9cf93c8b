"""Faults of pods: healthy, injected, healed, as the API shows them."""

import contextlib

from tests.lab.raw_api import RawApi, status_of
from tests.lab.user import IMAGE, User


def test_an_evicted_pod_is_failed_and_its_processes_are_killed(api: RawApi, user: User) -> None:
    user.create_pod("p")
    user.ready("p")
    with contextlib.closing(api.exec(user.namespace, "p", "sleep", "60")) as stream:
        api.inject("pod-evicted=20")
        frames, _ = stream.frames()
    api.heal("pod-evicted")
    causes = status_of(frames)["details"]["causes"]
    assert causes == [{"reason": "ExitCode", "message": "137"}]
    pod = user.await_pod("p", lambda pod: pod.status.phase == "Failed", "Failed")
    assert pod.status.reason == "Evicted"
    assert pod.status.message == (
        "The node was low on resource: memory. Threshold quantity: 100Mi, available: 62448Ki. "
        "Container main was using 91236Ki, request is 0, has larger consumption of memory. "
    )
    assert pod.status.container_statuses[0].state.terminated.exit_code == 137
    target = next(item for item in pod.status.conditions if item.type == "DisruptionTarget")
    assert (target.status, target.reason) == ("True", "TerminationByKubelet")
    assert "Evicted" in user.reasons("p")
    system = user.core.list_namespaced_pod("kube-system").items
    assert {item.status.phase for item in system} == {"Running"}
    user.create_pod("next")
    user.ready("next")


def test_images_of_a_pod_can_not_be_pulled(api: RawApi, user: User) -> None:
    api.inject("image-pull-fails=1")
    user.create_pod("p")

    def waits(pod: object) -> bool:
        statuses = pod.status.container_statuses  # type: ignore[attr-defined]
        waiting = statuses[0].state.waiting if statuses else None
        return waiting is not None and waiting.reason == "ImagePullBackOff"

    pod = user.await_pod("p", waits, "in ImagePullBackOff")
    message = pod.status.container_statuses[0].state.waiting.message
    begin = f'failed to pull and unpack image "docker.io/{IMAGE}": failed to resolve image: '
    assert message.startswith(f'Back-off pulling image "{IMAGE}": ErrImagePull: {begin}')
    assert message.endswith((": no such host", ": 429 Too Many Requests"))
    assert {"Pulling", "Failed", "BackOff"} <= user.reasons("p")
    api.heal("image-pull-fails")
    user.create_pod("next")
    user.ready("next")


def test_a_slow_node_starts_pods_later(api: RawApi, user: User) -> None:
    api.inject("slow-pod-start=600")
    user.create_pod("slow")
    user.eventually(lambda: bool(user.pod("slow").status.container_statuses), "it has a status")
    api.heal("slow-pod-start")
    user.create_pod("next")
    user.ready("next")
    waiting = user.pod("slow").status.container_statuses[0].state.waiting
    assert waiting.reason == "ContainerCreating"
