"""The lab's ingress controller: routes, certificates, weights, statuses; and each of its faults."""

import base64
import datetime
import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.lab.header_server import READY, tells_header
from tests.lab.user import User

CLASS = "webapprouting.kubernetes.azure.com"
GATEWAY_API = "gateway.networking.k8s.io"
PLACE = "app-routing-system"
NEVER = {"readinessProbe": {"exec": {"command": ["false"]}, "periodSeconds": 1}}


class Site:
    """Two applications behind the controller, and somebody who asks for them."""

    def __init__(self, user: User) -> None:
        self.user = user
        command = tells_header("X-Forwarded-For")
        for name, ready in (("one", READY), ("two", READY), ("late", NEVER)):
            app = "two" if name == "late" else name
            user.create_pod(name, command=command, labels={"app": app}, container=ready)
        for name in ("one", "two", "nobody"):
            user.create_service(name)
        user.ready("one", "two")
        self.secret("one")
        self.secret("two")
        rules = [
            self.rule("one", "one", "/", "/two=two", "/two/one=one", "/here=two!"),
            self.rule("two", "two", "/"),
            self.rule("nobody", "nobody", "/"),
        ]
        tls = [{"hosts": [self.host(one)], "secretName": one} for one in ("one", "two")]
        plain = {"nginx.ingress.kubernetes.io/ssl-redirect": "false"}
        self.ingress("site", rules, annotations=plain, tls=tls)
        self.ingress("secure", [self.rule("secure", "one", "/")], tls=[
            {"hosts": [self.host("secure")], "secretName": "one"}
        ])  # fmt: skip
        self.ingress("main", [self.rule("split", "one", "/")])
        canary = {
            "nginx.ingress.kubernetes.io/canary": "true",
            "nginx.ingress.kubernetes.io/canary-weight": "50",
        }
        self.ingress("canary", [self.rule("split", "two", "/")], annotations=canary)

    def host(self, name: str) -> str:
        return f"{name}.{self.user.namespace}.example"

    def rule(self, host: str, service: str, *paths: str) -> dict[str, object]:
        """Paths as PATH[=SERVICE[!]]; ! means exactly that path."""
        found = []
        for text in paths:
            path, _, to = text.partition("=")
            backend = {"name": to.rstrip("!") or service, "port": {"number": 80}}
            kind = "Exact" if text.endswith("!") else "Prefix"
            found.append({"path": path, "pathType": kind, "backend": {"service": backend}})
        return {"host": self.host(host), "http": {"paths": found}}

    def ingress(self, name: str, rules: Sequence[Mapping[str, object]], *,
                annotations: dict[str, str] | None = None,
                tls: Sequence[Mapping[str, object]] = ()) -> None:  # fmt: skip
        self.user.networking.create_namespaced_ingress(
            self.user.namespace,
            {
                "metadata": {"name": name, "annotations": annotations or {}},
                "spec": {"ingressClassName": CLASS, "rules": [*rules], "tls": [*tls]},
            },
        )

    def secret(self, name: str) -> None:
        certificate, key = certificate_of(self.host(name))
        data = {
            "tls.crt": base64.b64encode(certificate).decode(),
            "tls.key": base64.b64encode(key).decode(),
        }
        body = {"metadata": {"name": name}, "type": "kubernetes.io/tls", "data": data}
        self.user.core.create_namespaced_secret(self.user.namespace, body)

    def frontend(self) -> str:
        service = self.user.core.read_namespaced_service("nginx", PLACE)
        return str(service.spec.cluster_ip)

    def get(self, name: str, path: str = "/", *, count: int = 1) -> list[tuple[int, str, str]]:
        """Status, pod and X-Forwarded-For of so many requests for a host by its name here."""
        one = ("curl", "-s", "-m", "2", "-w", "\n%{http_code}\n", "-H", f"Host: {self.host(name)}")
        url = f"http://{self.frontend()}{path}"
        many = 'for i in $(seq "$1"); do "${@:2}"; done'
        done = self.user.run("one", "bash", "-c", many, "bash", str(count), *one, url)
        found, body = [], ""
        for line in done.stdout.splitlines():
            if not line.isdigit():
                body = line or body
                continue
            said = json.loads(body) if body.startswith("{") else {}
            found.append((int(line), said.get("pod", ""), said.get("header") or ""))
            body = ""
        assert len(found) == count, done
        return found

    def pods(self, name: str, path: str = "/", *, count: int = 6) -> set[str]:
        """Who answers; "STATUS" of what is no answer of a pod."""
        return {pod or str(status) for status, pod, _ in self.get(name, path, count=count)}

    def certificate(self, name: str) -> str:
        """The name in the certificate that is shown for a host."""
        host = self.host(name)
        script = 'openssl s_client -connect "$1:443" -servername "$2" </dev/null 2>/dev/null'
        argv = ("bash", "-c", f"{script} | openssl x509 -noout -subject", "bash")
        return self.user.run("one", *argv, self.frontend(), host).stdout.strip().rpartition("= ")[2]

    def status(self, name: str) -> list[str]:
        found = self.user.networking.read_namespaced_ingress(name, self.user.namespace).status
        return [one.ip for one in (found.load_balancer.ingress or [])]


