"""Rights and admission, asked before anything is created: what counts against a run."""

import pytest

from pytest_aksnet.cluster.connect import Cluster
from pytest_aksnet.cluster.pod_security import why_not_admitted
from pytest_aksnet.cluster.preflight import look_ahead
from pytest_aksnet.cluster.probe_pod_manifest import ProbePodRequest, pod_manifest
from pytest_aksnet.cluster.rights import review_rights
from pytest_aksnet.model.rights import Preflight, Right, Where
from tests.unit.cluster.scripted_api import Answer, Json, Request, ScriptedApi, status

REVIEWS = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
NAMESPACES = "/api/v1/namespaces"
ENFORCE = "pod-security.kubernetes.io/enforce"
PODS = Right(resource="pods", verb="create")
EXEC = Right(resource="pods", verb="get", subresource="exec")
KUBE_DNS = Right(resource="services", verb="get", name="kube-dns", where=Where.SYSTEM)
NODES = Right(resource="nodes", verb="list", where=Where.CLUSTER)
PLACES = {Where.RUN: "aksnet-1", Where.SYSTEM: "kube-system"}


def answering(api: ScriptedApi, verdicts: dict[str, Json]) -> None:
    """Reviews by resource; what is not named is allowed."""

    def route(request: Request) -> Answer:
        asked = request.body["spec"]["resourceAttributes"]
        return 201, {**request.body, "status": verdicts.get(asked["resource"], {"allowed": True})}

    api.routes["POST", REVIEWS] = route


def test_each_right_is_asked_once_where_it_will_be_used(api: ScriptedApi, cluster: Cluster) -> None:
    answering(api, {"services": {"allowed": False}})
    found = review_rights(cluster, [PODS, EXEC, KUBE_DNS, NODES, PODS], PLACES)
    assert found.denied == {KUBE_DNS}
    assert not found.unknown
    asked = [request.body["spec"]["resourceAttributes"] for request in api.sent("POST", REVIEWS)]
    assert len(asked) == 4
    run = {"namespace": "aksnet-1", "resource": "pods"}
    assert {**run, "verb": "create"} in asked
    assert {**run, "verb": "get", "subresource": "exec"} in asked
    assert {"resource": "nodes", "verb": "list"} in asked
    named = {"namespace": "kube-system", "resource": "services", "verb": "get", "name": "kube-dns"}
    assert named in asked


@pytest.mark.parametrize(
    ("answer", "denied", "unknown"),
    [
        ({"allowed": True}, False, False),
        ({"allowed": False}, True, False),
        ({"allowed": False, "denied": True, "evaluationError": "x"}, True, False),
        ({"allowed": False, "evaluationError": "webhook timed out"}, False, True),
        ({"allowed": True, "evaluationError": "role not found"}, False, False),
    ],
)
def test_an_authorizer_that_failed_is_no_denial(
    api: ScriptedApi, cluster: Cluster, answer: Json, denied: bool, unknown: bool
) -> None:
    answering(api, {"pods": answer})
    found = review_rights(cluster, [PODS], PLACES)
    assert (PODS in found.denied, PODS in found.unknown) == (denied, unknown)


def test_a_review_that_fails_is_no_denial(api: ScriptedApi, cluster: Cluster) -> None:
    api.answer("POST", REVIEWS, status(403, "Forbidden", "reviews are not for you"))
    found = review_rights(cluster, [PODS], PLACES)
    assert not found.denied
    assert "reviews are not for you" in found.unknown[PODS]


def namespace(level: str) -> Json:
    return {"metadata": {"name": "aksnet-1", "labels": {ENFORCE: level}}}


def pod(**request: object) -> Json:
    wanted = ProbePodRequest(
        namespace="n",
        name="p",
        node="a",
        image="i",
        command=lambda _: ["true"],
        **request,  # type: ignore[arg-type]
    )
    return pod_manifest(wanted, "p", 0)


def look(cluster: Cluster, *, host_network: bool = True) -> Preflight:
    return look_ahead(
        cluster,
        rights=[PODS],
        places=PLACES,
        namespace=namespace,
        host_network=host_network,
        pods={"": pod(), "host-network": pod(host_network=True)},
    )


