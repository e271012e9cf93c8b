"""docs/rbac.yaml on the lab: enough for everything, and each right that is taken away is named."""

import copy
import json
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from pytest_aksnet.model.rights import Where
from tests.e2e.suite_run import CHECKOUT, run_suites
from tests.e2e.test_cluster_by_kubeconfig import (
    ENTRIES,
    NOT_CONCERNED,
    PYTEST,
    kubectl,
    namespaces,
)
from tests.lab.running_lab import RunningLab, start_lab

_ACCOUNT = "pytest-aksnet"
ALLOWED = tuple(
    f"--aksnet-allow={action}" for action in ("load-balancer", "public-ip", "privileged")
)
Document = dict[str, Any]


@pytest.fixture(scope="module")
def lab() -> Iterator[RunningLab]:
    running = start_lab()
    yield running
    running.end()


@dataclass(frozen=True)
class Granted:
    """The service account of docs/rbac.yaml on a lab, with a kubeconfig of its own."""

    lab: RunningLab
    kubeconfig: Path

    def grant(self, documents: Sequence[Document]) -> None:
        """Apply these objects."""
        text = "---\n".join(yaml.safe_dump(document) for document in documents)
        argv = ["kubectl", f"--kubeconfig={self.lab.kubeconfig}", "apply", "-f", "-"]
        subprocess.run(argv, input=text, check=True, capture_output=True, text=True, timeout=30)


@pytest.fixture
def user(lab: RunningLab, tmp_path: Path) -> Granted:
    kubeconfig = tmp_path / "kubeconfig-of-account"
    granted = Granted(lab, kubeconfig)
    granted.grant(documents())
    path = f"/api/v1/namespaces/default/serviceaccounts/{_ACCOUNT}/token"
    asked = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
    request = tmp_path / "token-request.json"
    request.write_text(json.dumps(asked), encoding="utf-8")
    answer = kubectl(lab.kubeconfig, "create", f"--raw={path}", f"--filename={request}")
    token = json.loads(answer)["status"]["token"]
    document = yaml.safe_load(lab.kubeconfig.read_text("utf-8"))
    document["users"] = [
        {"name": entry["name"], "user": {"token": token}} for entry in document["users"]
    ]
    kubeconfig.write_text(yaml.safe_dump(document), encoding="utf-8")
    return granted


def documents() -> list[Document]:
    return list(yaml.safe_load_all((CHECKOUT / "docs/rbac.yaml").read_text("utf-8")))


def without(resource: str, verb: str, place: str = "") -> list[Document]:
    """The documents with one right taken away: in the cluster, in a namespace, or everywhere (*).

    What the ClusterRole grants holds in every namespace.
    """
    found = copy.deepcopy(documents())
    taken = 0
    for document in found:
        if place not in ("*", document["metadata"].get("namespace", "")):
            continue
        for rule in document.get("rules") or ():
            if resource in rule.get("resources", ()) and verb in rule["verbs"]:
                rule["verbs"].remove(verb)
                taken += 1
    assert taken
    for document in found:
        if "rules" in document:
            document["rules"] = [rule for rule in document["rules"] if rule["verbs"]]
    return found


