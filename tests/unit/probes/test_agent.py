"""The agent's script: every kind of probe and every finding, its clock, its lists, its end."""

import ast
import re
import signal
import socket
import ssl
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager

import dnslib
import pytest

from pytest_aksnet.lab.tls import Authority
from pytest_aksnet.probes import agent
from tests.unit.probes.agent_process import (
    AgentProcess,
    free_port,
    python_agent,
    running_reflector,
)

HERE = "127.0.0.1"
Serve = Callable[[socket.socket], None]


@pytest.fixture(scope="module")
def process() -> Iterator[AgentProcess]:
    started = python_agent()
    yield started
    started.close()


@pytest.fixture(scope="module")
def ports() -> Iterator[tuple[int, int]]:
    """Two ports of one reflector."""
    first, second = free_port(), free_port()
    with running_reflector(first, second):
        yield first, second


@contextmanager
def serving(serve: Serve, backlog: int = 8) -> Iterator[int]:
    """A TCP server that hands each connection to `serve` in a thread; its port."""
    with socket.create_server((HERE, 0), backlog=backlog) as server:

        def accept() -> None:
            while True:
                try:
                    client, _ = server.accept()
                except OSError:
                    return
                with client:
                    try:
                        serve(client)
                    except OSError:
                        continue

        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)
        thread.join(5)


@pytest.fixture
def silent_port() -> Iterator[int]:
    """A port whose queue of connections is full, so that nothing ever answers a SYN."""
    with socket.socket() as server, socket.socket() as first:
        server.bind((HERE, 0))
        server.listen(0)
        address = server.getsockname()
        first.connect(address)
        others = []
        for _ in range(4):
            one = socket.socket()
            one.setblocking(False)
            one.connect_ex(address)
            others.append(one)
        yield address[1]
        for one in others:
            one.close()


def test_the_script_is_python_3_8() -> None:
    tree = ast.parse(agent.SCRIPT, feature_version=(3, 8))
    imported = {
        name.name for node in ast.walk(tree) if isinstance(node, ast.Import) for name in node.names
    }
    assert imported <= sys.stdlib_module_names
    # Methods that came with 3.9: merging of dicts shows as an operator and is found by review.
    assert not re.search(r"removeprefix|removesuffix|randbytes|functools\.cache\b", agent.SCRIPT)


def test_a_reflector_names_itself_and_the_peer_over_both_protocols_and_ports(
    process: AgentProcess, ports: tuple[int, int]
) -> None:
    probes = [f"{kind} {HERE} {port} 2 pod=web" for kind in "tu" for port in ports]
    answers, end = process.ask(*probes)
    assert [answers[index]["v"] for index in range(4)] == ["ok"] * 4
    facts = answers[0]["x"]
    assert (facts["pod"], facts["node"], facts["source"]) == ("web", "node-a", HERE)
    assert end["end"] == end["of"] == 4


def test_datagrams_may_come_from_a_steady_port(
    process: AgentProcess, ports: tuple[int, int]
) -> None:
    source = free_port()
    for _ in range(2):
        answers, _ = process.ask(f"u {HERE} {ports[0]} 2 from={source}")
        assert (answers[0]["v"], answers[0]["x"]["source_port"]) == ("ok", source)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("", source))
        answers, _ = process.ask(f"u {HERE} {ports[0]} 2 from={source}")
    assert answers[0]["v"] == "local"


def test_another_pod_that_answers_is_wrong(process: AgentProcess, ports: tuple[int, int]) -> None:
    answers, _ = process.ask(*(f"{kind} {HERE} {ports[0]} 2 pod=db" for kind in "tu"))
    assert [(answers[i]["v"], answers[i]["x"]["detail"]) for i in (0, 1)] == [
        ("wrong", "another pod")
    ] * 2


def test_ways_to_fail_are_told_apart(process: AgentProcess, silent_port: int) -> None:
    closed = free_port()

    def reset(client: socket.socket) -> None:
        client.recv(10)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")

    def mute(client: socket.socket) -> None:
        client.recv(100)
        client.recv(100)

    with (
        serving(reset) as resets,
        serving(mute) as mutes,
        serving(lambda client: client.close()) as closes,
        serving(lambda client: client.sendall(b"SSH-2.0\n")) as speaks,
    ):
        answers, _ = process.ask(
            f"t {HERE} {closed} 1",
            f"u {HERE} {closed} 1",
            f"c {HERE} {closed} 1",
            f"t {HERE} {silent_port} 0.2",
            f"t {HERE} {resets} 1",
            f"t {HERE} {mutes} 0.2",
            f"t {HERE} {closes} 1",
            f"t {HERE} {speaks} 1",
            f"c {HERE} {speaks} 1",
            "t no-such-name.invalid 80 5",
            "z 127.0.0.1 80 1",
            "t not/a/name 80 1",
        )
    closed_at_once = answers.pop(6)["v"]
    assert closed_at_once in ("eof", "reset")  # whether the request was on its way
    assert [answer["v"] for _, answer in sorted(answers.items())] == [
        *("refused", "refused", "refused", "timeout", "reset", "mute"),
        *("wrong", "ok", "unresolved", "agent", "local"),
    ]


