"""How connections spread over the endpoints of a Service, and what of it is promised.

Pure. kube-proxy (iptables, nftables) and Cilium choose an endpoint at random for each connection,
IPVS in turn by default: no exact evenness is promised, but each endpoint gets its share. A share
that a random choice gives less often than once in 10^9 lists fails; a run has less than 1,000 such
lists, so a healthy cluster fails less than once in 10^6 runs. The bound is Chernoff's (Hoeffding
1963, theorem 1): P(share of n at or beyond q) <= exp(-n KL(q || p)), over both sides of each of k
endpoints.
"""

import math
from collections.abc import Mapping

from pytest_aksnet.model.verdict import Outcome, Verdict

FALSE_ALARM = 1e-9
_RANDOM = frozenset({"iptables", "nftables", "none"})
_SOURCE = (
    "Kubernetes docs: reference/networking/virtual-ips (iptables and nftables choose at random); "
    "Cilium docs: kubernetes-without-kube-proxy"
)


def connections_needed(endpoints: int) -> int:
    """How many connections show an endpoint that gets half of its share or less.

    Raises ValueError for less than two endpoints.
    """
    if endpoints < 2:
        raise ValueError("a spread needs two endpoints")
    share = 1 / endpoints
    return math.ceil(_threshold(endpoints) / _divergence(share / 2, share))


def judge_spread(counts: Mapping[str, int], *, what: str, proxy_mode: str | None) -> Verdict:
    """Whether each endpoint got a share that a random choice gives. `counts` are by pod.

    Uneven fails where the proxy is known to choose at random, warns under IPVS, whose scheduler may
    be any, and is inconclusive where the proxy is not known. An endpoint that gets nothing, with
    any proxy but IPVS, is no spread at all and fails.
    """
    total, share = sum(counts.values()), 1 / len(counts)
    shown = ", ".join(f"{pod} {count}" for pod, count in sorted(counts.items()))
    even = f"{what}: {total} connections over {len(counts)} endpoints: {shown}"
    unlike = [
        pod
        for pod, count in sorted(counts.items())
        if total * _divergence(count / total, share) > _threshold(len(counts))
    ]
    if not unlike:
        return Verdict(outcome=Outcome.PASS, sentence=even, source=_SOURCE)
    uneven = (
        f"{even}; a random choice gives {', '.join(unlike)} such a share less than once in 10^9 "
        "times: the service proxy prefers some endpoints"
    )
    if proxy_mode == "ipvs":
        return Verdict(outcome=Outcome.PASS, sentence=even, source=_SOURCE, warning=uneven)
    if proxy_mode in _RANDOM or not all(counts.values()):
        return Verdict(outcome=Outcome.FAIL, sentence=uneven, source=_SOURCE)
    return Verdict(
        outcome=Outcome.INCONCLUSIVE,
        sentence=f"{uneven}; whether it chooses at random is unknown: set it with "
        "--aksnet-profile kube-proxy-mode=VALUE",
        source=_SOURCE,
    )


def judge_near(
    counts: Mapping[str, int], zones: Mapping[str, str], *, what: str, zone: str
) -> Verdict:
    """Whether a client of `zone` was served by endpoints of it; `zones` are those of the pods.

    trafficDistribution is a preference: other zones only warn.
    """
    far = sum(count for pod, count in counts.items() if zones.get(pod) != zone)
    source = "Kubernetes docs: reference/networking/virtual-ips, traffic distribution; KEP-4444"
    here = any(found == zone for found in zones.values())
    sentence = (
        f"{what}: of {sum(counts.values())} connections from zone {zone} {far} went to other zones"
    )
    warning = (
        f"{sentence}, although zone {zone} has an endpoint: trafficDistribution is not honoured, "
        "which costs latency and traffic between zones"
    )
    return Verdict(
        outcome=Outcome.PASS,
        sentence=sentence,
        source=source,
        warning=warning if far and here else "",
    )


def _threshold(endpoints: int) -> float:
    return math.log(2 * endpoints / FALSE_ALARM)


def _divergence(seen: float, expected: float) -> float:
    """Kullback-Leibler divergence of two coins, in nats."""
    return sum(
        one * math.log(one / other)
        for one, other in ((seen, expected), (1 - seen, 1 - expected))
        if one > 0
    )
