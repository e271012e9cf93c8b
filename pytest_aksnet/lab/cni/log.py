"""The lines that azure-vnet and azure-vnet-ipam log for a pod; the ones that name it. Pure.

Source: recorded logs of AKS nodes (/var/log/azure-vnet.log, azure-vnet-ipam.log).
"""

import datetime
import ipaddress
import json

from pytest_aksnet.lab.cni.endpoints import PLUGIN_VERSION, Endpoint
from pytest_aksnet.lab.spec import LabSpec


def added(spec: LabSpec, one: Endpoint, process: int) -> list[str]:
    """azure-vnet.log of an ADD by a process of that number."""
    ip = one.ips[0]
    prefix = _prefix(spec)
    arguments = _arguments(spec, one)
    result = (
        f"[{{Interface:<nil> Address:{{IP:{ip} Mask:{_mask(prefix)}}} Gateway:{_gateway(spec)}}}]"
    )
    lines = [
        "CNI_COMMAND environment variable set to ADD",
        f"[cni-net] Plugin azure-vnet version {PLUGIN_VERSION}.",
        f"[cni-net] Processing ADD command with args {arguments}.",
        f"[cni-net] Found network azure with subnet {prefix}.",
        f"[cni-net] Creating endpoint Id:{one.id} ContainerID:{one.sandbox_id} "
        f"NetNsPath:/var/run/netns/{one.netns} IfName:eth0 IfIndex:0 MacAddr: "
        f"IPAddrs:[{{{ip} {_mask(prefix)}}}] Gateways:[] "
        f"Data:map[vethname:{one.namespace}.{one.pod}].",
        f"Generate veth name based on the key provided {one.namespace}.{one.pod}",
        "Transparent client",
        f"[net] Creating veth pair {one.link} {one.link}2.",
        f"[net] Setting link {one.link} state up.",
        f"[net] Adding route for the ip {ip}/32",
        f"[net] Setting link {one.link}2 netns /var/run/netns/{one.netns}.",
        f"[net] Setting link {one.link}2 name eth0.",
        f"[net] Adding IP address {ip}/{prefix.prefixlen} to link eth0.",
        "[net] Adding static arp for IP address 169.254.1.1/32 and MAC aa:aa:aa:aa:aa:aa in "
        "Container namespace",
        "[net] Save succeeded.",
        f"[cni-net] ADD command completed for pod {one.pod} with IPs:{result} err:<nil>.",
        "[cni-net] Plugin stopped.",
    ]
    return _stamped(one.created, process, lines)


def removed(spec: LabSpec, one: Endpoint, process: int, now: datetime.datetime) -> list[str]:
    """azure-vnet.log of a DEL."""
    lines = [
        "CNI_COMMAND environment variable set to DEL",
        f"[cni-net] Processing DEL command with args {_arguments(spec, one)}.",
        f"[net] Deleting endpoint {one.id} from network azure.",
        f"[net] Deleting veth pair {one.link} eth0.",
        "[net] Save succeeded.",
        "[cni-net] DEL command completed with err:<nil>.",
        "[cni-net] Plugin stopped.",
    ]
    return _stamped(now, process, lines)


def allocated(spec: LabSpec, one: Endpoint, process: int) -> list[str]:
    """azure-vnet-ipam.log of an ADD."""
    prefix = _prefix(spec)
    address = f"{one.ips[0]}/{prefix.prefixlen}"
    lines = [
        f"[cni-ipam] Processing ADD command with args {_arguments(spec, one)}.",
        f"[ipam] Requesting address with address: options:map[azure.address.id:{one.sandbox_id}].",
        f"[ipam] Address request completed with address:{address}",
        "[ipam] Save succeeded.",
        f"[cni-ipam] Allocated address {address}.",
        "[cni-ipam] Plugin stopped.",
    ]
    return _stamped(one.created, process, lines)


def _stamped(when: datetime.datetime, process: int, lines: list[str]) -> list[str]:
    return [f"{when:%Y/%m/%d %H:%M:%S} [{process}] {line}" for line in lines]


def _arguments(spec: LabSpec, one: Endpoint) -> str:
    ipam = "azure-vnet-ipam" if spec.mode == "node-subnet" else "azure-cns"
    given = {
        "cniVersion": "0.3.0",
        "ipam": {"type": ipam},
        "ipsToRouteViaHost": ["169.254.20.10"],
        "mode": "transparent",
        "name": "azure",
        "type": "azure-vnet",
    }
    return (
        f"{{ContainerID:{one.sandbox_id} Netns:/var/run/netns/{one.netns} IfName:eth0 "
        f"Args:K8S_POD_INFRA_CONTAINER_ID={one.sandbox_id};K8S_POD_UID={one.uid};IgnoreUnknown=1;"
        f"K8S_POD_NAMESPACE={one.namespace};K8S_POD_NAME={one.pod} Path:/opt/cni/bin "
        f"StdinData:{json.dumps(given, separators=(',', ':'))}}}"
    )


def _prefix(spec: LabSpec) -> ipaddress.IPv4Network:
    network = {"node-subnet": spec.node_subnet, "pod-subnet": spec.pod_subnet}
    return ipaddress.IPv4Network(network.get(spec.mode, spec.pod_cidr))


def _gateway(spec: LabSpec) -> str:
    if spec.mode == "overlay":
        return "169.254.1.1"
    return str(_prefix(spec).network_address + 1)


def _mask(network: ipaddress.IPv4Network) -> str:
    return network.netmask.packed.hex()
