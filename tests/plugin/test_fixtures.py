"""The fixtures: which tests there are, what is created when, and that it goes away again."""

from pathlib import Path

import pytest

from tests.plugin.inner_run import run_pytest
from tests.plugin.mini_cluster import NODES, MiniCluster


def run(pytester: pytest.Pytester, mini: MiniCluster, source: str, *args: str) -> pytest.RunResult:
    pytester.makepyfile(source)
    kubeconfig = mini.kubeconfig(pytester.path)
    return run_pytest(pytester, f"--aksnet-kubeconfig={kubeconfig}", *args)


@pytest.mark.parametrize("args", [(), ("-n2",)], ids=" ".join)
def test_nodes_pairs_and_pools_are_sorted_and_create_nothing(
    pytester: pytest.Pytester, mini: MiniCluster, args: tuple[str, ...]
) -> None:
    source = """
        def test_node(node):
            assert node.ip.startswith("10.224.0.")

        def test_pair(node_pair):
            source, target = node_pair
            assert source != target

        def test_pool(node_pool):
            assert {node.pool for node in node_pool.nodes} == {node_pool.name}
        """
    result = run(pytester, mini, source, "-v", *args)
    result.assert_outcomes(passed=8)
    shown = "\n".join(result.outlines)
    for identifier in (*NODES, "node-a..node-b", "node-b..node-c", "node-c..node-a"):
        assert f"[{identifier}]" in shown
    assert "test_pool[system]" in shown
    assert "test_pool[user]" in shown
    assert mini.history == []


def test_max_nodes_and_selector_choose_nodes(pytester: pytest.Pytester, mini: MiniCluster) -> None:
    source = "def test_node(node):\n    assert node.name == 'node-b'\n"
    args = ("--aksnet-node-selector=agentpool=user", "--aksnet-max-nodes=1")
    run(pytester, mini, source, *args).assert_outcomes(passed=1)


def test_one_node_makes_no_pair(pytester: pytest.Pytester, mini: MiniCluster) -> None:
    source = "def test_pair(node_pair):\n    raise AssertionError\ndef test_node(node): pass\n"
    result = run(pytester, mini, source, "--aksnet-max-nodes=1", "-rs")
    result.assert_outcomes(skipped=1, passed=1)
    result.stdout.fnmatch_lines(["SKIPPED*needs two nodes that take part; there is one (left out*"])


def test_the_cluster_is_described(pytester: pytest.Pytester, mini: MiniCluster) -> None:
    source = """
        def test_it(aks):
            assert [node.name for node in aks.nodes] == ["node-a", "node-b", "node-c"]
            assert [pool.name for pool in aks.pools] == ["system", "user"]
            assert aks.node("node-b").pool == "user"
            assert [node.name for node in aks.other_nodes(aks.nodes[1])] == ["node-a", "node-c"]
            assert not aks.is_lab
            assert aks.profile.get("mode") == "overlay"
            assert aks.profile.facts["mode"].source == "--aksnet-profile"
        """
    run(pytester, mini, source, "--aksnet-profile=mode=overlay").assert_outcomes(passed=1)


def test_warm_pods_are_started_together_and_shared(
    pytester: pytest.Pytester, mini: MiniCluster
) -> None:
    source = """
        seen = {}

        def test_first(netshoot, node):
            seen[node.name] = netshoot(on=node).pod
            assert seen[node.name].port == 8080

        def test_again(netshoot, node):
            assert netshoot(on=node).pod == seen[node.name]

        def test_default_is_the_first_node(netshoot):
            assert netshoot().pod.node == "node-a"
        """
    run(pytester, mini, source).assert_outcomes(passed=7)
    assert mini.kinds("POST") == ["namespaces", "pods", "pods", "pods"]
    assert mini.left() == []


def test_a_shared_pod_that_has_gone_is_replaced(
    pytester: pytest.Pytester, mini: MiniCluster
) -> None:
    source = """
        def test_loses(netshoot, aksnet_session):
            aksnet_session.pods.delete([netshoot().pod])

        def test_has_one(netshoot, aks):
            pod = netshoot().pod
            assert pod in aks.pods(pod.namespace, "app.kubernetes.io/managed-by=pytest-aksnet")
        """
    run(pytester, mini, source).assert_outcomes(passed=2)
    assert mini.kinds("POST").count("pods") == 4


