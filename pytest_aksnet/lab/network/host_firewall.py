"""A firewall of the node itself, which AKS' nodes do not have; pure.

What it drops is what Felix drops with its default DefaultEndpointToHostAction ("Calico docs: Felix
configuration"): new flows of the node's pods to the node. Replies, and what the node begins, as
the kubelet's probes, go on. A way that loses long packets silently is simulated here as well.
"""

from pytest_aksnet.lab.network.tables import TableProgram

TABLE = "host-firewall"
LONGEST_PASSED = 1400  # bytes; the length at which the VNet stack fragments


def firewall(pods: str, *, drops_own_pods: bool, loses_long_packets: bool) -> TableProgram | None:
    """The table that drops what the node's pods begin with the node, or its pods' long packets.

    `pods` is the node's links to its pods (`LabSpec.pod_interface`). Long packets are dropped on
    their way between pods and other machines, and nobody is told.
    """
    chains = []
    if drops_own_pods:
        chains.append(
            f"""chain from-pods {{
            type filter hook input priority 0
            iifname "{pods}" ct state new drop
        }}"""
        )
    if loses_long_packets:
        chains.append(
            f"""chain long-packets {{
            type filter hook forward priority 0
            iifname "{pods}" oifname != "{pods}" meta length > {LONGEST_PASSED} drop
            iifname != "{pods}" oifname "{pods}" meta length > {LONGEST_PASSED} drop
        }}"""
        )
    return TableProgram(base="\n".join(chains)) if chains else None