def plan(kubeconfig: Path, folder: Path, *arguments: str) -> str:
    """What --aksnet-plan prints."""
    ended = subprocess.run(
        [
            *(*PYTEST, str(CHECKOUT / "suites"), "--aksnet-plan"),
            *(f"--aksnet-kubeconfig={kubeconfig}", *arguments),
        ],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


def reasons(planned: str) -> Mapping[str, str]:
    """Why a check would be skipped, by its id; empty where it would run."""
    found: dict[str, str] = {}
    check = ""
    for line in planned.splitlines():
        if line.startswith("    ") and " (" in line and "): " in line and "would" not in line:
            check = line.split()[0]
        elif line.startswith("    would run") or line.startswith("    would be skipped: "):
            found[check] = line.partition("skipped: ")[2]
    return found


def skipped(kubeconfig: Path, folder: Path, *arguments: str) -> dict[str, str]:
    """The reason of every check that would be skipped, by its id; all of Azure are in any case."""
    found = reasons(plan(kubeconfig, folder, *ALLOWED, *arguments))
    assert all(found[check] for check in OF_AZURE)
    return {check: why for check, why in found.items() if why and check not in OF_AZURE}


OF_AZURE = {entry.id for entry in ENTRIES.values() if entry.need.azure}
POLICIES = {entry.id for entry in ENTRIES.values() if "network_policy" in entry.fixtures}
_DELETE = "delete on networkpolicies.networking.k8s.io"
_OF_ALL = dict.fromkeys((Where.RUN, Where.CLUSTER), "")
_PLACES = {**_OF_ALL, Where.SYSTEM: "kube-system", Where.DEFAULT: "default", Where.LEASE: "default"}


def dependent_on(resource: str, verb: str, place: str) -> set[str]:
    """The checks that need this right: by what their fixtures and markers ask for."""
    kind, _, subresource = resource.partition("/")
    return {
        entry.id
        for entry in ENTRIES.values()
        for right in entry.need.rights
        if (right.resource, right.subresource, right.verb) == (kind, subresource, verb)
        and place in ("*", _PLACES[right.where])
    } - OF_AZURE


REMOVALS = [
    pytest.param("networkpolicies", "create", "", id="policies"),
    *(
        pytest.param(*right, id=name, marks=pytest.mark.thorough)
        for name, right in (
            ("exec", ("pods/exec", "get", "")),
            ("pods", ("pods", "create", "")),
            ("namespaces", ("namespaces", "delete", "")),
            ("services", ("services", "create", "")),
            ("endpoints", ("endpointslices", "list", "*")),
            ("leases", ("leases", "create", "default")),
            ("kubernetes", ("services", "get", "*")),
            ("daemonsets", ("daemonsets", "list", "")),
        )
    ),
]


@pytest.mark.parametrize(("resource", "verb", "place"), REMOVALS)
def test_a_right_that_is_missing_skips_what_depends_on_it_and_nothing_else(
    user: Granted, tmp_path: Path, resource: str, verb: str, place: str
) -> None:
    user.grant(without(resource, verb, place))
    found = skipped(user.kubeconfig, tmp_path)
    assert set(found) == dependent_on(resource, verb, place)
    assert all(
        f"{verb} on {resource}" in why.replace(".networking.k8s.io", "") for why in found.values()
    )


def test_with_the_documented_rights_everything_is_planned_and_nothing_is_created(
    user: Granted, tmp_path: Path
) -> None:
    kinds = "namespaces,pods,services,networkpolicies,leases,serviceaccounts,events"
    before = kubectl(user.lab.kubeconfig, "get", kinds, "--all-namespaces", "--output=name")
    planned = plan(user.kubeconfig, tmp_path, *ALLOWED)
    assert {check for check, why in reasons(planned).items() if why} == OF_AZURE
    assert "rights missing" not in planned
    after = kubectl(user.lab.kubeconfig, "get", kinds, "--all-namespaces", "--output=name")
    assert after == before


def test_a_check_that_lacks_a_right_is_skipped_and_others_run(
    user: Granted, tmp_path: Path
) -> None:
    user.grant(without("networkpolicies", "delete"))
    run = run_suites(
        tmp_path,
        f"--aksnet-kubeconfig={user.kubeconfig}",
        *ALLOWED,
        "--aksnet-max-nodes=1",
        suites=["suites/network_policy", "suites/pod_network", "suites/dns/test_services.py"],
    )
    lacking, lacked = dependent_on("networkpolicies", "delete", ""), set()
    for check in run.results["checks"]:
        outcome, reason = check["outcome"], check["reason"]
        if ENTRIES[check["id"]].need.two_nodes:
            assert (outcome, "there is one" in reason) == ("skipped", True), run.terminal
        elif check["id"] in lacking:
            lacked.add(check["id"])
            assert (outcome, _DELETE in reason) == ("skipped", True), run.terminal
        elif check["id"] in NOT_CONCERNED:
            assert (outcome, "may not" in reason) == ("skipped", False), run.terminal
        else:
            assert outcome == "passed", run.terminal
    assert len(lacked) >= 10
    assert lacked >= {check for check in POLICIES if not ENTRIES[check].need.two_nodes}
    assert run.terminal.count("rights missing (see docs/rbac.md): delete on networkpolicies") == 1
    assert "delete on networkpolicies" in str(run.results["cluster"]["rights_missing"])
    assert set(run.results["cluster"]["left_out"].values()) == {"beyond --aksnet-max-nodes=1"}
    assert namespaces(user.lab.kubeconfig) == []


def test_a_user_who_may_only_read_checks_nothing_and_hears_why(
    user: Granted, tmp_path: Path
) -> None:
    reading = copy.deepcopy(documents())
    for document in reading:
        for rule in document.get("rules") or ():
            rule["verbs"] = [verb for verb in rule["verbs"] if verb in ("get", "list", "watch")]
        if "rules" in document:
            document["rules"] = [rule for rule in document["rules"] if rule["verbs"]]
    user.grant(reading)
    for workers in ((), ("-n2",)):
        ended = subprocess.run(
            [
                *(*PYTEST, str(CHECKOUT / "suites/egress/test_flows.py")),
                f"--aksnet-report-dir={tmp_path}",
                *(f"--aksnet-kubeconfig={user.kubeconfig}", *workers),
            ],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        said = ended.stdout + ended.stderr
        assert ended.returncode == pytest.ExitCode.USAGE_ERROR, said
        assert "nothing is left to run on this cluster:" in said
        assert "create on namespaces" in said
        assert "create on pods in the namespaces of the run" in said
        assert "docs/rbac.md" in said
        assert not (tmp_path / "results.json").exists()


@pytest.mark.thorough
def test_the_documented_rights_are_enough_for_all_suites(user: Granted, tmp_path: Path) -> None:
    runs = []
    for name, kubeconfig in (("admin", user.lab.kubeconfig), ("account", user.kubeconfig)):
        folder = tmp_path / name
        folder.mkdir()
        chosen = (f"--aksnet-kubeconfig={kubeconfig}", f"--aksnet-config={user.lab.site}")
        limits = (*ALLOWED, "--aksnet-max-nodes=2", "-n2")
        runs.append(run_suites(folder, *chosen, *limits, seconds=600))
    admin, account = runs
    assert account.outcomes() == admin.outcomes(), account.not_passed()
    assert set(admin.outcomes().values()) == {"passed", "skipped"}, admin.not_passed()
    assert not [why for why in account.skipped().values() if "may not" in why]
    cleanup = subprocess.run(
        [*PYTEST, "--aksnet-cleanup", f"--aksnet-kubeconfig={user.kubeconfig}"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (cleanup.returncode, cleanup.stderr) == (0, "")