def admitting(api: ScriptedApi, **by_level: Answer | str) -> None:
    """What admission makes of a namespace of each level: an answer, or another level."""
    answering(api, {})

    def route(request: Request) -> Answer:
        assert request.query["dryRun"] == "All"
        said = by_level.get(request.body["metadata"]["labels"][ENFORCE], "")
        if isinstance(said, tuple):
            return said
        return 201, namespace(said) if said else request.body

    api.routes["POST", NAMESPACES] = route


REFUSED = status(403, "Forbidden", 'admission webhook "v" denied the request: no privileged')


def test_everything_is_possible(api: ScriptedApi, cluster: Cluster) -> None:
    admitting(api)
    found = look(cluster)
    assert (found.level, found.no_namespace, found.impossible) == ("privileged", "", {})


def test_without_host_network_baseline_is_all_that_is_asked(
    api: ScriptedApi, cluster: Cluster
) -> None:
    admitting(api, privileged=REFUSED)
    found = look(cluster, host_network=False)
    assert (found.level, found.no_namespace) == ("baseline", "")


def test_baseline_is_taken_where_privileged_is_refused(api: ScriptedApi, cluster: Cluster) -> None:
    admitting(api, privileged=REFUSED)
    found = look(cluster)
    assert (found.level, found.no_namespace) == ("baseline", "")
    assert "baseline, which forbids hostNetwork" in found.impossible["host-network"]
    assert "no privileged" in found.impossible["host-network"]


def test_a_webhook_may_lower_the_level(api: ScriptedApi, cluster: Cluster) -> None:
    admitting(api, privileged="restricted")
    found = look(cluster)
    assert (found.level, found.no_namespace) == ("restricted", "")
    assert "restricted, which forbids hostNetwork" in found.impossible["host-network"]


def test_no_namespace_at_all(api: ScriptedApi, cluster: Cluster) -> None:
    denied = status(400, "BadRequest", 'admission webhook "v" denied the request: not by you')
    admitting(api, privileged=denied, baseline=denied)
    assert "which are refused (the API server refused with 400" in look(cluster).no_namespace


@pytest.mark.parametrize(
    "answer",
    [
        status(400, "BadRequest", 'admission webhook "v" does not support dry run'),
        status(500, "InternalError", "failed calling webhook"),
    ],
)
def test_what_admission_cannot_say_is_left_to_the_run(
    api: ScriptedApi, cluster: Cluster, answer: Answer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pytest_aksnet.cluster.rest.ATTEMPTS", 1)
    admitting(api, privileged=answer)
    found = look(cluster)
    assert (found.level, found.no_namespace, found.impossible) == ("privileged", "", {})


def test_who_may_not_create_namespaces_is_not_asked_further(
    api: ScriptedApi, cluster: Cluster
) -> None:
    answering(api, {"namespaces": {"allowed": False}})
    creating = Right(resource="namespaces", verb="create", where=Where.CLUSTER)
    found = look_ahead(
        cluster,
        rights=[creating],
        places=PLACES,
        namespace=namespace,
        host_network=True,
        pods={},
    )
    assert found.denied == {creating}
    assert not api.sent("POST", NAMESPACES)


@pytest.mark.parametrize(
    ("manifest", "level", "forbids"),
    [
        (pod(), "restricted", ""),
        (pod(host_network=True), "privileged", ""),
        (pod(host_network=True), "baseline", "hostNetwork"),
        (pod(capabilities=("NET_RAW",)), "privileged", ""),
        (pod(capabilities=("NET_RAW",)), "baseline", "the capabilities NET_RAW"),
        (pod(capabilities=("CHOWN",)), "baseline", ""),
        (pod(capabilities=("CHOWN",)), "restricted", "the capabilities CHOWN, root"),
    ],
)
def test_our_pods_and_the_levels(manifest: Json, level: str, forbids: str) -> None:
    why = why_not_admitted(manifest["spec"], level)
    assert (f"{level}, which forbids {forbids}" in why) if forbids else not why
