"""The state files of azure-vnet, azure-vnet-ipam and host-local as they are on AKS nodes. Pure.

Sources: recorded nodes of AKS (azure-vnet.json in node subnet and overlay, azure-vnet-ipam.json);
Azure/azure-container-networking, network/ and ipam/; containernetworking/plugins, host-local.
"""

import base64
import datetime
import ipaddress
import json
from collections.abc import Mapping, Sequence

from pytest_aksnet.lab.api.objects import JsonObject
from pytest_aksnet.lab.cni.endpoints import PLUGIN_VERSION, Endpoint
from pytest_aksnet.lab.spec import LabSpec, NodeSpec

_OVERLAY_GATEWAY = "169.254.1.1"
_NO_DNS: JsonObject = {"Suffix": "", "Servers": None, "Options": None}
_FAMILY_INET, _FAMILY_INET6 = 2, 10


def azure_vnet(
    spec: LabSpec, node: NodeSpec, endpoints: Sequence[Endpoint], now: datetime.datetime
) -> str:
    """/var/run/azure-vnet.json."""
    dns = _dns(spec)
    network = {
        "Id": "azure",
        "Mode": "transparent",
        "VlanId": 0,
        "Subnets": [
            {
                "Family": _FAMILY_INET if prefix.version == 4 else _FAMILY_INET6,
                "Prefix": _network(prefix),
                "Gateway": gateway,
                "PrimaryIP": "",
            }
            for prefix, gateway in _subnets(spec)
        ],
        "Endpoints": {one.id: _endpoint(spec, one) for one in endpoints},
        "DNS": dns,
        "EnableSnatOnHost": False,
        "NetNs": "",
        "SnatBridgeIP": "",
    }
    external = {
        "Name": "eth0",
        "Networks": {"azure": network},
        "Subnets": [spec.node_subnet],
        "BridgeName": "",
        "DNSInfo": _NO_DNS,
        "MacAddress": _mac(node.mac),
        "IPAddresses": None,
        "Routes": None,
        "IPv4Gateway": "0.0.0.0",
        "IPv6Gateway": "::",
    }
    value: JsonObject = {
        "Version": PLUGIN_VERSION,
        "TimeStamp": _nanoseconds(now),
        "ExternalInterfaces": {"eth0": external},
    }
    if spec.mode != "node-subnet":
        value = {"CnsClient": None, **value}
    return _text({"Network": value})


def azure_vnet_ipam(
    spec: LabSpec,
    addresses: Sequence[str],
    taken: Mapping[str, str],
    now: datetime.datetime,
) -> str:
    """/var/run/azure-vnet-ipam.json: all addresses of a node, and who has which (sandbox ids)."""
    subnet = ipaddress.ip_network(spec.node_subnet)
    pool = {
        "Id": spec.node_subnet,
        "IfName": "eth0",
        "Subnet": _network(subnet),
        "Gateway": spec.gateway_ip,
        "Addresses": {
            ip: {"ID": taken.get(ip, ""), "Addr": ip, "InUse": ip in taken}
            for ip in sorted(addresses, key=ipaddress.ip_address)
        },
        "IsIPv6": False,
        "Priority": 0,
        "RefCount": 1,
    }
    space = {"Id": "local", "Scope": 0, "Pools": {spec.node_subnet: pool}}
    value = {
        "Version": PLUGIN_VERSION,
        "TimeStamp": _nanoseconds(now),
        "AddressSpaces": {"local": space},
    }
    return _text({"IPAM": value})


def host_local(sandbox_id: str) -> str:
    """/var/lib/cni/networks/kubenet/ADDRESS."""
    return f"{sandbox_id}\r\neth0"


def _endpoint(spec: LabSpec, one: Endpoint) -> JsonObject:
    subnets = _subnets(spec)
    addresses = [
        {"IP": ip, "Mask": _bytes(prefix.netmask.packed)}
        for ip, (prefix, _) in zip(one.ips, subnets, strict=False)
    ]
    routes = [
        {
            "Dst": _network(ipaddress.ip_network("0.0.0.0/0" if prefix.version == 4 else "::/0")),
            "Src": "",
            "Gw": gateway,
            "Protocol": 0,
            "DevName": "",
            "Scope": 0,
            "Priority": 0,
            "Table": 0,
        }
        for prefix, gateway in subnets[: len(one.ips)]
    ]
    return {
        "Id": one.id,
        "SandboxKey": "",
        "IfName": f"{one.link}2",
        "HostIfName": one.link,
        "MacAddress": _mac(one.mac),
        "InfraVnetIP": {"IP": "", "Mask": None},
        "LocalIP": "",
        "IPAddresses": addresses,
        "Gateways": ["0.0.0.0"],
        "DNS": _dns(spec),
        "Routes": routes,
        "VlanID": 0,
        "EnableSnatOnHost": False,
        "EnableInfraVnet": False,
        "EnableMultitenancy": False,
        "AllowInboundFromHostToNC": False,
        "AllowInboundFromNCToHost": False,
        "NetworkContainerID": "",
        "NetworkNameSpace": f"/var/run/netns/{one.netns}",
        "ContainerID": one.sandbox_id,
        "PODName": one.pod,
        "PODNameSpace": one.namespace,
    }


def _subnets(
    spec: LabSpec,
) -> list[tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, str]]:
    """The ranges that pods have addresses of, each with the gateway that the plugin was told."""
    if spec.mode == "node-subnet":
        return [(ipaddress.ip_network(spec.node_subnet), spec.gateway_ip)]
    if spec.mode == "pod-subnet":
        subnet = ipaddress.ip_network(spec.pod_subnet)
        return [(subnet, str(subnet.network_address + 1))]
    found = [(ipaddress.ip_network(spec.pod_cidr), _OVERLAY_GATEWAY)]
    if spec.dual_stack:
        found.append((ipaddress.ip_network(spec.pod_cidr6), "fe80::1234:5678:9abc"))
    return found


def _dns(spec: LabSpec) -> JsonObject:
    if spec.mode != "node-subnet":
        return _NO_DNS
    return {"Suffix": "", "Servers": [spec.azure_dns_ip], "Options": None}


def _network(network: ipaddress.IPv4Network | ipaddress.IPv6Network) -> JsonObject:
    return {"IP": str(network.network_address), "Mask": _bytes(network.netmask.packed)}


def _mac(mac: str) -> str:
    return _bytes(bytes.fromhex(mac.replace(":", "")))


def _bytes(value: bytes) -> str:
    return base64.b64encode(value).decode()


def _nanoseconds(now: datetime.datetime) -> str:
    return f"{now:%Y-%m-%dT%H:%M:%S.%f}000Z"


def _text(value: JsonObject) -> str:
    return json.dumps(value, indent="\t") + "\n"
