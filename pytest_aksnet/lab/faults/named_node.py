"""What the faults have in common that are the name of a node in one set of the network's knobs."""

from abc import ABC, abstractmethod

from pytest_aksnet.lab.faults.fault import FaultableLab
from pytest_aksnet.lab.network_knobs import NetworkKnobs


class NamedNode(ABC):
    """A fault of the node `node`."""

    name: str
    describes: str

    def __init__(self, node: str) -> None:
        self.node = node

    @abstractmethod
    def broken(self, knobs: NetworkKnobs) -> set[str]:
        """The set that holds the names of the nodes with this fault."""

    async def inject(self, lab: FaultableLab) -> None:
        """Name the node there."""
        self.broken(lab.network.knobs).add(self.node)
        lab.network.resync()

    async def heal(self, lab: FaultableLab) -> None:
        """Do not name it any more."""
        self.broken(lab.network.knobs).discard(self.node)
        lab.network.resync()
