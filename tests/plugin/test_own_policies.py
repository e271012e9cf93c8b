"""What --aksnet-policies and --aksnet-policy-pods collect, and what they refuse."""

from pathlib import Path

import pytest

from tests.plugin.inner_run import run_pytest
from tests.plugin.mini_cluster import MiniCluster
from tests.unit.cluster.scripted_api import Answer, Request, status

POLICY = """
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: NAME, namespace: shop}
spec: {podSelector: {}, policyTypes: [Ingress]}
"""


@pytest.fixture
def kubeconfig(pytester: pytest.Pytester, mini: MiniCluster) -> str:
    folder = pytester.path / "policies" / "build"
    folder.mkdir(parents=True)
    (folder / "b.yaml").write_text(POLICY.replace("NAME", "deny"), "utf-8")
    both = POLICY.replace("NAME", "one") + "---" + POLICY.replace("NAME", "two")
    (folder.parent / "a.yml").write_text(both + "---\nkind: Service\n", "utf-8")
    (folder.parent / "test_theirs.py").write_text("def test_theirs(): pass\n", "utf-8")
    pytester.makepyfile(test_own="def test_own(): pass\n")
    return f"--aksnet-kubeconfig={mini.kubeconfig(pytester.path)}"


ALL = [
    "policies/a.yml::policy[[]shop/one]",
    "policies/a.yml::policy[[]shop/two]",
    "policies/build/b.yaml::policy[[]shop/deny]",
]


def collected(result: pytest.RunResult) -> list[str]:
    return [line for line in result.outlines if "::" in line]


def collect(pytester: pytest.Pytester, *args: str) -> pytest.RunResult:
    return run_pytest(pytester, "--collect-only", "-q", *args)


def test_without_paths_the_policies_alone_are_collected(
    pytester: pytest.Pytester, kubeconfig: str
) -> None:
    result = collect(pytester, "--aksnet-policies=policies", kubeconfig)
    result.stdout.fnmatch_lines(ALL, consecutive=True)
    assert len(collected(result)) == 3


def test_with_paths_they_come_on_top(pytester: pytest.Pytester, kubeconfig: str) -> None:
    result = collect(pytester, "test_own.py", "--aksnet-policies=policies", kubeconfig)
    result.stdout.fnmatch_lines(["test_own.py::test_own", *ALL], consecutive=True)
    assert len(collected(result)) == 4


def test_a_path_above_the_policies_loses_none(pytester: pytest.Pytester, kubeconfig: str) -> None:
    result = collect(pytester, ".", "--aksnet-policies=policies", kubeconfig)
    assert len(collected(result)) == 5
    result.stdout.fnmatch_lines_random(ALL)


def test_one_is_chosen_by_its_id_and_by_its_words(
    pytester: pytest.Pytester, kubeconfig: str
) -> None:
    named = "policies/a.yml::policy[shop/two]"
    args = (named, "-k", "shop/two", "--aksnet-policies=policies")
    assert collected(collect(pytester, *args, kubeconfig)) == [named]


def test_what_the_ini_file_asks_for_comes_on_top(
    pytester: pytest.Pytester, kubeconfig: str
) -> None:
    pytester.makeini("[pytest]\naksnet_policies = policies/build\ntestpaths = test_own.py\n")
    result = collect(pytester, kubeconfig)
    result.stdout.fnmatch_lines(["test_own.py::test_own", ALL[2]], consecutive=True)
    assert len(collected(result)) == 2


def test_the_plan_knows_them_and_creates_nothing(
    pytester: pytest.Pytester, mini: MiniCluster, kubeconfig: str
) -> None:
    result = run_pytest(pytester, "--aksnet-plan", "--aksnet-policies=policies", kubeconfig)
    result.stdout.fnmatch_lines(
        [
            "aksnet: policies of */policies: 3 NetworkPolicies in 2 files; *; ignored: 1 Service",
            ALL[0],
            "*network-policy.own-policy (major): A policy of*",
        ]
    )
    assert mini.left() == []


@pytest.mark.thorough
def test_workers_have_the_same_tests(pytester: pytest.Pytester, kubeconfig: str) -> None:
    result = run_pytest(
        pytester, "-n2", "test_own.py", "-k", "test_own", "--aksnet-policies=policies", kubeconfig
    )
    result.assert_outcomes(passed=1)


def test_what_is_wrong_ends_the_run_before_anything(
    pytester: pytest.Pytester, mini: MiniCluster, kubeconfig: str
) -> None:
    Path("policies/a.yml").write_text(POLICY.replace("podSelector", "podSelectors"), "utf-8")
    result = run_pytest(pytester, "--aksnet-policies=policies", kubeconfig)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*--aksnet-policies=*:", "*a.yml, document 1: *unknown field*"])
    assert mini.kinds("POST") == []


def test_a_pod_that_is_not_there_is_named(
    pytester: pytest.Pytester, mini: MiniCluster, kubeconfig: str
) -> None:
    result = run_pytest(pytester, "--aksnet-policy-pods=shop/web", kubeconfig)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*--aksnet-policy-pods=shop/web: pod web is not there*"])
    assert mini.left() == []


def test_the_right_that_is_missing_is_named(
    pytester: pytest.Pytester, mini: MiniCluster, kubeconfig: str
) -> None:
    serve = mini.routes.get(("GET", "/"))
    assert serve is not None

    def forbid(request: Request) -> Answer | None:
        if request.path == "/api/v1/namespaces/shop/pods":
            return status(403, "Forbidden", "pods is forbidden")
        return serve(request)

    mini.answer_all(forbid)
    result = run_pytest(pytester, "--aksnet-policy-pods=shop/app=web", kubeconfig)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(
        ["*--aksnet-policy-pods needs list on pods in namespace shop, which this user may not*"]
    )
