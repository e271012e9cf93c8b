"""Random namespaces, labels, pods and NetworkPolicies, as hypothesis makes them.

All of it is what an API server would store; hypothesis shrinks it to what a failure needs.
"""

import ipaddress
from collections.abc import Sequence
from typing import Any

from hypothesis import strategies as st

from pytest_aksnet.model.policy import Node, Pod, PortSpec, World

NAMESPACES = ("x", "y", "z")
PORTS = (
    PortSpec(number=80),
    PortSpec(number=81),
    PortSpec(number=80, protocol="UDP"),
    PortSpec(number=81, protocol="UDP"),
    PortSpec(number=80, protocol="SCTP"),
)
_KEYS, _VALUES = ("app", "tier"), ("a", "b", "c")
_NAMES = (("web", "TCP"), ("admin", "TCP"), ("dns", "UDP"), ("sig", "SCTP"))
_MOST_POLICIES = 4

Json = dict[str, Any]


def labels() -> st.SearchStrategy[dict[str, str]]:
    return st.dictionaries(st.sampled_from(_KEYS), st.sampled_from(_VALUES))


@st.composite
def worlds(draw: st.DrawFn, pods: Sequence[Pod], nodes: Sequence[Node]) -> World:
    """A world of these pods and nodes: addresses and places stay, all else is drawn."""
    names = {name: {**draw(labels()), "kubernetes.io/metadata.name": name} for name in NAMESPACES}
    return World(
        namespaces=names,
        nodes=tuple(nodes),
        pods=tuple(
            Pod(
                namespace=draw(st.sampled_from(NAMESPACES)),
                name=pod.name,
                node=pod.node,
                ips=pod.ips,
                labels=draw(labels()),
                named_ports=draw(
                    st.dictionaries(st.sampled_from(_NAMES), st.sampled_from((80, 81)))
                ),
            )
            for pod in pods
        ),
    )


def policies(addresses: Sequence[str]) -> st.SearchStrategy[list[Json]]:
    """Up to four NetworkPolicies; their ipBlocks lie around these addresses."""
    return st.lists(_spec(addresses), max_size=_MOST_POLICIES).flatmap(
        lambda specs: st.tuples(*(st.sampled_from(NAMESPACES) for _ in specs)).map(
            lambda spaces: [
                {"metadata": {"namespace": space, "name": f"policy-{number}"}, "spec": spec}
                for number, (space, spec) in enumerate(zip(spaces, specs, strict=True))
            ]
        )
    )


def selectors() -> st.SearchStrategy[Json]:
    terms = st.one_of(
        st.builds(
            lambda key, operator, values: {"key": key, "operator": operator, "values": values},
            st.sampled_from(_KEYS),
            st.sampled_from(("In", "NotIn")),
            st.lists(st.sampled_from(_VALUES), min_size=1, max_size=2),
        ),
        st.builds(
            lambda key, operator: {"key": key, "operator": operator},
            st.sampled_from(_KEYS),
            st.sampled_from(("Exists", "DoesNotExist")),
        ),
    )
    return st.one_of(
        st.just({}),
        st.fixed_dictionaries(
            {},
            optional={
                "matchLabels": labels(),
                "matchExpressions": st.lists(terms, max_size=2),
            },
        ),
    )


@st.composite
def _spec(draw: st.DrawFn, addresses: Sequence[str]) -> Json:
    spec: Json = {"podSelector": draw(selectors())}
    types = draw(st.sampled_from((None, ["Ingress"], ["Egress"], ["Ingress", "Egress"])))
    if types is not None:
        spec["policyTypes"] = types
    for direction, peers in (("ingress", "from"), ("egress", "to")):
        if draw(st.booleans()):
            spec[direction] = draw(st.lists(_rule(addresses, peers), max_size=2))
    return spec


@st.composite
def _rule(draw: st.DrawFn, addresses: Sequence[str], peers: str) -> Json:
    rule: Json = {}
    if draw(st.booleans()):
        rule[peers] = draw(st.lists(_peer(addresses), max_size=2))
    if draw(st.booleans()):
        rule["ports"] = draw(st.lists(_port(), max_size=3))
    return rule


@st.composite
def _peer(draw: st.DrawFn, addresses: Sequence[str]) -> Json:
    if draw(st.integers(0, 2)) == 0:
        return {"ipBlock": draw(_block(addresses))}
    fields = draw(st.sampled_from(("namespaceSelector", "podSelector", "both")))
    names = ("namespaceSelector", "podSelector") if fields == "both" else (fields,)
    return {name: draw(selectors()) for name in names}


@st.composite
def _block(draw: st.DrawFn, addresses: Sequence[str]) -> Json:
    ip = ipaddress.ip_address(draw(st.sampled_from(addresses)))
    length = draw(st.sampled_from((0, 8, 12, 16, 20, 24, 26, 28, 30, 31, 32)))
    if ip.version == 6:
        length *= 4
    cidr = ipaddress.ip_network((ip, length), strict=False)
    block: Json = {"cidr": str(cidr)}
    if length < ip.max_prefixlen and draw(st.booleans()):
        inside = [one for one in addresses if ipaddress.ip_address(one) in cidr]
        excepted = draw(
            st.lists(
                st.tuples(
                    st.sampled_from(inside),
                    st.integers(length + 1, ip.max_prefixlen),
                ),
                min_size=1,
                max_size=2,
            )
        )
        block["except"] = [str(ipaddress.ip_network(one, strict=False)) for one in excepted]
    return block


@st.composite
def _port(draw: st.DrawFn) -> Json:
    port: Json = {}
    kind = draw(st.sampled_from(("any", "number", "range", "name")))
    protocol = draw(st.sampled_from((None, "TCP", "UDP", "SCTP")))
    if protocol is not None:
        port["protocol"] = protocol
    if kind == "name":
        port["port"] = draw(st.sampled_from(("web", "admin", "dns", "sig")))
    elif kind != "any":
        port["port"] = draw(st.integers(79, 82))
        if kind == "range":
            port["endPort"] = draw(st.integers(port["port"], 82))
    return port
