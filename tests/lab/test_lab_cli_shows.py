"""What `aksnet-lab` shows of a running lab: status, kubeconfig, faults, graph, completion."""

import os
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from pytest_aksnet.lab.cli import main
from tests.lab.running_lab import RunningLab
from tests.lab.user import User

Tool = Callable[..., tuple[int, str, str]]


@pytest.fixture
def tool(
    lab: RunningLab, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Tool:
    """Runs `aksnet-lab` in this process: its exit status and what it printed."""
    monkeypatch.setenv("KUBECONFIG", str(lab.kubeconfig))

    def run(*arguments: str) -> tuple[int, str, str]:
        capsys.readouterr()
        code = main(arguments)
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


def test_status_says_what_runs(tool: Tool, lab: RunningLab) -> None:
    code, said, _ = tool("status")
    assert code == 0
    lines = {line.partition(":")[0]: line.partition(":")[2].strip() for line in said.splitlines()}
    assert lines["mode"] == "overlay"
    assert lines["engine"] == "calico"
    assert lines["egress"] == "load-balancer 198.51.100.1"
    assert lines["nodes"] == "3"
    assert lines["faults"] == "none"
    assert lines["kubeconfig"] == str(lab.kubeconfig)
    assert lines["site file"] == str(lab.site)
    [node] = [line.split() for line in said.splitlines() if "vmss000001" in line]
    assert node[1:5] == ["user", "Standard_F2s_v2", "westeurope-2", "10.224.0.6"]


def test_kubeconfig_is_printed_or_merged(tool: Tool, lab: RunningLab, tmp_path: Path) -> None:
    assert tool("kubeconfig") == (0, f"{lab.kubeconfig.resolve()}\n", "")
    target = tmp_path / "folder" / "config"
    for _ in range(2):
        assert tool("kubeconfig", "--merge", str(target))[0] == 0
    content = yaml.safe_load(target.read_text())
    assert [one["name"] for one in content["contexts"]] == ["aksnet-lab"]
    assert "current-context" not in content
    assert target.stat().st_mode & 0o777 == 0o600
    other = {"name": "prod", "cluster": {"server": "https://prod.example.com"}}
    target.write_text(yaml.safe_dump({**content, "clusters": [other], "current-context": "prod"}))
    assert tool("kubeconfig", "--merge", str(target))[1] == (
        "kubectl --context=aksnet-lab get nodes\n"
    )
    content = yaml.safe_load(target.read_text())
    assert [one["name"] for one in content["clusters"]] == ["prod", "aksnet-lab"]
    assert content["current-context"] == "prod"
    shown = subprocess.run(
        ["kubectl", f"--kubeconfig={target}", "--context=aksnet-lab", "get", "nodes", "-oname"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert len(shown.stdout.splitlines()) == 3


@pytest.mark.parametrize("content", ["[]", "a: [", "kind: Pod"])
def test_what_is_no_kubeconfig_is_left_alone(tool: Tool, tmp_path: Path, content: str) -> None:
    target = tmp_path / "config"
    target.write_text(content)
    code, _, said = tool("kubeconfig", "--merge", str(target))
    assert code == 1
    assert said.startswith(f"aksnet-lab: --merge {target}: it is no ")
    assert said.count("\n") == 1
    assert target.read_text() == content


def test_faults_are_shown_one_by_one(tool: Tool) -> None:
    code, said, _ = tool("fault", "show", "rx-drops")
    assert code == 0
    assert said.startswith("rx-drops[=VALUE][@NODE]\n  One node drops a share of the frames")
    assert "VALUE: probability per frame (default 0.05)" in said
    assert "injected: no" in said
    code, _, said = tool("fault", "show", "rx-drop")
    assert (code, said.count("\n")) == (1, 1)
    assert said.startswith("aksnet-lab: unknown fault 'rx-drop': did you mean rx-drops")


def test_healing_on_one_node_says_where_else_it_is_broken(tool: Tool, user: User) -> None:
    first, second, _ = user.nodes()
    try:
        tool("fault", "inject", f"rx-drops=0.1@{first}")
        tool("fault", "inject", f"rx-drops=0.2@{second}")
        left = f"still injected: rx-drops=0.2@{second}\n"
        assert tool("fault", "heal", f"rx-drops@{first}") == (0, left, "")
        assert tool("fault", "heal", f"rx-drops@{second}") == (0, "", "")
    finally:
        user.heal_all()


def test_the_graph_shows_nodes_pods_services_and_faults(
    tool: Tool, user: User, tmp_path: Path
) -> None:
    user.create_reflector("drawn", node=user.nodes()[0])
    user.create_service("drawn", kind="LoadBalancer")
    user.ready("drawn")
    file = tmp_path / "lab.svg"
    try:
        tool("fault", "inject", "icmp-blocked")
        tool("fault", "inject", "rx-drops=0.5")
        user.eventually(
            lambda: f"{user.namespace}/drawn" in tool("graph")[1], "the frontend is drawn"
        )
        assert tool("graph", "-o", str(file)) == (0, "", "")
    finally:
        user.heal_all()
    root = ElementTree.parse(file).getroot()
    shown = ["".join(item.itertext()) for item in root.iter("{http://www.w3.org/2000/svg}text")]
    for text in ("drawn", user.pod_ip("drawn"), "fault: icmp-blocked", "rx-drops=0.5", "peered-vm"):
        assert text in shown
    assert any(text.startswith("frontend 198.51.100.") for text in shown)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["frobnicate"], "invalid choice: 'frobnicate' (choose from 'up', 'status', "),
        (["fault", "break"], "invalid choice: 'break' (choose from 'list', 'show', "),
        (["completion", "fish"], "invalid choice: 'fish' (choose from 'bash', 'zsh')"),
        (["graph", "--to=x"], "unrecognized arguments: --to=x: see `aksnet-lab --help`"),
        ([], "the following arguments are required: COMMAND"),
    ],
)
def test_unknown_words_are_one_line(
    arguments: list[str], named: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    said = capsys.readouterr().err
    assert ended.value.code == 2
    assert said.startswith("aksnet-lab: ")
    assert named in said
    assert said.count("\n") == 1


def test_a_file_that_cannot_be_written_is_one_line(tool: Tool) -> None:
    assert tool("graph", "-o", "/nowhere/lab.svg") == (
        1,
        "",
        "aksnet-lab: --output /nowhere/lab.svg: No such file or directory\n",
    )


def test_completion_knows_the_running_lab(tool: Tool) -> None:
    assert "complete -o default -F _aksnet_lab aksnet-lab" in tool("completion", "bash")[1]
    assert "node/aks-user-31337042-vmss000001" in tool("complete", "exec")[1].splitlines()
    faults = tool("complete", "fault", "inject")[1].splitlines()
    assert "nic-without-vf@aks-user-31337042-vmss000001" in faults
    assert "packet-loss" in tool("complete", "up", "--fault")[1].splitlines()


def test_a_reader_that_goes_early_is_no_error(lab: RunningLab) -> None:
    done = subprocess.run(
        [
            "bash",
            "-c",
            f"{sys.executable} -m pytest_aksnet.lab fault list | head -1; echo ${{PIPESTATUS[0]}}",
        ],
        env={**os.environ, "KUBECONFIG": str(lab.kubeconfig)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == ""
    assert done.stdout.split()[-1] in ("0", "141")


def test_without_a_lab_completion_says_nothing(
    tool: Tool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("KUBECONFIG")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert tool("complete", "exec") == (1, "", "")
