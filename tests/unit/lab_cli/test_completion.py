"""Completion of `aksnet-lab`: what may come after which words."""

import shutil
import subprocess
from collections.abc import Mapping
from typing import Any

import pytest

from pytest_aksnet.lab.completion import SCRIPTS, candidates

NODE = "aks-user-31337042-vmss000000"
ANSWERS: Mapping[str, Mapping[str, Any]] = {
    "topology": {
        "hosts": [{"name": "vm"}],
        "nodes": [{"name": NODE, "pods": [{"namespace": "default", "name": "web"}]}],
    },
    "faults": {
        "faults": [
            {"name": "api-429", "unfit": "", "takes_node": False, "injected": ["api-429=0.5"]},
            {"name": "rx-drops", "unfit": "", "takes_node": True, "injected": []},
            {"name": "half-broken", "unfit": "set dual-stack", "takes_node": False, "injected": []},
        ]
    },
}


def found(*words: str) -> list[str]:
    return candidates(words, ANSWERS.__getitem__, lambda: ["api-429", "rx-drops"])


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ((), ["up", "status", "kubeconfig", "exec", "fault", "graph", "completion"]),
        (("up", "--mode"), ["overlay", "node-subnet", "pod-subnet", "kubenet"]),
        (("up", "--engine"), ["none", "azure", "calico", "cilium"]),
        (("up", "--mode", "overlay", "--fault"), ["api-429", "rx-drops"]),
        (("up", "--spec"), []),
        (("graph", "-o"), []),
        (("fault",), ["list", "show", "inject", "heal"]),
        (("fault", "inject"), ["api-429", "rx-drops", f"rx-drops@{NODE}"]),
        (("fault", "heal"), ["api-429=0.5"]),
        (("fault", "show"), ["api-429", "rx-drops", "half-broken"]),
        (("exec",), ["fabric", "internet", "host/vm", f"node/{NODE}", "pod/default/web"]),
        (("exec", "fabric", "--"), []),
        (("completion",), ["bash", "zsh"]),
        (("nonsense",), []),
    ],
)
def test_what_may_come_next(words: tuple[str, ...], expected: list[str]) -> None:
    assert found(*words) == expected


def test_settings_are_offered_as_the_lab_takes_them() -> None:
    from pytest_aksnet.lab.options import lab_options, parse_setting

    for setting in found("up", "--set"):
        key, value = parse_setting(setting if not setting.endswith("=") else f"{setting}64")
        assert key in ("dual-stack", "static-blocks") or lab_options({key: value})


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("aksnet-lab fault in", ["inject"]),
        ("aksnet-lab fault inject rx-drops@aks-u", [NODE]),
        ("aksnet-lab fault heal api-429=", ["0.5"]),
        ("aksnet-lab fault heal ", ["api-429=0.5"]),
    ],
)
def test_bash_puts_the_rest_of_the_word(line: str, expected: list[str]) -> None:
    """What readline takes as the current word begins after =, : or @."""
    current = line.rpartition(" ")[2]
    for mark in "=@":
        _, found_mark, tail = current.rpartition(mark)
        current = (tail or mark) if found_mark else current
    answers = "".join(
        f"'complete {' '.join(words)}') echo {' '.join(found(*words))} ;;\n"
        for words in (("fault",), ("fault", "inject"), ("fault", "heal"))
    )
    script = f"""
    aksnet-lab() {{ case "$*" in {answers} esac; }}
    compopt() {{ :; }}
    {SCRIPTS["bash"]}
    COMP_LINE={line!r} COMP_WORDS=({current!r}) COMP_CWORD=0
    COMP_POINT=${{#COMP_LINE}}
    _aksnet_lab
    printf '%s\\n' "${{COMPREPLY[@]}}"
    """
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.split() == expected, done.stderr


@pytest.mark.parametrize("shell", sorted(SCRIPTS))
def test_each_script_is_one_of_its_shell(shell: str) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    subprocess.run([shell, "-n", "-c", SCRIPTS[shell]], check=True)
