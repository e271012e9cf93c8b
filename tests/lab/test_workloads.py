"""Workloads do what their specs say: rollouts, sets, jobs, probes, taints, the end of pods."""

from collections.abc import Iterator
from typing import Any

import pytest
from kubernetes import client

from tests.lab.running_lab import RunningLab
from tests.lab.user import User

PAUSE = "registry.k8s.io/pause:3.9"


class Workers(User):
    """A user with workloads."""

    def __init__(self, lab: RunningLab) -> None:
        super().__init__(lab)
        self.batch = client.BatchV1Api(self.apps.api_client)

    def template(self, app: str, **container: Any) -> dict[str, Any]:
        main = {"name": "main", "image": PAUSE, **container}
        return {
            "metadata": {"labels": {"app": app}},
            "spec": {"terminationGracePeriodSeconds": 1, "containers": [main]},
        }

    def deploy(self, name: str, template: dict[str, Any], **spec: Any) -> None:
        self.apps.create_namespaced_deployment(
            self.namespace,
            {
                "metadata": {"name": name},
                "spec": {
                    "selector": {"matchLabels": {"app": name}},
                    "template": template,
                    **spec,
                },
            },
        )

    def deployment(self, name: str) -> Any:
        return self.apps.read_namespaced_deployment(name, self.namespace)

    def condition(self, name: str, kind: str) -> tuple[str, str]:
        """Status and reason of a Deployment's condition."""
        found = self.deployment(name).status.conditions or []
        return next(((one.status, one.reason) for one in found if one.type == kind), ("", ""))

    def pods(self, app: str) -> list[Any]:
        return list(
            self.core.list_namespaced_pod(self.namespace, label_selector=f"app={app}").items
        )

    def rolled_out(self, name: str) -> None:
        def done() -> bool:
            found = self.deployment(name)
            status = found.status
            return bool(
                status.observed_generation == found.metadata.generation
                and status.updated_replicas == status.replicas == found.spec.replicas
                and status.available_replicas == found.spec.replicas
            )

        self.eventually(done, f"{name} is rolled out")


@pytest.fixture
def workers(lab: RunningLab) -> Iterator[Workers]:
    found = Workers(lab)
    with found:
        yield found


def _image(image: str) -> dict[str, Any]:
    return {"spec": {"template": {"spec": {"containers": [{"name": "main", "image": image}]}}}}


def test_a_rolling_update_never_has_too_few_or_too_many(workers: Workers) -> None:
    probe = {"exec": {"command": ["true"]}, "initialDelaySeconds": 1}
    strategy = {"rollingUpdate": {"maxSurge": 1, "maxUnavailable": 1}}
    workers.deploy("web", workers.template("web"), replicas=4, strategy=strategy)
    workers.rolled_out("web")
    patch = _image("registry.k8s.io/pause:3.10")
    patch["spec"]["template"]["spec"]["containers"][0]["readinessProbe"] = probe
    workers.apps.patch_namespaced_deployment("web", workers.namespace, patch)
    seen: set[tuple[int, int]] = set()

    def done() -> bool:
        status = workers.deployment("web").status
        seen.add((status.replicas or 0, status.available_replicas or 0))
        return bool(status.updated_replicas == status.replicas == 4 and not workers_old())

    def workers_old() -> list[str]:
        return [
            one.metadata.name
            for one in workers.pods("web")
            if one.spec.containers[0].image == PAUSE
        ]

    workers.eventually(done, "all pods are new")
    assert max(total for total, _ in seen) <= 5
    assert min(available for _, available in seen) >= 3
    workers.rolled_out("web")
    sets = workers.apps.list_namespaced_replica_set(workers.namespace).items
    revision = "deployment.kubernetes.io/revision"
    assert sorted(one.metadata.annotations[revision] for one in sets) == ["1", "2"]
    assert workers.deployment("web").metadata.annotations[revision] == "2"


