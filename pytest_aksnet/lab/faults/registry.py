"""Which faults there are, and how they are read: NAME[=VALUE][@NODE].

A VALUE is for faults that have one, a NODE for those of a node. A new fault is a line in the tuple
of its kind.
"""

import difflib
from collections.abc import Callable, Mapping
from dataclasses import dataclass

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
from pytest_aksnet.lab.faults.arm import (
    AcceleratedNetworkingOff,
    ArmBroken,
    ArmForbidden,
    ArmHalfBroken,
    ArmOperationFails,
    ArmSlow,
    ArmThrottled,
    ArmTokenExpired,
    ArmUnregistered,
)
from pytest_aksnet.lab.faults.connections import (
    OnPremGatewayDown,
    PeeringDisconnected,
    PrivateEndpointPending,
)
from pytest_aksnet.lab.faults.conntrack_full import ConntrackFull
from pytest_aksnet.lab.faults.control_plane import EndpointControllerDown, SchedulerDown
from pytest_aksnet.lab.faults.coredns_servfail import CorednsServfail
from pytest_aksnet.lab.faults.dns_of_node import (
    DnsWrongServiceIp,
    LocalDnsDown,
    NdotsOne,
    SearchDomainBroken,
)
from pytest_aksnet.lab.faults.dns_of_vnet import (
    CustomDnsDown,
    CustomDnsSplitBrain,
    DnsTruncatedTcpBlocked,
    PrivateRecordMissing,
    PrivateRecordStale,
)
from pytest_aksnet.lab.faults.dns_replicas import (
    CorednsNoUpstream,
    DnsReplicaLostZone,
    DnsReplicaServfail,
    DnsReplicaSilent,
    DnsSlow,
)
from pytest_aksnet.lab.faults.egress import (
    EgressAddressChanged,
    IdleTimeoutShort,
    NatGatewayDetached,
    SnatPortsExhausted,
)
from pytest_aksnet.lab.faults.fault import Fault, Limited
from pytest_aksnet.lab.faults.frontends import (
    LbBackendMissing,
    LbFrontendMissing,
    LbProbeFails,
)
from pytest_aksnet.lab.faults.ipv6_half_broken import Ipv6HalfBroken
from pytest_aksnet.lab.faults.kubelets import KubeletSlowProbes, NodeNotReady
from pytest_aksnet.lab.faults.local_policy_loses_source import LocalPolicyLosesSource
from pytest_aksnet.lab.faults.masquerade_ranges import (
    MasqueradeInsideVnet,
    MasqueradeOutsideMissing,
)
from pytest_aksnet.lab.faults.middlebox import FirewallResets, TlsInterception
from pytest_aksnet.lab.faults.node_clock import NodeClockSkew
from pytest_aksnet.lab.faults.on_node import (
    KubeProxyRulesMissing,
    NicWithoutVf,
    PolicyNotEnforced,
    VfCountersFlat,
    VfDriverMixed,
)
from pytest_aksnet.lab.faults.on_the_way import (
    IcmpBlocked,
    LinkFlaps,
    PacketLatency,
    PacketLoss,
    RxDrops,
    ThroughputCapped,
)
from pytest_aksnet.lab.faults.platform_addresses import ImdsExposed, WireserverBlocked
from pytest_aksnet.lab.faults.pod_addresses import (
    CniConfigMissing,
    DuplicatePodIp,
    LeakedPodIp,
    SubnetFull,
)
from pytest_aksnet.lab.faults.pod_wires import ArpEntryWrong, IpForwardingOff, PodVethDown
from pytest_aksnet.lab.faults.policy import (
    PolicyEgressNotEnforced,
    PolicyEndPortOffByOne,
    PolicyExceptIgnored,
    PolicyLag,
    PolicyNamespaceSelectorAny,
    PolicyUnprotectedWindow,
)
from pytest_aksnet.lab.faults.private_zone_unlinked import PrivateZoneUnlinked
from pytest_aksnet.lab.faults.rated import RatedFault, RatedNodeFault, Valued
from pytest_aksnet.lab.faults.routes import (
    AsymmetricRouting,
    EgressBypassesFirewall,
    PodRouteMissing,
    UdrBlackhole,
    WrongPodCidrRoute,
)
from pytest_aksnet.lab.faults.security_groups import (
    NsgBlocksDns,
    NsgBlocksLoadBalancer,
    NsgBlocksNodePorts,
)
from pytest_aksnet.lab.faults.service_proxy import (
    EndpointSliceEmpty,
    HairpinBroken,
    InternalPolicyIgnored,
    KubeProxyStale,
    MasqueradeAll,
    NodePortNotOpened,
    SessionAffinityLost,
    StaleEndpoint,
    StaleUdpConntrack,
)
from pytest_aksnet.lab.faults.setting import BadValue, Setting
from pytest_aksnet.lab.faults.ways_of_node import (
    HealthCheckPortDead,
    LongPacketsLost,
    MtuBlackhole,
    NodeDropsPodTraffic,
    PodBandwidthCapped,
)
from pytest_aksnet.lab.spec import LabSpec

