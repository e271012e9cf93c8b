"""A command whose long output is known beforehand, to see whether it arrives whole: `seq`."""

import hashlib
from dataclasses import dataclass

from pytest_aksnet.model.execution import Completed
from pytest_aksnet.model.observation import FactSheet
from pytest_aksnet.probes.exit_status import require_ran

LAST = 20_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Numbers:
    """The numbers 1 to `last`, one a line: 108,894 bytes with the default."""

    last: int = LAST

    @property
    def timeout_s(self) -> float:
        """When to end the command from outside (seconds)."""
        return 20.0

    def build(self) -> tuple[str, ...]:
        """The argv."""
        return ("seq", "1", str(self.last))

    def parse(self, completed: Completed) -> FactSheet:
        """How many bytes came, their SHA-256, and the one of what was written.

        Raises ToolMissing where there is no seq, OutputUnparsable where it was ended.
        """
        require_ran(completed, "seq")
        expected = "".join(f"{number}\n" for number in range(1, self.last + 1))
        return FactSheet(
            what=f"the output of {' '.join(self.build())}",
            source="exec",
            facts={
                "bytes": str(len(completed.stdout.encode())),
                "sha256": hashlib.sha256(completed.stdout.encode()).hexdigest(),
                "expected": hashlib.sha256(expected.encode()).hexdigest(),
            },
        )