def test_recreate_ends_all_old_pods_first(workers: Workers) -> None:
    workers.deploy("web", workers.template("web"), replicas=2, strategy={"type": "Recreate"})
    workers.rolled_out("web")
    workers.apps.patch_namespaced_deployment(
        "web", workers.namespace, _image("registry.k8s.io/pause:3.10")
    )
    mixed = []

    def done() -> bool:
        images = {
            one.spec.containers[0].image
            for one in workers.pods("web")
            if one.status.phase in ("Pending", "Running")
        }
        mixed.append(len(images) > 1)
        return images == {"registry.k8s.io/pause:3.10"}

    workers.eventually(done, "all are new")
    assert not any(mixed)


def test_a_rollout_that_goes_nowhere_is_said_to_be_late(workers: Workers) -> None:
    workers.deploy("web", workers.template("web"), progressDeadlineSeconds=2, minReadySeconds=1)
    workers.rolled_out("web")
    assert workers.condition("web", "Available") == ("True", "MinimumReplicasAvailable")
    workers.apps.patch_namespaced_deployment(
        "web", workers.namespace, _image("registry.invalid/no:1")
    )
    workers.eventually(
        lambda: workers.condition("web", "Progressing") == ("False", "ProgressDeadlineExceeded"),
        "it is late",
    )
    assert workers.deployment("web").status.available_replicas == 1


def test_a_stateful_set_goes_in_order_and_stops_at_its_partition(workers: Workers) -> None:
    probe = {"exec": {"command": ["true"]}}
    spec = {
        "serviceName": "db",
        "replicas": 3,
        "selector": {"matchLabels": {"app": "db"}},
        "template": workers.template("db", readinessProbe=probe),
        "updateStrategy": {"rollingUpdate": {"partition": 1}},
    }
    api = workers.apps
    api.create_namespaced_stateful_set(
        workers.namespace, {"metadata": {"name": "db"}, "spec": spec}
    )
    status = "read_namespaced_stateful_set"
    read = getattr(api, status)
    workers.eventually(
        lambda: read("db", workers.namespace).status.ready_replicas == 3, "all are ready"
    )
    born = {one.metadata.name: one.status.start_time for one in workers.pods("db")}
    assert sorted(born, key=lambda name: (born[name], name)) == ["db-0", "db-1", "db-2"]
    api.patch_namespaced_stateful_set("db", workers.namespace, _image("registry.k8s.io/pause:3.10"))

    def images() -> list[str]:
        found = {one.metadata.name: one for one in workers.pods("db")}
        return [found[name].spec.containers[0].image[-4:] for name in sorted(found)]

    workers.eventually(lambda: images() == [":3.9", "3.10", "3.10"], "two are new")
    shown = read("db", workers.namespace).status
    assert shown.current_revision != shown.update_revision


def test_jobs_count_what_succeeds_and_give_up_on_what_does_not(workers: Workers) -> None:
    def job(name: str, command: str, **spec: Any) -> None:
        template = workers.template(name, image="busybox:1", command=["sh", "-c", command])
        template["spec"]["restartPolicy"] = "Never"
        body = {"metadata": {"name": name}, "spec": {"template": template, **spec}}
        workers.batch.create_namespaced_job(workers.namespace, body)

    def conditions(name: str) -> set[str]:
        status = workers.batch.read_namespaced_job(name, workers.namespace).status
        return {one.type for one in status.conditions or []}

    job(
        "good", "echo $JOB_COMPLETION_INDEX", completions=3, parallelism=2, completionMode="Indexed"
    )
    job("bad", "exit 1", backoffLimit=0)
    workers.eventually(lambda: "Complete" in conditions("good"), "the Job is complete")
    workers.eventually(lambda: "Failed" in conditions("bad"), "the Job has failed")
    said = {workers.log(one.metadata.name) for one in workers.pods("good")}
    assert said == {"0\n", "1\n", "2\n"}
    assert workers.batch.read_namespaced_job("good", workers.namespace).status.succeeded == 3
    assert {"SuccessfulCreate", "BackoffLimitExceeded"} <= workers.reasons("bad")


