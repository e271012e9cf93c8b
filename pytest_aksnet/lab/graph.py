"""Draws a lab's topology, as `topology` describes it, as SVG. Pure and deterministic.

From top to bottom: the internet, the ways in and out, the cluster's virtual network with its
subnets, nodes and pods. The site on premises is left of it, peered networks are right of it. What
is broken is red.
"""

import ipaddress
import math
from collections.abc import Mapping, Sequence
from typing import Any

from pytest_aksnet.lab.svg import CHARACTER, LINE, Drawing

Json = Mapping[str, Any]

_PAD = 10.0
_GAP = 26.0
_NODE = 262.0
_SIDE = 190.0
_EDGE = 214.0
_MANY_NODES = 12  # beyond, pods are squares without names
_PODS_SHOWN = 8
_SQUARE = 11.0
_ADDRESS = 16 * CHARACTER


def draw(topology: Json) -> str:
    """The SVG document of a topology."""
    return _Graph(topology).draw()


class _Graph:
    def __init__(self, topology: Json) -> None:
        self._is = topology
        self._on = Drawing()
        self._nodes: Sequence[Json] = topology["nodes"]
        self._cluster: Json = topology["networks"][0]
        self._peered: Sequence[Json] = topology["networks"][1:]
        self._faults: dict[str, list[str]] = {}
        for label, node in topology["faults"]:
            self._faults.setdefault(node, []).append(label)
        count = len(self._nodes)
        self._columns = max(2, min(count, 3), math.ceil(math.sqrt(count * 0.7)))
        self._brief = count > _MANY_NODES

    def draw(self) -> str:
        topology, on = self._is, self._on
        left = _PAD + (_SIDE + 2 * _GAP if topology["sites"] else 0)
        width = self._columns * (_NODE + _PAD) + 3 * _PAD
        y = _PAD
        what = f"{topology['mode']}, {topology['engine']}, services by {topology['service_proxy']}"
        on.text(_PAD, y, f"aksnet-lab: {what}, {len(self._nodes)} nodes", "title")
        y += LINE
        for label in self._faults.get("", []):
            on.text(_PAD, y, f"fault: {label}", "bad")
            y += LINE
        y += _PAD
        internet = [host for host in topology["hosts"] if host["domain"] == "internet"]
        bottom = self._hosts(left, y, width, "internet", internet, "cloud")
        top = bottom + _GAP
        edges = self._edges(left, top, width, bottom)
        network = edges + _GAP
        self._network(left, network, width)
        for x in (left + _EDGE / 2, left + width - _EDGE / 2):
            on.line(x, edges, x, network)
        self._sites(network, left)
        self._peerings(network, left + width)
        return on.render(f"aksnet-lab: {what}")

    # -- the internet and the ways to it ---------------------------------------------------

    def _hosts(
        self, x: float, y: float, width: float, name: str, hosts: Sequence[Json], kind: str
    ) -> float:
        """A box with one small box for each host; its bottom."""
        columns = max(1, int((width - _PAD) / (_SIDE + _PAD)))
        rows = max(1, math.ceil(len(hosts) / columns))
        height = LINE + 2 * _PAD + rows * (2 * LINE + 2 * _PAD)
        self._on.box(x, y, width, height, kind)
        self._on.text(x + _PAD, y + _PAD / 2, name, "title", width - 2 * _PAD)
        for number, host in enumerate(hosts):
            left = x + _PAD + number % columns * (_SIDE + _PAD)
            top = y + LINE + _PAD + number // columns * (2 * LINE + 2 * _PAD)
            self._host(left, top, host)
        return y + height

    def _host(self, x: float, y: float, host: Json, state: str = "") -> None:
        broken = bool(state)
        height = 2 * LINE + _PAD / 2
        self._on.box(x, y, _SIDE - _PAD, height, "broken" if broken else "", host["name"])
        role = f" ({host['role']})" if host.get("role") else ""
        room = _SIDE - 2 * _PAD
        self._on.text(x + 5, y + 2, host["name"] + role, "", room)
        self._on.text(x + 5, y + 2 + LINE, host["ip"] + state, "bad" if broken else "dim", room)

    def _edges(self, x: float, y: float, width: float, above: float) -> float:
        """The way out at the left, the load balancer's frontends right of it; their bottom."""
        on, egress = self._on, self._is["egress"]
        names = {
            "load-balancer": "outbound rule",
            "nat-gateway": "NAT gateway",
            "firewall": "firewall (UDR)",
            "none": "no way out",
        }
        height = 2 * LINE + _PAD
        on.box(x, y, _EDGE, height, "edge")
        on.text(x + 6, y + 4, names.get(egress["kind"], egress["kind"]), "title", _EDGE - 12)
        on.text(x + 6, y + 4 + LINE, egress["address"] or "-", "dim", _EDGE - 12)
        way_out = "down" if egress["kind"] == "none" else ""
        on.line(x + _EDGE / 2, above, x + _EDGE / 2, y, way_out)
        public = [one for one in self._is["frontends"] if not one["internal"]]
        if not public:
            on.text(x + _EDGE + _GAP, y + 4, "no public frontend", "dim")
            return y + height
        columns = max(1, int((width - _EDGE - _GAP) / (_EDGE + _PAD)))
        for number, frontend in enumerate(public):
            left = x + width - _EDGE - number % columns * (_EDGE + _PAD)
            top = y + number // columns * (height + _PAD)
            self._frontend(left, top, frontend, height)
            if number < columns:
                on.line(left + _EDGE / 2, above, left + _EDGE / 2, top)
        return y + math.ceil(len(public) / columns) * (height + _PAD) - _PAD

    def _frontend(self, x: float, y: float, frontend: Json, height: float) -> None:
        kind = "internal frontend" if frontend["internal"] else "frontend"
        services = ", ".join(frontend["services"])
        self._on.box(x, y, _EDGE, height, "edge", services)
        self._on.text(x + 6, y + 4, f"{kind} {frontend['ip']}", "title", _EDGE - 12)
        self._on.text(x + 6, y + 4 + LINE, services, "dim", _EDGE - 12)

    # -- the cluster's network -------------------------------------------------------------

    def _network(self, x: float, y: float, width: float) -> None:
        network, at = self._cluster, y + _PAD + LINE
        node_subnet = self._is["node_subnet"]
        drawn: list[tuple[Json, float, float]] = []
        others = [one for one in network["subnets"] if one["name"] != node_subnet]
        nodes = next(one for one in network["subnets"] if one["name"] == node_subnet)
        node_height = self._node_subnet_height()
        drawn.append((nodes, at, node_height))
        at += node_height + _PAD
        for subnet in others:
            height = self._subnet_height(subnet, width - 2 * _PAD)
            drawn.append((subnet, at, height))
            at += height + _PAD
        self._on.box(x, y, width, at - y, "net")
        prefixes = " ".join(network["prefixes"])
        self._on.text(x + _PAD, y + 5, f"{network['name']} {prefixes}", "title", width - 2 * _PAD)
        for subnet, top, height in drawn:
            self._subnet(x + _PAD, top, width - 2 * _PAD, height, subnet)

    def _subnet(self, x: float, y: float, width: float, height: float, subnet: Json) -> None:
        extras = [subnet[key] for key in ("security_group", "route_table", "nat_gateway")]
        text = " · ".join([f"{subnet['name']} {subnet['prefix']}", *filter(None, extras)])
        self._on.box(x, y, width, height, "subnet")
        self._on.text(x + _PAD, y + 4, text, "", width - 2 * _PAD)
        if subnet["name"] == self._is["node_subnet"]:
            self._node_grid(x + _PAD, y + LINE + _PAD)
            return
        room = max(1, int((width - _PAD) / (_SIDE + _PAD)))
        for number, (host, state) in enumerate(self._in_subnet(subnet)):
            left = x + _PAD + number % room * (_SIDE + _PAD)
            self._host(left, y + LINE + _PAD / 2 + number // room * (2 * LINE + _PAD), host, state)

    def _in_subnet(self, subnet: Json) -> list[tuple[Json, str]]:
        """What stands in a subnet beside nodes, with what is wrong with it."""
        prefix = ipaddress.ip_network(subnet["prefix"])
        endpoints = {one["ip"]: one for one in self._is["private_endpoints"]}
        found: list[tuple[Json, str]] = [
            (host, "")
            for host in self._is["hosts"]
            if ipaddress.ip_address(host["ip"]) in prefix and host["ip"] not in endpoints
        ]
        for one in endpoints.values():
            if ipaddress.ip_address(one["ip"]) in prefix:
                state = "" if one["status"] == "Approved" else f" {one['status']}"
                found.append(({"name": one["fqdn"], "ip": one["ip"]}, state))
        return found

    def _subnet_height(self, subnet: Json, width: float) -> float:
        room = max(1, int((width - _PAD) / (_SIDE + _PAD)))
        rows = math.ceil(len(self._in_subnet(subnet)) / room)
        return LINE + _PAD + rows * (2 * LINE + _PAD)

    def _internal(self) -> list[Json]:
        return [one for one in self._is["frontends"] if one["internal"]]

    def _node_subnet_height(self) -> float:
        rows = math.ceil(len(self._nodes) / self._columns)
        frontends = math.ceil(len(self._internal()) / self._columns) * (2 * LINE + 2 * _PAD)
        return LINE + 2 * _PAD + frontends + rows * (self._node_height() + _PAD)

    def _node_height(self) -> float:
        lines = 3 + max(
            (len(self._faults.get(node["name"], [])) for node in self._nodes), default=0
        )
        most = max((len(node["pods"]) for node in self._nodes), default=0)
        if self._brief:
            per_row = int((_NODE - 12) / (_SQUARE + 2))
            return lines * LINE + 8 + math.ceil(most / per_row) * (_SQUARE + 2)
        return lines * LINE + 8 + min(most, _PODS_SHOWN + 1) * LINE

    def _node_grid(self, x: float, y: float) -> None:
        for number, frontend in enumerate(self._internal()):
            left = x + number % self._columns * (_NODE + _PAD)
            top = y + number // self._columns * (2 * LINE + 2 * _PAD)
            self._frontend(left, top, frontend, 2 * LINE + _PAD)
        y += math.ceil(len(self._internal()) / self._columns) * (2 * LINE + 2 * _PAD)
        height = self._node_height()
        for number, node in enumerate(self._nodes):
            left = x + number % self._columns * (_NODE + _PAD)
            self._node(left, y + number // self._columns * (height + _PAD), height, node)

    def _node(self, x: float, y: float, height: float, node: Json) -> None:
        on, faults = self._on, self._faults.get(node["name"], [])
        room = _NODE - 12
        on.box(x, y, _NODE, height, "broken" if faults else "", node["name"])
        on.text(x + 6, y + 3, node["name"], "title", room)
        on.text(x + 6, y + 3 + LINE, f"{node['ip']} {node['ip6']}".strip(), "", room)
        on.text(x + 6, y + 3 + 2 * LINE, f"{node['size']} {node['zone']}", "dim", room)
        at = y + 3 + 3 * LINE
        for label in faults:
            on.text(x + 6, at, label.partition("@")[0], "bad", room)
            at += LINE
        if self._brief:
            per_row = int(room / (_SQUARE + 2))
            for number, pod in enumerate(node["pods"]):
                left = x + 6 + number % per_row * (_SQUARE + 2)
                hint = f"{pod['namespace']}/{pod['name']} {pod['ip']} {pod['phase']}"
                kind = "pod" if pod["phase"] == "Running" else "broken"
                top = at + number // per_row * (_SQUARE + 2)
                on.box(left, top, _SQUARE, _SQUARE, kind, hint)
            return
        for pod in node["pods"][:_PODS_SHOWN]:
            running = pod["phase"] in ("Running", "Succeeded")
            on.text(x + 6, at, pod["name"], "" if running else "bad", room - _ADDRESS)
            on.text(x + 6 + room - _ADDRESS + CHARACTER, at, pod["ip"], "dim", _ADDRESS)
            at += LINE
        if len(node["pods"]) > _PODS_SHOWN:
            on.text(x + 6, at, f"and {len(node['pods']) - _PODS_SHOWN} more pods", "dim")

    # -- beside it -------------------------------------------------------------------------

    def _sites(self, y: float, right: float) -> None:
        for site in self._is["sites"]:
            hosts = [host for host in self._is["hosts"] if host["domain"] == "on-prem"]
            prefixes = " ".join(site["prefixes"])
            bottom = self._hosts(
                _PAD, y, _SIDE + _PAD, f"{site['name']} {prefixes}", hosts, "cloud"
            )
            kind = "" if site["connected"] else "down"
            self._on.line(_PAD + _SIDE + _PAD, y + 30, right, y + 30, kind)
            self._on.text(
                _PAD + _SIDE + 2 * _PAD, y + 14, "VPN" if not kind else "down", kind and "bad"
            )
            y = bottom + _GAP

    def _peerings(self, y: float, left: float) -> None:
        states = {one["remote_network"]: one["state"] for one in self._cluster["peerings"]}
        for network in self._peered:
            hosts = [host for host in self._is["hosts"] if host["domain"] == "peered"]
            name = f"{network['name']} {' '.join(network['prefixes'])}"
            x = left + 3 * _GAP
            bottom = self._hosts(x, y, _SIDE + _PAD, name, hosts, "net")
            whole = states.get(network["name"]) == "Connected" and all(
                one["state"] == "Connected" for one in network["peerings"]
            )
            self._on.line(left, y + 30, x, y + 30, "" if whole else "down")
            self._on.text(left + 8, y + 14, "peering" if whole else "down", "" if whole else "bad")
            y = bottom + _GAP
