"""What `aksnet-lab` prints of a running lab, for people."""

import textwrap
from collections.abc import Mapping
from typing import Any

Json = Mapping[str, Any]
_WIDTH = 12


def print_status(status: Json, topology: Json) -> None:
    """Mode, engine, egress, nodes, pods, faults, and where the lab's files are."""
    egress = topology["egress"]
    announced = status["announced"]
    lines = {
        "mode": status["mode"],
        "engine": status["engine"],
        "services": f"by {topology['service_proxy']}",
        "egress": f"{egress['kind']} {egress['address']}".strip(),
        "options": ", ".join(f"{key}={_shown(value)}" for key, value in status["options"].items()),
        "nodes": str(len(topology["nodes"])),
    }
    for key, value in lines.items():
        _line(key, value or "all as by default")
    rows = [
        (
            node["name"],
            node["pool"],
            node["size"],
            node["zone"],
            f"{node['ip']} {node['ip6']}".strip(),
            f"{len(node['pods'])} pods",
        )
        for node in topology["nodes"]
    ]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        print(f"  {'  '.join(cells).rstrip()}")
    _line("hosts", ", ".join(f"{name} {ip}" for name, ip in status["hosts"].items()))
    _line("pods", str(status["pods"]))
    _line("faults", ", ".join(status["faults"]) or "none")
    _line("seed", str(status["seed"]))
    asked = status["azure_asked"]
    _line(
        "azure asked", ", ".join(f"{what}: {often}" for what, often in asked.items()) or "nothing"
    )
    _line("kubeconfig", announced["kubeconfig"])
    _line("site file", announced["site"])
    for key, value in announced.items():
        if key not in ("kubeconfig", "site", "about"):
            _line(key, _shown(value))


def print_faults(answer: Json) -> None:
    """All faults, those that are injected with a star, the others with why they do not fit."""
    for fault in answer["faults"]:
        mark = "*" if fault["injected"] else "-" if fault["unfit"] else " "
        where = f" (on {', '.join(fault['injected'])})" if fault["injected"] else ""
        print(f"{mark} {fault['name']}{where}\n      {fault['describes']}")
        if fault["value"]:
            print(f"      VALUE: {fault['value']}")
        if fault["unfit"]:
            print(f"      not in this lab: {fault['unfit']}")


def print_fault(fault: Json) -> None:
    """Everything about one fault."""
    name = fault["name"]
    usage = (
        name + ("[=VALUE]" if fault["value"] else "") + ("[@NODE]" if fault["takes_node"] else "")
    )
    print(usage)
    print(textwrap.fill(fault["describes"], 96, initial_indent="  ", subsequent_indent="  "))
    if fault["value"]:
        print(f"  VALUE: {fault['value']}")
    if fault["takes_node"]:
        print(f"  NODE: {fault['node'] or 'all'} unless you name one")
    if fault["unfit"]:
        print(f"  not in this lab: {fault['unfit']}")
        return
    print(f"  injected: {', '.join(fault['injected']) or 'no'}")
    print(f"  aksnet-lab fault inject {name}; aksnet-lab fault heal {name}")


def print_left(healed: str, status: Json) -> None:
    """Where the fault that was healed is injected still, on other nodes."""
    name = _name(healed)
    left = [label for label in status["faults"] if _name(label) == name]
    if left:
        print(f"still injected: {', '.join(left)}")


def _name(label: str) -> str:
    return label.partition("@")[0].partition("=")[0]


def _line(key: str, value: str) -> None:
    print(f"{key + ':':{_WIDTH}} {value}")


def _shown(value: object) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{key}={_shown(item)}" for key, item in value.items())
    if isinstance(value, list):
        return f"[{', '.join(map(_shown, value))}]"
    if isinstance(value, bool):
        return str(value).lower()
    return str(value)
