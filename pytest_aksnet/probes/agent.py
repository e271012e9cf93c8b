"""The agent: a script that takes lists of probes on stdin and answers one JSON line for each.

Owns what is started in the pod, and how its text gets there: a stub reads it from standard input,
so nothing is created, nothing is left, and its version is that of this package. It needs no
privilege. Lines to it are words: `list ID BUDGET_S COUNT`, then `p INDEX KIND HOST PORT TIMEOUT_S
[KEY=VALUE]...` for each, and `ping NUMBER`; values are percent-encoded, `-` is empty.
"""

from pytest_aksnet.model.probing import AgentScript
from pytest_aksnet.probes.agent_core import CORE
from pytest_aksnet.probes.agent_looks import LOOKS
from pytest_aksnet.probes.agent_loss import LOSS
from pytest_aksnet.probes.agent_names import NAMES
from pytest_aksnet.probes.agent_packets import PACKETS
from pytest_aksnet.probes.agent_tls import TLS

LEASE_S = 30.0
SCRIPT = "\n".join((CORE, LOOKS, LOSS, NAMES, PACKETS, TLS, "Agent().run()\n"))

# os.read, as the buffer of sys.stdin would swallow the first lines behind the script.
_STUB = """\
import os, sys
left, parts = int(sys.argv[1]), []
while left:
    part = os.read(0, left)
    if not part:
        os._exit(3)
    parts.append(part)
    left -= len(part)
exec(compile(b"".join(parts), "agent", "exec"))
"""


def script(lease_s: float = LEASE_S) -> AgentScript:
    """The agent for pods with python3; it exits after `lease_s` seconds without a line to it."""
    words = ("python3", "-u", "-c", _STUB, str(len(SCRIPT.encode())), f"{lease_s:g}")
    return AgentScript(argv=words, text=SCRIPT, lease_s=lease_s)
