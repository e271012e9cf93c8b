"""/etc/cni/net.d: the network configuration list that containerd loads, per mode and engine. Pure.

Sources: recorded nodes of AKS for node subnet and overlay; Azure/azure-container-networking,
cni/*.conflist and the log of azure-cns (CNIConflistFilepath) for pod subnets; "Cilium docs:
delegated IPAM, azure" for Cilium; Azure/AgentBaker's kubenet template for kubenet, which containerd
writes as 10-containerd-net.conflist once the node has its pod range. As the lab's bridge has its
ports in hairpin mode, the latter says so, where AKS has promiscMode.
"""

import json

from pytest_aksnet.lab.api.objects import JsonObject
from pytest_aksnet.lab.spec import LabSpec, NodeSpec

DIRECTORY = "/etc/cni/net.d"
_NODE_LOCAL_DNS = "169.254.20.10"
_PORT_MAP: JsonObject = {
    "type": "portmap",
    "capabilities": {"portMappings": True},
    "snat": True,
}


def conflist(spec: LabSpec, node: NodeSpec) -> tuple[str, str]:
    """The file's name below `DIRECTORY`, and its text."""
    if spec.engine == "cilium":
        plugin = {
            "type": "cilium-cni",
            "ipam": {"type": "azure-ipam"},
            "enable-debug": True,
            "log-file": "/var/log/cilium-cni.log",
        }
        return "05-cilium.conflist", _text("0.3.1", "cilium", plugin)
    if spec.mode == "kubenet":
        return "10-containerd-net.conflist", _kubenet(node)
    if spec.mode == "node-subnet":
        plugin = {
            "type": "azure-vnet",
            "mode": "transparent",
            "ipsToRouteViaHost": [_NODE_LOCAL_DNS],
            "ipam": {"type": "azure-vnet-ipam"},
        }
        return "10-azure.conflist", _text("0.3.0", "azure", plugin, _PORT_MAP)
    name, ipam = "15-azure-swift.conflist", {"type": "azure-cns"}
    if spec.mode == "overlay":
        name = "15-azure-swift-overlay.conflist"
        ipam = {"mode": "dualStackOverlay" if spec.dual_stack else "v4overlay", **ipam}
    plugin = {
        "type": "azure-vnet",
        "mode": "transparent",
        "ipsToRouteViaHost": [_NODE_LOCAL_DNS],
        "executionMode": "v4swift",
        "ipam": ipam,
        "dns": {},
        "runtimeConfig": {"dns": {}},
        "windowsSettings": {},
    }
    return name, _text("0.3.0", "azure", plugin, _PORT_MAP)


def leftover() -> tuple[str, str]:
    """The file of another plugin, whose name comes before those of all modes."""
    plugin = {"type": "bridge", "bridge": "cni0", "ipam": {"type": "host-local"}}
    return "01-leftover.conflist", _text("0.3.1", "leftover", plugin)


def _kubenet(node: NodeSpec) -> str:
    cidrs = [cidr for cidr in (node.pod_cidr, node.pod_cidr6) if cidr]
    bridge = {
        "type": "bridge",
        "bridge": "cbr0",
        "mtu": 1500,
        "addIf": "eth0",
        "isGateway": True,
        "ipMasq": False,
        "promiscMode": False,
        "hairpinMode": True,
        "ipam": {
            "type": "host-local",
            "ranges": [[{"subnet": cidr}] for cidr in cidrs],
            "routes": [{"dst": "::/0" if ":" in cidr else "0.0.0.0/0"} for cidr in cidrs],
        },
    }
    port_map = {
        "type": "portmap",
        "capabilities": {"portMappings": True},
        "externalSetMarkChain": "KUBE-MARK-MASQ",
    }
    return _text("0.3.1", "kubenet", bridge, port_map)


def _text(version: str, name: str, *plugins: JsonObject) -> str:
    value = {"cniVersion": version, "name": name, "plugins": plugins}
    return json.dumps(value, indent="\t") + "\n"
