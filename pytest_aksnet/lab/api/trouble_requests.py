"""How requests fail on a troubled API server: the middleware, and the answers that clients see.

Sources: k8s.io/apiserver server/filters (priority-and-fairness, timeout), k8s.io/apimachinery
api/errors, k8s.io/apiserver registry/generic/registry (storage errors), and recordings of a real
API server for 401, 403 and 410.
"""

import asyncio
import enum
import json
from collections.abc import Awaitable, Callable

from aiohttp import web
from aiohttp.typedefs import Middleware

from pytest_aksnet.lab.api import authorization, errors, exchange, routes
from pytest_aksnet.lab.api.context import ApiContext
from pytest_aksnet.lab.api.objects import JsonObject
from pytest_aksnet.lab.api.resources import PODS
from pytest_aksnet.lab.api.routes import PageNotFound, Target
from pytest_aksnet.lab.api.trouble import SYSTEM_NAMESPACES, Kind, Trouble

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
_OWN = "/lab/"
_HEALTH = ("/healthz", "/livez", "/readyz")
_LONG_RUNNING = ("exec", "attach", "log")
_RETRY_SECONDS = 1
_UNAVAILABLE = "the server is currently unable to handle the request"
_TIMED_OUT = "Timeout: request did not complete within the allotted timeout"


class Failure(enum.Enum):
    """The ways in which a request of a burst fails."""

    ETCD_TIMEOUT = "500: etcd did not answer in time"
    LEADER_CHANGED = "500: etcd has elected a new leader meanwhile"
    SERVER_TIMEOUT = "500: the storage could not be reached"
    UNAVAILABLE = "503"
    TIMEOUT = "504: the request took longer than it may"
    ANSWER_LOST = "the connection ends instead of an answer"


# Those of requests that have no effect, and those of requests that may have had one.
_BEFORE = (
    Failure.ETCD_TIMEOUT,
    Failure.LEADER_CHANGED,
    Failure.SERVER_TIMEOUT,
    Failure.UNAVAILABLE,
)
_AFTER = (Failure.ETCD_TIMEOUT, Failure.TIMEOUT, Failure.ANSWER_LOST)


