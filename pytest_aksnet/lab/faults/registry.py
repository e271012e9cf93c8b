"""Which faults there are, and how their names are read: NAME, or NAME@NODE for those of a node."""

from collections.abc import Callable

from pytest_aksnet.lab.faults.coredns_servfail import CorednsServfail
from pytest_aksnet.lab.faults.egress_address_changed import EgressAddressChanged
from pytest_aksnet.lab.faults.fault import Fault
from pytest_aksnet.lab.faults.local_policy_loses_source import LocalPolicyLosesSource
from pytest_aksnet.lab.faults.masquerade_inside_vnet import MasqueradeInsideVnet
from pytest_aksnet.lab.faults.on_node import (
    KubeProxyRulesMissing,
    NicWithoutVf,
    PolicyNotEnforced,
)
from pytest_aksnet.lab.faults.private_zone_unlinked import PrivateZoneUnlinked
from pytest_aksnet.lab.faults.ways_of_node import (
    HealthCheckPortDead,
    NodeDropsPodTraffic,
    NsgBlocksNodePorts,
    PodBandwidthCapped,
    PodRouteMissing,
)
from pytest_aksnet.lab.spec import LabSpec

_OF_THE_CLUSTER: tuple[Callable[[], Fault], ...] = (
    PrivateZoneUnlinked,
    MasqueradeInsideVnet,
    LocalPolicyLosesSource,
    CorednsServfail,
    EgressAddressChanged,
)
_OF_A_NODE: tuple[Callable[[str], Fault], ...] = (
    PolicyNotEnforced,
    NicWithoutVf,
    KubeProxyRulesMissing,
    PodRouteMissing,
    NsgBlocksNodePorts,
    NodeDropsPodTraffic,
    HealthCheckPortDead,
    PodBandwidthCapped,
)


class UnknownFault(ValueError):
    """No such fault, or no such node; the text names what there is."""


def all_faults(spec: LabSpec) -> list[Fault]:
    """Every fault, those of a node for the last node of the lab, sorted by name."""
    node = spec.nodes[-1].name
    found = [make() for make in _OF_THE_CLUSTER] + [make(node) for make in _OF_A_NODE]
    return sorted(found, key=lambda fault: fault.name)


def find_fault(text: str, spec: LabSpec) -> Fault:
    """The fault that a text means. Raises UnknownFault."""
    name, at, node = text.partition("@")
    known = {fault.name: fault for fault in all_faults(spec)}
    if name not in known:
        raise UnknownFault(f"unknown fault {name!r}: known are {', '.join(known)}")
    if not at:
        return known[name]
    for make in _OF_A_NODE:
        if node not in (one.name for one in spec.nodes):
            names = ", ".join(one.name for one in spec.nodes)
            raise UnknownFault(f"unknown node {node!r}: the lab has {names}")
        fault = make(node)
        if fault.name == name:
            return fault
    raise UnknownFault(f"{name} is a fault of the whole cluster: leave out @{node}")
