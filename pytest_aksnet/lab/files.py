"""The two files by which a lab is found: a kubeconfig, and the site file of pytest-aksnet."""

import base64
import json
import sys
from pathlib import Path

import yaml

from pytest_aksnet.lab.arm.ids import API_DOMAIN, API_NAME
from pytest_aksnet.lab.azure.managed import OUTBOUND_TYPES, SURGE, authorized_at_first
from pytest_aksnet.lab.azure.state import NODE_SUBNET
from pytest_aksnet.lab.network.platform_rules import WIRE_SERVER_PORTS
from pytest_aksnet.lab.spec import CLUSTER_NAME, LabSpec

KUBECONFIG = "kubeconfig"
SITE = "aksnet.toml"
DNS_P99_MS = 1000  # on a machine that does much else
_CA = "ca.pem"
_USER = "clusterUser"


def write_kubeconfig(folder: Path, *, server: str, ca_pem: bytes, token: str) -> Path:
    """Write the kubeconfig: TLS with the lab's CA, a bearer token. Returns its path."""
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": CLUSTER_NAME,
        "clusters": [
            {
                "name": CLUSTER_NAME,
                "cluster": {
                    "server": server,
                    "certificate-authority-data": base64.b64encode(ca_pem).decode(),
                },
            }
        ],
        "contexts": [{"name": CLUSTER_NAME, "context": {"cluster": CLUSTER_NAME, "user": _USER}}],
        "users": [{"name": _USER, "user": {"token": token}}],
    }
    return _write(folder / KUBECONFIG, yaml.safe_dump(content, sort_keys=False))


def merge_kubeconfig(source: Path, target: Path) -> str:
    """Add a lab's cluster, user and context to a kubeconfig, or replace those of an earlier lab.

    The current context stays what it is. Returns the name of the lab's context. Raises OSError,
    and ValueError where `target` is no kubeconfig.
    """
    lab = yaml.safe_load(source.read_text())
    content: object = None
    if target.exists():
        try:
            content = yaml.safe_load(target.read_text())
        except yaml.YAMLError as error:
            raise ValueError("it is no YAML") from error
    content = {"apiVersion": "v1", "kind": "Config"} if content is None else content
    if not isinstance(content, dict) or content.get("kind") != "Config":
        raise ValueError("it is no kubeconfig (kind: Config)")
    for key in ("clusters", "contexts", "users"):
        # The user has a name of its own here: clusterUser is what `az aks` calls others as well.
        new = [{**entry, "name": CLUSTER_NAME} for entry in lab[key]]
        for entry in new:
            if "context" in entry:
                entry["context"] = {"cluster": CLUSTER_NAME, "user": CLUSTER_NAME}
        others = [entry for entry in content.get(key) or [] if entry.get("name") != CLUSTER_NAME]
        content[key] = [*others, *new]
    target.parent.mkdir(parents=True, exist_ok=True)
    beside = target.with_name(f".{target.name}.aksnet-lab")
    _write(beside, yaml.safe_dump(content, sort_keys=False))
    beside.replace(target)
    return CLUSTER_NAME


