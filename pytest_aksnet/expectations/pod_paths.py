"""What is promised about the ways between pods: lengths, routes and losses. Pure."""

from collections.abc import Mapping

from pytest_aksnet.model.observation import PodInterfaces
from pytest_aksnet.model.probing import Answer
from pytest_aksnet.model.verdict import Outcome, Verdict

MANAGED_MODES = frozenset({"overlay", "node-subnet", "pod-subnet", "kubenet"})
MTU = 1500
_MTU_SOURCE = "AKS docs: azure-cni-overlay and kubenet set pods up with an MTU of 1500"
_SAME_MTU = "RFC 1191: a way is as wide as its narrowest part; the pods of a cluster have one MTU"
_ROUTE = "CNI specification: ADD sets up interfaces and routes; Kubernetes docs: network model"
_NO_TUNNEL = (
    "AKS docs: azure-cni-overlay, no encapsulation between nodes; Azure docs: "
    "virtual-network-tcpip-performance-tuning, an MSS of 1350 belongs to VPN gateways"
)
_RFC_MSS = "RFC 9293, 3.7.1: the MSS of IPv4 is 536 where none is told"
_LOSS = "ITU-T Y.1541, table 1: a packet loss ratio of at most 0.001 in classes 0 to 4"
# 40 bytes of headers less than the MTU, and what Azure takes for its encapsulation on the way.
MSS_SEEN_ON_AZURE = frozenset({1460, 1418, 1410})
_MSS_OF_A_TUNNEL = 1350
_SMALLEST_MSS = 536
# Each way may lose one packet in a thousand, and both ways are asked.
TOLERATED_LOSS = 2e-3
FALSE_ALARM = 1e-9
LOSS_PROBES = 500
# A connection is lost if its SYN is lost twice: of 200, three by chance less often than once in
# 10 ** 10 runs, at the tolerated loss.
CONNECTIONS_BY_CHANCE = 2


def judge_mtus(found: Mapping[str, PodInterfaces], mode: str | None) -> Verdict:
    """Whether the interfaces of pods (by node) that lead out have the MTU of 1500, or one at least.

    AKS promises the number in its own modes. Where another plugin has set them up they should be
    equal; that nobody promises, so it is a warning.
    """
    mtus = {node: _outward(interfaces) for node, interfaces in found.items()}
    if unknown := sorted(node for node, mtu in mtus.items() if not mtu):
        return Verdict(
            outcome=Outcome.FAIL,
            sentence=f"the pods of {', '.join(unknown)} have no interface but loopback",
            source=_ROUTE,
        )
    text = ", ".join(f"{mtu} on {node}" for node, mtu in sorted(mtus.items()))
    if mode in MANAGED_MODES:
        good = all(mtu == MTU for mtu in mtus.values())
        return Verdict(
            outcome=Outcome.PASS if good else Outcome.FAIL,
            sentence=f"the MTU of pods should be {MTU} in mode {mode}, it is {text}",
            source=_MTU_SOURCE,
        )
    warning = ""
    if len(set(mtus.values())) > 1:
        warning = f"the pods of this cluster have different MTUs: {text} ({_SAME_MTU})"
    return Verdict(
        outcome=Outcome.PASS,
        sentence=f"the MTU of pods is {text}",
        source=_SAME_MTU,
        warning=warning,
    )


def judge_default_route(found: PodInterfaces, *, node: str, ipv6: bool) -> Verdict:
    """Whether a pod has one default route, and one of IPv6 where the cluster is `ipv6` as well."""
    wanted = [("IPv4", found.default4), *([("IPv6", found.default6)] if ipv6 else [])]
    for family, routes in wanted:
        if not routes:
            return Verdict(
                outcome=Outcome.FAIL,
                sentence=f"pods on node {node} have no {family} default route, so they reach "
                "nothing beyond their own interface",
                source=_ROUTE,
            )
    text = "; ".join(f"{family} {', '.join(routes)}" for family, routes in wanted)
    many = [family for family, routes in wanted if len(routes) > 1]
    return Verdict(
        outcome=Outcome.PASS,
        sentence=f"pods on node {node} have the default routes {text}",
        source=_ROUTE,
        warning=f"pods on node {node} have several {many[0]} default routes: {text}"
        if many
        else "",
    )


def judge_mss(answer: Answer | None, *, what: str, mode: str | None, cloud: str | None) -> Verdict:
    """Whether the MSS that arrives from `what` shows no tunnel on the way (bytes).

    Azure's host network lowers it for its own encapsulation; other values are only a warning.
    """
    if answer is None or "mss" not in answer.facts:
        why = "no answer of the agent" if answer is None else answer.detail
        return Verdict(
            outcome=Outcome.INCONCLUSIVE, sentence=f"the MSS of {what} was not seen: {why}"
        )
    mss = int(str(answer.facts["mss"]))
    managed = mode in MANAGED_MODES
    least, source = (_MSS_OF_A_TUNNEL, _NO_TUNNEL) if managed else (_SMALLEST_MSS, _RFC_MSS)
    if mss < least:
        return Verdict(
            outcome=Outcome.FAIL,
            sentence=f"{what} announces an MSS of {mss} as it arrives, less than {least}: a tunnel "
            "or a middlebox that rewrites it lies on the way",
            source=source,
        )
    odd = cloud == "azure" and managed and mss not in MSS_SEEN_ON_AZURE
    seen = ", ".join(map(str, sorted(MSS_SEEN_ON_AZURE)))
    return Verdict(
        outcome=Outcome.PASS,
        sentence=f"{what} announces an MSS of {mss}",
        source=source,
        warning=f"the MSS of {what} arrives as {mss}; seen on Azure are {seen}" if odd else "",
    )


def most_lost(probes: int, tolerated: float = TOLERATED_LOSS, error: float = FALSE_ALARM) -> int:
    """How many of so many probes may be lost before loss beyond `tolerated` is proven.

    A network that loses each with this probability loses more with a probability below `error`.
    """
    chance = (1 - tolerated) ** probes
    beyond, lost = 1 - chance, 0
    while beyond >= error and lost < probes:
        chance *= (probes - lost) / (lost + 1) * tolerated / (1 - tolerated)
        lost += 1
        beyond -= chance
    return lost


def judge_loss(answer: Answer | None, *, what: str) -> Verdict:
    """Whether a row of datagrams to `what` and their answers lost no more than is tolerated."""
    if answer is None or not answer.looked or "sent" not in answer.facts:
        why = "no answer of the agent" if answer is None else answer.detail
        return Verdict(
            outcome=Outcome.INCONCLUSIVE, sentence=f"the loss to {what} was not seen: {why}"
        )
    sent, answered = (int(str(answer.facts[name])) for name in ("sent", "answered"))
    lost, most = sent - answered, most_lost(sent)
    good = lost <= most
    return Verdict(
        outcome=Outcome.PASS if good else Outcome.FAIL,
        sentence=f"{lost} of {sent} datagrams to {what} or their answers were lost, {most} may be"
        + ("" if good else f": more than {TOLERATED_LOSS:.1%} by more than chance explains"),
        source=_LOSS,
    )


def _outward(interfaces: PodInterfaces) -> int:
    """The MTU of the interface of the default route, else of the first but loopback; 0 for none."""
    routes = interfaces.default4 or interfaces.default6
    name = routes[0].split(" ")[0] if routes else ""
    others = [one for one in interfaces.mtus if one != "lo"]
    return interfaces.mtus.get(name) or (interfaces.mtus[others[0]] if others else 0)
