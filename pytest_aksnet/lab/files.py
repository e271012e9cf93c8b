"""The two files by which a lab is found: a kubeconfig, and the site file of pytest-aksnet."""

import base64
import json
from pathlib import Path

import yaml

from pytest_aksnet.lab.spec import CLUSTER_NAME, LabSpec

KUBECONFIG = "kubeconfig"
SITE = "aksnet.toml"
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


def write_site(folder: Path, spec: LabSpec) -> Path:
    """Write what is true for this site: what a user of a real cluster would write by hand.

    A cluster without a way out names no host on the internet: none can be reached.
    """
    hosts = {host.name: host for host in spec.hosts}
    external = sorted(spec.public_names)
    lines = [
        f"external_names = {_strings(external)}",
        f"egress_ips = {_strings([spec.egress_ip] if spec.egress_ip else [])}",
    ]
    if not spec.egress_ip:
        lines.append('outbound = "none"')
    servers = [host.ip for host in spec.hosts if host.role == "dns"]
    if servers:
        lines.append(f"dns_servers = {_strings(servers)}")
    reachable = [("vnet_vm", "vm"), ("peered_vm", "peered-vm"), ("on_prem", "on-prem")]
    if spec.egress_ip:
        reachable.append(("internet", "internet"))
    for table, name in reachable:
        host = hosts[name]
        lines += ["", f"[{table}]", f"host = {_string(host.ip)}", f"port = {host.http_ports[0]}"]
    for endpoint in spec.private_endpoints:
        lines += [
            "",
            "[[private_names]]",
            f"name = {_string(endpoint.fqdn)}",
            "port = 443",
            f"addresses = {_strings([endpoint.ip])}",
        ]
    return _write(folder / SITE, "\n".join(lines) + "\n")


def _string(text: str) -> str:
    return json.dumps(text)  # a JSON string of ASCII is a TOML basic string


def _strings(texts: list[str]) -> str:
    return "[" + ", ".join(_string(text) for text in texts) + "]"


def _write(path: Path, text: str) -> Path:
    path.touch(mode=0o600)
    path.write_text(text, encoding="utf-8")
    return path
