"""The addresses that one node's network plugin hands out to its pods, and what it says without any.

host-local for kubenet and azure-vnet-ipam for node subnets have all of a node's addresses from the
start, and so has azure-cns in overlay. In a pod subnet azure-cns gets them in batches of 16: one at
boot, the next when fewer than 8 are free, and none is given back; with static blocks the node has
its /28 blocks from the start ("AKS docs: configure-azure-cni-dynamic-ip-allocation",
"configure-azure-cni-static-block-allocation"). Other than Azure's, batches of a node adjoin.
"""

import asyncio
import hashlib
import ipaddress
import json
import uuid
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pytest_aksnet.lab.spec import LabSpec, NodeSpec

BATCH = 16
NOT_READY = (
    "container runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady "
    "message:Network plugin returns error: cni plugin not initialized"
)
"""What the kubelet says of a node whose containerd has no network configuration."""

_FEWEST_FREE = BATCH // 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """The pod that has an address: its names, its uid, and the id of its sandbox."""

    namespace: str
    pod: str
    uid: str

    @property
    def sandbox_id(self) -> str:
        """64 hexadecimal digits, as containerd numbers sandboxes."""
        return hashlib.sha256(f"sandbox/{self.uid}".encode()).hexdigest()

    @property
    def netns(self) -> str:
        """The name of its network namespace, as containerd gives it."""
        return f"cni-{uuid.UUID(self.sandbox_id[:32], version=4)}"


def sandbox_refused(holder: Holder, why: str) -> str:
    """The event of a pod whose network could not be set up, as the kubelet words it."""
    return (
        "Failed to create pod sandbox: rpc error: code = Unknown desc = failed to setup network "
        f'for sandbox "{holder.sandbox_id}": {why}'
    )


class NoNetwork(Exception):
    """A pod gets no network yet: reason and text of the event that the kubelet writes."""

    def __init__(self, reason: str, text: str) -> None:
        super().__init__(text)
        self.reason = reason


class NodeAddresses:
    """The addresses of one node. `full` and `leaking` are how faults bend it.

    `full`: there is no further address, whatever has been given back. `leaking`: what pods leave
    behind stays allocated. Change them with `set_full` and `set_leaking`.
    """

    def __init__(self, spec: LabSpec, node: NodeSpec) -> None:
        self._spec = spec
        self._node = node
        addresses = node.pod_addresses()
        batched = spec.mode == "pod-subnet" and not spec.options.static_blocks
        first = BATCH if batched else len(addresses)
        self._free = deque(addresses[:first])
        self._reserve = deque(addresses[first:])
        self._taken: dict[str, Holder] = {}
        self._leaked: list[str] = []
        self._copied: tuple[NodeAddresses, ...] = ()
        self._twins: set[str] = set()
        self._foreign: deque[str] = deque()
        self._changed = asyncio.Event()
        self._ready = True
        self.full = False
        self.leaking = False

    @property
    def taken(self) -> Mapping[str, Holder]:
        """Who has which address; leaked ones still name the pod that had them."""
        return self._taken

    @property
    def free(self) -> tuple[str, ...]:
        """What the plugin has and nobody holds, in the order in which it will be handed out."""
        return tuple(self._free)

    def take(self, holder: Holder) -> str:
        """An address for a pod. Raises NoNetwork."""
        if not self._ready:
            raise NoNetwork("NetworkNotReady", f"network is not ready: {NOT_READY}")
        if self._foreign:
            return self._foreign.popleft()
        copied = [
            ip
            for other in self._copied
            for ip, owner in other.taken.items()
            if owner.namespace == holder.namespace and ip not in self._twins
        ]
        if copied:
            self._twins.add(copied[-1])
            return copied[-1]
        if self.full or not self._free:
            raise NoNetwork("FailedCreatePodSandBox", self._refusal(holder))
        ip = self._free.popleft()
        self._taken[ip] = holder
        if len(self._free) < _FEWEST_FREE:
            self._free.extend(
                self._reserve.popleft() for _ in range(min(BATCH, len(self._reserve)))
            )
        return ip

    def give_back(self, ip: str, holder: Holder) -> None:
        """The pod is gone, and has no address any more."""
        self._twins.discard(ip)
        if self._taken.get(ip) != holder:
            return
        if self.leaking:
            self._leaked.append(ip)
            return
        del self._taken[ip]
        self._free.append(ip)
        self._wake()

    async def wait(self, seconds: float) -> None:
        """Until there may be an address again, or so many seconds."""
        try:
            await asyncio.wait_for(self._changed.wait(), seconds)
        except TimeoutError:
            return

    def set_ready(self, ready: bool) -> None:
        """Whether containerd has loaded a network configuration."""
        self._ready = ready
        self._wake()

    def set_full(self, full: bool) -> None:
        """Have no address for anybody, or again."""
        self.full = full
        self._wake()

    def set_leaking(self, leaking: bool) -> None:
        """Keep what pods leave behind; or give all of that back."""
        self.leaking = leaking
        if not leaking:
            for ip in self._leaked:
                del self._taken[ip]
                self._free.append(ip)
            self._leaked.clear()
            self._wake()

    def set_copied(self, others: "Sequence[NodeAddresses]") -> None:
        """Give further pods addresses of these nodes' pods of the same namespace; none: not.

        The newest of the last node goes first.
        """
        self._copied = tuple(others)

    def set_foreign(self, addresses: Sequence[str]) -> None:
        """Give further pods these, which another plugin has; none: not."""
        self._foreign = deque(addresses)

    def _wake(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    def _refusal(self, holder: Holder) -> str:
        """In the plugins' words (Azure docs: troubleshoot-network-aks; Azure/AKS issue 2532)."""
        plugin, why = self._reason(holder)
        return sandbox_refused(holder, f'plugin type="{plugin}" failed (add): {why}')

    def _reason(self, holder: Holder) -> tuple[str, str]:
        if self._spec.mode == "kubenet":
            hosts = list(ipaddress.ip_network(self._node.pod_cidr or "").hosts())
            return "bridge", (
                "failed to allocate for range 0: no IP addresses available in range set: "
                f"{hosts[0]}-{hosts[-1]}"
            )
        if self._spec.mode == "node-subnet" and self._spec.engine != "cilium":
            return "azure-vnet", (
                "IPAM Invoker Add failed with error: Failed to allocate pool: Failed to delegate: "
                "Failed to allocate address: No available addresses"
            )
        container = uuid.uuid5(uuid.NAMESPACE_DNS, self._node.name)
        context = json.dumps(
            {"PodName": holder.pod, "PodNamespace": holder.namespace}, separators=(",", ":")
        )
        cns = (
            f"AllocateIPConfig failed: not enough IPs available for {container}, waiting on Azure "
            "CNS to allocate more with NC Status: , IP config request is [IPConfigRequest: "
            f"DesiredIPAddress , PodInterfaceID {holder.sandbox_id[:8]}-eth0, InfraContainerID "
            f"{holder.sandbox_id}, OrchestratorContext {context}]"
        )
        if self._spec.engine == "cilium":
            return "cilium-cni", f"unable to invoke delegated plugin ADD for IPAM: {cns}"
        return "azure-vnet", (
            "IPAM Invoker Add failed with error: Failed to get IP address from CNS with error: "
            f"%w: {cns}"
        )
