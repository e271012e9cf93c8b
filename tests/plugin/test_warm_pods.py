"""Warm pods: started once for all who ask at the same time, and each for itself."""

from collections.abc import Iterator

import pytest

from tests.plugin.inner_run import run_pytest
from tests.plugin.mini_cluster import NODES, MiniCluster
from tests.unit.cluster.scripted_api import Answer, Json, Request


class SomeWithoutImage(MiniCluster):
    """`lacking` are nodes whose kubelet does not get the image."""

    def __init__(self) -> None:
        super().__init__()
        self.lacking: set[str] = set()

    def _create(self, request: Request) -> Answer:
        answer = super()._create(request)
        if answer[1].get("spec", {}).get("nodeName") in self.lacking:
            answer[1]["status"] = _no_image()
        return answer


def _no_image() -> Json:
    waiting = {"reason": "ErrImagePull", "message": "manifest unknown"}
    return {
        "phase": "Pending",
        "containerStatuses": [{"name": "probe", "state": {"waiting": waiting}}],
    }


@pytest.fixture
def mini() -> Iterator[SomeWithoutImage]:
    cluster = SomeWithoutImage()
    yield cluster
    cluster.stop()


def run(pytester: pytest.Pytester, mini: MiniCluster, source: str) -> pytest.RunResult:
    pytester.makepyfile(source)
    return run_pytest(pytester, f"--aksnet-kubeconfig={mini.kubeconfig(pytester.path)}")


def started(mini: MiniCluster) -> int:
    return mini.kinds("POST").count("pods")


def test_who_asks_at_the_same_time_gets_the_same_pods(
    pytester: pytest.Pytester, mini: SomeWithoutImage
) -> None:
    source = """
        from concurrent.futures import ThreadPoolExecutor

        def test_it(aksnet_session, aks):
            shared = aksnet_session.shared
            with ThreadPoolExecutor(8) as pool:
                asked = [pool.submit(shared.warm, aks.nodes, host_network=False) for _ in range(8)]
                given = {one.result() for one in asked}
            assert len(given) == 1
        """
    run(pytester, mini, source).assert_outcomes(passed=1)
    assert started(mini) == len(NODES)


def test_a_node_without_the_image_is_its_own_trouble(
    pytester: pytest.Pytester, mini: SomeWithoutImage
) -> None:
    mini.lacking = {"node-b"}
    source = """
        import pytest

        def test_node(netshoot, node):
            netshoot(on=node)

        def test_own(netshoot):
            netshoot(fresh=True)
        """
    result = run(pytester, mini, source)
    result.stdout.fnmatch_lines(["*= 3 passed*, 1 inconclusive in *"])
    result.stdout.fnmatch_lines(["INCONCLUSIVE *test_node?node-b? - *ErrImagePull: manifest*"])


def test_an_image_that_nobody_gets_is_settled_by_the_first_pods(
    pytester: pytest.Pytester, mini: SomeWithoutImage
) -> None:
    mini.lacking = set(NODES)
    source = """
        def test_node(netshoot, node):
            netshoot(on=node)

        def test_host(netshoot):
            netshoot(host_network=True)

        def test_own(netshoot):
            netshoot(fresh=True)
        """
    result = run(pytester, mini, source)
    result.stdout.fnmatch_lines(["*= *5 inconclusive in *"])
    said = [line for line in result.outlines if "INCONCLUSIVE" in line and "manifest" in line]
    assert len(said) == 5
    assert started(mini) <= 2 * len(NODES)  # each is tried once more
    assert mini.left() == []


def test_a_run_that_ends_starts_no_pod_any_more(
    pytester: pytest.Pytester, mini: SomeWithoutImage
) -> None:
    source = """
        import pytest
        from pytest_aksnet.model.errors import EnvironmentProblem

        def test_it(netshoot, aksnet_session):
            netshoot()
            aksnet_session.shared.end()
            with pytest.raises(EnvironmentProblem, match="the run is ending"):
                netshoot(host_network=True)
        """
    run(pytester, mini, source).assert_outcomes(passed=1)
    assert started(mini) == len(NODES)
    assert mini.left() == []
