"""What the plugin costs a run that does not use it: its own glue, and nothing else."""

import pytest

OURS = [
    "pytest_aksnet",
    "pytest_aksnet.collecting",
    "pytest_aksnet.fixtures",
    "pytest_aksnet.hookspecs",
    "pytest_aksnet.options",
    "pytest_aksnet.plugin",
    "pytest_aksnet.run_state",
    "pytest_aksnet.workers",
]
HEAVY = (
    *("kubernetes", "azure", "yaml", "requests", "urllib3", "websocket", "websockets"),
    *("tenacity", "pydantic"),
)
ALSO_HEAVY = ("asyncio", "ssl")  # xdist itself may load these

CONFTEST = """
import sys
import pytest

@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config):
    if not hasattr(config, "workerinput"):
        sys.__stdout__.write("LOADED " + " ".join(sorted(sys.modules)) + "\\n")
"""


def loaded(pytester: pytest.Pytester, *args: str) -> list[str]:
    pytester.makeconftest(CONFTEST)
    pytester.makepyfile("def test_unrelated():\n    assert True\n")
    result = pytester.runpytest_subprocess(*args)
    assert result.ret == 0
    [line] = [line for line in result.outlines if line.startswith("LOADED ")]
    return line.split()[1:]


@pytest.mark.parametrize(
    "args", [(), ("-p", "no:cacheprovider"), ("--co",), ("-rA", "--durations=3")], ids=" ".join
)
def test_an_unrelated_run_loads_only_our_glue(
    pytester: pytest.Pytester, args: tuple[str, ...]
) -> None:
    modules = loaded(pytester, *args)
    assert [name for name in modules if name.partition(".")[0] == "pytest_aksnet"] == OURS
    assert not [name for name in modules if name.partition(".")[0] in (*HEAVY, *ALSO_HEAVY)]


def test_an_unrelated_run_under_xdist_loads_only_our_glue(pytester: pytest.Pytester) -> None:
    modules = loaded(pytester, "-n2")
    assert [name for name in modules if name.partition(".")[0] == "pytest_aksnet"] == OURS
    assert not [name for name in modules if name.partition(".")[0] in HEAVY]


def test_a_node_fixture_of_somebody_else_is_left_alone(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import pytest

        @pytest.fixture
        def node():
            return "mine"

        @pytest.fixture
        def service(node):
            return node

        def test_it(node, service):
            assert node == service == "mine"
        """
    )
    result = pytester.runpytest_subprocess()
    result.assert_outcomes(passed=1)


def test_an_unrelated_run_writes_nothing(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("def test_unrelated():\n    assert True\n")
    before = sorted(pytester.path.iterdir())
    pytester.runpytest_inprocess("-p", "no:cacheprovider").assert_outcomes(passed=1)
    after = [path for path in pytester.path.iterdir() if path.name != "__pycache__"]
    assert sorted(after) == before
