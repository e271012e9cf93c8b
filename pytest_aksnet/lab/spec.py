"""What a lab consists of when it starts: pure data, no I/O. `layout` makes it.

Sources: AKS defaults for address ranges (VNet 10.224.0.0/12, pod CIDR 10.244.0.0/16, service
CIDR 10.0.0.0/16, DNS 10.0.0.10); public addresses are documentation ranges (RFC 5737, RFC 3849),
the IPv6 ones inside are unique local (RFC 4193).
"""

import ipaddress
from dataclasses import dataclass, field

from pytest_aksnet.lab.options import LabOptions

SUBSCRIPTION = "6b1f6b3e-6f0e-4c29-9d51-2a7c41d1aab0"
RESOURCE_GROUP = "rg-aksnet-lab"
CLUSTER_NAME = "aksnet-lab"
REGION = "westeurope"
_API_ZONE = "7c5c1f0e-2f5b-4f0e-9f0a-3d6a1f5f2c11"
NODE_RESOURCE_GROUP = f"MC_{RESOURCE_GROUP}_{CLUSTER_NAME}_{REGION}"


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeSpec:
    """One node. `pod_cidr` is what its IPAM may hand out in overlay and kubenet.

    In the other modes `reserved_pod_ips` is: of the node subnet, or of the pod subnet. `ip6` and
    `pod_cidr6` are there in dual-stack labs.

    `egress_gbps` is what Azure lets a VM of its size send (Azure docs: "virtual machine network
    throughput": what it receives is not metered).
    """

    name: str
    index: int
    pool: str
    pool_mode: str
    vmss: str
    instance: int
    zone: str
    instance_type: str
    egress_gbps: float
    ip: str
    mac: str
    vf_driver: str
    pod_cidr: str | None
    reserved_pod_ips: tuple[str, ...]
    cpus: int
    memory_gib: int
    max_pods: int
    ip6: str | None = None
    pod_cidr6: str | None = None
    labels: tuple[tuple[str, str], ...] = ()
    taints: tuple[str, ...] = ()

    @property
    def provider_id(self) -> str:
        """The ARM id of the scale-set instance, as the cloud provider writes it."""
        return (
            f"azure:///subscriptions/{SUBSCRIPTION}/resourceGroups/{NODE_RESOURCE_GROUP.lower()}"
            f"/providers/Microsoft.Compute/virtualMachineScaleSets/{self.vmss}"
            f"/virtualMachines/{self.instance}"
        )

    def pod_addresses(self) -> tuple[str, ...]:
        """The addresses that pods of this node may get, in the order they are handed out."""
        if self.pod_cidr is not None:
            hosts = list(ipaddress.ip_network(self.pod_cidr).hosts())
            return tuple(str(address) for address in hosts[3:250])
        return self.reserved_pod_ips

    def pod_addresses6(self) -> tuple[str, ...]:
        """Their IPv6 addresses, one for each of `pod_addresses`; none without dual stack."""
        if self.pod_cidr6 is None:
            return ()
        first = ipaddress.ip_network(self.pod_cidr6).network_address + 4
        return tuple(str(first + number) for number in range(len(self.pod_addresses())))

    def pod_ips(self, ip: str) -> tuple[str, ...]:
        """All addresses of a pod with this IPv4 one; an address of another node has no twin."""
        if self.pod_cidr6 is None:
            return (ip,)
        addresses = self.pod_addresses()
        if ip not in addresses:
            return (ip,)
        return (ip, self.pod_addresses6()[addresses.index(ip)])

    @property
    def ips(self) -> tuple[str, ...]:
        """The node's own addresses, the IPv4 one first."""
        return (self.ip,) if self.ip6 is None else (self.ip, self.ip6)


