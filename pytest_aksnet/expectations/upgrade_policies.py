"""NetworkPolicies that an upgrade or a change of the engine turns into something else. Pure.

Sources: AKS docs localdns-custom (LocalDNS answers on 169.254.10.0/24, on by itself from Kubernetes
1.36), migrate-from-npm-to-cilium-network-policy and azure-cni-powered-by-cilium (an ipBlock never
means pods or nodes with Cilium; named ports).
"""

import ipaddress
from collections.abc import Iterator, Sequence

from pytest_aksnet.model.api import Json
from pytest_aksnet.model.verdict import Outcome, Verdict

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

LOCAL_DNS = ipaddress.ip_network("169.254.10.0/24")
_DNS_PORTS = (53, "53", "dns", "dns-tcp")
_LOCAL_DNS_SOURCE = "AKS docs: localdns-custom; AKS release notes 2026-05-29"
_CILIUM_SOURCE = "AKS docs: migrate-from-npm-to-cilium-network-policy, azure-cni-powered-by-cilium"
_ON_BY_ITSELF = (1, 36)
_SHOWN = 5


def without_local_dns(policies: Sequence[Json]) -> list[str]:
    """Policies that let pods ask DNS at some peers, but not at LocalDNS on their own node.

    What another policy of the same namespace and selector allows as well counts for all of them.
    """
    allowing = {_pods_of(policy) for policy in policies if _allows_local_dns(policy)}
    return [
        _name(policy)
        for policy in policies
        if _limits_dns(policy) and _pods_of(policy) not in allowing
    ]


def _pods_of(policy: Json) -> tuple[str, str]:
    selector = (policy.get("spec") or {}).get("podSelector") or {}
    return policy["metadata"].get("namespace", ""), repr(sorted(selector.items()))


def _limits_dns(policy: Json) -> bool:
    """Whether it isolates egress and names peers for DNS: somebody wanted names to resolve."""
    return any(_is_dns(rule) and rule.get("to") for rule in _egress(policy))


def _allows_local_dns(policy: Json) -> bool:
    return any(
        not rule.get("to") or any(_covers_local_dns(peer) for peer in rule["to"])
        for rule in _egress(policy)
        if _is_dns(rule) or not rule.get("ports")
    )


def _covers_local_dns(peer: Json) -> bool:
    block = peer.get("ipBlock")
    if not block:
        return False
    excepted = [ipaddress.ip_network(text) for text in block.get("except") or ()]
    network = ipaddress.ip_network(block["cidr"])
    return _within(LOCAL_DNS, network) and not any(_overlap(LOCAL_DNS, one) for one in excepted)


def _is_dns(rule: Json) -> bool:
    return any(port.get("port") in _DNS_PORTS for port in rule.get("ports") or ())


def judge_local_dns(
    found: Sequence[str], *, state: str, engine: str, version: tuple[int, int]
) -> Verdict:
    """No policy cuts pods off from LocalDNS, where nodes have it or an upgrade brings it.

    With Calico or Cilium policies AKS does not turn it on by itself.
    """
    comes = engine == "azure" and version < _ON_BY_ITSELF and state == "off"
    sentence = (
        f"policies that allow DNS must allow 169.254.10.0/24 on port 53 as well: {_some(found)}"
    )
    if found and state != "off":
        return Verdict(outcome=Outcome.FAIL, sentence=sentence, source=_LOCAL_DNS_SOURCE)
    what = f"{sentence}; from 1.36 on AKS turns LocalDNS on by itself" if found and comes else ""
    return Verdict(
        outcome=Outcome.PASS,
        sentence=f"no policy cuts pods off from LocalDNS (it is {state})",
        source=_LOCAL_DNS_SOURCE,
        warning=what,
    )


def judge_cilium_meaning(
    policies: Sequence[Json], own_ranges: Sequence[Network], *, engine: str
) -> Verdict:
    """No policy names pods or nodes by their addresses; `own_ranges` are those of both.

    `engine` is what enforces them now: azure, which is to become Cilium, or cilium.
    """
    named = [
        _name(policy)
        for policy in policies
        if any(isinstance(port.get("port"), str) for port in _ports(policy))
    ]
    dead: list[str] = []
    open_to: list[str] = []
    for policy in policies:
        for block in _blocks(policy):
            if any(_within(block, own) for own in own_ranges):
                dead.append(f"{_name(policy)} names {block}")
            elif any(_overlap(block, own) for own in own_ranges):
                open_to.append(f"{_name(policy)} names {block}")
    when = "with Cilium" if engine == "cilium" else "once Cilium enforces it"
    if dead:
        return Verdict(
            outcome=Outcome.FAIL,
            sentence=f"an ipBlock means neither pods nor nodes {when}, use selectors instead: "
            f"{_some(dead)}",
            source=_CILIUM_SOURCE,
        )
    warnings = []
    if open_to:
        warnings.append(
            f"covers pods or nodes among others, which it does not {when}: {_some(open_to)}"
        )
    if named:
        warnings.append(
            f"a port's name must be one number in all pods {when} (cilium/cilium#30003): "
            f"{_some(named)}"
        )
    return Verdict(
        outcome=Outcome.PASS,
        sentence=f"no policy names pods or nodes by their addresses ({len(policies)} policies)",
        source=_CILIUM_SOURCE,
        warning="; ".join(warnings),
    )


def _blocks(policy: Json) -> Iterator[Network]:
    spec = policy.get("spec") or {}
    for rules, key in ((spec.get("ingress"), "from"), (spec.get("egress"), "to")):
        for rule in rules or ():
            for peer in rule.get(key) or ():
                if peer.get("ipBlock"):
                    yield ipaddress.ip_network(peer["ipBlock"]["cidr"])


def _ports(policy: Json) -> Iterator[Json]:
    spec = policy.get("spec") or {}
    for rule in (*(spec.get("ingress") or ()), *(spec.get("egress") or ())):
        yield from rule.get("ports") or ()


def _egress(policy: Json) -> list[Json]:
    return list((policy.get("spec") or {}).get("egress") or ())


def _within(inner: Network, outer: Network) -> bool:
    if isinstance(inner, ipaddress.IPv4Network) and isinstance(outer, ipaddress.IPv4Network):
        return inner.subnet_of(outer)
    if isinstance(inner, ipaddress.IPv6Network) and isinstance(outer, ipaddress.IPv6Network):
        return inner.subnet_of(outer)
    return False


def _overlap(one: Network, other: Network) -> bool:
    return one.version == other.version and one.overlaps(other)


def _name(policy: Json) -> str:
    return f"{policy['metadata'].get('namespace', '')}/{policy['metadata']['name']}"


def _some(texts: Sequence[str]) -> str:
    more = f" and {len(texts) - _SHOWN} more" if len(texts) > _SHOWN else ""
    return "; ".join(texts[:_SHOWN]) + more