def test_own_pods_die_with_their_test_the_last_first(
    pytester: pytest.Pytester, mini: MiniCluster
) -> None:
    source = """
        def test_first(netshoot, namespace, service, network_policy):
            room = namespace({"team": "a"})
            pod = netshoot(namespace=room, labels={"app": "web", "aksnet.io/run": "mine"})
            service([pod])
            network_policy({"podSelector": {}}, namespace=room)

        def test_second(aks, aksnet_session):
            assert aks.pods("anywhere", "app=web") == ()
        """
    run(pytester, mini, source).assert_outcomes(passed=2)
    assert mini.kinds("POST") == ["namespaces", "pods", "services", "networkpolicies"]
    assert mini.kinds("DELETE") == ["networkpolicies", "services", "pods", "namespaces"]
    [room] = [made for path, made in mini.created.items() if path.count("/") == 4]
    assert room["metadata"]["labels"]["team"] == "a"
    for made in mini.created.values():
        assert made["metadata"]["labels"]["app.kubernetes.io/managed-by"] == "pytest-aksnet"
        assert made["metadata"]["labels"]["aksnet.io/run"] != "mine"


def test_services_select_their_backends(pytester: pytest.Pytester, mini: MiniCluster) -> None:
    source = """
        import pytest
        from pytest_aksnet.model.errors import SettingsError

        def test_several(netshoot, service, aks):
            pods = netshoot.on_each(aks.nodes[:2], labels={"app": "web"})
            made = service(pods, port=81, type="NodePort", external_traffic_policy="Local")
            assert (made.namespace, made.port) == (pods[0].pod.namespace, 81)

        def test_one_shared_pod(netshoot, service):
            assert service([netshoot()]).fqdn.endswith(".svc.cluster.local")

        def test_without_a_common_label(netshoot, service, aks):
            with pytest.raises(SettingsError, match="must share a label"):
                service([netshoot(on=node) for node in aks.nodes])

        def test_a_pod_that_is_not_ready_is_no_endpoint(netshoot, service):
            good = netshoot(labels={"app": "web"})
            bad = netshoot(labels={"app": "web"}, ready=False)
            service([good, bad])

        def test_external_name(service):
            service(external_name="www.example.com")
        """
    run(pytester, mini, source).assert_outcomes(passed=5)
    services = [made for path, made in mini.created.items() if "/services/" in path]
    assert services[0]["spec"]["selector"] == {"app": "web"}
    assert services[0]["spec"]["ports"][0]["targetPort"] == 8080
    assert list(services[1]["spec"]["selector"]) == ["aksnet.io/pod"]
    assert mini.left() == []


def test_host_network_pods_have_ports_of_their_own(
    pytester: pytest.Pytester, mini: MiniCluster
) -> None:
    source = """
        def test_it(netshoot, iperf, aks):
            assert netshoot(host_network=True).pod.port == 18080
            server = iperf(on=aks.nodes[1], host_network=True).pod
            assert (server.port, server.host_network, server.node) == (5201, True, "node-b")
        """
    run(pytester, mini, source).assert_outcomes(passed=1)


@pytest.mark.parametrize(
    ("call", "action"),
    [
        ("netshoot(host_network=True)", "host-network"),
        ("iperf()", "bandwidth"),
        ("service(type='LoadBalancer')", "load-balancer"),
    ],
)
def test_what_is_not_allowed_is_skipped_with_the_remedy(
    pytester: pytest.Pytester, mini: MiniCluster, call: str, action: str
) -> None:
    fixture = call.partition("(")[0]
    source = f"def test_it({fixture}):\n    {call}\ndef test_other(aks): pass\n"
    args = ("--aksnet-forbid=host-network", "--aksnet-forbid=bandwidth", "-rs")
    result = run(pytester, mini, source, *args)
    result.assert_outcomes(skipped=1, passed=1)
    result.stdout.fnmatch_lines([f"SKIPPED*--aksnet-allow={action} allows it"])
    assert mini.history == []


