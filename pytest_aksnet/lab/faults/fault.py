"""What a fault is, and what it may touch of a lab."""

from typing import Protocol

from pytest_aksnet.lab.api.store import Store
from pytest_aksnet.lab.api.trouble import Trouble
from pytest_aksnet.lab.azure.state import AzureState
from pytest_aksnet.lab.contracts import FaultableNetwork
from pytest_aksnet.lab.dns.azure import AzureDns
from pytest_aksnet.lab.dns.coredns import CustomCorefile
from pytest_aksnet.lab.facade.accelerated_networking import AcceleratedNetworking
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
    def azure_dns(self) -> AzureDns:
        """The resolver at 168.63.129.16."""
        ...

    @property
    def custom_corefile(self) -> CustomCorefile:
        """What every CoreDNS replica is told beyond AKS' Corefile."""
        ...

    @property
    def facade(self) -> AcceleratedNetworking:
        """What nodes show of their NICs."""
        ...

    @property
    def trouble(self) -> Trouble:
        """What is wrong with the API server and the pods of others."""
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
