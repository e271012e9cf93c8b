"""The lab's own routes, /lab/v1: what it is, its faults, and a command in any of its namespaces.

Beside the Kubernetes API and behind the same token. `exec` speaks the protocol of pods/exec.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Protocol

from aiohttp import web

from pytest_aksnet.lab.api import errors, exchange, streams
from pytest_aksnet.lab.api.resources import PODS
from pytest_aksnet.lab.api.trouble import Trouble
from pytest_aksnet.lab.contracts import ExecNotStarted, ExecSession, KubeletRefusal, Sandbox
from pytest_aksnet.lab.controllers.kubelet import processes
from pytest_aksnet.lab.controllers.kubelet.agent import Kubelets
from pytest_aksnet.lab.controllers.kubelet.images import PATH
from pytest_aksnet.lab.facade.accelerated_networking import FacadeError
from pytest_aksnet.lab.faults.fault import Fault
from pytest_aksnet.lab.faults.naming import (
    UnfitFault,
    all_faults,
    find_fault,
    refusal,
    takes_node,
)
from pytest_aksnet.lab.faults.rated import Valued
from pytest_aksnet.lab.options import changed_options
from pytest_aksnet.lab.topology import ShownLab, topology

_PLACES = "fabric, internet, host/NAME, node/NAME or pod/NAMESPACE/NAME"


class AdministeredLab(ShownLab, Protocol):
    """A lab as its own routes see it."""

    @property
    def announcement(self) -> Mapping[str, object]:
        """What the lab said when it was ready."""
        ...

    @property
    def arm_asked(self) -> Mapping[str, int]:
        """How often Azure Resource Manager was asked for what."""
        ...

    @property
    def machines(self) -> Mapping[str, Sandbox]:
        """Fabric, nodes and outside hosts by name."""
        ...

    @property
    def trouble(self) -> Trouble:
        """What is wrong with the API server."""
        ...

    async def inject(self, fault: Fault) -> None:
        """Inject a fault."""
        ...

    async def heal(self, fault: Fault) -> None:
        """Heal a fault."""
        ...


def routes(lab: AdministeredLab, kubelets: Kubelets) -> list[web.RouteDef]:
    """The routes of a lab."""
    handlers = _Handlers(lab, kubelets)
    return [
        web.get("/lab/v1/status", handlers.status),
        web.get("/lab/v1/topology", handlers.topology),
        web.get("/lab/v1/faults", handlers.list_faults),
        web.post("/lab/v1/faults/{name}", handlers.inject),
        web.delete("/lab/v1/faults/{name}", handlers.heal),
        web.get("/lab/v1/exec", handlers.exec),
    ]


class _Handlers:
    def __init__(self, lab: AdministeredLab, kubelets: Kubelets) -> None:
        self._lab = lab
        self._kubelets = kubelets

    async def status(self, request: web.Request) -> web.StreamResponse:
        spec = self._lab.spec
        return web.json_response(
            {
                "mode": spec.mode,
                "engine": spec.engine,
                "options": changed_options(spec.options),
                "nodes": [node.name for node in spec.nodes],
                "hosts": {host.name: host.ip for host in spec.hosts},
                "pods": len(self._lab.store.revisions(PODS)),
                "faults": sorted(self._lab.injected.values()),
                "seed": self._lab.trouble.seed,
                "azure_asked": dict(sorted(self._lab.arm_asked.items())),
                "announced": self._lab.announcement,
            }
        )

    async def topology(self, request: web.Request) -> web.StreamResponse:
        return web.json_response(topology(self._lab))

    async def list_faults(self, request: web.Request) -> web.StreamResponse:
        injected = sorted(self._lab.injected.items())
        return web.json_response(
            {
                "faults": [
                    {
                        "name": fault.name,
                        "describes": fault.describes,
                        "node": fault.node,
                        "takes_node": takes_node(fault.name, self._lab.spec),
                        "value": _described_value(fault),
                        "unfit": refusal(fault, self._lab.spec),
                        "injected": [text for (name, _), text in injected if name == fault.name],
                    }
                    for fault in all_faults(self._lab.spec)
                ]
            }
        )

    async def inject(self, request: web.Request) -> web.StreamResponse:
        return await self._change(request, self._lab.inject)

    async def heal(self, request: web.Request) -> web.StreamResponse:
        return await self._change(request, self._lab.heal)

    async def _change(
        self, request: web.Request, change: Callable[[Fault], Awaitable[None]]
    ) -> web.StreamResponse:
        try:
            fault = find_fault(request.match_info["name"], self._lab.spec)
        except UnfitFault as error:
            raise errors.bad_request(str(error)) from error
        try:
            await change(fault)
        except (FacadeError, OSError) as error:
            return exchange.plain(f"{fault.name}: {error}\n", status=500)
        return await self.status(request)

    async def exec(self, request: web.Request) -> web.StreamResponse:
        place = request.query.get("place", "")
        argv = request.query.getall("command", [])
        tty = exchange.flag(request, "tty")

        async def start() -> ExecSession | None:
            sandbox = self._sandbox(place)
            if not argv:
                return None
            try:
                return await processes.start(
                    sandbox,
                    argv,
                    env={"PATH": PATH, "HOME": "/root"},
                    stdin=exchange.flag(request, "stdin"),
                    stdout=exchange.flag(request, "stdout"),
                    stderr=exchange.flag(request, "stderr") and not tty,
                    tty=tty,
                )
            except OSError as error:
                raise ExecNotStarted(127, processes.start_error_text(argv, error)) from error

        return await streams.carry(request, start)

    def _sandbox(self, place: str) -> Sandbox:
        """The sandbox of a place. Raises KubeletRefusal that names what there is."""
        kind, _, rest = place.partition("/")
        spec = self._lab.spec
        nodes = [node.name for node in spec.nodes]
        hosts = [host.name for host in spec.hosts]
        if kind == "pod" and rest.count("/") == 1:
            return self._kubelets.sandbox(*rest.split("/"))
        if place in ("fabric", "internet"):
            return self._lab.machines[place]
        for wanted, names in (("node", nodes), ("host", hosts)):
            if kind == wanted:
                if rest in names:
                    return self._lab.machines[rest]
                raise KubeletRefusal(404, f"no {kind} {rest!r}: there are {', '.join(names)}")
        raise KubeletRefusal(400, f"no such place {place!r}: give {_PLACES}")


def _described_value(fault: Fault) -> str:
    """What the fault's value means, and its default; empty where it has none."""
    if not isinstance(fault, Valued):
        return ""
    return f"{fault.setting.meaning} (default {fault.setting.default:g})"
