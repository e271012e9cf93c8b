"""Counters of LocalDNS and the HTTP server that shows them, in Prometheus' text format.

Names and labels as CoreDNS' plugins prometheus and cache have them; what is not counted is not
shown.
"""

import asyncio
from collections import Counter
from collections.abc import Iterator

from pytest_aksnet.lab.sockets import tcp_listener

_REQUEST_SECONDS = 10.0
_CACHE_NAMES = {
    "hits": ("coredns_cache_hits_total", "The count of cache hits."),
    "misses": ("coredns_cache_misses_total", "The count of cache misses."),
    "stale": (
        "coredns_cache_served_stale_total",
        "The number of requests served from stale cache entries.",
    ),
}


class Metrics:
    """Counters of one LocalDNS. `cache` hands out those of a cache, to be counted up."""

    def __init__(self) -> None:
        self._requests: Counter[tuple[str, str, str, str]] = Counter()
        self._responses: Counter[tuple[str, str, str]] = Counter()
        self._caches: dict[tuple[str, str], Counter[str]] = {}

    def cache(self, server: str, zone: str) -> Counter[str]:
        """Counters "hits", "misses" and "stale" of a zone of a server."""
        return self._caches.setdefault((server, zone), Counter())

    def count(self, server: str, zone: str, *, transport: str, qtype: str, rcode: str) -> None:
        """One question and its answer."""
        self._requests[server, zone, transport, qtype] += 1
        self._responses[server, zone, rcode] += 1

    def text(self) -> str:
        """All of them as Prometheus scrapes them."""
        return "".join(f"{line}\n" for line in self._lines())

    def _lines(self) -> Iterator[str]:
        yield "# HELP coredns_dns_requests_total Counter of DNS requests made."
        yield "# TYPE coredns_dns_requests_total counter"
        for (server, zone, transport, qtype), value in sorted(self._requests.items()):
            labels = (
                f'family="1",proto="{transport}",server="{server}",type="{qtype}",zone="{zone}"'
            )
            yield f"coredns_dns_requests_total{{{labels}}} {value}"
        yield "# HELP coredns_dns_responses_total Counter of response status codes."
        yield "# TYPE coredns_dns_responses_total counter"
        for (server, zone, rcode), value in sorted(self._responses.items()):
            labels = f'rcode="{rcode}",server="{server}",zone="{zone}"'
            yield f"coredns_dns_responses_total{{{labels}}} {value}"
        for key, (name, help_text) in _CACHE_NAMES.items():
            yield f"# HELP {name} {help_text}"
            yield f"# TYPE {name} counter"
            for (server, zone), counts in sorted(self._caches.items()):
                yield f'{name}{{server="{server}",zones="{zone}"}} {counts[key]}'


class MetricsServer:
    """Answers every GET of /metrics; one request per connection."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._server: asyncio.Server | None = None

    async def start(self, netns_fd: int, address: str, port: int) -> None:
        """Listen. Raises OSError."""
        listener = tcp_listener(netns_fd, address, port)
        self._server = await asyncio.start_server(self._serve, sock=listener)

    def stop(self) -> None:
        """Stop listening."""
        if self._server is not None:
            self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(_REQUEST_SECONDS):
                head = await reader.readuntil(b"\r\n\r\n")
                found = head.startswith(b"GET /metrics ")
                body = self._metrics.text().encode() if found else b"404 page not found\n"
                status = "200 OK" if found else "404 Not Found"
                writer.write(
                    f"HTTP/1.1 {status}\r\nContent-Type: text/plain; version=0.0.4\r\n"
                    f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode()
                    + body
                )
                await writer.drain()
        except (
            TimeoutError,
            asyncio.IncompleteReadError,
            asyncio.LimitOverrunError,
            ConnectionError,
        ):
            return
        finally:
            writer.close()
