"""A plugin of runs inside tests: says at the end what the lab's Azure Resource Manager was asked.

One line ARM ASKED {json}: how often, by method and resource type, and tokens.
"""

import asyncio
import json
import sys

import pytest

from pytest_aksnet.lab import client
from pytest_aksnet.lab_process import LabProcess


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Have the lab asked before it ends."""
    if hasattr(config, "workerinput"):
        return
    stop = LabProcess.stop

    def ask_and_stop(lab: LabProcess, *arguments: float) -> None:
        if lab.files is not None and lab.files.kubeconfig.exists():
            address = client.read_address(lab.files.kubeconfig)
            status = asyncio.run(client.call(address, "GET", "status"))
            print(f"\nARM ASKED {json.dumps(status['azure_asked'])}", file=sys.__stdout__)
        stop(lab, *arguments)

    setattr(LabProcess, "stop", ask_and_stop)  # noqa: B010  # no assignment to a method
