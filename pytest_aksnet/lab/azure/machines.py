"""What is unlike at the nodes' machines in Azure, and at their network interfaces."""

from dataclasses import dataclass, field

from pytest_aksnet.lab.spec import NodeSpec


@dataclass(kw_only=True)
class MachineState:
    """Nodes, pools and addresses by name; empty where all is as AKS makes it.

    The interfaces of nodes in `without_forwarding` may neither send for others nor get what is for
    others; `taken_off` are addresses of pods that were taken off their node's interface, and
    `moved` names the subnet that ARM has an interface in. Nodes of the pools in `public` have
    public addresses; no packet has such a one. `failed` are nodes whose machine ARM calls Failed,
    and the pools in `unjoined` have one machine more, which is no node.
    """

    without_forwarding: set[str] = field(default_factory=set)
    taken_off: set[str] = field(default_factory=set)
    moved: dict[str, str] = field(default_factory=dict)
    public: set[str] = field(default_factory=set)
    failed: set[str] = field(default_factory=set)
    unjoined: set[str] = field(default_factory=set)

    def public_ip(self, node: NodeSpec) -> str:
        """The public address of a node, "" for none."""
        return f"198.51.100.{100 + node.index}" if node.pool in self.public else ""
