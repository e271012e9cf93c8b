"""The network plugin's configuration and state on a node, through directories of the node.

Azure's plugin keeps what it gave out in /var/run/azure-vnet.json
(Azure/azure-container-networking: store/json.go); containerd loads the first file of
/etc/cni/net.d in the order of names (libcni: ConfFiles).
"""

import json
from dataclasses import dataclass
from typing import Any

from pytest_aksnet.model.errors import OutputUnparsable
from pytest_aksnet.model.execution import Completed
from pytest_aksnet.model.observation import CniState
from pytest_aksnet.probes.exit_status import raw_text, require_ran

CONFIG_MOUNT, STATE_MOUNT = "/host/cni", "/host/run"
_STATE = f"{STATE_MOUNT}/azure-vnet.json"
_SCRIPT = """
show() {
  echo "file $1"
  sed -e 's/^/ /' -e '$a\\' "$1" || exit 1
}
cd /host/cni && cd /host/run || exit 1
for file in /host/cni/*.conf /host/cni/*.conflist /host/cni/*.json; do
  if test -f "$file"; then show "$file"; fi
done
if test -f /host/run/azure-vnet.json; then show /host/run/azure-vnet.json; fi
echo end
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class CniFiles:
    """One look from a pod that has the node's directories at CONFIG_MOUNT and STATE_MOUNT."""

    @property
    def timeout_s(self) -> float:
        """When to end the command from outside (seconds)."""
        return 15.0

    def build(self) -> tuple[str, ...]:
        """The argv: sh with a constant script."""
        return ("sh", "-c", _SCRIPT)

    def parse(self, completed: Completed) -> CniState:
        """What stands there. Raises ToolMissing, or OutputUnparsable for files that do not read."""
        require_ran(completed, "sh")
        try:
            if completed.exit_code:
                raise ValueError(completed.stderr.strip()[:200] or "a file could not be read")
            return _state(completed.stdout)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as wrong:
            raise OutputUnparsable(
                f"the network plugin's files do not read: {wrong!r}", raw_text(completed)
            ) from wrong


def _state(output: str) -> CniState:
    *lines, last = output.splitlines() or [""]
    if last != "end":
        raise ValueError("it did not come to its end")
    texts: dict[str, str] = {}
    name = ""
    for line in lines:
        if line.startswith("file "):
            name = line.removeprefix("file ")
            texts[name] = ""
        else:
            texts[name] += f"{line[1:]}\n"
    state = texts.pop(_STATE, None)
    files = sorted(texts)
    config: dict[str, Any] = json.loads(texts[files[0]]) if files else {}
    plugins = config.get("plugins") or ([config] if config else [])
    first = plugins[0] if plugins else {}
    return CniState(
        configs=tuple(file.rpartition("/")[2] for file in files),
        plugins=tuple(str(plugin["type"]) for plugin in plugins),
        ipam=str(first.get("ipam", {}).get("type", "")),
        addresses=None if state is None else tuple(sorted(_addresses(json.loads(state)))),
    )


def _addresses(state: dict[str, Any]) -> set[str]:
    """The addresses that azure-vnet gave to pods."""
    return {
        address["IP"]
        for interface in (state["Network"].get("ExternalInterfaces") or {}).values()
        for network in (interface.get("Networks") or {}).values()
        for endpoint in (network.get("Endpoints") or {}).values()
        for address in endpoint.get("IPAddresses") or ()
    }
