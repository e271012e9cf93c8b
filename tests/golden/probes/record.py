"""Records the golden cases from the tools of this machine, in namespaces of its own.

    unshare -rnmu .venv/bin/python tests/golden/probes/record.py

Each case is `<tool>/<case>.json` (how it was asked, exit status, what must be read in it), `.out`
and, if not empty, `.err`. Look at what changes: the observation is written by the parser.
A case recorded elsewhere is added by hand in the same shape.
"""

import contextlib
import dataclasses
import enum
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from dnslib import CNAME, QTYPE, RCODE, RR, SOA, A, DNSRecord
from dnslib.server import BaseResolver, DNSHandler, DNSLogger, DNSServer

from pytest_aksnet.model.errors import Inconclusive
from pytest_aksnet.model.execution import Completed
from pytest_aksnet.probes import iperf3, reflector
from pytest_aksnet.probes.curl import Curl
from pytest_aksnet.probes.dig import Dig
from pytest_aksnet.probes.dig_denial import DigDenial
from pytest_aksnet.probes.nc import Nc
from pytest_aksnet.probes.nic import Nics
from pytest_aksnet.probes.numbers import Numbers
from pytest_aksnet.probes.pod_interfaces import InterfacesOfPod
from pytest_aksnet.probes.resolver import ResolvConf, SearchQueries

HERE = Path(__file__).parent
SILENT, UNROUTED = "10.9.0.77", "10.2.0.1"

PRIVATE = "acct.privatelink.blob.core.windows.net"
CASES: dict[str, Any] = {  # probes, which are dataclasses
    "curl/reflector": Curl(host="127.0.0.1", port=8080),
    "curl/plain-address": Curl(host="127.0.0.1", port=8081),
    "curl/refused": Curl(host="127.0.0.1", port=1),
    "curl/timeout": Curl(host=SILENT, port=80, connect_timeout_s=0.5, max_time_s=1),
    "curl/no-route": Curl(host=UNROUTED, port=80),
    "curl/network-unreachable": Curl(host="192.0.2.1", port=80),
    "curl/unknown-name": Curl(host="nope.example", port=80),
    "curl/silent-server": Curl(host="127.0.0.1", port=8082, connect_timeout_s=0.5, max_time_s=1),
    "curl/not-http": Curl(host="127.0.0.1", port=5201, connect_timeout_s=0.5, max_time_s=1),
    "curl/ipv6": Curl(host="::1", port=8080),
    "nc/open": Nc(host="127.0.0.1", port=8080),
    "nc/open-by-name": Nc(host="good.example", port=8080),
    "nc/refused": Nc(host="127.0.0.1", port=1),
    "nc/timeout": Nc(host=SILENT, port=80, connect_timeout_s=1),
    "nc/no-route": Nc(host=UNROUTED, port=80),
    "nc/unknown-name": Nc(host="nope.example", port=80),
    "dig/a": Dig(name="good.example"),
    "dig/search": Dig(name="good"),
    "dig/aaaa-nodata": Dig(name="good.example", qtype="AAAA"),
    "dig/nxdomain": Dig(name="nope.example"),
    "dig/servfail": Dig(name="broken.example"),
    "dig/refused": Dig(name="refused.example"),
    "dig/privatelink": Dig(name="acct.blob.core.windows.net"),
    "dig/truncated-then-tcp": Dig(name="large.example"),
    "dig/cname": Dig(name="alias.example", qtype="CNAME"),
    "dig/at-server": Dig(name="good.example.", server="127.0.0.1"),
    "dig/at-closed-port": Dig(name="good.example", server="127.0.0.2", wait_s=1),
    "dig/at-silent": Dig(name="good.example", server=SILENT, wait_s=1),
    "dig/at-no-route": Dig(name="good.example", server=UNROUTED, wait_s=1),
    "dig/truncated-to-buffer": Dig(name="large.example", buffer=1232),
    "dig/denial": DigDenial(name="denied.example."),
    "dig/denial-without-soa": DigDenial(name="nope.example."),
    "dig/denial-at-servfail": DigDenial(name="broken.example."),
    "resolver/resolv-conf": ResolvConf(),
    "resolver/port-taken": SearchQueries(name="web.shop"),
    "dig/over-tcp": Dig(name="good.example", tcp=True),
    "iperf3/one-stream": iperf3.Iperf3(host="127.0.0.1", seconds=1, streams=1),
    "iperf3/four-streams": iperf3.Iperf3(host="127.0.0.1", seconds=1, streams=4),
    "iperf3/no-server": iperf3.Iperf3(host="127.0.0.1", port=1, seconds=1),
    "nic/loopback-and-veth": Nics(),
    "pod_interfaces/no-default-route": InterfacesOfPod(),
    "numbers/short": Numbers(last=12),
}
VERSIONS = {
    "curl": ["curl", "--version"],
    "nc": ["nc", "-h"],
    "dig": ["dig", "-v"],
    "iperf3": ["iperf3", "--version"],
    "nic": ["ethtool", "--version"],
    "pod_interfaces": ["cat", "--version"],
    "numbers": ["seq", "--version"],
    "resolver": ["python3", "--version"],
}

_PLAIN = """
import http.server
class Plain(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers()
        self.wfile.write(self.client_address[0].encode() + b"\\n")
http.server.HTTPServer(("127.0.0.1", 8081), Plain).serve_forever()
"""
_SILENT_SERVER = """
import socket, time
s = socket.create_server(("127.0.0.1", 8082)); kept = []
while True: kept.append(s.accept())
"""


