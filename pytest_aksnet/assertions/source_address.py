"""Verbs about the source address that a destination sees."""

import ipaddress
from collections.abc import Callable, Collection, Sequence

from pytest_aksnet.assertions.diagnosis import why_unreached
from pytest_aksnet.assertions.nodes import addresses_of
from pytest_aksnet.assertions.target import Target, To, resolve
from pytest_aksnet.check import Engine
from pytest_aksnet.expectations.addresses import is_private, node_addresses
from pytest_aksnet.expectations.connectivity import judge_connected
from pytest_aksnet.expectations.source_address import (
    Destination,
    Promise,
    Source,
    judge,
    judge_among,
    promise,
)
from pytest_aksnet.model.errors import FactUnknown, NotApplicable
from pytest_aksnet.model.observation import Connection, ConnectOutcome
from pytest_aksnet.model.peers import NodeRef, PodRef
from pytest_aksnet.model.verdict import Outcome, Verdict

_THE_CHECK = "the check itself"
_HOST_NETWORK = "Kubernetes API: hostNetwork pods use the addresses of their node"
_MODEL = "Kubernetes docs: concepts/services-networking, the network model"


def assert_source_as_promised(engine: Engine, pod: PodRef, to: To, port: int | None) -> Connection:
    """See ProbePod.assert_source_as_promised."""
    target = resolve(to, port)
    need_promises(engine, pod, to_pod=target.pod is not None and not target.pod.host_network)
    own, node, public = _own(engine, pod), addresses_of(engine, pod), egress_addresses(engine)

    def judge_seen(seen: Connection) -> Verdict:
        row = promised_row(engine, pod, classify(engine, pod, target, seen))
        return judge(row, seen, pod=own, node=node, public=public)

    return _look(engine, pod, target, judge_seen)


def assert_no_snat(engine: Engine, pod: PodRef, to: To, port: int | None) -> Connection:
    """See ProbePod.assert_no_snat."""
    target = resolve(to, port)
    own = _own(engine, pod) or addresses_of(engine, pod)

    def judge_seen(seen: Connection) -> Verdict:
        return judge_among(
            seen,
            expected=own,
            what="the pod's own address",
            source=_document(engine, pod, target, seen, (Source.POD,)),
            cause="the address was translated on the way (SNAT): see the non-masquerade ranges of "
            "azure-ip-masq-agent",
        )

    return _look(engine, pod, target, judge_seen)


def assert_snat(
    engine: Engine,
    pod: PodRef,
    to: To,
    source: NodeRef | str | Sequence[str] | None,
    port: int | None,
) -> Connection:
    """See ProbePod.assert_snat."""
    target = resolve(to, port)
    named = _named(source)

    def judge_seen(seen: Connection) -> Verdict:
        outside = named is None and not is_private(seen.address or target.host)
        expected = named or (egress_addresses(engine) if outside else addresses_of(engine, pod))
        return judge_among(
            seen,
            expected=expected,
            # A node's own address is no translated one where a pod of its network asks outside.
            other_than=_own(engine, pod) or (addresses_of(engine, pod) if outside else frozenset()),
            what="a translated address",
            source=_document(engine, pod, target, seen, (Source.NODE, Source.PUBLIC)),
            cause="the address was not translated as it should be (SNAT): see the non-masquerade "
            "ranges of azure-ip-masq-agent and the cluster's outbound type",
        )

    return _look(engine, pod, target, judge_seen)


def classify(engine: Engine, pod: PodRef, target: Target, seen: Connection) -> Destination:
    """The class of a destination, by what it is, else by its address. Raises FactUnknown."""
    if target.pod is not None and not target.pod.host_network:
        same = target.pod.node == pod.node
        return Destination.POD_SAME_NODE if same else Destination.POD_OTHER_NODE
    if target.pod is not None or target.node is not None:
        name = target.pod.node if target.pod is not None else target.node and target.node.name
        return Destination.OWN_NODE if name == pod.node else Destination.VNET
    if target.endpoint is not None and target.endpoint == engine.site.vnet_vm:
        return Destination.VNET
    if target.endpoint is not None and target.endpoint == engine.site.internet:
        return Destination.INTERNET
    if target.endpoint is not None and target.endpoint in (
        engine.site.peered_vm,
        engine.site.on_prem,
    ):
        return Destination.BEYOND_VNET
    address = seen.address or target.host
    if not is_private(address):
        return Destination.INTERNET
    parsed = ipaddress.ip_address(address)
    if any(parsed in network for network in engine.profile.networks("vnet-cidrs")):
        return Destination.VNET
    return Destination.BEYOND_VNET


