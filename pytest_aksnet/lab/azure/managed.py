"""Settings of the managed cluster that are nobody else's: what ARM has of its control plane."""

from dataclasses import dataclass, field

from pytest_aksnet.lab.spec import LabSpec

SURGE = ("10%", "0")
"""maxSurge and maxUnavailable where nobody set them (REST API: Agent Pools)."""
OUTBOUND_TYPES = {
    "load-balancer": "loadBalancer",
    "nat-gateway": "managedNATGateway",
    "firewall": "userDefinedRouting",
    "none": "none",
}
"""outboundType by the lab's way out."""


@dataclass(kw_only=True)
class ManagedSettings:
    """What may be set or go wrong there.

    `authorized_ranges` may reach the API server, an empty list: all. `network_policy` is what ARM
    has instead of the engine that runs, "" for that one. `states` are provisioning states by the
    name of the pool, "" for the cluster; without one it is Succeeded. `surge` are maxSurge and
    maxUnavailable by pool.
    """

    authorized_ranges: list[str] = field(default_factory=list)
    network_policy: str = ""
    states: dict[str, str] = field(default_factory=dict)
    surge: dict[str, tuple[str, str]] = field(default_factory=dict)


def authorized_at_first(spec: LabSpec) -> list[str]:
    """Who may reach the API server of a lab that nobody has changed: empty for all."""
    if not spec.options.authorized_ranges:
        return []
    return [f"{administrator(spec)}/32", f"{spec.egress_ip}/32"]


def administrator(spec: LabSpec) -> str:
    """The address of the host on the internet that the cluster is run from."""
    [runner] = [host.ip for host in spec.hosts if host.name == "runner"]
    return runner