@dataclass(frozen=True, slots=True, kw_only=True)
class OutsideHost:
    """A machine that is no node.

    `domain` is where it stands: "internet", "vnet" (the cluster's), "peered" (a peered VNet) or
    "on-prem" (behind a gateway). Each runs an HTTP server on `http_ports` that answers with the
    source address it saw. `role` is what else it does: "dns" forwards DNS, "firewall" routes and
    translates what a UDR sends it.
    """

    name: str
    ip: str
    domain: str
    http_ports: tuple[int, ...] = (80,)
    ip6: str | None = None
    role: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PrivateEndpoint:
    """A private endpoint and the names that belong to it.

    With the zone linked, `fqdn` -> CNAME `privatelink_fqdn` -> A `ip`. Without, Azure DNS goes on
    to the public name: `privatelink_fqdn` -> CNAME `public_cname` -> A `public_ip`.
    """

    name: str
    ip: str
    fqdn: str
    privatelink_fqdn: str
    zone: str
    public_cname: str
    public_ip: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LabSpec:
    """A whole lab. Build it with `layout.make_spec`.

    Networks and addresses that end in 6 are IPv6; they matter in dual-stack labs only. Azure gives
    every virtual network an `internal_suffix` of its own, and DHCP hands it to the machines.
    `stands_for` is the day of which the lab is a cluster: its versions were supported then.
    """

    options: LabOptions
    nodes: tuple[NodeSpec, ...]
    hosts: tuple[OutsideHost, ...]
    private_endpoints: tuple[PrivateEndpoint, ...]
    public_names: dict[str, str] = field(default_factory=dict)
    vnet_cidr: str = "10.224.0.0/12"
    node_subnet: str = "10.224.0.0/16"
    vm_subnet: str = "10.225.0.0/24"
    endpoint_subnet: str = "10.226.0.0/24"
    firewall_subnet: str = "10.227.0.0/24"
    gateway_subnet: str = "10.228.0.0/24"
    pod_subnet: str = "10.232.0.0/16"
    peered_vnet_cidr: str = "10.64.0.0/16"
    on_prem_cidr: str = "192.168.10.0/24"
    internal_lb_range: str = "10.224.200.0/24"
    pod_cidr: str = "10.244.0.0/16"
    service_cidr: str = "10.0.0.0/16"
    kubernetes_service_ip: str = "10.0.0.1"
    dns_service_ip: str = "10.0.0.10"
    cluster_domain: str = "cluster.local"
    stub_zone: str = "corp.example.com"
    stub_host: str = "intranet.corp.example.com"
    internal_suffix: str = "qm1pasxkkvie5bcrq3eyqmqgwg.ax.internal.cloudapp.net"
    gateway_ip: str = "10.224.0.1"
    azure_dns_ip: str = "168.63.129.16"
    imds_ip: str = "169.254.169.254"
    load_balancer_ip: str = "198.51.100.1"
    other_egress_ip: str = "198.51.100.2"
    nat_gateway_ip: str = "198.51.100.3"
    firewall_public_ip: str = "198.51.100.4"
    load_balancer_range: str = "198.51.100.16/28"
    vnet_cidr6: str = "fd9a:6b1f:e000::/48"
    node_subnet6: str = "fd9a:6b1f:e000::/64"
    vm_subnet6: str = "fd9a:6b1f:e000:1::/64"
    pod_cidr6: str = "fd9a:6b1f:f000::/48"
    service_cidr6: str = "fd9a:6b1f:5e00::/108"
    load_balancer_ip6: str = "2001:db8:100::1"
    load_balancer_range6: str = "2001:db8:100::100/120"
    internal_lb_range6: str = "fd9a:6b1f:e000::c800/120"
    local_dns_vnet_ip: str = "169.254.10.10"
    local_dns_cluster_ip: str = "169.254.10.11"
    whoami_name: str = "myip.echo.example"
    kubernetes_version: str = "v1.34.2"
    stands_for: str = "2026-11-21"

    def node(self, name: str) -> NodeSpec:
        """The node of that name. Raises KeyError."""
        for node in self.nodes:
            if node.name == name:
                return node
        raise KeyError(name)

    @property
    def mode(self) -> str:
        """The network mode."""
        return self.options.mode

    @property
    def engine(self) -> str:
        """The policy engine."""
        return self.options.engine

    @property
    def dual_stack(self) -> bool:
        """Whether nodes, pods and Services may have IPv6 addresses too."""
        return self.options.dual_stack

    @property
    def pods_have_cidr(self) -> bool:
        """Whether pods have a range of their own, not routable outside: overlay and kubenet."""
        return self.mode in ("overlay", "kubenet")

    @property
    def pod_interface(self) -> str:
        """The node's links that lead to its pods, as nftables matches them."""
        return "cbr0" if self.mode == "kubenet" else "azv*"

    @property
    def private_api(self) -> PrivateEndpoint | None:
        """The private endpoint of the API server, where it is in the virtual network.

        AKS makes a private zone for it in the nodes' group, linked to the cluster's network alone,
        and there is no public name ("AKS docs: private-clusters").
        """
        for host in self.hosts:
            if host.name == "api-server" and host.domain == "vnet":
                zone = f"{_API_ZONE}.privatelink.{REGION}.azmk8s.io"
                name = f"{CLUSTER_NAME}-dns.{zone}"
                return PrivateEndpoint(
                    name="kube-apiserver",
                    ip=host.ip,
                    fqdn=name,
                    privatelink_fqdn=name,
                    zone=zone,
                    public_cname="",
                    public_ip="",
                )
        return None

    @property
    def vnet_dns_servers(self) -> tuple[str, ...]:
        """The DNS servers that DHCP gives the machines of the cluster's VNet when they start."""
        own = tuple(host.ip for host in self.hosts if host.role == "dns")
        return own or (self.azure_dns_ip,)

    @property
    def stub_servers(self) -> tuple[str, ...]:
        """The DNS servers that CoreDNS asks about `stub_zone`; empty without servers of its own."""
        return tuple(host.ip for host in self.hosts if host.role == "dns")

    @property
    def node_dns_servers(self) -> tuple[str, ...]:
        """What nodes ask, and pods of dnsPolicy Default (AKS docs: localdns-custom)."""
        return (self.local_dns_vnet_ip,) if self.options.local_dns else self.vnet_dns_servers

    @property
    def cluster_dns_ip(self) -> str:
        """What pods of dnsPolicy ClusterFirst ask: the kubelet's clusterDNS."""
        return self.local_dns_cluster_ip if self.options.local_dns else self.dns_service_ip

    @property
    def kube_proxy(self) -> str:
        """kube-proxy's mode; "" where there is none because Cilium serves Services."""
        return "" if self.engine == "cilium" else self.options.service_proxy

    @property
    def cluster_cidrs(self) -> tuple[str, ...]:
        """What kube-proxy takes for pods (--cluster-cidr): the pod CIDRs, or the pods' subnet."""
        if self.pods_have_cidr:
            return (self.pod_cidr, self.pod_cidr6) if self.dual_stack else (self.pod_cidr,)
        return (self.pod_subnet if self.mode == "pod-subnet" else self.node_subnet,)

    @property
    def egress_ip(self) -> str | None:
        """The address that the internet sees of pods; None where there is no way out."""
        return {
            "load-balancer": self.load_balancer_ip,
            "nat-gateway": self.nat_gateway_ip,
            "firewall": self.firewall_public_ip,
            "none": None,
        }[self.options.egress]

    @property
    def egress_ip6(self) -> str | None:
        """The same over IPv6, which only an outbound rule of the load balancer translates here."""
        way_out = self.dual_stack and self.options.egress == "load-balancer"
        return self.load_balancer_ip6 if way_out else None

    @property
    def non_masquerade_cidrs(self) -> tuple[str, ...]:
        """What azure-ip-masq-agent leaves alone (AKS docs: update-azure-cni).

        Nothing in pod subnets, where there is no such agent.
        """
        if not self.pods_have_cidr:
            return (self.vnet_cidr,) if self.mode == "node-subnet" else ()
        return (self.pod_cidr, self.pod_cidr6) if self.dual_stack else (self.pod_cidr,)


def snat_ports_by_size(nodes: int) -> int:
    """Ports that a load balancer gives each of so many machines by default, up to 1000 of them.

    "Azure docs: load-balancer-outbound-connections".
    """
    return next(ports for most, ports in _SNAT_PORTS if nodes <= most)


# Machines up to, and the ports of each.
_SNAT_PORTS = ((50, 1024), (100, 512), (200, 256), (400, 128), (800, 64), (1000, 32))
