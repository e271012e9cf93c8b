"""What `date` says on a node whose clock is wrong: a FACADE.

The kernel has one real-time clock for the whole machine; time namespaces have only the monotonic
and the boot-time clock (time_namespaces(7)). A script is mounted over /usr/bin/date, on the
node and in its host-network pods; other programs, and other pods, read the right time.
"""

from pytest_aksnet.lab.contracts import Sandbox
from pytest_aksnet.lab.facade.conntrack_limit import run_on

_DATE = "/usr/bin/date"
_REAL = "/run/aksnet-date-of-the-system"
_SCRIPT = "/run/aksnet-date"


async def skew_date(machine: Sandbox, seconds: float) -> None:
    """Let `date` be so many seconds ahead. Raises OSError where the machine refuses the mount."""
    script = f"""#!/bin/sh
for word; do
    case $word in -d* | --date* | -f* | --file* | -r* | --reference*) exec {_REAL} "$@" ;; esac
done
exec {_REAL} -d "@$(($({_REAL} +%s) + {round(seconds)}))" "$@"
"""
    await machine.write_file(_REAL, b"")
    await run_on(machine, "mount", "--bind", _DATE, _REAL)
    await machine.write_file(_SCRIPT, script.encode(), 0o755)
    await run_on(machine, "mount", "--bind", _SCRIPT, _DATE)


async def right_date(machine: Sandbox) -> None:
    """Let `date` say the machine's time again. Raises OSError."""
    await run_on(machine, "umount", _DATE)
    await run_on(machine, "umount", _REAL)
