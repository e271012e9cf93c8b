"""What a site wants of its cluster in Azure: the section [azure_profile] of the site file.

A setting is known by its path, such as ("outbound_type",) or ("pools", "user", "vm_size"): its keys
in the file. Live settings have the same paths.
"""

from collections.abc import Mapping

Setting = str | bool | int | tuple[str, ...]
Path = tuple[str, ...]

CLUSTER_SETTINGS: Mapping[str, type] = {
    "outbound_type": str,
    "network_policy": str,
    "data_plane": str,
    "load_balancer_sku": str,
    "private_cluster": bool,
    "authorized_ranges": tuple,
    "outbound_ips": tuple,
    "dns_servers": tuple,
    "upgrade_channel": str,
    "node_os_channel": str,
}
POOL_SETTINGS: Mapping[str, type] = {
    "vm_size": str,
    "os_sku": str,
    "max_pods": int,
    "max_surge": str,
    "max_unavailable": str,
    "subnet": str,
    "pod_subnet": str,
}
SUBNET_SETTINGS: Mapping[str, type] = {
    "security_group": str,
    "route_table": str,
    "nat_gateway": str,
}
NAMED_SETTINGS: Mapping[str, Mapping[str, type]] = {
    "pools": POOL_SETTINGS,
    "subnets": SUBNET_SETTINGS,
}
"""Tables of the section by the name of what they are of, with the keys of each."""

NAMED_LISTS = ("security_groups", "route_tables")
"""Tables of the section with a list of lines by name: rules of a group, routes of a table."""


def path_text(path: Path) -> str:
    """The path as it is written: pools.user.vm_size."""
    return ".".join(path)
