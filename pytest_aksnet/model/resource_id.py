"""Ids of Azure's resources, taken apart, and the `az` commands that show them. Pure.

Sources: ARM, resource ids; the reference of the Azure CLI (most groups have `show --ids`).
"""

from dataclasses import dataclass

# The group of `az` by the type of resource; others are shown by `az resource show`.
_GROUPS = {
    "microsoft.compute/virtualmachines": "vm",
    "microsoft.compute/virtualmachinescalesets": "vmss",
    "microsoft.network/loadbalancers": "network lb",
    "microsoft.network/loadbalancers/probes": "network lb probe",
    "microsoft.network/loadbalancers/loadbalancingrules": "network lb rule",
    "microsoft.network/loadbalancers/outboundrules": "network lb outbound-rule",
    "microsoft.network/loadbalancers/backendaddresspools": "network lb address-pool",
    "microsoft.network/loadbalancers/frontendipconfigurations": "network lb frontend-ip",
    "microsoft.network/natgateways": "network nat gateway",
    "microsoft.network/networkinterfaces": "network nic",
    "microsoft.network/networksecuritygroups": "network nsg",
    "microsoft.network/networksecuritygroups/securityrules": "network nsg rule",
    "microsoft.network/privatednszones": "network private-dns zone",
    "microsoft.network/privatednszones/a": "network private-dns record-set a",
    "microsoft.network/privatednszones/virtualnetworklinks": "network private-dns link vnet",
    "microsoft.network/privateendpoints": "network private-endpoint",
    "microsoft.network/publicipaddresses": "network public-ip",
    "microsoft.network/routetables": "network route-table",
    "microsoft.network/routetables/routes": "network route-table route",
    "microsoft.network/virtualnetworks": "network vnet",
    "microsoft.network/virtualnetworks/subnets": "network vnet subnet",
    "microsoft.network/virtualnetworks/virtualnetworkpeerings": "network vnet peering",
}
# Groups of `az` that know no --ids, with the option for each name of the id.
_NAMED = {
    "microsoft.containerservice/managedclusters": ("aks", ("--name",)),
    "microsoft.containerservice/managedclusters/agentpools": (
        "aks nodepool",
        ("--cluster-name", "--name"),
    ),
    "microsoft.compute/virtualmachinescalesets/virtualmachines": (
        "vmss",
        ("--name", "--instance-id"),
    ),
    "microsoft.compute/virtualmachinescalesets/virtualmachines/networkinterfaces": (
        "vmss nic",
        ("--vmss-name", "--instance-id", "--name"),
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceId:
    """The parts of an id; `kind` is the type with its provider, in lower case."""

    subscription: str
    group: str
    kind: str
    names: tuple[str, ...]

    @property
    def name(self) -> str:
        """The name of the resource itself."""
        return self.names[-1]

    @property
    def short(self) -> str:
        """What people call it: its type without the provider, and its names."""
        kinds = self.kind.split("/")[1:]
        return " ".join(f"{kind}/{name}" for kind, name in zip(kinds, self.names, strict=True))


def resource_id(text: str) -> ResourceId:
    """Take an id apart. Raises ValueError for what is none."""
    parts = text.strip("/").split("/")
    lowered = [part.lower() for part in parts]
    if (
        len(parts) < 8
        or len(parts) % 2
        or lowered[0] != "subscriptions"
        or lowered[4] != "providers"
    ):
        raise ValueError(f"{text!r} is no id of a resource of Azure")
    kinds, names = lowered[6::2], parts[7::2]
    return ResourceId(
        subscription=parts[1],
        group=parts[3],
        kind="/".join([lowered[5], *kinds]),
        names=tuple(names),
    )


def shown_by(text: str) -> tuple[str, ...]:
    """The `az` command (argv) that shows a resource. Raises ValueError for what is no id."""
    found = resource_id(text)
    if found.kind in _NAMED:
        group, options = _NAMED[found.kind]
        names = (f"{one}={name}" for one, name in zip(options, found.names, strict=True))
        place = (f"--subscription={found.subscription}", f"--resource-group={found.group}")
        return ("az", *group.split(), "show", *place, *names)
    group = _GROUPS.get(found.kind, "resource")
    return ("az", *group.split(), "show", "--ids", text)