def certificate_of(host: str) -> tuple[bytes, bytes]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    return certificate.public_bytes(serialization.Encoding.PEM), key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


@pytest.fixture
def site(user: User) -> Iterator[Site]:
    found = Site(user)
    user.eventually(lambda: is_reached(found), "the controller serves")
    yield found
    user.heal_all()


def is_reached(site: Site) -> bool:
    try:
        return site.pods("one") == {"one"}
    except Exception as error:
        if "404" in str(error):
            return False
        raise


def test_hosts_paths_certificates_weights_and_statuses(site: Site) -> None:
    user = site.user
    assert site.pods("two") == {"two"}, "the pod that is not ready gets nothing"
    assert site.pods("one", "/two") == site.pods("one", "/two/x") == {"two"}
    assert site.pods("one", "/twox") == site.pods("one", "/two/one") == {"one"}
    assert site.pods("one", "/here") == {"two"}
    assert site.pods("one", "/here/x") == {"one"}
    assert site.pods("nobody") == {"503"}
    assert site.pods("unknown") == {"404"}
    assert site.get("one")[0][2] == user.pod_ip("one")
    assert [site.certificate(name) for name in ("one", "two")] == [
        site.host("one"),
        site.host("two"),
    ]
    assert site.get("secure")[0][0] == 308
    shares = Counter(pod for _, pod, _ in site.get("split", count=80))
    assert 10 < shares["one"] < 70
    assert shares["one"] + shares["two"] == 80
    service = user.core.read_namespaced_service("nginx", PLACE)
    address = service.status.load_balancer.ingress[0].ip
    user.eventually(lambda: site.status("site") == [address], "the status has the address")


