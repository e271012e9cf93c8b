"""Ways from pods to nodes, platform addresses and Services: what policies and engine make of them.

Pure. Expected is what the oracle says of the engine's documents; where these leave an answer open
it may only warn, and so may an engine that closes what the API text closes and its documents spare.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pytest_aksnet.expectations.policy_engines import API_TEXT, engine_rules, is_documented
from pytest_aksnet.expectations.policy_oracle import PolicyOracle
from pytest_aksnet.expectations.policy_world import NAME_LABEL
from pytest_aksnet.expectations.probing import HOW_IT_FAILED, too_close
from pytest_aksnet.model.peers import NodeRef, PodRef
from pytest_aksnet.model.policy import Cell, End, EngineRules, Node, Outside, Pod, PortSpec, World
from pytest_aksnet.model.probing import Answer, Finding
from pytest_aksnet.model.verdict import Outcome, Verdict

_CONNECTED = frozenset({Finding.OK, Finding.MUTE, Finding.EOF, Finding.WRONG, Finding.RESET})
_LINK_LOCAL = "169.254."


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """One way as policies see it. `what` is a noun with addresses, for messages.

    `via` is the node that masqueraded it: see `PolicyOracle.decide`.
    """

    what: str
    client: End
    destination: End
    port: PortSpec
    version: int = 4
    via: Node | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What should become of a way, why, and where that is written.

    `doubt` is not empty where the documents leave it open. `spared` says that the API text closes
    what the engine's documents leave open.
    """

    allowed: bool
    why: str
    source: str
    doubt: str = ""
    spared: bool = False


def policy_pod(pod: PodRef) -> Pod:
    """A pod of the run as policies see it."""
    return Pod(
        namespace=pod.namespace,
        name=pod.name,
        node=pod.node,
        ips=pod.ips or (pod.ip,),
        labels=pod.labels,
        host_network=pod.host_network,
    )


def policy_node(node: NodeRef) -> Node:
    """A node as policies see it."""
    return Node(name=node.name, ips=node.addresses)


def end_at(address: str, pods: Iterable[PodRef], nodes: Iterable[NodeRef]) -> End:
    """Who has this address: one of the pods, else one of the nodes, else somebody outside."""
    for pod in pods:
        if not pod.host_network and address in (pod.ips or (pod.ip,)):
            return policy_pod(pod)
    for node in nodes:
        if address in node.addresses:
            return policy_node(node)
    return Outside(name=address, ips=(address,))


def expected_ways(
    ways: Sequence[Way], policies: Sequence[Mapping[str, Any]], engine: str | None
) -> list[Expected]:
    """What policies as the API server has them make of these ways under this engine."""
    rules = engine_rules(engine)
    world = _world(ways, policies)
    judged, text = PolicyOracle(policies, world, rules), PolicyOracle(policies, world, API_TEXT)
    found = []
    for way in ways:
        cell = Cell(
            source=way.client, destination=way.destination, port=way.port, version=way.version
        )
        decision, by_text = judged.decide(cell, via=way.via), text.decide(cell, via=way.via)
        found.append(
            Expected(
                allowed=decision.allowed,
                why=decision.why,
                source=API_TEXT.document
                if decision.allowed == by_text.allowed
                else f"{rules.document} (policy engine {rules.engine})",
                doubt=decision.caveat or _doubt(way, rules, named=bool(by_text.egress.by)),
                spared=decision.allowed and not by_text.allowed,
            )
        )
    return found


