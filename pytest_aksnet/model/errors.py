"""The one tree of errors: a class for each thing that a caller does differently.

Foreign exceptions end in `cluster` and `report`, chained with `from`; nothing else passes them on.
"""


class AksnetError(Exception):
    """Root of every error that pytest-aksnet raises on purpose."""


class SettingsError(AksnetError):
    """Bad input: names the option, the value and the remedy; nothing has been created yet."""


class EnvironmentProblem(AksnetError):
    """The cluster cannot be used: unreachable, no rights, image not pulled. Never a verdict."""


class ApiRefused(EnvironmentProblem):
    """The API server answered with an error: `status` is the HTTP code, `reason` its Status's.

    `retry_after_s` is what the server asked for, None where it asked for nothing.
    """

    def __init__(
        self, message: str, *, status: int, reason: str, retry_after_s: float | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason
        self.retry_after_s = retry_after_s


class ApiUnreachable(EnvironmentProblem):
    """The API server gave no answer: no connection, a cut one, or a time-out."""


class ImageRefused(EnvironmentProblem):
    """A node cannot have the image of a pod: the kubelet says why."""


class Inconclusive(AksnetError):
    """We could not look. Neither pass nor fail nor skip."""


class ExecNotCompleted(Inconclusive):
    """The command in the pod did not run to a known end: stream cut, deadline, status lost."""


class ToolMissing(Inconclusive):
    """The image lacks the tool (exit 126 or 127), so nothing was looked at."""


class OutputUnparsable(Inconclusive):
    """The tool ended, but its output is not what its parser knows. Carries the raw text."""

    def __init__(self, message: str, raw: str) -> None:
        super().__init__(message)
        self.raw = raw


class ControlFailed(Inconclusive):
    """A positive control did not hold, so a missing answer proves nothing."""


class FactUnknown(Inconclusive):
    """The network profile or the site file lacks a fact that the check needs; names the option."""


class ArmUnanswered(Inconclusive):
    """Azure Resource Manager gave no answer that can be used: refused, late, broken, not there."""


class NotApplicable(AksnetError):
    """The promise does not concern this cluster, as facts that are known say: a skip.

    The message says which fact and where it was read. What is not known is FactUnknown instead.
    """


class ArmNotAsked(NotApplicable):
    """This run asks nothing of Azure Resource Manager: says what would make it do so."""


class ArmForbidden(NotApplicable):
    """The identity may not read what a check needs (403): a skip that names the `action`."""

    def __init__(self, message: str, *, action: str) -> None:
        super().__init__(message)
        self.action = action


class ConformanceFailure(AksnetError, AssertionError):
    """The network was looked at and does not do what it promises."""
