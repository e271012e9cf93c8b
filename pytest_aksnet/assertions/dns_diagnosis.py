"""Looks that are made after a name did not resolve, to say which part of DNS is to blame.

They never change a verdict. Every verb about names shares this one diagnosis.
"""

import ipaddress
import re
from collections.abc import Sequence

from pytest_aksnet.check import Engine, Judge
from pytest_aksnet.expectations.dns_resolver import NDOTS
from pytest_aksnet.model.observation import DnsAnswer, DnsStatus
from pytest_aksnet.model.peers import PodRef
from pytest_aksnet.model.verdict import Outcome
from pytest_aksnet.probes.dig import Dig
from pytest_aksnet.probes.resolver import ResolvConf

AZURE_DNS = "168.63.129.16"
_QUICK_S = 1.0
_ASKED = re.compile(r"communications error to ([^#\s]+)#")


def upstreams(engine: Engine) -> tuple[str, ...]:
    """The DNS servers behind CoreDNS as far as they are known: the site's, else Azure's."""
    if engine.site.dns_servers:
        return engine.site.dns_servers
    return (AZURE_DNS,) if engine.profile.get("cloud") == "azure" else ()


def why_unresolved(
    engine: Engine,
    pod: PodRef,
    seen: DnsAnswer,
    judge: Judge[DnsAnswer],
    *,
    tcp: bool = False,
) -> str:
    """Ask every CoreDNS replica directly, then what lies behind, and say where it goes wrong.

    With `tcp` they are asked over TCP. Of a short name that does not exist, what the pod's
    resolv.conf makes of it is looked at first.
    """
    if cause := _not_searched(engine, pod, seen):
        return cause
    replicas = engine.view.coredns_ips()
    answers = {
        ip: engine.diagnose_look(
            pod, Dig(name=seen.name, qtype=seen.qtype, server=ip, tcp=tcp, wait_s=_QUICK_S)
        )
        for ip in replicas
    }
    good = [ip for ip, answer in answers.items() if judge(answer).outcome is Outcome.PASS]
    silent = [ip for ip, answer in answers.items() if answer.status is DnsStatus.TIMEOUT]
    asked = _asked(seen)
    service = engine.profile.get("dns-service-ip") or asked or "of the cluster's DNS"
    if replicas and len(good) == len(replicas) and asked not in ("", service):
        found = f"the CoreDNS replicas ({', '.join(good)}) give the expected answer directly"
        if ipaddress.ip_address(asked).is_link_local:
            return (
                f"{found}, so it is the DNS cache of node {pod.node} at {asked}: LocalDNS, or "
                "another cache on the node"
            )
        return (
            f"{found}, but the pod asks {asked}, which is not the cluster's DNS ({service}): its "
            f"dnsConfig, or clusterDNS of the kubelet of node {pod.node}"
        )
    if replicas and len(good) == len(replicas) and seen.status is DnsStatus.TIMEOUT:
        return (
            f"the CoreDNS replicas ({', '.join(good)}) answer directly, but the Service address "
            f"{service} does not from node {pod.node}: service proxy rules on that node"
        )
    if replicas and len(good) == len(replicas):
        return (
            f"the CoreDNS replicas ({', '.join(good)}) give the expected answer directly: what "
            f"answered on node {pod.node} is another resolver or an old answer from a cache"
        )
    if replicas and len(silent) == len(replicas):
        if cause := _not_forwarded(engine, pod, seen, judge, silent, tcp=tcp):
            return cause
        return (
            f"the CoreDNS replicas {', '.join(silent)} do not answer pods on node {pod.node} "
            "when asked directly: the way between that node and theirs is broken, or all of "
            "them are"
        )
    if silent:
        others = f"; {', '.join(good)} answers as expected" if good else ""
        return (
            f"the CoreDNS replicas {', '.join(silent)} do not answer pods on node {pod.node} "
            f"when asked directly{others}"
        )
    if good:
        bad = sorted(set(replicas) - set(good))
        return f"the CoreDNS replicas disagree: {', '.join(bad)} give the unexpected answer"
    failing = [ip for ip, answer in answers.items() if answer.status is DnsStatus.SERVFAIL]
    upstream = _upstream(engine, pod, seen, judge, tcp=tcp)
    if replicas and len(failing) == len(replicas):
        return (
            f"every CoreDNS replica answers SERVFAIL ({', '.join(failing)}): see the ConfigMaps "
            "coredns and coredns-custom in kube-system and the replicas' logs"
            + (f"; {upstream}" if upstream else "")
        )
    return upstream or "every CoreDNS replica gives the same unexpected answer"