def disturbance(context: ApiContext) -> Middleware:
    """The middleware: inside authentication, in front of everything else."""
    trouble = context.trouble

    @web.middleware
    async def disturb(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.path.startswith(_OWN):
            return await _undisturbed(context, request, handler)
        token = authorization.token_of(request)
        if token and trouble.refuses_token(token):
            raise errors.unauthorized()
        late = trouble.latency()
        if late:
            await asyncio.sleep(late)
        if request.path in _HEALTH:
            return await handler(request)
        if trouble.strikes(Kind.TOO_MANY_REQUESTS):
            return too_many_requests()
        target = _target(request)
        if trouble.in_burst():
            return await _fail(context, request, handler, target)
        if target is not None and _exceeds_quota(context, request, target):
            raise await _quota_exceeded(context, request, target)
        return await handler(request)

    return disturb


async def _undisturbed(
    context: ApiContext, request: web.Request, handler: Handler
) -> web.StreamResponse:
    """Answer a request to the lab's own routes; its connection survives a restart."""
    transport = request.transport
    if transport is None:
        return await handler(request)
    context.own_connections.add(transport)
    try:
        return await handler(request)
    finally:
        context.own_connections.discard(transport)


def _target(request: web.Request) -> Target | None:
    if not request.path.startswith(("/api/v1/", "/apis/")):
        return None
    try:
        return routes.find(request.path)
    except (PageNotFound, errors.ApiError):
        return None


async def _fail(
    context: ApiContext, request: web.Request, handler: Handler, target: Target | None
) -> web.StreamResponse:
    """Fail a request, before or after it took effect."""
    random = context.trouble.random
    long_running = target is None or target.subresource in _LONG_RUNNING
    if long_running or exchange.flag(request, "watch") or random.random() < 0.5:
        return failed(random.choice(_BEFORE), request, target)
    failure = random.choice(_AFTER)
    done = await handler(request)
    if failure is Failure.ANSWER_LOST:
        if request.transport is not None:
            request.transport.abort()
        return done
    return failed(failure, request, target)


def too_many_requests() -> web.Response:
    """429 as the API priority-and-fairness filter answers.

    The real one lets exec and other long-running requests through; gateways in front of it do not.
    """
    answer = exchange.plain("Too many requests, please try again later.\n", status=429)
    answer.headers["Retry-After"] = str(_RETRY_SECONDS)
    return answer


def failed(failure: Failure, request: web.Request, target: Target | None) -> web.Response:
    """A 500, 503 or 504 as real ones look."""
    match failure:
        case Failure.ETCD_TIMEOUT:
            return _status(500, "", "etcdserver: request timed out")
        case Failure.LEADER_CHANGED:
            return _status(500, "", "etcdserver: leader changed")
        case Failure.SERVER_TIMEOUT:
            return _server_timeout(request, target)
        case Failure.TIMEOUT:
            return _status(504, "Timeout", _TIMED_OUT, details={})
    return _status(503, "ServiceUnavailable", _UNAVAILABLE)


def exec_refusal(trouble: Trouble, pod: JsonObject, container: str) -> web.Response | None:
    """How an exec in a running pod is refused: by its kubelet, or on the way there."""
    if not trouble.strikes(Kind.EXEC_REFUSED):
        return None
    node = pod.get("status", {}).get("hostIP", "")
    dialing = f"error dialing backend: dial tcp {node}:10250"
    return trouble.random.choice(
        (
            exchange.of_kubelet(500, f'container not found ("{container}")'),
            _status(500, "", "error dialing backend: No agent available"),
            _status(500, "", f"{dialing}: connect: connection refused"),
            _status(503, "ServiceUnavailable", _UNAVAILABLE),
            _status(504, "Timeout", _TIMED_OUT, details={}),
        )
    )


def _server_timeout(request: web.Request, target: Target | None) -> web.Response:
    verb, what, details = request.method.lower(), "", {}
    if target is not None:
        verb = authorization.verb_of(request, target)
        what = target.resource.key
        details = {"name": verb, "kind": target.resource.plural}
        if target.resource.group:
            details["group"] = target.resource.group
    text = f"The {verb} operation against {what} could not be completed at this time, "
    answer = _status(
        500,
        "ServerTimeout",
        f"{text}please try again.",
        details={**details, "retryAfterSeconds": _RETRY_SECONDS},
    )
    answer.headers["Retry-After"] = str(_RETRY_SECONDS)
    return answer


def _status(
    code: int, reason: str, message: str, *, details: JsonObject | None = None
) -> web.Response:
    """A Status; errors that are none of the API's own have no reason in it."""
    status = errors.ApiError(code, reason, message, details=details).status
    if not reason:
        del status["reason"]
    return exchange.answer(status, status=code)


def _exceeds_quota(context: ApiContext, request: web.Request, target: Target) -> bool:
    return (
        request.method == "POST"
        and target.resource is PODS
        and not target.subresource
        and target.namespace not in SYSTEM_NAMESPACES
        and context.trouble.strikes(Kind.QUOTA)
    )


async def _quota_exceeded(
    context: ApiContext, request: web.Request, target: Target
) -> errors.ApiError:
    """403 as the quota admission plugin answers, for a quota of as many pods as there are."""
    name = ""
    try:
        metadata = json.loads(await request.text()).get("metadata") or {}
        name = str(metadata.get("name") or metadata.get("generateName") or "")
    except (ValueError, AttributeError):
        pass
    used = len(context.store.revisions(PODS, target.namespace))
    why = f"exceeded quota: q, requested: pods=1, used: pods={used}, limited: pods={used}"
    return errors.forbidden(PODS, name, why)
