"""Verbs about the API server in ARM: who may reach it, and by which name."""

from collections.abc import Sequence

from pytest_aksnet.assertions.azure_packets import AzurePackets, address_told
from pytest_aksnet.assertions.target import AnyPod, pod_of
from pytest_aksnet.expectations.azure_api_server import (
    judge_names,
    judge_ranges,
    judge_restricted,
    name_for_nodes,
)
from pytest_aksnet.model.addresses import is_address
from pytest_aksnet.model.azure import CLUSTER, ManagedCluster
from pytest_aksnet.model.azure_vnet import PUBLIC_ADDRESSES
from pytest_aksnet.model.errors import ArmForbidden, ArmUnanswered, FactUnknown, NotApplicable
from pytest_aksnet.model.observation import FactSheet
from pytest_aksnet.model.probing import Finding, Kind
from pytest_aksnet.model.site import HTTPS

_ANSWERS = ("NXDOMAIN", "NOERROR")


class AzureApiServerVerbs(AzurePackets):
    """What `Arm` says of the API server."""

    def need_authorized_ranges(self) -> None:
        """Raise NotApplicable where the API server has no authorized ranges, or nodes need none.

        Raises FactUnknown where ARM does not tell.
        """
        cluster = self.read(CLUSTER)
        if cluster.is_private:
            raise NotApplicable("the API server is private: authorized ranges are for public ones")
        if cluster.in_vnet:
            raise NotApplicable(
                "nodes reach the API server by a private address (API server VNet integration)"
            )
        if cluster.authorized_ranges is None:
            raise FactUnknown("ARM tells nothing of the access to the API server")
        if not cluster.authorized_ranges:
            raise NotApplicable(
                "ARM lists no authorized ranges: every address may connect to the API server, as "
                "the check azure.api-server-restricted says"
            )

    def assert_ranges_have_egress(self, pods: Sequence[AnyPod]) -> FactSheet:
        """The authorized ranges contain the addresses that the cluster leaves with.

        Those are what a host on the internet sees of these host-network pods, and the outbound
        addresses of ARM. Raises NotApplicable like `need_authorized_ranges`.
        """
        self.need_authorized_ranges()
        cluster = self.read(CLUSTER)
        egress = self._outbound(cluster) | self._seen_outside(pods)
        name = name_for_nodes(cluster)
        reached = {pod_of(pod).node: self._reaches(pod, name) for pod in pods} if name else {}
        facts = {
            "authorized ranges": ", ".join(cluster.authorized_ranges or ()),
            **{f"leaves with {ip}": who for ip, who in egress.items()},
            **{f"node {node} reaches {name}": _yes_or_no(one) for node, one in reached.items()},
        }
        finding = judge_ranges(cluster, egress=egress, reached=reached)
        return self.judge("who may reach the API server", facts, finding, shows=cluster.id)

    def assert_api_server_restricted(self) -> FactSheet:
        """The API server is private, or open to some ranges only.

        An open one fails where [azure_profile] of the site file wants either, and warns elsewhere.
        """
        cluster = self.read(CLUSTER)
        wanted = self._engine.site.azure_profile
        facts = {
            "enablePrivateCluster": _yes_or_no(cluster.is_private),
            "authorized ranges": ", ".join(cluster.authorized_ranges or ()) or "none",
        }
        finding = judge_restricted(
            cluster,
            is_private=self._is_private(cluster),
            wanted=wanted.get(("private_cluster",)) is True
            or bool(wanted.get(("authorized_ranges",))),
        )
        return self.judge("access to the API server", facts, finding, shows=cluster.id)

    def assert_api_server_name(self, asked: str, pods: Sequence[AnyPod]) -> FactSheet:
        """ARM's name of the API server is the one in use, and resolves from these pods.

        `asked` is the host of the kubeconfig. That of a private one resolves to private addresses.
        """
        cluster = self.read(CLUSTER)
        name = name_for_nodes(cluster)
        resolved = {pod_of(pod).node: self._addresses(pod, name) for pod in pods} if name else {}
        facts = {
            "fqdn": cluster.fqdn or "none",
            "privateFQDN": cluster.private_fqdn or "none",
            "kubeconfig": asked or "an address",
            **{
                f"{name} from {node}": "not known"
                if found is None
                else ", ".join(found) or "no address"
                for node, found in resolved.items()
            },
        }
        finding = judge_names(
            cluster,
            asked=asked,
            must_be_private=bool(cluster.is_private or cluster.private_fqdn),
            resolved=resolved,
        )
        return self.judge("the API server's name", facts, finding, shows=cluster.id)

    def _is_private(self, cluster: ManagedCluster) -> bool:
        """Of ARM, else what the name in the kubeconfig tells. Raises FactUnknown."""
        if cluster.is_private is not None:
            return cluster.is_private
        return self._engine.profile.need("api-server") == "private"

    def _outbound(self, cluster: ManagedCluster) -> dict[str, str]:
        """The outbound addresses that ARM tells."""
        wanted = cluster.network.outbound_ids if cluster.network else ()
        if not wanted:
            return {}
        try:
            known = {one.id: one.ip for one in self.read(PUBLIC_ADDRESSES)}
        except (ArmForbidden, ArmUnanswered):
            if self._engine.site.internet is None:
                raise
            return {}  # what is seen outside is enough
        found = [known[one] for one in wanted if is_address(known.get(one, ""))]
        return dict.fromkeys(found, "effectiveOutboundIPs")

    def _seen_outside(self, pods: Sequence[AnyPod]) -> dict[str, str]:
        """What the site's host on the internet sees of each pod; nothing where none is known."""
        outside = self._engine.site.internet
        seen: dict[str, str] = {}
        for pod in pods if outside is not None else ():
            assert outside is not None
            probe = self.good_probe(Kind.HTTP, outside.host, outside.port)
            by_hand = ("curl", "-s", f"http://{outside.host}:{outside.port}/")
            [answer] = self.answers(pod, [probe], what=outside.host, by_hand=by_hand)
            if address := address_told(answer):
                seen.setdefault(address, f"seen by {outside.host} of node {pod_of(pod).node}")
        return seen

    def _reaches(self, pod: AnyPod, name: str) -> bool | None:
        """Whether a new connection to the API server is made from there; None if not looked at."""
        probe = self.good_probe(Kind.CONNECT, name, HTTPS)
        by_hand = ("nc", "-vz", "-w", "3", name, str(HTTPS))
        [answer] = self.answers(pod, [probe], what=f"{name}:{HTTPS}", by_hand=by_hand)
        if answer is None or not answer.looked or answer.finding is Finding.UNRESOLVED:
            return None
        return answer.finding is Finding.OK

    def _addresses(self, pod: AnyPod, name: str) -> list[str] | None:
        """What the pod's resolver answers; none for no such name, None if that is not known."""
        probe = self.good_probe(Kind.DNS, "", 0, name=f"{name}.", type="A")
        by_hand = ("dig", "+short", f"{name}.")
        [answer] = self.answers(pod, [probe], what=f"name {name}", by_hand=by_hand)
        if answer is None or not answer.looked:
            return None
        if answer.finding is not Finding.OK or answer.facts.get("rcode") not in _ANSWERS:
            return None  # a resolver that cannot tell denies nothing
        records = answer.facts.get("records")
        found = records if isinstance(records, list) else []
        return [str(one) for one in found if is_address(str(one))]


def _yes_or_no(value: bool | None) -> str:
    return "not known" if value is None else "yes" if value else "no"