def test_http_gives_status_and_a_bounded_body_escaped(process: AgentProcess) -> None:
    body = b"\xff\x1b[31m<b>&" + b"x" * 5000

    def serve(client: socket.socket) -> None:
        request = client.recv(4096)
        assert request.startswith(b"GET /a?b=c HTTP/1.1\r\nHost: site:")
        client.sendall(b"HTTP/1.1 418 Teapot\r\nServer: x\r\n\r\n" + body)

    with serving(serve) as port:
        answers, _ = process.ask(
            f"h {HERE} {port} 2 path=/a?b%3Dc name=site bytes=20",
            f"h {HERE} {port} 2 path=/a%0D%0AX:%20y",
        )
    assert (answers[0]["v"], answers[0]["x"]["status"]) == ("ok", 418)
    assert answers[0]["x"]["body"] == "\\xff\x1b[31m<b>&" + "x" * 10
    assert answers[1]["v"] == "local"


def test_http_tells_where_a_redirect_leads(process: AgentProcess) -> None:
    def serve(client: socket.socket) -> None:
        client.recv(4096)
        client.sendall(
            b"HTTP/1.1 308 Moved\r\nlocation:  https://site/x\r\nContent-Length: 0\r\n\r\n"
        )

    with serving(serve) as port:
        answers, _ = process.ask(f"h {HERE} {port} 2 path=/")
    assert answers[0]["x"]["status"] == 308
    assert answers[0]["x"]["location"] == "https://site/x"


def test_a_connection_is_held_before_anything_is_said(process: AgentProcess) -> None:
    heard = []

    def answer(client: socket.socket) -> None:
        began = time.monotonic()
        client.recv(4096)
        heard.append(time.monotonic() - began)
        client.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")

    def forget(client: socket.socket) -> None:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")

    def close(client: socket.socket) -> None:
        client.sendall(b"HTTP/1.1 408 Request Timeout\r\n\r\n")

    def say_nothing(client: socket.socket) -> None:
        client.recv(4096)
        client.recv(1)

    with (
        serving(answer) as answers_late,
        serving(forget) as forgets,
        serving(close) as closes,
        serving(say_nothing) as silent,
    ):
        answers, _ = process.ask(
            f"h {HERE} {answers_late} 20 hold=0.3",
            f"h {HERE} {forgets} 20 hold=0.3",
            f"h {HERE} {closes} 20 hold=0.3",
            f"h {HERE} {silent} 3 hold=0.2",
        )
    assert [answers[index]["v"] for index in range(4)] == ["ok", "reset", "eof", "mute"]
    facts = [answers[index]["x"] for index in range(4)]
    assert [one.get("held") for one in facts] == [True, None, False, True]
    assert all("connect_ms" in facts[index] for index in (0, 2, 3))
    assert heard[0] >= 0.2


def test_tls_shows_the_certificate_and_whether_it_is_trusted(process: AgentProcess) -> None:
    authority = Authority("some-authority")
    context = authority.server_context(["server.test"], [HERE])

    def serve(client: socket.socket) -> None:
        try:
            with context.wrap_socket(client, server_side=True) as wrapped:
                wrapped.recv(1)
        except ssl.SSLError:
            pass

    ca = "".join(f"%{byte:02X}" for byte in authority.certificate_pem)
    with serving(serve) as port:
        answers, _ = process.ask(
            f"s {HERE} {port} 3 ca={ca} name=server.test",
            f"s {HERE} {port} 3 ca={ca}",
            f"s {HERE} {port} 3 ca={ca} name=other.test",
            f"s {HERE} {port} 3",
        )
    with serving(lambda client: client.sendall(b"HTTP/1.1 400 x\r\n\r\n")) as port:
        plain, _ = process.ask(f"s {HERE} {port} 3")
    facts = [answers[index]["x"] for index in range(4)]
    assert [answers[index]["v"] for index in range(4)] == ["ok"] * 4
    assert [one["verified"] for one in facts] == [True, True, False, False]
    assert "other.test" in facts[2]["why"]
    for one in facts:
        assert "server.test" in one["names"]
        assert HERE in one["names"]
        assert "CN=some-authority" in one["issuer"]
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", one["not_after"])
    assert plain[0]["v"] in ("wrong", "eof", "reset")