def judge_way(
    answers: Sequence[Answer | None],
    expected: Expected,
    *,
    what: str,
    held: str,
    slowest_ms: float,
    timeout_s: float,
) -> Verdict:
    """Whether a way is as expected, by all connections that were tried.

    `held` says which positive control did not hold, "" where all did; `slowest_ms` is the slowest
    answer of the controls, `timeout_s` how long silence was waited for.
    """
    looked = [one for one in answers if one is not None and one.looked]
    if not looked or len(looked) < len(answers):
        unseen = next((one.detail for one in answers if one is not None and not one.looked), "")
        return _undecided(f"{what} could not be looked at: {unseen or 'no answer of the agent'}")
    open_ones = [one for one in looked if one.finding in _CONNECTED]
    if expected.allowed:
        return _judge_open(looked, expected, what)
    if open_ones:
        return _unlike(
            expected, f"{what} should be closed, but a connection was made: {expected.why}"
        )
    if held:
        return _undecided(f"{what} is silent, but {held}, so that proves nothing")
    odd = [one for one in looked if one.finding is not Finding.TIMEOUT]
    if odd:
        return _undecided(
            f"{what}: {HOW_IT_FAILED[odd[0].finding]}, which is not how an engine blocks: it "
            "proves nothing about the policy"
        )
    if late := too_close(timeout_s, slowest_ms):
        return _undecided(f"{what} was {late}")
    return Verdict(
        outcome=Outcome.PASS, sentence=f"{what} is closed: {expected.why}", source=expected.source
    )


def _judge_open(looked: Sequence[Answer], expected: Expected, what: str) -> Verdict:
    bad = [one for one in looked if one.finding is not Finding.OK]
    if not bad:
        return Verdict(
            outcome=Outcome.PASS, sentence=f"{what} is open: {expected.why}", source=expected.source
        )
    sentence = f"{what} should be open, but {HOW_IT_FAILED[bad[0].finding]}: {expected.why}"
    if expected.spared and all(one.finding is Finding.TIMEOUT for one in bad):
        return Verdict(
            outcome=Outcome.PASS,
            sentence=f"{what} is closed, as the API asks",
            source=API_TEXT.document,
            warning=f"{what} is closed, as the API asks, although the engine's documents spare it "
            f"({expected.source})",
        )
    return _unlike(expected, sentence)


def _unlike(expected: Expected, sentence: str) -> Verdict:
    if expected.doubt:
        return Verdict(
            outcome=Outcome.PASS,
            sentence=f"{sentence}; not certain, as {expected.doubt}",
            source=expected.source,
            warning=f"{sentence}; not certain, as {expected.doubt}",
        )
    return Verdict(outcome=Outcome.FAIL, sentence=sentence, source=expected.source)


def _undecided(sentence: str) -> Verdict:
    return Verdict(outcome=Outcome.INCONCLUSIVE, sentence=sentence)


def _world(ways: Sequence[Way], policies: Sequence[Mapping[str, Any]]) -> World:
    ends = [end for way in ways for end in (way.client, way.destination)]
    spaces = {end.namespace for end in ends if isinstance(end, Pod)}
    spaces |= {policy["metadata"]["namespace"] for policy in policies}
    return World(
        namespaces={name: {NAME_LABEL: name} for name in spaces},
        pods=tuple(end for end in ends if isinstance(end, Pod)),
        nodes=tuple(end for end in ends if isinstance(end, Node)),
    )


def _doubt(way: Way, rules: EngineRules, *, named: bool) -> str:
    """Why the documents that we have leave the answer open, "" where they do not.

    `named` says that by the API text an egress rule names the destination.
    """
    destination = _as_node(way.destination)
    client = _as_node(way.client)
    if not is_documented(rules.engine):
        if isinstance(way.client, Pod) and destination and destination.name == way.client.node:
            return "engines differ in whether egress policies hold towards a pod's own node"
        if client or (isinstance(way.destination, Pod) and destination):
            return (
                "the API leaves it to the engine how policies treat nodes and pods of the host "
                "network"
            )
        return ""
    own_address = destination and any(ip.startswith(_LINK_LOCAL) for ip in destination.ips)
    if own_address and rules.own_node_open:
        return "its documents speak of the node's own IP, not of link-local addresses on it"
    if own_address and named and not rules.ip_blocks_match_cluster:
        return "its documents ask for an ipBlock and more, and do not say what it does alone"
    return ""


def _as_node(end: End) -> Node | None:
    if isinstance(end, Pod) and end.host_network:
        return Node(name=end.node, ips=end.ips)
    return end if isinstance(end, Node) else None
