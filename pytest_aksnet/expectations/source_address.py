"""Which source address a destination sees: one row per network mode and class of destination.

Holds for traffic of an ordinary pod. A host-network pod always shows its node's address.
"""

import enum
from collections.abc import Collection
from dataclasses import dataclass

from pytest_aksnet.expectations.addresses import is_private
from pytest_aksnet.model.errors import FactUnknown
from pytest_aksnet.model.observation import Connection
from pytest_aksnet.model.verdict import Outcome, Verdict


class Destination(enum.Enum):
    """The classes of destination that the modes treat differently."""

    POD_SAME_NODE = "a pod on the same node"
    POD_OTHER_NODE = "a pod on another node"
    OWN_NODE = "its own node"
    VNET = "another node or a machine of the same virtual network"
    BEYOND_VNET = "a peered network or a site outside the virtual network"
    INTERNET = "the internet"


class Source(enum.Enum):
    """What the destination sees."""

    POD = "the pod's own address"
    NODE = "an address of the pod's node"
    PUBLIC = "a public egress address"


@dataclass(frozen=True, slots=True, kw_only=True)
class Promise:
    """One row: who sees what, where that is written, and whether anybody confirmed it."""

    mode: str
    destination: Destination
    source: Source
    document: str
    confirmed: bool = True


_OVERVIEW = "AKS docs: concepts-network-cni-overview"
_OVERLAY = "AKS docs: concepts-network-azure-cni-overlay"
_LEGACY = "AKS docs: concepts-network-legacy-cni"
_KUBENET = "AKS docs: configure-kubenet"
_MASQ_AGENT = "ip-masq-agent-v2: destinations that are local to the node are not masqueraded"
_VNET_LIST = "Azure/ip-masq-agent-v2 issue 3: AKS lists the ranges of the virtual network"
_PEERED = "Azure/AKS issue 1207: a peered network sees the node's address"
_LB_OUTBOUND = "Azure docs: load-balancer-outbound-connections"

_CONFIRMED, _UNCONFIRMED = True, False

_ROWS = (
    ("overlay", Destination.POD_SAME_NODE, Source.POD, _OVERLAY, _CONFIRMED),
    ("overlay", Destination.POD_OTHER_NODE, Source.POD, _OVERLAY, _CONFIRMED),
    ("overlay", Destination.OWN_NODE, Source.POD, _MASQ_AGENT, _UNCONFIRMED),
    ("overlay", Destination.VNET, Source.NODE, _OVERLAY, _CONFIRMED),
    ("overlay", Destination.BEYOND_VNET, Source.NODE, _OVERLAY, _CONFIRMED),
    ("overlay", Destination.INTERNET, Source.PUBLIC, _OVERLAY, _CONFIRMED),
    ("node-subnet", Destination.POD_SAME_NODE, Source.POD, _LEGACY, _CONFIRMED),
    ("node-subnet", Destination.POD_OTHER_NODE, Source.POD, _LEGACY, _CONFIRMED),
    ("node-subnet", Destination.OWN_NODE, Source.POD, _MASQ_AGENT, _CONFIRMED),
    ("node-subnet", Destination.VNET, Source.POD, f"{_OVERVIEW}; {_VNET_LIST}", _CONFIRMED),
    ("node-subnet", Destination.BEYOND_VNET, Source.NODE, f"{_OVERVIEW}; {_PEERED}", _CONFIRMED),
    ("node-subnet", Destination.INTERNET, Source.PUBLIC, _LB_OUTBOUND, _CONFIRMED),
    ("pod-subnet", Destination.POD_SAME_NODE, Source.POD, _OVERVIEW, _CONFIRMED),
    ("pod-subnet", Destination.POD_OTHER_NODE, Source.POD, _OVERVIEW, _CONFIRMED),
    ("pod-subnet", Destination.OWN_NODE, Source.POD, _OVERVIEW, _CONFIRMED),
    ("pod-subnet", Destination.VNET, Source.POD, _OVERVIEW, _CONFIRMED),
    ("pod-subnet", Destination.BEYOND_VNET, Source.POD, _OVERVIEW, _CONFIRMED),
    ("pod-subnet", Destination.INTERNET, Source.PUBLIC, _OVERVIEW, _CONFIRMED),
    ("kubenet", Destination.POD_SAME_NODE, Source.POD, _KUBENET, _CONFIRMED),
    ("kubenet", Destination.POD_OTHER_NODE, Source.POD, _KUBENET, _CONFIRMED),
    ("kubenet", Destination.OWN_NODE, Source.POD, _MASQ_AGENT, _UNCONFIRMED),
    ("kubenet", Destination.VNET, Source.NODE, _KUBENET, _CONFIRMED),
    ("kubenet", Destination.BEYOND_VNET, Source.NODE, _KUBENET, _CONFIRMED),
    ("kubenet", Destination.INTERNET, Source.PUBLIC, _KUBENET, _CONFIRMED),
)

