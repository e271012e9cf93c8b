"""A table of NetworkPolicies step by step: what holds after each action, and what it should do.

Pure. Policies of a description become those of a cluster here: real names of namespaces, and
networks round the real addresses of pods.
"""

import copy
import ipaddress
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pytest_aksnet.expectations.policy_oracle import PolicyOracle
from pytest_aksnet.expectations.policy_rules import address
from pytest_aksnet.model.peers import PodRef
from pytest_aksnet.model.policy import (
    Cell,
    Decision,
    EngineRules,
    Node,
    Pod,
    PortSpec,
    World,
)
from pytest_aksnet.model.policy_table import (
    Action,
    AddNamespace,
    AddPod,
    CellName,
    DropPolicy,
    LabelNamespace,
    LabelPod,
    Layout,
    Places,
    PutPolicy,
    RemoveNamespace,
    RemovePod,
    TablePod,
)

NAME_LABEL = "kubernetes.io/metadata.name"
_ROUND_POD = "pod:"

Json = dict[str, Any]


class PolicyState:
    """What holds in a table: its namespaces, pods and policies, by the names of the description."""

    def __init__(self, layout: Layout) -> None:
        self.namespaces = {name: dict(labels) for name, labels in layout.namespaces.items()}
        self.pods = {pod.key: pod for pod in layout.pods}
        self.policies: dict[tuple[str, str], Mapping[str, Any]] = {}

    def apply(self, action: Action) -> None:
        """Take in one action. Raises KeyError for what it names and is not there."""
        match action:
            case PutPolicy(policy=policy):
                metadata = policy["metadata"]
                self.policies[metadata["namespace"], metadata["name"]] = policy
            case DropPolicy(namespace=namespace, name=name):
                del self.policies[namespace, name]
            case LabelPod(pod=key, labels=labels):
                old = self.pods[key]
                self.pods[key] = TablePod(
                    namespace=old.namespace, name=old.name, labels=labels, ports=old.ports
                )
            case LabelNamespace(namespace=namespace, labels=labels):
                if namespace not in self.namespaces:
                    raise KeyError(namespace)
                self.namespaces[namespace] = dict(labels)
            case AddNamespace(namespace=namespace, labels=labels):
                self.namespaces[namespace] = dict(labels)
            case RemoveNamespace(namespace=namespace):
                del self.namespaces[namespace]
                self.pods = {k: p for k, p in self.pods.items() if p.namespace != namespace}
                self.policies = {k: p for k, p in self.policies.items() if k[0] != namespace}
            case AddPod(pod=pod):
                self.pods[pod.key] = pod
            case RemovePod(pod=key):
                del self.pods[key]

    def bound(self, places: Places) -> tuple[Json, ...]:
        """The policies as they are in the cluster."""
        return tuple(bind_policy(policy, places) for policy in self.policies.values())

    def world(self, places: Places, nodes: Sequence[Node] = ()) -> World:
        """What selectors are matched against in the cluster: the pods of the table alone."""
        names = places.namespaces
        return World(
            namespaces={
                names[name]: {**labels, NAME_LABEL: names[name]}
                for name, labels in self.namespaces.items()
            },
            pods=tuple(
                _policy_pod(pod, names[pod.namespace], places.pods[key])
                for key, pod in self.pods.items()
            ),
            nodes=tuple(nodes),
        )


def expected_table(
    state: PolicyState,
    places: Places,
    rules: EngineRules,
    ports: Sequence[PortSpec],
    *,
    nodes: Sequence[Node] = (),
    versions: Sequence[int] = (4,),
) -> dict[CellName, Decision]:
    """What should be open, from every pod to every pod at these ports, in the pods' order.

    An address family that a pod lacks is left out.
    """
    world = state.world(places, nodes)
    oracle = PolicyOracle(state.bound(places), world, rules)
    pods = list(zip(state.pods, world.pods, strict=True))
    return dict(_cells(oracle, pods, ports, versions))


def judged_cells(
    table: Mapping[CellName, Decision], pods: Sequence[str], ports: Sequence[PortSpec] = ()
) -> dict[CellName, Decision]:
    """The cells of a table that count: those between these pods at these ports; all if empty."""
    return {
        name: decision
        for name, decision in table.items()
        if (not ports or name.port in ports)
        and (not pods or (name.source in pods and name.destination in pods))
    }


def _cells(
    oracle: PolicyOracle,
    pods: Sequence[tuple[str, Pod]],
    ports: Sequence[PortSpec],
    versions: Sequence[int],
) -> Iterator[tuple[CellName, Decision]]:
    for source_key, source in pods:
        for key, destination in pods:
            for version in versions:
                if not (address(source, version) and address(destination, version)):
                    continue
                for port in ports:
                    cell = Cell(source=source, destination=destination, port=port, version=version)
                    yield CellName(source_key, key, port, version), oracle.decide(cell)


def bind_policy(policy: Mapping[str, Any], places: Places) -> Json:
    """A policy of a description as it is in the cluster: see `PutPolicy`.

    Selectors that ask for a namespace by its own name (the label kubernetes.io/metadata.name, KEP
    2161) ask for its real name. Raises KeyError for a namespace or pod that the table has not.
    """
    bound: Json = copy.deepcopy(dict(policy))
    bound["metadata"] = {
        **bound["metadata"],
        "namespace": places.namespaces[bound["metadata"]["namespace"]],
    }
    for direction, side in (("ingress", "from"), ("egress", "to")):
        for rule in bound["spec"].get(direction) or ():
            for peer in rule.get(side) or ():
                _bind_peer(peer, places)
    return bound


def _bind_peer(peer: Json, places: Places) -> None:
    block = peer.get("ipBlock")
    if block is not None:
        block["cidr"] = _network(block["cidr"], places)
        if block.get("except"):
            block["except"] = [_network(one, places) for one in block["except"]]
    selector = peer.get("namespaceSelector") or {}
    labels = selector.get("matchLabels") or {}
    if NAME_LABEL in labels:
        labels[NAME_LABEL] = _real_name(labels[NAME_LABEL], places)
    for term in selector.get("matchExpressions") or ():
        if term["key"] == NAME_LABEL and term.get("values"):
            term["values"] = [_real_name(value, places) for value in term["values"]]


def _real_name(name: str, places: Places) -> str:
    return places.namespaces.get(name, name)


def _network(text: str, places: Places) -> str:
    if not text.startswith(_ROUND_POD):
        return text
    key, _, length = text.removeprefix(_ROUND_POD).rpartition("/")
    return str(ipaddress.ip_network(f"{places.pods[key].ip}/{length}", strict=False))


def _policy_pod(pod: TablePod, namespace: str, place: PodRef) -> Pod:
    return Pod(
        namespace=namespace,
        name=place.name,
        node=place.node,
        ips=place.ips or (place.ip,),
        labels=pod.labels,
        named_ports={(port.name, port.protocol): port.number for port in pod.ports},
        host_network=place.host_network,
    )
