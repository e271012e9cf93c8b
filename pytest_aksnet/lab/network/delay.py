"""Delays packets in a network namespace: NFQUEUE, with the verdict after a timer.

netem does this in the kernel, where there is one; NFQUEUE is in more kernels. No packet is copied:
the kernel keeps it and hands out its number. One event loop thread gives all verdicts, so that the
network behind a delay carries about 1 Gbit/s, not more.
Source: include/uapi/linux/netfilter/nfnetlink_queue.h.
"""

import asyncio
import collections
import contextlib
import os
import socket
import struct
import subprocess

from pytest_aksnet.lab.kernel.nft import Nftables
from pytest_aksnet.lab.kernel.syscalls import in_netns

TABLE = "delay"

_NETLINK_NETFILTER = 12
_SUBSYSTEM = 3 << 8
_PACKET, _CONFIG, _VERDICT_BATCH = _SUBSYSTEM | 0, _SUBSYSTEM | 2, _SUBSYSTEM | 3
_ERROR = 2
_REQUEST, _ACK = 1, 4
_CFG_CMD, _CFG_PARAMS, _CFG_QUEUE_MAXLEN, _CFG_MASK, _CFG_FLAGS = 1, 2, 3, 4, 5
_BIND = 1
_COPY_META = 1
_FAIL_OPEN_AND_GSO = 1 | 4
_LONGEST_QUEUE = 20_000  # packets; those beyond are let through at once
_PACKET_HDR, _VERDICT_HDR = 1, 2
_ACCEPT = 1
_SOL_NETLINK, _NO_ENOBUFS = 270, 5
_RECEIVE_BYTES = 4 << 20


class DelayQueue:
    """Queue `number` of a network namespace: every packet in it goes on `seconds` later.

    Lives on the running event loop from `__init__` to `close`. Raises OSError.
    """

    def __init__(self, netns_fd: int, number: int, seconds: float) -> None:
        self.number = number
        self._seconds = seconds
        self._loop = asyncio.get_running_loop()
        self._waiting: collections.deque[tuple[float, int]] = collections.deque()
        self._timer: asyncio.TimerHandle | None = None
        with in_netns(netns_fd):
            self._socket = socket.socket(
                socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, _NETLINK_NETFILTER
            )
        try:
            self._socket.bind((0, 0))
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BYTES)
            self._socket.setsockopt(_SOL_NETLINK, _NO_ENOBUFS, 1)
            self._configure(_CFG_CMD, struct.pack("!BBH", _BIND, 0, 0))
            self._configure(_CFG_PARAMS, struct.pack("!IB", 0, _COPY_META))
            self._configure(_CFG_QUEUE_MAXLEN, struct.pack("!I", _LONGEST_QUEUE))
            flags = struct.pack("!I", _FAIL_OPEN_AND_GSO)
            self._configure(_CFG_FLAGS, flags, _attribute(_CFG_MASK, flags))
        except OSError:
            self._socket.close()
            raise
        self._socket.setblocking(False)
        self._loop.add_reader(self._socket, self._read)

    def close(self) -> None:
        """Let all packets go and end."""
        self._loop.remove_reader(self._socket)
        if self._timer is not None:
            self._timer.cancel()
        if self._waiting:
            self._release(self._waiting[-1][1])
        self._socket.close()

    def _configure(self, kind: int, payload: bytes, more: bytes = b"") -> None:
        body = _attribute(kind, payload) + more
        self._socket.send(self._message(_CONFIG, body, _REQUEST | _ACK))
        answer = self._socket.recv(65536)
        code = -struct.unpack_from("=i", answer, 16)[0]
        if code:
            raise OSError(code, f"NFQUEUE: {os.strerror(code)}")

    def _message(self, kind: int, body: bytes, flags: int = _REQUEST) -> bytes:
        head = struct.pack("=IHHII", 20 + len(body), kind, flags, 0, 0)
        return head + struct.pack("!BBH", socket.AF_UNSPEC, 0, self.number) + body

    def _read(self) -> None:
        due = self._loop.time() + self._seconds
        with contextlib.suppress(BlockingIOError):
            while True:
                data = self._socket.recv(65536)
                offset = 0
                while offset + 20 <= len(data):
                    length, kind = struct.unpack_from("=IH", data, offset)
                    if kind == _PACKET:
                        self._waiting.append((due, _packet_id(data[offset + 20 : offset + length])))
                    offset += (length + 3) & ~3
        if self._timer is None and self._waiting:
            self._timer = self._loop.call_at(self._waiting[0][0], self._pass_on)

    def _pass_on(self) -> None:
        self._timer = None
        now = self._loop.time()
        last = None
        while self._waiting and self._waiting[0][0] <= now + 0.0005:
            last = self._waiting.popleft()[1]
        if last is not None:
            self._release(last)
        if self._waiting:
            self._timer = self._loop.call_at(self._waiting[0][0], self._pass_on)

    def _release(self, last: int) -> None:
        """Let the packets up to that number go. Where the socket is full they go with the next."""
        body = _attribute(_VERDICT_HDR, struct.pack("!II", _ACCEPT, last))
        with contextlib.suppress(BlockingIOError, FileNotFoundError):
            self._socket.send(self._message(_VERDICT_BATCH, body))


