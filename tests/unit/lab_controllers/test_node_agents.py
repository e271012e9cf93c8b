"""Which DaemonSets and settings of the network a cluster of each kind has."""

import pytest
import yaml

from pytest_aksnet.lab.api.resources import CONFIG_MAPS, DAEMON_SETS, DEPLOYMENTS, NAMESPACES
from pytest_aksnet.lab.api.store import Store
from pytest_aksnet.lab.controllers.node_agents import (
    CALICO_NAMESPACE,
    agents,
    create_agents,
    masquerade_config,
)
from pytest_aksnet.lab.layout import make_spec
from pytest_aksnet.lab.options import LabOptions


@pytest.mark.parametrize(
    ("mode", "engine", "expected"),
    [
        ("kubenet", "none", {"azure-ip-masq-agent", "kube-proxy"}),
        ("kubenet", "calico", {"azure-ip-masq-agent", "kube-proxy", "calico-node"}),
        ("node-subnet", "azure", {"azure-ip-masq-agent", "kube-proxy", "azure-npm"}),
        ("node-subnet", "cilium", {"azure-ip-masq-agent", "azure-cns", "cilium"}),
        ("overlay", "none", {"azure-ip-masq-agent", "azure-cns", "kube-proxy"}),
        ("overlay", "cilium", {"azure-ip-masq-agent", "azure-cns", "cilium"}),
        ("pod-subnet", "calico", {"azure-cns", "kube-proxy", "calico-node"}),
        ("pod-subnet", "azure", {"azure-cns", "kube-proxy", "azure-npm"}),
        ("pod-subnet", "cilium", {"azure-cns", "cilium"}),
    ],
)
def test_the_daemon_sets_of_modes_and_engines(mode: str, engine: str, expected: set[str]) -> None:
    found = agents(make_spec(LabOptions(mode=mode, engine=engine)))
    assert {agent.name for agent in found} == expected


def test_kube_proxy_names_its_mode_only_where_it_is_not_the_default() -> None:
    for proxy, named in (("iptables", False), ("nftables", True)):
        spec = make_spec(LabOptions(service_proxy=proxy, dual_stack=True))
        (found,) = (agent for agent in agents(spec) if agent.name == "kube-proxy")
        assert (f"--proxy-mode={proxy}" in found.command) == named
        assert f"--cluster-cidr={spec.pod_cidr},{spec.pod_cidr6}" in found.command


def test_settings_are_there_with_what_they_belong_to() -> None:
    for engine, expected in (("cilium", "cilium-config"), ("azure", "azure-npm-config")):
        spec = make_spec(LabOptions(mode="pod-subnet", engine=engine))
        store = Store(spec)
        for name in ("kube-system", CALICO_NAMESPACE):
            store.create(NAMESPACES, {"metadata": {"name": name}})
        create_agents(store, spec)
        found = {one.value["metadata"]["name"] for one in store.revisions(CONFIG_MAPS)}
        assert expected in found
        assert "azure-ip-masq-agent-config-reconciled" not in found
        assert len(store.revisions(DAEMON_SETS)) == len(agents(spec))
        assert len(store.revisions(DEPLOYMENTS)) == (engine == "cilium")


def test_the_masquerade_configuration_has_the_keys_that_aks_writes() -> None:
    (text,) = masquerade_config(("10.244.0.0/16", "fd00::/48"))["data"].values()
    assert yaml.safe_load(text) == {
        "NonMasqueradeCIDRs": ["10.244.0.0/16", "fd00::/48"],
        "MasqLinkLocal": True,
        "MasqLinkLocalIPv6": True,
    }
    (empty,) = masquerade_config(())["data"].values()
    assert yaml.safe_load(empty)["NonMasqueradeCIDRs"] == []
