"""What clients of a load balancer's frontend should get: who answers, whom they see, who serves.

Sources: Kubernetes docs (Service type LoadBalancer, Using Source IP), AKS docs
(load-balancer-standard, internal-lb), Azure docs (load balancer: health probes, distribution).
"""

import ipaddress
import math
from collections import Counter
from collections.abc import Collection, Mapping, Sequence

from pytest_aksnet.model.probing import Answer, Finding
from pytest_aksnet.model.verdict import Outcome, Verdict

SERVED = "Kubernetes docs: Service, type LoadBalancer; AKS docs: load-balancer-standard"
SOURCE = "Kubernetes docs: tutorials/services/source-ip; AKS docs: load-balancer-standard"
BACKENDS = "Azure docs: load-balancer-custom-probe-overview; AKS docs: load-balancer-standard"
RANGES = "Kubernetes docs: Service, loadBalancerSourceRanges; AKS docs: load-balancer-standard"
CLEANUP = "Kubernetes docs: Service, garbage collecting load balancers (finalizer)"
IN_CLUSTER = "Kubernetes docs: Service, type LoadBalancer; KEP-1860: VIP mode of load balancers"

FALSE_ALARM = 1e-7
"""The probability that a check misses one who takes part with at least half of a fair share."""

MOST_CONNECTIONS = 2000


def connections_to_see(parts: int) -> int:
    """How many connections show each of `parts` that take part, but for FALSE_ALARM.

    A load balancer hashes five-tuples, so shares are not quite equal: each is taken to get half of
    a fair share at least. Never more than MOST_CONNECTIONS.
    """
    if parts < 2:
        return 8
    share = 1 / (2 * parts)
    return min(MOST_CONNECTIONS, math.ceil(math.log(FALSE_ALARM / parts) / math.log(1 - share)))


def judge_frontend(
    answers: Sequence[Answer | None], *, frontend: str, servers: Collection[str]
) -> Verdict:
    """Whether each connection to `frontend` ("address:port") was answered by one of the pods."""
    bad = Counter(_ending(one) for one in answers if _ending(one))
    if bad:
        listed = ", ".join(f"{count} {ending}" for ending, count in bad.most_common())
        return Verdict(
            outcome=Outcome.FAIL,
            sentence=f"{frontend} should answer each of {len(answers)} connections, but {listed}",
            source=SERVED,
        )
    strangers = sorted({_text(one, "pod") for one in answers} - set(servers))
    if strangers:
        return Verdict(
            outcome=Outcome.FAIL,
            sentence=f"{frontend} should be served by {', '.join(sorted(servers))}, but "
            f"{', '.join(strangers)} answered",
            source=SERVED,
        )
    return Verdict(
        outcome=Outcome.PASS,
        sentence=f"{frontend} answered all of {len(answers)} connections",
        source=SERVED,
    )


def judge_source_kept(
    answers: Sequence[Answer | None], *, frontend: str, client: Collection[str]
) -> Verdict:
    """Whether the pods behind externalTrafficPolicy Local saw the client's own addresses."""
    seen = Counter(_address(_text(one, "source")) for one in answers)
    foreign = sorted(set(seen) - {_address(address) for address in client})
    if foreign:
        return Verdict(
            outcome=Outcome.FAIL,
            sentence=f"pods behind {frontend} (externalTrafficPolicy: Local) should see the client "
            f"({', '.join(sorted(client))}), but saw {', '.join(foreign)}: it was masqueraded on "
            "the way",
            source=SOURCE,
        )
    return Verdict(
        outcome=Outcome.PASS,
        sentence=f"pods behind {frontend} saw the client {', '.join(sorted(seen))}",
        source=SOURCE,
    )


def entered_node(
    answer: Answer, owners: Mapping[str, str], nodes_of_pods: Mapping[str, str]
) -> str:
    """The node by which a connection came in, under externalTrafficPolicy Cluster.

    The source is an address of that node, looked up in `owners`. Who sees another one is a pod on
    the entered node itself: there a service proxy need not masquerade (Cilium does not), or takes
    an address that no object of the API tells.
    """
    return owners.get(_text(answer, "source")) or nodes_of_pods.get(_text(answer, "pod"), "")


