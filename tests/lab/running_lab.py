"""Starts a lab as a process with a life pipe and a ready pipe, and ends it."""

import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

START_SECONDS = 30.0
END_SECONDS = 15.0


class LabDidNotStart(Exception):
    """What the lab said instead of being ready."""


@dataclass
class RunningLab:
    """A lab that is ready."""

    mode: str
    engine: str
    kubeconfig: Path
    site: Path
    azure: Path
    process: "subprocess.Popen[bytes]"
    life_fd: int

    def end(self) -> None:
        """Close the life pipe and wait for the end; harmless when repeated."""
        if self.life_fd >= 0:
            os.close(self.life_fd)
            self.life_fd = -1
        self.process.wait(END_SECONDS)

    def tool(
        self, *arguments: str, stdin: str = "", timeout_s: float = 20.0
    ) -> "subprocess.CompletedProcess[str]":
        """Run `aksnet-lab` on this lab."""
        return subprocess.run(
            [sys.executable, "-m", "pytest_aksnet.lab", *arguments],
            env={**os.environ, "KUBECONFIG": str(self.kubeconfig)},
            input=stdin,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )


def start_lab(
    mode: str = "overlay",
    engine: str = "calico",
    *faults: str,
    settings: Sequence[str] = (),
    spec: Path | None = None,
) -> RunningLab:
    """Start a lab and wait until it is ready; `settings` as --set takes them, `spec` as --spec.

    Raises LabDidNotStart.
    """
    life_read, life_write = os.pipe()
    ready_read, ready_write = os.pipe()
    process = subprocess.Popen(
        [
            *serve_argv(mode, engine, faults, life_fd=life_read, ready_fd=ready_write),
            *(f"--set={setting}" for setting in settings),
            *(() if spec is None else (f"--spec={spec}",)),
        ],
        stdin=subprocess.DEVNULL,
        pass_fds=(life_read, ready_write),
    )
    os.close(life_read)
    os.close(ready_write)
    with open(ready_read, "rb", buffering=0) as pipe:
        line = read_line(pipe.fileno(), START_SECONDS)
    said = json.loads(line or b'{"error": "nothing"}')
    if "error" in said:
        os.close(life_write)
        process.wait(END_SECONDS)
        raise LabDidNotStart(said["error"])
    return RunningLab(
        mode=mode,
        engine=engine,
        kubeconfig=Path(said["kubeconfig"]),
        site=Path(said["site"]),
        azure=Path(said["azure"]),
        process=process,
        life_fd=life_write,
    )


def serve_argv(
    mode: str, engine: str, faults: Sequence[str], *, life_fd: int, ready_fd: int
) -> list[str]:
    """The command line of a lab."""
    return [
        *(sys.executable, "-m", "pytest_aksnet.lab", "serve"),
        *(f"--mode={mode}", f"--engine={engine}"),
        *(f"--fault={fault}" for fault in faults),
        *(f"--life-fd={life_fd}", f"--ready-fd={ready_fd}"),
    ]


def read_line(fd: int, seconds: float) -> bytes:
    """What a pipe says up to a newline, its end, or the deadline."""
    deadline = time.monotonic() + seconds
    line = b""
    while not line.endswith(b"\n"):
        left = deadline - time.monotonic()
        if left <= 0 or not select.select([fd], [], [], left)[0]:
            break
        chunk = os.read(fd, 65536)
        if not chunk:
            break
        line += chunk
    return line
