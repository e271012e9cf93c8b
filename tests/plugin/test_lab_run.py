"""The plugin and the embedded lab: one lab per run, named everywhere, gone with the run."""

import contextlib
import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

SUITE = '''
import pytest

@pytest.mark.aksnet(id="pod-network.reach", feature="pod-network", severity="major")
def test_reach(netshoot, node_pair, aks):
    """Pods on two nodes reach one another."""
    assert aks.is_lab
    source, target = node_pair
    netshoot(on=source).assert_connects(netshoot(on=target))
'''
DEADLINE_S = 30.0


def descendants(pid: int) -> list[int]:
    """The processes that a process has started, and those that they have; none of an ended one."""
    found = []
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in (task / "children").read_text(encoding="ascii").split():
                found += [int(child), *descendants(int(child))]
    return found


def until(true: Callable[[], bool]) -> bool:
    """Whether it becomes true before the deadline."""
    deadline = time.monotonic() + DEADLINE_S
    while not true() and time.monotonic() < deadline:
        time.sleep(0.05)
    return true()


@pytest.mark.parametrize("args", [(), ("-n2", "--aksnet-lab-spec=lab.toml")], ids=" ".join)
def test_a_lab_run_says_everywhere_that_it_is_one(
    pytester: pytest.Pytester, args: tuple[str, ...]
) -> None:
    pytester.makepyfile(SUITE)
    spec = pytester.path / "lab.toml"
    spec.write_text('mode = "overlay"\nengine = "cilium"\negress = "nat-gateway"\n', "utf-8")
    result = pytester.runpytest_subprocess("--aksnet-lab=node-subnet:none", *args)
    result.assert_outcomes(passed=3)
    of_spec = f" of {spec}" if args else ""
    result.stdout.fnmatch_lines(
        [f"aksnet: run *, embedded lab node-subnet:none{of_spec}, no live cluster"]
    )
    reports = pytester.path / "reports"
    results = json.loads((reports / "results.json").read_text(encoding="utf-8"))
    assert results["run"]["target"] == "lab"
    assert results["run"]["lab"] == "node-subnet:none"
    assert results["profile"]["mode"]["value"] == "node-subnet"
    assert len(results["cluster"]["nodes"]) == 3
    assert all(check["evidence"] for check in results["checks"])
    page = (reports / "report.html").read_text(encoding="utf-8")
    label = "embedded lab (node-subnet:none)"
    assert f'<title id="head-title">AKS network conformance of the {label}' in page
    assert f'<h1 id="title">AKS network conformance of the {label}' in page
    assert "No live cluster was looked at." in page
    assert "What of this lab is real" in page
    assert "no packet takes another path" in page
    options = {
        "mode": "node-subnet",
        "engine": "none",
        **({"egress": "nat-gateway"} if args else {}),
    }
    assert results["run"]["lab_options"] == options
    assert any("tbf" in sentence for sentence in results["run"]["lab_real"])
    assert "embedded lab node-subnet:none" in (reports / "junit.xml").read_text(encoding="utf-8")


@pytest.mark.parametrize("args", [(), ("-n2",)], ids=" ".join)
def test_a_lab_that_cannot_start_is_one_line(
    pytester: pytest.Pytester, args: tuple[str, ...]
) -> None:
    pytester.makepyfile(SUITE)
    result = pytester.runpytest_subprocess("--aksnet-lab", "--aksnet-lab-fault=nonsense", *args)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    [line] = [line for line in result.errlines if line.strip()]
    assert line.startswith("ERROR: the embedded lab did not start: unknown fault 'nonsense'")


@pytest.mark.parametrize("args", [[], ["-n2"]], ids=" ".join)
def test_nothing_of_a_killed_run_is_left(tmp_path: Path, args: list[str]) -> None:
    (tmp_path / "test_killed.py").write_text(
        "import time\n"
        "def test_it(netshoot, aksnet_session):\n"
        "    netshoot()\n"
        "    with open('kubeconfig-path', 'w') as file:\n"
        "        file.write(aksnet_session.cluster.access.kubectl[1] + ' ')\n"
        "    time.sleep(60)\n",
        encoding="utf-8",
    )
    said = tmp_path / "kubeconfig-path"
    run = subprocess.Popen(
        [sys.executable, "-m", "pytest", "--aksnet-lab=overlay", "test_killed.py", *args],
        cwd=tmp_path,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        assert until(lambda: said.exists() and said.read_text(encoding="utf-8").endswith(" "))
        state_dir = Path(said.read_text(encoding="utf-8").strip()).parent
        assert state_dir.is_dir()
        started = descendants(run.pid)
        assert len(started) > 3
    finally:
        run.send_signal(signal.SIGKILL)
        run.wait()
    assert until(lambda: not state_dir.exists())
    assert until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in started))
