"""A lab without network and API: the container runtime alone, running one coroutine of a test.

As a program (`python -m tests.lab.bare_lab MODULE FUNCTION`) it is that lab. As a module it starts
the program, and has what the coroutines need inside.
"""

import importlib
import json
import os
import select
import subprocess
import sys
from collections.abc import Awaitable, Callable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

from pytest_aksnet.lab.container.boot import report_line, run
from pytest_aksnet.lab.container.client import LabSandbox
from pytest_aksnet.lab.container.context import BootContext, LabMain

ROOT = Path(__file__).parents[2]
ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}

Scenario = Callable[[BootContext], Awaitable[object]]


class BareLab:
    """A running lab, as its starter sees it."""

    def __init__(self, scenario: Scenario, *, life: bool = True) -> None:
        reading, self._life = os.pipe()
        self._has_life = life
        self._said: str | None = None
        self._ready, ready = os.pipe()
        module, name = scenario.__module__, scenario.__name__
        argv = [sys.executable, "-m", "tests.lab.bare_lab", module, name, str(ready)]
        self.process = subprocess.Popen(
            [*argv, str(reading if life else -1)],
            cwd=ROOT,
            pass_fds=(reading, ready),
            stderr=subprocess.PIPE,
        )
        os.close(reading)
        os.close(ready)

    def announced(self) -> dict[str, Any]:
        """The line that the lab writes when it is ready, or in trouble; {} for none."""
        assert select.select([self._ready], [], [], 30)[0], "the lab says nothing"
        with open(self._ready, encoding="utf-8", closefd=False) as pipe:
            line = pipe.readline()
        announced = json.loads(line) if line else {}
        assert isinstance(announced, dict)
        return announced

    def close(self) -> tuple[int, str]:
        """End it, by the life pipe where it has one; its exit status and its stderr."""
        if self._said is None:
            os.close(self._life)
            if not self._has_life:
                self.process.terminate()
            _, said = self.process.communicate(timeout=30)
            os.close(self._ready)
            self._said = said.decode()
        return self.process.returncode, self._said


def result_of(scenario: Scenario) -> Any:
    """Run a coroutine function of a test module in a lab of its own; what it returns, as JSON."""
    lab = BareLab(scenario)
    with closing(lab):
        announced = lab.announced()
    assert "result" in announced, announced
    return announced["result"]


async def output(
    sandbox: LabSandbox,
    *argv: str,
    env: Mapping[str, str] = ENVIRONMENT,
    stdin: bytes = b"",
    cwd: str = "/",
) -> tuple[int, str]:
    """Run a program to its end: exit status, and both outputs in one."""
    descriptors = [os.memfd_create(name) for name in ("stdin", "output")]
    try:
        os.write(descriptors[0], stdin)
        os.lseek(descriptors[0], 0, os.SEEK_SET)
        process = await sandbox.spawn(
            argv,
            env=env,
            stdin_fd=descriptors[0],
            stdout_fd=descriptors[1],
            stderr_fd=descriptors[1],
            cwd=cwd,
        )
        status = await process.wait()
        size = os.fstat(descriptors[1]).st_size
        return status, os.pread(descriptors[1], size, 0).decode(errors="replace")
    finally:
        for fd in descriptors:
            os.close(fd)


async def machine_and_pod(context: BootContext) -> tuple[LabSandbox, LabSandbox]:
    """One of each."""
    machine = await context.runtime.create_machine("node", hostname="node", etc={})
    pod = await context.runtime.create_pod(
        machine, "pod", hostname="pod", etc={}, host_network=False
    )
    return machine, pod


def _load(module: str, name: str) -> LabMain:
    scenario: Scenario = getattr(importlib.import_module(module), name)

    async def lab_main(context: BootContext) -> None:
        context.announce({"result": await scenario(context)})

    return lab_main


def _main() -> int:
    module, name, ready, life = sys.argv[1:]
    life_fd = int(life) if int(life) >= 0 else None
    return run(lambda: _load(module, name), life_fd=life_fd, report=report_line(int(ready)))


if __name__ == "__main__":
    sys.exit(_main())
