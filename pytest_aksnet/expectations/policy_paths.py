"""Ways that no policy closes, or none of this engine: what an open one says then. Pure."""

from dataclasses import dataclass

from pytest_aksnet.expectations.policy_engines import API_TEXT, engine_rules
from pytest_aksnet.model.peers import NodeRef, PodRef
from pytest_aksnet.model.policy import Direction

_NODE_PORTS = range(30000, 32768)  # --service-node-port-range


@dataclass(frozen=True, slots=True, kw_only=True)
class Unclosable:
    """Why policies do not close a way, as the second half of a sentence, and who says so."""

    why: str
    document: str


def unclosable(
    engine: str | None,
    source: PodRef,
    *,
    pod: PodRef | None = None,
    node: NodeRef | None = None,
    port: int = 0,
    direction: Direction | None = None,
) -> Unclosable | None:
    """Why a policy cannot close the way from a pod to a pod, or to a node's port; None if it can.

    `direction` is the one that the policy restricts, where that is known.
    """
    rules = engine_rules(engine)
    text = API_TEXT.document
    if pod is not None and (pod.namespace, pod.name) == (source.namespace, source.name):
        return Unclosable(why="no policy keeps a pod from itself", document=text)
    if pod is not None and pod.node == source.node and source.host_network:
        return Unclosable(why="a pod is always open to the node that it runs on", document=text)
    if source.host_network and direction == "egress":
        return Unclosable(why="no policy holds for pods of the host network", document=text)
    if pod is not None and pod.host_network and direction == "ingress":
        return Unclosable(why="no policy holds for pods of the host network", document=text)
    own_node = node is not None and node.name == source.node and port not in _NODE_PORTS
    if own_node and rules.own_node_open and rules.enforces:
        return Unclosable(
            why="a pod always reaches the node that it runs on",
            document=rules.document,
        )
    through_node = source.host_network or (node is not None and port in _NODE_PORTS)
    if through_node and not rules.node_ingress_judged and direction != "egress":
        return Unclosable(
            why=f"policy engine {rules.engine} does not judge what comes through a load balancer "
            "or node port with externalTrafficPolicy Cluster, which it sees as coming from a node",
            document=rules.document,
        )
    return None
