"""The instance metadata service at 169.254.169.254: tells each machine about itself over HTTP.

Owns GET /metadata/instance and /metadata/versions ("Azure docs: instance-metadata-service"): the
header `Metadata: true` is required, X-Forwarded-For is refused, `api-version` is one of a list, and
leaves of the document are had with format=text. Whoever issues tokens adds routes of its own.
Fields without a counterpart in the lab, such as the image, are constant and a facade.
"""

import uuid
from collections.abc import Iterable, Mapping

from aiohttp import web
from aiohttp.typedefs import Handler

from pytest_aksnet.lab.azure.state import AzureState
from pytest_aksnet.lab.network.ports import Port, fabric_ports, subnet_of
from pytest_aksnet.lab.sockets import tcp_listener
from pytest_aksnet.lab.spec import (
    NODE_RESOURCE_GROUP,
    REGION,
    RESOURCE_GROUP,
    SUBSCRIPTION,
    LabSpec,
    NodeSpec,
)

PORT = 80
VERSIONS = (
    *("2017-04-02", "2017-08-01", "2017-12-01", "2018-02-01", "2018-04-02", "2018-10-01"),
    *("2019-02-01", "2019-03-11", "2019-04-30", "2019-06-01", "2019-06-04", "2019-08-01"),
    *("2019-08-15", "2019-11-01", "2020-06-01", "2020-07-15", "2020-09-01", "2020-10-01"),
    *("2020-12-01", "2021-01-01", "2021-02-01", "2021-03-01", "2021-05-01", "2021-10-01"),
    *("2021-11-01", "2021-11-15", "2021-12-13", "2023-07-01", "2023-11-15"),
)

_HOST_SIZE = "Standard_B2s_v2"
_NAMESPACE = uuid.UUID(SUBSCRIPTION)


class Imds:
    """The service of one lab."""

    def __init__(self, azure: AzureState, extra_routes: Iterable[web.RouteDef] = ()) -> None:
        self._azure = azure
        self._ports = fabric_ports(azure)
        app = web.Application(middlewares=[_only_direct])
        app.router.add_routes(
            [
                web.get("/metadata/versions", self._versions),
                web.get("/metadata/instance", self._instance),
                web.get("/metadata/instance/{path:.*}", self._instance),
                *extra_routes,
            ]
        )
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)

    async def start(self, netns_fd: int) -> None:
        """Listen in the fabric's network namespace. Raises OSError."""
        await self._runner.setup()
        listener = tcp_listener(netns_fd, self._azure.spec.imds_ip, PORT)
        await web.SockSite(self._runner, listener).start()

    async def close(self) -> None:
        """Stop."""
        await self._runner.cleanup()

    async def _versions(self, _: web.Request) -> web.Response:
        return web.json_response({"apiVersions": list(VERSIONS)})

    async def _instance(self, request: web.Request) -> web.Response:
        version = request.query.get("api-version")
        if version not in VERSIONS:
            said = "was not specified in the request" if version is None else "is invalid"
            newest = list(reversed(VERSIONS))[:3]
            return web.json_response(
                {"error": f"Bad request. api-version {said}.", "newest-versions": newest},
                status=400,
            )
        port = self._asking(request.remote or "")
        if port is None:
            return _error(404, "Not found")
        found: object = instance_document(self._azure, port)
        for step in filter(None, request.match_info.get("path", "").split("/")):
            if isinstance(found, Mapping) and step in found:
                found = found[step]
            elif isinstance(found, list) and step.isdigit() and int(step) < len(found):
                found = found[int(step)]
            else:
                return _error(404, "Not found")
        as_text = request.query.get("format", "json") == "text"
        if isinstance(found, Mapping | list):
            if not as_text:
                return web.json_response(found)
            names = found if isinstance(found, Mapping) else map(str, range(len(found)))
            return web.Response(text="\n".join(f"{name}/" for name in names))
        if not as_text:
            return _error(404, "Not found. Leaves have format=text only")
        return web.Response(text=str(found))

    def _asking(self, ip: str) -> Port | None:
        for port in self._ports:
            reserved = port.node.reserved_pod_ips if port.node else ()
            if port.network and (ip == port.ip or ip in reserved):
                return port
        return None


def instance_document(azure: AzureState, port: Port) -> dict[str, object]:
    """What a machine is told about itself."""
    node = port.node
    compute = _machine(azure.spec, port) if node is None else _scale_set_instance(azure.spec, node)
    compute |= {
        "azEnvironment": "AzurePublicCloud",
        "location": REGION,
        "osType": "Linux",
        "platformFaultDomain": "0",
        "platformUpdateDomain": "0",
        "provider": "Microsoft.Compute",
        "publisher": "microsoft-aks",
        "subscriptionId": SUBSCRIPTION,
        "vmId": str(uuid.uuid5(_NAMESPACE, str(compute["resourceId"]))),
    }
    return {"compute": dict(sorted(compute.items())), "network": _network(azure, port)}


def _scale_set_instance(spec: LabSpec, node: NodeSpec) -> dict[str, object]:
    return {
        "name": f"{node.vmss}_{node.instance}",
        "offer": "aks",
        "osProfile": {"computerName": node.name},
        "resourceGroupName": NODE_RESOURCE_GROUP,
        "resourceId": node.provider_id.removeprefix("azure://"),
        "tags": f"aks-managed-orchestrator:Kubernetes:{spec.kubernetes_version.removeprefix('v')};"
        f"aks-managed-poolName:{node.pool}",
        "vmScaleSetName": node.vmss,
        "vmSize": node.instance_type,
        "zone": node.zone.rpartition("-")[2],
    }


def _machine(spec: LabSpec, port: Port) -> dict[str, object]:
    name = next(host.name for host in spec.hosts if host.ip == port.ip)
    return {
        "name": name,
        "offer": "debian-12",
        "osProfile": {"computerName": name},
        "resourceGroupName": RESOURCE_GROUP,
        "resourceId": f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{RESOURCE_GROUP}"
        f"/providers/Microsoft.Compute/virtualMachines/{name}",
        "tags": "",
        "vmScaleSetName": "",
        "vmSize": _HOST_SIZE,
        "zone": "",
    }


def _network(azure: AzureState, port: Port) -> dict[str, object]:
    place = subnet_of(azure, port)
    assert place is not None
    address, _, length = place[1].prefix.partition("/")
    own = [port.ip]
    if port.node is not None and azure.spec.mode == "node-subnet":
        own += port.node.reserved_pod_ips
    return {
        "interface": [
            {
                "ipv4": {
                    "ipAddress": [{"privateIpAddress": ip, "publicIpAddress": ""} for ip in own],
                    "subnet": [{"address": address, "prefix": length}],
                },
                "ipv6": {
                    "ipAddress": [{"privateIpAddress": port.ip6}] if port.ip6 else [],
                },
                "macAddress": port.mac.replace(":", "").upper(),
            }
        ]
    }


@web.middleware
async def _only_direct(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Refuse what a proxy may have sent on somebody's behalf."""
    if "X-Forwarded-For" in request.headers:
        return _error(400, "Bad request. X-Forwarded-For is not allowed")
    if (
        request.path.startswith("/metadata/instance")
        and request.headers.get("Metadata", "").casefold() != "true"
    ):
        return _error(400, "Bad request. Required metadata header not specified")
    return await handler(request)


def _error(status: int, text: str) -> web.Response:
    return web.json_response({"error": text}, status=status)
