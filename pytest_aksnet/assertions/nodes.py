"""Owns the look-up of a node by its name, for promises about its addresses and its size."""

from pytest_aksnet.check import Engine
from pytest_aksnet.expectations.addresses import node_addresses
from pytest_aksnet.model.errors import FactUnknown
from pytest_aksnet.model.peers import NodeRef, PodRef


def node_named(engine: Engine, name: str) -> NodeRef:
    """The node of that name. Raises FactUnknown if the cluster no longer has it."""
    for node in engine.view.nodes():
        if node.name == name:
            return node
    raise FactUnknown(f"node {name!r} is not in the cluster's list of nodes (any more)")


def addresses_of(engine: Engine, pod: PodRef) -> frozenset[str]:
    """The addresses of the pod's node."""
    return node_addresses(node_named(engine, pod.node))
