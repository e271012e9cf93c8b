"""Starts the embedded lab as a process of its own, waits until it serves, and ends it.

Knows the lab only by its command line and by the two pipes: the lab ends with everything in it
when the write end of the life pipe closes, which the kernel does for us when this process dies.
Imports nothing of the lab.
"""

import contextlib
import json
import os
import select
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from pytest_aksnet.model.errors import EnvironmentProblem

READY_TIMEOUT_S = 60.0
END_TIMEOUT_S = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class LabFiles:
    """What a lab that serves has announced. `azure` has the environment of its Azure.

    `about` is what it says of itself: `options` that are not as by default, and in sentences what
    of it is `real` and what a `facade`.
    """

    kubeconfig: Path
    site: Path
    azure: Path | None = None
    about: Mapping[str, object] = field(default_factory=dict)


class LabProcess:
    """One lab. `start` returns at once, `wait_ready` when it serves, `stop` when it is gone."""

    def __init__(
        self, process: subprocess.Popen[bytes], life_fd: int, ready_fd: int, stderr: IO[bytes]
    ) -> None:
        self._process = process
        self._life_fd = life_fd
        self._ready_fd = ready_fd
        self._stderr = stderr
        self._files: LabFiles | None = None

    @classmethod
    def start(
        cls,
        mode: str,
        engine: str,
        faults: Sequence[str],
        *,
        spec_file: Path | None = None,
        command: Sequence[str] = (),
    ) -> "LabProcess":
        """Start a lab of that mode and policy engine with these faults injected.

        `spec_file` has the rest of its options. `command` stands before the arguments; by default
        the lab of this installation.
        """
        life_read, life_write = os.pipe()
        ready_read, ready_write = os.pipe()
        stderr = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the process
        argv = [
            *(command or (sys.executable, "-m", "pytest_aksnet.lab")),
            "serve",
            f"--mode={mode}",
            f"--engine={engine}",
            *(f"--fault={fault}" for fault in faults),
            *([] if spec_file is None else [f"--spec={spec_file}"]),
            f"--life-fd={life_read}",
            f"--ready-fd={ready_write}",
        ]
        try:
            process = subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=stderr,
                pass_fds=(life_read, ready_write),
                # Ctrl-C goes to the foreground process group: the lab must outlive it, because
                # the teardown of the running test still needs it.
                start_new_session=True,
            )
        except BaseException:
            for descriptor in (life_write, ready_read):
                os.close(descriptor)
            stderr.close()
            raise
        finally:
            os.close(life_read)
            os.close(ready_write)
        return cls(process, life_write, ready_read, stderr)

    def wait_ready(self, timeout_s: float = READY_TIMEOUT_S) -> LabFiles:
        """Wait until the lab serves. Raises EnvironmentProblem with what it says is missing."""
        if self._files is None:
            self._files = self._read_announcement(time.monotonic() + timeout_s, timeout_s)
        return self._files

    def _read_announcement(self, deadline: float, timeout_s: float) -> LabFiles:
        line = b""
        while not line.endswith(b"\n"):
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self._ready_fd], [], [], left)[0]:
                raise EnvironmentProblem(
                    f"the embedded lab did not serve within {timeout_s:.0f} s; {self._last_words()}"
                )
            chunk = os.read(self._ready_fd, 65536)
            if not chunk:
                break
            line += chunk
        if not line:
            raise EnvironmentProblem(f"the embedded lab did not start; {self._last_words()}")
        announcement = json.loads(line)
        if "error" in announcement:
            raise EnvironmentProblem(f"the embedded lab did not start: {announcement['error']}")
        return LabFiles(
            kubeconfig=Path(announcement["kubeconfig"]),
            site=Path(announcement["site"]),
            azure=Path(announcement["azure"]) if "azure" in announcement else None,
            about=announcement.get("about", {}),
        )

    @property
    def files(self) -> LabFiles | None:
        """What it has announced, None where nobody has waited for it."""
        return self._files

    def _last_words(self) -> str:
        self._stderr.seek(0)
        lines = self._stderr.read().decode("utf-8", "replace").strip().splitlines()
        return f"its last words: {lines[-1]}" if lines else "it said nothing"

    def stop(self, timeout_s: float = END_TIMEOUT_S) -> None:
        """End the lab and wait until it is gone. Does nothing the second time."""
        if self._life_fd < 0:
            return
        os.close(self._life_fd)
        self._life_fd = -1
        try:
            self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        os.close(self._ready_fd)
        with contextlib.suppress(OSError):
            self._stderr.close()
