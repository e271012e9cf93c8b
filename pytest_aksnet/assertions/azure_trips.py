"""What nodes and pods must reach outside of them, and whether packets got there.

The destinations are those of the site file, of the AKS docs, and of the cluster itself.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from pytest_aksnet.assertions.azure_packets import got_there, seen
from pytest_aksnet.assertions.azure_places import AzurePlaces, Neighbourhood
from pytest_aksnet.assertions.target import AnyPod, pod_of
from pytest_aksnet.check import Engine
from pytest_aksnet.expectations.azure_security_rules import PROBE_SOURCE
from pytest_aksnet.expectations.egress_names import required_names
from pytest_aksnet.model.addresses import is_address
from pytest_aksnet.model.errors import FactUnknown
from pytest_aksnet.model.peers import PodRef
from pytest_aksnet.model.probing import Finding, Kind
from pytest_aksnet.model.site import HTTPS, host_and_port

_MOST_NAMES = 4
_MOST_OF_A_SUBNET = 3
_KUBELET = 10250
_DNS = 53
_SLICES = "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices"
_OF_KUBERNETES = {"labelSelector": "kubernetes.io/service-name=kubernetes"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Trip:
    """One destination as one pod sees it. `address` is empty where a name did not resolve.

    `got_there` is None where that is not known.
    """

    pod: PodRef
    what: str
    protocol: str
    address: str
    port: int
    got_there: bool | None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Stop:
    what: str
    kind: Kind
    host: str
    port: int


class AzureTrips(AzurePlaces):
    """Verbs that rest on what nodes and pods reach."""

    def trips(
        self, pods: Sequence[AnyPod], around: Neighbourhood, *, hosts: bool = True
    ) -> list[Trip]:
        """What pods reach of what they must; one list of probes for each pod.

        With `hosts` those of the site file are among them, else only what AKS itself needs.

        Some of each subnet look: routes and mostly groups are the same for all of it, and where
        nothing answers a look takes as long as patience does.
        """
        found: list[Trip] = []
        taken: Counter[str] = Counter()
        for pod in map(pod_of, pods):
            subnet = around.spot(around.node(pod.node)).subnet.id
            taken[subnet] += 1
            if taken[subnet] > _MOST_OF_A_SUBNET:
                continue
            stops = list(dict.fromkeys(_stops(self._engine, pod, around, hosts=hosts)))
            probes = [
                self.patient_probe(
                    one.kind,
                    one.host,
                    one.port,
                    **({"name": _any_name(self._engine), "type": "A"} if _is_dns(one) else {}),
                )
                for one in stops
            ]
            argv = [f"{one.host}:{one.port}" for one in stops]
            answers = self.answers(
                pod,
                probes,
                what="what must be reached",
                by_hand=(
                    "sh",
                    "-c",
                    'for a; do nc -nvz -w 3 "${a%:*}" "${a##*:}"; done',
                    "sh",
                    *argv,
                ),
            )
            for one, answer in zip(stops, answers, strict=True):
                told = str(answer.facts.get("address", "")) if answer else ""
                is_name = not is_address(one.host)
                unresolved = answer is not None and answer.finding is Finding.UNRESOLVED
                found.append(
                    Trip(
                        pod=pod,
                        what=one.what,
                        protocol="udp" if _is_dns(one) else "tcp",
                        address=("" if unresolved else told) if is_name else one.host,
                        port=one.port,
                        got_there=got_there(seen(answer)),
                    )
                )
        return found


def _stops(engine: Engine, pod: PodRef, around: Neighbourhood, *, hosts: bool) -> Iterator[_Stop]:
    site = engine.site
    for server in dns_servers(around, pod):
        yield _Stop(what=f"DNS server {server}", kind=Kind.DNS, host=server, port=_DNS)
    for slice_ in engine.api.items(_SLICES, _OF_KUBERNETES):
        for port in slice_.get("ports") or ():
            for endpoint in slice_.get("endpoints") or ():
                for address in endpoint.get("addresses") or ():
                    what = f"the API server at {address}:{port['port']}"
                    yield _Stop(what=what, kind=Kind.CONNECT, host=address, port=port["port"])
    if site.outbound != "none":
        yield from _names(engine)
    if not hosts:
        return
    other = next((one for one in around.nodes if one.name != pod.node and one.addresses), None)
    if other is not None:
        what = f"the kubelet of node {other.name}"
        yield _Stop(what=what, kind=Kind.CONNECT, host=other.addresses[0], port=_KUBELET)
    internet = site.internet if site.outbound != "none" else None
    for one in (site.vnet_vm, site.peered_vm, site.on_prem, internet):
        if one is not None:
            what = f"{one.what} ({one.host}:{one.port})"
            yield _Stop(what=what, kind=Kind.CONNECT, host=one.host, port=one.port)


def _names(engine: Engine) -> Iterable[_Stop]:
    if engine.site.required_fqdns is not None:
        places = [host_and_port(text) for text in engine.site.required_fqdns]
    else:
        try:
            places = [(name, HTTPS) for name in required_names(engine.profile.get("region"))]
        except FactUnknown:
            places = []
    return [
        _Stop(what=f"{host}:{port}", kind=Kind.CONNECT, host=host, port=port)
        for host, port in places[:_MOST_NAMES]
    ]


def dns_servers(around: Neighbourhood, pod: PodRef) -> tuple[str, ...]:
    """The DNS servers of the network that a pod's node is in: its own, or Azure's."""
    spot = around.spot(around.node(pod.node))
    return spot.vnet.dns_servers or (PROBE_SOURCE,)


def _any_name(engine: Engine) -> str:
    names = engine.site.external_names
    return names[0] if names else "mcr.microsoft.com"


def _is_dns(stop: _Stop) -> bool:
    return stop.kind is Kind.DNS
