"""Subresources that are requests rather than parts: binding, eviction, scale, token."""

from aiohttp import web

from pytest_aksnet.lab.api import errors, exchange, patch
from pytest_aksnet.lab.api.cells import format_selector
from pytest_aksnet.lab.api.context import ApiContext
from pytest_aksnet.lab.api.objects import JsonObject, timestamp
from pytest_aksnet.lab.api.resources import PODS, SERVICE_ACCOUNTS, Resource
from pytest_aksnet.lab.api.routes import Target

_AUDIENCE = "https://kubernetes.default.svc.cluster.local"
_DEFAULT_SECONDS = 3600


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
    """POST pods/eviction. Disruption budgets are stored, not enforced."""
    value = await exchange.read_object(request, "Eviction")
    options = value.get("deleteOptions") or {}
    context.store.delete(
        PODS,
        target.name,
        target.namespace,
        grace_seconds=options.get("gracePeriodSeconds"),
        dry_run=bool(options.get("dryRun")) or "dryRun" in request.query,
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
    seconds = spec.get("expirationSeconds") or _DEFAULT_SECONDS
    issued = context.issue_token(target.namespace, target.name)
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
            "audiences": spec.get("audiences") or [_AUDIENCE],
            "expirationSeconds": seconds,
            "boundObjectRef": spec.get("boundObjectRef"),
        },
        "status": {"token": issued, "expirationTimestamp": timestamp(seconds)},
    }
    return exchange.answer(answer, status=201)