def write_site(folder: Path, spec: LabSpec, *, ca_pem: bytes) -> Path:
    """Write what is true for this site: what a user of a real cluster would write by hand.

    A cluster without a way out names no host on the internet: none can be reached. `ca_pem` is the
    authority of the lab's hosts.
    """
    hosts = {host.name: host for host in spec.hosts}
    _write(folder / _CA, ca_pem.decode("ascii"))
    lines = [
        'external_names = ["example.com", "mcr.microsoft.com", "www.example.com"]',
        f"egress_ips = {_strings([ip for ip in (spec.egress_ip, spec.egress_ip6) if ip])}",
        f"trusted_ca = {_string(_CA)}",
        f"imds = {_string('restricted' if spec.options.imds_restricted else 'open')}",
    ]
    if not spec.egress_ip:
        lines.append('outbound = "none"')
    elif spec.options.egress == "firewall":
        lines.append('outbound = "firewall"')
    lines.append(f"as_of = {spec.stands_for}")
    if spec.private_api is not None:
        lines.append(f"private_api_server = {_string(spec.private_api.fqdn)}")
    servers = [host.ip for host in spec.hosts if host.role == "dns"]
    if servers:
        lines.append(f"dns_servers = {_strings(servers)}")
    lines.append(f"dns_p99_ms = {DNS_P99_MS}")
    lines.append(f"api_server = {_string(f'{API_NAME}.{API_DOMAIN}')}")
    reachable = [("vnet_vm", "vm"), ("peered_vm", "peered-vm"), ("on_prem", "on-prem")]
    if spec.egress_ip:
        reachable.append(("internet", "internet"))
    for table, name in reachable:
        host = hosts[name]
        lines += ["", f"[{table}]", f"host = {_string(host.ip)}", f"port = {host.http_ports[0]}"]
    internet = hosts["internet"]
    if spec.egress_ip:
        lines += [
            "",
            "[whoami]",
            f"server = {_string(internet.ip)}",
            f"name = {_string(spec.whoami_name)}",
        ]
        if spec.egress_ip6:
            lines += ["", "[internet6]", f"host = {_string(internet.ip6 or '')}", "port = 80"]
    # The nodes' own rules keep pods off the wire server ("Azure/AgentBaker").
    places = [
        ("reachable", hosts["vm"].ip, 80),
        *(("unreachable", spec.azure_dns_ip, port) for port in WIRE_SERVER_PORTS),
    ]
    if not spec.egress_ip:
        places.append(("unreachable", internet.ip, 443))
    for table, ip, port in places:
        lines += ["", f"[[{table}]]", f"host = {_string(ip)}", f"port = {port}"]
    for table, name in (("vnet_client", "vm"), ("internet_client", "runner")):
        host = hosts[name]
        lines += [
            "",
            f"[{table}]",
            f"command = {_strings(_command_at(folder, f'host/{name}'))}",
            f"addresses = {_strings([one for one in (host.ip, host.ip6) if one])}",
        ]
    lines += [
        "",
        "[address_plan]",
        f"node_subnets = {_strings(_both(spec, spec.node_subnet, spec.node_subnet6))}",
        f"vnet = {_strings(_both(spec, spec.vnet_cidr, spec.vnet_cidr6))}",
    ]
    if spec.mode == "pod-subnet":
        lines.append(f"pod_subnets = {_strings([spec.pod_subnet])}")
    if spec.stub_servers:
        lines += [
            "",
            "[[stub_domains]]",
            f"zone = {_string(spec.stub_zone)}",
            f"name = {_string(spec.stub_host)}",
            f"addresses = {_strings([hosts['on-prem'].ip])}",
        ]
    for endpoint in spec.private_endpoints:
        lines += [
            "",
            "[[private_names]]",
            f"name = {_string(endpoint.fqdn)}",
            "port = 443",
            f"addresses = {_strings([endpoint.ip])}",
        ]
    lines += _azure_profile(spec)
    return _write(folder / SITE, "\n".join(lines) + "\n")


def _azure_profile(spec: LabSpec) -> list[str]:
    """What the cluster should be like in Azure: what this lab was made as."""
    surge, unavailable = SURGE
    private = spec.private_api is not None
    lines = [
        "",
        "[azure_profile]",
        f"outbound_type = {_string(OUTBOUND_TYPES[spec.options.egress])}",
        f"network_policy = {_string(spec.engine)}",
        f"data_plane = {_string('cilium' if spec.engine == 'cilium' else 'azure')}",
        'load_balancer_sku = "standard"',
        f"private_cluster = {'true' if private else 'false'}",
        *([] if private else [f"authorized_ranges = {_strings(authorized_at_first(spec))}"]),
    ]
    for pool in spec.options.pools:
        lines += [
            "",
            f"[azure_profile.pools.{pool.name}]",
            f"vm_size = {_string(pool.size)}",
            f"max_surge = {_string(surge)}",
            f"max_unavailable = {_string(unavailable)}",
            f"subnet = {_string(NODE_SUBNET)}",
        ]
    return lines


def _command_at(folder: Path, place: str) -> list[str]:
    """An argv that runs a line of shell, which is added to it, at a place of the lab."""
    lab = [sys.executable, "-m", "pytest_aksnet.lab", "exec", "--kubeconfig"]
    return [*lab, str(folder / KUBECONFIG), place, "--", "sh", "-c"]


def _both(spec: LabSpec, four: str, six: str) -> list[str]:
    return [four, six] if spec.dual_stack else [four]


def _string(text: str) -> str:
    return json.dumps(text)  # a JSON string of ASCII is a TOML basic string


def _strings(texts: list[str]) -> str:
    return "[" + ", ".join(_string(text) for text in texts) + "]"


def _write(path: Path, text: str) -> Path:
    path.touch(mode=0o600)
    path.write_text(text, encoding="utf-8")
    return path
