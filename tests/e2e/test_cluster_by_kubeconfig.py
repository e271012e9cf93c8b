"""The suites on a cluster that a kubeconfig names: a lab that the plugin does not know as one.

With AKSNET_LIVE_KUBECONFIG they also run on a live cluster, whatever it is, from two nodes on.
"""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pytest_aksnet.catalogue import read_entries
from tests.e2e.suite_run import CHECKOUT, SuiteRun, run_suites
from tests.lab.running_lab import RunningLab, start_lab

# What no cluster shows by itself: only the site file can say it.
NEEDS_A_SITE_FILE = {
    "egress.address-over-udp",
    "egress.address-promised",
    "egress.idle-connection",
    "egress.node-source-at-internet",
    "egress.node-source-inside",
    "egress.reachable",
    "egress.snat-burst",
    "egress.source-at-internet",
    "egress.source-at-on-prem",
    "egress.source-at-peered-vm",
    "egress.source-at-vm",
    "egress.unreachable",
    "private-link.certificates",
    "private-link.connects",
    "private-link.nodes-connect",
    "private-link.nodes-resolve",
    "private-link.pods-agree",
    "private-link.replicas-agree",
    "private-link.resolves-private",
}
# What is known of AKS, and of others only by an option.
ONLY_AKS = {
    "dns.external-names",
    "dns.external-names-tcp",
    "dns.unknown-external",
    "egress.required-from-nodes",
    "egress.required-from-pods",
    "egress.tls-not-intercepted",
    "pod-network.addresses-in-range",
}
# What does not concern a lab of the default kind, by the facts that a cluster shows.
NOT_CONCERNED = {
    "dns.api-server-name",
    "dns.custom-corefile",
    "dns.custom-servers-agree",
    "dns.dual-stack-service",
    "dns.local-dns",
    "dns.stub-domains",
    "egress.ipv6-way-out",
    "egress.no-way-out",
    "pod-network.addresses-given-again",
    "pod-network.ipv6-mesh",
    "pod-network.ipv6-path-mtu",
    "pod-network.ipv6-source-kept",
    "private-link.api-server",
    "private-link.vnet-servers-agree",
    "traffic-policy.dual-stack",
    "traffic-policy.traffic-distribution",
}
# And of others than AKS: what only Azure has or promises.
NOT_OF_OTHERS = {
    "accelerated-networking.same-driver",
    "accelerated-networking.vf-present",
    "accelerated-networking.vf-used",
    "accelerated-networking.vf-used-by-receiver",
    "egress.azure-dns",
    "egress.imds-as-intended",
    "egress.masquerade-ranges",
    "egress.source-at-other-node",
    "egress.source-at-own-node",
    "egress.wireserver",
    "pod-network.host-port",
}
# What a run needs the user's consent for.
NOT_ALLOWED = {"traffic-policy.health-check-nodes", "traffic-policy.health-check-port"}
ENTRIES = {entry.id: entry for entry in read_entries(CHECKOUT / "suites")}
_KNOWN_OF_AKS_ALONE = {"dns.external-names", "egress.required-from-nodes"}
_SIGN_OF_AKS = re.compile(r"azure|^agentpool$|^topology|instance-type|^storage")
SECONDS_TO_START = 30.0
PYTEST = (sys.executable, "-m", "pytest", "-p", "no:cacheprovider")


@pytest.fixture(scope="module")
def lab() -> Iterator[RunningLab]:
    running = start_lab()
    yield running
    running.end()


def kubectl(kubeconfig: Path, *arguments: str) -> str:
    """What kubectl prints."""
    return subprocess.run(
        ["kubectl", f"--kubeconfig={kubeconfig}", *arguments],
        check=True,
        capture_output=True,
        text=True,
        timeout=30,
    ).stdout


def namespaces(kubeconfig: Path) -> list[str]:
    """The namespaces of ours that are in the cluster."""
    selector = "--selector=app.kubernetes.io/managed-by=pytest-aksnet"
    listed = kubectl(kubeconfig, "get", "namespaces", "--output=json", selector)
    return [item["metadata"]["name"] for item in json.loads(listed)["items"]]