PROMISES = tuple(
    Promise(mode=mode, destination=to, source=source, document=document, confirmed=confirmed)
    for mode, to, source, document, confirmed in _ROWS
)

_CAUSES = {
    (Source.POD, Source.NODE): (
        "the node masqueraded traffic that should keep the pod's address: the non-masquerade "
        "ranges of azure-ip-masq-agent lack this destination"
    ),
    (Source.POD, Source.PUBLIC): "the traffic left the cluster through its public egress",
    (Source.NODE, Source.POD): (
        "the node did not masquerade: the non-masquerade ranges of azure-ip-masq-agent contain "
        "this destination"
    ),
    (Source.NODE, Source.PUBLIC): "the traffic left the cluster through its public egress",
    (Source.PUBLIC, Source.POD): "the traffic reached the destination without any translation",
    (Source.PUBLIC, Source.NODE): "the traffic reached the destination without public egress",
}


def promise(mode: str, destination: Destination) -> Promise:
    """The row of a mode. Raises FactUnknown for a mode of which no document promises anything."""
    for row in PROMISES:
        if row.mode == mode and row.destination is destination:
            return row
    raise FactUnknown(
        f"no document says which source address {destination.value} sees in network mode {mode!r}; "
        "name the mode with --aksnet-profile mode=VALUE"
    )


def judge(
    row: Promise,
    seen: Connection,
    *,
    pod: Collection[str],
    node: Collection[str],
    public: Collection[str],
) -> Verdict:
    """Whether `seen` shows the source that the row promises.

    `pod` are the pod's addresses, `node` those of its node, `public` the known egress addresses
    (empty: any address of no private range is taken for public egress).
    """
    kind = _kind(seen.source_seen, pod=pod, node=node, public=public)
    who = f"{row.destination.value} ({seen.host}:{seen.port})"
    if kind is row.source:
        note = "" if public or kind is not Source.PUBLIC else ", judged without a list of them"
        return Verdict(
            outcome=Outcome.PASS,
            sentence=f"{who} saw {kind.value} {seen.source_seen}{note}",
            source=row.document,
        )
    what = f"{kind.value} {seen.source_seen}" if kind else f"the foreign address {seen.source_seen}"
    expected = f"{row.source.value} ({_listed(row.source, pod, node, public)})"
    cause = _CAUSES[row.source, kind] if kind else _foreign(row.source, seen.source_seen)
    sentence = f"{who} should see {expected} in mode {row.mode}, but saw {what}: {cause}"
    if not row.confirmed:
        return Verdict(
            outcome=Outcome.PASS,
            sentence=f"{who} saw {what}; what it should see is not confirmed",
            source=row.document,
            warning=sentence,
        )
    return Verdict(outcome=Outcome.FAIL, sentence=sentence, source=row.document)


def _kind(
    address: str, *, pod: Collection[str], node: Collection[str], public: Collection[str]
) -> Source | None:
    if address in pod:
        return Source.POD
    if address in node:
        return Source.NODE
    if address in public or not (public or is_private(address)):
        return Source.PUBLIC
    return None


def _foreign(promised: Source, address: str) -> str:
    """Why somebody saw an address of neither the pod, its node, nor the known egress."""
    if promised is Source.PUBLIC and not is_private(address):
        return (
            "the egress address has changed (outbound IPs of the load balancer, NAT gateway, "
            "firewall behind a route), or the list of egress addresses is old"
        )
    return "something between translated the address"


def _listed(
    source: Source, pod: Collection[str], node: Collection[str], public: Collection[str]
) -> str:
    addresses = {Source.POD: pod, Source.NODE: node, Source.PUBLIC: public}[source]
    return ", ".join(sorted(addresses)) or "not listed"


def judge_among(
    seen: Connection,
    *,
    expected: Collection[str],
    what: str,
    source: str,
    cause: str,
    other_than: Collection[str] = (),
) -> Verdict:
    """Whether the source seen is one of `expected`, which a check names by itself.

    With `expected` empty it is enough that the source is none of `other_than`.
    """
    peer = f"{seen.host}:{seen.port}"
    good = seen.source_seen in expected or (not expected and seen.source_seen not in other_than)
    if good:
        return Verdict(
            outcome=Outcome.PASS, sentence=f"{peer} saw {what} {seen.source_seen}", source=source
        )
    wanted = f" ({', '.join(sorted(expected))})" if expected else ""
    return Verdict(
        outcome=Outcome.FAIL,
        sentence=f"{peer} should see {what}{wanted}, but saw {seen.source_seen}: {cause}",
        source=source,
    )