@pytest.mark.thorough
def test_each_fault_of_the_ingress_controller_shows_and_heals(site: Site) -> None:
    user = site.user

    def shows(condition: Callable[[], bool], what: str) -> None:
        user.eventually(condition, what)

    shows(lambda: site.pods("split", count=40) == {"one", "two"}, "both get requests")

    user.inject("ingress-wrong-backend")
    shows(lambda: site.pods("nobody") == {"one"}, "the next host's Service answers")
    user.heal("ingress-wrong-backend")
    shows(lambda: site.pods("nobody") == {"503"}, "its own does")

    user.inject("ingress-path-order")
    shows(lambda: site.pods("one", "/two") == {"one"}, "the first path has all")
    user.heal("ingress-path-order")
    shows(lambda: site.pods("one", "/two") == {"two"}, "the longest has it")

    user.inject("ingress-catch-all")
    shows(lambda: "404" not in site.pods("unknown"), "unknown hosts are served")
    user.heal("ingress-catch-all")
    shows(lambda: site.pods("unknown") == {"404"}, "unknown hosts are not")

    user.inject("ingress-wrong-certificate")
    shows(lambda: site.certificate("one") == site.certificate("two"), "one certificate")
    user.heal("ingress-wrong-certificate")
    shows(lambda: site.certificate("two") == site.host("two"), "its own certificate")

    user.inject("ingress-no-redirect")
    shows(lambda: site.pods("secure") == {"one"}, "plain HTTP is served")
    user.heal("ingress-no-redirect")
    shows(lambda: site.pods("secure") == {"308"}, "plain HTTP is redirected")

    user.inject("ingress-weights-ignored")
    shows(lambda: site.pods("split", count=40) == {"one"}, "one gets all")
    user.heal("ingress-weights-ignored")
    shows(lambda: site.pods("split", count=40) == {"one", "two"}, "both get requests")

    user.inject("ingress-forwarded-for-dropped")
    shows(lambda: site.get("one")[0][2] == "", "the client is not told")
    user.heal("ingress-forwarded-for-dropped")
    shows(lambda: site.get("one")[0][2] == user.pod_ip("one"), "the client is told")

    user.inject("ingress-unready-endpoints")
    shows(lambda: "late" in site.pods("two", count=20), "the pod that is not ready is asked")
    user.heal("ingress-unready-endpoints")
    shows(lambda: site.pods("two", count=20) == {"two"}, "it is not")

    user.inject("ingress-hangs-without-endpoints")
    shows(lambda: site.get("nobody")[0][0] == 0, "no answer within 2 s")
    user.heal("ingress-hangs-without-endpoints")
    shows(lambda: site.pods("nobody") == {"503"}, "an error at once")

    user.inject("ingress-change-ignored")
    body = {"spec": {"rules": [site.rule("split", "nobody", "/")]}}
    user.networking.patch_namespaced_ingress("main", user.namespace, body)
    site.ingress("marker", [site.rule("marker", "one", "/")])
    shows(lambda: site.pods("marker") == {"one"}, "a new Ingress is served")
    assert site.pods("split") <= {"one", "two"}
    user.heal("ingress-change-ignored")
    shows(lambda: "503" in site.pods("split", count=20), "the change is served")

    user.inject("ingress-stale-endpoints")
    user.create_service("fresh", selector="one")
    site.ingress("fresh", [site.rule("fresh", "fresh", "/")])
    shows(lambda: site.pods("fresh") == {"503"}, "a new Service has no endpoints")
    user.heal("ingress-stale-endpoints")
    shows(lambda: site.pods("fresh") == {"one"}, "a new Service is served")

    user.inject("ingress-no-status")
    site.ingress("silent", [site.rule("silent", "one", "/")])
    shows(lambda: site.pods("silent") == {"one"}, "it is served")
    assert site.status("silent") == []
    user.heal("ingress-no-status")
    shows(lambda: site.status("silent") != [], "it has its address")

    user.inject("ingress-controller-down")
    shows(lambda: site.pods("one") == {"0"}, "nobody listens")
    user.heal("ingress-controller-down")
    shows(lambda: site.pods("one") == {"one"}, "it is served again")


def test_a_gateway_and_its_routes_have_conditions_addresses_and_weights(user: User) -> None:
    site = Site(user)
    custom = user.custom
    gateway = {
        "apiVersion": f"{GATEWAY_API}/v1",
        "kind": "Gateway",
        "metadata": {"name": "gate"},
        "spec": {
            "gatewayClassName": "nginx",
            "listeners": [{"name": "http", "port": 80, "protocol": "HTTP"}],
        },
    }
    route = {
        "apiVersion": f"{GATEWAY_API}/v1",
        "kind": "HTTPRoute",
        "metadata": {"name": "route"},
        "spec": {
            "parentRefs": [{"name": "gate"}],
            "hostnames": [site.host("routed")],
            "rules": [
                {
                    "matches": [{"path": {"type": "Exact", "value": "/one"}}],
                    "backendRefs": [{"name": "one", "port": 80}],
                },
                {
                    "backendRefs": [
                        {"name": "one", "port": 80, "weight": 1},
                        {"name": "two", "port": 80, "weight": 1},
                    ]
                },
            ],
        },
    }
    place = (GATEWAY_API, "v1", user.namespace)
    custom.create_namespaced_custom_object(*place, "gateways", gateway)
    made = custom.create_namespaced_custom_object(*place, "httproutes", route)
    assert made["spec"]["rules"][1]["matches"] == [{"path": {"type": "PathPrefix", "value": "/"}}]
    assert made["spec"]["rules"][0]["backendRefs"][0]["weight"] == 1

    def conditions(plural: str, name: str, *keys: object) -> set[str]:
        found = custom.get_namespaced_custom_object(*place, plural, name).get("status") or {}
        for key in keys:
            found = found[key] if found else {}
        return {one["type"] for one in (found or {}).get("conditions") or []}

    def has_conditions() -> bool:
        return conditions("gateways", "gate") == {"Accepted", "Programmed"} and conditions(
            "httproutes", "route", "parents", 0
        ) == {"Accepted", "ResolvedRefs"}

    user.eventually(has_conditions, "the controller takes both")
    user.eventually(lambda: site.pods("routed", count=30) == {"one", "two"}, "both get requests")
    assert site.pods("routed", "/one", count=10) == {"one"}
