"""Microsoft.Network: Network Watcher: next hop, IP flow verification, and a connectivity check.

The check sends packets: it connects from the machine that it is asked of. It needs an agent in
the machine that AKS does not put on its nodes, so of a node it is refused.
"""

import uuid
from collections.abc import Iterable

from aiohttp import web

from pytest_aksnet.lab.arm import errors
from pytest_aksnet.lab.arm.bodies import choice, text
from pytest_aksnet.lab.arm.documents import Document, resource
from pytest_aksnet.lab.arm.ids import resource_id, same
from pytest_aksnet.lab.arm.interfaces import Interface, interfaces
from pytest_aksnet.lab.arm.kinds import Call, Provider
from pytest_aksnet.lab.arm.network_effective import place_of, routes_of
from pytest_aksnet.lab.arm.network_security import TABLES
from pytest_aksnet.lab.arm.security import deciding_rule
from pytest_aksnet.lab.arm.world import World
from pytest_aksnet.lab.azure.routes import USER, next_hop
from pytest_aksnet.lab.azure.security_rules import tag_values
from pytest_aksnet.lab.spec import REGION

GROUP = "NetworkWatcherRG"
WATCHERS = "Microsoft.Network/networkWatchers"
_SYSTEM = "System Route"
_PROBES = 5
_PROBE_SECONDS = 1.0


def _watchers(world: World) -> Iterable[Document]:
    yield resource(GROUP, WATCHERS, f"NetworkWatcher_{REGION}", {}, tags={})


def _interface(call: Call, machine: str) -> Interface:
    """The interface of a VM or scale-set instance. Raises ArmError."""
    for one in interfaces(call.world):
        if one.machine and same(one.machine, machine):
            return one
    raise errors.bad_request(
        "InvalidResourceReference", f"Resource {machine} referenced by the request was not found."
    )


def _next_hop(call: Call) -> web.Response:
    interface = _interface(call, text(call.body, "targetResourceId"))
    destination = text(call.body, "destinationIPAddress")

    async def work() -> Document:
        route = next_hop(routes_of(call.world, interface), destination)
        if route is None:
            return {"nextHopType": "None", "routeTableId": _SYSTEM}
        answer: Document = {"nextHopType": route.next_hop_type}
        if route.next_hop_ip:
            answer["nextHopIpAddress"] = route.next_hop_ip
        answer["routeTableId"] = _SYSTEM
        if route.source == USER:
            _, subnet = place_of(call.world, interface)
            table = call.world.azure.route_tables[subnet.route_table]
            answer["routeTableId"] = resource_id(table.resource_group, TABLES, table.name)
        return answer

    return call.begin(work())


def _verify_flow(call: Call) -> web.Response:
    body = call.body
    interface = _interface(call, text(body, "targetResourceId"))
    direction = choice(body, "direction", ("Inbound", "Outbound"))
    protocol = choice(body, "protocol", ("TCP", "UDP"))
    local = (text(body, "localIPAddress"), _port(body, "localPort"))
    remote = (text(body, "remoteIPAddress"), _port(body, "remotePort"))

    async def work() -> Document:
        network, subnet = place_of(call.world, interface)
        group = call.world.azure.security_groups.get(subnet.security_group)
        if group is None:
            return {"access": "Allow", "ruleName": ""}
        inbound = direction == "Inbound"
        rule = deciding_rule(
            group,
            tag_values(call.world.azure, network, subnet),
            direction=direction,
            protocol=protocol,
            source=remote if inbound else local,
            destination=local if inbound else remote,
        )
        kind = "securityRules" if rule in group.rules else "defaultSecurityRules"
        return {"access": rule.access, "ruleName": f"{kind}/{rule.name}"}

    return call.begin(work())


def _port(body: Document, field: str) -> int:
    value = text(body, field)
    if value == "*":
        return 0
    if not value.isdecimal() or int(value) > 65535:
        raise errors.bad_request("InvalidPort", f"The value {value!r} of '{field}' is no port.")
    return int(value)


def _check_connectivity(call: Call) -> web.Response:
    source = text(call.body.get("source") or {}, "resourceId")
    destination = call.body.get("destination") or {}
    interface = _interface(call, source)
    if interface.node:
        raise errors.ArmError(
            409,
            "NetworkWatcherExtensionNotInstalled",
            f"The Network Watcher Agent extension is not installed on {source}.",
        )
    address, port = text(destination, "address"), destination.get("port")
    if not isinstance(port, int):
        raise errors.bad_request("InvalidPort", "The destination has no 'port'.")
    return call.begin(_connect(call.world, interface, address, port))


async def _connect(world: World, interface: Interface, address: str, port: int) -> Document:
    machine = interface.machine.rpartition("/")[2]
    times = [
        await world.network.connect(machine, address, port, _PROBE_SECONDS) for _ in range(_PROBES)
    ]
    good = [round(seconds * 1000) for seconds in times if seconds is not None]
    here, there = str(uuid.uuid4()), str(uuid.uuid4())
    latencies: Document = {}
    if good:
        latencies = {
            "avgLatencyInMs": round(sum(good) / len(good)),
            "minLatencyInMs": min(good),
            "maxLatencyInMs": max(good),
        }
    return {
        "hops": [
            {
                "type": "Source",
                "id": here,
                "address": interface.ips[0],
                "resourceId": interface.configuration_id(0),
                "nextHopIds": [there],
                "issues": [],
            },
            {
                "type": "Destination",
                "id": there,
                "address": address,
                "nextHopIds": [],
                "issues": [],
            },
        ],
        "connectionStatus": "Reachable" if good else "Unreachable",
        **latencies,
        "probesSent": len(times),
        "probesFailed": len(times) - len(good),
    }


PROVIDER = Provider(
    tops={WATCHERS: _watchers},
    actions={
        f"{WATCHERS}/nextHop": _next_hop,
        f"{WATCHERS}/ipFlowVerify": _verify_flow,
        f"{WATCHERS}/connectivityCheck": _check_connectivity,
    },
)
