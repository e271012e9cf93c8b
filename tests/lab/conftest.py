"""Labs for the tests of this folder: real ones, started as processes, as the plugin does."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pytest_aksnet.lab.options import LabOptions
from tests.lab.arm_clients import Clients
from tests.lab.arm_server import RunningArm, arm_server
from tests.lab.raw_api import RawApi
from tests.lab.running_lab import RunningLab, start_lab
from tests.lab.user import User

Labs = Callable[[str, str], RunningLab]


@pytest.fixture(scope="session")
def labs() -> Iterator[Labs]:
    """Labs by mode and engine, each started when it is first asked for."""
    running: dict[tuple[str, str], RunningLab] = {}

    def lab_of(mode: str, engine: str) -> RunningLab:
        if (mode, engine) not in running:
            running[mode, engine] = start_lab(mode, engine)
        return running[mode, engine]

    yield lab_of
    for lab in running.values():
        lab.end()


@pytest.fixture(scope="session")
def lab(labs: Labs) -> RunningLab:
    """A lab as it is by default: overlay, calico."""
    return labs("overlay", "calico")


_EACH_MODE = (
    *("overlay", "node-subnet"),
    *(pytest.param(mode, marks=pytest.mark.thorough) for mode in ("pod-subnet", "kubenet")),
)


@pytest.fixture(scope="session", params=_EACH_MODE)
def each_lab(request: pytest.FixtureRequest, labs: Labs) -> RunningLab:
    """A lab of each mode."""
    return labs(request.param, "calico")


@pytest.fixture
def user(lab: RunningLab) -> Iterator[User]:
    """Somebody who works in a namespace of the default lab."""
    with User(lab) as user:
        yield user


@pytest.fixture
def user_of_each(each_lab: RunningLab) -> Iterator[User]:
    """Somebody who works in a namespace of a lab of each mode."""
    with User(each_lab) as user:
        yield user


@pytest.fixture
def api(lab: RunningLab, tmp_path: Path) -> Iterator[RawApi]:
    """The API of the default lab, which is healed afterwards, whatever the test did."""
    found = RawApi(lab, tmp_path)
    yield found
    for fault in found.injected():
        found.heal(fault)


@pytest.fixture(scope="module")
def arm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningArm]:
    """ARM of the default lab, without a lab around it."""
    with arm_server(tmp_path_factory.mktemp("arm"), LabOptions()) as running:
        yield running


@pytest.fixture(scope="module")
def clients(arm: RunningArm) -> Clients:
    """Clients of the module's ARM."""
    return arm.clients
