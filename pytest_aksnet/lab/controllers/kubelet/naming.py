"""Host name, /etc/hosts and /etc/resolv.conf of a pod. Pure.

Source: Kubernetes docs, "DNS for Services and Pods".
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from pytest_aksnet.lab.api.objects import JsonObject
from pytest_aksnet.lab.spec import LabSpec, OutsideHost

_LONGEST_HOSTNAME = 63
_STUB = "127.0.0.53"
_MOST_NAMESERVERS = 3  # the kubelet leaves out the others (Kubernetes docs: "known issues")
_LOOPBACK_LINES = (
    "127.0.0.1\tlocalhost",
    "::1\tlocalhost ip6-localhost ip6-loopback",
    "fe00::0\tip6-localnet",
    "fe00::0\tip6-mcastprefix",
    "fe00::1\tip6-allnodes",
    "fe00::2\tip6-allrouters",
)


def hostname(pod: JsonObject) -> str:
    """The pod's host name."""
    spec = pod["spec"]
    if spec.get("hostNetwork"):
        return str(spec["nodeName"])
    name = str(spec.get("hostname") or pod["metadata"]["name"])
    return name[:_LONGEST_HOSTNAME].rstrip("-.")


def hosts_file(pod: JsonObject, ips: Sequence[str], spec: LabSpec) -> bytes:
    """What the kubelet writes to /etc/hosts of a pod with these addresses."""
    pod_spec = pod["spec"]
    lines = ["# Kubernetes-managed hosts file.", *_LOOPBACK_LINES]
    own = hostname(pod)
    if pod_spec.get("hostNetwork"):
        lines[0] = "# Kubernetes-managed hosts file (host network)."
        lines.append(f"127.0.0.1\t{own}")
    elif pod_spec.get("subdomain"):
        domain = f"{pod['metadata']['namespace']}.svc.{spec.cluster_domain}"
        lines += [f"{ip}\t{own}.{pod_spec['subdomain']}.{domain}\t{own}" for ip in ips]
    else:
        lines += [f"{ip}\t{own}" for ip in ips]
    aliases = pod_spec.get("hostAliases") or []
    if aliases:
        lines += ["", "# Entries added by HostAliases."]
        for alias in aliases:
            lines.append("\t".join([alias["ip"], *(alias.get("hostnames") or [])]))
    return ("\n".join(lines) + "\n").encode()


def node_resolv_conf(spec: LabSpec) -> bytes:
    """A node's own file: DHCP fills it when the node starts, or LocalDNS names itself there."""
    servers = "".join(f"nameserver {server}\n" for server in spec.node_dns_servers)
    return f"{servers}search {spec.internal_suffix}\n".encode()


def host_resolv_conf(spec: LabSpec, host: OutsideHost) -> bytes:
    """The file of a machine that is no node: what DHCP of its network gives, "" outside Azure."""
    if host.domain == "vnet" and host.role != "dns":
        servers = "".join(f"nameserver {server}\n" for server in spec.vnet_dns_servers)
        return f"{servers}search {spec.internal_suffix}\n".encode()
    if host.domain in ("vnet", "peered"):
        return f"nameserver {spec.azure_dns_ip}\n".encode()
    return b""


@dataclass(kw_only=True)
class ResolverDefects:
    """What kubelets write wrongly into resolv.conf of the pods they start.

    `cluster_dns`: by node another address than that of the cluster's DNS. `ndots`: another number
    than 5. `no_search`: no search list. `stub_nodes`: nodes whose own file has the stub address of
    systemd-resolved. `config_ignored`: dnsPolicy None is taken for ClusterFirst, without dnsConfig.
    """

    cluster_dns: dict[str, str] = field(default_factory=dict)
    ndots: int | None = None
    no_search: bool = False
    stub_nodes: set[str] = field(default_factory=set)
    config_ignored: bool = False


def resolv_conf(pod: JsonObject, spec: LabSpec, defects: ResolverDefects) -> bytes:
    """What the kubelet writes to /etc/resolv.conf, by dnsPolicy and dnsConfig."""
    pod_spec = pod["spec"]
    policy = pod_spec.get("dnsPolicy", "ClusterFirst")
    if policy == "ClusterFirst" and pod_spec.get("hostNetwork"):
        policy = "Default"
    config = pod_spec.get("dnsConfig") or {}
    if defects.config_ignored and policy == "None":
        policy, config = "ClusterFirst", {}
    servers: list[str] = []
    searches: list[str] = []
    options: dict[str, str | None] = {}
    if policy in ("ClusterFirst", "ClusterFirstWithHostNet"):
        domain = spec.cluster_domain
        namespace = pod["metadata"]["namespace"]
        servers = [defects.cluster_dns.get(pod_spec.get("nodeName", ""), spec.cluster_dns_ip)]
        searches = [f"{namespace}.svc.{domain}", f"svc.{domain}", domain, spec.internal_suffix]
        options = {"ndots": str(defects.ndots or 5)}
        if defects.no_search:
            searches = []
    elif policy == "Default":
        stub = pod_spec.get("nodeName") in defects.stub_nodes
        servers = [_STUB] if stub else [*spec.node_dns_servers]
        searches = [spec.internal_suffix]
    servers += [item for item in config.get("nameservers") or [] if item not in servers]
    searches += [item for item in config.get("searches") or [] if item not in searches]
    for option in config.get("options") or []:
        options[option["name"]] = option.get("value")
    lines = []
    if searches:
        lines.append("search " + " ".join(searches))
    lines += [f"nameserver {server}" for server in servers[:_MOST_NAMESERVERS]]
    if options:
        shown = [name if value is None else f"{name}:{value}" for name, value in options.items()]
        lines.append("options " + " ".join(shown))
    return ("\n".join(lines) + "\n").encode()
