"""How a pod hangs on its node: what network plugins have in common."""

import errno
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from pytest_aksnet.lab.kernel.netlink import RouteSocket

POD_INDEX = 2
"""The interface index of eth0 in every pod."""

GONE = (errno.ESRCH, errno.ENODEV, errno.ENOENT)
"""What the kernel says of a link that has already gone with its namespace."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PodPlace:
    """A pod's addresses, the index of its link on the node, and "NAMESPACE.NAME".

    `netns_fd` is its network namespace, open as long as the pod is wired.
    """

    ip: str
    ip6: str | None
    index: int
    name: str
    netns_fd: int


class PodWires(Protocol):
    """What a network plugin does on a node."""

    def prepare(self) -> None:
        """Set up what all pods share. Raises OSError."""
        ...

    def link_name(self, pod: PodPlace) -> str:
        """The name of the pod's link on the node."""
        ...

    def pod_mac(self, pod: PodPlace) -> str:
        """The MAC address of the pod's eth0."""
        ...

    def add(self, pod: PodPlace) -> None:
        """Wire a pod whose network namespace is empty. Raises OSError."""
        ...

    def links(self, pods: Iterable[PodPlace]) -> list[int]:
        """The links by which packets of pods reach the node's IP stack."""
        ...

    def set_up(self, pod: PodPlace, *, up: bool) -> None:
        """Set the pod's link on the node down; or up again, with what leads to the pod."""
        ...

    def set_gateway_mac(self, pod: PodPlace, mac: str | None) -> None:
        """The MAC address that the pod has for its gateways; None for the right one."""
        ...

    def set_hairpin(self, *, on: bool) -> None:
        """Whether a bridge sends a pod's frames back to it."""
        ...

    def remove(self, pod: PodPlace) -> None:
        """Stop routing to a pod. Its wire goes with its namespace.

        To delete the link here would block for some 20 ms, while the kernel waits for readers.
        """
        ...


def apply_inside(pod: PodPlace, requests: Sequence[bytes]) -> None:
    """Change the pod's own side. Raises OSError."""
    inside = RouteSocket(pod.netns_fd)
    try:
        inside.apply(requests)
    finally:
        inside.close()
