"""What faults do to the checks of virtual networks: security groups, routes, subnets, peerings."""

from tests.e2e.fault_matrix import Row

_ARM = ("--aksnet-lab-arm",)

ROWS = (
    Row(
        fault="nsg-blocks-high-ports",
        options=_ARM,
        fails={"azure.nsg-lets-nodes-talk"},
        names_cause=("rule DenyHighPortsOfPods of",),
        quick=True,
    ),
    Row(
        fault="nsg-blocks-node-ports",
        options=_ARM,
        fails={"azure.nsg-lets-nodes-talk"},
        names_cause=("rule DenyHighPortsOf-aks-user",),
    ),
    # It closes TCP to port 53 alone.
    Row(
        fault="dns-truncated-tcp-blocked",
        options=_ARM,
        fails={"azure.nsg-lets-nodes-talk"},
        names_cause=("rule DenyDnsByTcp of",),
    ),
    Row(
        fault="nsg-blocks-load-balancer",
        options=_ARM,
        fails={"azure.nsg-lets-load-balancer-in"},
        names_cause=("rule DenyAzureLoadBalancer of",),
    ),
    Row(
        fault="nsg-blocks-https-out",
        options=_ARM,
        fails={"azure.nsg-lets-required-egress-out", "azure.required-egress"},
        names_cause=("rule DenyHttpsOut of", "must be reached, but nothing answered"),
        quick=True,
    ),
    Row(
        fault="nsg-blocks-dns",
        options=_ARM,
        fails={
            "azure.nsg-lets-required-egress-out",
            "azure.nsg-lets-nodes-talk",
            "azure.required-egress",
        },
        names_cause=("rule DenyDns-", "the name could not be resolved"),
        cannot_judge={"azure.api-server-name", "azure.custom-dns-in-the-way"},
        names_why=("resolves is not known", "gave a node no answer"),
    ),
    Row(
        fault="nsg-opens-management-ports",
        options=_ARM,
        fails={"azure.nsg-closes-management-ports"},
        names_cause=("rule AllowLogin of",),
    ),
    Row(
        fault="subnet-without-security-group",
        options=_ARM,
        fails={"azure.subnets-have-security-groups"},
        names_cause=("subnet aks-nodes",),
        skips={"azure.nsg-closes-management-ports"},
    ),
    Row(
        fault="route-to-gone-appliance",
        options=_ARM,
        fails={"azure.default-route-answers", "azure.required-egress"},
        names_cause=("route to-old-firewall", "must be reached, but nothing answered"),
        cannot_judge={"azure.egress-address-is-outbound"},
        names_why=("no packet came so far",),
        quick=True,
    ),
    Row(
        fault="route-to-gone-appliance",
        settings=("egress=firewall",),
        options=_ARM,
        fails={"azure.default-route-answers", "azure.required-egress"},
        names_cause=("route to-old-firewall", "must be reached, but nothing answered"),
        cannot_judge={"azure.egress-address-is-outbound"},
        names_why=("no packet came so far",),
    ),
    Row(
        fault="udr-blackhole",
        options=_ARM,
        fails={"azure.no-route-to-nowhere"},
        names_cause=("route blackhole",),
        cannot_judge={"azure.egress-address-is-outbound"},
        names_why=("no packet came so far",),
    ),
    # The default route leads round the firewall, so none leads to an appliance any more.
    Row(
        fault="egress-bypasses-firewall",
        settings=("egress=firewall",),
        options=_ARM,
        fails={"azure.outbound-type-fits-routes"},
        names_cause=("route out ",),
        skips={"azure.default-route-answers"},
    ),
    Row(
        fault="wrong-podcidr-route",
        mode="kubenet",
        options=_ARM,
        fails={"azure.kubenet-routes"},
        names_cause=("route aks-user-31337042-vmss000001-stale",),
    ),
    # The service tag VirtualNetwork has the prefixes of routes: one that is gone may be denied.
    Row(
        fault="pod-route-missing",
        mode="kubenet",
        options=_ARM,
        fails={"azure.kubenet-routes"},
        names_cause=("no route is for it",),
        cannot_judge={"azure.nsg-lets-nodes-talk"},
        names_why=("whether that is denied is not known",),
    ),
    Row(
        fault="peering-disconnected",
        options=_ARM,
        fails={"azure.peerings-connected"},
        names_cause=("peering to-hub",),
    ),
    Row(
        fault="peered-range-overlaps",
        options=_ARM,
        fails={"azure.peerings-do-not-overlap"},
        names_cause=("peering to-hub",),
    ),
    Row(
        fault="node-subnet-crowded",
        options=_ARM,
        fails={"azure.subnet-room-for-surge"},
        names_cause=("subnet aks-nodes",),
    ),
    Row(
        fault="node-subnet-crowded",
        mode="node-subnet",
        options=_ARM,
        fails={"azure.subnet-room-for-surge"},
        names_cause=("subnet aks-nodes",),
    ),
    Row(
        fault="vnet-dns-changed",
        options=_ARM,
        fails={"azure.dns-servers-agree", "azure.custom-dns-in-the-way"},
        names_cause=("virtual network vnet-aksnet-lab", "Azure DNS gives"),
    ),
    Row(
        fault="subnet-update-failed",
        options=_ARM,
        fails={"azure.subnets-succeeded"},
        names_cause=("subnet aks-nodes",),
    ),
)
