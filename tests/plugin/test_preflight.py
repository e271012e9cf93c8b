"""Preflight: what cannot run here is skipped beforehand, with the reason; and the plan."""

import re

import pytest

from tests.plugin.inner_run import run_pytest
from tests.plugin.mini_cluster import MiniCluster
from tests.unit.cluster.scripted_api import Answer, Json, status

SOURCE = '''
import pytest

@pytest.mark.aksnet(id="a.pods", feature="dns", severity="major")
def test_pods(netshoot):
    """Pods."""
    netshoot()

@pytest.mark.aksnet(id="a.host", feature="dns", severity="major", needs=("host-network",))
def test_host(netshoot, aks):
    """On the host."""
    netshoot(on=aks.nodes[1], host_network=True)

@pytest.mark.aksnet(id="a.policy", feature="dns", severity="major")
def test_policy(netshoot, namespace, network_policy, node):
    """A policy."""
    room = namespace()
    netshoot(on=node, namespace=room)
    network_policy({"podSelector": {}}, namespace=room)

def test_nodes(aks):
    assert aks.nodes
'''


def run(pytester: pytest.Pytester, mini: MiniCluster, *args: str) -> pytest.RunResult:
    pytester.makepyfile(SOURCE)
    kubeconfig = mini.kubeconfig(pytester.path)
    return run_pytest(pytester, f"--aksnet-kubeconfig={kubeconfig}", "-rs", *args)


@pytest.mark.parametrize("args", [(), ("-n2",)], ids=" ".join)
def test_a_missing_right_skips_what_needs_it_before_anything_is_made(
    pytester: pytest.Pytester, mini: MiniCluster, args: tuple[str, ...]
) -> None:
    mini.denied = {"create networkpolicies"}
    result = run(pytester, mini, *args)
    result.assert_outcomes(passed=3, skipped=3)
    result.stdout.fnmatch_lines(
        ["SKIPPED*needs create on networkpolicies.networking.k8s.io*may not: see docs/rbac.md"]
    )
    assert "networkpolicies" not in mini.kinds("POST")


@pytest.mark.parametrize("args", [(), ("-n2",)], ids=" ".join)
def test_the_terminal_names_what_is_missing_once(
    pytester: pytest.Pytester, mini: MiniCluster, args: tuple[str, ...]
) -> None:
    mini.denied = {"create networkpolicies", "list daemonsets"}
    result = run(pytester, mini, "--aksnet-max-nodes=2", "--aksnet-image=netshoot", *args)
    assert "\n".join(result.outlines).count("aksnet: rights missing") == 1
    result.stdout.fnmatch_lines(
        [
            "aksnet: nodes: node-a, node-b",
            "aksnet: left out: node node-c: beyond --aksnet-max-nodes=2",
            "aksnet: warning: netshoot names no version:*",
            "aksnet: rights missing (see docs/rbac.md): create on networkpolicies*",
            "aksnet: without list on daemonsets.apps in the whole cluster: network mode, *",
        ]
    )


@pytest.mark.parametrize("args", [(), ("-n2",)], ids=" ".join)
def test_nothing_left_to_run_is_a_usage_error(
    pytester: pytest.Pytester, mini: MiniCluster, args: tuple[str, ...]
) -> None:
    mini.denied = {"create pods/exec"}
    result = run(pytester, mini, "-k", "not nodes", *args)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(
        ["*nothing is left to run on this cluster:", "* 5 x needs create on pods/exec in *"]
    )
    assert mini.history == []


def test_what_cannot_be_reviewed_is_tried(pytester: pytest.Pytester, mini: MiniCluster) -> None:
    def no_reviews(spec: Json) -> bool:
        raise KeyError(spec)  # the connection breaks

    mini.may = no_reviews  # type: ignore[method-assign]
    result = run(pytester, mini, "-k", "nodes")
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["aksnet: * rights could not be reviewed, so they are tried: *"])


def test_privileged_namespaces_that_are_refused_become_baseline(
    pytester: pytest.Pytester, mini: MiniCluster
) -> None:
    label = "pod-security.kubernetes.io/enforce"

    def admits(made: Json) -> Answer:
        if made["metadata"]["labels"][label] == "privileged":
            return status(403, "Forbidden", 'admission webhook "v" denied the request: no')
        return 201, made

    mini.admits = admits  # type: ignore[method-assign]
    result = run(pytester, mini)
    result.assert_outcomes(passed=5, skipped=1)
    result.stdout.fnmatch_lines(["SKIPPED*needs host-network, which is not possible here: *"])
    rooms = [made for path, made in mini.created.items() if path.count("/") == 4]
    assert {room["metadata"]["labels"][label] for room in rooms} == {"baseline"}


