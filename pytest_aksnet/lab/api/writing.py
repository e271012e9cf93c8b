"""Writes: create, replace, patch and delete, from request to answer."""

from aiohttp import web

from pytest_aksnet.lab.api import (
    apply,
    errors,
    exchange,
    listing,
    patch,
    pod_security,
    protobuf,
    schema,
    selectors,
)
from pytest_aksnet.lab.api.context import ApiContext
from pytest_aksnet.lab.api.exchange import WriteOptions
from pytest_aksnet.lab.api.objects import JsonObject
from pytest_aksnet.lab.api.resources import ENDPOINTS, NAMESPACES, Resource
from pytest_aksnet.lab.api.routes import Target
from pytest_aksnet.lab.api.views import View

_ENDPOINTS_WARNING = "v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice"


def deprecation(resource: Resource) -> tuple[str, ...]:
    """The warnings that every answer about a resource carries."""
    return (_ENDPOINTS_WARNING,) if resource is ENDPOINTS else ()


def _decoded(
    resource: Resource, value: JsonObject, options: WriteOptions
) -> tuple[JsonObject, list[str]]:
    """The object without unknown fields, and the warnings about them.

    Raises ApiError 400 where the client wants unknown fields refused.
    """
    known, unknown = schema.decode(resource, value)
    complaints = [f'unknown field "{path}"' for path in unknown]
    if complaints and options.field_validation == "Strict":
        raise errors.bad_request(
            f'{resource.kind} in version "{resource.version}" cannot be handled as a '
            f"{resource.kind}: strict decoding error: {', '.join(complaints)}"
        )
    return known, complaints if options.field_validation == "Warn" else []


def _require_kind(resource: Resource, value: JsonObject) -> None:
    kind = value.get("kind") or resource.kind
    version = value.get("apiVersion") or resource.api_version
    if kind == resource.kind and version == resource.api_version:
        return
    if kind == resource.kind:
        raise errors.bad_request(
            f"the API version in the data ({version}) does not match the expected API version "
            f"({resource.api_version})"
        )
    internal = resource.group.partition(".")[0] or "core"
    raise errors.bad_request(
        f'{kind} in version "{version}" cannot be handled as a {resource.kind}: converting '
        f"({version.replace('/', '.')}.{kind}) to ({internal}.{resource.kind}): unknown conversion"
    )


def _require_place(target: Target, value: JsonObject) -> None:
    metadata = value.get("metadata") or {}
    place = metadata.get("namespace")
    if place and target.namespace and place != target.namespace:
        raise errors.bad_request(
            "the namespace of the provided object does not match the namespace sent on the request"
        )
    name = metadata.get("name")
    if target.name and name and name != target.name:
        raise errors.bad_request(
            f"the name of the object ({name}) does not match the name on the URL ({target.name})"
        )


async def create(
    context: ApiContext, request: web.Request, target: Target, view: View
) -> web.Response:
    """POST to a collection."""
    options = exchange.write_options(request)
    value = await exchange.read_object(request, target.resource.kind)
    _require_kind(target.resource, value)
    _require_place(target, value)
    value, warnings = _decoded(target.resource, value, options)
    stored = context.store.create(
        view.stored, view.to_stored(value), target.namespace, dry_run=options.dry_run
    )
    if target.namespace:
        namespace = context.store.revision(NAMESPACES, target.namespace).value
        warnings += pod_security.warnings(namespace, target.resource, value)
    warnings += deprecation(target.resource)
    return exchange.answer(view.to_shown(stored), status=201, warnings=warnings)


async def replace(
    context: ApiContext, request: web.Request, target: Target, view: View
) -> web.Response:
    """PUT of an object or of its status or finalizers."""
    options = exchange.write_options(request)
    value = await exchange.read_object(request, target.resource.kind)
    _require_kind(target.resource, value)
    _require_place(target, value)
    value, warnings = _decoded(target.resource, value, options)
    value.setdefault("metadata", {})["name"] = target.name
    stored = context.store.update(
        view.stored,
        view.to_stored(value),
        target.namespace,
        subresource=target.subresource,
        dry_run=options.dry_run,
    )
    warnings += deprecation(target.resource)
    return exchange.answer(view.to_shown(stored), warnings=warnings)


