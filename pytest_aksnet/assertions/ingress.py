"""Verbs about what is published: which controller there is, what it is given, where it listens."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from pytest_aksnet.assertions import ingress_objects
from pytest_aksnet.assertions.looker import Reader
from pytest_aksnet.check import Engine
from pytest_aksnet.check_facts import judge_facts
from pytest_aksnet.expectations.ingress import PROGRAMMED, STATUS
from pytest_aksnet.expectations.ingress_controllers import Controller, controller_named, rank
from pytest_aksnet.model.api import Json
from pytest_aksnet.model.errors import ControlFailed, NotApplicable
from pytest_aksnet.model.ingress import HTTP_PORT, Front, PathRule
from pytest_aksnet.model.observation import FactSheet
from pytest_aksnet.model.peers import ServiceRef
from pytest_aksnet.model.verdict import Outcome, Verdict
from pytest_aksnet.probes.self_signed import SelfSigned

Make = Callable[..., Json]
"""The fixture `manifest`."""


class Changer(Protocol):
    """The fixture `manifest`, as far as it changes what it made."""

    def change(self, made: Json, changes: Mapping[str, Any]) -> Json:
        """Change an object by a JSON merge patch."""
        ...


_NETWORKING = "/apis/networking.k8s.io/v1"
_GATEWAYS = f"/apis/{ingress_objects.GATEWAY_API}"
_DEFAULT_CLASS = "ingressclass.kubernetes.io/is-default-class"
_POLL_S = 0.1
_ALB_ANNOTATIONS = "alb.networking.azure.io/"


class PublishingClass:
    """An IngressClass or a GatewayClass of the cluster, and what is known of its controller."""

    def __init__(self, engine: Engine, name: str, controller: str) -> None:
        self._engine = engine
        self.name = name
        self.known: Controller = controller_named(controller)

    def publish(
        self,
        make: Make,
        rules: Sequence[PathRule],
        *,
        certificates: Sequence[SelfSigned] = (),
        annotations: Mapping[str, str] | None = None,
    ) -> Front:
        """Create an Ingress with these rules, and a Secret for each certificate.

        Raises ControlFailed where no address of the controller becomes known.
        """
        place = rules[0].service.namespace
        secrets = {
            one.host: make(ingress_objects.secret(one), namespace=place)["metadata"]["name"]
            for one in certificates
        }
        value = ingress_objects.ingress(self.name, rules, tls=secrets, annotations=annotations)
        return self.front(make(value, namespace=place))

    def front(self, made: Json) -> Front:
        """Where an Ingress of this class is served. Raises ControlFailed where nobody says."""
        own = self._own_service()
        return self._front_of_service(own) if own else self._front_by_status(made)

    def publish_canary(self, make: Make, rules: Sequence[PathRule], percent: int) -> None:
        """Have these rules' Services take `percent` of what others get for the same path.

        Raises NotApplicable where the controller has no such annotations.
        """
        if not self.known.canary:
            raise NotApplicable(
                f"{self.known.product} has no canary annotations for Ingress "
                f"({self.known.source}); its weights are those of HTTPRoute"
            )
        annotations = {
            f"{self.known.canary}canary": "true",
            f"{self.known.canary}canary-weight": str(percent),
        }
        value = ingress_objects.ingress(self.name, rules, annotations=annotations)
        make(value, namespace=rules[0].service.namespace)

    def redirecting(self) -> Mapping[str, str]:
        """The annotations that have HTTP redirected to HTTPS. Raises NotApplicable."""
        if self.known.redirect is None:
            raise NotApplicable(
                f"no annotation is known that makes {self.known.product} redirect HTTP to HTTPS"
            )
        return self.known.redirect

    def assert_status_address(self, made: Json) -> Front:
        """An Ingress gets the address at which it is served; what answers there is not looked at.

        Raises ConformanceFailure where none comes, NotApplicable where the controller has none
        outside the cluster.
        """
        self._require_outside_address()
        address = self._assert_address(made, "status.loadBalancer", STATUS)
        where = f"{self.known.product} at the address of the Ingress"
        return Front(what=where, host=address, patience_s=self.known.patience_s)

    def _require_outside_address(self) -> None:
        service = self._own_service()
        if service is None:
            return
        where = f"{service['metadata']['namespace']}/{service['metadata']['name']}"
        if service["spec"].get("type") != "LoadBalancer":
            raise NotApplicable(
                f"Service {where} of {self.known.product} is of type {service['spec'].get('type')}:"
                " it has no address outside the cluster"
            )
        on_azure = self._engine.profile.get("cloud") == "azure"
        if not _status_addresses(service) and not on_azure:
            raise NotApplicable(
                f"nobody gives Services of type LoadBalancer an address here: {where} has none, "
                "and the cluster is not known to be on Azure"
            )

    def _assert_address(self, made: Json, field: str, source: str) -> str:
        address = self._awaited_address(made)
        kind, metadata = made["kind"], made["metadata"]
        where = f"{kind} {metadata['namespace']}/{metadata['name']}"
        sentence = (
            f"{where} of class {self.name} should get the address of its controller in {field} "
            f"within {self.known.patience_s:.0f} s; "
            + (f"it is {address}" if address else "there is none")
        )
        judge_facts(
            self._engine,
            FactSheet(what=f"the address of a {kind}", source=where, facts={"address": address}),
            Verdict(
                outcome=Outcome.PASS if address else Outcome.FAIL, sentence=sentence, source=source
            ),
            by_hand=(
                *("kubectl", "get", kind.lower(), "-n", metadata["namespace"], metadata["name"]),
            ),
        )
        return address

    def create(self, make: Make, rules: Sequence[PathRule]) -> Json:
        """Create an Ingress with these rules, as the API server completed it."""
        place = rules[0].service.namespace
        return make(ingress_objects.ingress(self.name, rules), namespace=place)

    def change(self, make: Changer, made: Json, rules: Sequence[PathRule]) -> Json:
        """Have an Ingress say these rules instead."""
        return make.change(made, {"spec": ingress_objects.ingress(self.name, rules)["spec"]})

    # -- Gateway API -----------------------------------------------------------------------

    def publish_routes(
        self,
        make: Make,
        host: str,
        paths: Sequence[tuple[PathRule, Mapping[ServiceRef, int]]],
    ) -> Front:
        """Create a Gateway, and an HTTPRoute of a host with weights for each path.

        Raises ConformanceFailure where the Gateway gets no address.
        """
        place = paths[0][0].service.namespace
        annotations = {**self.known.gateway_annotations, **self._annotations_of_others()}
        gateway = make(ingress_objects.gateway(self.name, annotations), namespace=place)
        make(ingress_objects.http_route(gateway["metadata"]["name"], host, paths), namespace=place)
        return self._front_at(self._assert_address(gateway, "status.addresses", PROGRAMMED))

    def _annotations_of_others(self) -> Json:
        """Which Application Gateway for Containers others of this class use."""
        for one in self._engine.api.items(f"{_GATEWAYS}/gateways"):
            if one["spec"].get("gatewayClassName") == self.name:
                found = one["metadata"].get("annotations") or {}
                return {k: v for k, v in found.items() if k.startswith(_ALB_ANNOTATIONS)}
        return {}

    # -- where it listens ------------------------------------------------------------------

    def _own_service(self) -> Json | None:
        """The controller's Service by its labels, where there is just one."""
        labels = self.known.service_labels
        if not labels:
            return None
        selector = ",".join(f"{key}={value}" for key, value in labels.items())
        deadline = self._engine.now() + self._engine.pacing.patience_s
        while True:
            query = {"labelSelector": selector}
            found = [
                one
                for one in self._engine.api.items("/api/v1/services", query)
                if HTTP_PORT in {port["port"] for port in one["spec"].get("ports") or []}
                and one["spec"].get("clusterIP") not in (None, "", "None")
            ]
            if len(found) == 1:
                return found[0]
            if found or self._engine.now() >= deadline:
                return None
            self._engine.rest(_POLL_S)

    def _front_by_status(self, made: Json) -> Front:
        address = self._awaited_address(made)
        if not address:
            metadata = made["metadata"]
            raise ControlFailed(
                f"{made['kind']} {metadata['namespace']}/{metadata['name']} of class {self.name} "
                f"got no address within {self.known.patience_s:.0f} s and no Service of "
                f"{self.known.product} is known, so there is nowhere to look"
            )
        return self._front_at(address)

    def _front_at(self, address: str) -> Front:
        for service in self._engine.api.items("/api/v1/services"):
            if address in _addresses(service):
                return self._front_of_service(service)
        return Front(
            what=f"{self.known.product} ({address})",
            host=address,
            patience_s=self.known.patience_s,
        )

    def _front_of_service(self, service: Json) -> Front:
        metadata = service["metadata"]
        return Front(
            what=f"{self.known.product}, Service {metadata['namespace']}/{metadata['name']}",
            host=service["spec"]["clusterIP"],
            patience_s=self.known.patience_s,
            in_cluster=True,
        )

    def _awaited_address(self, made: Json) -> str:
        """The first address in the status of an Ingress or Gateway; empty where none comes."""
        metadata = made["metadata"]
        plural = "gateways" if made["kind"] == "Gateway" else "ingresses"
        root = _GATEWAYS if made["kind"] == "Gateway" else _NETWORKING
        path = f"{root}/namespaces/{metadata['namespace']}/{plural}/{metadata['name']}"
        deadline = self._engine.now() + self.known.patience_s
        while True:
            found = _status_addresses(self._engine.api.get(path) or {})
            if found or self._engine.now() >= deadline:
                return found[0] if found else ""
            self._engine.rest(_POLL_S)


