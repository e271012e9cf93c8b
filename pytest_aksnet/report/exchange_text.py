"""Exchanges with Azure Resource Manager as people read them in the evidence. Pure."""

import json
from collections.abc import Iterator

from pytest_aksnet.model.arm import Exchange
from pytest_aksnet.report.redaction import clean, one_line


def exchange_lines(exchange: Exchange) -> Iterator[str]:
    """Request, answer and body, a line each; the body behind a bar of its own."""
    yield f"   {one_line(exchange.method)} {one_line(exchange.url)}"
    after = f"after {exchange.duration_s:.3f} s"
    if exchange.status == 0:
        yield f"   NO ANSWER {after}: {one_line(exchange.problem)}"
        return
    yield f"   HTTP {exchange.status} {after}, {exchange.size} bytes"
    kept = len(exchange.body.encode("utf-8", "replace"))
    text = clean(_indented(exchange.body)).rstrip()
    if text:
        yield "   body:"
        yield from (f"   | {line}" for line in text.split("\n"))
    if exchange.size > kept:
        yield f"   left out: the last {exchange.size - kept} bytes of the body"


def _indented(body: str) -> str:
    """JSON with a line for each value; anything else, such as JSON that is cut, as it came."""
    try:
        return json.dumps(json.loads(body), indent=1, ensure_ascii=False)
    except (ValueError, RecursionError):
        return body
