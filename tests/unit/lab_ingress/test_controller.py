"""What the ingress controller makes of objects, without a cluster: nginx.conf and statuses."""

import base64
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from pytest_aksnet.lab.ingress_controller import nginx_conf, status
from pytest_aksnet.lab.ingress_controller.translate import (
    CLASS,
    GATEWAY_CLASS,
    Cluster,
    plan_of,
)

Object = dict[str, Any]
CERTIFICATE = base64.b64encode(b"CERT").decode()


def ingress(name: str, *paths: tuple[str, str, str, str], tls: str = "", class_name: str = CLASS,
            **annotations: str) -> Object:  # fmt: skip
    """Paths are (host, path, kind, Service)."""
    rules = [
        {
            "host": host,
            "http": {
                "paths": [
                    {
                        "path": path,
                        "pathType": kind,
                        "backend": {"service": {"name": service, "port": {"number": 80}}},
                    }
                ]
            },
        }
        for host, path, kind, service in paths
    ]
    prefix = "nginx.ingress.kubernetes.io/"
    spec: Object = {"ingressClassName": class_name, "rules": rules}
    if tls:
        spec["tls"] = [{"hosts": [paths[0][0]], "secretName": tls}]
    return {
        "metadata": {
            "namespace": "ns",
            "name": name,
            "annotations": {prefix + k.replace("_", "-"): v for k, v in annotations.items()},
        },
        "spec": spec,
    }


def service(name: str) -> Object:
    return {
        "metadata": {"namespace": "ns", "name": name},
        "spec": {"ports": [{"name": "web", "port": 80}]},
    }


def endpoints(name: str, *addresses: str, unready: str = "") -> Object:
    found = [{"addresses": [one], "conditions": {"ready": True}} for one in addresses]
    if unready:
        found.append({"addresses": [unready], "conditions": {"ready": False}})
    labels = {"kubernetes.io/service-name": name}
    return {
        "metadata": {"namespace": "ns", "name": f"{name}-x", "labels": labels},
        "addressType": "IPv4",
        "ports": [{"name": "web", "port": 8080}],
        "endpoints": found,
    }


def cluster(*ingresses: Object, defects: str = "", **more: Any) -> Cluster:
    secret = {"type": "kubernetes.io/tls", "data": {"tls.crt": CERTIFICATE, "tls.key": CERTIFICATE}}
    return Cluster(
        ingresses=ingresses,
        services={("ns", name): service(name) for name in ("a", "b", "empty")},
        slices=[endpoints("a", "10.0.0.1"), endpoints("b", "10.0.0.2", unready="10.0.0.3")],
        secrets={("ns", "cert"): secret},
        defects=frozenset(defects.split()),
        **more,
    )


def conf(found: Cluster) -> str:
    return nginx_conf.nginx_conf(plan_of(found), found.defects)


def server(text: str, host: str) -> str:
    """The server block of a host."""
    [block] = [part for part in text.split("  server {\n") if f"server_name {host};" in part]
    return block


def test_only_our_class_is_served() -> None:
    assert "a.example" not in conf(cluster(ingress("x", ("a.example", "/", "Prefix", "a"),
                                                   class_name="other")))  # fmt: skip


def test_prefixes_match_by_elements_and_exact_paths_go_first() -> None:
    paths = (
        ("a.example", "/", "Prefix", "a"),
        ("a.example", "/shop", "Prefix", "b"),
        ("a.example", "/shop", "Exact", "a"),
    )
    block = server(conf(cluster(ingress("x", *paths))), "a.example")
    assert block.count('location = "/shop"') == 1
    exact = block.index('location = "/shop"')
    assert block.index("location ") == exact
    assert 'location "/shop/"' in block
    assert 'location "/"' in block


def test_only_ready_endpoints_are_backends_and_none_is_an_error_at_once() -> None:
    rules = (("b.example", "/", "Prefix", "b"), ("e.example", "/", "Prefix", "empty"))
    text = conf(cluster(ingress("x", *rules)))
    assert "server 10.0.0.2:8080;" in text
    assert "10.0.0.3" not in text
    assert "return 503" in server(text, "e.example")
    assert "10.0.0.3" in conf(cluster(ingress("x", *rules), defects="unready-endpoints"))


