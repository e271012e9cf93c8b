"""The verb about what azure-ip-masq-agent is told to leave alone."""

import ipaddress
from collections.abc import Iterable

import yaml

from pytest_aksnet.assertions.azure import require_azure
from pytest_aksnet.assertions.looker import Reader
from pytest_aksnet.check_facts import judge_facts
from pytest_aksnet.expectations.egress_masquerade import MODES, judge_ranges
from pytest_aksnet.model.api import Json
from pytest_aksnet.model.errors import FactUnknown, NotApplicable, OutputUnparsable
from pytest_aksnet.model.observation import FactSheet
from pytest_aksnet.model.profile import Network

_SYSTEM = "/api/v1/namespaces/kube-system"
_OF_AKS = "azure-ip-masq-agent-config-reconciled"
_OF_THE_USER = "azure-ip-masq-agent-config"
_CONFIG_MAPS = (_OF_AKS, _OF_THE_USER)
_BY_HAND = ("kubectl", "-n", "kube-system", "get", "configmap", _OF_AKS, _OF_THE_USER, "-o", "yaml")


class MasqueradeVerbs(Reader):
    """What `Inventory` says of masquerade."""

    def assert_masquerade_ranges(self) -> FactSheet:
        """nonMasqueradeCIDRs of azure-ip-masq-agent are those that the network mode needs.

        Raises NotApplicable where no such agent's rules count: outside AKS, in modes without it,
        with eBPF host routing; FactUnknown where its ConfigMaps are not there.
        """
        engine, profile = self._engine, self._engine.profile
        mode = self._mode_with_agent()
        maps = {name: engine.api.get(f"{_SYSTEM}/configmaps/{name}") for name in _CONFIG_MAPS}
        found = {name: read for name, read in maps.items() if read is not None}
        if not found:
            raise FactUnknown(
                f"neither ConfigMap {_OF_AKS} nor {_OF_THE_USER} is in kube-system, so what the "
                "agent leaves alone is not known"
            )
        ranges = [one for name, read in found.items() for one in read_ranges(name, read)]
        nodes = {ip: f"node {node.name}" for node in engine.view.nodes() for ip in node.addresses}
        verdict = judge_ranges(
            mode,
            ranges,
            pods=_pod_addresses(engine.api.items(f"{_SYSTEM}/pods")),
            nodes=nodes,
            inside=self._hosts_outside(mode),
            leftover=_OF_THE_USER in found,
        )
        sheet = FactSheet(
            what="nonMasqueradeCIDRs of azure-ip-masq-agent",
            source=f"ConfigMaps in kube-system: {', '.join(found)}",
            facts={"mode": profile.need("mode"), "ranges": ", ".join(map(str, ranges))},
        )
        return judge_facts(engine, sheet, verdict, by_hand=_BY_HAND)

    def _mode_with_agent(self) -> str:
        profile = self._engine.profile
        require_azure(self._engine, "only AKS has azure-ip-masq-agent")
        mode = profile.need("mode")
        if mode not in MODES:
            raise NotApplicable(f"no azure-ip-masq-agent runs in network mode {mode}")
        if profile.get("ebpf-host-routing") == "yes":
            raise NotApplicable(
                "eBPF routes past the nodes' iptables "
                f"({profile.facts['ebpf-host-routing'].source}), so the agent's rules say nothing"
            )
        return mode

    def _hosts_outside(self, mode: str) -> dict[str, str]:
        """Hosts outside the cluster by their addresses, where the site file names some.

        In node-subnet mode those of the VNet alone: a list may name more on purpose there.
        """
        site = self._engine.site
        hosts = [site.vnet_vm]
        if mode != "node-subnet":
            hosts += [site.peered_vm, site.on_prem]
        found = {}
        for host in hosts:
            try:
                if host is not None:
                    found[str(ipaddress.ip_address(host.host))] = host.what
            except ValueError:
                continue  # a name
        return found


def read_ranges(name: str, config_map: Json) -> list[Network]:
    """nonMasqueradeCIDRs of the files that the agent reads in a ConfigMap: ip-masq*.

    Keys are read without regard to case, as AKS writes them either way. Raises OutputUnparsable.
    """
    ranges: list[Network] = []
    for key, text in (config_map.get("data") or {}).items():
        if not key.startswith("ip-masq"):
            continue
        try:
            document = yaml.safe_load(text) or {}
            fields = {str(field).lower(): value for field, value in document.items()}
            listed = fields.get("nonmasqueradecidrs") or []
            ranges += [ipaddress.ip_network(str(one)) for one in listed]
        except (yaml.YAMLError, AttributeError, TypeError, ValueError) as error:
            raise OutputUnparsable(
                f"ConfigMap {name}: {key} cannot be read: {error}", raw=str(text)
            ) from error
    return ranges


def _pod_addresses(pods: Iterable[Json]) -> dict[str, str]:
    """The pods with addresses of their own."""
    found = {}
    for pod in pods:
        if (pod.get("spec") or {}).get("hostNetwork"):
            continue
        for address in (pod.get("status") or {}).get("podIPs") or ():
            found[str(address["ip"])] = f"pod kube-system/{pod['metadata']['name']}"
    return found