def test_a_wrong_need_in_a_marker_is_named(pytester: pytest.Pytester, mini: MiniCluster) -> None:
    pytester.makepyfile(
        '''
        import pytest

        @pytest.mark.aksnet(id="a.b", feature="dns", severity="major", needs=("root",))
        def test_it(netshoot):
            """It."""
        '''
    )
    result = run_pytest(pytester, f"--aksnet-kubeconfig={mini.kubeconfig(pytester.path)}")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*unknown need 'root'; choose from *, bandwidth, *"])


def test_tolerations_reach_nodes_and_pods(pytester: pytest.Pytester, mini: MiniCluster) -> None:
    taint = {"key": "sku", "value": "gpu", "effect": "NoSchedule"}
    mini.objects["/api/v1/nodes/node-a"]["spec"]["taints"] = [taint]
    result = run(pytester, mini, "--aksnet-tolerate=sku=gpu:NoSchedule", "-k", "test_pods")
    result.assert_outcomes(passed=1)
    pods = [made for path, made in mini.created.items() if "/pods/" in path]
    given = {"key": "sku", "operator": "Equal", "value": "gpu", "effect": "NoSchedule"}
    assert len(pods) == 3
    assert all(given in pod["spec"]["tolerations"] for pod in pods)


def test_a_plan_only_reads(pytester: pytest.Pytester, mini: MiniCluster) -> None:
    result = run(pytester, mini, "--aksnet-plan")
    assert result.ret == pytest.ExitCode.OK
    sent = {(one.method, one.path, one.query.get("dryRun")) for one in mini.requests}
    changing = {one for one in sent if one[0] != "GET"}
    assert changing == {
        ("POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", None),
        ("POST", "/api/v1/namespaces", "All"),
    }
    assert mini.history == []


def test_a_plan_announces_exactly_what_a_run_then_creates(
    pytester: pytest.Pytester, mini: MiniCluster
) -> None:
    planned = "\n".join(run(pytester, mini, "--aksnet-plan").outlines)
    assert "6 would run, 0 would be skipped" in planned
    assert "test_host" in planned
    assert "would create: shared pod on node-b in the host network\n" in planned
    assert "would create: namespace; own pod on node-c (namespace); NetworkPolicy\n" in planned
    [total] = re.findall("would create in all: (.*)", planned)
    counts = {kind: int(count) for count, kind in re.findall(r"(\d+) ([\w ]+)\(s\)", total)}
    assert "at least" not in total
    run(pytester, mini).assert_outcomes(passed=6)
    made = mini.kinds("POST")
    assert counts["own pod"] + counts["shared pod"] == made.count("pods")
    assert counts["NetworkPolicy"] == made.count("networkpolicies")
    assert counts["namespace"] == made.count("namespaces") - 1  # that of the shared pods


def test_a_plan_says_where_the_text_of_a_test_does_not_tell(
    pytester: pytest.Pytester, mini: MiniCluster
) -> None:
    pytester.makepyfile(
        """
        def helper(netshoot):
            return netshoot(fresh=True)

        def test_it(netshoot):
            helper(netshoot)
        """
    )
    kubeconfig = mini.kubeconfig(pytester.path)
    result = run_pytest(pytester, f"--aksnet-kubeconfig={kubeconfig}", "--aksnet-plan")
    result.stdout.fnmatch_lines(["    would create: what its text does not tell"])


def test_a_plan_of_what_cannot_run_says_so_and_is_no_error(
    pytester: pytest.Pytester, mini: MiniCluster
) -> None:
    mini.denied = {"create pods"}
    result = run(pytester, mini, "--aksnet-plan", "-k", "not nodes")
    assert result.ret == pytest.ExitCode.OK
    result.stdout.fnmatch_lines(
        [
            "rights missing (see docs/rbac.md): create on pods in the namespaces of the run",
            "    would be skipped: needs create on pods *",
            "0 would run, 5 would be skipped",
        ]
    )