class Delays:
    """The delays of the fabric: by the name of a machine's link, "" for the whole network."""

    def __init__(self, netns_fd: int, *, dual_stack: bool) -> None:
        self._netns_fd = netns_fd
        self._families = ("ip", "ip6") if dual_stack else ("ip",)
        self._nft = Nftables(netns_fd)
        self._queues: list[DelayQueue] = []
        self._current: dict[str, float] = {}

    def write(self, seconds: dict[str, float]) -> None:
        """Make it these delays, in seconds for every packet from and to a link.

        A packet between two of them is delayed once.
        Raises OSError where the kernel has neither nft's queue nor iptables' NFQUEUE.
        """
        if seconds == self._current:
            return
        self.close()
        links = sorted(seconds, reverse=True)
        try:
            for number, link in enumerate(links):
                self._queues.append(DelayQueue(self._netns_fd, number, seconds[link]))
            self._write_rules(links)
        except OSError:
            self.close()
            raise
        self._current = dict(seconds)

    def close(self) -> None:
        """Delay nothing."""
        for family in self._families:
            for table in (TABLE, "mangle"):
                self._nft.run(f"add table {family} {table}\ndelete table {family} {table}")
        for queue in self._queues:
            queue.close()
        self._queues, self._current = [], {}

    def _write_rules(self, links: list[str]) -> None:
        for family in self._families:
            chains = "\n".join(
                f"chain {hook} {{ type filter hook {hook} priority -150\n{rules} }}"
                for hook, rules in _nft_rules(links).items()
            )
            try:
                self._nft.run(f"table {family} {TABLE} {{\n{chains}\n}}")
            except OSError:
                self._write_with_iptables(family, links)

    def _write_with_iptables(self, family: str, links: list[str]) -> None:
        """Where nft has no `queue`: iptables' NFQUEUE is another module of the kernel."""
        program = {"ip": "iptables-restore", "ip6": "ip6tables-restore"}[family]
        lines = ["*mangle"]
        for number, link in enumerate(links):
            jump = f"-j NFQUEUE --queue-num {number} --queue-bypass"
            source, target = (f"-i {link}", f"-o {link}") if link else ("! -i lo", "! -o lo")
            lines += [f"-A INPUT {source} {jump}", f"-A OUTPUT {target} {jump}"]
            lines += [f"-A FORWARD {source} {jump}", f"-A FORWARD {target} {jump}"]
        with in_netns(self._netns_fd):
            try:
                done = subprocess.run(
                    [program, "--noflush"],
                    input="\n".join([*lines, "COMMIT", ""]),
                    capture_output=True,
                    text=True,
                    check=False,
                    timeout=10,
                )
            except FileNotFoundError as error:
                raise OSError("a delay needs nft's queue, or iptables: install iptables") from error
        if done.returncode:
            raise OSError(f"a delay needs NFQUEUE: {done.stderr.strip()}")


def _nft_rules(links: list[str]) -> dict[str, str]:
    rules: dict[str, list[str]] = {"input": [], "output": [], "forward": []}
    for number, link in enumerate(links):
        source = f'iifname "{link}"' if link else 'iifname != "lo"'
        target = f'oifname "{link}"' if link else 'oifname != "lo"'
        queue = f"queue num {number} bypass"
        rules["input"].append(f"{source} {queue}")
        rules["output"].append(f"{target} {queue}")
        rules["forward"] += [f"{source} {queue}", f"{target} {queue}"] if link else [queue]
    return {hook: "\n".join(lines) for hook, lines in rules.items()}


def _attribute(kind: int, payload: bytes) -> bytes:
    head = struct.pack("=HH", 4 + len(payload), kind)
    return head + payload + b"\0" * (-len(payload) % 4)


def _packet_id(attributes: bytes) -> int:
    """The number of a packet in a message's attributes."""
    offset = 0
    while offset + 4 <= len(attributes):
        length, kind = struct.unpack_from("=HH", attributes, offset)
        if kind == _PACKET_HDR:
            number: int = struct.unpack_from("!I", attributes, offset + 4)[0]
            return number
        offset += (length + 3) & ~3
    raise OSError("NFQUEUE: a packet without a number")
