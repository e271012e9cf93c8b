"""What stands against an upgrade: dates, versions, workloads, policies and leftovers."""

import datetime
import ipaddress
from typing import Any

import pytest

from pytest_aksnet.expectations import upgrade_retirements as retirements
from pytest_aksnet.expectations import upgrade_workloads as workloads
from pytest_aksnet.expectations.masquerade_config import ranges_of
from pytest_aksnet.expectations.upgrade_leftovers import judge_deprecated_apis, judge_leftovers
from pytest_aksnet.expectations.upgrade_policies import (
    judge_cilium_meaning,
    judge_local_dns,
    without_local_dns,
)
from pytest_aksnet.expectations.upgrade_ports import judge_snat_ports, ports_by_size
from pytest_aksnet.expectations.upgrade_versions import (
    judge_pairs,
    judge_skew,
    judge_supported,
    minor_of,
    version_in,
)
from pytest_aksnet.expectations.upgrade_workloads import Budget, Webhook
from pytest_aksnet.model.errors import FactUnknown
from pytest_aksnet.model.observation import DeprecatedApi
from pytest_aksnet.model.verdict import Outcome, Verdict

TODAY = datetime.date(2026, 11, 21)


def outcome(verdict: Verdict) -> str:
    return "warn" if verdict.warning and verdict.outcome is Outcome.PASS else verdict.outcome.value


@pytest.mark.parametrize(
    ("image", "today", "expected"),
    [
        ("Ubuntu 24.04.3 LTS", TODAY, "pass"),
        ("Microsoft Azure Linux 3.0", TODAY, "pass"),
        ("CBL-Mariner/Linux", TODAY, "fail"),
        ("CBL-Mariner/Linux", datetime.date(2025, 11, 30), "warn"),
        ("Ubuntu 22.04.5 LTS", TODAY, "warn"),
        ("Ubuntu 22.04.5 LTS", datetime.date(2027, 7, 1), "fail"),
        ("Windows Server 2019 Datacenter", TODAY, "fail"),
        ("Windows Server 2022 Datacenter", TODAY, "pass"),
        ("Flatcar Container Linux by Kinvolk 4081.2.0", TODAY, "fail"),
    ],
)
def test_images_of_nodes_retire(image: str, today: datetime.date, expected: str) -> None:
    found = retirements.retirements_of_images({"n1": image})
    assert outcome(retirements.judge_retirements(found, today)) == expected


def test_what_ends_later_than_a_year_is_told_without_a_warning() -> None:
    verdict = retirements.judge_retirements({"mode": retirements.KUBENET}, TODAY)
    assert outcome(verdict) == "pass"
    assert "2028-03-31 the network plugin kubenet" in verdict.sentence


@pytest.mark.parametrize(
    ("version", "today", "plan", "expected"),
    [
        ("v1.34.2", TODAY, "", "warn"),
        ("v1.34.2", datetime.date(2026, 12, 1), "", "fail"),
        ("v1.34.2", datetime.date(2026, 12, 1), "AKSLongTermSupport", "pass"),
        ("v1.35.0", TODAY, "", "pass"),
        ("v1.33.5", TODAY, "", "fail"),
        ("v1.33.5", TODAY, "AKSLongTermSupport", "pass"),
        ("v1.40.0", TODAY, "", "pass"),
    ],
)
def test_versions_end(version: str, today: datetime.date, plan: str, expected: str) -> None:
    assert outcome(judge_supported(version, today, plan=plan)) == expected


@pytest.mark.parametrize(
    ("kubelet", "expected"),
    [
        ("v1.34.0", "pass"),
        ("v1.31.9", "warn"),
        ("v1.30.9", "fail"),
        ("v1.35.0", "fail"),
    ],
)
def test_kubelets_may_be_three_minors_older(kubelet: str, expected: str) -> None:
    assert outcome(judge_skew("v1.34.2", {"a": "v1.34.2", "b": kubelet})) == expected


@pytest.mark.parametrize(
    ("version", "proxy", "engine", "cilium", "expected"),
    [
        ("v1.34.2", "iptables", "azure", "", "pass"),
        ("v1.34.2", "ipvs", "azure", "", "fail"),
        ("v1.34.2", "ipvs", "calico", "", "pass"),
        ("v1.32.0", "nftables", "calico", "", "fail"),
        ("v1.33.0", "nftables", "calico", "", "pass"),
        ("v1.34.2", "none", "cilium", "mcr.microsoft.com/cilium/cilium:v1.18.6-251", "pass"),
        ("v1.34.2", "none", "cilium", "mcr.microsoft.com/cilium/cilium:v1.17.9", "fail"),
    ],
)
def test_parts_go_together(
    version: str, proxy: str, engine: str, cilium: str, expected: str
) -> None:
    judged = judge_pairs(
        version, proxy=proxy, engines=frozenset({engine}), cilium=cilium, is_aks=True
    )
    assert outcome(judged) == expected