_OF_THE_CLUSTER: tuple[Callable[[], Fault], ...] = (
    PrivateZoneUnlinked,
    MasqueradeInsideVnet,
    MasqueradeOutsideMissing,
    SubnetFull,
    LocalPolicyLosesSource,
    MasqueradeAll,
    EndpointSliceEmpty,
    EndpointControllerDown,
    SchedulerDown,
    CorednsServfail,
    EgressAddressChanged,
    UdrBlackhole,
    AsymmetricRouting,
    EgressBypassesFirewall,
    NsgBlocksDns,
    NsgBlocksLoadBalancer,
    SnatPortsExhausted,
    NatGatewayDetached,
    LbFrontendMissing,
    PrivateEndpointPending,
    PeeringDisconnected,
    OnPremGatewayDown,
    IcmpBlocked,
    TlsInterception,
    FirewallResets,
    DnsReplicaSilent,
    DnsReplicaServfail,
    DnsReplicaLostZone,
    CorednsNoUpstream,
    CustomDnsSplitBrain,
    CustomDnsDown,
    PrivateRecordStale,
    PrivateRecordMissing,
    DnsTruncatedTcpBlocked,
    SearchDomainBroken,
    NdotsOne,
    ArmForbidden,
    ArmTokenExpired,
    ArmOperationFails,
    ArmUnregistered,
)
_OF_A_NODE: tuple[Callable[[str], Fault], ...] = (
    NodeNotReady,
    LocalDnsDown,
    DnsWrongServiceIp,
    Ipv6HalfBroken,
    PolicyNotEnforced,
    NicWithoutVf,
    KubeProxyRulesMissing,
    PodRouteMissing,
    NsgBlocksNodePorts,
    NodeDropsPodTraffic,
    LongPacketsLost,
    HealthCheckPortDead,
    StaleEndpoint,
    StaleUdpConntrack,
    HairpinBroken,
    SessionAffinityLost,
    KubeProxyStale,
    NodePortNotOpened,
    InternalPolicyIgnored,
    PodVethDown,
    ArpEntryWrong,
    IpForwardingOff,
    DuplicatePodIp,
    LeakedPodIp,
    CniConfigMissing,
    PodBandwidthCapped,
    LinkFlaps,
    VfDriverMixed,
    VfCountersFlat,
    WrongPodCidrRoute,
    MtuBlackhole,
    LbBackendMissing,
    LbProbeFails,
    ImdsExposed,
    WireserverBlocked,
    PolicyExceptIgnored,
    PolicyNamespaceSelectorAny,
    PolicyEndPortOffByOne,
    PolicyEgressNotEnforced,
    AcceleratedNetworkingOff,
)
_WITH_A_VALUE: tuple[type[RatedFault], ...] = (
    DnsSlow,
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
    IdleTimeoutShort,
    ArmThrottled,
    ArmBroken,
    ArmSlow,
    ArmHalfBroken,
)
# Of the last node where none is named.
_OF_A_NODE_WITH_A_VALUE: tuple[type[RatedNodeFault], ...] = (
    KubeletSlowProbes,
    ConntrackFull,
    ThroughputCapped,
    RxDrops,
    PolicyLag,
    PolicyUnprotectedWindow,
    NodeClockSkew,
)
# Of the whole network where no node is named.
_OF_ANY_NODE_WITH_A_VALUE: tuple[type[RatedNodeFault], ...] = (
    PacketLoss,
    PacketLatency,
)


