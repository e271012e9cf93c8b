"""No cluster: one clear line, exit code 4, nothing written, and no connection without need."""

import socket
from pathlib import Path

import pytest

from tests.plugin.inner_run import run_pytest

SUITE = '''
import pytest

@pytest.mark.aksnet(id="dns.name", feature="dns", severity="major")
def test_name(netshoot, node):
    """A name resolves."""

def test_unrelated():
    assert True
'''
BOTH_WAYS = ("--aksnet-kubeconfig", "--aksnet-lab")


@pytest.fixture(autouse=True)
def _no_kubeconfig(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("KUBECONFIG", "KUBERNETES_SERVICE_HOST"):
        monkeypatch.delenv(name, raising=False)


def kubeconfig(server: str) -> Path:
    path = Path("kubeconfig")
    path.write_text(
        "apiVersion: v1\nkind: Config\ncurrent-context: here\n"
        "contexts: [{name: here, context: {cluster: c, user: u}}]\n"
        f"clusters: [{{name: c, cluster: {{server: '{server}'}}}}]\n"
        "users: [{name: u, user: {token: abc}}]\n",
        encoding="utf-8",
    )
    return path


def refused(pytester: pytest.Pytester, *args: str) -> str:
    """The one line of a run that is refused."""
    pytester.makepyfile(SUITE)
    result = run_pytest(pytester, *args)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert "Traceback" not in "\n".join(result.outlines + result.errlines)
    [line] = [line for line in result.errlines if line.strip()]
    assert line.startswith("ERROR: ")
    return line


@pytest.mark.parametrize(
    "args", [(), ("-n2",), ("-p", "no:cacheprovider"), ("--co",)], ids=" ".join
)
def test_no_cluster_and_no_lab_names_both_ways_out(
    pytester: pytest.Pytester, args: tuple[str, ...]
) -> None:
    line = refused(pytester, *args)
    assert all(way in line for way in BOTH_WAYS)


def test_a_missing_kubeconfig_is_named(pytester: pytest.Pytester) -> None:
    assert "--aksnet-kubeconfig" in refused(pytester, "--aksnet-kubeconfig=no-such-file")


def test_an_unknown_context_is_named(pytester: pytest.Pytester) -> None:
    path = kubeconfig("https://127.0.0.1:1")
    line = refused(pytester, f"--aksnet-kubeconfig={path}", "--aksnet-context=there")
    assert "there" in line


@pytest.mark.parametrize("args", [(), ("-n2",)], ids=" ".join)
def test_an_api_server_that_does_not_answer_is_named(
    pytester: pytest.Pytester, args: tuple[str, ...]
) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        server = f"https://127.0.0.1:{unused.getsockname()[1]}"
        line = refused(pytester, f"--aksnet-kubeconfig={kubeconfig(server)}", *args)
    assert server in line


def test_a_wrong_site_file_is_named_before_anything_is_connected(
    pytester: pytest.Pytester,
) -> None:
    Path("site.toml").write_text("nonsense = 1\n", encoding="utf-8")
    line = refused(pytester, "--aksnet-config=site.toml")
    assert "site.toml: nonsense: unknown key" in line


@pytest.mark.parametrize("args", [(), ("-n2",)], ids=" ".join)
def test_a_refused_run_leaves_the_last_report_alone(
    pytester: pytest.Pytester, args: tuple[str, ...]
) -> None:
    out = pytester.mkdir("out")
    names = ("results.json", "results.jsonl", "report.html", "junit.xml")
    for name in names:
        (out / name).write_text("last run", encoding="utf-8")
    refused(pytester, "--aksnet-report-dir=out", *args)
    assert [(out / name).read_text(encoding="utf-8") for name in names] == ["last run"] * 4


def test_deselected_checks_need_no_cluster(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(SUITE)
    result = run_pytest(pytester, "-k", "unrelated")
    assert result.ret == pytest.ExitCode.OK
    result.assert_outcomes(passed=1, deselected=1)


def test_cleanup_needs_a_cluster(pytester: pytest.Pytester) -> None:
    result = run_pytest(pytester, "--aksnet-cleanup")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: *--aksnet-kubeconfig*"])


def test_cleanup_of_the_lab_is_refused(pytester: pytest.Pytester) -> None:
    result = run_pytest(pytester, "--aksnet-cleanup", "--aksnet-lab")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: *leaves nothing behind*"])
