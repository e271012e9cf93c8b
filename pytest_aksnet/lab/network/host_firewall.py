"""A firewall of the node itself, which AKS' nodes do not have; pure.

What it drops is what Felix drops with its default DefaultEndpointToHostAction ("Calico docs: Felix
configuration"): new flows of the node's pods to the node. Replies, and what the node begins, as
the kubelet's probes, go on. Ways that lose long packets silently, or rewrite the MSS of TCP, are
simulated here as well.
"""

from pytest_aksnet.lab.network.tables import TableProgram

TABLE = "host-firewall"
LONGEST_PASSED = 1400  # bytes; the length at which the VNet stack fragments
CLAMPED_MSS = 1200  # bytes; what tunnels in tunnels come to


def firewall(
    pods: str, *, drops_own_pods: bool, loses_long_packets: bool, clamps_segments: bool = False
) -> TableProgram | None:
    """The table that drops what the node's pods begin with the node, or its pods' long packets.

    Or that tells smaller segments to both ends of a connection between them and other machines.

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
    if clamps_segments:
        told = f"tcp flags & syn == syn tcp option maxseg size set {CLAMPED_MSS}"
        chains.append(
            f"""chain segments {{
            type filter hook forward priority -150
            iifname "{pods}" oifname != "{pods}" {told}
            iifname != "{pods}" oifname "{pods}" {told}
        }}"""
        )
    return TableProgram(base="\n".join(chains)) if chains else None
