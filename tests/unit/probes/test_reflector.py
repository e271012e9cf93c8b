"""The reflector answers every way it is asked, and survives clients that misbehave."""

import ast
import json
import subprocess
import sys

import pytest

from pytest_aksnet.probes import reflector

# Runs in a network namespace of its own; prints what each way of asking was answered.
_DRIVER = r"""
import json, os, resource, signal, socket, subprocess, sys, time, urllib.request
resource.setrlimit(resource.RLIMIT_NOFILE, (4096, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
argv = json.loads(sys.argv[1])
server = subprocess.Popen([sys.executable, *argv[1:]], stdout=subprocess.PIPE,
                          env={"POD_NAME": "web-0", "NODE_NAME": "node-a"})
server.stdout.readline()
seen = {}

def http(host, **headers):
    request = urllib.request.Request("http://%s:8080/any/path" % host, headers=headers)
    return json.load(urllib.request.urlopen(request, timeout=3))

def tcp(host, port):
    with socket.create_connection((host, port), timeout=3) as s:
        s.sendall(b"aksnet n0nce\n")
        return json.loads(s.makefile().read())

def udp(family, host, port=8080, data=b"hello"):
    s = socket.socket(family, socket.SOCK_DGRAM); s.settimeout(3)
    s.sendto(data, (host, port))
    body, peer = s.recvfrom(2048)
    return [json.loads(body), peer[0]]

rude = socket.create_connection(("127.0.0.1", 8080)); rude.send(b"GET")
half = socket.create_connection(("127.0.0.1", 8080)); half.send(b"\x00" * 40000); half.close()
gone = socket.create_connection(("127.0.0.1", 8080))
gone.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
gone.send(b"GET / HTTP/1.1\r\n\r\n"); gone.close()
seen["http4"] = http("127.0.0.1")
seen["http6"] = http("[::1]")
proxied = {"X-Forwarded-For": "192.0.2.9, 192.0.2.10", "Cookie": "secret", "X-Other": "y"}
seen["proxied"] = http("127.0.0.1", **proxied)
seen["long"] = http("127.0.0.1", **{"X-Forwarded-Client-Cert": "\u00e9" + "x" * 5000})
seen["udp4"] = udp(socket.AF_INET, "127.0.0.1")
seen["udp4_second_address"] = udp(socket.AF_INET, "127.0.0.2")
seen["udp6"] = udp(socket.AF_INET6, "::1")
seen["nonce"] = [tcp("127.0.0.1", 8080), tcp("::1", 8081),
                 udp(socket.AF_INET, "127.0.0.1", 8081, b"aksnet n0nce " + b"." * 9000)[0],
                 udp(socket.AF_INET, "127.0.0.1", 8080, b"aksnet \xff\xfe \n")[0],
                 udp(socket.AF_INET, "127.0.0.1", 8080, b"aksnet \n")[0]]
kept = [socket.create_connection(("127.0.0.1", 8080)) for _ in range(950)]
seen["http_among_idle"] = http("127.0.0.1")
server.send_signal(signal.SIGTERM)
seen["exit"] = server.wait(3)
print(json.dumps(seen))
"""


@pytest.fixture(scope="module")
def seen() -> dict[str, object]:
    if subprocess.run(["unshare", "-rn", "true"], capture_output=True, check=False).returncode:
        pytest.skip("this machine allows no user namespaces")
    done = subprocess.run(
        [
            "unshare", "-rn", sys.executable, "-c", _DRIVER, json.dumps(reflector.argv(8080, 8081)),
        ],
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    answers: dict[str, object] = json.loads(done.stdout)
    return answers


@pytest.mark.parametrize(
    ("way", "source"), [("http4", "127.0.0.1"), ("http6", "::1"), ("http_among_idle", "127.0.0.1")]
)
def test_http_is_answered_with_source_and_name(
    seen: dict[str, object], way: str, source: str
) -> None:
    answer = seen[way]
    assert isinstance(answer, dict)
    assert (answer["source"], answer["pod"], answer["node"]) == (source, "web-0", "node-a")
    assert answer["source_port"] > 0


def test_what_proxies_said_of_the_client_is_told_and_no_other_header(
    seen: dict[str, object],
) -> None:
    proxied, long, plain = seen["proxied"], seen["long"], seen["http4"]
    assert isinstance(proxied, dict)
    assert proxied["forwarded"] == {"x-forwarded-for": "192.0.2.9, 192.0.2.10"}
    assert isinstance(long, dict)
    assert len(long["forwarded"]["x-forwarded-client-cert"]) == 800
    assert isinstance(plain, dict)
    assert "forwarded" not in plain


@pytest.mark.parametrize(
    ("way", "asked"),
    [("udp4", "127.0.0.1"), ("udp4_second_address", "127.0.0.2"), ("udp6", "::1")],
)
def test_udp_is_answered_from_the_address_that_was_asked(
    seen: dict[str, object], way: str, asked: str
) -> None:
    answer = seen[way]
    assert isinstance(answer, list)
    assert answer[0]["pod"] == "web-0"
    assert answer[1] == asked


def test_a_nonce_is_echoed_over_both_protocols_and_ports(seen: dict[str, object]) -> None:
    answers = seen["nonce"]
    assert isinstance(answers, list)
    over_tcp, over_tcp6, over_udp, odd, empty = answers
    for answer in (over_tcp, over_tcp6, over_udp):
        assert (answer["nonce"], answer["pod"], answer["node"]) == ("n0nce", "web-0", "node-a")
    assert over_tcp6["source"] == "::1"
    assert over_udp["received"] == 9013
    assert odd["nonce"] == "\ufffd\ufffd"
    assert empty["nonce"] == ""


def test_it_ends_at_once_when_told_to(seen: dict[str, object]) -> None:
    assert seen["exit"] == 0


def test_the_script_is_python_3_8() -> None:
    ast.parse(reflector.SCRIPT, feature_version=(3, 8))