class IngressInventoryVerbs(Reader):
    """Which controllers publish Services here."""

    def ingress_class(self) -> PublishingClass:
        """The cluster's IngressClass: its default one, else the best known.

        Raises NotApplicable where there is none.
        """
        classes = self._engine.api.items(f"{_NETWORKING}/ingressclasses")
        return self._chosen_class(classes, "controller", "IngressClass")

    def gateway_class(self) -> PublishingClass:
        """The cluster's GatewayClass. Raises NotApplicable where there is none."""
        classes = self._engine.api.items(f"{_GATEWAYS}/gatewayclasses")
        return self._chosen_class(classes, "controllerName", "GatewayClass")

    def _chosen_class(self, classes: Sequence[Json], field: str, kind: str) -> PublishingClass:
        if not classes:
            raise NotApplicable(
                f"the cluster has no {kind}, so no controller of that kind publishes anything here"
            )

        def order(one: Json) -> tuple[Any, ...]:
            annotations = one["metadata"].get("annotations") or {}
            default = annotations.get(_DEFAULT_CLASS) == "true"
            return (*rank(str(one["spec"].get(field)), default=default), one["metadata"]["name"])

        best = min(classes, key=order)
        return PublishingClass(self._engine, best["metadata"]["name"], str(best["spec"].get(field)))


def _status_addresses(value: Json) -> list[str]:
    status = value.get("status") or {}
    gateway = [str(one["value"]) for one in status.get("addresses") or [] if one.get("value")]
    ingress = (status.get("loadBalancer") or {}).get("ingress") or []
    return gateway + [str(one.get("ip") or one.get("hostname")) for one in ingress]


def _addresses(service: Json) -> set[str]:
    """Every address and name under which a Service with a cluster address is known."""
    spec, metadata = service["spec"], service["metadata"]
    if spec.get("clusterIP") in (None, "", "None"):
        return set()
    host = f"{metadata['name']}.{metadata['namespace']}.svc"
    return {spec["clusterIP"], host, *_status_addresses(service)}
