"""--aksnet-policies and --aksnet-policy-pods on the lab: right policies pass, misread ones fail."""

import json
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.suite_run import SuiteRun, run_suites
from tests.lab.running_lab import RunningLab, start_lab

POLICIES = """
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: web, namespace: shop}
spec:
  podSelector: {matchLabels: {app: web}}
  ingress:
  - from:
    - podSelector: {matchLabels: {app: gate}}
    - namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: monitoring}}
      podSelector: {matchExpressions: [{key: role, operator: In, values: [scraper, prober]}]}
    ports: [{port: http}, {port: 9000, endPort: 9010}]
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: deny, namespace: shop}
spec: {podSelector: {}, policyTypes: [Ingress]}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: way-out, namespace: pay}
spec:
  podSelector: {}
  policyTypes: [Egress]
  egress:
  - to: [{namespaceSelector: {matchLabels: {team: shop}}}]
    ports: [{port: 443}]
  - to: [{ipBlock: {cidr: 10.0.0.0/8, except: [10.244.0.0/16]}}]
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop}
spec:
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: c, ports: [{name: http, containerPort: 80}]}]}
"""
WORKLOADS = """
apiVersion: v1
kind: Namespace
metadata: {name: shop}
---
apiVersion: v1
kind: Pod
metadata: {name: web, namespace: shop, labels: {app: web}}
spec:
  containers:
  - name: c
    image: nicolaka/netshoot:v0.13
    command: [python3, -m, http.server, "8080"]
    ports: [{name: http, containerPort: 8080}, {containerPort: 9090}]
---
apiVersion: v1
kind: Pod
metadata: {name: gate, namespace: shop, labels: {app: gate}}
spec:
  containers:
  - name: c
    image: nicolaka/netshoot:v0.13
    command: [python3, -m, http.server, "8080"]
    ports: [{containerPort: 8080}]
---
apiVersion: v1
kind: Pod
metadata: {name: stranger, namespace: shop}
spec: {containers: [{name: c, image: "nicolaka/netshoot:v0.13", command: [sleep, infinity]}]}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: web, namespace: shop}
spec:
  podSelector: {matchLabels: {app: web}}
  ingress: [{from: [{podSelector: {matchLabels: {app: gate}}}], ports: [{port: http}]}]
"""
SECONDS_TO_START = 40.0
PODS = [f"--aksnet-policy-pods=shop/{choice}" for choice in ("web", "app=gate", "stranger")]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    policies = tmp_path / "policies"
    policies.mkdir()
    (policies / "shop.yaml").write_text(POLICIES, "utf-8")
    return policies


def outcomes(run: SuiteRun) -> dict[str, str]:
    return {check["nodeid"].partition("::")[2]: check["outcome"] for check in run.results["checks"]}


def prove(folder: Path, report: Path, *arguments: str) -> SuiteRun:
    report.mkdir()
    return run_suites(report, "-n0", f"--aksnet-policies={folder}", *arguments, suites=())


@pytest.mark.parametrize("engine", ["calico", pytest.param("cilium", marks=pytest.mark.thorough)])
def test_right_policies_pass_and_say_what_was_not_looked_at(
    folder: Path, tmp_path: Path, engine: str
) -> None:
    run = prove(folder, tmp_path / "report", f"--aksnet-lab=overlay:{engine}")
    assert run.exit_code == 0, run.terminal
    assert outcomes(run) == dict.fromkeys(
        ("policy[shop/web]", "policy[shop/deny]", "policy[pay/way-out]"), "passed"
    )
    assert "3 NetworkPolicies in 1 file; as context 0 Namespaces, 1 workload" in run.terminal
    warnings = {check["nodeid"]: check["warnings"] for check in run.results["checks"]}
    said = " ".join(text for listed in warnings.values() for text in listed)
    assert "80 is 10080" in said
    assert "addresses outside of the cluster are not looked at" in said


