"""Checks what people say about the cluster with --aksnet-profile KEY=VALUE.

Owns the values that each fact may have. Asks no cluster.
"""

import ipaddress
from collections.abc import Callable, Mapping

from pytest_aksnet.model.errors import SettingsError
from pytest_aksnet.model.profile import FACTS

OPTION = "--aksnet-profile"
_CHOICES: Mapping[str, tuple[str, ...]] = {
    "mode": ("overlay", "node-subnet", "pod-subnet", "kubenet", "byo", "none-aks"),
    "policy-engine": ("none", "azure", "calico", "cilium", "other"),
    "kube-proxy-mode": ("iptables", "nftables", "ipvs", "none"),
    "cloud": ("azure", "other"),
    "ip-families": ("ipv4", "ipv6", "ipv4,ipv6"),
    "data-plane": ("azure", "cilium", "other"),
    "ebpf-host-routing": ("yes", "no"),
    "local-dns": ("on", "off", "some"),
    "api-server": ("public", "private"),
    "load-balancer-sku": ("standard", "basic"),
    "support-plan": ("KubernetesOfficial", "AKSLongTermSupport"),
}


def _pool_size(text: str) -> int:
    pool, _, number = text.partition("=")
    if not pool or not number.isdecimal():
        raise ValueError(f"{text!r} is not POOL=NUMBER")
    return int(number)


_LISTS: Mapping[str, tuple[Callable[[str], object], str]] = {
    "pod-cidrs": (ipaddress.ip_network, "address ranges such as 10.244.0.0/16"),
    "service-cidrs": (ipaddress.ip_network, "address ranges such as 10.0.0.0/16"),
    "node-cidrs": (ipaddress.ip_network, "address ranges such as 10.224.0.0/16"),
    "vnet-cidrs": (ipaddress.ip_network, "address ranges such as 10.224.0.0/12"),
    "egress-ips": (ipaddress.ip_address, "addresses"),
    "dns-service-ip": (ipaddress.ip_address, "an address"),
    "max-pods": (_pool_size, "most pods of a node by agent pool, such as system=110,user=30"),
}


def checked_overrides(overrides: Mapping[str, str]) -> dict[str, str]:
    """The overrides, stripped of blanks. Raises SettingsError with what is known or allowed."""
    return {name: _checked(name, value) for name, value in overrides.items()}


def _checked(name: str, value: str) -> str:
    if name not in FACTS:
        raise SettingsError(
            f"{OPTION} {name}={value}: unknown fact {name!r}; known are {', '.join(FACTS)}"
        )
    choices = _CHOICES.get(name)
    if choices and value not in choices:
        raise SettingsError(f"{OPTION} {name}={value}: choose one of {', '.join(choices)}")
    if name not in _LISTS:
        return value.strip()
    parse, what = _LISTS[name]
    parts = [part.strip() for part in value.split(",")]
    try:
        for part in parts:
            parse(part)
    except ValueError as error:
        raise SettingsError(
            f"{OPTION} {name}={value}: {error}; give {what}, comma separated"
        ) from error
    return ",".join(parts)
