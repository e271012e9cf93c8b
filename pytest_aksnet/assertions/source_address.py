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
from pytest_aksnet.model.errors import FactUnknown
from pytest_aksnet.model.observation import Connection, ConnectOutcome
from pytest_aksnet.model.peers import NodeRef, PodRef
from pytest_aksnet.model.verdict import Outcome, Verdict

_THE_CHECK = "the check itself"
_HOST_NETWORK = "Kubernetes API: hostNetwork pods use the addresses of their node"


def assert_source_as_promised(engine: Engine, pod: PodRef, to: To, port: int | None) -> Connection:
    """See ProbePod.assert_source_as_promised."""
    target = resolve(to, port)
    mode = engine.profile.need("mode")
    own, node, public = _own(engine, pod), addresses_of(engine, pod), _egress(engine)

    def judge_seen(seen: Connection) -> Verdict:
        destination = classify(engine, pod, target, seen)
        return judge(_row(pod, mode, destination), seen, pod=own, node=node, public=public)

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
        expected = named or (_egress(engine) if outside else addresses_of(engine, pod))
        return judge_among(
            seen,
            expected=expected,
            other_than=_own(engine, pod),
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
        pod, target.probe(engine.pacing.connect_timeout_s), judge_all, diagnose=diagnose
    )


def _row(pod: PodRef, mode: str, destination: Destination) -> Promise:
    if not pod.host_network:
        return promise(mode, destination)
    outside = destination is Destination.INTERNET
    return Promise(
        mode=mode,
        destination=destination,
        source=Source.PUBLIC if outside else Source.NODE,
        document=_HOST_NETWORK,
    )


def _document(
    engine: Engine, pod: PodRef, target: Target, seen: Connection, agreeing: Collection[Source]
) -> str:
    """The document that promises the same, or the check itself, with what it contradicts."""
    try:
        row = _row(pod, engine.profile.need("mode"), classify(engine, pod, target, seen))
    except (FactUnknown, ValueError):
        return _THE_CHECK
    if row.source in agreeing:
        return row.document
    return f"{_THE_CHECK}; in mode {row.mode} {row.document} promises {row.source.value} instead"


def _own(engine: Engine, pod: PodRef) -> frozenset[str]:
    """The addresses that are the pod's alone: none for a host-network pod."""
    return frozenset() if pod.host_network else frozenset({pod.ip})


def _egress(engine: Engine) -> frozenset[str]:
    if engine.site.egress_ips:
        return frozenset(engine.site.egress_ips)
    known = engine.profile.get("egress-ips") or ""
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
