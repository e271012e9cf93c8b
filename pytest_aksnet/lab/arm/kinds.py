"""How the resource types of a provider are told: what a provider's module registers."""

from collections.abc import Callable, Coroutine, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from aiohttp import web

from pytest_aksnet.lab.arm.documents import Document
from pytest_aksnet.lab.arm.errors import ArmError
from pytest_aksnet.lab.arm.identities import Identity
from pytest_aksnet.lab.arm.operations import Operations
from pytest_aksnet.lab.arm.requests import Target
from pytest_aksnet.lab.arm.world import World


@dataclass(frozen=True, kw_only=True)
class Call:
    """A request that is to be answered by a provider.

    `parent` is the resource that it is about, or, for what is to be made, the one above it.
    """

    world: World
    operations: Operations
    identity: Identity
    target: Target
    version: str
    query: Mapping[str, str]
    body: Document
    parent: Document

    def begin(
        self, work: Coroutine[None, None, Document | None], resource: Document | None = None
    ) -> web.Response:
        """Answer with a long-running operation."""

        async def run() -> Document | None:
            if self.world.trouble.operations_fail:
                work.close()
                raise ArmError(409, "OperationNotAllowed", "The operation was not allowed.")
            return await work

        return self.operations.start(
            run(), namespace=self.target.namespace, version=self.version, resource=resource
        )


Top: TypeAlias = Callable[[World], Iterable[Document]]
"""All resources of a type in the subscription."""
Parts: TypeAlias = Callable[[World, Document], Iterable[Document]]
"""The parts of one type of a resource."""
Answer: TypeAlias = Callable[[Call], web.Response]


@dataclass(frozen=True, kw_only=True)
class Provider:
    """The types of a provider's module, by full type name as ARM spells it.

    `reads` and `actions` are what is asked of a resource with GET and POST (the last part of the
    type is the verb), `puts` and `deletes` what may be changed.
    """

    tops: Mapping[str, Top] = field(default_factory=dict)
    parts: Mapping[str, Parts] = field(default_factory=dict)
    reads: Mapping[str, Answer] = field(default_factory=dict)
    actions: Mapping[str, Answer] = field(default_factory=dict)
    puts: Mapping[str, Answer] = field(default_factory=dict)
    deletes: Mapping[str, Answer] = field(default_factory=dict)


def embedded(name: str) -> Parts:
    """Parts that their resource's document has in a property."""

    def parts(_world: World, parent: Document) -> Iterable[Document]:
        return parent["properties"].get(name, ())  # type: ignore[no-any-return]

    return parts
