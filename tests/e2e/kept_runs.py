"""What runs of the suites skipped, kept for the tests of all workers of a session."""

import fcntl
import hashlib
import json
from collections.abc import Callable
from pathlib import Path

from tests.e2e.suite_run import SuiteRun


class KeptRuns:
    """Runs by what they were asked for, in files of a folder that the workers share."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(exist_ok=True)
        self._folder = folder

    def skipped(self, asked: object, run: Callable[[Path], SuiteRun]) -> frozenset[str]:
        """What the run that was `asked` for skipped, as `id[parameters]`.

        The first who asks makes it with `run`, in a folder of its own; others wait for it.
        """
        name = hashlib.sha256(repr(asked).encode()).hexdigest()[:16]
        kept = self._folder / f"{name}.json"
        with (self._folder / f"{name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not kept.exists():
                own = self._folder / name
                own.mkdir(exist_ok=True)
                kept.write_text(json.dumps(sorted(run(own).skipped())), encoding="utf-8")
        return frozenset(json.loads(kept.read_text("utf-8")))
