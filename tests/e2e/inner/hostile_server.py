"""The main process of a pod that answers as badly as it can. Standard library only, run by text.

Its argument is a JSON list of texts. HTTP: 8081 a reflector with hostile names, 8082 a long line,
8083 a body without end, 8084 hostile headers; 8085 sends bytes that are no HTTP. 53: DNS.
"""

import json
import socketserver
import struct
import sys
import threading
from typing import cast

TEXTS = [text.encode("utf-8", "surrogatepass") for text in json.loads(sys.argv[1])]
MEGABYTE = b"<b>\x1b[31m$(id)" * 74899
HEAD = b"HTTP/1.1 200 OK\r\nConnection: close\r\n"
A, CNAME, TXT = 1, 5, 16


class Hostile(socketserver.StreamRequestHandler):
    """Answers one connection as its port does."""

    timeout = 20

    def handle(self) -> None:
        """Read a request up to its empty line, then answer."""
        port = cast(tuple[str, int], self.server.server_address)[1]
        if port == 53:
            length = struct.unpack("!H", self.rfile.read(2))[0]
            answer = dns(self.rfile.read(length), 60000)
            self.wfile.write(struct.pack("!H", len(answer)) + answer)
            return
        if port != 8085:
            while self.rfile.readline(65536).strip():
                pass
        try:
            getattr(self, f"on_{port}")()
        except OSError:
            return  # it has heard enough

    def on_8081(self) -> None:
        """A reflector that names itself in hostile words."""
        name = b"".join(TEXTS).decode("utf-8", "surrogatepass")
        body = json.dumps({"source": "10.1.2.3", "pod": name, "node": name}).encode()
        self.wfile.write(HEAD + b"Content-Length: %d\r\n\r\n" % len(body) + body)

    def on_8082(self) -> None:
        """Ten megabytes on one line."""
        self.wfile.write(HEAD + b"Content-Length: %d\r\n\r\n" % (10 * len(MEGABYTE)))
        for _ in range(10):
            self.wfile.write(MEGABYTE)

    def on_8083(self) -> None:
        """Chunks without end."""
        self.wfile.write(HEAD + b"Transfer-Encoding: chunked\r\n\r\n")
        while True:
            self.wfile.write(b"%x\r\n%s\r\n" % (len(MEGABYTE), MEGABYTE))

    def on_8084(self) -> None:
        """Hostile headers, most of them long."""
        lines = [b"X-%d: " % i + text.replace(b"\n", b" ") for i, text in enumerate(TEXTS)]
        lines = [line.replace(b"\0", b"").replace(b"\r", b" ") for line in lines]
        lines += [b"X-Long-%d: " % i + b"\x1b[8m\xff" * 400 for i in range(20)]
        self.wfile.write(HEAD + b"\r\n".join(lines) + b"\r\nContent-Length: 2\r\n\r\nok")

    def on_8085(self) -> None:
        """Bytes that are no HTTP and no UTF-8."""
        self.wfile.write(b"\xff\xfe\x1b[31m" + b"\r\n".join(TEXTS))


class HostileDatagram(socketserver.BaseRequestHandler):
    """Answers one DNS query."""

    def handle(self) -> None:
        """Answer; what does not fit is left to TCP."""
        query, sock = self.request
        sock.sendto(dns(query, 1200), self.client_address)


def dns(query: bytes, room: int) -> bytes:
    """The answer: TXT records of all texts, else an alias of hostile labels and its address."""
    end = query.index(b"\0", 12) + 5
    question, kind = query[12:end], struct.unpack("!H", query[end - 4 : end - 2])[0]
    if kind == TXT:
        records = [record(b"\xc0\x0c", TXT, pieces(text)) for text in TEXTS]
    else:
        alias = b"".join(pieces(text[:40]) for text in TEXTS[:5]) + b"\0"
        records = [record(b"\xc0\x0c", CNAME, alias), record(alias, A, bytes((10, 1, 2, 3)))]
    body = b"".join(records)
    flags, count = 0x8400, len(records)
    if 12 + len(question) + len(body) > room:
        flags, count, body = flags | 0x0200, 0, b""
    return query[:2] + struct.pack("!5H", flags, 1, count, 0, 0) + question + body


def record(name: bytes, kind: int, data: bytes) -> bytes:
    """A record of class IN."""
    return name + struct.pack("!HHIH", kind, 1, 5, len(data)) + data


def pieces(text: bytes) -> bytes:
    """A text as character strings, or as one label where it is short."""
    parts = [text[start : start + 255] for start in range(0, len(text), 255)]
    return b"".join(bytes((len(part),)) + part for part in parts)


class Server(socketserver.ThreadingTCPServer):
    """Listens again at once after a restart."""

    allow_reuse_address = True
    daemon_threads = True


for number in (53, 8081, 8082, 8083, 8084, 8085):
    server = Server(("0.0.0.0", number), Hostile)
    threading.Thread(target=server.serve_forever, daemon=True).start()
socketserver.ThreadingUDPServer(("0.0.0.0", 53), HostileDatagram).serve_forever()
