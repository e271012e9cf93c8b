"""Reads metrics of the API server (Prometheus text format). Pure: text in, observations out."""

import re

from pytest_aksnet.model.errors import OutputUnparsable
from pytest_aksnet.model.observation import DeprecatedApi

DEPRECATED = "apiserver_requested_deprecated_apis"
_LINE = re.compile(rf"^{DEPRECATED}\{{(?P<labels>.*)\}} (?P<value>\S+)", re.MULTILINE)
_LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')
# Every API server has it, whatever it was asked for: without it the text is no metrics of one.
_ALWAYS = re.compile(r"^(# HELP )?apiserver_", re.MULTILINE)


def deprecated_apis(text: str) -> tuple[DeprecatedApi, ...]:
    """The deprecated APIs that were asked for. Raises OutputUnparsable for other text."""
    if not _ALWAYS.search(text):
        raise OutputUnparsable("/metrics of the API server has none of its metrics", text[:500])
    found = []
    for line in _LINE.finditer(text):
        labels = dict(_LABEL.findall(line["labels"]))
        if "resource" not in labels or "version" not in labels:
            raise OutputUnparsable(f"{DEPRECATED} has other labels than known", line[0])
        try:
            asked = float(line["value"]) > 0
        except ValueError as error:
            raise OutputUnparsable(f"{DEPRECATED} has no number", line[0]) from error
        if asked:
            found.append(
                DeprecatedApi(
                    group=labels.get("group", ""),
                    version=labels["version"],
                    resource=labels["resource"],
                    removed_release=labels.get("removed_release", ""),
                )
            )
    return tuple(sorted(found, key=lambda one: (one.group, one.resource, one.version)))