def test_a_canary_takes_its_share_of_the_same_path() -> None:
    main = ingress("x", ("a.example", "/", "Prefix", "a"))
    canary = ingress("y", ("a.example", "/", "Prefix", "b"), canary="true", canary_weight="30")
    text = conf(cluster(main, canary))
    assert "70.00% up_" in text
    assert "proxy_pass http://$split_" in server(text, "a.example")
    assert "split_clients" not in conf(cluster(main, canary, defects="weights-ignored"))


def test_tls_has_the_certificate_of_its_secret_and_redirects() -> None:
    text = conf(cluster(ingress("x", ("a.example", "/", "Prefix", "a"), tls="cert")))
    block = server(text, "a.example")
    assert "ssl_certificate /run/ingress/tls/ns_cert.crt;" in block
    assert "return 308 https://" in block
    text = conf(cluster(ingress("x", ("a.example", "/", "Prefix", "a"), tls="missing")))
    assert "ssl_certificate /run/ingress/tls/_default.crt;" in server(text, "a.example")


GATEWAY: Object = {
    "metadata": {"namespace": "ns", "name": "g", "generation": 1},
    "spec": {
        "gatewayClassName": GATEWAY_CLASS,
        "listeners": [{"name": "http", "port": 80, "protocol": "HTTP"}],
    },
}
ROUTE: Object = {
    "metadata": {"namespace": "ns", "name": "r", "generation": 2},
    "spec": {
        "parentRefs": [{"name": "g"}],
        "hostnames": ["g.example"],
        "rules": [
            {
                "matches": [{"path": {"type": "PathPrefix", "value": "/x"}}],
                "backendRefs": [
                    {"name": "a", "port": 80, "weight": 9},
                    {"name": "b", "port": 80, "weight": 1},
                ],
            }
        ],
    },
}


def test_a_route_is_served_through_a_gateway_that_takes_it() -> None:
    text = conf(cluster(gateways=[GATEWAY], http_routes=[ROUTE]))
    assert "90.00% up_" in text
    assert 'location "/x/"' in server(text, "g.example")
    elsewhere = {**ROUTE, "metadata": {"namespace": "other", "name": "r"}}
    assert "g.example" not in conf(cluster(gateways=[GATEWAY], http_routes=[elsewhere]))


def test_statuses_are_written_once() -> None:
    one = ingress("x", ("a.example", "/", "Prefix", "a"))
    found = cluster(one, gateways=[GATEWAY], http_routes=[ROUTE])
    written = dict(status.patches(found, [], ["20.0.0.1"]))
    assert list(written) == [
        "/apis/networking.k8s.io/v1/namespaces/ns/ingresses/x/status",
        "/apis/gateway.networking.k8s.io/v1/namespaces/ns/gateways/g/status",
        "/apis/gateway.networking.k8s.io/v1/namespaces/ns/httproutes/r/status",
    ]
    after = [
        {**old, **new} for old, new in zip((one, GATEWAY, ROUTE), written.values(), strict=True)
    ]
    again = cluster(after[0], gateways=[after[1]], http_routes=[after[2]])
    assert list(status.patches(again, [], ["20.0.0.1"])) == []
    assert not [path for path in dict(status.patches(found, [], [])) if "ingresses" in path]


@pytest.mark.skipif(not shutil.which("nginx", path="/usr/sbin:/usr/bin"), reason="no nginx here")
@pytest.mark.parametrize(
    "defects",
    ["", "wrong-backend", "path-order", "catch-all", "hangs-without-endpoints no-forwarded-for"],
)
def test_nginx_takes_what_is_written(
    defects: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nginx_conf, "FOLDER", str(tmp_path))
    found = cluster(
        ingress("x", ("a.example", "/", "Prefix", "a"), ("a.example", "/b", "Exact", "b")),
        ingress("z", ("e.example", "/", "Prefix", "empty")),
        ingress("y", ("a.example", "/", "Prefix", "empty"), canary="true", canary_weight="50"),
        defects=defects,
    )
    (tmp_path / "tls").mkdir()
    certificate, key = nginx_conf.certificate_files(("", "default"))
    curve = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    argv = [
        "openssl",
        "req",
        "-x509",
        *curve,
        "-subj",
        "/CN=x",
        "-keyout",
        key,
        "-out",
        certificate,
    ]
    subprocess.run(argv, check=True, capture_output=True)
    file = tmp_path / "nginx.conf"
    file.write_text(conf(found))
    tested = subprocess.run(
        ["/usr/sbin/nginx", "-t", "-q", "-c", str(file)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert "[emerg]" not in tested.stderr or "bind()" in tested.stderr, tested.stderr