def test_a_sidecar_starts_before_and_ends_after_the_main_container(workers: Workers) -> None:
    probe = {"exec": {"command": ["test", "-e", "/run/up"]}, "periodSeconds": 1}
    sidecar = {
        "name": "side",
        "image": "busybox:1",
        "restartPolicy": "Always",
        "command": ["sh", "-c", "sleep 0.5; touch /run/up; sleep infinity"],
        "startupProbe": probe,
    }
    workers.create_pod(
        "p",
        command=["sh", "-c", "test -e /run/up && echo after"],
        restartPolicy="Never",
        terminationGracePeriodSeconds=1,
        initContainers=[sidecar],
    )
    pod = workers.await_pod("p", lambda pod: pod.status.phase == "Succeeded", "Succeeded")
    assert workers.log("p", container="main") == "after\n"
    assert pod.status.init_container_statuses[0].state.terminated is not None


def test_hooks_run_at_both_ends_of_a_container(workers: Workers) -> None:
    hooks = {
        "postStart": {"exec": {"command": ["touch", "/run/started"]}},
        "preStop": {"exec": {"command": ["sh", "-c", "echo stopping > /proc/1/fd/1 || true"]}},
    }
    workers.create_pod("p", container={"lifecycle": hooks})
    workers.ready("p")
    assert workers.run("p", "test", "-e", "/run/started").code == 0
    bad = {"lifecycle": {"postStart": {"exec": {"command": ["false"]}}}}
    workers.create_pod("q", container=bad, terminationGracePeriodSeconds=1)
    workers.eventually(lambda: "FailedPostStartHook" in workers.reasons("q"), "the hook failed")


def test_a_no_execute_taint_sends_pods_away_after_their_toleration(workers: Workers) -> None:
    node = workers.nodes()[-1]
    taint = {"key": "test", "value": workers.namespace, "effect": "NoExecute"}
    workers.create_pod("goes", node=node, terminationGracePeriodSeconds=0)
    stays = [{"key": "test", "operator": "Exists"}]
    workers.create_pod("stays", node=node, tolerations=stays)
    a_while = [{"key": "test", "operator": "Exists", "tolerationSeconds": 2}]
    workers.create_pod("later", node=node, tolerations=a_while, terminationGracePeriodSeconds=0)
    workers.ready("goes", "stays", "later")

    def names() -> set[str]:
        found = workers.core.list_namespaced_pod(workers.namespace).items
        return {one.metadata.name for one in found}

    workers.core.patch_node(node, {"spec": {"taints": [taint]}})
    try:
        workers.eventually(lambda: "goes" not in names(), "one is gone")
        assert {"stays", "later"} <= names()
        workers.eventually(lambda: names() == {"stays"}, "the other is gone too")
    finally:
        workers.core.patch_node(node, {"spec": {"taints": None}})


def test_a_host_path_shows_the_node_and_lets_nothing_reach_the_machine(workers: Workers) -> None:
    node = workers.nodes()[0]
    volumes = [{"name": "host", "hostPath": {"path": "/", "type": "Directory"}}]
    mounts = [{"name": "host", "mountPath": "/host"}]
    workers.create_pod("p", node=node, container={"volumeMounts": mounts}, volumes=volumes)
    workers.ready("p")
    assert workers.run("p", "cat", "/host/etc/hostname").stdout.strip() == node
    assert workers.run("p", "touch", "/host/usr/bin/anything").code != 0
    assert workers.run("p", "touch", "/host/run/shared").code == 0
    assert workers.at(f"node/{node}", "ls", "/run/shared").code == 0
    # What is the machine's own is not there at all.
    assert workers.run("p", "ls", "/host/home").stdout == ""
    volumes = [{"name": "host", "hostPath": {"path": "/no/such", "type": "Directory"}}]
    workers.create_pod("q", node=node, container={"volumeMounts": mounts}, volumes=volumes)
    workers.eventually(lambda: "FailedMount" in workers.reasons("q"), "the path is missed")
