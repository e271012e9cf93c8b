"""What a lab consists of: pure data, no I/O. Every address and name of the lab comes from here.

Sources: AKS defaults for address ranges (VNet 10.224.0.0/12, pod CIDR 10.244.0.0/16, service
CIDR 10.0.0.0/16, DNS 10.0.0.10); public addresses are documentation ranges (RFC 5737).
"""

import ipaddress
from dataclasses import dataclass, field

MODES = ("overlay", "node-subnet")
ENGINES = ("none", "calico", "cilium")

SUBSCRIPTION = "6b1f6b3e-6f0e-4c29-9d51-2a7c41d1aab0"
RESOURCE_GROUP = "rg-aksnet-lab"
CLUSTER_NAME = "aksnet-lab"
REGION = "westeurope"
NODE_RESOURCE_GROUP = f"MC_{RESOURCE_GROUP}_{CLUSTER_NAME}_{REGION}"


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeSpec:
    """One node. `pod_ips` is what its IPAM may hand out: pod_cidr in overlay, `reserved` else.

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


@dataclass(frozen=True, slots=True, kw_only=True)
class OutsideHost:
    """A machine that is no node: on the internet, in the VNet, or behind a private endpoint.

    `domain` is "internet" or "vnet". Each runs an HTTP server on `http_ports` that answers with
    the source address it saw.
    """

    name: str
    ip: str
    domain: str
    http_ports: tuple[int, ...] = (80,)


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
    """A whole lab. Build it with `default_spec`."""

    mode: str
    engine: str
    nodes: tuple[NodeSpec, ...]
    hosts: tuple[OutsideHost, ...]
    private_endpoints: tuple[PrivateEndpoint, ...]
    public_names: dict[str, str] = field(default_factory=dict)
    vnet_cidr: str = "10.224.0.0/12"
    node_subnet: str = "10.224.0.0/16"
    vm_subnet: str = "10.225.0.0/24"
    endpoint_subnet: str = "10.226.0.0/24"
    internal_lb_range: str = "10.224.200.0/24"
    pod_cidr: str = "10.244.0.0/16"
    service_cidr: str = "10.0.0.0/16"
    kubernetes_service_ip: str = "10.0.0.1"
    dns_service_ip: str = "10.0.0.10"
    cluster_domain: str = "cluster.local"
    gateway_ip: str = "10.224.0.1"
    azure_dns_ip: str = "168.63.129.16"
    imds_ip: str = "169.254.169.254"
    egress_ip: str = "198.51.100.1"
    other_egress_ip: str = "198.51.100.2"
    load_balancer_range: str = "198.51.100.16/28"
    snat_ports_per_node: int = 1024
    kubernetes_version: str = "v1.34.2"

    def node(self, name: str) -> NodeSpec:
        """The node of that name. Raises KeyError."""
        for node in self.nodes:
            if node.name == name:
                return node
        raise KeyError(name)

    @property
    def non_masquerade_cidrs(self) -> tuple[str, ...]:
        """What azure-ip-masq-agent leaves alone (AKS docs: update-azure-cni)."""
        return (self.pod_cidr,) if self.mode == "overlay" else (self.vnet_cidr,)


_POOLS = (
    # (pool, mode, scale set suffix, instance, zone, size, Gbit/s, vCPU, GiB, VF driver)
    ("system", "System", "26541870", 0, "1", "Standard_DS4_v2", 6.0, 8, 28, "mlx5_core"),
    ("user", "User", "31337042", 0, "1", "Standard_F2s_v2", 5.0, 2, 4, "mana"),
    ("user", "User", "31337042", 1, "2", "Standard_F2s_v2", 5.0, 2, 4, "mana"),
)
_NODE_SUBNET_BLOCK = 30  # maxPods of node-subnet clusters: 1 address of the node + 29 of pods


def default_spec(mode: str, engine: str) -> LabSpec:
    """The lab of three nodes in two pools over two zones. Raises ValueError, naming the remedy."""
    if mode not in MODES:
        raise ValueError(f"unknown network mode {mode!r}: choose one of {', '.join(MODES)}")
    if engine not in ENGINES:
        raise ValueError(f"unknown policy engine {engine!r}: choose one of {', '.join(ENGINES)}")
    subnet = ipaddress.ip_address("10.224.0.4")
    nodes = []
    for index, (
        pool,
        pool_mode,
        suffix,
        instance,
        zone,
        size,
        gbps,
        cpus,
        gib,
        driver,
    ) in enumerate(_POOLS):
        vmss = f"aks-{pool}-{suffix}-vmss"
        overlay = mode == "overlay"
        first = subnet + (index if overlay else index * _NODE_SUBNET_BLOCK)
        reserved = () if overlay else tuple(str(first + n) for n in range(1, _NODE_SUBNET_BLOCK))
        nodes.append(
            NodeSpec(
                name=f"{vmss}{instance:06d}",
                index=index,
                pool=pool,
                pool_mode=pool_mode,
                vmss=vmss,
                instance=instance,
                zone=f"{REGION}-{zone}",
                instance_type=size,
                egress_gbps=gbps,
                ip=str(first),
                mac=f"00:0d:3a:5e:10:{index + 4:02x}",
                vf_driver=driver,
                pod_cidr=f"10.244.{index}.0/24" if overlay else None,
                reserved_pod_ips=reserved,
                cpus=cpus,
                memory_gib=gib,
                max_pods=250 if overlay else _NODE_SUBNET_BLOCK,
            )
        )
    return LabSpec(
        mode=mode,
        engine=engine,
        nodes=tuple(nodes),
        hosts=(
            OutsideHost(
                name="internet", ip="203.0.113.80", domain="internet", http_ports=(80, 443)
            ),
            OutsideHost(name="runner", ip="203.0.113.200", domain="internet", http_ports=()),
            OutsideHost(
                name="storage-public", ip="203.0.113.90", domain="internet", http_ports=(443,)
            ),
            OutsideHost(name="vm", ip="10.225.0.4", domain="vnet"),
            OutsideHost(name="storage-endpoint", ip="10.226.0.5", domain="vnet", http_ports=(443,)),
            OutsideHost(name="api-server", ip="203.0.113.10", domain="internet", http_ports=()),
        ),
        private_endpoints=(
            PrivateEndpoint(
                name="pe-aksnetlab",
                ip="10.226.0.5",
                fqdn="aksnetlab.blob.core.windows.net",
                privatelink_fqdn="aksnetlab.privatelink.blob.core.windows.net",
                zone="privatelink.blob.core.windows.net",
                public_cname="blob.ams07prdstr02a.store.core.windows.net",
                public_ip="203.0.113.90",
            ),
        ),
        public_names={
            "www.example.com": "203.0.113.80",
            "example.com": "203.0.113.80",
            "mcr.microsoft.com": "203.0.113.80",
        },
    )