def remove_signs_of_aks(kubeconfig: Path) -> None:
    """Take from the cluster's objects what only AKS puts there; the network stays as it is."""
    for node in json.loads(kubectl(kubeconfig, "get", "nodes", "--output=json"))["items"]:
        metadata = node["metadata"]
        ours = [label for label in metadata["labels"] if _SIGN_OF_AKS.search(label)]
        gone = {"metadata": {"labels": dict.fromkeys(ours)}}
        elsewhere = {"spec": {"providerID": f"kind://docker/{metadata['name']}"}}
        change = json.dumps({**gone, **elsewhere})
        kubectl(kubeconfig, "patch", "node", metadata["name"], "--type=merge", f"--patch={change}")
    kubectl(
        kubeconfig,
        *("delete", "--namespace=kube-system", "daemonset/azure-cns"),
        *("daemonset/azure-ip-masq-agent", "configmap/azure-ip-masq-agent-config-reconciled"),
    )


def ids_with(run: SuiteRun, outcome: str) -> set[str]:
    """The ids of the checks that have this outcome with some parameters."""
    return {check["id"] for check in run.results["checks"] if check["outcome"] == outcome}


def all_ids(run: SuiteRun) -> set[str]:
    """The ids of all checks of a run."""
    return {check["id"] for check in run.results["checks"]}


def of_topics(ids: set[str], run: SuiteRun) -> set[str]:
    """Those of the ids that are of the run's topics."""
    topics = {check.partition(".")[0] for check in all_ids(run)}
    return {check for check in ids if check.partition(".")[0] in topics}


def outcomes(run: SuiteRun) -> set[str]:
    """The outcomes that there were."""
    return {check["outcome"] for check in run.results["checks"]}


@pytest.mark.thorough
def test_two_nodes_and_no_site_file_are_enough_for_most_checks(
    lab: RunningLab, tmp_path: Path
) -> None:
    run = run_suites(
        tmp_path,
        f"--aksnet-kubeconfig={lab.kubeconfig}",
        "--aksnet-max-nodes=2",
        "-n2",
        # The world's authorities vouch for no host of a lab.
        "-knot tls_not_intercepted",
        suites=["suites/dns", "suites/pod_network", "suites/egress", "suites/private_link"],
    )
    assert ids_with(run, "inconclusive") == NEEDS_A_SITE_FILE | {"egress.imds-as-intended"}
    assert ids_with(run, "skipped") == of_topics(NOT_CONCERNED, run), run.terminal
    assert outcomes(run) == {"passed", "inconclusive", "skipped"}, run.terminal
    assert all(
        "--aksnet-config" in check["reason"]
        for check in run.results["checks"]
        if check["outcome"] == "inconclusive"
    )
    assert namespaces(lab.kubeconfig) == []


@pytest.mark.thorough
def test_what_only_aks_has_is_unknown_on_another_kubernetes(tmp_path: Path) -> None:
    other = start_lab()
    try:
        remove_signs_of_aks(other.kubeconfig)
        run = run_suites(
            tmp_path,
            f"--aksnet-kubeconfig={other.kubeconfig}",
            "--aksnet-max-nodes=2",
            "-n2",
            "-knot throughput and not pod_like_host",  # sizes have no label here
            suites=[
                *("suites/accelerated_networking", "suites/dns", "suites/egress"),
                *("suites/pod_network", "suites/private_link"),
            ],
        )
    finally:
        other.end()
    assert ids_with(run, "inconclusive") == NEEDS_A_SITE_FILE | ONLY_AKS, run.terminal
    assert ids_with(run, "skipped") == of_topics(NOT_CONCERNED, run) | NOT_OF_OTHERS, run.terminal
    assert outcomes(run) == {"passed", "inconclusive", "skipped"}, run.terminal
    assert all(
        re.search("--aksnet-(config|profile)", check["reason"])
        for check in run.results["checks"]
        if check["outcome"] == "inconclusive"
    ), run.terminal


