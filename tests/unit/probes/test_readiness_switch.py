"""The command that ends a pod's readiness, and the pod that it is for."""

import pytest

from pytest_aksnet.model.errors import OutputUnparsable, ToolMissing
from pytest_aksnet.model.execution import Completed
from pytest_aksnet.probes.readiness_switch import CONTAINER, SPEC, TurnUnready


def ended(exit_code: int, stderr: str = "") -> Completed:
    argv = TurnUnready().build()
    return Completed(argv=argv, exit_code=exit_code, stdout="", stderr=stderr, duration_s=0.1)


def test_the_probe_looks_for_the_file_that_the_command_makes() -> None:
    [tool, file] = TurnUnready().build()
    probe = CONTAINER["readinessProbe"]
    assert isinstance(probe, dict)
    assert tool == "touch"
    assert probe["exec"]["command"] == ["test", "!", "-e", file]
    mounts = CONTAINER["volumeMounts"]
    assert isinstance(mounts, list)
    [mount] = mounts
    assert file.startswith(f"{mount['mountPath']}/")
    assert {"volumes": [{"name": mount["name"], "emptyDir": {}}]} == SPEC


def test_what_could_not_be_made_is_no_change() -> None:
    assert TurnUnready().parse(ended(0)).facts == {"made": "/aksnet/unready"}
    with pytest.raises(OutputUnparsable, match="cannot be made"):
        TurnUnready().parse(ended(1, "touch: cannot touch: Read-only file system"))
    with pytest.raises(ToolMissing):
        TurnUnready().parse(ended(127))
