"""What somebody may choose of a lab: the options of `aksnet-lab up` and the lab spec file.

Pure data and its validation, no I/O beyond reading the file. Every combination that AKS refuses is
refused here, with the reason and the remedy. `layout` makes the lab of it.
"""

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path

MODES = ("overlay", "node-subnet", "pod-subnet", "kubenet")
ENGINES = ("none", "azure", "calico", "cilium")
SERVICE_PROXIES = ("iptables", "nftables")
INGRESSES = ("none", "nginx")
MESHES = ("none", "istio")
EGRESSES = ("load-balancer", "nat-gateway", "firewall", "none")
"""How traffic leaves: outboundType loadBalancer, managedNATGateway, userDefinedRouting, none."""
ARM_ROLES = (
    *("Owner", "Contributor", "Network Contributor", "Private DNS Zone Contributor"),
    *("Reader", "Network Auditor"),
)
"""What the lab's service principal may be on the subscription.

Network Auditor is a custom role: Reader, and the actions that only look (effective routes and
rules, health of load balancing rules, Network Watcher).
"""

MOST_NODES = 100

_POOL_NAME = re.compile(r"[a-z][a-z0-9]{0,11}")


class BadOption(ValueError):
    """A choice that cannot be had; the text names the option, the value and the remedy."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """A VM size: vCPUs, GiB, and what Azure lets it send in Gbit/s (it meters no receiving)."""

    cpus: int
    memory_gib: int
    gbps: float


# "Azure docs: sizes", read 2026-11-21; DS4_v2 and DS2_v2 from the table of older sizes.
SIZES: Mapping[str, Size] = {
    "Standard_DS2_v2": Size(cpus=2, memory_gib=7, gbps=1.5),
    "Standard_DS4_v2": Size(cpus=8, memory_gib=28, gbps=6.0),
    "Standard_F2s_v2": Size(cpus=2, memory_gib=4, gbps=5.0),
    "Standard_F4s_v2": Size(cpus=4, memory_gib=8, gbps=10.0),
    "Standard_F8s_v2": Size(cpus=8, memory_gib=16, gbps=12.5),
    "Standard_B2s_v2": Size(cpus=2, memory_gib=8, gbps=6.25),
    "Standard_D2ds_v5": Size(cpus=2, memory_gib=8, gbps=12.5),
    "Standard_D4ds_v5": Size(cpus=4, memory_gib=16, gbps=12.5),
    "Standard_D8ds_v5": Size(cpus=8, memory_gib=32, gbps=12.5),
    "Standard_D2ds_v6": Size(cpus=2, memory_gib=8, gbps=12.5),
    "Standard_D4ds_v6": Size(cpus=4, memory_gib=16, gbps=12.5),
    "Standard_D8ds_v6": Size(cpus=8, memory_gib=32, gbps=12.5),
    "Standard_E4ds_v5": Size(cpus=4, memory_gib=32, gbps=12.5),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolOptions:
    """A node pool. `taints` are KEY=VALUE:EFFECT, as `az aks nodepool add --node-taints`."""

    name: str
    mode: str = "User"
    count: int = 1
    size: str = "Standard_F2s_v2"
    zones: tuple[str, ...] = ("1", "2", "3")
    vf_driver: str = "mlx5_core"
    max_pods: int | None = None
    labels: tuple[tuple[str, str], ...] = ()
    taints: tuple[str, ...] = ()


DEFAULT_POOLS = (
    PoolOptions(name="system", mode="System", count=1, size="Standard_DS4_v2", zones=("1",)),
    PoolOptions(name="user", count=2, zones=("1", "2"), vf_driver="mana"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class LabOptions:
    """All choices. Raises BadOption for what AKS does not have either.

    `service_proxy` is kube-proxy's mode; engine cilium serves Services itself. `custom_dns` gives
    the VNet DNS servers of its own, which forward to Azure DNS. `outbound_ports` is
    allocatedOutboundPorts of the load balancer; 0 leaves it to the size of the pool.
    `authorized_ranges` has the API server let in the cluster itself and one host on the internet.
    `ingress` is who serves Ingress and Gateway: AKS' managed NGINX, or nobody. `mesh` is the Istio
    add-on, or none.
    `arm_role` is the role of the lab's service principal; `arm_page_size` how many resources a
    page of ARM has, 0 for all.
    """

    mode: str = "overlay"
    engine: str = "calico"
    service_proxy: str = "iptables"
    egress: str = "load-balancer"
    dual_stack: bool = False
    local_dns: bool = False
    imds_restricted: bool = False
    custom_dns: bool = False
    authorized_ranges: bool = False
    static_blocks: bool = False
    outbound_ports: int = 0
    ingress: str = "nginx"
    mesh: str = "none"
    arm_role: str = "Owner"
    arm_page_size: int = 0
    pools: tuple[PoolOptions, ...] = DEFAULT_POOLS

    def __post_init__(self) -> None:
        """Refuse what cannot be."""
        _one_of("mode", self.mode, MODES, "network mode")
        _one_of("engine", self.engine, ENGINES, "policy engine")
        _one_of("service-proxy", self.service_proxy, SERVICE_PROXIES, "kube-proxy mode")
        _one_of("egress", self.egress, EGRESSES, "way out")
        _one_of("ingress", self.ingress, INGRESSES, "ingress controller")
        _one_of("mesh", self.mesh, MESHES, "service mesh")
        if self.mode == "kubenet" and self.engine in ("azure", "cilium"):
            raise BadOption(
                f"engine {self.engine!r} does not go with mode 'kubenet': choose calico or none "
                "(AKS docs: use-network-policies)"
            )
        if self.dual_stack and self.mode not in ("overlay", "kubenet"):
            raise BadOption(
                f"dual-stack does not go with mode {self.mode!r}: choose overlay or kubenet "
                "(AKS docs: configure-dual-stack)"
            )
        if self.dual_stack and self.engine == "azure":
            raise BadOption(
                "dual-stack does not go with engine 'azure', which knows no IPv6: choose calico, "
                "cilium or none (AKS docs: use-network-policies)"
            )
        if self.service_proxy != "iptables" and self.engine == "cilium":
            raise BadOption(
                f"service-proxy {self.service_proxy!r} does not go with engine 'cilium', which "
                "serves Services itself: leave it out (AKS docs: azure-cni-powered-by-cilium)"
            )
        if self.authorized_ranges and self.egress == "none":
            raise BadOption(
                "authorized-ranges does not go with egress 'none', where the API server is private "
                "(AKS docs: api-server-authorized-ip-ranges)"
            )
        if self.static_blocks and self.mode != "pod-subnet":
            raise BadOption(f"static-blocks goes with mode 'pod-subnet', not {self.mode!r}")
        if not 0 <= self.outbound_ports <= 64000 or self.outbound_ports % 8:
            raise BadOption(
                f"outbound-ports {self.outbound_ports}: give a multiple of 8 up to 64000, or 0 "
                "(AKS docs: configure-load-balancer-standard)"
            )
        _one_of("arm-role", self.arm_role, ARM_ROLES, "role in ARM")
        if self.arm_page_size < 0:
            raise BadOption(f"arm-page-size {self.arm_page_size}: give 1 or more, or 0 for all")
        _check_pools(self.pools)


def read_spec_file(path: Path) -> dict[str, object]:
    """The choices in a lab spec file (TOML). Raises BadOption."""
    try:
        with path.open("rb") as file:
            return tomllib.load(file)
    except OSError as error:
        raise BadOption(f"cannot read the lab spec file {path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadOption(f"{path} is not TOML: {error}") from error


def lab_options(choices: Mapping[str, object]) -> LabOptions:
    """The options that choices mean: keys as in the spec file, values as TOML has them.

    Raises BadOption.
    """
    known = {field.name.replace("_", "-"): field for field in fields(LabOptions)}
    values: dict[str, object] = {}
    for key, value in choices.items():
        if key not in known:
            raise BadOption(f"unknown option {key!r} of a lab: known are {', '.join(known)}")
        if key == "pools":
            values["pools"] = _pools(value)
            continue
        default = known[key].default
        if type(value) is not type(default):
            raise BadOption(f"{key} = {value!r}: give {_KINDS[type(default)]}")
        values[known[key].name] = value
    return LabOptions(**values)  # type: ignore[arg-type]


def changed_options(options: LabOptions) -> dict[str, object]:
    """What is not as by default, as the spec file has it."""
    changed: dict[str, object] = {}
    for field in fields(LabOptions):
        value = getattr(options, field.name)
        if value != field.default and field.name != "pools":
            changed[field.name.replace("_", "-")] = value
    if options.pools != DEFAULT_POOLS:
        changed["pools"] = [f"{pool.name}: {pool.count} x {pool.size}" for pool in options.pools]
    return changed


def parse_setting(text: str) -> tuple[str, object]:
    """KEY=VALUE as on a command line: numbers and true or false are taken as such.

    Raises BadOption.
    """
    key, equals, value = text.partition("=")
    if not equals or not key:
        raise BadOption(f"{text!r} is not KEY=VALUE")
    if value in ("true", "false"):
        return key, value == "true"
    return key, int(value) if value.isascii() and value.isdigit() else value


_KINDS: Mapping[type, str] = {str: "a text", bool: "true or false", int: "a whole number"}


def _one_of(key: str, value: str, known: Sequence[str], what: str) -> None:
    if value not in known:
        raise BadOption(f"unknown {what} {value!r} ({key}): choose one of {', '.join(known)}")


def _pools(value: object) -> tuple[PoolOptions, ...]:
    if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
        raise BadOption("pools: write each as a table [[pools]]")
    return tuple(_pool(one) for one in value)


def _pool(table: Mapping[str, object]) -> PoolOptions:
    known = {field.name.replace("_", "-"): field.name for field in fields(PoolOptions)}
    values: dict[str, object] = {}
    for key, value in table.items():
        if key not in known:
            raise BadOption(f"unknown key {key!r} of a pool: known are {', '.join(known)}")
        if key == "labels" and isinstance(value, dict):
            value = tuple(sorted((str(name), str(text)) for name, text in value.items()))
        elif isinstance(value, list):
            value = tuple(str(one) for one in value)
        wanted = {"count": int, "max-pods": int, "zones": tuple, "labels": tuple, "taints": tuple}
        if type(value) is not wanted.get(key, str):
            raise BadOption(f"{key} = {value!r} of a pool has the wrong type")
        values[known[key]] = value
    if "name" not in values:
        raise BadOption("a pool has no name")
    return PoolOptions(**values)  # type: ignore[arg-type]


def _check_pools(pools: Sequence[PoolOptions]) -> None:
    names = [pool.name for pool in pools]
    if len(set(names)) != len(names):
        raise BadOption(f"pools: every name once, not {', '.join(names)}")
    for pool in pools:
        if not _POOL_NAME.fullmatch(pool.name):
            raise BadOption(
                f"pool name {pool.name!r}: up to 12 lower-case letters and digits, a letter first"
            )
        _one_of("mode", pool.mode, ("System", "User"), f"mode of pool {pool.name}")
        _one_of("size", pool.size, tuple(SIZES), f"VM size of pool {pool.name}")
        _one_of("vf-driver", pool.vf_driver, ("mlx5_core", "mana"), "VF driver")
        if pool.count < 0 or not pool.zones:
            raise BadOption(f"pool {pool.name}: give a count of 0 or more, and at least one zone")
        if pool.max_pods is not None and not 10 <= pool.max_pods <= 250:
            raise BadOption(f"pool {pool.name}: max-pods is 10 to 250 (AKS docs: quotas)")
    if not any(pool.mode == "System" and pool.count for pool in pools):
        raise BadOption("pools: AKS needs a pool of mode System with at least one node")
    if sum(pool.count for pool in pools) > MOST_NODES:
        raise BadOption(f"pools: a lab has at most {MOST_NODES} nodes")
