"""The SDK's models are worked out by one thread at a time: many at once read what is there."""

import subprocess
import sys

from azure.mgmt.monitor import MonitorManagementClient
from azure.mgmt.network import NetworkManagementClient
from azure.mgmt.network._utils.model_base import Model

from pytest_aksnet.arm.sdk_models import lock_models

# In a new process, as each class is worked out once.
MANY_AT_ONCE = """
import sys
import threading
from azure.mgmt.network import NetworkManagementClient, models
from pytest_aksnet.arm.sdk_models import lock_models
lock_models(NetworkManagementClient)
sys.setswitchinterval(1e-6)
DOCUMENT = {"properties": {"ipConfigurations": [{"properties": {"subnet": {"id": "s"}}}]}}
found = []
barrier = threading.Barrier(8)
def read():
    barrier.wait()
    nic = models.NetworkInterface(DOCUMENT)
    found.append(nic.ip_configurations[0].subnet.id)
threads = [threading.Thread(target=read) for _ in range(8)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(found)
"""


def test_many_threads_read_models_at_once() -> None:
    ended = subprocess.run(
        [sys.executable, "-c", MANY_AT_ONCE], capture_output=True, text=True, check=True
    )
    assert ended.stderr == ""
    assert ended.stdout.strip() == str(["s"] * 8)


def test_models_are_locked_once() -> None:
    lock_models(NetworkManagementClient)
    locked = Model.__new__
    lock_models(NetworkManagementClient)
    assert Model.__new__ is locked


def test_a_client_without_such_models_has_nothing_to_lock() -> None:
    lock_models(MonitorManagementClient)