def judge_shares(
    seen: Counter[str], *, frontend: str, expected: Collection[str], what: str
) -> Verdict:
    """Whether each of `expected` got a share of the connections; `what` is a noun for one."""
    total = sum(seen.values())
    missing = sorted(name for name in expected if not seen[name])
    listed = ", ".join(f"{name} {seen[name]}" for name in sorted(expected))
    if not missing:
        return Verdict(
            outcome=Outcome.PASS,
            sentence=f"each {what} got a share of {total} connections to {frontend}: {listed}",
            source=BACKENDS,
        )
    if total < connections_to_see(len(expected)) or total >= MOST_CONNECTIONS:
        return Verdict(
            outcome=Outcome.INCONCLUSIVE,
            sentence=f"{total} connections to {frontend} are too few to tell for "
            f"{len(expected)} of them which {what} gets none",
            source=BACKENDS,
        )
    return Verdict(
        outcome=Outcome.FAIL,
        sentence=f"each {what} should get a share of {total} connections to {frontend}, but "
        f"{', '.join(missing)} got none ({listed}); by chance that happens once in "
        f"{1 / FALSE_ALARM:.0e} times",
        source=BACKENDS,
    )


def judge_closed(
    answers: Sequence[Answer | None],
    control: Answer | None,
    *,
    frontend: str,
    why: str,
    source: str,
) -> Verdict:
    """Whether `frontend` stays silent, while the `control` of the same list was answered.

    `why` says why it should, as a clause.
    """
    open_ones = [one for one in answers if one is not None and one.finding is Finding.OK]
    if open_ones:
        return Verdict(
            outcome=Outcome.FAIL,
            sentence=f"{frontend} should not answer, as {why}, but {len(open_ones)} of "
            f"{len(answers)} connections were answered by {_text(open_ones[0], 'pod')}",
            source=source,
        )
    if control is None or control.finding is not Finding.OK:
        said = "no answer" if control is None else control.detail
        return Verdict(
            outcome=Outcome.INCONCLUSIVE,
            sentence=f"the positive control beside {frontend} was not answered ({said}), so a "
            "missing answer proves nothing",
        )
    other = [one for one in answers if one is not None and one.finding is not Finding.TIMEOUT]
    if other:
        return Verdict(
            outcome=Outcome.INCONCLUSIVE,
            sentence=f"{frontend} ended with {other[0].detail}, which is not how a load balancer "
            "leaves packets alone",
        )
    return Verdict(
        outcome=Outcome.PASS,
        sentence=f"{frontend} did not answer, as {why}, while the control did",
        source=source,
    )


def judge_hairpin(
    answers: Sequence[Answer | None], *, frontend: str, pod: str, servers: Collection[str]
) -> Verdict:
    """Whether a pod that serves a frontend got through each time, and also to itself."""
    verdict = judge_frontend(answers, frontend=frontend, servers=servers)
    if verdict.outcome is not Outcome.PASS:
        reached = {_text(one, "pod") for one in answers if one and one.finding is Finding.OK}
        itself = "; it reaches the others and does not reach itself" if reached - {pod} else ""
        return Verdict(
            outcome=verdict.outcome,
            sentence=f"from {pod}, one of the pods behind it, {verdict.sentence}"
            f"{'' if pod in reached else itself}",
            source=IN_CLUSTER,
        )
    seen = Counter(_text(one, "pod") for one in answers)
    if not seen[pod]:
        return Verdict(
            outcome=Outcome.INCONCLUSIVE,
            sentence=f"none of {len(answers)} connections of {pod} to {frontend} came to itself",
        )
    return Verdict(
        outcome=Outcome.PASS,
        sentence=f"{pod} reached itself through {frontend} {seen[pod]} times",
        source=IN_CLUSTER,
    )


def _ending(answer: Answer | None) -> str:
    """How a connection ended that was not answered; empty where it was."""
    if answer is None:
        return "were not looked at"
    if answer.finding is Finding.OK:
        return ""
    return {
        Finding.TIMEOUT: "got no answer",
        Finding.REFUSED: "were refused",
        Finding.RESET: "were reset",
    }.get(answer.finding, f"ended with {answer.detail}")


def _text(answer: Answer | None, fact: str) -> str:
    return str(answer.facts.get(fact, "")) if answer is not None else ""


def _address(text: str) -> str:
    """One spelling for each address; IPv4 in IPv6 is IPv4."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return text
    mapped = getattr(address, "ipv4_mapped", None)
    return str(mapped or address)
