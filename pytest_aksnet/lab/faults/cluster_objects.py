"""What the faults have in common that are objects in the cluster which stand there too much."""

from abc import ABC, abstractmethod
from collections.abc import Sequence

from pytest_aksnet.lab.api.objects import JsonObject
from pytest_aksnet.lab.api.resources import Resource
from pytest_aksnet.lab.faults.fault import FaultableLab

Made = tuple[Resource, JsonObject]


class ObjectsFault(ABC):
    """A fault of objects; both methods may be called twice."""

    name: str
    describes: str
    node = ""

    @abstractmethod
    def objects(self, lab: FaultableLab) -> Sequence[Made]:
        """The objects that do the damage, with their namespaces; what others need comes first."""

    async def inject(self, lab: FaultableLab) -> None:
        """Create those that are not there."""
        for resource, value in self.objects(lab):
            name, namespace = _place(value)
            if lab.store.find(resource, name, namespace) is None:
                lab.store.create(resource, value, namespace)

    async def heal(self, lab: FaultableLab) -> None:
        """Delete them."""
        for resource, value in reversed(self.objects(lab)):
            name, namespace = _place(value)
            if lab.store.find(resource, name, namespace) is not None:
                lab.store.delete(resource, name, namespace)


def _place(value: JsonObject) -> tuple[str, str]:
    metadata = value["metadata"]
    return str(metadata["name"]), str(metadata.get("namespace", ""))