def test_what_is_no_version_is_not_judged() -> None:
    with pytest.raises(FactUnknown, match="kubernetes-version"):
        minor_of("latest")
    assert version_in("registry:5000/cilium") is None
    assert version_in("x/cilium:v1.18.6@sha256:12") == (1, 18, 6)
    with pytest.raises(FactUnknown, match="no version in its tag"):
        judge_pairs(
            "v1.34.2", proxy="", engines=frozenset(), cilium="x/cilium@sha256:1", is_aks=True
        )


def budget(pods: int, allowed: int) -> Budget:
    return Budget(name="ns/b", pods=pods, allowed=allowed, healthy=pods, wanted=pods)


def test_a_budget_that_covers_pods_and_lets_none_go_blocks() -> None:
    assert outcome(workloads.judge_budgets([budget(2, 0)])) == "fail"
    assert outcome(workloads.judge_budgets([budget(2, 1), budget(0, 0)])) == "pass"


def webhook(ready: int, *, closed: bool = True) -> Webhook:
    return Webhook(name="w", service="ns/s", fails_closed=closed, ready=ready)


def test_a_webhook_that_fails_closed_needs_an_answer() -> None:
    assert outcome(workloads.judge_webhooks([webhook(0)])) == "fail"
    assert outcome(workloads.judge_webhooks([webhook(0, closed=False)])) == "pass"
    assert outcome(workloads.judge_webhooks([webhook(1)])) == "warn"
    assert outcome(workloads.judge_webhooks([webhook(2)])) == "pass"


def test_dns_needs_two_replicas_better_on_two_nodes() -> None:
    assert outcome(workloads.judge_dns_replicas(2, {"a": 1, "b": 1}, 3)) == "pass"
    assert outcome(workloads.judge_dns_replicas(2, {"a": 2}, 3)) == "warn"
    assert outcome(workloads.judge_dns_replicas(2, {"a": 2}, 1)) == "pass"
    assert outcome(workloads.judge_dns_replicas(2, {"a": 1}, 3)) == "fail"


def test_lone_pods_and_mixed_pools() -> None:
    assert outcome(workloads.judge_lone_pods({"ns/s": ["ns/p"]}, [])) == "fail"
    assert outcome(workloads.judge_lone_pods({}, ["ns/p"])) == "warn"
    assert outcome(workloads.judge_pool_images({"p": {"1.34": ["a"], "1.33": ["b"]}})) == "fail"
    assert outcome(workloads.judge_pool_images({"p": {"1.34": ["a", "b"]}})) == "pass"


def policy(*egress: dict[str, Any], namespace: str = "shop", name: str = "p") -> dict[str, Any]:
    return {
        "metadata": {"namespace": namespace, "name": name},
        "spec": {"podSelector": {}, "policyTypes": ["Egress"], "egress": list(egress)},
    }


DNS = [{"port": 53, "protocol": "UDP"}, {"port": 53, "protocol": "TCP"}]
COREDNS = {"podSelector": {"matchLabels": {"k8s-app": "kube-dns"}}}
LOCAL = {"ipBlock": {"cidr": "169.254.10.0/24"}}


@pytest.mark.parametrize(
    ("egress", "found"),
    [
        ([{"to": [COREDNS], "ports": DNS}], True),
        ([{"to": [COREDNS, LOCAL], "ports": DNS}], False),
        ([{"to": [COREDNS], "ports": DNS}, {"to": [LOCAL]}], False),
        ([{"ports": DNS}], False),
        ([{"to": [{"ipBlock": {"cidr": "0.0.0.0/0"}}], "ports": DNS}], False),
        (
            [
                {
                    "to": [{"ipBlock": {"cidr": "0.0.0.0/0", "except": ["169.254.0.0/16"]}}],
                    "ports": DNS,
                }
            ],
            True,
        ),
        ([{"to": [COREDNS], "ports": [{"port": 443}]}], False),
        ([], False),
    ],
)
def test_policies_that_forget_local_dns(egress: list[dict[str, Any]], found: bool) -> None:
    assert bool(without_local_dns([policy(*egress)])) == found


def test_a_second_policy_for_the_same_pods_may_allow_it() -> None:
    first = policy({"to": [COREDNS], "ports": DNS})
    second = policy({"to": [LOCAL], "ports": DNS}, name="q")
    elsewhere = policy({"to": [LOCAL], "ports": DNS}, namespace="other")
    assert without_local_dns([first, second]) == []
    assert without_local_dns([first, elsewhere]) == ["shop/p"]


@pytest.mark.parametrize(
    ("state", "engine", "version", "expected"),
    [
        ("on", "calico", (1, 34), "fail"),
        ("some", "cilium", (1, 36), "fail"),
        ("off", "azure", (1, 34), "warn"),
        ("off", "calico", (1, 34), "pass"),
    ],
)
def test_local_dns_matters_where_it_is_or_comes(
    state: str, engine: str, version: tuple[int, int], expected: str
) -> None:
    judged = judge_local_dns(["shop/p"], state=state, engine=engine, version=version)
    assert outcome(judged) == expected


