"""What faults do to the checks of load balancers and the way out in Azure Resource Manager."""

from dataclasses import replace

from tests.e2e import rows_egress, rows_load_balancer
from tests.e2e.fault_matrix import Row, on

_ARM = ("--aksnet-lab-arm",)
_BALANCERS = {"azure.probes-up", "azure.backend-pools-complete", "azure.idle-timeouts"}

_OWN = (
    Row(
        fault="lb-probe-fails",
        options=_ARM,
        fails={"azure.probes-up"},
        names_cause=("is Down on aks-user-31337042-vmss000001",),
        quick=True,
    ),
    Row(
        fault="nsg-blocks-load-balancer",
        options=_ARM,
        fails={"azure.probes-up"},
        names_cause=("group aks-agentpool-31337042-nsg denies the service tag AzureLoadBalancer",),
    ),
    Row(
        fault="lb-backend-missing",
        options=_ARM,
        fails={"azure.backend-pools-complete"},
        names_cause=("should be in backend pool kubernetes",),
    ),
    Row(
        fault="lb-frontend-missing",
        options=_ARM,
        fails={"azure.frontends-of-services"},
        names_cause=("should be a frontend of a load balancer, and none has it",),
        cannot_judge=_BALANCERS,
        names_why=("no rule", "no load balancing rule"),
    ),
    Row(
        fault="lb-rules-left-over",
        options=_ARM,
        fails={"azure.no-orphaned-rules"},
        names_cause=("loadbalancingrules a0f1e2d3c4b5a4968877665544332211-tcp-80",),
    ),
    Row(
        fault="lb-timeouts-default",
        options=_ARM,
        fails={"azure.idle-timeouts"},
        names_cause=("an idle timeout of 7 minutes, and has 4",),
    ),
    Row(
        fault="lb-sku-basic",
        options=_ARM,
        fails={"azure.load-balancer-sku"},
        names_cause=("load balancer kubernetes should have SKU Standard",),
    ),
    Row(
        fault="nat-gateway-attached",
        options=_ARM,
        fails={"azure.egress-address-is-outbound"},
        names_cause=("an address of natgateways/by-hand",),
        quick=True,
    ),
    Row(
        fault="egress-bypasses-firewall",
        settings=("egress=firewall",),
        options=_ARM,
        fails={"azure.egress-address-is-outbound"},
        names_cause=("outboundrules/bypass",),
    ),
    Row(
        fault="outbound-backend-missing",
        options=_ARM,
        fails={"azure.outbound-rule-covers-nodes"},
        names_cause=("should be in backend pool aksoutboundbackendpool",),
    ),
    Row(
        fault="nat-gateway-detached",
        settings=("egress=nat-gateway",),
        options=_ARM,
        fails={"azure.nat-gateway-on-subnets", "azure.required-egress"},
        names_cause=(
            "subnet aks-nodes of the cluster should have a NAT gateway",
            "must be reached",
        ),
        cannot_judge={"azure.egress-address-is-outbound"},
        names_why=("no packet came so far",),
    ),
    Row(
        fault="snat-ports-for-nodes-only",
        options=_ARM,
        fails={"azure.snat-ports-fit"},
        names_cause=("1 addresses have them for 3 nodes",),
        skips={"azure.snat-ports-after-scale-out"},
    ),
    Row(
        fault="connections-leaked",
        options=_ARM,
        fails={"azure.snat-ports-in-use"},
        names_cause=("SNAT ports of aks-user-31337042-vmss000001 for TCP were in use",),
    ),
    Row(
        fault="autoscaler-max-high connections-leaked=600",
        options=_ARM,
        fails={"azure.snat-ports-after-scale-out"},
        names_cause=("which leaves each 512 SNAT ports",),
    ),
)

_LABS = {(row.fault, row.mode, row.engine, row.settings) for row in _OWN}
ROWS = (
    *_OWN,
    # What these faults do to others is the same where ARM is asked.
    *(
        replace(row, options=_ARM, quick=False)
        for row in (*rows_egress.ROWS, *rows_load_balancer.ROWS)
        if (row.fault, row.mode, row.engine, row.settings) in _LABS and not row.options
    ),
    Row(
        fault="nat-gateway-attached",
        options=_ARM,
        fails={"egress.address-promised", "egress.address-over-udp"}
        | on("egress.source-at-internet", 0, 1, 2)
        | on("egress.node-source-at-internet", 0, 1, 2),
        names_cause=("egress address has changed",),
    ),
    Row(
        fault="outbound-backend-missing",
        options=_ARM,
        fails={"egress.required-from-nodes", "egress.required-from-pods", "azure.required-egress"}
        | on("egress.source-at-internet", 2)
        | on("egress.node-source-at-internet", 2),
        names_cause=("dropped on the way", "must be reached, but nothing answered"),
        cannot_judge={"egress.address-promised", "egress.address-over-udp"},
        names_why=("with which address is not known",),
    ),
    # Nodes with public addresses leave with those.
    Row(
        fault="nodes-public",
        options=_ARM,
        fails={"azure.no-public-node-addresses"},
        skips={"azure.egress-address-is-outbound"},
    ),
    # Where nothing gets out, no address is told.
    *(
        Row(
            fault=fault,
            options=_ARM,
            fails=set(),
            cannot_judge={"azure.egress-address-is-outbound"},
            names_why=("no packet came so far",),
        )
        for fault in ("udr-blackhole", "route-to-gone-appliance")
    ),
)
