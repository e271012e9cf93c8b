"""Every topic of every mode can be read, and goes to a worker as it is."""

import importlib
import pkgutil
from concurrent.futures import ThreadPoolExecutor
from multiprocessing import Pipe
from pathlib import Path

import pytest

from pytest_aksnet import model
from pytest_aksnet.arm.topics import READERS
from pytest_aksnet.lab.options import MODES, LabOptions
from pytest_aksnet.model.arm import PLACE, Topic
from pytest_aksnet.shared_wire import Answer, receive, send
from tests.lab.arm_readings import readings_of
from tests.lab.arm_server import arm_server

_OPTIONS = {
    "overlay": LabOptions(mode="overlay", dual_stack=True, local_dns=True, arm_page_size=2),
    "node-subnet": LabOptions(mode="node-subnet", egress="nat-gateway", custom_dns=True),
    "pod-subnet": LabOptions(
        mode="pod-subnet", engine="cilium", egress="firewall", authorized_ranges=True
    ),
    "kubenet": LabOptions(mode="kubenet", egress="none"),
}


@pytest.mark.parametrize("mode", MODES)
def test_every_topic_is_read_and_sent(mode: str, tmp_path: Path) -> None:
    here, there = Pipe()
    with arm_server(tmp_path, _OPTIONS[mode]) as arm, ThreadPoolExecutor(1) as threads:
        arm.add_service("web", "198.51.100.17", up=[arm.world.spec.nodes[0].name])
        with readings_of(arm) as readings:
            for topic in (PLACE, *(reader.topic for reader in READERS)):
                reading = readings.reading(topic.name)
                assert reading.refusal is None, (topic.name, reading.refusal)
                arrives = threads.submit(receive, there)
                send(here, Answer(reading))
                assert arrives.result() == Answer(reading)
                for secret in (arm.environment["AZURE_CLIENT_SECRET"], "eyJ", "Bearer"):
                    assert secret not in repr(reading)


def test_every_topic_of_the_model_has_its_reader() -> None:
    names = [f"{model.__name__}.{one.name}" for one in pkgutil.iter_modules(model.__path__)]
    modules = [importlib.import_module(name) for name in names]
    there = {
        id(value): value.name
        for module in modules
        for value in vars(module).values()
        if isinstance(value, Topic)
    }
    assert sorted(there.values()) == sorted(
        (PLACE.name, *(reader.topic.name for reader in READERS))
    )
