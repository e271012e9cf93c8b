"""What /etc/resolv.conf of a pod must say, by its dnsPolicy, and what the C library makes of it."""

import ipaddress
from collections.abc import Collection, Mapping, Sequence

from pytest_aksnet.model.observation import NameQueries, ResolverConfig
from pytest_aksnet.model.verdict import Outcome, Verdict

POLICIES = "Kubernetes docs: dns-pod-service, Pod's DNS Policy and DNS Config"
SEARCH = "resolv.conf(5): search, ndots; Kubernetes docs: dns-pod-service"
LOCAL_DNS_OF_PODS = "169.254.10.11"
LOCAL_DNS_OF_NODES = "169.254.10.10"
NODE_LOCAL_DNS = "169.254.20.10"
"""AKS docs: localdns-custom; Kubernetes docs: nodelocaldns."""
NDOTS = "ndots:5"


def search_list(namespace: str, domain: str) -> tuple[str, ...]:
    """The search list that a pod of this namespace begins with."""
    return (f"{namespace}.svc.{domain}", f"svc.{domain}", domain)


def judge_cluster_first(
    config: ResolverConfig, *, namespace: str, domain: str, dns_service: str, where: str
) -> Verdict:
    """dnsPolicy ClusterFirst, and ClusterFirstWithHostNet: the cluster's DNS, its names, ndots 5.

    An address of a DNS cache on the node may stand for the Service. `where` names the pod's node.
    """
    known = {dns_service, LOCAL_DNS_OF_PODS, NODE_LOCAL_DNS}
    others = [ip for ip in config.nameservers if ip not in known and not _is_of_node(ip)]
    wanted = search_list(namespace, domain)
    problems = []
    if others:
        problems.append(
            f"it names the server {', '.join(others)}, which is neither the cluster's DNS "
            f"({dns_service}) nor a cache on the node: see clusterDNS of the kubelet of {where}"
        )
    if config.search[: len(wanted)] != wanted:
        problems.append(
            f"its search list is {' '.join(config.search) or 'empty'} instead of one that begins "
            f"with {' '.join(wanted)}"
        )
    if NDOTS not in config.options:
        problems.append(
            f"its options are {' '.join(config.options) or 'none'} instead of {NDOTS}, so names "
            "with a dot such as service.namespace are asked outside of the cluster first"
        )
    caches = [ip for ip in config.nameservers if ip not in known and _is_of_node(ip)]
    warning = (
        f"pods of {where} ask {', '.join(caches)}, a cache on the node that is not known"
        if caches
        else ""
    )
    return _verdict(f"pods of {where} with dnsPolicy ClusterFirst", problems, warning)


def judge_local_dns(config: ResolverConfig, *, where: str) -> Verdict:
    """Pods of a node that has LocalDNS ask it, and nobody else."""
    problems = []
    if config.nameservers != (LOCAL_DNS_OF_PODS,):
        problems.append(
            f"it names {', '.join(config.nameservers)} and not LocalDNS at {LOCAL_DNS_OF_PODS}: "
            "the kubelet has another clusterDNS"
        )
    return _verdict(f"pods of {where}, which has LocalDNS,", problems)


def judge_default(
    config: ResolverConfig,
    *,
    domain: str,
    dns_service: str,
    of_site: Sequence[str],
    where: str,
) -> Verdict:
    """dnsPolicy Default: the resolvers of the node, which cannot be the cluster's.

    `of_site` are the DNS servers that the virtual network is known to have, empty where not known.
    """
    problems = []
    clusters = {dns_service, LOCAL_DNS_OF_PODS, NODE_LOCAL_DNS}
    if asked := [ip for ip in config.nameservers if ip in clusters]:
        problems.append(f"it names {', '.join(asked)}, the cluster's own DNS")
    if stubs := [ip for ip in config.nameservers if _is_loopback(ip)]:
        problems.append(
            f"it names {', '.join(stubs)}, a loopback address where nobody listens in a pod: "
            "resolvConf of the kubelet is to name /run/systemd/resolve/resolv.conf"
        )
    known = {*of_site, LOCAL_DNS_OF_NODES}
    strange = [ip for ip in config.nameservers if ip not in known and not _is_loopback(ip)]
    if of_site and strange:
        problems.append(
            f"it names {', '.join(strange)} and not the virtual network's DNS servers "
            f"({', '.join(of_site)}): a node takes changed ones when it starts anew"
        )
    if any(item == domain or item.endswith(f".{domain}") for item in config.search):
        problems.append(f"its search list {' '.join(config.search)} is that of the cluster")
    return _verdict(f"pods of {where} with dnsPolicy Default", problems)


def judge_given(
    config: ResolverConfig,
    *,
    nameservers: Sequence[str],
    searches: Sequence[str],
    options: Mapping[str, str | None],
    where: str,
) -> Verdict:
    """dnsPolicy None: exactly what dnsConfig gives, and nothing else."""
    wanted = {name if value is None else f"{name}:{value}" for name, value in options.items()}
    problems = [
        f"its {what} {' '.join(seen) or 'none'} instead of {' '.join(given)}"
        for what, seen, given, good in (
            ("nameservers are", config.nameservers, nameservers, None),
            ("search list is", config.search, searches, None),
            ("options are", config.options, sorted(wanted), set(config.options) == wanted),
        )
        if (tuple(seen) != tuple(given) if good is None else not good)
    ]
    return _verdict(f"a pod of {where} with dnsPolicy None and a dnsConfig", problems)


def judge_search(seen: NameQueries, *, searches: Sequence[str]) -> Verdict:
    """A name with fewer dots than ndots is tried with each search domain, then as it is.

    Where every answer is NXDOMAIN, so many queries are sent, in this order, and no other.
    """
    wanted = (*(f"{seen.name}.{domain}" for domain in searches), seen.name)
    if seen.asked == wanted:
        sentence = f"{seen.name} was asked for as {len(wanted)} names: {', '.join(seen.asked)}"
        return Verdict(outcome=Outcome.PASS, sentence=sentence, source=SEARCH)
    return Verdict(
        outcome=Outcome.FAIL,
        sentence=f"{seen.name} should be asked for as {', '.join(wanted)}, in this order, but "
        f"{len(seen.asked)} names were asked: {', '.join(seen.asked) or 'none at all'}; the "
        "search list or ndots of the pod's resolv.conf is not what was given, or another resolver "
        "was asked",
        source=SEARCH,
    )


def _verdict(what: str, problems: Collection[str], warning: str = "") -> Verdict:
    if problems:
        return Verdict(
            outcome=Outcome.FAIL,
            sentence=f"resolv.conf of {what} is wrong: {'; '.join(problems)}",
            source=POLICIES,
        )
    return Verdict(
        outcome=Outcome.PASS,
        sentence=f"resolv.conf of {what} is as documented",
        source=POLICIES,
        warning=warning,
    )


def _is_of_node(text: str) -> bool:
    """A link-local address leads no farther than the node."""
    try:
        return ipaddress.ip_address(text).is_link_local
    except ValueError:
        return False


def _is_loopback(text: str) -> bool:
    try:
        return ipaddress.ip_address(text).is_loopback
    except ValueError:
        return False
