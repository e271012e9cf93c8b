"""The network profile: what is known about this cluster's network, each fact with its source.

Unknown is not off: reading an unknown fact raises `FactUnknown`, which makes the check
inconclusive and names the option that sets it.
"""

import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from pytest_aksnet.model.azure import AzureNetwork
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
    "region": "region of the nodes, such as westeurope",
    "ip-families": "ipv4, ipv6, or ipv4,ipv6 where pods and Services have both",
    "data-plane": "what carries pods and Services: azure, cilium, other",
    "ebpf-host-routing": "yes where eBPF routes past the host's iptables (some nodes count), or no",
    "local-dns": "LocalDNS of AKS on the nodes: on, off, or some",
    "max-pods": "most pods of a node by agent pool, as pool=250,other=30",
    "api-server": "where the API server is reached: public or private",
    "outbound-type": "how the cluster leaves: loadBalancer, managedNATGateway, "
    "userAssignedNATGateway, userDefinedRouting, none, block",
    "support-plan": "support plan of AKS: KubernetesOfficial or AKSLongTermSupport",
    "load-balancer-sku": "SKU of the cluster's load balancer: standard or basic",
}
# What Azure Resource Manager can say where the cluster does not.
OF_AZURE = frozenset(
    {
        *("node-cidrs", "vnet-cidrs", "pod-cidrs", "egress-ips", "outbound-type", "api-server"),
        *("load-balancer-sku", "support-plan"),
    }
)
NO_AZURE = "Azure Resource Manager was not asked"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """One value with where it was read. `conflicts` are other sources that say otherwise."""

    value: str
    source: str
    conflicts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Elsewhere:
    """What is said of the cluster outside of it: (value, source) pairs by the name of the fact."""

    facts: Mapping[str, Sequence[tuple[str, str]]] = field(default_factory=dict)
    azure: AzureNetwork | None = None
    no_azure: str = NO_AZURE


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkProfile:
    """The facts by name (keys of `FACTS`); `unknown` says why each of the others is missing.

    `azure` is what Azure Resource Manager says, None where it was not read: `no_azure` says why.
    """

    facts: Mapping[str, Fact]
    unknown: Mapping[str, str]
    azure: AzureNetwork | None = None
    no_azure: str = NO_AZURE

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

    def numbers(self, name: str) -> dict[str, int]:
        """A fact such as "max-pods" as numbers by name. Raises FactUnknown like `need`."""
        parts = (part.partition("=") for part in self.need(name).split(","))
        return {key.strip(): int(value) for key, _, value in parts}

    def networks(self, name: str) -> tuple[Network, ...]:
        """A comma separated fact as networks. Raises FactUnknown like `need`."""
        return tuple(ipaddress.ip_network(part.strip()) for part in self.need(name).split(","))
