"""Who is asking, and whether they may: bearer tokens, and RBAC over the stored objects.

The lab's own token belongs to system:masters. Tokens from serviceaccounts/token are judged by the
Roles and bindings in the store, as "Using RBAC Authorization" says.
"""

from collections.abc import Iterator

from aiohttp import web

from pytest_aksnet.lab.api import errors
from pytest_aksnet.lab.api.context import ANONYMOUS, ApiContext, User
from pytest_aksnet.lab.api.objects import JsonObject
from pytest_aksnet.lab.api.resources import (
    CLUSTER_ROLE_BINDINGS,
    CLUSTER_ROLES,
    ROLE_BINDINGS,
    ROLES,
)
from pytest_aksnet.lab.api.routes import Target
from pytest_aksnet.lab.api.store import Store

_OPEN_TO_ALL = ("/version", "/healthz", "/livez", "/readyz")
_OPEN_TO_AUTHENTICATED = ("/api", "/apis", "/openapi")
_VERBS = {"POST": "create", "PUT": "update", "PATCH": "patch"}
_SELF_REVIEWS = ("selfsubjectaccessreviews", "selfsubjectrulesreviews", "selfsubjectreviews")


def token_of(request: web.Request) -> str:
    """The bearer token that a request carries; empty for none."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def authenticate(context: ApiContext, request: web.Request) -> User:
    """The user of a request. Raises ApiError 401 where its token is not good."""
    if not request.headers.get("Authorization"):
        return ANONYMOUS
    user = context.user_of(token_of(request))
    if user is None:
        raise errors.unauthorized()
    wanted = request.headers.get("Impersonate-User", "")
    return _impersonated(context.store, user, wanted, request) if wanted else user


def _impersonated(store: Store, user: User, wanted: str, request: web.Request) -> User:
    """Who a user acts as (kubectl --as). Raises ApiError 403 where it may not."""
    parts = wanted.split(":")
    is_account = wanted.startswith("system:serviceaccount:") and len(parts) == 4
    if not user.is_admin and not allowed(
        store,
        user,
        verb="impersonate",
        group="",
        resource="serviceaccounts" if is_account else "users",
        namespace=parts[2] if is_account else "",
        name=parts[3] if is_account else wanted,
    ):
        kind = "serviceaccounts" if is_account else "users"
        why = (
            f'User "{user.name}" cannot impersonate resource "{kind}" in API group "" at the '
            "cluster scope"
        )
        raise errors.NotAuthorized(f'{kind} "{wanted}" is forbidden: {why}', {})
    groups = list(request.headers.getall("Impersonate-Group", []))
    if is_account and not groups:
        groups = ["system:serviceaccounts", f"system:serviceaccounts:{parts[2]}"]
    if "system:unauthenticated" not in groups:
        groups.append("system:authenticated")
    return User(name=wanted, groups=tuple(dict.fromkeys(groups)))


def verb_of(request: web.Request, target: Target) -> str:
    """The API verb of a request."""
    method = request.method
    if method in _VERBS:
        return _VERBS[method]
    if method == "DELETE":
        return "delete" if target.name else "deletecollection"
    if target.name:
        return "get"
    return "watch" if request.query.get("watch") in ("1", "true") else "list"


def require_path(store: Store, user: User, path: str) -> None:
    """Raise ApiError 403 where the user may not read a path outside the resources."""
    if user.is_admin or path.rstrip("/").startswith(_OPEN_TO_ALL):
        return
    if user is not ANONYMOUS and path.startswith(_OPEN_TO_AUTHENTICATED):
        return
    if allowed_path(store, user, path):
        return
    message = f'forbidden: User "{user.name}" cannot get path "{path}"'
    raise errors.NotAuthorized(message, {})


def require(store: Store, user: User, verb: str, target: Target) -> None:
    """Raise ApiError 403 where the user may not do this."""
    if user.is_admin:
        return
    resource = target.resource
    plural = resource.plural
    if target.subresource:
        plural += f"/{target.subresource}"
    if user is not ANONYMOUS and plural in _SELF_REVIEWS:
        return
    if allowed(
        store,
        user,
        verb=verb,
        group=resource.group,
        resource=plural,
        namespace=target.namespace,
        name=target.name,
    ):
        return
    where = f'in the namespace "{target.namespace}"' if target.namespace else "at the cluster scope"
    why = (
        f'User "{user.name}" cannot {verb} resource "{plural}" in API group "{resource.group}" '
        f"{where}"
    )
    raise errors.not_authorized(resource, target.name, why)


def require_create_too(store: Store, user: User, target: Target) -> None:
    """Raise ApiError 403, without a reason, where a user may get but not create.

    An exec over a WebSocket is a GET that starts something: it needs both verbs.
    """
    try:
        require(store, user, "create", target)
    except errors.ApiError:
        raise errors.forbidden(target.resource, target.name, "") from None


def allowed(
    store: Store,
    user: User,
    *,
    verb: str,
    group: str,
    resource: str,
    namespace: str,
    name: str,
) -> str:
    """Why RBAC lets a user do this; empty where it does not."""
    for binding, role, rules in _grants(store, user, namespace):
        for rule in rules:
            names = rule.get("resourceNames") or []
            if (
                _has(rule, "verbs", verb)
                and _has(rule, "apiGroups", group)
                and _has_resource(rule, resource)
                and (not names or name in names)
            ):
                return _reason(user, binding, role)
    return ""


def allowed_path(store: Store, user: User, path: str) -> str:
    """Why RBAC lets a user get a path outside the resources; empty where it does not."""
    for binding, role, rules in _grants(store, user, ""):
        for rule in rules:
            paths = rule.get("nonResourceURLs") or []
            if _has(rule, "verbs", "get") and any(_matches(pattern, path) for pattern in paths):
                return _reason(user, binding, role)
    return ""


def _matches(pattern: str, path: str) -> bool:
    if pattern.endswith("*"):
        return path.startswith(pattern.removesuffix("*"))
    return path == pattern


def rules_of(store: Store, user: User, namespace: str) -> list[JsonObject]:
    """All rules that RBAC grants a user in a namespace."""
    return [rule for _, _, rules in _grants(store, user, namespace) for rule in rules]


def _grants(
    store: Store, user: User, namespace: str
) -> Iterator[tuple[JsonObject, JsonObject, list[JsonObject]]]:
    bindings = store.revisions(CLUSTER_ROLE_BINDINGS)
    if namespace:
        bindings = bindings + store.revisions(ROLE_BINDINGS, namespace)
    for revision in bindings:
        binding = revision.value
        if not any(_is_subject(item, user) for item in binding.get("subjects") or []):
            continue
        reference = binding["roleRef"]
        if reference["kind"] == "Role":
            role = store.find(ROLES, reference["name"], namespace)
        else:
            role = store.find(CLUSTER_ROLES, reference["name"])
        if role is not None:
            yield binding, role, role.get("rules") or []


def _is_subject(subject: JsonObject, user: User) -> bool:
    name = subject.get("name", "")
    match subject.get("kind"):
        case "ServiceAccount":
            return user.name == f"system:serviceaccount:{subject.get('namespace')}:{name}"
        case "Group":
            return name in user.groups
    return bool(name == user.name)


def _has(rule: JsonObject, field: str, wanted: str) -> bool:
    values = rule.get(field) or []
    return "*" in values or wanted in values


def _has_resource(rule: JsonObject, wanted: str) -> bool:
    values = rule.get("resources") or []
    _, slash, subresource = wanted.partition("/")
    return "*" in values or wanted in values or (bool(slash) and f"*/{subresource}" in values)


def _reason(user: User, binding: JsonObject, role: JsonObject) -> str:
    place = binding["metadata"].get("namespace")
    name = binding["metadata"]["name"] + (f"/{place}" if place else "")
    subject = f'User "{user.name}"'
    if user.name.startswith("system:serviceaccount:"):
        _, _, namespace, account = user.name.split(":")
        subject = f'ServiceAccount "{account}/{namespace}"'
    return (
        f'RBAC: allowed by {binding["kind"]} "{name}" of {role["kind"]} '
        f'"{role["metadata"]["name"]}" to {subject}'
    )
