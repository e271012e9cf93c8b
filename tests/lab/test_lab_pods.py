"""Pods of the lab, seen by the unmodified kubernetes client."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from kubernetes.client import ApiException

from tests.lab.user import User


def test_a_ready_pod_has_the_status_that_a_kubelet_writes(user_of_each: User) -> None:
    user = user_of_each
    user.create_pod("p", node=user.nodes()[1])
    user.ready("p")
    status = user.pod("p").status
    assert status.phase == "Running"
    assert [item.type for item in status.conditions] == [
        "PodReadyToStartContainers",
        "Initialized",
        "Ready",
        "ContainersReady",
        "PodScheduled",
    ]
    assert all(item.status == "True" for item in status.conditions)
    assert status.host_ip == user.node_ip(user.nodes()[1])
    assert [item.ip for item in status.pod_ips] == [status.pod_ip]
    (container,) = status.container_statuses
    assert container.container_id.startswith("containerd://")
    assert container.image == "docker.io/nicolaka/netshoot:v0.13"
    assert container.state.running.started_at is not None
    assert status.qos_class == "BestEffort"
    assert {"Scheduled", "Pulled", "Created", "Started"} <= user.reasons("p")


def test_exec_gives_output_of_both_streams_and_the_exit_code(user: User) -> None:
    user.create_pod("p")
    user.ready("p")
    ended = user.run("p", "sh", "-c", "echo out; echo err >&2; exit 3")
    assert (ended.code, ended.stdout, ended.stderr) == (3, "out\n", "err\n")


@pytest.mark.parametrize("policy", ["Always", "Never"])
def test_with_its_main_process_a_container_ends_and_no_other(user: User, policy: str) -> None:
    user.create_pod(
        "p",
        restartPolicy=policy,
        initContainers=[
            {"name": "i", "image": "busybox:1", "command": ["sh", "-c", "(setsid sleep 881 &)"]}
        ],
    )
    user.ready("p")
    assert not user.run("p", "pgrep", "-x", "-f", "sleep 881").stdout
    # It ignores what is sent to it, and leaves a process behind that holds its output.
    family = "trap '' TERM; setsid sleep 882 & echo up; sleep 883"
    with ThreadPoolExecutor(1) as threads:
        running = threads.submit(user.run, "p", "sh", "-c", family)
        user.eventually(
            lambda: bool(user.run("p", "pgrep", "-x", "-f", "sleep 883").stdout), "it runs"
        )
        user.run("p", "pkill", "-KILL", "-x", "-f", "sleep infinity")
        ended = running.result()
    assert (ended.code, ended.stdout) == (137, "up\n")
    if policy == "Always":
        user.await_pod(
            "p", lambda pod: pod.status.container_statuses[0].restart_count == 1, "restarted"
        )
        user.ready("p")
        assert not user.run("p", "pgrep", "-f", "sleep 88[123]").stdout


def test_the_other_containers_of_a_pod_live_on(user: User) -> None:
    beside = {"name": "beside", "image": "busybox:1", "command": ["sleep", "884"]}
    user.core.create_namespaced_pod(
        user.namespace,
        {
            "metadata": {"name": "p"},
            "spec": {
                "restartPolicy": "Never",
                "containers": [
                    {"name": "main", "image": "busybox:1", "command": ["sleep", "885"]},
                    beside,
                ],
            },
        },
    )
    user.ready("p")
    with ThreadPoolExecutor(2) as threads:
        first = threads.submit(user.run, "p", "sleep", "886")
        second = threads.submit(user.run, "p", "sleep", "3", container="beside")
        user.eventually(
            lambda: (
                len(user.run("p", "pgrep", "-f", "^sleep", container="beside").stdout.split()) == 4
            ),
            "all run",
        )
        user.run("p", "pkill", "-f", "sleep 885", container="beside")
        assert (first.result().code, second.result().code) == (137, 0)
    with pytest.raises(ApiException, match='container not found \\("main"\\)'):
        user.run("p", "true")
    assert user.run("p", "true", container="beside").code == 0


def test_a_log_has_what_the_main_process_wrote(user: User) -> None:
    user.create_pod("p", command=["sh", "-c", "echo one; echo two >&2"], restartPolicy="Never")
    user.await_pod("p", lambda pod: pod.status.phase == "Succeeded", "Succeeded")
    assert sorted(user.log("p").splitlines()) == ["one", "two"]
    assert len(user.log("p", tail_lines=1).splitlines()) == 1


def test_a_failing_pod_that_is_not_restarted_is_failed(user: User) -> None:
    user.create_pod("p", command=["sh", "-c", "exit 5"], restartPolicy="Never")
    pod = user.await_pod("p", lambda pod: pod.status.phase == "Failed", "Failed")
    assert pod.status.container_statuses[0].state.terminated.exit_code == 5


def test_a_crashing_container_is_restarted_and_keeps_its_previous_log(user: User) -> None:
    user.create_pod("p", command=["sh", "-c", "echo bye; exit 7"])
    pod = user.await_pod(
        "p",
        lambda pod: any(
            item.state.waiting and item.state.waiting.reason == "CrashLoopBackOff"
            for item in pod.status.container_statuses or []
        ),
        "CrashLoopBackOff",
    )
    (container,) = pod.status.container_statuses
    assert container.restart_count == 1
    assert container.last_state.terminated.exit_code == 7
    assert user.log("p", previous=True) == "bye\n"
    assert "BackOff" in user.reasons("p")


def test_an_unknown_program_is_an_error_of_the_container(user: User) -> None:
    user.create_pod("p", command=["/no/such/program"], restartPolicy="Never")
    pod = user.await_pod("p", lambda pod: pod.status.phase == "Failed", "Failed")
    state = pod.status.container_statuses[0].state.terminated
    assert state.reason == "StartError"
    assert "/no/such/program" in state.message


def test_an_image_that_nobody_has_cannot_be_pulled(user: User) -> None:
    user.create_pod("p", container={"image": "registry.invalid/no/such:1"})
    pod = user.await_pod(
        "p",
        lambda pod: any(
            item.state.waiting and item.state.waiting.reason == "ImagePullBackOff"
            for item in pod.status.container_statuses or []
        ),
        "ImagePullBackOff",
    )
    assert "no such host" in pod.status.container_statuses[0].state.waiting.message
    assert pod.status.phase == "Pending"
    with pytest.raises(ApiException, match="trying and failing to pull image"):
        user.log("p")


def test_a_pod_that_fits_nowhere_is_unschedulable_until_it_fits(user: User) -> None:
    user.create_pod("p", nodeSelector={"room": "enough"})
    pod = user.await_pod("p", lambda pod: bool(pod.status.conditions), "a condition")
    assert pod.status.conditions[0].reason == "Unschedulable"
    assert "3 node(s) didn't match Pod's node affinity/selector" in pod.status.conditions[0].message
    assert "FailedScheduling" in user.reasons("p")
    user.core.patch_node(user.nodes()[0], {"metadata": {"labels": {"room": "enough"}}})
    user.ready("p")
    user.core.patch_node(user.nodes()[0], {"metadata": {"labels": {"room": None}}})


def test_requests_beyond_every_node_are_not_scheduled(user: User) -> None:
    user.create_pod("p", container={"resources": {"requests": {"cpu": "64"}}})
    pod = user.await_pod("p", lambda pod: bool(pod.status.conditions), "a condition")
    assert "3 Insufficient cpu" in pod.status.conditions[0].message


def test_environment_and_arguments_come_from_the_spec(user: User) -> None:
    user.core.create_namespaced_config_map(
        user.namespace, {"metadata": {"name": "c"}, "data": {"colour": "blue"}}
    )
    env = [
        {"name": "NODE", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}},
        {"name": "IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}},
        {"name": "COLOUR", "valueFrom": {"configMapKeyRef": {"name": "c", "key": "colour"}}},
        {"name": "BOTH", "value": "$(COLOUR)-$$(COLOUR)"},
    ]
    user.create_pod(
        "p",
        command=["sh", "-c", 'echo "$0"; sleep infinity', "$(BOTH)"],
        container={"env": env},
    )
    user.ready("p")
    pod = user.pod("p")
    shown = user.run("p", "sh", "-c", 'echo "$NODE $IP $COLOUR $BOTH $KUBERNETES_SERVICE_HOST"')
    expected = f"{pod.spec.node_name} {pod.status.pod_ip} blue blue-$(COLOUR) 10.0.0.1\n"
    assert shown.stdout == expected
    user.eventually(lambda: user.log("p") == "blue-$(COLOUR)\n", "the argument was expanded")


def test_volumes_hold_what_their_sources_hold(user: User) -> None:
    user.core.create_namespaced_config_map(
        user.namespace, {"metadata": {"name": "c"}, "data": {"a.conf": "x=1\n"}}
    )
    mounts = [
        {"name": "config", "mountPath": "/config"},
        {"name": "room", "mountPath": "/room"},
    ]
    user.create_pod(
        "p",
        container={"volumeMounts": mounts},
        volumes=[{"name": "config", "configMap": {"name": "c"}}, {"name": "room", "emptyDir": {}}],
    )
    user.ready("p")
    token = "/var/run/secrets/kubernetes.io/serviceaccount"
    command = f"cat /config/a.conf; touch /room/x && ls /room; cat {token}/namespace"
    assert user.run("p", "sh", "-c", command).stdout == f"x=1\nx\n{user.namespace}"


def test_a_missing_config_map_holds_the_pod_up_until_it_is_there(user: User) -> None:
    user.create_pod(
        "p",
        container={"volumeMounts": [{"name": "v", "mountPath": "/v"}]},
        volumes=[{"name": "v", "configMap": {"name": "late"}}],
    )
    user.eventually(lambda: "FailedMount" in user.reasons("p"), "FailedMount")
    user.core.create_namespaced_config_map(
        user.namespace, {"metadata": {"name": "late"}, "data": {"k": "v"}}
    )
    user.ready("p")
    assert user.run("p", "cat", "/v/k").stdout == "v"


def test_a_pod_is_ready_when_its_readiness_probe_says_so(user: User) -> None:
    probe = {"exec": {"command": ["test", "-e", "/tmp/ok"]}, "periodSeconds": 1}
    user.create_pod("p", container={"readinessProbe": probe})
    user.await_pod("p", lambda pod: pod.status.phase == "Running", "Running")
    assert user.pod("p").status.container_statuses[0].ready is False
    user.run("p", "touch", "/tmp/ok")
    user.ready("p")


def test_a_container_that_fails_its_liveness_probe_is_restarted(user: User) -> None:
    probe = {"tcpSocket": {"port": 9}, "periodSeconds": 1, "failureThreshold": 1}
    user.create_pod("p", container={"livenessProbe": probe})
    user.await_pod(
        "p",
        lambda pod: any(i.restart_count > 0 for i in pod.status.container_statuses or []),
        "restarted",
    )
    assert {"Unhealthy", "Killing"} <= user.reasons("p")


def test_init_containers_run_one_after_the_other_before_the_others(user: User) -> None:
    init = [
        {"name": f"i{n}", "image": "busybox:1", "command": ["sh", "-c", f"echo {n} >> /tmp/order"]}
        for n in (1, 2)
    ]
    user.create_pod("p", initContainers=init)
    user.ready("p")
    assert user.run("p", "cat", "/tmp/order").stdout == "1\n2\n"


def test_a_deleted_pod_gets_its_grace_and_no_more(user: User) -> None:
    user.create_pod(
        "p",
        command=["sh", "-c", "trap '' TERM; echo up; while :; do sleep 0.05; done"],
        terminationGracePeriodSeconds=1,
    )
    user.ready("p")
    user.eventually(lambda: user.log("p") == "up\n", "the trap is set")
    user.core.delete_namespaced_pod("p", user.namespace)
    assert user.pod("p").metadata.deletion_grace_period_seconds == 1
    user.eventually(
        lambda: not user.core.list_namespaced_pod(user.namespace).items, "the pod is gone"
    )


def test_a_pod_beyond_its_deadline_fails(user: User) -> None:
    user.create_pod("p", activeDeadlineSeconds=1)
    pod = user.await_pod("p", lambda pod: pod.status.phase == "Failed", "Failed")
    assert pod.status.reason == "DeadlineExceeded"


def test_a_host_network_pod_has_its_nodes_address_and_nic(user: User) -> None:
    node = user.nodes()[2]
    user.create_pod("p", node=node, hostNetwork=True)
    user.ready("p")
    assert user.pod_ip("p") == user.node_ip(node)
    driver = user.run("p", "readlink", "/sys/class/net/eth0/device/driver").stdout.strip()
    assert driver.endswith("/hv_netvsc")


def test_a_pods_token_and_ca_open_the_api_server(user: User) -> None:
    user.create_pod("p")
    user.ready("p")
    folder = "/var/run/secrets/kubernetes.io/serviceaccount"
    command = (
        f'curl -s --cacert {folder}/ca.crt -H "Authorization: Bearer $(cat {folder}/token)" '
        "https://kubernetes.default.svc/api/v1/namespaces/default/pods"
    )
    answer = user.run("p", "sh", "-c", command).stdout
    account = f"system:serviceaccount:{user.namespace}:default"
    assert f'User \\"{account}\\" cannot list resource \\"pods\\"' in answer
