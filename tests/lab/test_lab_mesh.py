"""The lab's service mesh: sidecars, mutual TLS, identities, weights; and each of its faults."""

import itertools
import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest

from tests.lab.header_server import READY, tells_header
from tests.lab.running_lab import RunningLab, start_lab
from tests.lab.user import User

REVISION = "asm-1-27"
HEADER = "X-Forwarded-Client-Cert"
SERIAL = itertools.count(1)


class Mesh:
    """Two versions of an application and a client in the mesh, and somebody outside of it."""

    def __init__(self, inside: User, outside: User) -> None:
        self.inside, self.outside = inside, outside
        body = {"metadata": {"labels": {"istio.io/rev": REVISION}}}
        inside.core.patch_namespace(inside.namespace, body)
        for name in ("one", "two"):
            self.serve(inside, name, {"app": "app", "version": name})
        self.serve(outside, "plain", {"app": "plain"})
        inside.create_pod("client")
        outside.create_pod("client")
        inside.create_service("app")
        outside.create_service("plain")
        inside.ready("one", "two", "client")
        outside.ready("plain", "client")

    def serve(self, user: User, name: str, labels: Mapping[str, str]) -> None:
        user.create_pod(name, command=tells_header(HEADER), labels=labels, container=READY)

    def get(
        self, user: User, service: str = "app", *, of: User | None = None, headers: str = "A: b"
    ) -> dict[str, Any]:
        """What a Service of the inner namespace answers; "error" of what is no answer."""
        host = f"{service}.{(of or self.inside).namespace}"
        argv = ("curl", "-s", "-m", "3", "-H", headers, f"http://{host}/")
        done = user.run("client", *argv)
        return dict(json.loads(done.stdout)) if done.stdout else {"error": done.code}

    def pods(self, count: int) -> Counter[str]:
        """Who answers so many requests of the inner client."""
        argv = ("bash", "-c", 'for i in $(seq "$1"); do curl -s -m 3 "$2"; echo; done', "bash")
        url = f"http://app.{self.inside.namespace}/"
        said = self.inside.run("client", *argv, str(count), url).stdout.split("\n")
        return Counter(json.loads(one)["pod"] for one in said if one)

    def authentication(self, mode: str, **spec: object) -> None:
        self._create(
            "security.istio.io", "peerauthentications", "PeerAuthentication",
            {"mtls": {"mode": mode}, **spec},
        )  # fmt: skip

    def split(self, **weights: int) -> None:
        subsets = [{"name": name, "labels": {"version": name}} for name in weights]
        route = [
            {"destination": {"host": "app", "subset": name}, "weight": weight}
            for name, weight in weights.items()
        ]
        group = "networking.istio.io"
        rule = {"host": "app", "subsets": subsets}
        self._create(group, "destinationrules", "DestinationRule", rule)
        service = {"hosts": ["app"], "http": [{"route": route}]}
        self._create(group, "virtualservices", "VirtualService", service)

    def _create(self, group: str, plural: str, kind: str, spec: Mapping[str, object]) -> None:
        body = {
            "apiVersion": f"{group}/v1",
            "kind": kind,
            "metadata": {"name": f"made-{next(SERIAL)}"},
            "spec": spec,
        }
        self.inside.custom.create_namespaced_custom_object(
            group, "v1", self.inside.namespace, plural, body
        )

    def containers(self, name: str) -> set[str]:
        spec = self.inside.pod(name).spec
        return {one.name for one in (*(spec.init_containers or []), *spec.containers)}


@pytest.fixture(scope="module")
def mesh_lab() -> Iterator[RunningLab]:
    lab = start_lab(settings=("mesh=istio",))
    yield lab
    lab.end()


@pytest.fixture
def mesh(mesh_lab: RunningLab) -> Iterator[Mesh]:
    with User(mesh_lab) as inside, User(mesh_lab) as outside:
        yield Mesh(inside, outside)
        inside.heal_all()


def test_sidecars_encrypt_tell_identities_and_share_out(mesh: Mesh) -> None:
    inside, outside = mesh.inside, mesh.outside
    assert mesh.containers("one") == {"istio-init", "istio-proxy", "main"}
    own = f"URI=spiffe://cluster.local/ns/{inside.namespace}/sa/default"
    assert mesh.get(inside)["header"].split(";")[-1] == own
    forged = mesh.get(outside, headers=f"{HEADER}: {own}")
    assert forged["header"] is None, "what a client without a certificate says is taken away"
    mesh.split(one=100, two=0)
    inside.eventually(lambda: mesh.pods(20) == {"one": 20}, "one has the whole weight")
    mesh.authentication("STRICT")
    inside.eventually(lambda: mesh.get(outside) == {"error": 56}, "plaintext is reset")
    assert mesh.get(inside)["pod"] == "one"
    assert inside.seen_by("client", inside.pod_ip("two")) == "", "not a Service: no mutual TLS"
    assert mesh.get(inside, "plain", of=outside)["pod"] == "plain"
    whole = ("curl", "-sk", "-m", "3", "https://kubernetes.default/version")
    assert "gitVersion" in inside.run("client", *whole).stdout
    mesh.authentication("PERMISSIVE", selector={"matchLabels": {"version": "one"}})
    inside.eventually(lambda: "pod" in mesh.get(outside), "that of the workload counts")


@pytest.mark.thorough
def test_each_fault_of_the_mesh_shows_and_heals(mesh: Mesh) -> None:
    inside, outside = mesh.inside, mesh.outside

    def shows(condition: Callable[[], bool], what: str) -> None:
        inside.eventually(condition, what)

    inside.inject("mesh-injection-off")
    inside.create_pod("bare")
    assert mesh.containers("bare") == {"main"}
    inside.heal("mesh-injection-off")
    inside.create_pod("meshed")
    assert "istio-proxy" in mesh.containers("meshed")

    mesh.split(one=100, two=0)
    shows(lambda: mesh.pods(20) == {"one": 20}, "one has the whole weight")
    inside.inject("mesh-weights-ignored")
    shows(lambda: len(mesh.pods(30)) == 2, "both get requests")
    inside.heal("mesh-weights-ignored")
    shows(lambda: mesh.pods(20) == {"one": 20}, "one has the whole weight again")

    inside.inject("mesh-blocks-outside")
    shows(lambda: "error" in mesh.get(inside, "plain", of=outside), "it is not reached")
    assert "pod" in mesh.get(inside)
    inside.heal("mesh-blocks-outside")
    shows(lambda: "pod" in mesh.get(inside, "plain", of=outside), "it is reached")

    mesh.authentication("STRICT")
    shows(lambda: "error" in mesh.get(outside), "plaintext is refused")
    inside.inject("mesh-permissive")
    shows(lambda: "pod" in mesh.get(outside), "plaintext is taken")
    inside.heal("mesh-permissive")
    shows(lambda: "error" in mesh.get(outside), "plaintext is refused again")

    def identity() -> str:
        inside.core.delete_namespaced_pod("client", inside.namespace, grace_period_seconds=0)
        shows(lambda: "client" not in names(inside), "the client is gone")
        inside.create_pod("client")
        inside.ready("client")
        return str(mesh.get(inside)["header"]).rpartition("URI=")[2]

    inside.inject("mesh-identity-wrong")
    assert identity() == "spiffe://cluster.local/ns/default/sa/default"
    inside.heal("mesh-identity-wrong")
    assert identity() == f"spiffe://cluster.local/ns/{inside.namespace}/sa/default"


def names(user: User) -> set[str]:
    return {pod.metadata.name for pod in user.core.list_namespaced_pod(user.namespace).items}
