"""$expand of machines: how one runs is told only to who asks for it. Pure.

Source: the REST API of Microsoft.Compute, Virtual Machine Scale Set VMs ($expand=instanceView).
"""

from collections.abc import Mapping

from pytest_aksnet.lab.arm.documents import Document

_VIEW = "instanceView"


def shown(document: Document, query: Mapping[str, str]) -> Document:
    """The document as it is read with that query."""
    properties = document.get("properties", {})
    if _VIEW not in properties or query.get("$expand", "").casefold() == _VIEW.casefold():
        return document
    return {**document, "properties": {k: v for k, v in properties.items() if k != _VIEW}}
