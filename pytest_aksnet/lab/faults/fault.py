"""What a fault is, and what it may touch of a lab."""

from collections.abc import Mapping
from typing import Protocol, runtime_checkable

from pytest_aksnet.lab.api.store import Store
from pytest_aksnet.lab.api.trouble import Trouble
from pytest_aksnet.lab.arm.trouble import ArmTrouble
from pytest_aksnet.lab.azure.state import AzureState
from pytest_aksnet.lab.cni.files import NodeFiles
from pytest_aksnet.lab.contracts import Sandbox
from pytest_aksnet.lab.controllers.agent_defects import AgentDefects
from pytest_aksnet.lab.controllers.control_plane import ControlPlane
from pytest_aksnet.lab.controllers.kubelet.addresses import NodeAddresses
from pytest_aksnet.lab.controllers.kubelet.naming import ResolverDefects
from pytest_aksnet.lab.controllers.kubelet.ports import KubeletPorts
from pytest_aksnet.lab.controllers.loop import ControlLoop
from pytest_aksnet.lab.dns.servers import DnsServers
from pytest_aksnet.lab.facade.accelerated_networking import AcceleratedNetworking
from pytest_aksnet.lab.facade.host_network import NodeViews
from pytest_aksnet.lab.leaks import Leaks
from pytest_aksnet.lab.middlebox import Middlebox
from pytest_aksnet.lab.network_knobs import FaultableNetwork
from pytest_aksnet.lab.proxy_status import ProxyStatus
from pytest_aksnet.lab.spec import LabSpec


class FaultableLab(Protocol):
    """A lab as faults see it."""

    @property
    def spec(self) -> LabSpec:
        """What the lab consists of."""
        ...

    @property
    def store(self) -> Store:
        """The cluster's objects."""
        ...

    @property
    def azure(self) -> AzureState:
        """The Azure resources around the cluster."""
        ...

    @property
    def network(self) -> FaultableNetwork:
        """The network and its knobs."""
        ...

    @property
    def dns(self) -> DnsServers:
        """All DNS servers."""
        ...

    @property
    def machines(self) -> Mapping[str, Sandbox]:
        """Nodes, hosts and the fabric by name."""
        ...

    @property
    def resolver(self) -> ResolverDefects:
        """What kubelets write wrongly into resolv.conf of pods."""
        ...

    @property
    def pod_addresses(self) -> Mapping[str, NodeAddresses]:
        """What each node's network plugin may hand out, by node."""
        ...

    @property
    def plugins(self) -> Mapping[str, NodeFiles]:
        """The network plugin's files by node."""
        ...

    @property
    def facade(self) -> AcceleratedNetworking:
        """What nodes show of their NICs."""
        ...

    @property
    def views(self) -> NodeViews:
        """What is in place on nodes and in their host-network pods."""
        ...

    @property
    def kubelet_ports(self) -> KubeletPorts:
        """The ports of the kubelets."""
        ...

    @property
    def proxy_status(self) -> ProxyStatus:
        """What kube-proxy says of itself."""
        ...

    @property
    def agent_defects(self) -> AgentDefects:
        """What is wrong with an agent of the network."""
        ...

    @property
    def middlebox(self) -> Middlebox:
        """The firewall between the cluster and the internet."""
        ...

    @property
    def leaks(self) -> Leaks:
        """Connections that programs on nodes never close."""
        ...

    @property
    def trouble(self) -> Trouble:
        """What is wrong with the API server and the pods of others."""
        ...

    @property
    def arm_trouble(self) -> ArmTrouble:
        """What is wrong with Azure Resource Manager."""
        ...

    @property
    def records(self) -> ControlLoop:
        """How CoreDNS hears of the cluster's objects."""
        ...

    @property
    def control(self) -> ControlPlane:
        """Scheduler and controllers."""
        ...

    def delay_probes(self, node: str, seconds: float) -> None:
        """How late a node's kubelet is with each look of its probes."""
        ...

    def set_kubelet_tunnel(self, node: str, *, up: bool) -> None:
        """Whether the API server gets through to a node's kubelet."""
        ...

    def silence_kubelet(self, node: str) -> None:
        """A node's kubelet hears nothing and is not heard any more; its pods run on."""
        ...

    def restore_kubelet(self, node: str) -> None:
        """A silent kubelet is heard again."""
        ...

    def kubelet_clock(self, node: str) -> float:
        """By how many seconds the clock of a node's kubelet is ahead."""
        ...

    def set_kubelet_clock(self, node: str, seconds: float) -> None:
        """Put it so many seconds ahead."""
        ...

    async def restart_api(self) -> None:
        """End the API server, and have it back about a second later."""
        ...

    def evict_pod(self) -> None:
        """Have a kubelet evict one of the running pods of others, if there are any."""
        ...


class Fault(Protocol):
    """A fault, ready to be injected; doing either twice is harmless.

    `name` is how people call it, `describes` one sentence with its source, `node` the node that it
    breaks, "" where it breaks the cluster.
    """

    name: str
    describes: str
    node: str

    async def inject(self, lab: FaultableLab) -> None:
        """Break it."""
        ...

    async def heal(self, lab: FaultableLab) -> None:
        """Make it whole again."""
        ...


@runtime_checkable
class Limited(Protocol):
    """A fault that not every lab can have."""

    def unfit(self, spec: LabSpec) -> str:
        """Why this lab cannot have it, in one line that names the option to set; "" if it can."""
        ...