class UnfitFault(ValueError):
    """A fault that this lab cannot have; the text says why."""


class UnknownFault(UnfitFault):
    """No such fault, node or value; the text names what there is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kind:
    """How faults of one name are made: of the node `node` by default, with a value or without.

    `node` is None for faults of the whole cluster.
    """

    make: Callable[[str, float], Fault]
    setting: Setting | None
    node: str | None

    def default(self) -> Fault:
        """The one that the name alone means."""
        return self.make(self.node or "", self.setting.default if self.setting else 0.0)


def all_faults(spec: LabSpec) -> list[Fault]:
    """Every fault, those of a node for the last node of the lab, sorted by name.

    Those that this lab cannot have are among them: see `refusal`.
    """
    return [kind.default() for _, kind in sorted(_kinds(spec).items())]


def refusal(fault: Fault, spec: LabSpec) -> str:
    """Why a lab cannot have a fault, in one line; "" where it can."""
    return fault.unfit(spec) if isinstance(fault, Limited) else ""


def takes_node(name: str, spec: LabSpec) -> bool:
    """Whether the fault of that name is one of a node. Raises KeyError."""
    return _kinds(spec)[name].node is not None


def find_fault(text: str, spec: LabSpec) -> Fault:
    """The fault that a text means. Raises UnknownFault, or UnfitFault for what fits another lab."""
    rest, at, node = text.partition("@")
    name, equals, value = rest.partition("=")
    kinds = _kinds(spec)
    if name not in kinds:
        near = difflib.get_close_matches(name, kinds, n=3)
        hint = (
            f"did you mean {', '.join(near)}?" if near else f"known are {', '.join(sorted(kinds))}"
        )
        raise UnknownFault(f"unknown fault {name!r}: {hint}")
    kind = kinds[name]
    if at:
        _check_node(name, node, kind, spec)
    number = kind.setting.default if kind.setting else 0.0
    if equals:
        if kind.setting is None:
            raise UnknownFault(f"{name} has no value: leave out ={value}")
        try:
            number = kind.setting.parse(value)
        except BadValue as error:
            raise UnknownFault(f"{name}={value}: expected is the {error}") from error
    fault = kind.make(node if at else kind.node or "", number)
    if why := refusal(fault, spec):
        raise UnfitFault(f"{name}: {why}")
    return fault


def label(fault: Fault) -> str:
    """The text that means this fault."""
    value = f"={fault.value:g}" if isinstance(fault, Valued) else ""
    return fault.name + value + (f"@{fault.node}" if fault.node else "")


def _check_node(name: str, node: str, kind: _Kind, spec: LabSpec) -> None:
    names = [one.name for one in spec.nodes]
    if node not in names:
        raise UnknownFault(f"unknown node {node!r}: the lab has {', '.join(names)}")
    if kind.node is None:
        raise UnknownFault(f"{name} is a fault of the whole cluster: leave out @{node}")


def _kinds(spec: LabSpec) -> Mapping[str, _Kind]:
    """How each fault is made, by its name."""
    last = spec.nodes[-1].name
    kinds: dict[str, _Kind] = {}

    def add(make: Callable[[str, float], Fault], node: str | None, setting: Setting | None) -> None:
        kinds[make(node or "", 0.0).name] = _Kind(make=make, node=node, setting=setting)

    for of_cluster in _OF_THE_CLUSTER:
        add(_without_both(of_cluster), None, None)
    for of_node in _OF_A_NODE:
        add(_without_value(of_node), last, None)
    for rated in _WITH_A_VALUE:
        add(_without_node(rated), None, rated.setting)
    for rated_of_node in _OF_A_NODE_WITH_A_VALUE:
        add(rated_of_node, last, rated_of_node.setting)
    for rated_anywhere in _OF_ANY_NODE_WITH_A_VALUE:
        add(rated_anywhere, "", rated_anywhere.setting)
    return kinds


def _without_both(make: Callable[[], Fault]) -> Callable[[str, float], Fault]:
    return lambda _node, _value: make()


def _without_value(make: Callable[[str], Fault]) -> Callable[[str, float], Fault]:
    return lambda node, _value: make(node)


def _without_node(make: Callable[[float], Fault]) -> Callable[[str, float], Fault]:
    return lambda _node, value: make(value)
