"""A firewall of the node itself, which AKS' nodes do not have; pure.

What it drops is what Felix drops with its default DefaultEndpointToHostAction ("Calico docs: Felix
configuration"): new flows of the node's pods to the node. Replies, and what the node begins, as
the kubelet's probes, go on.
"""

from pytest_aksnet.lab.network.tables import TableProgram

TABLE = "host-firewall"


def drop_own_pods() -> TableProgram:
    """The table that drops what the node's pods begin with the node."""
    return TableProgram(
        base="""chain from-pods {
            type filter hook input priority 0
            iifname "azv*" ct state new drop
        }"""
    )
