"""Aggregated discovery: all groups and resources in one answer (apidiscovery.k8s.io/v2).

kubectl and client-go ask for it first, and need two requests instead of one per group.
"""

import hashlib

from aiohttp import web

from pytest_aksnet.lab.api import discovery, exchange
from pytest_aksnet.lab.api.objects import JsonObject
from pytest_aksnet.lab.api.resources import RESOURCES, Resource

_MEDIA = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"


def is_wanted(request: web.Request) -> bool:
    """Whether a client asks for this form before the plain one."""
    for choice in request.headers.get("Accept", "").split(","):
        plain = choice.replace(" ", "")
        if plain == _MEDIA:
            return True
        if plain.split(";")[0] == exchange.JSON and "as=" not in plain:
            return False
    return False


def answer(request: web.Request, *, named: bool) -> web.Response:
    """GET /apis, or without `named` GET /api; 304 where the client has it already."""
    groups = discovery.group_names() if named else ("",)
    body = exchange.encode(
        {
            "kind": "APIGroupDiscoveryList",
            "apiVersion": "apidiscovery.k8s.io/v2",
            "metadata": {},
            "items": [_group(name) for name in groups],
        }
    )
    tag = f'"{hashlib.sha512(body).hexdigest().upper()}"'
    known = request.headers.get("If-None-Match") == tag
    response = web.Response(status=304) if known else exchange.answer(body)
    response.headers["Cache-Control"] = "public"
    response.headers["Content-Type"] = _MEDIA
    response.headers["Etag"] = tag
    response.headers["Vary"] = "Accept"
    return response


def _group(name: str) -> JsonObject:
    members = sorted(
        (item for item in RESOURCES if item.group == name), key=lambda item: item.plural
    )
    version: JsonObject = {
        "version": members[0].version,
        "resources": [_resource(item) for item in members],
        "freshness": "Current",
    }
    return {"metadata": {"name": name} if name else {}, "versions": [version]}


def _resource(item: Resource) -> JsonObject:
    entry: JsonObject = {
        "resource": item.plural,
        "responseKind": {"group": "", "version": "", "kind": item.kind},
        "scope": "Namespaced" if item.namespaced else "Cluster",
        "singularResource": item.singular,
        "verbs": list(item.verbs),
    }
    if item.short_names:
        entry["shortNames"] = list(item.short_names)
    if item.categories:
        entry["categories"] = list(item.categories)
    if item.subresources:
        entry["subresources"] = [_subresource(item, name) for name in item.subresources]
    return entry


def _subresource(item: Resource, name: str) -> JsonObject:
    kind, verbs = discovery.SUBRESOURCES[name]
    group, version = discovery.GROUP_OF_KIND.get(kind, ("", ""))
    return {
        "subresource": name,
        "responseKind": {"group": group, "version": version, "kind": kind or item.kind},
        "verbs": list(verbs),
    }
