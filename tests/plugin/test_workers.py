"""Runs with xdist: what workers share, who removes and writes, and what a lost worker leaves."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.plugin.inner_run import run_pytest
from tests.plugin.mini_cluster import NODES, MiniCluster


def run(pytester: pytest.Pytester, mini: MiniCluster, source: str, *args: str) -> pytest.RunResult:
    pytester.makepyfile(source)
    kubeconfig = mini.kubeconfig(pytester.path)
    return run_pytest(
        pytester, f"--aksnet-kubeconfig={kubeconfig}", "--aksnet-report-dir=out", *args
    )


def checks() -> list[dict[str, Any]]:
    """The checks of results.json, and none that results.jsonl has not, or twice."""
    found: list[dict[str, Any]] = json.loads(Path("out/results.json").read_text("utf-8"))["checks"]
    lines = Path("out/results.jsonl").read_text("utf-8").splitlines()
    assert sorted(json.loads(line)["nodeid"] for line in lines) == sorted(
        check["nodeid"] for check in found
    )
    return found


def rooms(mini: MiniCluster) -> list[dict[str, Any]]:
    return [made["metadata"] for path, made in mini.created.items() if path.count("/") == 4]


def test_workers_share_warm_pods_and_have_their_own_namespaces(
    pytester: pytest.Pytester, mini: MiniCluster
) -> None:
    source = """
        def test_it(netshoot, node):
            pods = netshoot(on=node), netshoot(on=node, host_network=True)
            own = netshoot(on=node, fresh=True)
            assert len({pod.pod.namespace for pod in pods}) == 1
            assert own.pod.namespace != pods[0].pod.namespace
        """
    run(pytester, mini, source, "-n2", "--dist=each").assert_outcomes(passed=6)
    names = sorted(room["name"].rpartition("-")[2] for room in rooms(mini))
    assert names == ["gw0", "gw1", "pool"]
    assert len({room["labels"]["aksnet.io/run"] for room in rooms(mini)}) == 1
    warm = [path for path in mini.created if "-pool/pods/" in path]
    assert len(warm) == 2 * len(NODES)
    assert mini.left() == []


def test_facts_are_read_once_for_all_workers(pytester: pytest.Pytester, mini: MiniCluster) -> None:
    source = """
        def test_it(aks, node):
            assert aks.profile.get("mode") == "overlay"
            assert [node.name for node in aks.nodes] == ["node-a", "node-b", "node-c"]
        """
    args = ("-n2", "--dist=each", "--aksnet-profile=mode=overlay")
    run(pytester, mini, source, *args).assert_outcomes(passed=6)
    reviews = [one for one in mini.requests if one.path.endswith("/selfsubjectaccessreviews")]
    asked = [json.dumps(one.body["spec"], sort_keys=True) for one in reviews]
    assert len(asked) == len(set(asked))
    assert [one.path for one in mini.requests].count("/version") == 1


def test_a_policy_over_shared_pods_is_refused(pytester: pytest.Pytester, mini: MiniCluster) -> None:
    source = """
        import pytest
        from pytest_aksnet.model.errors import SettingsError

        def test_it(netshoot, network_policy):
            with pytest.raises(SettingsError, match="fresh=True"):
                network_policy({"podSelector": {}}, namespace=netshoot().pod.namespace)
            own = netshoot(fresh=True)
            network_policy({"podSelector": {}}, namespace=own.pod.namespace)
        """
    run(pytester, mini, source).assert_outcomes(passed=1)
    assert mini.kinds("POST").count("networkpolicies") == 1


CRASHES = '''
import os
import signal
import pytest

def check(name):
    return pytest.mark.aksnet(id=name, feature="dns", severity="major", controls=("CIS 1",))

@check("a.before")
@pytest.mark.parametrize("n", range(3))
def test_before(netshoot, n):
    """Passes before."""
    netshoot(fresh=True)

@check("b.dies")
def test_dies(netshoot, aksnet_session):
    """Its worker is killed."""
    netshoot(fresh=True)
    aksnet_session.recorder.diagnosis("this was seen")
    os.kill(os.getpid(), signal.SIGKILL)

@check("c.after")
@pytest.mark.parametrize("n", range(3))
def test_after(netshoot, n):
    """Passes afterwards, on whatever worker."""
    netshoot()
'''


@pytest.mark.parametrize(
    "args",
    [
        ("-n2",),
        pytest.param(("-n1",), marks=pytest.mark.thorough),
        pytest.param(("-n2", "--dist=load"), marks=pytest.mark.thorough),
    ],
    ids=" ".join,
)
def test_a_worker_that_dies_loses_nothing(
    pytester: pytest.Pytester, mini: MiniCluster, args: tuple[str, ...]
) -> None:
    result = run(pytester, mini, CRASHES, *args)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["*= 6 passed, 1 error in *"])
    found = {(check["id"], check["outcome"]) for check in checks()}
    assert found == {("a.before", "passed"), ("b.dies", "error"), ("c.after", "passed")}
    assert len(checks()) == 7
    [died] = [check for check in checks() if check["id"] == "b.dies"]
    assert died["reason"].endswith("crashed while this check ran")
    assert died["title"] == "Its worker is killed."
    assert died["controls"] == ["CIS 1"]
    folder = Path("out") / died["evidence"]
    assert "this was seen" in (folder / "attempts.jsonl").read_text("utf-8")
    assert "crashed while this check ran" in (folder / "evidence.txt").read_text("utf-8")
    names = re.findall(
        r'name="aksnet_id" value="([^"]+)"', Path("out/junit.xml").read_text("utf-8")
    )
    assert sorted(names) == ["a.before"] * 3 + ["b.dies"] + ["c.after"] * 3
    assert f"{died['evidence']}/evidence.txt" in Path("out/report.html").read_text("utf-8")
    assert mini.left() == []


@pytest.mark.thorough
def test_the_pods_of_a_lost_worker_are_shared_on(
    pytester: pytest.Pytester, mini: MiniCluster
) -> None:
    source = """
        import os

        def test_starts(netshoot):
            netshoot()
            os._exit(1)

        def test_goes_on(netshoot):
            netshoot()
        """
    run(pytester, mini, source, "-n1")
    assert mini.kinds("POST") == ["namespaces", *["pods"] * len(NODES)]
    assert mini.left() == []


GROUPS = '''
import os
import pytest

def check(name):
    return pytest.mark.aksnet(id=name, feature="dns", severity="major")

@check("alone")
@pytest.mark.parametrize("n", range(4))
def test_alone(iperf, record_property, n):
    """Measures."""
    record_property("worker", os.environ["PYTEST_XDIST_WORKER"])

@check("other")
@pytest.mark.parametrize("n", ["x@y", "z"])
def test_other(aks, n):
    """Does not."""
'''


@pytest.mark.parametrize(
    "args",
    [(), pytest.param(("--dist=loadgroup",), marks=pytest.mark.thorough)],
    ids=" ".join,
)
def test_what_must_be_alone_goes_to_one_worker_under_its_own_name(
    pytester: pytest.Pytester, mini: MiniCluster, args: tuple[str, ...]
) -> None:
    result = run(pytester, mini, GROUPS, "-n2", "-v", *args)
    result.assert_outcomes(passed=6)
    text = Path("out/junit.xml").read_text("utf-8")
    used = re.findall(r'name="worker" value="(\w+)"', text)
    assert len(used) == 4
    assert len(set(used)) == 1
    names = sorted(check["nodeid"].partition("::")[2] for check in checks())
    assert names == [
        *(f"test_alone[{n}]" for n in range(4)),
        "test_other[x@y]",
        "test_other[z]",
    ]
    assert "@aksnet" not in text + "\n".join(result.outlines)


@pytest.mark.thorough
def test_the_users_own_way_of_distributing_is_kept(
    pytester: pytest.Pytester, mini: MiniCluster
) -> None:
    result = run(pytester, mini, GROUPS, "-n2", "-v", "--dist=worksteal")
    result.assert_outcomes(passed=6)
    result.stdout.fnmatch_lines(["scheduling tests via WorkStealingScheduling"])


def test_a_run_that_is_not_ours_is_distributed_as_ever(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("def test_it(): pass\n")
    result = pytester.runpytest_subprocess("-n1", "-v")
    result.stdout.fnmatch_lines(["scheduling tests via LoadScheduling"])


def test_what_workers_keep_is_named_once_and_stays(
    pytester: pytest.Pytester, mini: MiniCluster
) -> None:
    source = "def test_it(netshoot, node):\n    netshoot(on=node, fresh=True)\n"
    result = run(pytester, mini, source, "-n2", "--aksnet-keep=always")
    result.assert_outcomes(passed=3)
    [line] = [line for line in result.errlines if "kept, remove by --aksnet-cleanup" in line]
    assert line.count("pod aksnet-") == 3
    assert sum("/pods/" in path for path in mini.left()) == 3


def test_workers_say_once_that_there_is_no_cluster(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("def test_it(aks): pass\n")
    result = pytester.runpytest_subprocess("-n2", "--aksnet-kubeconfig=missing")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    [line] = [line for line in result.errlines if line.strip()]
    assert "missing" in line