def _not_searched(engine: Engine, pod: PodRef, seen: DnsAnswer) -> str:
    """Why a name such as service.namespace is not looked for in the cluster; blank where it is."""
    short = not seen.name.endswith(".") and seen.name.count(".") <= 1
    if not short or seen.status is not DnsStatus.NXDOMAIN:
        return ""
    domain = engine.profile.get("cluster-domain") or "cluster.local"
    config = engine.diagnose_look(pod, ResolvConf())
    if NDOTS in config.options and f"svc.{domain}" in config.search:
        return ""
    return (
        f"resolv.conf of the pod on node {pod.node} has the search list "
        f"{' '.join(config.search) or 'of nothing'} and the options "
        f"{' '.join(config.options) or 'none'}, where the cluster's names and {NDOTS} belong, "
        "so short names are not looked for in the cluster"
    )


def _asked(seen: DnsAnswer) -> str:
    """The server that was asked; "" where that is not known."""
    named = _ASKED.search(seen.detail)
    asked = seen.server or (named[1] if named else "")
    try:
        ipaddress.ip_address(asked)
    except ValueError:
        return ""
    return asked


def _not_forwarded(
    engine: Engine,
    pod: PodRef,
    seen: DnsAnswer,
    judge: Judge[DnsAnswer],
    silent: Sequence[str],
    *,
    tcp: bool,
) -> str:
    """Whether CoreDNS answers for its own names, and not for one that it forwards; else blank."""
    domain = engine.profile.get("cluster-domain") or "cluster.local"
    if seen.name.rstrip(".").endswith(domain):
        return ""
    own = Dig(name=f"kubernetes.default.svc.{domain}.", server=silent[0], tcp=tcp, wait_s=_QUICK_S)
    if engine.diagnose_look(pod, own).status is DnsStatus.TIMEOUT:
        return ""
    upstream = _upstream(engine, pod, seen, judge, tcp=tcp)
    return (
        f"the CoreDNS replicas ({', '.join(silent)}) answer for the cluster's own names and not "
        f"for this one within {_QUICK_S:g} s: what they forward it to does not answer them"
        + (f"; {upstream}" if upstream else "")
    )


def _upstream(
    engine: Engine, pod: PodRef, seen: DnsAnswer, judge: Judge[DnsAnswer], *, tcp: bool
) -> str:
    """What the DNS servers behind CoreDNS say to this node; blank for names not theirs to know."""
    domain = engine.profile.get("cluster-domain") or "cluster.local"
    servers = upstreams(engine)
    if not servers or seen.name.rstrip(".").endswith(domain):
        return ""
    absolute = f"{seen.name.rstrip('.')}."
    answers = {
        ip: engine.diagnose_look(
            pod, Dig(name=absolute, qtype=seen.qtype, server=ip, tcp=tcp, wait_s=_QUICK_S)
        )
        for ip in servers
    }
    silent = [ip for ip, answer in answers.items() if answer.status is DnsStatus.TIMEOUT]
    good = [ip for ip, answer in answers.items() if judge(answer).outcome is Outcome.PASS]
    bad = [ip for ip in answers if ip not in silent and ip not in good]
    if len(good) == len(servers):
        return (
            f"{_named(good)} gives the expected answer to this node, so CoreDNS forwards "
            "the name to another server or does not get there"
        )
    others = f"; {_named(good)} gives the expected answer" if good else ""
    if silent:
        return f"{_named(silent)} does not answer pods on node {pod.node}{others}"
    return (
        f"{_named(bad)} itself gives this answer to the cluster's virtual network, so "
        f"the cause is in its zones, not in the cluster{others}"
    )


def _named(servers: Sequence[str]) -> str:
    if list(servers) == [AZURE_DNS]:
        return f"Azure DNS ({AZURE_DNS})"
    return f"each of the virtual network's DNS servers asked ({', '.join(servers)})"
