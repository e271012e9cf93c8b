"""Azure's packages in whole runs: loaded when a fact of it is wanted, whatever is named azure."""

import pytest

from tests.plugin.mini_cluster import MiniCluster

CONFTEST = """
import sys
import pytest

@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config):
    if not hasattr(config, "workerinput"):
        sys.__stdout__.write("LOADED " + " ".join(sorted(sys.modules)) + "\\n")
"""
NO_FACT = "def test_node(node):\n    assert node.ip\n"
FACT = "def test_cluster(aks):\n    assert {!r} in aks.profile.no_azure\n"
NO_CREDENTIALS = FACT.format("no credentials are configured")
# An id that is none ends the reading before anything is sent.
ASKED = FACT.format("is no id of a managed cluster")
NAMED = ("--aksnet-resource-id=my-cluster",)


@pytest.fixture(autouse=True)
def _no_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AZURE_TOKEN_CREDENTIALS", "IDENTITY_ENDPOINT", "MSI_ENDPOINT"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AZURE_TENANT_ID", "AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET"):
        monkeypatch.delenv(name, raising=False)


def _run(pytester: pytest.Pytester, mini: MiniCluster, *args: str) -> list[str]:
    """The modules of Azure that the run had loaded at its end."""
    kubeconfig = mini.kubeconfig(pytester.path)
    result = pytester.runpytest_subprocess(f"--aksnet-kubeconfig={kubeconfig}", *args)
    outcomes = result.parseoutcomes()
    assert set(outcomes) <= {"passed", "warnings"}, result.outlines
    [line] = [line for line in result.outlines if line.startswith("LOADED ")]
    return [name for name in line.split() if name.partition(".")[0] in ("azure", "msal")]


@pytest.mark.parametrize(
    ("source", "args", "loaded"),
    [
        (NO_CREDENTIALS, (), False),
        (NO_FACT, NAMED, False),
        (ASKED, (*NAMED, "-n2"), True),
    ],
    ids=["no credentials", "no fact", "a fact in workers"],
)
def test_azure_is_loaded_when_a_fact_of_it_is_wanted(
    pytester: pytest.Pytester, mini: MiniCluster, source: str, args: tuple[str, ...], loaded: bool
) -> None:
    pytester.makeconftest(CONFTEST)
    pytester.makepyfile(source)
    assert ("azure.identity" in _run(pytester, mini, *args)) == loaded


@pytest.mark.parametrize(
    ("mode", "package"),
    [
        ("importlib", False),
        ("prepend", True),
        pytest.param("importlib", True, marks=pytest.mark.thorough),
        pytest.param("prepend", False, marks=pytest.mark.thorough),
    ],
)
def test_tests_may_lie_in_a_folder_of_that_name(
    pytester: pytest.Pytester, mini: MiniCluster, mode: str, package: bool
) -> None:
    pytester.makeconftest(CONFTEST)
    folder = pytester.mkpydir("azure") if package else pytester.mkdir("azure")
    (folder / "test_mine.py").write_text(ASKED)
    assert "azure.identity" in _run(pytester, mini, *NAMED, f"--import-mode={mode}")