class Zone(BaseResolver):  # type: ignore[misc]
    """A handful of names, one per way of answering."""

    def resolve(self, request: DNSRecord, handler: DNSHandler) -> DNSRecord:
        reply = request.reply()
        reply.header.ra = 1
        name = str(request.q.qname).rstrip(".")
        wants_a = request.q.qtype == QTYPE.A
        if name == "good.example" and wants_a:
            reply.add_answer(RR(name, QTYPE.A, rdata=A("127.0.0.1"), ttl=5))
        elif name == "large.example":
            for host in range(1, 101):
                reply.add_answer(RR(name, QTYPE.A, rdata=A(f"10.0.1.{host}"), ttl=5))
        elif name == "acct.blob.core.windows.net":
            store = "blob.ams07.store.core.windows.net"
            reply.add_answer(RR(name, QTYPE.CNAME, rdata=CNAME(PRIVATE), ttl=5))
            reply.add_answer(RR(PRIVATE, QTYPE.CNAME, rdata=CNAME(store), ttl=5))
            reply.add_answer(RR(store, QTYPE.A, rdata=A("203.0.113.90"), ttl=5))
        elif name == "alias.example":
            reply.add_answer(RR(name, QTYPE.CNAME, rdata=CNAME("good.example"), ttl=5))
        elif name == "broken.example":
            reply.header.rcode = RCODE.SERVFAIL
        elif name == "refused.example":
            reply.header.rcode = RCODE.REFUSED
        elif name != "good.example":
            reply.header.rcode = RCODE.NXDOMAIN
            if name == "denied.example":
                times = (1, 7200, 1800, 86400, 5)
                soa = SOA("ns.example", "hostmaster.example", times)
                reply.add_auth(RR("example", QTYPE.SOA, rdata=soa, ttl=30))
        return reply


@contextlib.contextmanager
def surroundings() -> Iterator[None]:
    """The network and the servers that the cases talk to; all of it dies with this process."""
    subprocess.run(["hostname", "pod"], check=True)
    subprocess.run(["mount", "-t", "sysfs", "sysfs", "/sys"], check=True)
    for line in (
        "link set lo up",
        "link add v0 type veth peer name v1",
        "addr add 10.9.0.1/24 dev v0",
        "link set v0 up",
        "link set v1 up",
        "link set v0 address 02:00:00:00:00:01",
        "link set v1 address 02:00:00:00:00:02",
        f"neigh add {SILENT} lladdr 02:00:00:00:00:77 dev v0 nud permanent",
        f"route add unreachable {UNROUTED}/32",
    ):
        subprocess.run(["ip", *line.split()], check=True)
    with tempfile.TemporaryDirectory() as folder:
        resolv = Path(folder, "resolv.conf")
        resolv.write_text("nameserver 127.0.0.1\nsearch example\noptions ndots:2\n")
        subprocess.run(["mount", "--bind", str(resolv), "/etc/resolv.conf"], check=True)
        servers = [
            subprocess.Popen(
                argv,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env={"POD_NAME": "web-0", "NODE_NAME": "node-a", "PATH": "/usr/sbin:/usr/bin"},
            )
            for argv in (
                (sys.executable, *reflector.argv()[1:]),
                (sys.executable, "-c", _PLAIN),
                (sys.executable, "-c", _SILENT_SERVER),
                iperf3.server_argv(),
            )
        ]
        DNSHandler.udplen = 1232
        quiet = DNSLogger(logf=lambda _: None)
        for tcp in (False, True):
            DNSServer(Zone(), address="127.0.0.1", port=53, tcp=tcp, logger=quiet).start_thread()
        deadline = time.monotonic() + 5
        for port in ("8080", "8081", "8082", "5201", "53"):
            while subprocess.run(["nc", "-z", "127.0.0.1", port], check=False).returncode:
                if time.monotonic() > deadline:
                    raise TimeoutError(f"nothing listens on port {port}")
        try:
            yield
        finally:
            for server in servers:
                server.kill()
            subprocess.run(["umount", "/etc/resolv.conf"], check=True)


def plain(value: object) -> object:
    """An observation as JSON types."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    return [plain(item) for item in value] if isinstance(value, tuple | list) else value


def record(case: str) -> None:
    """Run one case and write its files."""
    probe = CASES[case]
    started = time.monotonic()
    done = subprocess.run(probe.build(), capture_output=True, text=True, check=False)
    completed = Completed(
        argv=probe.build(),
        exit_code=done.returncode,
        stdout=done.stdout,
        stderr=done.stderr,
        duration_s=round(time.monotonic() - started, 3),
    )
    version = subprocess.run(
        VERSIONS[case.split("/")[0]], capture_output=True, text=True, check=False
    )
    told: dict[str, object] = {
        "tool": (version.stdout + version.stderr).splitlines()[0],
        "probe": {"kind": type(probe).__name__, **dataclasses.asdict(probe)},
        "exit_code": completed.exit_code,
        "duration_s": completed.duration_s,
    }
    try:
        told["observation"] = plain(probe.parse(completed))
    except Inconclusive as raised:
        told["raises"] = type(raised).__name__
    path = HERE / case
    path.parent.mkdir(exist_ok=True)
    path.with_suffix(".out").write_text(done.stdout)
    path.with_suffix(".err").unlink(missing_ok=True)
    if done.stderr:
        path.with_suffix(".err").write_text(done.stderr)
    path.with_suffix(".json").write_text(json.dumps(told, indent=2) + "\n")


if __name__ == "__main__":
    with surroundings():
        for case in sys.argv[1:] or CASES:
            record(case)
