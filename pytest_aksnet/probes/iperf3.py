"""Bounded TCP throughput between two pods (iperf3 3.12 and later), and its server's argv.

Up to 3.15 one thread serves all streams, so a fast node may be bound by one core; 3.16 has one
thread per stream (iperf3 release notes). The version is part of the observation.
"""

import json
import math
from dataclasses import dataclass

from pytest_aksnet.model.errors import OutputUnparsable, SettingsError
from pytest_aksnet.model.execution import Completed
from pytest_aksnet.model.observation import Throughput
from pytest_aksnet.probes.exit_status import raw_text, require_ran
from pytest_aksnet.probes.target_text import require_host

PORT = 5201
MAX_SECONDS = 30
MAX_STREAMS = 16
_WARM_UP_SECONDS = 1
_USUAL = ("host_total", "remote_total")


def server_argv(port: int = PORT) -> tuple[str, ...]:
    """The main process of a pod that is measured against; it serves one test at a time."""
    return ("iperf3", "--server", "--port", str(port))


@dataclass(frozen=True, slots=True, kw_only=True)
class Iperf3:
    """One run towards `host:port`: `streams` TCP streams for `seconds`, after 1 s of slow start.

    With `reverse` the server sends. `mbps` limits each stream (Mbit/s), 0 does not.
    Raises SettingsError where the bounds (30 s, 16 streams) are passed.
    """

    host: str
    port: int = PORT
    seconds: int = 3
    streams: int = 4
    reverse: bool = False
    mbps: int = 0

    def __post_init__(self) -> None:
        """Bandwidth is other people's too: no unbounded run can be built."""
        require_host(self.host)
        if not (1 <= self.seconds <= MAX_SECONDS and 1 <= self.streams <= MAX_STREAMS):
            raise SettingsError(
                f"an iperf3 run of {self.seconds} s with {self.streams} streams is out of bounds: "
                f"1 to {MAX_SECONDS} s, 1 to {MAX_STREAMS} streams"
            )

    @property
    def timeout_s(self) -> float:
        """When to end the command from outside (seconds)."""
        return self.seconds + _WARM_UP_SECONDS + 15

    def build(self) -> tuple[str, ...]:
        """The argv of the client; the pod that runs it is the sender, unless in reverse."""
        return (
            "iperf3",
            "--client",
            self.host,
            "--port",
            str(self.port),
            "--connect-timeout",
            "3000",
            "--time",
            str(self.seconds),
            "--omit",
            str(_WARM_UP_SECONDS),
            "--parallel",
            str(self.streams),
            "--json",
            *(("--reverse",) if self.reverse else ()),
            *(("--bitrate", f"{self.mbps}M") if self.mbps else ()),
        )

    def parse(self, completed: Completed) -> Throughput:
        """What the receiver counted. A run that did not measure raises OutputUnparsable.

        A server that is busy or away says nothing about bandwidth, so it is no observation.
        """
        require_ran(completed, "iperf3")
        report = _object(completed)
        said = str(report.get("error") or "")[:300]
        if said or completed.exit_code != 0:
            raise OutputUnparsable(
                f"iperf3 did not measure: {said or f'exit status {completed.exit_code}'}",
                raw_text(completed),
            )
        try:
            return _throughput(report)
        except (KeyError, TypeError, ValueError, OverflowError) as wrong:
            raise OutputUnparsable(
                f"the JSON of iperf3 lacks what is needed: {wrong!r}", raw_text(completed)
            ) from wrong


def _object(completed: Completed) -> dict[str, object]:
    try:
        report = json.loads(completed.stdout)
    except (ValueError, RecursionError):
        report = None
    if not isinstance(report, dict):
        raise OutputUnparsable("iperf3 printed no JSON report", raw_text(completed))
    return report


def _throughput(report: dict[str, object]) -> Throughput:
    end = _section(report, "end")
    start = _section(report, "start")
    received = _section(end, "sum_received")
    sent = _section(end, "sum_sent")
    cpu = _section(end, "cpu_utilization_percent")
    test = _section(start, "test_start")
    # The CPU is told as the client's and the server's, whoever sends.
    here, there = ("remote_total", "host_total") if test.get("reverse") else _USUAL
    bits_per_second = _number(received, "bits_per_second")
    if bits_per_second <= 0:
        raise ValueError("no bytes were received")
    moved = int(_number(received, "bytes")) if "bytes" in received else 0
    mss = _number(start, "tcp_mss_default") if "tcp_mss_default" in start else 0
    return Throughput(
        gbps=bits_per_second / 1e9,
        streams=int(_number(test, "num_streams")),
        seconds=_number(received, "seconds"),
        retransmits=int(_number(sent, "retransmits")) if "retransmits" in sent else 0,
        sender_cpu_percent=_number(cpu, here),
        receiver_cpu_percent=_number(cpu, there),
        tool_version=str(start["version"]),
        moved_bytes=moved,
        segments=math.ceil(moved / mss) if mss > 0 else 0,
    )


def _section(of: dict[str, object], name: str) -> dict[str, object]:
    section = of[name]
    if not isinstance(section, dict):
        raise TypeError(f"{name} is no object")
    return section


def _number(of: dict[str, object], name: str) -> float:
    value = of[name]
    if not isinstance(value, int | float) or not math.isfinite(value):
        raise TypeError(f"{name} is no number")
    return float(value)
