"""Discovery: versions, groups and resources that the API serves, and /version.

The plain form; the aggregated one is in `aggregated`.
"""

from pytest_aksnet.lab.api.objects import JsonObject
from pytest_aksnet.lab.api.resources import RESOURCES, Resource

SUBRESOURCES: dict[str, tuple[str, tuple[str, ...]]] = {
    # name: (kind, or "" for that of the resource; verbs)
    "attach": ("PodAttachOptions", ("create", "get")),
    "binding": ("Binding", ("create",)),
    "ephemeralcontainers": ("", ("get", "patch", "update")),
    "eviction": ("Eviction", ("create",)),
    "exec": ("PodExecOptions", ("create", "get")),
    "finalize": ("", ("update",)),
    "log": ("Pod", ("get",)),
    "portforward": ("PodPortForwardOptions", ("create", "get")),
    "scale": ("Scale", ("get", "patch", "update")),
    "status": ("", ("get", "patch", "update")),
    "token": ("TokenRequest", ("create",)),
}
GROUP_OF_KIND = {
    "Eviction": ("policy", "v1"),
    "Scale": ("autoscaling", "v1"),
    "TokenRequest": ("authentication.k8s.io", "v1"),
}


def versions(address: str) -> JsonObject:
    """GET /api."""
    return {
        "kind": "APIVersions",
        "versions": ["v1"],
        "serverAddressByClientCIDRs": [
            {"clientCIDR": "0.0.0.0/0", "serverAddress": address},
        ],
    }


def group_names() -> tuple[str, ...]:
    """The named groups."""
    return tuple(dict.fromkeys(item.group for item in RESOURCES if item.group))


def group(name: str) -> JsonObject:
    """One group of GET /apis; each has one version."""
    version = next(item.version for item in RESOURCES if item.group == name)
    entry = {"groupVersion": f"{name}/{version}", "version": version}
    return {"name": name, "versions": [entry], "preferredVersion": entry}


def groups() -> JsonObject:
    """GET /apis."""
    return {
        "kind": "APIGroupList",
        "apiVersion": "v1",
        "groups": [group(name) for name in group_names()],
    }


def resource_list(group_name: str, version: str) -> JsonObject | None:
    """GET /api/v1 or /apis/GROUP/VERSION; None where that is not served."""
    members = [item for item in RESOURCES if (item.group, item.version) == (group_name, version)]
    if not members:
        return None
    entries: list[JsonObject] = []
    for item in sorted(members, key=lambda one: one.plural):
        entries.append(_entry(item))
        entries += [_subresource(item, name) for name in item.subresources]
    result: JsonObject = {"kind": "APIResourceList"}
    if group_name:
        result["apiVersion"] = "v1"
    result["groupVersion"] = members[0].api_version
    result["resources"] = entries
    return result


def _entry(item: Resource) -> JsonObject:
    entry: JsonObject = {
        "name": item.plural,
        "singularName": item.singular,
        "namespaced": item.namespaced,
        "kind": item.kind,
        "verbs": list(item.verbs),
    }
    if item.short_names:
        entry["shortNames"] = list(item.short_names)
    if item.categories:
        entry["categories"] = list(item.categories)
    return entry


def _subresource(item: Resource, name: str) -> JsonObject:
    kind, verbs = SUBRESOURCES[name]
    entry: JsonObject = {
        "name": f"{item.plural}/{name}",
        "singularName": "",
        "namespaced": item.namespaced,
    }
    if kind in GROUP_OF_KIND:
        entry["group"], entry["version"] = GROUP_OF_KIND[kind]
    return {**entry, "kind": kind or item.kind, "verbs": list(verbs)}


def version_info(git_version: str) -> JsonObject:
    """GET /version."""
    major, minor = git_version.lstrip("v").split(".")[:2]
    return {
        "major": major,
        "minor": minor,
        "emulationMajor": major,
        "emulationMinor": minor,
        "minCompatibilityMajor": major,
        "minCompatibilityMinor": str(int(minor) - 1),
        "gitVersion": git_version,
        "gitCommit": "0" * 40,
        "gitTreeState": "clean",
        "buildDate": "2026-11-21T00:00:00Z",
        "goVersion": "none",
        "compiler": "aksnet-lab",
        "platform": "linux/amd64",
    }
