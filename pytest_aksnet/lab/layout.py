"""Makes a lab's spec from its options: the nodes and hosts, with their addresses. Pure."""

import ipaddress
from collections.abc import Iterator

from pytest_aksnet.lab.arm.ids import API_DOMAIN, API_NAME
from pytest_aksnet.lab.options import SIZES, LabOptions, PoolOptions
from pytest_aksnet.lab.spec import REGION, LabSpec, NodeSpec, OutsideHost, PrivateEndpoint

# What nodes must reach ("AKS docs: outbound-rules-control-egress"); one host serves them all.
_NEEDED_BY_AKS = (
    "mcr.microsoft.com",
    "mcr-0001.mcr-msedge.net",
    "management.azure.com",
    "login.microsoftonline.com",
    "packages.microsoft.com",
    "packages.aks.azure.com",
    "acs-mirror.azureedge.net",
)
# What `az aks` gives by default ("AKS docs: quotas-skus-regions", "azure-cni-overlay").
_MAX_PODS = {"overlay": 250, "node-subnet": 30, "pod-subnet": 110, "kubenet": 110}
_FIRST_NODE_ADDRESS = 4  # Azure keeps the first four addresses of a subnet
_BLOCK = 16  # addresses of a pod subnet are given to nodes in batches of 16
_SCALE_SETS = {"system": "26541870", "user": "31337042"}


def default_spec(mode: str, engine: str) -> LabSpec:
    """The lab of three nodes in two pools over two zones. Raises BadOption."""
    return make_spec(LabOptions(mode=mode, engine=engine))


def make_spec(options: LabOptions) -> LabSpec:
    """The lab that these options describe."""
    empty = LabSpec(options=options, nodes=(), hosts=(), private_endpoints=())
    return LabSpec(
        options=options,
        nodes=tuple(_nodes(empty)),
        hosts=_hosts(options),
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
            f"{API_NAME}.{API_DOMAIN}": _api_server(options).ip,
            **dict.fromkeys(_NEEDED_BY_AKS, "203.0.113.80"),
        },
    )


def _nodes(spec: LabSpec) -> Iterator[NodeSpec]:
    options = spec.options
    node_addresses = ipaddress.ip_network(spec.node_subnet).network_address + _FIRST_NODE_ADDRESS
    pod_addresses = ipaddress.ip_network(spec.pod_subnet).network_address + _FIRST_NODE_ADDRESS
    node_addresses6 = ipaddress.ip_network(spec.node_subnet6).network_address
    pod_networks = ipaddress.ip_network(spec.pod_cidr).subnets(new_prefix=24)
    pod_networks6 = ipaddress.ip_network(spec.pod_cidr6).subnets(new_prefix=64)
    index = 0
    for number, pool in enumerate(options.pools):
        size = SIZES[pool.size]
        vmss = f"aks-{pool.name}-{_scale_set(pool, number)}-vmss"
        max_pods = pool.max_pods or _MAX_PODS[options.mode]
        for instance in range(pool.count):
            reserved: tuple[str, ...] = ()
            ip = node_addresses
            if options.mode == "node-subnet":
                reserved = tuple(str(ip + n) for n in range(1, max_pods))
                node_addresses += max_pods
            else:
                node_addresses += 1
            if options.mode == "pod-subnet":
                blocks = -(-(max_pods + options.static_blocks) // _BLOCK)
                reserved = tuple(str(pod_addresses + n) for n in range(blocks * _BLOCK))
                pod_addresses += blocks * _BLOCK
            yield NodeSpec(
                name=f"{vmss}{_base36(instance)}",
                index=index,
                pool=pool.name,
                pool_mode=pool.mode,
                vmss=vmss,
                instance=instance,
                zone=f"{REGION}-{pool.zones[instance % len(pool.zones)]}",
                instance_type=pool.size,
                egress_gbps=size.gbps,
                ip=str(ip),
                mac=f"00:0d:3a:5e:10:{index + 4:02x}",
                vf_driver=pool.vf_driver,
                pod_cidr=str(next(pod_networks)) if spec.pods_have_cidr else None,
                reserved_pod_ips=reserved,
                cpus=size.cpus,
                memory_gib=size.memory_gib,
                max_pods=max_pods,
                ip6=str(node_addresses6 + _FIRST_NODE_ADDRESS + index) if spec.dual_stack else None,
                pod_cidr6=str(next(pod_networks6)) if spec.dual_stack else None,
                labels=pool.labels,
                taints=pool.taints,
            )
            index += 1


def _scale_set(pool: PoolOptions, number: int) -> str:
    return _SCALE_SETS.get(pool.name, f"{10_000_019 * (number + 3) % 90_000_000 + 10_000_000}")


def _base36(instance: int) -> str:
    """How Azure writes an instance's number in its computer name: six digits of base 36."""
    digits = "0123456789abcdefghijklmnopqrstuvwxyz"
    text = ""
    while instance:
        instance, digit = divmod(instance, 36)
        text = digits[digit] + text
    return text.rjust(6, "0")


def _api_server(options: LabOptions) -> OutsideHost:
    """On the internet, or behind a private endpoint where the cluster has no way to the internet.

    "AKS docs: concepts-network-isolated".
    """
    if options.egress == "none":
        return OutsideHost(name="api-server", ip="10.226.0.4", domain="vnet", http_ports=())
    return OutsideHost(name="api-server", ip="203.0.113.10", domain="internet", http_ports=())


def _hosts(options: LabOptions) -> tuple[OutsideHost, ...]:
    two = options.dual_stack
    hosts = [
        OutsideHost(
            name="internet",
            ip="203.0.113.80",
            domain="internet",
            http_ports=(80, 443),
            ip6="2001:db8:80::80" if two else None,
        ),
        OutsideHost(
            name="runner",
            ip="203.0.113.200",
            domain="internet",
            http_ports=(),
            ip6="2001:db8:80::200" if two else None,
        ),
        OutsideHost(name="storage-public", ip="203.0.113.90", domain="internet", http_ports=(443,)),
        OutsideHost(
            name="vm", ip="10.225.0.4", domain="vnet", ip6="fd9a:6b1f:e000:1::4" if two else None
        ),
        OutsideHost(name="storage-endpoint", ip="10.226.0.5", domain="vnet", http_ports=(443,)),
        _api_server(options),
        OutsideHost(name="peered-vm", ip="10.64.0.4", domain="peered"),
        OutsideHost(name="on-prem", ip="192.168.10.4", domain="on-prem"),
    ]
    if options.egress == "firewall":
        hosts.append(
            OutsideHost(
                name="firewall", ip="10.227.0.4", domain="vnet", http_ports=(), role="firewall"
            )
        )
    if options.custom_dns:
        hosts += [
            OutsideHost(
                name=f"dns-{number}",
                ip=f"10.225.0.{9 + number}",
                domain="vnet",
                http_ports=(),
                role="dns",
            )
            for number in (1, 2)
        ]
    return tuple(hosts)