@pytest.mark.parametrize(
    ("cidr", "expected"),
    [
        ("10.224.0.4/32", "fail"),
        ("10.244.3.0/24", "fail"),
        ("0.0.0.0/0", "warn"),
        ("203.0.113.0/24", "pass"),
        ("fd00::/64", "pass"),
    ],
)
def test_blocks_that_name_pods_or_nodes(cidr: str, expected: str) -> None:
    own = [ipaddress.ip_network("10.224.0.0/16"), ipaddress.ip_network("10.244.0.0/16")]
    found = policy({"to": [{"ipBlock": {"cidr": cidr}}]})
    assert outcome(judge_cilium_meaning([found], own, engine="azure")) == expected


POD_RANGE = [ipaddress.ip_network("10.244.0.0/16")]


@pytest.mark.parametrize(
    ("daemon_sets", "mode", "masquerade", "expected"),
    [
        (["calico-node", "kube-proxy"], "overlay", None, "pass"),
        (["calico-node", "azure-npm"], "overlay", None, "fail"),
        (["cilium", "kube-proxy"], "overlay", None, "fail"),
        (["cilium"], "overlay", "10.244.0.0/16", "warn"),
        (["cilium"], "overlay", "10.0.0.0/8", "fail"),
        (["kube-proxy"], "kubenet", "10.0.0.0/8", "warn"),
    ],
)
def test_what_is_left_over(
    daemon_sets: list[str], mode: str, masquerade: str | None, expected: str
) -> None:
    judged = judge_leftovers(
        {name: f"kube-system/{name}" for name in daemon_sets},
        mode=mode,
        pod_ranges=POD_RANGE,
        masquerade=None if masquerade is None else [ipaddress.ip_network(masquerade)],
    )
    assert outcome(judged) == expected


def test_masquerade_lists_are_read_in_every_spelling() -> None:
    block = "nonMasqueradeCIDRs:\n  - 10.244.0.0/16\n  - fd00::/64\nmasqLinkLocal: true\n"
    flow = '{"NonMasqueradeCIDRs": ["10.1.0.0/16", "10.2.0.0/16"]}'
    assert [str(one) for one in ranges_of({"ip-masq-agent": block, "other": flow})] == [
        "10.244.0.0/16",
        "fd00::/64",
    ]
    assert [str(one) for one in ranges_of({"ip-masq-x": flow})] == ["10.1.0.0/16", "10.2.0.0/16"]
    assert ranges_of({"ip-masq-agent": "nonMasqueradeCIDRs: []\nmasqLinkLocal: true"}) == ()


@pytest.mark.parametrize(
    ("removed", "expected"), [("1.35", "fail"), ("1.37", "warn"), ("", "warn")]
)
def test_apis_that_the_next_version_does_not_serve(removed: str, expected: str) -> None:
    asked = DeprecatedApi(group="g", version="v1beta1", resource="r", removed_release=removed)
    assert outcome(judge_deprecated_apis([asked], "v1.34.2")) == expected
    assert outcome(judge_deprecated_apis([], "v1.34.2")) == "pass"


@pytest.mark.parametrize(
    ("nodes", "surge", "outbound", "ports", "addresses", "expected"),
    [
        (3, 2, None, None, None, "pass"),
        (50, 1, "loadBalancer", 0, 1, "fail"),
        (50, 1, "managedNATGateway", None, 2, "pass"),
        (60, 30, "loadBalancer", 0, 1, "pass"),
        (3, 2, "loadBalancer", 21328, 1, "fail"),
        (3, 2, "loadBalancer", 12800, 1, "pass"),
        (3, 2, "loadBalancer", 21328, 2, "pass"),
    ],
)
def test_snat_ports_during_an_upgrade(
    nodes: int,
    surge: int,
    outbound: str | None,
    ports: int | None,
    addresses: int | None,
    expected: str,
) -> None:
    judged = judge_snat_ports(
        nodes, surge, outbound_type=outbound, ports=ports, addresses=addresses
    )
    assert outcome(judged) == expected
    assert [ports_by_size(size) for size in (50, 51, 1000, 1001)] == [1024, 512, 32, 0]


def test_what_is_not_known_of_snat_ports_matters_at_a_boundary_only() -> None:
    with pytest.raises(FactUnknown, match="outbound-type"):
        judge_snat_ports(50, 1, outbound_type=None, ports=None, addresses=None)
    with pytest.raises(FactUnknown, match="outbound addresses"):
        judge_snat_ports(3, 1, outbound_type="loadBalancer", ports=8, addresses=None)


def test_named_ports_are_a_warning() -> None:
    named = policy({"ports": [{"port": "web", "protocol": "TCP"}]})
    judged = judge_cilium_meaning([named], [], engine="azure")
    assert (judged.outcome, "cilium/cilium#30003" in judged.warning) == (Outcome.PASS, True)