async def change(
    context: ApiContext, request: web.Request, target: Target, view: View
) -> web.Response:
    """PATCH of an object or of its status."""
    options = exchange.write_options(request)
    media, document = await exchange.read_patch(request)
    if media == "application/apply-patch+yaml":
        return _apply(context, target, view, document, options)
    current = view.to_shown(context.store.get(view.stored, target.name, target.namespace))
    if media == "application/json-patch+json":
        changed = patch.json_patch(current, document)
    elif media == "application/merge-patch+json":
        changed = patch.merge_patch(current, document)
    else:
        changed = patch.strategic_merge(current, document, schema.root_type(target.resource))
    _require_place(target, changed)
    changed, warnings = _decoded(target.resource, changed, options)
    stored = context.store.update(
        view.stored,
        view.to_stored(changed),
        target.namespace,
        subresource=target.subresource,
        dry_run=options.dry_run,
    )
    warnings += deprecation(target.resource)
    return exchange.answer(view.to_shown(stored), warnings=warnings)


def _apply(
    context: ApiContext,
    target: Target,
    view: View,
    document: object,
    options: WriteOptions,
) -> web.Response:
    """Server-side apply; creates the object where it is missing."""
    resource = target.resource
    if not options.field_manager:
        causes = [errors.required("fieldManager", "is required for apply patch")]
        raise errors.invalid("PatchOptions", "meta.k8s.io", "", causes)
    if not isinstance(document, dict):
        raise errors.bad_request("error decoding YAML: the patch is no object")
    _require_kind(resource, document)
    _require_place(target, document)
    wanted, warnings = _decoded(resource, document, options)
    wanted.setdefault("metadata", {})["name"] = target.name
    stored = context.store.find(view.stored, target.name, target.namespace)
    live = None if stored is None else view.to_shown(stored)
    result = apply.apply(
        live,
        wanted,
        type_name=schema.root_type(resource),
        manager=options.field_manager,
        force=options.force,
    )
    value = view.to_stored(result)
    if live is None:
        answer = context.store.create(view.stored, value, target.namespace, dry_run=options.dry_run)
    else:
        answer = context.store.update(
            view.stored,
            value,
            target.namespace,
            subresource=target.subresource,
            dry_run=options.dry_run,
        )
    return exchange.answer(
        view.to_shown(answer), status=201 if live is None else 200, warnings=warnings
    )


async def _delete_options(request: web.Request) -> JsonObject:
    options: JsonObject = {}
    if request.content_type == protobuf.MEDIA_TYPE and request.body_exists:
        options = await exchange.read_object(request, "DeleteOptions")
    elif (text := await request.text()).strip():
        options = exchange.parse_object(text, "DeleteOptions", yaml_allowed=True)
    for name in ("gracePeriodSeconds",):
        if name in request.query:
            options[name] = exchange.number(request, name)
    if "propagationPolicy" in request.query:
        options["propagationPolicy"] = request.query["propagationPolicy"]
    return options


async def delete(
    context: ApiContext, request: web.Request, target: Target, view: View
) -> web.Response:
    """DELETE of one object: the answer is the object or a Status, as the kind has it."""
    options = await _delete_options(request)
    resource, store = target.resource, context.store
    preconditions = options.get("preconditions") or {}
    last = store.delete(
        view.stored,
        target.name,
        target.namespace,
        grace_seconds=options.get("gracePeriodSeconds"),
        orphan=options.get("propagationPolicy") == "Orphan",
        foreground=options.get("propagationPolicy") == "Foreground",
        uid=preconditions.get("uid", ""),
        version=preconditions.get("resourceVersion", ""),
        dry_run=bool(options.get("dryRun")) or "dryRun" in request.query,
    )
    gone = store.find(view.stored, target.name, target.namespace) is None
    if not gone or resource.returns_deleted_object or resource is NAMESPACES:
        return exchange.answer(view.to_shown(last), warnings=deprecation(resource))
    details: JsonObject = {"name": target.name}
    if resource.group:
        details["group"] = resource.group
    details |= {"kind": resource.plural, "uid": last["metadata"]["uid"]}
    status: JsonObject = {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Success",
        "details": details,
    }
    return exchange.answer(status, warnings=deprecation(resource))


async def delete_collection(
    context: ApiContext, request: web.Request, target: Target, view: View
) -> web.Response:
    """DELETE of a collection: every selected object; the answer lists them."""
    options = await _delete_options(request)
    store = context.store
    matcher = selectors.compile_selector(
        target.resource,
        request.query.get("labelSelector", ""),
        request.query.get("fieldSelector", ""),
    )
    dry_run = "dryRun" in request.query
    found = store.revisions(view.stored, target.namespace, matcher=matcher)
    for revision in found:
        metadata = revision.value["metadata"]
        store.delete(
            view.stored,
            metadata["name"],
            metadata.get("namespace", ""),
            grace_seconds=options.get("gracePeriodSeconds"),
            dry_run=dry_run,
        )
    version: dict[str, object] = {"resourceVersion": str(store.version)}
    body = listing.encode_list(target.resource, [view.revision(item) for item in found], version)
    return exchange.answer(body)