def test_a_node_that_enforces_nothing_fails_the_policies_and_names_cells(
    folder: Path, tmp_path: Path
) -> None:
    fault = "policy-not-enforced-on-node@aks-user-31337042-vmss000000"
    run = prove(
        folder, tmp_path / "report", "--aksnet-lab=overlay:calico", f"--aksnet-lab-fault={fault}"
    )
    assert run.exit_code == 1, run.terminal
    assert "failed" in outcomes(run).values()
    failed = [check for check in run.results["checks"] if check["outcome"] == "failed"]
    assert all("should be closed and is open" in check["reason"] for check in failed)


@pytest.mark.thorough
def test_a_range_that_ends_too_early_fails_the_one_policy_that_has_it(
    folder: Path, tmp_path: Path
) -> None:
    faults = [
        f"--aksnet-lab-fault=policy-end-port-off-by-one@{node}"
        for node in ("aks-user-31337042-vmss000000", "aks-user-31337042-vmss000001")
    ]
    faults.append("--aksnet-lab-fault=policy-end-port-off-by-one@aks-system-26541870-vmss000000")
    run = prove(folder, tmp_path / "report", "--aksnet-lab=overlay:calico", *faults)
    assert outcomes(run)["policy[shop/web]"] == "failed", run.terminal
    assert outcomes(run)["policy[pay/way-out]"] == "passed", run.terminal
    assert "TCP 19010: should be open and is closed" in run.terminal


@pytest.fixture
def lab() -> Iterator[RunningLab]:
    running = start_lab()
    yield running
    running.end()


def kubectl(lab: RunningLab, *arguments: str, stdin: str = "") -> str:
    return subprocess.run(
        ["kubectl", f"--kubeconfig={lab.kubeconfig}", *arguments],
        input=stdin,
        check=True,
        capture_output=True,
        text=True,
        timeout=30,
    ).stdout


def everything(lab: RunningLab) -> dict[str, str]:
    """Names and versions of what a run could create or change."""
    found = {}
    for kind in ("namespaces", "pods", "networkpolicies", "leases"):
        listed = json.loads(kubectl(lab, "get", kind, "-A", "-o", "json"))["items"]
        for one in listed:
            metadata = one["metadata"]
            key = f"{kind} {metadata.get('namespace', '')}/{metadata['name']}"
            if "kube-" not in key:  # leases of nodes and controllers are renewed all the time
                found[key] = metadata["uid"] + str(metadata.get("labels"))
    return found


def run_pods(lab: RunningLab, report: Path) -> SuiteRun:
    report.mkdir()
    return run_suites(report, "-n0", f"--aksnet-kubeconfig={lab.kubeconfig}", *PODS, suites=())


def test_running_pods_are_proved_without_changing_anything(lab: RunningLab, tmp_path: Path) -> None:
    kubectl(lab, "apply", "-f", "-", stdin=WORKLOADS)
    deadline = time.monotonic() + SECONDS_TO_START
    while kubectl(lab, "get", "pods", "-n", "shop").count("1/1") < 3:
        assert time.monotonic() < deadline
        time.sleep(0.2)
    before = everything(lab)
    run = run_pods(lab, tmp_path / "healthy")
    assert run.exit_code == 0, run.terminal
    assert outcomes(run) == dict.fromkeys(
        ("pod[shop/web]", "pod[shop/gate]", "pod[shop/stranger]"), "passed"
    )
    assert everything(lab) == before
    warnings = " ".join(text for check in run.results["checks"] for text in check["warnings"])
    assert "nobody listens there: shop/gate to shop/web at TCP 9090" in warnings

    node = kubectl(lab, "get", "pod", "-n", "shop", "web", "-o", "jsonpath={.spec.nodeName}")
    lab.tool("fault", "inject", f"policy-not-enforced-on-node@{node}")
    broken = run_pods(lab, tmp_path / "broken")
    assert outcomes(broken)["pod[shop/stranger]"] == "failed", broken.terminal
    assert outcomes(broken)["pod[shop/gate]"] == "passed", broken.terminal
    assert "shop/stranger to shop/web at TCP 8080: should be closed and is open" in broken.terminal
