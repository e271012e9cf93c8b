"""Which faults there are, by their kind. A new fault is a line in the tuple of its kind."""

from collections.abc import Callable

from pytest_aksnet.lab.faults.address_space import (
    ADDRESS_SPACE_FAULTS,
    ADDRESS_SPACE_NODE_FAULTS,
)
from pytest_aksnet.lab.faults.api_all import ApiTrouble
from pytest_aksnet.lab.faults.api_pods import ImagePullFails, PodEvicted, SlowPodStart
from pytest_aksnet.lab.faults.api_requests import (
    Latency,
    QuotaExceeded,
    RoundTrip,
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
from pytest_aksnet.lab.faults.azure_network import AZURE_NETWORK_FAULTS
from pytest_aksnet.lab.faults.cni_leftovers import CniConfigLeftover, CniStateLeaked
from pytest_aksnet.lab.faults.connections import (
    OnPremGatewayDown,
    PeeringDisconnected,
    PrivateEndpointPending,
)
from pytest_aksnet.lab.faults.conntrack_full import ConntrackFull
from pytest_aksnet.lab.faults.control_plane import (
    EndpointControllerDown,
    SchedulerDown,
    UnreadyEndpointsKept,
)
from pytest_aksnet.lab.faults.coredns_config import (
    CorednsAaaaDenied,
    CorednsCustomBroken,
    StubDomainMoved,
)
from pytest_aksnet.lab.faults.coredns_servfail import CorednsServfail
from pytest_aksnet.lab.faults.dns_of_node import (
    DnsConfigIgnored,
    DnsWrongServiceIp,
    LocalDnsDown,
    NdotsOne,
    NodeResolverStub,
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
    CorednsReplicaPending,
    CorednsViewStale,
    DnsDenialsKept,
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
from pytest_aksnet.lab.faults.fault import Fault
from pytest_aksnet.lab.faults.frontends import (
    LbAddressMoves,
    LbBackendMissing,
    LbCleanupStuck,
    LbFrontendMissing,
    LbInternalIgnored,
    LbProbeFails,
)
from pytest_aksnet.lab.faults.ingress import INGRESS_FAULTS
from pytest_aksnet.lab.faults.ipv6_half_broken import Ipv6HalfBroken
from pytest_aksnet.lab.faults.kubelets import KubeletSlowProbes, KubeletTunnelDown, NodeNotReady
from pytest_aksnet.lab.faults.local_policy_loses_source import LocalPolicyLosesSource
from pytest_aksnet.lab.faults.machines import MACHINE_FAULTS, MACHINE_NODE_FAULTS
from pytest_aksnet.lab.faults.managed_cluster import MANAGED_CLUSTER_FAULTS
from pytest_aksnet.lab.faults.masquerade_ranges import (
    MasqueradeInsideVnet,
    MasqueradeOutsideMissing,
)
from pytest_aksnet.lab.faults.mesh import MESH_FAULTS
from pytest_aksnet.lab.faults.middlebox import (
    FirewallResets,
    PrivateEndpointIntercepted,
    TlsInterception,
)
from pytest_aksnet.lab.faults.node_agents import (
    AgentNotReady,
    AgentVersionMixed,
    KubeletAnonymous,
    KubeletReadOnlyPort,
    KubeletVersionMixed,
    KubeProxyFellBack,
    NodeAddressTwice,
)
from pytest_aksnet.lab.faults.node_clock import NodeClockSkew
from pytest_aksnet.lab.faults.node_kernel import NodeMtuDiffers, ReversePathStrict
from pytest_aksnet.lab.faults.obstacles import OBSTACLES
from pytest_aksnet.lab.faults.of_balancers import (
    BALANCER_FAULTS,
    BALANCER_FAULTS_WITH_A_VALUE,
    BALANCER_NODE_FAULTS,
    BALANCER_NODE_FAULTS_WITH_A_VALUE,
)
from pytest_aksnet.lab.faults.old_versions import VERSION_FAULTS, VERSION_NODE_FAULTS
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
from pytest_aksnet.lab.faults.platform_addresses import (
    ImdsExposed,
    WireserverBlocked,
    WireserverExposed,
)
from pytest_aksnet.lab.faults.pod_addresses import (
    CniConfigLeftOver,
    CniConfigMissing,
    DuplicatePodIp,
    LeakedPodIp,
    NodeHasPodAddress,
    SubnetFull,
)
from pytest_aksnet.lab.faults.pod_wires import (
    ArpEntryWrong,
    HostPortUnmapped,
    IpForwardingOff,
    MssClamped,
    PodLoopbackDown,
    PodMtuLowered,
    PodVethDown,
)
from pytest_aksnet.lab.faults.policy import (
    PolicyEgressNotEnforced,
    PolicyEndPortOffByOne,
    PolicyExceptIgnored,
    PolicyHoldsHostNetwork,
    PolicyIpv6NotEnforced,
    PolicyLag,
    PolicyLetsNodesIn,
    PolicyNamespaceSelectorAny,
    PolicyOwnNodeOpen,
    PolicySparesConnections,
    PolicyUnprotectedWindow,
    PolicyUpdateGap,
)
from pytest_aksnet.lab.faults.private_link import PRIVATE_LINK_FAULTS
from pytest_aksnet.lab.faults.private_zone_unlinked import PrivateZoneUnlinked
from pytest_aksnet.lab.faults.rated import RatedFault, RatedNodeFault
from pytest_aksnet.lab.faults.routes import (
    AsymmetricRouting,
    EgressBypassesFirewall,
    IsolationBroken,
    PodRouteMissing,
    UdrBlackhole,
    WrongPodCidrRoute,
)
from pytest_aksnet.lab.faults.security_groups import (
    NsgBlocksDns,
    NsgBlocksHighPorts,
    NsgBlocksLoadBalancer,
    NsgBlocksNodePorts,
)
from pytest_aksnet.lab.faults.service_proxy import (
    EndpointSliceEmpty,
    HairpinBroken,
    HealthCheckStuck,
    InternalPolicyIgnored,
    KubeProxyStale,
    MasqueradeAll,
    NodePortNotOpened,
    SessionAffinityLost,
    SourceRangesIgnored,
    StaleEndpoint,
    StaleUdpConntrack,
)
from pytest_aksnet.lab.faults.service_proxy_choices import (
    ClusterIpOpenPorts,
    DeletedServiceServed,
    EndpointPreferred,
    KubeProxyStopped,
    SecondPortUnserved,
    TopologyHintsStrict,
    UdpServicesUnserved,
    UnservedServiceSilent,
)
from pytest_aksnet.lab.faults.ways_of_node import (
    HealthCheckPortDead,
    LongPacketsLost,
    MtuBlackhole,
    NodeDropsPodTraffic,
    PodBandwidthCapped,
)

OF_THE_CLUSTER: tuple[Callable[[], Fault], ...] = (
    PrivateZoneUnlinked,
    MasqueradeInsideVnet,
    MasqueradeOutsideMissing,
    SubnetFull,
    LocalPolicyLosesSource,
    MasqueradeAll,
    SourceRangesIgnored,
    EndpointSliceEmpty,
    EndpointControllerDown,
    UnreadyEndpointsKept,
    SchedulerDown,
    CorednsServfail,
    EgressAddressChanged,
    UdrBlackhole,
    AsymmetricRouting,
    EgressBypassesFirewall,
    IsolationBroken,
    NsgBlocksDns,
    NsgBlocksHighPorts,
    NsgBlocksLoadBalancer,
    SnatPortsExhausted,
    NatGatewayDetached,
    LbFrontendMissing,
    LbInternalIgnored,
    LbAddressMoves,
    LbCleanupStuck,
    PrivateEndpointPending,
    PeeringDisconnected,
    OnPremGatewayDown,
    IcmpBlocked,
    TlsInterception,
    PrivateEndpointIntercepted,
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
    DnsConfigIgnored,
    DnsDenialsKept,
    CorednsViewStale,
    CorednsReplicaPending,
    CorednsCustomBroken,
    CorednsAaaaDenied,
    StubDomainMoved,
    ArmForbidden,
    ArmTokenExpired,
    ArmOperationFails,
    ArmUnregistered,
    *AZURE_NETWORK_FAULTS,
    *INGRESS_FAULTS,
    *MESH_FAULTS,
    *ADDRESS_SPACE_FAULTS,
    *OBSTACLES,
    *VERSION_FAULTS,
    *MANAGED_CLUSTER_FAULTS,
    *MACHINE_FAULTS,
    *BALANCER_FAULTS,
    *PRIVATE_LINK_FAULTS,
)
"""Made without anything."""

OF_A_NODE: tuple[Callable[[str], Fault], ...] = (
    *ADDRESS_SPACE_NODE_FAULTS,
    *VERSION_NODE_FAULTS,
    *BALANCER_NODE_FAULTS,
    *MACHINE_NODE_FAULTS,
    NodeNotReady,
    CniConfigLeftover,
    CniStateLeaked,
    AgentNotReady,
    AgentVersionMixed,
    KubeletAnonymous,
    KubeletReadOnlyPort,
    KubeletVersionMixed,
    KubeProxyFellBack,
    NodeAddressTwice,
    NodeMtuDiffers,
    ReversePathStrict,
    LocalDnsDown,
    DnsWrongServiceIp,
    NodeResolverStub,
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
    HealthCheckStuck,
    NodePortNotOpened,
    InternalPolicyIgnored,
    UdpServicesUnserved,
    EndpointPreferred,
    DeletedServiceServed,
    ClusterIpOpenPorts,
    UnservedServiceSilent,
    SecondPortUnserved,
    TopologyHintsStrict,
    KubeProxyStopped,
    PodVethDown,
    ArpEntryWrong,
    IpForwardingOff,
    DuplicatePodIp,
    LeakedPodIp,
    CniConfigMissing,
    CniConfigLeftOver,
    NodeHasPodAddress,
    PodMtuLowered,
    PodLoopbackDown,
    MssClamped,
    HostPortUnmapped,
    KubeletTunnelDown,
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
    WireserverExposed,
    PolicyExceptIgnored,
    PolicyNamespaceSelectorAny,
    PolicyEndPortOffByOne,
    PolicyEgressNotEnforced,
    PolicyIpv6NotEnforced,
    PolicyLetsNodesIn,
    PolicyOwnNodeOpen,
    PolicyHoldsHostNetwork,
    PolicySparesConnections,
    AcceleratedNetworkingOff,
)
"""Made with the name of a node: the last one where none is named."""

WITH_A_VALUE: tuple[type[RatedFault], ...] = (
    DnsSlow,
    TooManyRequests,
    ServerErrors,
    Latency,
    RoundTrip,
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
    *BALANCER_FAULTS_WITH_A_VALUE,
)
"""Made with a value."""

OF_A_NODE_WITH_A_VALUE: tuple[type[RatedNodeFault], ...] = (
    KubeletSlowProbes,
    ConntrackFull,
    ThroughputCapped,
    RxDrops,
    PolicyLag,
    PolicyUnprotectedWindow,
    PolicyUpdateGap,
    NodeClockSkew,
    *BALANCER_NODE_FAULTS_WITH_A_VALUE,
)
"""Made with the name of a node, the last one where none is named, and a value."""

OF_ANY_NODE_WITH_A_VALUE: tuple[type[RatedNodeFault], ...] = (
    PacketLoss,
    PacketLatency,
)
"""Made with the name of a node, "" for the whole network where none is named, and a value."""
