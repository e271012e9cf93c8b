"""What a look-up must give: an answer, and the addresses or the alias that it was meant to have."""

from collections.abc import Collection

from pytest_aksnet.model.addresses import is_address
from pytest_aksnet.model.observation import DnsAnswer, DnsStatus
from pytest_aksnet.model.verdict import Outcome, Verdict

SOURCE = "Kubernetes DNS-based service discovery 1.1.0; AKS docs: coredns-custom"

# CoreDNS keeps a negative answer for its `cache 30`: a name that was asked for a moment before
# it existed stays unknown for that long (seconds).
NEGATIVE_CACHE_S = 35.0

_MEANING = {
    DnsStatus.TIMEOUT: "no DNS server answered",
    DnsStatus.NXDOMAIN: "the name does not exist for this DNS server (NXDOMAIN)",
    DnsStatus.SERVFAIL: (
        "the DNS server could not find out (SERVFAIL, for a fault of its own or of its upstream)"
    ),
    DnsStatus.REFUSED: "the DNS server refused to answer (REFUSED)",
    DnsStatus.OTHER: "the DNS server answered with an unusual status",
}


def failure(answer: DnsAnswer) -> str:
    """Why `answer` holds no address, as a clause; blank where it holds one."""
    asked = f" from {answer.server}" if answer.server else ""
    if answer.status is not DnsStatus.NOERROR:
        detail = f": {answer.detail}" if answer.detail else ""
        return f"{_MEANING[answer.status]}{asked}{detail}"
    if not answer.addresses:
        alias = f", only the alias {answer.cname_chain[-1]}" if answer.cname_chain else ""
        return f"the answer{asked} holds no {answer.qtype} record{alias}"
    return ""


def judge_resolution(answer: DnsAnswer, *, to: Collection[str]) -> Verdict:
    """Whether the name resolved, and to exactly the addresses of `to` (names in it: as aliases).

    With `to` empty any answer is good.
    """
    expected_addresses = {item for item in to if is_address(item)}
    expected_names = {item.rstrip(".").lower() for item in to if not is_address(item)}
    wanted = f" to {', '.join(sorted(to))}" if to else ""
    expectation = f"{answer.name} should resolve{wanted}"
    aliases = {name.lower() for name in answer.cname_chain}
    problem = failure(answer)
    if not problem and expected_addresses and set(answer.addresses) != expected_addresses:
        problem = f"it resolved to {', '.join(answer.addresses)}"
    if not problem and not expected_names <= aliases:
        problem = f"its aliases are {', '.join(answer.cname_chain) or 'none'}"
    if problem:
        return Verdict(
            outcome=Outcome.FAIL, sentence=f"{expectation}, but {problem}", source=SOURCE
        )
    return Verdict(
        outcome=Outcome.PASS,
        sentence=f"{answer.name} resolved to {', '.join(answer.addresses)}",
        source=SOURCE,
    )
