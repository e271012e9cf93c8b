"""A server that tells its client from which address it came: `python3 -c` gets this file's text.

HTTP on port 8080 and UDP on 8081 of all addresses, unless other ports are given as arguments.
Standard library only. It ends with its standard input where the third argument says so.
"""

import http.server
import os
import socket
import sys
import threading


def _plain(address: str) -> str:
    return address.removeprefix("::ffff:")


class _Reflect(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", "0")))
        body = (_plain(self.client_address[0]) + "\n").encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


class _Server(http.server.ThreadingHTTPServer):
    request_queue_size = 128


def _family() -> socket.AddressFamily:
    """IPv6 sockets take IPv4 as well; a kernel or a namespace may have none."""
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as one:
            one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
            one.bind(("::", 0))
    except OSError:
        return socket.AF_INET
    return socket.AF_INET6


def _serve_udp(family: socket.AddressFamily, port: int) -> None:
    with socket.socket(family, socket.SOCK_DGRAM) as serving:
        if family == socket.AF_INET6:
            serving.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        serving.bind(("", port))
        while True:
            _, peer = serving.recvfrom(65536)
            serving.sendto(_plain(peer[0]).encode(), peer)


def main(arguments: list[str]) -> None:
    """[HTTP_PORT UDP_PORT [while-stdin]]."""
    http_port, udp_port = map(int, arguments[:2] or ("8080", "8081"))
    family = _family()
    threading.Thread(target=_serve_udp, args=(family, udp_port), daemon=True).start()
    _Server.address_family = family
    server = _Server(("", http_port), _Reflect)
    if arguments[2:]:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        print("ready", flush=True)  # noqa: T201
        while os.read(0, 4096):
            pass
        return
    server.serve_forever()


if __name__ == "__main__":
    main(sys.argv[1:])
