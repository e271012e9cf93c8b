"""A pod that stays a running server and stops being ready when it is told to.

Owns the fields of the pod for that, and the command that turns it: its readiness probe looks for a
file in a volume of its own, which a command run in the pod makes. It never becomes ready again.
"""

from dataclasses import dataclass

from pytest_aksnet.model.errors import OutputUnparsable
from pytest_aksnet.model.execution import Completed
from pytest_aksnet.model.observation import FactSheet
from pytest_aksnet.probes.exit_status import raw_text, require_ran
from pytest_aksnet.probes.reflector import PORT

_FOLDER = "/aksnet"
_FILE = f"{_FOLDER}/unready"

SPEC: dict[str, object] = {"volumes": [{"name": "switch", "emptyDir": {}}]}
"""Further fields of the pod's spec."""
CONTAINER: dict[str, object] = {
    "volumeMounts": [{"name": "switch", "mountPath": _FOLDER}],
    # It is asked for the file only once it serves.
    "startupProbe": {"tcpSocket": {"port": PORT}, "periodSeconds": 1, "failureThreshold": 60},
    "readinessProbe": {
        "exec": {"command": ["test", "!", "-e", _FILE]},
        "periodSeconds": 1,
        "failureThreshold": 1,
    },
}
"""Further fields of its container."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnUnready:
    """Makes the readiness probe of the pod fail from now on."""

    timeout_s: float = 10.0

    def build(self) -> tuple[str, ...]:
        """The argv."""
        return ("touch", _FILE)

    def parse(self, completed: Completed) -> FactSheet:
        """That it was done. Raises ToolMissing or OutputUnparsable."""
        require_ran(completed, "touch")
        if completed.exit_code:
            raise OutputUnparsable(f"{_FILE} cannot be made", raw_text(completed))
        return FactSheet(
            what="the readiness probe fails from now on", source=_FILE, facts={"made": _FILE}
        )
