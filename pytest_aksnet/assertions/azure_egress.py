"""Verbs about what ARM says that the nodes of this cluster must reach."""

from collections.abc import Mapping, Sequence

from pytest_aksnet.assertions.azure_packets import AzurePackets
from pytest_aksnet.assertions.target import AnyPod, pod_of
from pytest_aksnet.expectations.azure_egress import (
    Place,
    is_tls,
    judge_required_egress,
    on_the_way_out,
    places_of,
)
from pytest_aksnet.expectations.azure_outbound import subnets_of
from pytest_aksnet.model.azure import CLUSTER, POOLS, ManagedCluster
from pytest_aksnet.model.azure_routes import ROUTE_TABLES
from pytest_aksnet.model.azure_upgrades import EGRESS_ENDPOINTS, RequiredEndpoint
from pytest_aksnet.model.azure_vnet import VNETS
from pytest_aksnet.model.errors import ArmForbidden, ArmUnanswered
from pytest_aksnet.model.observation import FactSheet
from pytest_aksnet.model.probing import Answer, Finding, Kind
from pytest_aksnet.model.resource_id import shown_by


class AzureEgressVerbs(AzurePackets):
    """What `Arm` says of the endpoints that a cluster needs."""

    def assert_required_egress(self, pods: Sequence[AnyPod]) -> FactSheet:
        """Every endpoint that ARM lists for this cluster answers these host-network pods.

        Patterns and UDP are not looked at, which the facts say. Raises NotApplicable where the
        cluster has no way out on purpose.
        """
        self._engine.site.need_way_out()
        cluster, endpoints = self.read(CLUSTER), self.read(EGRESS_ENDPOINTS)
        places, left_out = places_of(endpoints, cluster)
        answers = {pod_of(pod).node: self._ask(pod, list(places), endpoints) for pod in pods}
        facts = {
            f"{host}:{port} ({category})": ", ".join(
                f"{node} {answer.detail if answer else 'not looked'}"
                for node, found in answers.items()
                if (answer := found[host, port]) is None or answer.finding is not Finding.OK
            )
            or "reached"
            for (host, port), category in places.items()
        }
        if left_out:
            facts["not looked at"] = ", ".join(left_out)
        finding = judge_required_egress(answers, places, resource=cluster.id)
        if finding.resource and not _only_the_api_server(answers, cluster):
            finding = judge_required_egress(answers, places, resource=self._way_out())
        _, _, _, *place = shown_by(cluster.id)
        by_hand = ("az", "aks", "egress-endpoints", "list", *place)
        return self.judge("endpoints that are required", facts, finding, by_hand=by_hand)

    def _ask(
        self, pod: AnyPod, places: list[Place], endpoints: Sequence[RequiredEndpoint]
    ) -> dict[Place, Answer | None]:
        probes = [
            self.good_probe(
                Kind.TLS if is_tls((host, port), endpoints) else Kind.CONNECT, host, port
            )
            for host, port in places
        ]
        if not probes:
            return {}
        loop = "; ".join(f"nc -vz -w 3 {host} {port}" for host, port in places)
        what = "endpoints that ARM lists"
        answers = self.answers(pod, probes, what=what, by_hand=("sh", "-c", loop))
        return dict(zip(places, answers, strict=True))

    def _way_out(self) -> str:
        """What is on the way, as far as this identity may know it."""
        cluster = self.read(CLUSTER)
        try:
            pools, vnets = self.read(POOLS), self.read(VNETS)
            tables = self.read(ROUTE_TABLES)
        except (ArmForbidden, ArmUnanswered):
            return cluster.id
        return on_the_way_out(cluster, subnets_of(pools, vnets, of_nodes=True), tables)


def _only_the_api_server(
    answers: Mapping[str, Mapping[Place, Answer | None]], cluster: ManagedCluster
) -> bool:
    """Whether its authorized ranges may be the reason: nothing else is missing."""
    missing = {
        host
        for found in answers.values()
        for (host, _), answer in found.items()
        if answer is not None and answer.finding is not Finding.OK
    }
    return bool(cluster.authorized_ranges) and missing == {cluster.fqdn.lower()}
