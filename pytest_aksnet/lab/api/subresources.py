"""Subresources that are requests rather than parts: binding, eviction, scale, token."""

from aiohttp import web

from pytest_aksnet.lab.api import disruption, errors, exchange, patch
from pytest_aksnet.lab.api.cells import format_selector
from pytest_aksnet.lab.api.context import AUDIENCE, ApiContext
from pytest_aksnet.lab.api.objects import JsonObject, timestamp
from pytest_aksnet.lab.api.resources import (
    POD_DISRUPTION_BUDGETS,
    PODS,
    SERVICE_ACCOUNTS,
    Resource,
)
from pytest_aksnet.lab.api.routes import Target

_DEFAULT_SECONDS = 3600
_SHORTEST_SECONDS = 600
_LONGEST_SECONDS = 1 << 32
_TOO_LONG = "may not specify a duration larger than 2^32 seconds"
_TOKEN_GROUP = "authentication.k8s.io"


def _done() -> JsonObject:
    return {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Success",
        "code": 201,
    }


async def bind(context: ApiContext, request: web.Request, target: Target) -> web.Response:
    """POST pods/binding."""
    value = await exchange.read_object(request, "Binding")
    node = (value.get("target") or {}).get("name", "")
    if not node:
        causes = [errors.required("target.name")]
        raise errors.invalid("Binding", "", target.name, causes)
    context.store.bind(target.name, target.namespace, node)
    return exchange.answer(_done(), status=201)


async def evict(context: ApiContext, request: web.Request, target: Target) -> web.Response:
    """POST pods/eviction. Raises ApiError 429 where a disruption budget is in the way."""
    value = await exchange.read_object(request, "Eviction")
    if (value.get("metadata") or {}).get("name") != target.name:
        raise errors.bad_request("name in URL does not match name in Eviction object")
    store, place = context.store, target.namespace
    options = value.get("deleteOptions") or {}
    dry_run = bool(options.get("dryRun")) or "dryRun" in request.query
    pod = store.revision(PODS, target.name, place).value
    budgets = [item.value for item in store.revisions(POD_DISRUPTION_BUDGETS, place)]
    budget = disruption.after_eviction(budgets, pod)
    if not dry_run:
        if budget is not None:
            store.update(POD_DISRUPTION_BUDGETS, budget, place, subresource="status")
        if (pod.get("status") or {}).get("phase") == "Running":
            store.mutate(PODS, target.name, place, change=disruption.announce, subresource="status")
    preconditions = options.get("preconditions") or {}
    store.delete(
        PODS,
        target.name,
        place,
        grace_seconds=options.get("gracePeriodSeconds"),
        uid=preconditions.get("uid", ""),
        dry_run=dry_run,
    )
    return exchange.answer(_done(), status=201)


def _scale_of(value: JsonObject) -> JsonObject:
    metadata = value["metadata"]
    names = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")
    return {
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": {name: metadata[name] for name in names},
        "spec": {"replicas": value["spec"].get("replicas", 0)},
        "status": {
            "replicas": value.get("status", {}).get("replicas", 0),
            "selector": format_selector(value["spec"].get("selector")),
        },
    }


async def scale(context: ApiContext, request: web.Request, target: Target) -> web.Response:
    """GET, PUT or PATCH of the scale of a workload."""
    resource: Resource = target.resource
    store = context.store
    current = store.get(resource, target.name, target.namespace)
    if request.method == "GET":
        return exchange.answer(_scale_of(current))
    if request.method == "PUT":
        wanted = await exchange.read_object(request, "Scale")
    else:
        media, document = await exchange.read_patch(request)
        shown = _scale_of(current)
        if media == "application/json-patch+json":
            wanted = patch.json_patch(shown, document)
        else:
            wanted = patch.merge_patch(shown, document)
    replicas = (wanted.get("spec") or {}).get("replicas", 0)
    if not isinstance(replicas, int) or replicas < 0:
        text = "must be greater than or equal to 0"
        causes = [errors.invalid_value("spec.replicas", str(replicas), text)]
        raise errors.invalid("Scale", "autoscaling", target.name, causes)
    current["spec"]["replicas"] = replicas
    version = (wanted.get("metadata") or {}).get("resourceVersion")
    if version:
        current["metadata"]["resourceVersion"] = version
    stored = store.update(resource, current, target.namespace, dry_run="dryRun" in request.query)
    return exchange.answer(_scale_of(stored))


async def token(context: ApiContext, request: web.Request, target: Target) -> web.Response:
    """POST serviceaccounts/token: a token of that account, in the form of an unsigned JWT."""
    value = await exchange.read_object(request, "TokenRequest")
    account = context.store.get(SERVICE_ACCOUNTS, target.name, target.namespace)
    spec = value.get("spec") or {}
    seconds = spec.get("expirationSeconds", _DEFAULT_SECONDS)
    place = "spec.expirationSeconds"
    if seconds < _SHORTEST_SECONDS:
        text = "may not specify a duration less than 10 minutes"
        cause = errors.invalid_value(place, str(seconds), text)
        raise errors.invalid("TokenRequest", _TOKEN_GROUP, "", [cause])
    if seconds > _LONGEST_SECONDS:
        cause = errors.invalid_value(place, str(seconds), _TOO_LONG)
        raise errors.invalid("TokenRequest", _TOKEN_GROUP, "", [cause])
    issued = context.issue_token(target.namespace, target.name, seconds)
    answer: JsonObject = {
        "kind": "TokenRequest",
        "apiVersion": "authentication.k8s.io/v1",
        "metadata": {
            "name": target.name,
            "namespace": target.namespace,
            "uid": account["metadata"]["uid"],
            "creationTimestamp": timestamp(),
        },
        "spec": {
            "audiences": spec.get("audiences") or [AUDIENCE],
            "expirationSeconds": seconds,
            "boundObjectRef": spec.get("boundObjectRef"),
        },
        "status": {"token": issued, "expirationTimestamp": timestamp(seconds)},
    }
    return exchange.answer(answer, status=201)
