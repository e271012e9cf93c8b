"""What many flows at once, and silent ones, must show on their way to the internet."""

from pytest_aksnet.expectations.upgrade_ports import ports_by_size
from pytest_aksnet.model.probing import Answer, Batch, Finding
from pytest_aksnet.model.verdict import Outcome, Verdict

PORTS = "Azure docs: load-balancer-outbound-connections, default SNAT ports per instance"
IDLE = (
    "Azure docs: load-balancer-tcp-reset, nat-gateway-resource: idle flows live 4 minutes or more"
)

# Of the machines behind an outbound rule beyond the last size that is documented.
_FEWEST = 32
_SHARE = 8  # others use ports too, and closed connections keep theirs for minutes
_MOST = 128
_LOST_BY_CHANCE = 1


def promised_ports(nodes: int) -> int:
    """SNAT ports that a load balancer gives each of so many nodes by default.

    NAT gateways (64,512 for each address) and firewalls (2,496 for each address and instance) have
    more.
    """
    return ports_by_size(nodes) or _FEWEST


def burst_size(nodes: int) -> int:
    """How many connections at once a check may open: an eighth of what each node is promised."""
    return min(_MOST, promised_ports(nodes) // _SHARE)


def judge_burst(batch: Batch, *, what: str, nodes: int) -> Verdict:
    """Whether all connections of a list were open at the same time.

    Only silence means that ports are wanting: what is refused or reset may come from the host. One
    silent connection may have lost its packets. Two have by chance in less than one run of 10**11,
    where one packet in a thousand is lost: each of up to 256 connections sends its SYN three times.
    """
    asked = len(batch.answers)
    promise = f"{promised_ports(nodes)} SNAT ports are promised to each of up to {nodes} nodes"
    answers = [answer for answer in batch.answers if answer is not None and answer.looked]
    silent = sum(answer.finding is Finding.TIMEOUT for answer in answers)
    good = [answer for answer in answers if answer.finding is Finding.OK]
    if silent > _LOST_BY_CHANCE:
        return Verdict(
            outcome=Outcome.FAIL,
            sentence=f"{what}: {silent} of {asked} connections at once got no answer, although "
            f"{promise}: SNAT ports are exhausted (allocatedOutboundPorts of the outbound rule, or "
            "other flows take them)",
            source=PORTS,
        )
    if len(good) < asked:
        others = ", ".join(sorted({answer.detail for answer in answers if answer not in good}))
        return Verdict(
            outcome=Outcome.INCONCLUSIVE,
            sentence=f"{what}: {len(good)} of {asked} connections at once held, of the others: "
            f"{others or 'nothing is known'}; whether ports are wanting cannot be told",
        )
    if not _at_once(good):
        return Verdict(
            outcome=Outcome.INCONCLUSIVE,
            sentence=f"{what}: the {asked} connections were not open at the same time",
        )
    return Verdict(
        outcome=Outcome.PASS, sentence=f"{what}: {asked} connections at once held", source=PORTS
    )


def judge_idle(answer: Answer | None, *, what: str, seconds: float) -> Verdict:
    """Whether a connection that was silent for so many seconds still carried data afterwards."""
    if answer is None or not answer.looked:
        why = "no answer of the agent" if answer is None else answer.detail
        return Verdict(outcome=Outcome.INCONCLUSIVE, sentence=f"{what}: {why}")
    silent = f"{what}: a connection that was silent for {seconds:g} s"
    if answer.finding is Finding.OK:
        return Verdict(outcome=Outcome.PASS, sentence=f"{silent} carried data", source=IDLE)
    if "connect_ms" not in answer.facts:
        return Verdict(
            outcome=Outcome.INCONCLUSIVE,
            sentence=f"{what}: no connection was made ({answer.detail})",
        )
    if answer.finding in (Finding.RESET, Finding.MUTE):
        how = "reset" if answer.finding is Finding.RESET else "dead without a word"
        return Verdict(
            outcome=Outcome.FAIL,
            sentence=f"{silent} should carry data, but was {how}: something on the way forgets "
            "flows sooner than after 4 minutes (idle time-out of the outbound rule, NAT gateway or "
            "firewall)",
            source=IDLE,
        )
    return Verdict(
        outcome=Outcome.INCONCLUSIVE,
        sentence=f"{silent} was closed by the host itself ({answer.detail}); name a host as "
        "[internet] that waits longer",
    )


def _at_once(answers: list[Answer]) -> bool:
    """Whether there was a moment at which all of them were open."""
    opened = [answer.at_ms - answer.ms + _connect_ms(answer) for answer in answers]
    return max(opened) <= min(answer.at_ms for answer in answers)


def _connect_ms(answer: Answer) -> float:
    value = answer.facts.get("connect_ms")
    return float(value) if isinstance(value, int | float) else answer.ms
