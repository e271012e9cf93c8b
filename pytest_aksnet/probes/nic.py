"""The interfaces of a node as sysfs and `ethtool -S` show them to a host-network pod.

One constant script, nothing interpolated: plain POSIX tools, no privilege. In Azure a virtual
function appears as a second interface with the MAC of the synthetic one (Azure docs:
accelerated-networking-how-it-works); the counters named vf_ belong to the synthetic one.
"""

import re
from dataclasses import dataclass

from pytest_aksnet.model.errors import OutputUnparsable
from pytest_aksnet.model.execution import Completed
from pytest_aksnet.model.observation import Interface, NicState
from pytest_aksnet.probes.exit_status import raw_text, require_ran

# `master` and `device/driver` are links whose last part is the name. Interfaces without a device
# (veth, bridges) have no ethtool counters of interest, and a node may have hundreds of them, which
# come and go with its pods.
_SCRIPT = """
command -v ethtool >/dev/null || exit 127
last() { target=$(readlink "$1") && echo "${target##*/}"; }
for path in /sys/class/net/*; do
  test -e "$path/address" || continue
  echo "interface ${path##*/}"
  echo "address $(cat "$path/address")"
  echo "driver $(last "$path/device/driver")"
  echo "master $(last "$path/master")"
  echo "mtu $(cat "$path/mtu")"
  echo "rx_packets $(cat "$path/statistics/rx_packets")"
  echo "tx_packets $(cat "$path/statistics/tx_packets")"
  if ! test -e "$path/address"; then echo gone; continue; fi
  if test -L "$path/device/driver"; then
    for name in rx_dropped rx_errors rx_missed_errors tx_dropped tx_errors; do
      echo "loss $name: $(cat "$path/statistics/$name")"
    done
    ethtool -S "${path##*/}" 2>/dev/null | while read -r name value; do
      case $name in
        vf_*) echo "counter $name $value" ;;
        rx_out_of_buffer: | rx_discards_phy: | rx_no_memory: | hc_rx_discards_no_wqe:)
          echo "loss $name $value" ;;
      esac
    done
  fi
done
echo end
"""

_KEYS = ("address", "driver", "master", "mtu", "rx_packets", "tx_packets")
_COUNTER = re.compile(r"(vf_\w+): (\d{1,20})")
_LOSS = re.compile(r"(\w+): (\d{1,20})")
_NUMBER = re.compile(r"\d{1,20}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Nics:
    """One look at all interfaces of the network namespace that the pod runs in."""

    @property
    def timeout_s(self) -> float:
        """When to end the command from outside (seconds)."""
        return 15.0

    def build(self) -> tuple[str, ...]:
        """The argv: sh with a constant script."""
        return ("sh", "-c", _SCRIPT)

    def parse(self, completed: Completed) -> NicState:
        """The interfaces in the order of sysfs. Raises ToolMissing or OutputUnparsable."""
        require_ran(completed, "ethtool")
        lines = completed.stdout.splitlines()
        if completed.exit_code != 0 or not lines or lines[-1] != "end":
            raise OutputUnparsable(
                "the list of interfaces did not come to its end", raw_text(completed)
            )
        interfaces: list[Interface] = []
        counters: dict[str, dict[str, int]] = {}
        losses: dict[str, dict[str, int]] = {}
        fields: dict[str, str] = {}
        for line in lines:
            key, _, value = line.partition(" ")
            if key in ("interface", "end"):
                if fields:
                    interfaces.append(_interface(fields, completed))
                fields = {"interface": value}
            elif line == "gone" and fields:
                fields = {}
            elif key in _KEYS and fields:
                fields[key] = value
            elif key == "counter" and fields and (counter := _COUNTER.fullmatch(value)):
                of = counters.setdefault(fields["interface"], {})
                of[counter.group(1)] = int(counter.group(2))
            elif key == "loss" and fields and (loss := _LOSS.fullmatch(value)):
                losses.setdefault(fields["interface"], {})[loss.group(1)] = int(loss.group(2))
            else:
                raise OutputUnparsable(f"unknown line {line[:200]!r}", raw_text(completed))
        return NicState(interfaces=tuple(interfaces), vf_counters=counters, losses=losses)


def _interface(fields: dict[str, str], completed: Completed) -> Interface:
    numbers = [fields.get(key, "") for key in ("mtu", "rx_packets", "tx_packets")]
    if not all(_NUMBER.fullmatch(number) for number in numbers) or set(_KEYS) - set(fields):
        raise OutputUnparsable(
            f"interface {fields['interface'][:50]!r} is not described as sysfs does",
            raw_text(completed),
        )
    mtu, rx_packets, tx_packets = (int(number) for number in numbers)
    return Interface(
        name=fields["interface"],
        mac=fields["address"].lower(),
        driver=fields["driver"],
        master=fields["master"],
        mtu=mtu,
        rx_packets=rx_packets,
        tx_packets=tx_packets,
    )
