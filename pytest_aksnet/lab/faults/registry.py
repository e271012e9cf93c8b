"""Which faults there are, and how they are read: NAME[=VALUE][@NODE].

A VALUE is for faults that have one, a NODE for those of a node.
"""

from collections.abc import Callable

from pytest_aksnet.lab.faults.api_all import ApiTrouble
from pytest_aksnet.lab.faults.api_pods import ImagePullFails, PodEvicted, SlowPodStart
from pytest_aksnet.lab.faults.api_requests import (
    Latency,
    QuotaExceeded,
    ServerErrors,
    TooManyRequests,
    WatchExpired,
)
from pytest_aksnet.lab.faults.api_server import ApiRestart, TokenExpired
from pytest_aksnet.lab.faults.api_streams import (
    ExecFalseSuccess,
    ExecHalfOpen,
    ExecOutputLost,
    ExecRefused,
    ExecStatusLost,
    ExecStreamCut,
)
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
from pytest_aksnet.lab.faults.rated import RatedFault
from pytest_aksnet.lab.faults.setting import BadValue
from pytest_aksnet.lab.faults.ways_of_node import (
    HealthCheckPortDead,
    LongPacketsLost,
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
    LongPacketsLost,
    HealthCheckPortDead,
    PodBandwidthCapped,
)


_WITH_A_VALUE: tuple[type[RatedFault], ...] = (
    TooManyRequests,
    ServerErrors,
    Latency,
    ApiRestart,
    WatchExpired,
    TokenExpired,
    ExecStreamCut,
    ExecHalfOpen,
    ExecStatusLost,
    ExecFalseSuccess,
    ExecOutputLost,
    ExecRefused,
    PodEvicted,
    ImagePullFails,
    QuotaExceeded,
    SlowPodStart,
    ApiTrouble,
)


class UnknownFault(ValueError):
    """No such fault, node or value; the text names what there is."""


def all_faults(spec: LabSpec) -> list[Fault]:
    """Every fault, those of a node for the last node of the lab, sorted by name."""
    node = spec.nodes[-1].name
    found: list[Fault] = [make() for make in _OF_THE_CLUSTER]
    found += [make(node) for make in _OF_A_NODE]
    found += [make(make.setting.default) for make in _WITH_A_VALUE]
    return sorted(found, key=lambda fault: fault.name)


def find_fault(text: str, spec: LabSpec) -> Fault:
    """The fault that a text means. Raises UnknownFault."""
    rest, at, node = text.partition("@")
    name, equals, value = rest.partition("=")
    known = {fault.name: fault for fault in all_faults(spec)}
    if name not in known:
        raise UnknownFault(f"unknown fault {name!r}: known are {', '.join(known)}")
    fault = known[name]
    if at:
        fault = _on_node(name, node, spec)
    if not equals:
        return fault
    if not isinstance(fault, RatedFault):
        raise UnknownFault(f"{name} has no value: leave out ={value}")
    try:
        return type(fault)(fault.setting.parse(value))
    except BadValue as error:
        raise UnknownFault(f"{name}={value}: expected is the {error}") from error


def label(fault: Fault) -> str:
    """The text that means this fault."""
    value = f"={fault.value:g}" if isinstance(fault, RatedFault) else ""
    return fault.name + value + (f"@{fault.node}" if fault.node else "")


def _on_node(name: str, node: str, spec: LabSpec) -> Fault:
    names = [one.name for one in spec.nodes]
    if node not in names:
        raise UnknownFault(f"unknown node {node!r}: the lab has {', '.join(names)}")
    for make in _OF_A_NODE:
        fault = make(node)
        if fault.name == name:
            return fault
    raise UnknownFault(f"{name} is a fault of the whole cluster: leave out @{node}")
