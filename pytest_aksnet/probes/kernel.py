"""What the kernel says of the network namespace that a pod runs in: a node's, on its host network.

One constant script, nothing interpolated, that prints files of /proc/sys, /proc/net and /sys: all
may be read without any privilege. A file that is not there is told apart from an empty one.
"""

from dataclasses import dataclass

from pytest_aksnet.model.errors import OutputUnparsable
from pytest_aksnet.model.execution import Completed
from pytest_aksnet.model.observation import KernelState
from pytest_aksnet.probes.exit_status import raw_text, require_ran
from pytest_aksnet.probes.procfs import conntrack_stat, default_interface, protocol_counters

_SETTINGS = "/proc/sys/"
_CONNTRACK = "/proc/net/stat/nf_conntrack"
_PROTOCOLS = ("/proc/net/snmp", "/proc/net/netstat")
_ROUTES = "/proc/net/route"
_LINKS = "/sys/class/net/"
_SCRIPT = """
show() {
  for file; do
    if text=$(cat "$file" 2>/dev/null); then
      echo "file $file"
      printf '%s\\n' "$text" | sed 's/^/ /'
    fi
  done
}
cd /proc/sys/net || exit 1
for name in ipv4/ip_forward ipv4/ip_local_port_range ipv4/conf/all/rp_filter \\
    ipv6/conf/all/forwarding netfilter/nf_conntrack_count netfilter/nf_conntrack_max; do
  show "/proc/sys/net/$name"
done
show /proc/net/stat/nf_conntrack /proc/net/snmp /proc/net/netstat /proc/net/route
uplink=
while read -r name destination _ _ _ _ _ mask _; do
  if test "$destination" = 00000000 && test "$mask" = 00000000; then uplink=$name; break; fi
done < /proc/net/route
if test -n "$uplink"; then
  show "/sys/class/net/$uplink/mtu" "/sys/class/net/$uplink/statistics"/*
fi
echo "clock $(date +%s)"
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kernel:
    """One look at settings, counters and clock."""

    @property
    def timeout_s(self) -> float:
        """When to end the command from outside (seconds)."""
        return 15.0

    def build(self) -> tuple[str, ...]:
        """The argv: sh with a constant script."""
        return ("sh", "-c", _SCRIPT)

    def parse(self, completed: Completed) -> KernelState:
        """What it said. Raises ToolMissing, or OutputUnparsable where a file does not read.

        A file that could not be read is left out: that says nothing about the others.
        """
        require_ran(completed, "sh")
        try:
            return _state(completed.stdout)
        except (ValueError, IndexError) as wrong:
            raise OutputUnparsable(
                f"what the kernel says does not read: {wrong}", raw_text(completed)
            ) from wrong


def _state(output: str) -> KernelState:
    *lines, last = output.splitlines() or [""]
    word, _, clock = last.partition(" ")
    if word != "clock":
        raise ValueError("it did not come to its end")
    files: dict[str, list[str]] = {}
    text: list[str] = []
    for line in lines:
        if line.startswith("file "):
            text = files.setdefault(line.removeprefix("file "), [])
        elif line.startswith(" "):
            text.append(line[1:])
        else:
            raise ValueError(f"unknown line {line[:200]!r}")
    texts = {path: "\n".join(content) for path, content in files.items()}
    uplink = default_interface(texts[_ROUTES]) if _ROUTES in texts else ""
    counters = f"{_LINKS}{uplink}/statistics/"
    protocols: dict[str, int] = {}
    for path in _PROTOCOLS:
        if path in texts:
            protocols |= protocol_counters(texts[path])
    return KernelState(
        settings={
            path.removeprefix(_SETTINGS).replace("/", "."): " ".join(value.split())
            for path, value in texts.items()
            if path.startswith(_SETTINGS)
        },
        conntrack=conntrack_stat(texts[_CONNTRACK]) if _CONNTRACK in texts else {},
        protocols=protocols,
        uplink=uplink,
        mtu=int(texts.get(f"{_LINKS}{uplink}/mtu", "0")),
        link_counters={
            path.removeprefix(counters): int(value)
            for path, value in texts.items()
            if uplink and path.startswith(counters)
        },
        clock_s=int(clock),
    )
