"""Faults of the ways to Azure's platform addresses, 168.63.129.16 and 169.254.169.254."""

from pytest_aksnet.lab.faults.named_node import NamedNode
from pytest_aksnet.lab.network_knobs import NetworkKnobs
from pytest_aksnet.lab.spec import LabSpec


class ImdsExposed(NamedNode):
    """IMDS restriction is on, but a node does not enforce it."""

    name = "imds-exposed"
    describes = (
        "The rules of IMDS restriction were flushed on one node, so its pods read the node's "
        "metadata until it is reimaged (AKS docs: imds-restriction)."
    )

    def unfit(self, spec: LabSpec) -> str:
        """It takes the restriction."""
        if spec.options.imds_restricted:
            return ""
        return "IMDS is open to all pods of this lab: set imds-restricted=true"

    def broken(self, knobs: NetworkKnobs) -> set[str]:
        """Nodes without these rules."""
        return knobs.imds_exposed


class WireserverExposed(NamedNode):
    """A node lets its pods reach the wire server."""

    name = "wireserver-exposed"
    describes = (
        "The rules that keep pods off TCP 80 and 32526 of 168.63.129.16 were flushed on one node, "
        "so its pods may ask for what belongs to the node (Azure/AgentBaker: rules in the FORWARD "
        "chain)."
    )

    def broken(self, knobs: NetworkKnobs) -> set[str]:
        """Nodes without these rules."""
        return knobs.wire_server_exposed


class WireserverBlocked(NamedNode):
    """A node does not reach the wire server."""

    name = "wireserver-blocked"
    describes = (
        "One node's own firewall drops TCP 80 and 32526 to 168.63.129.16, which the VM agent needs "
        "(Azure docs: what-is-ip-address-168-63-129-16)."
    )

    def broken(self, knobs: NetworkKnobs) -> set[str]:
        """Nodes with such a firewall."""
        return knobs.wire_server_blocked
