"""What a kubelet is given: the store, the runtime, the network, and a few services of the lab."""

import dataclasses
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Protocol

from pytest_aksnet.lab.api.objects import JsonObject
from pytest_aksnet.lab.api.store import Store
from pytest_aksnet.lab.api.trouble import Trouble
from pytest_aksnet.lab.contracts import Network, Runtime, Sandbox
from pytest_aksnet.lab.controllers.kubelet.addresses import Holder, NodeAddresses
from pytest_aksnet.lab.controllers.kubelet.naming import ResolverDefects
from pytest_aksnet.lab.controllers.kubelet.volumes import IssueToken
from pytest_aksnet.lab.spec import LabSpec


class Program(Protocol):
    """A server that the lab itself runs in a pod's network, instead of an image's program."""

    async def stop(self) -> None:
        """End it."""
        ...


class ProgramRefused(Exception):
    """The program would end at once; the text is what it writes to stderr before."""


class HostNetworkFacade(Protocol):
    """What host-network pods are shown of their node."""

    async def add_host_network_pod(self, node: str, pod: Sandbox) -> None:
        """Show it to a new pod."""
        ...

    def forget_pod(self, node: str, pod: Sandbox) -> None:
        """The pod ends."""
        ...


class NetworkPlugin(Protocol):
    """What a node's network plugin writes down."""

    def added(
        self, holder: Holder, ips: Sequence[str], sandbox: Sandbox, *, link: str, mac: str
    ) -> None:
        """A pod has been wired: its addresses, its link on the node, the MAC of its eth0."""
        ...

    def removed(self, holder: Holder) -> None:
        """A pod's wire is gone."""
        ...


class AddressBook(Protocol):
    """Told of pod addresses before anything in the pod runs: policies hold from the start."""

    def assigned(self, pod: JsonObject, ips: Sequence[str]) -> None:
        """The pod has these addresses now, the IPv4 one first."""
        ...

    def released(self, pod: JsonObject) -> None:
        """The pod has no addresses any more."""
        ...


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """Shared by all kubelets. `preloaded` are references of images that all nodes have.

    `programs` maps an image's last name to what starts its program. `pod_addresses` and
    `plugins` are the nodes' by name."""

    store: Store
    spec: LabSpec
    runtime: Runtime
    network: Network
    issue_token: IssueToken
    preloaded: Sequence[str]
    programs: Mapping[str, Callable[[Sandbox], Awaitable[Program]]]
    facade: HostNetworkFacade
    addresses: AddressBook
    resolver: ResolverDefects
    pod_addresses: Mapping[str, NodeAddresses]
    plugins: Mapping[str, NetworkPlugin]
    trouble: Trouble
