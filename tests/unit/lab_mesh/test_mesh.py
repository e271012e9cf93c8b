"""What the lab's mesh makes of objects, without a cluster: sidecars in pods, and what they hear."""

import json
from typing import Any

import pytest

from pytest_aksnet.lab.controllers import mesh_injection
from pytest_aksnet.lab.mesh.translate import Cluster, config_of

Object = dict[str, Any]
HTTP_PORT = 8080


def pod(name: str, address: str, *, place: str = "a", meshed: bool = True, **labels: str) -> Object:
    containers = [{"name": "main"}, *([{"name": "istio-proxy"}] if meshed else [])]
    return {
        "metadata": {"namespace": place, "name": name, "labels": labels},
        "spec": {"containers": containers},
        "status": {"podIP": address},
    }


def authentication(mode: str, *, place: str = "a", **labels: str) -> Object:
    selector = {"selector": {"matchLabels": labels}} if labels else {}
    return {"metadata": {"namespace": place}, "spec": {"mtls": {"mode": mode}, **selector}}


def cluster(*pods: Object, **others: Any) -> Cluster:
    service = {
        "metadata": {"namespace": "a", "name": "web"},
        "spec": {"clusterIP": "10.0.0.9", "ports": [{"port": 80, "protocol": "TCP"}]},
    }
    endpoints = [{"addresses": [one["status"]["podIP"]]} for one in pods]
    piece = {
        "metadata": {"namespace": "a", "labels": {"kubernetes.io/service-name": "web"}},
        "addressType": "IPv4",
        "endpoints": endpoints,
        "ports": [{"port": HTTP_PORT}],
    }
    whole: Object = {
        "services": [service],
        "slices": [piece],
        "pods": pods,
        "authentications": [],
        "virtual_services": [],
        "destination_rules": [],
        "root": "root",
        **others,
    }
    return Cluster(**whole)


@pytest.mark.parametrize(
    ("authentications", "expected"),
    [
        ([], "PERMISSIVE"),
        ([authentication("STRICT", place="other")], "PERMISSIVE"),
        ([authentication("STRICT", place="root")], "STRICT"),
        ([authentication("STRICT"), authentication("PERMISSIVE", place="root")], "STRICT"),
        ([authentication("PERMISSIVE", version="v1"), authentication("STRICT")], "PERMISSIVE"),
        ([authentication("PERMISSIVE", version="v2"), authentication("STRICT")], "STRICT"),
        ([authentication("UNSET"), authentication("STRICT", place="root")], "STRICT"),
    ],
)
def test_the_closest_authentication_counts(authentications: list[Object], expected: str) -> None:
    one = pod("one", "10.1.0.1", version="v1")
    config = config_of(cluster(one, authentications=authentications))
    assert config["modes"] == {"10.1.0.1": expected}


def test_endpoints_say_whether_they_are_in_the_mesh() -> None:
    pods = (pod("one", "10.1.0.1"), pod("two", "10.1.0.2", meshed=False))
    [split] = config_of(cluster(*pods))["services"]["10.0.0.9:80"]["splits"]
    assert {one["address"]: one["mesh"] for one in split["endpoints"]} == {
        "10.1.0.1": True,
        "10.1.0.2": False,
    }


def test_weights_go_to_the_pods_of_their_subsets() -> None:
    pods = (pod("one", "10.1.0.1", version="v1"), pod("two", "10.1.0.2", version="v2"))
    place = {"namespace": "a"}
    names = ("v1", "v2")
    rule = {
        "host": "web",
        "subsets": [{"name": name, "labels": {"version": name}} for name in names],
    }
    route = [{"destination": {"host": "web", "subset": name}, "weight": 50} for name in names]
    rules: Object = {
        "destination_rules": [{"metadata": place, "spec": rule}],
        "virtual_services": [
            {
                "metadata": place,
                "spec": {"hosts": ["web.a.svc.cluster.local"], "http": [{"route": route}]},
            }
        ],
    }
    splits = config_of(cluster(*pods, **rules))["services"]["10.0.0.9:80"]["splits"]
    assert [[one["address"] for one in split["endpoints"]] for split in splits] == [
        ["10.1.0.1"],
        ["10.1.0.2"],
    ]
    broken = cluster(*pods, **rules, defects=frozenset({"weights-ignored"}))
    assert len(config_of(broken)["services"]["10.0.0.9:80"]["splits"]) == 1


@pytest.mark.parametrize(
    ("labels", "own", "network", "expected"),
    [
        ({"istio.io/rev": "asm-1-27"}, {}, False, True),
        ({"istio-injection": "enabled"}, {}, False, True),
        ({"istio.io/rev": "asm-1-26"}, {}, False, False),
        ({}, {}, False, False),
        ({"istio.io/rev": "asm-1-27"}, {"sidecar.istio.io/inject": "false"}, False, False),
        ({"istio.io/rev": "asm-1-27"}, {}, True, False),
    ],
)
def test_who_gets_a_sidecar(
    labels: dict[str, str], own: dict[str, str], network: bool, expected: bool
) -> None:
    namespace = {"metadata": {"labels": labels}}
    wanted: Object = {"metadata": {"labels": own}, "spec": {"hostNetwork": network}}
    assert mesh_injection.wanted(namespace, wanted) is expected


def test_probes_of_the_application_go_through_the_sidecar() -> None:
    main = {
        "name": "main",
        "ports": [{"name": "web", "containerPort": HTTP_PORT}],
        "readinessProbe": {"tcpSocket": {"port": "web"}, "periodSeconds": 1},
        "livenessProbe": {"httpGet": {"path": "/alive", "port": HTTP_PORT}},
        "startupProbe": {"exec": {"command": ["true"]}},
    }
    whole: Object = {"metadata": {}, "spec": {"containers": [main]}}
    mesh_injection.inject(whole, secret="istio.x", identity="spiffe://x", istiod="istiod:15010")
    [init, proxy] = whole["spec"]["initContainers"]
    assert (init["name"], proxy["name"]) == ("istio-init", "istio-proxy")
    assert proxy["restartPolicy"] == "Always"
    environment = {one["name"]: one.get("value") for one in proxy["env"]}
    assert json.loads(environment["ISTIO_KUBE_APP_PROBERS"]) == {
        "/app-health/main/readyz": {"port": HTTP_PORT},
        "/app-health/main/livez": {"port": HTTP_PORT, "path": "/alive"},
    }
    assert main["readinessProbe"] == {
        "periodSeconds": 1,
        "httpGet": {"path": "/app-health/main/readyz", "port": 15020},
    }
    assert main["startupProbe"] == {"exec": {"command": ["true"]}}
