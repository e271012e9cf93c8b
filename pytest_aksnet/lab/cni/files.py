"""Keeps the network plugin's files on the nodes up to date as pods come and go.

The names of the pods' network namespaces in /run/netns, containerd's work, belong to them.

Changes are written some 50 ms after the first of them, all of a node at once: an add costs no
more than a place in a list.
"""

import asyncio
import datetime
import logging
from collections.abc import Mapping, Sequence

from pytest_aksnet.lab.cni import log, state
from pytest_aksnet.lab.cni.configs import DIRECTORY, conflist, leftover
from pytest_aksnet.lab.cni.endpoints import Endpoint
from pytest_aksnet.lab.contracts import Sandbox
from pytest_aksnet.lab.controllers.kubelet import images, processes
from pytest_aksnet.lab.controllers.kubelet.addresses import Holder, NodeAddresses
from pytest_aksnet.lab.spec import LabSpec, NodeSpec

_log = logging.getLogger(__name__)
_PAUSE_SECONDS = 0.05
_FIRST_PROCESS = 11_000
_MOST_LOG_LINES = 600  # of some 35 pods; what is older has been rotated away
_FILE_MODE = 0o644
_LEAKED = "00000000-0000-0000-0000-000000000000"
_HOST_LOCAL = "/var/lib/cni/networks/kubenet"


class NodeFiles:
    """The files of one node."""

    def __init__(
        self, spec: LabSpec, node: NodeSpec, machine: Sandbox, addresses: NodeAddresses
    ) -> None:
        self._spec = spec
        self._node = node
        self._machine = machine
        self._addresses = addresses
        self._endpoints: dict[str, Endpoint] = {}
        self._lines: dict[str, list[str]] = {"azure-vnet": [], "azure-vnet-ipam": []}
        self._process = _FIRST_PROCESS
        self._written: dict[str, str] = {}
        self._unnamed: dict[str, Sandbox] = {}
        self._to_forget: list[str] = []
        self._writing: asyncio.Task[None] | None = None
        self._again = False
        self._has_config = True
        self._has_leftover = False

    def begin(self) -> None:
        """Write the files for the first time, soon. Needs a running event loop."""
        self._soon()

    def added(
        self, holder: Holder, ips: Sequence[str], sandbox: Sandbox, *, link: str, mac: str
    ) -> None:
        """A pod has been wired."""
        endpoint = Endpoint(
            namespace=holder.namespace,
            pod=holder.pod,
            uid=holder.uid,
            sandbox_id=holder.sandbox_id,
            netns=holder.netns,
            ips=tuple(ips),
            link=link,
            mac=mac,
            created=_now(),
        )
        self._endpoints[holder.uid] = endpoint
        self._unnamed[endpoint.netns] = sandbox
        self._process += 17
        self._log("azure-vnet", log.added(self._spec, endpoint, self._process))
        if self._spec.mode == "node-subnet":
            self._log("azure-vnet-ipam", log.allocated(self._spec, endpoint, self._process + 11))
        self._soon()

    def removed(self, holder: Holder) -> None:
        """A pod's wire is gone."""
        endpoint = self._endpoints.pop(holder.uid, None)
        if endpoint is not None:
            if self._unnamed.pop(endpoint.netns, None) is None:
                self._to_forget.append(endpoint.netns)
            self._process += 17
            self._log("azure-vnet", log.removed(self._spec, endpoint, self._process, _now()))
            self._soon()

    async def set_config(self, present: bool) -> None:
        """Have the configuration in its place, or not; without it no pod gets a network."""
        self._has_config = present
        self._addresses.set_ready(present)
        await self.write()

    async def set_leftover_config(self, present: bool) -> None:
        """Have another plugin's configuration beside it, or not; pods get their network as ever."""
        self._has_leftover = present
        await self.write()

    async def set_leaked(self, leaked: bool) -> None:
        """Have the last free address held for a pod that is gone, or not."""
        if not leaked:
            self._endpoints.pop(_LEAKED, None)
        elif _LEAKED not in self._endpoints:
            self._endpoints[_LEAKED] = Endpoint(
                namespace="default",
                pod="gone",
                uid=_LEAKED,
                sandbox_id="0" * 64,
                netns=f"cni-{_LEAKED}",
                ips=(list(self._addresses.free)[-1],),
                link="azv00000000000",
                mac="aa:aa:aa:00:00:02",
                created=_now(),
            )
        await self.write()

    async def write(self) -> None:
        """Write what has changed now. Raises OSError."""
        wanted = self._contents()
        written, self._written = self._written, wanted
        changed = {
            path: (content.encode(), _FILE_MODE)
            for path, content in wanted.items()
            if written.get(path) != content
        }
        if changed:
            await self._machine.write_files(changed)
        if self._unnamed or self._to_forget:
            added, self._unnamed = self._unnamed, {}
            removed, self._to_forget = self._to_forget, []
            await self._machine.name_networks(added, removed)
        stale = sorted(set(written) - set(wanted))
        if stale:
            remove = ["rm", "-f", "--", *stale]
            session = await processes.start(
                self._machine, remove, env={"PATH": images.PATH}, stdout=False, stderr=False
            )
            await session.process.wait()

    def _soon(self) -> None:
        self._again = True
        if self._writing is None or self._writing.done():
            self._writing = asyncio.create_task(self._write_changes())

    async def _write_changes(self) -> None:
        while self._again:
            await asyncio.sleep(_PAUSE_SECONDS)
            self._again = False
            try:
                await self.write()
            except OSError as error:
                _log.warning("%s: network plugin's files: %s", self._node.name, error)

    def _contents(self) -> dict[str, str]:
        spec, now = self._spec, _now()
        name, text = conflist(spec, self._node)
        found = {f"{DIRECTORY}/{name}": text} if self._has_config else {}
        if self._has_leftover:
            other, content = leftover()
            found[f"{DIRECTORY}/{other}"] = content
        endpoints = list(self._endpoints.values())
        if spec.engine == "cilium":
            return found
        if spec.mode == "kubenet":
            return found | {
                f"{_HOST_LOCAL}/{ip}": state.host_local(holder.sandbox_id)
                for ip, holder in self._addresses.taken.items()
            }
        found["/var/run/azure-vnet.json"] = state.azure_vnet(spec, self._node, endpoints, now)
        if spec.mode == "node-subnet":
            taken = {ip: holder.sandbox_id for ip, holder in self._addresses.taken.items()}
            found["/var/run/azure-vnet-ipam.json"] = state.azure_vnet_ipam(
                spec, [*self._addresses.free, *taken], taken, now
            )
        for log_name, lines in self._lines.items():
            if lines:
                found[f"/var/log/{log_name}.log"] = "\n".join(lines) + "\n"
        return found

    def _log(self, name: str, lines: Sequence[str]) -> None:
        kept = self._lines[name]
        kept += lines
        del kept[:-_MOST_LOG_LINES]


def node_files(
    spec: LabSpec, machines: Mapping[str, Sandbox], addresses: Mapping[str, NodeAddresses]
) -> dict[str, NodeFiles]:
    """Those of every node by its name."""
    return {
        node.name: NodeFiles(spec, node, machines[node.name], addresses[node.name])
        for node in spec.nodes
    }


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)
