"""The API server as an aiohttp application: which handler answers which request.

Serve it with TLS on a socket of your own, for instance with `web.SockSite(runner, socket,
ssl_context=...)` and `AppRunner(app, access_log=None, shutdown_timeout=1)`.
"""

import secrets
import uuid
from collections.abc import Awaitable, Callable, Iterable
from http import HTTPStatus

from aiohttp import web
from aiohttp.typedefs import Middleware

from pytest_aksnet.lab.api import (
    aggregated,
    authorization,
    discovery,
    errors,
    exchange,
    listing,
    logs,
    openapi,
    port_forward,
    reviews,
    routes,
    streams,
    subresources,
    trouble_requests,
    writing,
)
from pytest_aksnet.lab.api.context import ADMIN, CONTEXT, USER, ApiContext
from pytest_aksnet.lab.api.routes import PageNotFound, Target
from pytest_aksnet.lab.api.store import Store
from pytest_aksnet.lab.api.trouble import Trouble
from pytest_aksnet.lab.api.views import view_of
from pytest_aksnet.lab.contracts import Kubelet
from pytest_aksnet.lab.spec import LabSpec

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
_MAX_BODY = 4 * 1024 * 1024
_HEALTH = ("/healthz", "/livez", "/readyz")
_CHECKS = ("ping", "log", "informer-sync", "poststarthook/rbac/bootstrap-roles", "shutdown")
_GROUP_LIST_PARTS = 2


def create_app(
    store: Store,
    kubelet: Kubelet,
    *,
    token: str,
    spec: LabSpec,
    extra_routes: Iterable[web.RouteDef] = (),
    trouble: Trouble | None = None,
) -> web.Application:
    """The API over a store and a kubelet; `token` is the bearer token that may do all.

    `extra_routes` are served beside it, to the holder of the token only. `app[CONTEXT]` issues
    tokens of service accounts. `trouble` is what faults may do to it.
    """
    context = ApiContext(
        store=store,
        kubelet=kubelet,
        spec=spec,
        tokens={token: ADMIN},
        trouble=trouble or Trouble(),
    )
    middlewares = [_guard(context), trouble_requests.disturbance(context)]
    app = web.Application(middlewares=middlewares, client_max_size=_MAX_BODY)
    app[CONTEXT] = context
    app.router.add_routes(list(extra_routes))
    handler = _dispatcher(context)
    app.router.add_route("*", "/{path:.*}", handler)
    app.on_response_prepare.append(_add_headers)

    async def close_watches(_: web.Application) -> None:
        context.watches.close()

    app.on_shutdown.append(close_watches)
    return app


async def _add_headers(_: web.Request, response: web.StreamResponse) -> None:
    headers = response.headers
    headers.pop("Server", None)
    if response.status == HTTPStatus.SWITCHING_PROTOCOLS:
        headers["Connection"] = "Upgrade"
        headers.setdefault("Sec-WebSocket-Protocol", "")
        del headers["Date"]
        return
    if exchange.OF_KUBELET in response:
        return
    headers["Audit-Id"] = str(uuid.UUID(bytes=secrets.token_bytes(16), version=4))
    headers.setdefault("Cache-Control", "no-cache, private")


def _guard(context: ApiContext) -> Middleware:
    """Authentication, and errors as Status objects."""

    @web.middleware
    async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            user = authorization.authenticate(context, request)
            request[USER] = user
            if not request.path.startswith(("/api/v1/", "/apis/")):
                authorization.require_path(context.store, user, request.path)
            exchange.require_acceptable(request)
            return await handler(request)
        except errors.ApiError as error:
            answer = exchange.answer(error.status, status=error.code)
            if isinstance(error, errors.NotAuthorized):
                answer.headers["X-Content-Type-Options"] = "nosniff"
            return answer
        except PageNotFound:
            return exchange.plain("404 page not found\n", status=404)

    return guard


def _dispatcher(context: ApiContext) -> Handler:
    async def dispatch(request: web.Request) -> web.StreamResponse:
        path = request.path
        if path.startswith(("/api/v1/", "/apis/")):
            parts = path.strip("/").split("/")
            if parts[0] == "apis" and len(parts) <= _GROUP_LIST_PARTS + 1:
                return _group(parts[1:])
            if parts == ["api", "v1"]:
                return _group(["", "v1"])
            return await _resource(context, request, routes.find(path))
        return _page(context, request, path.rstrip("/"))

    return dispatch


