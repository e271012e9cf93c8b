"""GET /metrics of the API server, in Prometheus' text format: what was asked of it.

Names and labels as in k8s.io/apiserver (endpoints/metrics); only a few of its many are there.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from pytest_aksnet.lab.api.resources import ENDPOINTS, Resource

_DEPRECATED = "apiserver_requested_deprecated_apis"


@dataclass(frozen=True, slots=True, kw_only=True)
class Deprecated:
    """A deprecated API as the metric has it; `removed_release` is "" where none is named."""

    group: str
    version: str
    resource: str
    removed_release: str = ""


class Metrics:
    """Counts requests by verb and resource."""

    def __init__(self) -> None:
        self._requests: Counter[tuple[str, str, str, str]] = Counter()

    def count(self, verb: str, resource: Resource) -> None:
        """One more request."""
        key = (verb.upper(), resource.group, resource.version, resource.plural)
        self._requests[key] += 1

    def text(self, deprecated: Iterable[Deprecated]) -> str:
        """All of them; `deprecated` are APIs that others ask beside what was asked here."""
        asked = set(deprecated)
        if any(key[1:] == ("", "v1", ENDPOINTS.plural) for key in self._requests):
            asked.add(Deprecated(group="", version="v1", resource=ENDPOINTS.plural))
        lines = [
            *_head("apiserver_request_total", "counter", "Counter of apiserver requests."),
            *(
                f'apiserver_request_total{{code="200",component="apiserver",dry_run="",'
                f'group="{group}",resource="{plural}",scope="cluster",subresource="",'
                f'verb="{verb}",version="{version}"}} {count}'
                for (verb, group, version, plural), count in sorted(self._requests.items())
            ),
            *_head(
                _DEPRECATED,
                "gauge",
                "Gauge of deprecated APIs that have been requested, broken out by API group, "
                "version, resource, subresource, and removed_release.",
            ),
            *_lines(asked),
        ]
        return "\n".join(lines) + "\n"


def _head(name: str, kind: str, text: str) -> tuple[str, str]:
    return f"# HELP {name} [STABLE] {text}", f"# TYPE {name} {kind}"


def _lines(asked: Iterable[Deprecated]) -> list[str]:
    return sorted(
        f'{_DEPRECATED}{{group="{one.group}",removed_release="{one.removed_release}",'
        f'resource="{one.resource}",subresource="",version="{one.version}"}} 1'
        for one in asked
    )
