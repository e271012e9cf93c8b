"""Owns what an exit status says about the tool itself, before its output is read."""

from pytest_aksnet.model.errors import OutputUnparsable, ToolMissing
from pytest_aksnet.model.execution import Completed

_NOT_EXECUTABLE, _NOT_FOUND = 126, 127
_SIGNALLED = 128


def raw_text(completed: Completed) -> str:
    """Both streams and the status as one text, for an error that has to show them."""
    return f"{completed.stdout}\n{completed.stderr}\n(exit status {completed.exit_code})"


def require_ran(completed: Completed, tool: str) -> None:
    """Nothing, if the tool ran by itself to its end.

    Raises ToolMissing for the statuses 126 and 127 (POSIX: not executable, not found), and
    OutputUnparsable where a signal ended the tool: then its output may be cut anywhere.
    """
    if completed.exit_code in (_NOT_EXECUTABLE, _NOT_FOUND):
        said = completed.stderr.strip() or completed.stdout.strip()
        raise ToolMissing(
            f"{tool} cannot be run in the pod (exit status {completed.exit_code}: "
            f"{said[:200] or 'no message'}), so nothing was looked at"
        )
    if completed.exit_code > _SIGNALLED:
        raise OutputUnparsable(
            f"{tool} was ended by signal {completed.exit_code - _SIGNALLED}", raw_text(completed)
        )
    if completed.exit_code < 0:
        raise OutputUnparsable(
            f"{tool} ended with status {completed.exit_code}", raw_text(completed)
        )