@pytest.mark.thorough
def test_one_node_skips_what_needs_two_and_says_so(lab: RunningLab, tmp_path: Path) -> None:
    run = run_suites(
        tmp_path,
        f"--aksnet-kubeconfig={lab.kubeconfig}",
        "--aksnet-max-nodes=1",
        suites=["suites/dns", "suites/pod_network", "suites/traffic_policy"],
    )
    skipped = {
        check["id"]: check["reason"]
        for check in run.results["checks"]
        if check["outcome"] == "skipped"
    }
    assert outcomes(run) == {"passed", "skipped"}, run.terminal
    alone = {check for check, reason in skipped.items() if "there is one" in reason}
    assert alone == {id_ for id_ in all_ids(run) if ENTRIES[id_].need.two_nodes} - NOT_ALLOWED
    assert skipped.keys() - alone == of_topics(NOT_CONCERNED, run) | NOT_ALLOWED, run.terminal
    assert all("--aksnet-allow" in skipped[check] for check in NOT_ALLOWED), run.terminal
    assert namespaces(lab.kubeconfig) == []


@pytest.mark.parametrize("workers", [(), ("-n2",)], ids=["alone", "workers"])
def test_an_interrupted_run_leaves_nothing(
    lab: RunningLab, tmp_path: Path, workers: tuple[str, ...]
) -> None:
    run = begin_run(lab, tmp_path, *workers)
    run.send_signal(signal.SIGINT)
    assert run.wait(60) == pytest.ExitCode.INTERRUPTED
    assert namespaces(lab.kubeconfig) == []
    assert (tmp_path / "results.json").exists()


def test_cleanup_removes_at_once_what_a_killed_run_left(lab: RunningLab, tmp_path: Path) -> None:
    run = begin_run(lab, tmp_path)
    run.kill()
    run.wait()
    left = namespaces(lab.kubeconfig)
    assert left
    cleanup = subprocess.run(
        [*PYTEST, "--aksnet-cleanup", f"--aksnet-kubeconfig={lab.kubeconfig}"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    gone = [*left, "lease default/pytest-aksnet"]
    assert sorted(cleanup.stdout.split("\n")[:-1]) == sorted(f"removed {name}" for name in gone)
    assert namespaces(lab.kubeconfig) == []


def begin_run(lab: RunningLab, folder: Path, *arguments: str) -> "subprocess.Popen[bytes]":
    """A run in whose middle we are: it has made a namespace of its own for a check."""
    run = subprocess.Popen(
        [
            *PYTEST,
            str(CHECKOUT / "suites/network_policy/test_default_deny.py"),
            f"--aksnet-kubeconfig={lab.kubeconfig}",
            f"--aksnet-report-dir={folder}",
            *arguments,
        ],
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + SECONDS_TO_START
    while len(namespaces(lab.kubeconfig)) < 2:
        assert run.poll() is None
        assert time.monotonic() < deadline
    return run


@pytest.mark.live
def test_the_suites_end_in_verdicts_on_a_live_cluster(tmp_path: Path) -> None:
    kubeconfig = os.environ.get("AKSNET_LIVE_KUBECONFIG", "")
    if not kubeconfig:
        pytest.skip("AKSNET_LIVE_KUBECONFIG names no cluster")
    image = os.environ.get("AKSNET_LIVE_IMAGE")
    run = run_suites(
        tmp_path,
        f"--aksnet-kubeconfig={Path(kubeconfig).absolute()}",
        *([f"--aksnet-image={image}"] if image else []),
        seconds=1800,
    )
    assert run.results["checks"]
    assert ids_with(run, "error") == set(), run.terminal
    only_aks = [check for check in run.results["checks"] if check["id"] in _KNOWN_OF_AKS_ALONE]
    assert {check["outcome"] for check in only_aks} <= {"inconclusive", "passed"}, run.terminal
    assert all(check["reason"] for check in only_aks if check["outcome"] == "inconclusive")