@pytest.mark.parametrize(
    ("keep", "kept"), [("never", []), ("failed", ["pods"]), ("always", ["pods", "pods"])]
)
def test_keep(pytester: pytest.Pytester, mini: MiniCluster, keep: str, kept: list[str]) -> None:
    source = """
        def test_good(netshoot):
            netshoot(fresh=True)

        def test_bad(netshoot):
            netshoot(fresh=True)
            assert False
        """
    result = run(pytester, mini, source, f"--aksnet-keep={keep}")
    result.assert_outcomes(passed=1, failed=1)
    left = [path.split("/")[-2] for path in mini.left()]
    assert [kind for kind in left if kind == "pods"] == kept
    assert ("kept, remove by --aksnet-cleanup: pod " in "\n".join(result.errlines)) == bool(kept)


def test_a_namespace_that_may_not_be_created_is_an_error_of_one_line(
    pytester: pytest.Pytester, mini: MiniCluster
) -> None:
    from tests.unit.cluster.scripted_api import Answer, Request, status

    serve = mini.routes.get(("GET", "/"))

    def refuse(request: Request) -> Answer | None:
        creates = request.method == "POST" and "dryRun" not in request.query
        if creates and request.path == "/api/v1/namespaces":
            return status(403, "Forbidden", "namespaces is forbidden")
        assert serve is not None
        return serve(request)

    mini.answer_all(refuse)
    result = run(pytester, mini, "def test_it(netshoot):\n    netshoot()\n")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["the namespace aksnet-* may not be created*"])
    result.stdout.no_fnmatch_line("*Traceback*")


def test_a_plan_says_what_would_be_done_and_does_nothing(
    pytester: pytest.Pytester, mini: MiniCluster
) -> None:
    source = '''
        import pytest

        @pytest.mark.aksnet(id="dns.name", feature="dns", severity="major")
        def test_it(netshoot, service, node):
            """A name resolves."""

        @pytest.mark.skip(reason="not today")
        def test_skipped(netshoot):
            pass

        def test_bandwidth(iperf):
            pass
        '''
    result = run(pytester, mini, source, "--aksnet-plan", "--aksnet-forbid=bandwidth", "-n2")
    assert result.ret == pytest.ExitCode.OK
    result.stdout.fnmatch_lines(
        [
            "*::test_it?node-a?",
            "    dns.name (major): A name resolves.",
            "    would run",
            "    would create: nothing",
            "*::test_skipped",
            "    would be skipped: not today",
            "*::test_bandwidth",
            "    would be skipped: needs bandwidth, *--aksnet-allow=bandwidth allows it",
        ]
    )
    assert "passed" not in result.outlines[-1]
    assert mini.history == []
    assert not Path("reports").exists()


def test_cleanup_removes_what_old_runs_left(pytester: pytest.Pytester, mini: MiniCluster) -> None:
    def room(name: str, created: str, **labels: str) -> None:
        mini.objects[f"/api/v1/namespaces/{name}"] = {
            "metadata": {
                "name": name,
                "labels": labels,
                "annotations": {"aksnet.io/created": created, "aksnet.io/owner": "me@here"},
            }
        }

    ours = {"app.kubernetes.io/managed-by": "pytest-aksnet", "aksnet.io/run": "1"}
    room("old", "2020-01-01T00:00:00+00:00", **ours)
    room("young", "2999-01-01T00:00:00+00:00", **ours)
    room("foreign", "2020-01-01T00:00:00+00:00")
    result = run(pytester, mini, "", "--aksnet-cleanup")
    assert result.ret == pytest.ExitCode.OK
    assert [line for line in result.outlines if line] == [
        "removed old",
        "kept young: it is younger than 6 h and its run may go on; "
        "if that has ended: kubectl delete namespace young",
    ]
    assert mini.history == [("DELETE", "/api/v1/namespaces/old")]


def test_one_process_measures_at_a_time(pytester: pytest.Pytester, mini: MiniCluster) -> None:
    lease = "/apis/coordination.k8s.io/v1/namespaces/default/leases/pytest-aksnet-bandwidth"
    source = """
        def test_it(iperf, aksnet_session):
            iperf()
            iperf()
            assert aksnet_session.bandwidth_lease().try_take()

        def test_after(aksnet_session):
            lease = aksnet_session.bandwidth_lease()
            assert not lease.try_take()
            assert not lease.release()
        """
    run(pytester, mini, source).assert_outcomes(passed=2)
    assert lease in mini.created
    assert mini.left() == []