def _group(parts: list[str]) -> web.Response:
    if parts == [""] or not parts:
        return exchange.answer(discovery.groups())
    if len(parts) == 1:
        if parts[0] not in discovery.group_names():
            raise PageNotFound
        group = {"kind": "APIGroup", "apiVersion": "v1", **discovery.group(parts[0])}
        return exchange.answer(group)
    found = discovery.resource_list(parts[0], parts[1])
    if found is None:
        raise PageNotFound
    return exchange.answer(found)


def _page(context: ApiContext, request: web.Request, path: str) -> web.Response:
    if path in _HEALTH:
        return exchange.plain(_health(request, path.strip("/")), status=200)
    if path == "/version":
        return exchange.answer(discovery.version_info(_version(context)))
    if path == "/metrics":
        return exchange.plain(context.metrics.text(context.trouble.deprecated), status=200)
    if path in ("/api", "/apis") and aggregated.is_wanted(request):
        return aggregated.answer(request, named=path == "/apis")
    if path == "/api":
        return exchange.answer(discovery.versions(request.host))
    if path == "/apis":
        return exchange.answer(discovery.groups())
    if path == "/api/v1":
        return _group(["", "v1"])
    if path == "/openapi/v3":
        return exchange.answer(openapi.index())
    if path.startswith("/openapi/v3/"):
        document = openapi.document(path.removeprefix("/openapi/v3/"))
        if document is not None:
            return exchange.answer(document)
    raise PageNotFound


def _version(context: ApiContext) -> str:
    return context.trouble.version or context.spec.kubernetes_version


def _health(request: web.Request, name: str) -> str:
    if "verbose" not in request.query:
        return "ok"
    checks = "".join(f"[+]{check} ok\n" for check in _CHECKS)
    return f"{checks}{name} check passed\n"


async def _resource(
    context: ApiContext, request: web.Request, target: Target
) -> web.StreamResponse:
    verb = authorization.verb_of(request, target)
    authorization.require(context.store, request[USER], verb, target)
    context.metrics.count(verb, target.resource)
    if target.subresource:
        return await _subresource(context, request, target, verb)
    if verb not in target.resource.verbs or (bool(target.name) and verb == "create"):
        raise errors.method_not_allowed()
    if verb in ("update", "patch") and not target.name:
        raise errors.method_not_allowed()
    if target.resource.verbs == ("create",):
        value = await exchange.read_object(request, target.resource.kind)
        answer = reviews.review(context.store, request[USER], target.resource, value)
        return exchange.answer(answer, status=201)
    view = view_of(target.resource)
    warnings = writing.deprecation(target.resource)
    match verb:
        case "get":
            revision = context.store.revision(view.stored, target.name, target.namespace)
            return _one(request, target, view.revision(revision).encoded, warnings)
        case "list":
            return listing.answer_list(request, context.store, target, view)
        case "watch":
            return await context.watches.serve(
                request, context.store, target, view, context.trouble
            )
        case "create":
            return await writing.create(context, request, target, view)
        case "update":
            return await writing.replace(context, request, target, view)
        case "patch":
            return await writing.change(context, request, target, view)
        case "delete":
            return await writing.delete(context, request, target, view)
    return await writing.delete_collection(context, request, target, view)


def _one(
    request: web.Request, target: Target, encoded: bytes, warnings: Iterable[str]
) -> web.Response:
    if exchange.wants_table(request):
        return listing.answer_table(request, target.resource, encoded)
    return exchange.answer(encoded + b"\n", warnings=warnings)


async def _subresource(
    context: ApiContext, request: web.Request, target: Target, verb: str
) -> web.StreamResponse:
    subresource = target.subresource
    if subresource in ("exec", "attach") and verb in ("get", "create"):
        authorization.require_create_too(context.store, request[USER], target)
        return await streams.serve(context, request, target)
    if subresource == "portforward" and verb in ("get", "create"):
        authorization.require_create_too(context.store, request[USER], target)
        return await port_forward.serve(context, request, target)
    if subresource == "log" and verb == "get":
        return await logs.serve(context, request, target)
    if subresource == "scale" and verb in ("get", "update", "patch"):
        return await subresources.scale(context, request, target)
    if verb == "create":
        actions = {
            "binding": subresources.bind,
            "eviction": subresources.evict,
            "token": subresources.token,
        }
        if subresource in actions:
            return await actions[subresource](context, request, target)
    elif subresource in ("ephemeralcontainers", "finalize", "status"):
        view = view_of(target.resource)
        if verb == "update":
            return await writing.replace(context, request, target, view)
        if subresource != "finalize" and verb == "patch":
            return await writing.change(context, request, target, view)
        if subresource != "finalize" and verb == "get":
            revision = context.store.revision(view.stored, target.name, target.namespace)
            return exchange.answer(revision.encoded + b"\n")
    raise errors.method_not_allowed()
