"""What runs at a place of a lab to look from there: `python3 -c` gets this file's text.

Standard library only. Prints one line of JSON per look: [outcome, source, text, seconds].
"""

import json
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Sequence

Seen = tuple[str, str, str]  # outcome, source, text


def tcp(host: str, port: str, seconds: str, source_port: str, message: str) -> Seen:
    """A handshake; with a message also the first answer to it."""
    with socket.create_connection(
        (host, int(port)), float(seconds), ("", int(source_port)) if int(source_port) else None
    ) as connection:
        if not message:
            return "ok", "", ""
        connection.sendall(message.encode())
        return "ok", "", connection.recv(65536).decode()


def udp(host: str, port: str, seconds: str, source_port: str, message: str) -> Seen:
    """A datagram and its answer, which is the address that the server saw."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as asking:
        asking.settimeout(float(seconds))
        asking.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        asking.bind(("", int(source_port)))
        asking.connect((host, int(port)))
        asking.send((message or "x").encode())
        answer = asking.recv(65536).decode().strip()
    return "ok", answer, answer


def http(url: str, seconds: str, upload: str) -> Seen:
    """A request; `source` is the body, which a reflector makes of the address that it saw.

    `upload` bytes of body go with it.
    """
    tls, _, rest = url.partition("://")
    place, _, path = rest.partition("/")
    host, _, port = place.rpartition(":")
    with socket.create_connection((host.strip("[]"), int(port)), float(seconds)) as plain:
        connection = plain
        if tls == "https":
            trusting = ssl.create_default_context()
            trusting.check_hostname = False
            trusting.verify_mode = ssl.CERT_NONE
            connection = trusting.wrap_socket(plain, server_hostname=host.strip("[]"))
        head = f"GET /{path} HTTP/1.1\r\nHost: {place}\r\nConnection: close\r\nMetadata: true\r\n"
        if int(upload):
            head += f"Content-Length: {upload}\r\n"
        connection.sendall(head.encode() + b"\r\n" + b"u" * int(upload))
        answer = b""
        while chunk := connection.recv(65536):
            answer += chunk
    top, _, body = answer.partition(b"\r\n\r\n")
    status = top.split(b" ")[1].decode() if top else "no answer"
    text = body.decode(errors="replace").strip()
    return ("ok" if status == "200" else f"http {status}"), text, text


def tls(host: str, port: str, seconds: str, name: str) -> Seen:
    """A TLS handshake with a server name; the text is its certificate, PEM."""
    trusting = ssl.create_default_context()
    trusting.check_hostname = False
    trusting.verify_mode = ssl.CERT_NONE
    with (
        socket.create_connection((host, int(port)), float(seconds)) as plain,
        trusting.wrap_socket(plain, server_hostname=name) as connection,
    ):
        certificate = connection.getpeercert(binary_form=True)
    return "ok", "", ssl.DER_cert_to_PEM_cert(certificate or b"")


def ping(host: str, size: str, seconds: str, ttl: str) -> Seen:
    """An echo of `size` bytes, IP header included, that must not be fragmented."""
    headers = 48 if ":" in host else 28
    argv = ["ping", "-c1", f"-W{seconds}", "-Mdo", f"-s{int(size) - headers}", f"-t{ttl}", host]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    said = done.stdout + done.stderr
    for words, outcome in (
        ("too long", "too long"),
        ("Frag needed", "too long"),
        ("nreachable", "unreachable"),
        ("Time to live", "ttl"),
        (" 0% packet loss", "ok"),
        ("100% packet loss", "timeout"),
    ):
        if words in said:
            return outcome, "", said
    return f"ping {done.returncode}", "", said


def dns(name: str, kind: str, server: str, transport: str, seconds: str) -> Seen:
    """A question; the outcome is the status in lower case, the text the answers' data by line."""
    argv = ["dig", "+tries=1", f"+time={seconds}", "+noall", "+comments", "+answer", name, kind]
    argv += [f"@{server}"] if server else []
    argv += {"tcp": ["+tcp"], "udp": ["+notcp"], "udp-only": ["+notcp", "+ignore"]}[transport]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    status = done.stdout.partition("status: ")[2].partition(",")[0].lower()
    answers = [
        line.split(None, 4)[4]
        for line in done.stdout.splitlines()
        if line and not line.startswith(";")
    ]
    flags = done.stdout.partition("flags:")[2].partition(";")[0].split()
    if not status:
        refused = "connection refused" in done.stdout + done.stderr
        return ("refused" if refused else "timeout"), "", done.stdout + done.stderr
    return ("truncated" if "tc" in flags else status), "", "\n".join(answers)


def look(verb: str, arguments: Sequence[str]) -> tuple[str, str, str, float]:
    """One look; errors of the network are outcomes."""
    verbs: dict[str, Callable[..., Seen]] = {
        "tcp": tcp,
        "udp": udp,
        "http": http,
        "tls": tls,
        "ping": ping,
        "dns": dns,
    }
    start = time.monotonic()
    try:
        seen = verbs[verb](*arguments)
    except TimeoutError:
        seen = ("timeout", "", "")
    except ConnectionRefusedError:
        seen = ("refused", "", "")
    except ConnectionResetError:
        seen = ("reset", "", "")
    except OSError as error:
        no_way = error.errno in (101, 113)
        seen = ("unreachable" if no_way else "error", "", str(error))
    return (*seen, time.monotonic() - start)


def main(arguments: Sequence[str]) -> None:
    """COUNT VERB ARGUMENT...: look that often, one after the other."""
    for _ in range(int(arguments[0])):
        print(json.dumps(look(arguments[1], arguments[2:])), flush=True)  # noqa: T201


if __name__ == "__main__":
    main(sys.argv[1:])