@pytest.fixture
def dns_port() -> Iterator[int]:
    """A DNS server over UDP and TCP with a few names."""
    zone = {
        "web.test.": [("CNAME", "alias.test."), ("A", "10.1.2.3")],
        "alias.test.": [("A", "10.1.2.3")],
        "six.test.": [("AAAA", "2001:db8::1")],
        "_x._tcp.test.": [("SRV", "1 2 53 web.test.")],
        "3.2.1.10.in-addr.arpa.": [("PTR", "web.test.")],
    }

    def reply(data: bytes) -> bytes:
        query = dnslib.DNSRecord.parse(data)
        name = str(query.q.qname)
        answer = query.reply()
        if name == "odd.test.":
            return bytes(answer.pack()[:2]) + b"\x81\x80\0\1\0\5\0\0\0\0\xc0\x0c"
        if name == "long.test.":
            answer.header.tc = 1
        elif name not in zone:
            answer.header.rcode = dnslib.RCODE.NXDOMAIN
        for kind, data_text in zone.get(name, []):
            owner = "alias.test." if name == "web.test." and kind == "A" else name
            answer.add_answer(*dnslib.RR.fromZone(f"{owner} 5 IN {kind} {data_text}"))
        return bytes(answer.pack())

    def serve(client: socket.socket) -> None:
        data = client.recv(4096)
        packed = reply(data[2:])
        client.sendall(len(packed).to_bytes(2, "big") + packed)

    with serving(serve) as port, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.bind((HERE, port))
        over = threading.Event()
        udp.settimeout(0.1)

        def datagrams() -> None:
            while not over.is_set():
                try:
                    data, peer = udp.recvfrom(4096)
                except TimeoutError:
                    continue
                udp.sendto(reply(data), peer)

        thread = threading.Thread(target=datagrams, daemon=True)
        thread.start()
        yield port
        over.set()
        thread.join(5)


def test_dns_answers_of_every_type_over_both_protocols(
    process: AgentProcess, dns_port: int
) -> None:
    asked = [
        ("web.test", "A"),
        ("six.test", "AAAA"),
        ("_x._tcp.test", "SRV"),
        ("3.2.1.10.in-addr.arpa", "PTR"),
        ("web.test", "CNAME"),
        ("nobody.test", "A"),
    ]
    probes = [
        f"d {HERE} {dns_port} 2 name={name} type={kind}{tcp}"
        for tcp in ("", " tcp=1")
        for name, kind in asked
    ]
    answers, _ = process.ask(*probes, f"d {HERE} {dns_port} 2 name=long.test")
    for first in (0, 6):
        facts = [answers[first + index]["x"] for index in range(6)]
        assert facts[0]["records"] == ["10.1.2.3"]
        assert facts[0]["aliases"] == ["alias.test."]
        assert facts[1]["records"] == ["2001:db8::1"]
        assert facts[2]["records"] == ["1 2 53 web.test."]
        assert facts[3]["records"] == ["web.test."]
        assert facts[4]["records"] == ["alias.test."]
        assert [one["rcode"] for one in facts] == ["NOERROR"] * 5 + ["NXDOMAIN"]
    assert answers[12]["x"]["truncated"] is True


def test_a_dns_answer_that_cannot_be_read_is_wrong(process: AgentProcess, dns_port: int) -> None:
    answers, _ = process.ask(
        f"d {HERE} {dns_port} 2 name=odd.test", f"d {HERE} {dns_port} 1 name=-"
    )
    assert [answers[index]["v"] for index in (0, 1)] == ["wrong", "local"]


@pytest.mark.parametrize(("option", "sent"), [("", 3), (" once=yes", 1)])
def test_a_query_without_answer_is_sent_again_unless_once(
    process: AgentProcess, option: str, sent: int
) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind((HERE, 0))
        silent.setblocking(False)
        port = silent.getsockname()[1]
        answers, _ = process.ask(f"d {HERE} {port} 0.2 name=web.test type=A{option}")
        assert answers[0]["v"] == "timeout"
        assert [len(silent.recv(512)) > 0 for _ in range(sent)] == [True] * sent
        with pytest.raises(BlockingIOError):
            silent.recv(512)


def test_path_mtu_by_datagrams(process: AgentProcess, ports: tuple[int, int]) -> None:
    answers, _ = process.ask(f"m {HERE} {ports[0]} 3 via=udp", f"m {HERE} {free_port()} 3 via=udp")
    facts = answers[0]["x"]
    assert (answers[0]["v"], facts["mtu"], facts["via"]) == ("ok", facts["out"], "udp")
    assert answers[1]["v"] == "refused"


