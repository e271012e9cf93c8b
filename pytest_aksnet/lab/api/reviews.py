"""Requests that ask and store nothing: what may I do, who am I."""

from pytest_aksnet.lab.api import authorization
from pytest_aksnet.lab.api.context import User
from pytest_aksnet.lab.api.objects import JsonObject, timestamp
from pytest_aksnet.lab.api.resources import (
    SELF_SUBJECT_ACCESS_REVIEWS,
    SELF_SUBJECT_REVIEWS,
    SELF_SUBJECT_RULES_REVIEWS,
    Resource,
)
from pytest_aksnet.lab.api.store import Store

_ALL_RESOURCES: JsonObject = {"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}
_ALL_PATHS: JsonObject = {"verbs": ["*"], "nonResourceURLs": ["*"]}


def review(store: Store, user: User, resource: Resource, value: JsonObject) -> JsonObject:
    """The review with its answer in `status`."""
    spec = {
        key: {name: item for name, item in part.items() if item != ""}
        if isinstance(part, dict)
        else part
        for key, part in (value.get("spec") or {}).items()
    }
    if resource is SELF_SUBJECT_ACCESS_REVIEWS:
        status = _access(store, user, spec)
    elif resource is SELF_SUBJECT_RULES_REVIEWS:
        status = _rules(store, user, str(spec.pop("namespace", "")))
    else:
        status = {"userInfo": {"username": user.name, "groups": list(user.groups)}}
    result: JsonObject = {
        "kind": resource.kind,
        "apiVersion": resource.api_version,
        "metadata": {},
    }
    if resource is SELF_SUBJECT_REVIEWS:
        result["metadata"]["creationTimestamp"] = timestamp()
    else:
        result["spec"] = spec
    result["status"] = status
    return result


def _access(store: Store, user: User, spec: JsonObject) -> JsonObject:
    if user.is_admin:
        return {"allowed": True}
    path = (spec.get("nonResourceAttributes") or {}).get("path", "")
    if path:
        why = authorization.allowed_path(store, user, path)
        return {"allowed": True, "reason": why} if why else {"allowed": False}
    wanted = spec.get("resourceAttributes") or {}
    resource = wanted.get("resource", "")
    if wanted.get("subresource"):
        resource += f"/{wanted['subresource']}"
    why = authorization.allowed(
        store,
        user,
        verb=wanted.get("verb", ""),
        group=wanted.get("group", ""),
        resource=resource,
        namespace=wanted.get("namespace", ""),
        name=wanted.get("name", ""),
    )
    return {"allowed": True, "reason": why} if why else {"allowed": False}


def _rules(store: Store, user: User, namespace: str) -> JsonObject:
    if user.is_admin:
        rules, paths = [_ALL_RESOURCES], [_ALL_PATHS]
    else:
        rules, paths = authorization.rules_of(store, user, namespace), []
    return {"resourceRules": rules, "nonResourceRules": paths, "incomplete": False}
