"""What ARM's answers are computed from."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

from pytest_aksnet.lab.api.store import Store
from pytest_aksnet.lab.arm.trouble import ArmTrouble
from pytest_aksnet.lab.azure.state import AzureState
from pytest_aksnet.lab.kernel.conntrack_table import Flow
from pytest_aksnet.lab.network_views import ServicePortView
from pytest_aksnet.lab.spec import LabSpec, NodeSpec


class PacketSide(Protocol):
    """The network as ARM looks at it; read only."""

    def balanced(self) -> Iterable[tuple[ServicePortView, Mapping[str, bool | None]]]:
        """Each Service port that has a frontend, and what each backend's probe last answered.

        None for a node that is not probed.
        """
        ...

    def backends(self) -> Iterable[NodeSpec]:
        """The nodes in the load balancers' backend pools."""
        ...

    def fabric_flows(self) -> list[Flow]:
        """The flows that Azure's side tracks now. Raises OSError."""
        ...

    async def connect(
        self, machine: str, ip: str, port: int, timeout_seconds: float
    ) -> float | None:
        """How long a TCP connection from a machine to a port takes, in seconds.

        None where it is refused or nothing answers in time. Raises KeyError for an unknown machine.
        """
        ...


@dataclass(frozen=True, kw_only=True)
class World:
    """The parts of a lab that ARM shows."""

    spec: LabSpec
    azure: AzureState
    store: Store
    network: PacketSide
    trouble: ArmTrouble
