"""The network profile: what is known about this cluster's network, each fact with its source.

Unknown is not off: reading an unknown fact raises `FactUnknown`, which makes the check
inconclusive and names the option that sets it.
"""

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass

from pytest_aksnet.model.errors import FactUnknown

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

FACTS: Mapping[str, str] = {
    "mode": "Azure network mode: overlay, node-subnet, pod-subnet, kubenet, byo, none-aks",
    "policy-engine": "what enforces NetworkPolicy: none, azure, calico, cilium, other",
    "pod-cidrs": "address ranges of pods, comma separated",
    "service-cidrs": "address ranges of Services, comma separated",
    "node-cidrs": "address ranges of the nodes' subnets, comma separated",
    "vnet-cidrs": "address ranges of the virtual network, comma separated",
    "cluster-domain": "DNS domain of the cluster",
    "dns-service-ip": "address of the cluster's DNS Service",
    "kube-proxy-mode": "iptables, nftables, ipvs, or none where eBPF replaces it",
    "egress-ips": "public addresses that pods leave with, comma separated",
    "kubernetes-version": "version of the API server",
    "cloud": "azure, or other",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """One value with where it was read. `conflicts` are other sources that say otherwise."""

    value: str
    source: str
    conflicts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkProfile:
    """The facts by name (keys of `FACTS`); `unknown` says why each of the others is missing."""

    facts: Mapping[str, Fact]
    unknown: Mapping[str, str]

    def get(self, name: str) -> str | None:
        """The value of a fact, or None where it is unknown."""
        fact = self.facts.get(name)
        return fact.value if fact else None

    def need(self, name: str) -> str:
        """The value of a fact. Raises FactUnknown with the option that sets it."""
        value = self.get(name)
        if value is None:
            why = self.unknown.get(name, "nothing in the cluster says it")
            raise FactUnknown(
                f"the fact {name!r} of the network profile is unknown ({why}); "
                f"set it with --aksnet-profile {name}=VALUE ({FACTS[name]})"
            )
        return value

    def networks(self, name: str) -> tuple[Network, ...]:
        """A comma separated fact as networks. Raises FactUnknown like `need`."""
        return tuple(ipaddress.ip_network(part.strip()) for part in self.need(name).split(","))
