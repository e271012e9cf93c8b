"""The drawing of a lab's topology: valid, complete, in one piece with 3 nodes and with 50."""

import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from typing import Any

import pytest

from pytest_aksnet.lab.graph import draw
from pytest_aksnet.lab.svg import Drawing, fitting

SVG = "{http://www.w3.org/2000/svg}"


def topology(nodes: int = 3, pods: int = 3, **changes: Any) -> dict[str, Any]:
    def subnet(name: str, prefix: str) -> dict[str, str]:
        rest = dict.fromkeys(("security_group", "route_table", "nat_gateway"), "")
        return {"name": name, "prefix": prefix, **rest}

    peering = {"remote_network": "hub", "state": "Connected"}
    return {
        "mode": "overlay",
        "engine": "calico",
        "service_proxy": "iptables",
        "networks": [
            {
                "name": "vnet",
                "prefixes": ["10.224.0.0/12"],
                "subnets": [
                    subnet("aks-nodes", "10.224.0.0/16"),
                    subnet("private-endpoints", "10.226.0.0/24"),
                ],
                "peerings": [peering],
            },
            {
                "name": "hub",
                "prefixes": ["10.64.0.0/16"],
                "subnets": [],
                "peerings": [{**peering, "remote_network": "vnet"}],
            },
        ],
        "node_subnet": "aks-nodes",
        "sites": [{"name": "on-prem", "prefixes": ["192.168.10.0/24"], "connected": True}],
        "nodes": [
            {
                "name": f"aks-user-31337042-vmss{number:06}",
                "pool": "user",
                "size": "Standard_F2s_v2",
                "zone": "westeurope-1",
                "ip": f"10.224.0.{number + 4}",
                "ip6": "",
                "pods": [
                    {
                        "namespace": "default",
                        "name": f"web-{number}-{pod}",
                        "ip": f"10.244.{number}.{pod + 4}",
                        "phase": "Running",
                    }
                    for pod in range(pods)
                ],
            }
            for number in range(nodes)
        ],
        "hosts": [
            {"name": "internet", "ip": "203.0.113.80", "domain": "internet", "role": ""},
            {"name": "peered-vm", "ip": "10.64.0.4", "domain": "peered", "role": ""},
            {"name": "on-prem", "ip": "192.168.10.4", "domain": "on-prem", "role": ""},
            {"name": "endpoint", "ip": "10.226.0.5", "domain": "vnet", "role": ""},
        ],
        "frontends": [
            {"ip": "198.51.100.17", "internal": False, "services": ["default/web"]},
            {"ip": "10.224.200.1", "internal": True, "services": ["default/inner"]},
        ],
        "egress": {"kind": "nat-gateway", "address": "198.51.100.3"},
        "private_endpoints": [
            {"name": "pe", "ip": "10.226.0.5", "fqdn": "acct.example.net", "status": "Approved"}
        ],
        "faults": [],
        **changes,
    }


def texts(svg: str) -> list[str]:
    root = ElementTree.fromstring(svg)
    shown = ["".join(item.itertext()) for item in root.iter(f"{SVG}text")]
    return shown + [item.text or "" for item in root.iter(f"{SVG}title")]


def boxes(svg: str, kind: str) -> Iterator[tuple[float, float, float, float]]:
    for item in ElementTree.fromstring(svg).iter(f"{SVG}rect"):
        if item.get("class") == kind:
            x, y, width, height = (
                float(item.get(key, "")) for key in ("x", "y", "width", "height")
            )
            yield x, y, x + width, y + height


def test_everything_is_in_it() -> None:
    shown = "\n".join(texts(draw(topology())))
    for name in (
        *("internet", "203.0.113.80", "on-prem 192.168.10.0/24", "hub 10.64.0.0/16", "peered-vm"),
        *("vnet 10.224.0.0/12", "aks-nodes 10.224.0.0/16", "NAT gateway", "198.51.100.3"),
        *("frontend 198.51.100.17", "default/web", "internal frontend 10.224.200.1"),
        *("aks-user-31337042-vmss000002", "web-2-2", "10.244.2.6", "acct.example.net"),
    ):
        assert name in shown


def test_the_same_topology_gives_the_same_text() -> None:
    assert draw(topology()) == draw(topology())


def test_faults_are_red_at_their_node_or_at_the_top() -> None:
    last = "aks-user-31337042-vmss000002"
    faults = [["icmp-blocked", ""], [f"nic-without-vf@{last}", last]]
    svg = draw(topology(faults=faults))
    root = ElementTree.fromstring(svg)
    bad = [item.text for item in root.iter(f"{SVG}text") if item.get("class") == "bad"]
    assert bad == ["fault: icmp-blocked", "nic-without-vf"]
    assert len([*boxes(svg, "broken")]) == 1
    assert not [*boxes(draw(topology()), "broken")]


def test_what_is_cut_off_is_drawn_so() -> None:
    whole = topology()
    whole["sites"][0]["connected"] = False
    whole["networks"][1]["peerings"][0]["state"] = "Disconnected"
    whole["private_endpoints"][0]["status"] = "Pending"
    whole["egress"] = {"kind": "none", "address": ""}
    svg = draw(whole)
    lines = [item.get("class") for item in ElementTree.fromstring(svg).iter(f"{SVG}line")]
    assert lines.count("down") == 3
    assert "10.226.0.5 Pending" in texts(svg)
    assert "no way out" in texts(svg)


@pytest.mark.parametrize(("nodes", "pods"), [(1, 0), (3, 3), (3, 30), (12, 8), (50, 10), (100, 30)])
def test_nothing_lies_outside_or_above_another(nodes: int, pods: int) -> None:
    svg = draw(topology(nodes, pods))
    root = ElementTree.fromstring(svg)
    width, height = float(root.get("width", "")), float(root.get("height", ""))
    assert width < 3600
    own = [
        box
        for item, box in zip(root.iter(f"{SVG}rect"), _all_boxes(svg), strict=True)
        if (item.findtext(f"{SVG}title") or "").startswith("aks-user-")
    ]
    assert len(own) == nodes
    for one, box in enumerate(own):
        assert box[0] >= 0
        assert box[2] <= width
        assert box[3] <= height
        assert not any(_overlap(box, other) for other in own[one + 1 :])
    assert len([*boxes(svg, "pod")]) == (nodes * pods if nodes > 12 else 0)


def _all_boxes(svg: str) -> list[tuple[float, float, float, float]]:
    found = []
    for item in ElementTree.fromstring(svg).iter(f"{SVG}rect"):
        x, y, width, height = (float(item.get(key, "")) for key in ("x", "y", "width", "height"))
        found.append((x, y, x + width, y + height))
    return found


def _overlap(
    one: tuple[float, float, float, float], other: tuple[float, float, float, float]
) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def test_names_are_escaped_and_cut() -> None:
    drawing = Drawing()
    drawing.text(0, 0, '<script>&"', "", 0)
    drawing.box(0, 0, 10, 10, "x", "<&>")
    drawing.text(0, 20, "aks-user-31337042-vmss000001", "", 100)
    shown = texts(drawing.render("<title>"))
    assert '<script>&"' in shown
    assert "<&>" in shown
    assert "<title>" in shown
    assert "aks-us…s000001" in "".join(shown)
    assert "aks-user-31337042-vmss000001" in shown
    assert fitting("short", 100) == "short"