def test_icmp_is_an_answer_or_could_not_look(process: AgentProcess) -> None:
    answers, _ = process.ask(f"i {HERE} 0 1")
    allowed = answers[0]["v"] == "ok"
    assert allowed or (
        answers[0]["v"] == "local" and "ping_group_range" in answers[0]["x"]["detail"]
    )


def test_a_probe_is_repeated_inside_the_agent_until_it_flips(process: AgentProcess) -> None:
    port = free_port()
    process.begin(
        [
            f"t {HERE} {port} 1 until=ok within=20 times=2",
            f"t {HERE} {free_port()} 1 until=ok within=0.1",
        ]
    )
    time.sleep(0.05)
    with running_reflector(port):
        answers, _ = process.end()
    flipped, other = answers[0], answers[1]
    assert (flipped["v"], flipped["first"], flipped["streak"]) == ("ok", "refused", 2)
    assert flipped["tries"] > 2
    assert flipped["at"] > other["at"] > 0
    assert (other["v"], other["streak"]) == ("refused", 0)


def test_a_budget_ends_a_list_and_says_how_much_was_answered(
    process: AgentProcess, ports: tuple[int, int], silent_port: int
) -> None:
    answers, end = process.ask(f"t {HERE} {ports[0]} 1", f"t {HERE} {silent_port} 20", budget_s=0.3)
    assert list(answers) == [0]
    assert (end["end"], end["of"]) == (1, 2)
    again, _ = process.ask(f"t {HERE} {ports[0]} 1")
    assert again[0]["v"] == "ok"


def test_thousands_of_probes_in_one_list(process: AgentProcess, ports: tuple[int, int]) -> None:
    probes = [f"{'tu'[n % 2]} 127.0.0.{1 + n % 20} {ports[n // 2 % 2]} 5" for n in range(3_000)]
    answers, end = process.ask(*probes, budget_s=120)
    assert Counter(answer["v"] for answer in answers.values()) == {"ok": 3_000}
    assert end["end"] == 3_000
    used = Counter(
        (probe.split()[0], probe.split()[1], probe.split()[2], answers[n]["x"]["source_port"])
        for n, probe in enumerate(probes)
    )
    assert max(used.values()) == 1, "a pair of ports was used twice"


def test_few_descriptors_are_enough(ports: tuple[int, int]) -> None:
    limited = AgentProcess(
        agent.script(),
        *("sh", "-c", 'ulimit -n 64; exec "$0" "$@"'),
        sys.executable,
    )
    with closing(limited):
        answers, _ = limited.ask(*(f"t {HERE} {ports[0]} 5" for _ in range(500)))
    assert Counter(answer["v"] for answer in answers.values()) == {"ok": 500}


def test_a_frozen_agent_does_not_take_its_own_absence_for_silence(
    ports: tuple[int, int], silent_port: int
) -> None:
    frozen = python_agent()
    with closing(frozen):
        probes = [f"{'tu'[n % 2]} {HERE} {ports[0]} 0.3" for n in range(600)]
        frozen.begin([*probes, f"t {HERE} {silent_port} 0.3"])
        first = frozen.read()
        frozen.process.send_signal(signal.SIGSTOP)
        time.sleep(0.5)
        frozen.process.send_signal(signal.SIGCONT)
        answers, end = frozen.end()
    answers[first["i"]] = first
    assert Counter(answers[n]["v"] for n in range(600)) == {"ok": 600}
    assert answers[600]["v"] == "timeout"
    assert end["stall"] > 300


def test_lines_are_numbered_without_a_gap(ports: tuple[int, int]) -> None:
    counted = python_agent()
    with closing(counted):
        counted.write("ping 7\n")
        counted.begin([f"u {HERE} {ports[0]} 2"] * 3)
        said = [counted.hello, *(counted.read() for _ in range(5))]
    assert [line["n"] for line in said] == list(range(6))
    assert any(line.get("pong") == 7 for line in said)


def test_it_ends_with_its_input() -> None:
    started = python_agent()
    started.begin(["t 127.0.0.1 1 30", "t 192.0.2.1 1 30"])
    assert started.close() == 3


def test_it_ends_when_its_lease_is_over() -> None:
    with closing(python_agent(lease_s=0.3)) as started:
        assert started.process.wait(10) == 4


def test_a_line_without_an_end_ends_it() -> None:
    with closing(python_agent()) as started:
        started.write("x" * 200_000)
        assert started.process.wait(10) == 5


def test_what_it_does_not_understand_it_says(process: AgentProcess) -> None:
    for line in ("p 0 t", "what", "list x", "ping \x1b[31m"):
        process.write(f"{line}\n")
        assert "bad" in process.read()
