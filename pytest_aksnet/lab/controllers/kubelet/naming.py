"""Host name, /etc/hosts and /etc/resolv.conf of a pod. Pure.

Source: Kubernetes docs, "DNS for Services and Pods".
"""

from pytest_aksnet.lab.api.objects import JsonObject
from pytest_aksnet.lab.spec import LabSpec

# Azure gives every virtual network a suffix of its own and DHCP hands it to the nodes.
NODE_SEARCH_DOMAIN = "qm1pasxkkvie5bcrq3eyqmqgwg.ax.internal.cloudapp.net"
_LONGEST_HOSTNAME = 63
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


def hosts_file(pod: JsonObject, ip: str, spec: LabSpec) -> bytes:
    """What the kubelet writes to /etc/hosts."""
    pod_spec = pod["spec"]
    lines = ["# Kubernetes-managed hosts file.", *_LOOPBACK_LINES]
    own = hostname(pod)
    if pod_spec.get("hostNetwork"):
        lines[0] = "# Kubernetes-managed hosts file (host network)."
        lines.append(f"127.0.0.1\t{own}")
    elif pod_spec.get("subdomain"):
        domain = f"{pod['metadata']['namespace']}.svc.{spec.cluster_domain}"
        lines.append(f"{ip}\t{own}.{pod_spec['subdomain']}.{domain}\t{own}")
    else:
        lines.append(f"{ip}\t{own}")
    aliases = pod_spec.get("hostAliases") or []
    if aliases:
        lines += ["", "# Entries added by HostAliases."]
        for alias in aliases:
            lines.append("\t".join([alias["ip"], *(alias.get("hostnames") or [])]))
    return ("\n".join(lines) + "\n").encode()


def node_resolv_conf(spec: LabSpec) -> bytes:
    """What DHCP gives the nodes."""
    return f"nameserver {spec.azure_dns_ip}\nsearch {NODE_SEARCH_DOMAIN}\n".encode()


def resolv_conf(pod: JsonObject, spec: LabSpec) -> bytes:
    """What the kubelet writes to /etc/resolv.conf, by dnsPolicy and dnsConfig."""
    pod_spec = pod["spec"]
    policy = pod_spec.get("dnsPolicy", "ClusterFirst")
    if policy == "ClusterFirst" and pod_spec.get("hostNetwork"):
        policy = "Default"
    servers: list[str] = []
    searches: list[str] = []
    options: dict[str, str | None] = {}
    if policy in ("ClusterFirst", "ClusterFirstWithHostNet"):
        domain = spec.cluster_domain
        namespace = pod["metadata"]["namespace"]
        servers = [spec.dns_service_ip]
        searches = [f"{namespace}.svc.{domain}", f"svc.{domain}", domain, NODE_SEARCH_DOMAIN]
        options = {"ndots": "5"}
    elif policy == "Default":
        servers = [spec.azure_dns_ip]
        searches = [NODE_SEARCH_DOMAIN]
    config = pod_spec.get("dnsConfig") or {}
    servers += [item for item in config.get("nameservers") or [] if item not in servers]
    searches += [item for item in config.get("searches") or [] if item not in searches]
    for option in config.get("options") or []:
        options[option["name"]] = option.get("value")
    lines = []
    if searches:
        lines.append("search " + " ".join(searches))
    lines += [f"nameserver {server}" for server in servers]
    if options:
        shown = [name if value is None else f"{name}:{value}" for name, value in options.items()]
        lines.append("options " + " ".join(shown))
    return ("\n".join(lines) + "\n").encode()
