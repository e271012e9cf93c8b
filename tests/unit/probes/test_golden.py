"""Every recorded output of a real tool reads as it did when it was recorded and looked at."""

import dataclasses
import enum
import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from pytest_aksnet.check import Probe
from pytest_aksnet.model import errors
from pytest_aksnet.model.execution import Completed
from pytest_aksnet.model.observation import Observation
from pytest_aksnet.probes.cni import CniFiles
from pytest_aksnet.probes.curl import Curl
from pytest_aksnet.probes.dig import Dig
from pytest_aksnet.probes.dig_denial import DigDenial
from pytest_aksnet.probes.http_text import GetText
from pytest_aksnet.probes.iperf3 import Iperf3
from pytest_aksnet.probes.kernel import Kernel
from pytest_aksnet.probes.nc import Nc
from pytest_aksnet.probes.nic import Nics
from pytest_aksnet.probes.numbers import Numbers
from pytest_aksnet.probes.pod_interfaces import InterfacesOfPod
from pytest_aksnet.probes.resolver import ResolvConf, SearchQueries

GOLDEN = Path(__file__).parents[2] / "golden" / "probes"
CASES = sorted(GOLDEN.glob("*/*.json"))
KINDS = {
    kind.__name__: kind
    for kind in (
        CniFiles,
        Curl,
        Dig,
        DigDenial,
        GetText,
        InterfacesOfPod,
        Iperf3,
        Kernel,
        Nc,
        Nics,
        Numbers,
        ResolvConf,
        SearchQueries,
    )
}


def as_json(value: object) -> object:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: as_json(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, Mapping):
        return {key: as_json(item) for key, item in value.items()}
    return [as_json(item) for item in value] if isinstance(value, tuple) else value


def test_there_are_recorded_cases() -> None:
    assert len(CASES) >= 30


@pytest.mark.parametrize("path", CASES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_recorded_output_reads_as_recorded(path: Path) -> None:
    case = json.loads(path.read_text())
    arguments = {key: value for key, value in case["probe"].items() if key != "kind"}
    probe: Probe[Observation] = KINDS[case["probe"]["kind"]](**arguments)
    stderr = path.with_suffix(".err")
    completed = Completed(
        argv=probe.build(),
        exit_code=case["exit_code"],
        stdout=path.with_suffix(".out").read_text(),
        stderr=stderr.read_text() if stderr.exists() else "",
        duration_s=case["duration_s"],
    )
    if "raises" in case:
        with pytest.raises(getattr(errors, case["raises"])):
            probe.parse(completed)
    else:
        assert as_json(probe.parse(completed)) == case["observation"]