def _look(
    engine: Engine, pod: PodRef, target: Target, judge_seen: Callable[[Connection], Verdict]
) -> Connection:
    def judge_all(seen: Connection) -> Verdict:
        if seen.outcome is not ConnectOutcome.CONNECTED:
            return judge_connected(seen, what=target.what, source="")
        if not seen.source_seen:
            return Verdict(
                outcome=Outcome.INCONCLUSIVE,
                sentence=f"{target.what} ({target.host}:{target.port}) answered with HTTP status "
                f"{seen.http_status}, but not with the source address it saw",
            )
        return judge_seen(seen)

    def diagnose(seen: Connection) -> str:
        if seen.outcome is ConnectOutcome.CONNECTED:
            return ""
        return why_unreached(engine, pod, target, seen)

    return engine.converge(
        pod,
        target.probe(engine.pacing.connect_timeout_s),
        judge_all,
        patience_s=engine.pacing.patience_with(service=target.service is not None),
        diagnose=diagnose,
    )


def promised_row(engine: Engine, pod: PodRef, destination: Destination) -> Promise:
    """What is promised to the pod. Raises FactUnknown, and NotApplicable like `need_promises`."""
    profile = engine.profile
    if pod.host_network:
        outside = destination is Destination.INTERNET
        return Promise(
            mode=profile.get("mode") or "unknown",
            destination=destination,
            source=Source.PUBLIC if outside else Source.NODE,
            document=_HOST_NETWORK,
        )
    to_pod = destination in (Destination.POD_SAME_NODE, Destination.POD_OTHER_NODE)
    need_promises(engine, pod, to_pod=to_pod)
    if to_pod and profile.get("mode") is None:
        return Promise(mode="unknown", destination=destination, source=Source.POD, document=_MODEL)
    return promise(profile.need("mode"), destination)


def need_promises(engine: Engine, pod: PodRef, *, to_pod: bool) -> None:
    """Raise NotApplicable where no document says what others see of the pod: outside of AKS.

    There nothing is promised but that pods see each other's own addresses.
    """
    profile = engine.profile
    outside = profile.get("mode") is None and profile.get("cloud") == "other"
    if outside and not (to_pod or pod.host_network):
        raise NotApplicable(
            f"the cluster is not on Azure ({profile.facts['cloud'].source}), so no document says "
            "which source address others than pods see; if it is like one of AKS' modes, name it "
            "with --aksnet-profile mode=VALUE"
        )


def _document(
    engine: Engine, pod: PodRef, target: Target, seen: Connection, agreeing: Collection[Source]
) -> str:
    """The document that promises the same, or the check itself, with what it contradicts."""
    try:
        row = promised_row(engine, pod, classify(engine, pod, target, seen))
    except (FactUnknown, NotApplicable, ValueError):
        return _THE_CHECK
    if row.source in agreeing:
        return row.document
    return f"{_THE_CHECK}; in mode {row.mode} {row.document} promises {row.source.value} instead"


def _own(engine: Engine, pod: PodRef) -> frozenset[str]:
    """The addresses that are the pod's alone: none for a host-network pod."""
    return frozenset() if pod.host_network else frozenset({pod.ip})


def egress_addresses(engine: Engine, *, needed: bool = False) -> frozenset[str]:
    """The public addresses that the cluster leaves with; empty where they are not known.

    Those of the site file come before what was detected. Raises FactUnknown if they are `needed`.
    """
    if engine.site.egress_ips:
        return frozenset(engine.site.egress_ips)
    known = engine.profile.get("egress-ips") or ""
    if needed and not known:
        raise FactUnknown(
            "the public addresses that the cluster leaves with are not known; list them as "
            "egress_ips in the file of --aksnet-config (default aksnet.toml), or set "
            "--aksnet-profile egress-ips=ADDRESS,ADDRESS"
        )
    return frozenset(part.strip() for part in known.split(",") if part.strip())


def _named(source: NodeRef | str | Sequence[str] | None) -> frozenset[str] | None:
    match source:
        case None:
            return None
        case NodeRef():
            return node_addresses(source)
        case str():
            return frozenset({source})
        case _:
            return frozenset(source)
