"""What the faults have in common that have a value: how often, or how much."""

from abc import ABC, abstractmethod
from typing import ClassVar

from pytest_aksnet.lab.api.trouble import Kind
from pytest_aksnet.lab.faults.fault import FaultableLab
from pytest_aksnet.lab.faults.setting import Setting


class Valued(ABC):
    """A fault with a value; `setting` says what that is."""

    name: str
    describes: str
    setting: ClassVar[Setting]
    node: str
    value: float

    @abstractmethod
    async def inject(self, lab: FaultableLab) -> None:
        """Break it."""

    @abstractmethod
    async def heal(self, lab: FaultableLab) -> None:
        """Make it whole again."""


class RatedFault(Valued):
    """A fault of the cluster, the API server or pods with a value."""

    node = ""

    def __init__(self, value: float) -> None:
        self.value = value


class RatedNodeFault(Valued):
    """A fault of the node `node` with a value. Some take "" for the whole network."""

    def __init__(self, node: str, value: float) -> None:
        self.node = node
        self.value = value


class Chance(RatedFault):
    """A fault that is trouble of one kind."""

    kind: ClassVar[Kind]

    async def inject(self, lab: FaultableLab) -> None:
        """Set the kind's value."""
        lab.trouble.begin(self.kind, self.name, self.value)

    async def heal(self, lab: FaultableLab) -> None:
        """Take it back."""
        lab.trouble.end(self.kind, self.name)


class Recurring(RatedFault):
    """A fault that happens again and again, at random moments."""

    kind: ClassVar[Kind]

    async def inject(self, lab: FaultableLab) -> None:
        """Let it happen from now on."""

        async def happen() -> None:
            await self.happen(lab)

        await lab.trouble.repeat(self.kind, self.name, self.value, happen)

    async def heal(self, lab: FaultableLab) -> None:
        """Let it happen no more."""
        await lab.trouble.stop(self.kind, self.name)

    @staticmethod
    @abstractmethod
    async def happen(lab: FaultableLab) -> None:
        """Once."""
