"""ARM as a web application: who asks, what for, whether they may, and the answer.

The order of refusals is ARM's: no good token 401, no api-version 400, subscription 404, provider
not registered 409, no permission 403 (before it is told whether the resource is there), resource
group and resource 404.
"""

import datetime
import json
import uuid
from collections import Counter
from collections.abc import Callable, Mapping

from aiohttp import web

from pytest_aksnet.lab.arm import (
    catalogue,
    errors,
    filters,
    metrics,
    paging,
    role_assignments,
    views,
    withholding,
)
from pytest_aksnet.lab.arm.asked import counting
from pytest_aksnet.lab.arm.documents import Document
from pytest_aksnet.lab.arm.entra import Entra
from pytest_aksnet.lab.arm.errors import ArmError
from pytest_aksnet.lab.arm.identities import TENANT, Identities, Identity
from pytest_aksnet.lab.arm.ids import group_id, same, subscription_id
from pytest_aksnet.lab.arm.kinds import Call
from pytest_aksnet.lab.arm.managed_identity import ManagedIdentity
from pytest_aksnet.lab.arm.operations import Operations
from pytest_aksnet.lab.arm.requests import Target, check_version, parse_path
from pytest_aksnet.lab.arm.roles import Roles
from pytest_aksnet.lab.arm.samples import Samples
from pytest_aksnet.lab.arm.tokens import ARM_AUDIENCES, METRICS_AUDIENCES, Tokens
from pytest_aksnet.lab.arm.world import World
from pytest_aksnet.lab.spec import SUBSCRIPTION

_INSIGHTS, _AUTHORIZATION = "microsoft.insights", "microsoft.authorization"
_VERBS = {"GET": "read", "HEAD": "read", "PUT": "write", "PATCH": "write", "DELETE": "delete"}


class ArmServer:
    """ARM and Entra ID at `base_url`. `samples` is what the metrics are told from.

    Every request is counted in `asked`.
    """

    def __init__(
        self,
        world: World,
        identities: Identities,
        samples: Samples,
        asked: Counter[str],
        *,
        base_url: str,
    ) -> None:
        self._world = world
        self._samples = samples
        self._asked = asked
        self._base_url = base_url
        self._tokens = Tokens(identities)
        self._roles = Roles(identities)
        self._operations = Operations(base_url)
        self._entra = Entra(identities, self._tokens, base_url)
        self._managed = ManagedIdentity(identities, self._tokens)

    def application(self) -> web.Application:
        """What answers over TLS."""
        app = web.Application(middlewares=[counting(self._asked)])
        app.add_routes(self._entra.routes())
        app.router.add_route("*", "/{path:.*}", self._serve)
        return app

    def identity_application(self) -> web.Application:
        """What answers over plain HTTP."""
        app = web.Application(middlewares=[counting(self._asked)])
        app.add_routes(self._managed.routes())
        return app

    async def _serve(self, request: web.Request) -> web.Response:
        try:
            response = await self._answer(request)
        except ArmError as error:
            response = error.response()
        response.headers["x-ms-request-id"] = str(uuid.uuid4())
        client_id = request.headers.get("x-ms-client-request-id")
        if client_id is not None:
            response.headers["x-ms-client-request-id"] = client_id
        return response

    async def _answer(self, request: web.Request) -> web.Response:
        trouble = self._world.trouble
        await trouble.strike()
        segments = [part for part in request.path.casefold().split("/") if part]
        batch = len(segments) == 3 and segments[2] == "metrics:getbatch"
        identity = self._tokens.holder(
            request.headers.get("Authorization"),
            METRICS_AUDIENCES if batch else ARM_AUDIENCES,
            trouble.revoked_before,
        )
        query = {key.casefold(): value for key, value in request.query.items()}
        today = datetime.datetime.now(datetime.UTC).date()
        version = check_version(query.get("api-version"), today)
        body = await _body(request)
        if segments == ["subscriptions"]:
            return web.json_response({"value": [_subscription()]})
        if len(segments) > 1 and not same(segments[1], SUBSCRIPTION):
            raise errors.subscription_not_found(segments[1])
        if batch:
            self._require(identity, "Microsoft.Insights/metrics/read", subscription_id())
            return web.json_response(metrics.batch(self._world, self._samples, query, body))
        target = parse_path(request.path)
        if target is None:
            raise errors.ArmError(404, "NotFound", f"No resource is at {request.path}.")
        if target.namespace and target.namespace.casefold() not in catalogue.NAMESPACES:
            raise errors.namespace_not_found(target.namespace)
        call = (target, version, query, body, identity)
        if not target.namespace or not target.types or _is_registration(target):
            return self._of_subscription(request.method, target, identity)
        if target.namespace.casefold() in trouble.unregistered:
            raise errors.not_registered(catalogue.NAMESPACES[target.namespace.casefold()])
        answer = await self._of_provider(request, *call)
        return self._bent(answer)

    # -- the subscription, its groups and providers ------------------------------------------

    def _of_subscription(self, method: str, target: Target, identity: Identity) -> web.Response:
        if _is_registration(target) and method == "POST":
            return self._register(target, identity)
        if method not in ("GET", "HEAD"):
            raise errors.method_not_allowed(method)
        if target.types == ("resourceGroups",):
            self._require(
                identity,
                "Microsoft.Resources/subscriptions/resourceGroups/read",
                subscription_id(),
            )
            return web.json_response({"value": catalogue.resource_groups()})
        if target.group:
            scope = group_id(target.group)
            self._require(identity, "Microsoft.Resources/subscriptions/resourceGroups/read", scope)
            for group in catalogue.resource_groups():
                if same(group["name"], target.group):
                    return web.json_response(group)
            raise errors.group_not_found(target.group)
        if target.types == ("providers",):
            names = catalogue.NAMESPACES.values()
            return web.json_response({"value": [self._provider(name) for name in names]})
        if target.namespace:
            return web.json_response(
                self._provider(catalogue.NAMESPACES[target.namespace.casefold()])
            )
        self._require(identity, "Microsoft.Resources/subscriptions/read", subscription_id())
        return web.json_response(_subscription())

    def _register(self, target: Target, identity: Identity) -> web.Response:
        namespace = catalogue.NAMESPACES[target.namespace.casefold()]
        self._require(identity, f"{namespace}/register/action", subscription_id())
        self._world.trouble.unregistered.discard(namespace.casefold())
        return web.json_response(self._provider(namespace))

    def _provider(self, namespace: str) -> Document:
        unregistered = namespace.casefold() in self._world.trouble.unregistered
        return {
            "id": f"{subscription_id()}/providers/{namespace}",
            "namespace": namespace,
            "registrationPolicy": "RegistrationRequired",
            "registrationState": "NotRegistered" if unregistered else "Registered",
            "resourceTypes": [],
        }

    # -- resources ---------------------------------------------------------------------------

    async def _of_provider(
        self,
        request: web.Request,
        target: Target,
        version: str,
        query: Mapping[str, str],
        body: Document,
        identity: Identity,
    ) -> web.Response:
        method, namespace = request.method, target.namespace.casefold()
        scope = target.scope or _scope(target, request.path)
        self._require(identity, _action(method, target), scope)
        catalogue.check_group(target.group)
        kind = tuple(part.casefold() for part in target.types)
        if namespace == _AUTHORIZATION:
            return role_assignments.answer(self._roles, method, target, body)
        if namespace == _INSIGHTS and target.scope:
            return web.json_response(
                metrics.of_resource(self._world, self._samples, target, kind, query)
            )
        if kind[:1] == ("locations",) and len(kind) == 2 and target.is_one:
            return self._operation(kind[1], target)
        if not catalogue.is_known(target):
            raise errors.type_not_found(target.namespace, "/".join(target.types), version)

        def call(parent: Document) -> Call:
            return Call(
                world=self._world,
                operations=self._operations,
                identity=identity,
                target=target,
                version=version,
                query=query,
                body=body,
                parent=parent,
            )

        if method in ("GET", "HEAD"):
            return self._get(request, target, call)
        table = {"POST": catalogue.ACTIONS, "PUT": catalogue.PUTS, "DELETE": catalogue.DELETES}
        change = table.get(method, {}).get(target.kind.casefold())
        if change is None:
            raise errors.method_not_allowed(method)
        if method == "DELETE":
            try:
                return change(call(catalogue.found(self._world, target)))
            except ArmError as error:
                if error.status == 404:
                    return web.Response(status=204)
                raise
        above = catalogue.above(target)
        return change(call(catalogue.found(self._world, above) if above.types else {}))

    def _get(
        self, request: web.Request, target: Target, call: Callable[[Document], Call]
    ) -> web.Response:
        world = self._world
        read = catalogue.READS.get(target.kind.casefold())
        if read is not None:
            return read(call(catalogue.found(world, catalogue.above(target))))
        if target.is_one:
            return web.json_response(views.shown(catalogue.found(world, target), request.query))
        documents = catalogue.listed(world, target)
        if documents is None:
            raise errors.method_not_allowed(request.method)
        documents = filters.filtered(documents, request.query.get("$filter"))
        documents = [views.shown(one, request.query) for one in documents]
        size = world.spec.options.arm_page_size
        url = f"{self._base_url}{request.path}"
        return web.json_response(paging.page(documents, request.query, url, size))

    def _operation(self, kind: str, target: Target) -> web.Response:
        find = {
            "operations": self._operations.status,
            "operationresults": self._operations.result,
        }.get(kind)
        answer = None if find is None else find(target.names[-1])
        if answer is None:
            raise errors.ArmError(
                404, "NotFound", f"The operation '{target.names[-1]}' could not be found."
            )
        return answer

    def _require(self, identity: Identity, action: str, scope: str) -> None:
        self._roles.require(identity, action, scope, self._world.trouble.denied)

    def _bent(self, answer: web.Response) -> web.Response:
        """The answer, or what is left of it where fields are withheld."""
        trouble = self._world.trouble
        if answer.status != 200 or trouble.chance.random() >= trouble.fields_missing:
            return answer
        assert answer.text is not None
        rest = withholding.without_some(json.loads(answer.text), trouble.chance)
        answer.text = json.dumps(rest)
        return answer


def _scope(target: Target, path: str) -> str:
    """Over what an action is: the resource; for a list or an action, what it is of."""
    if target.is_one:
        return path.rstrip("/")
    if target.names:
        return path.rstrip("/").rpartition("/")[0]
    return group_id(target.group) if target.group else subscription_id()


def _action(method: str, target: Target) -> str:
    """The action that a request is, as roles name it."""
    return f"{target.kind}/{_VERBS.get(method, 'action')}"


def _is_registration(target: Target) -> bool:
    """Whether it is a provider itself, or its registration."""
    kind = tuple(part.casefold() for part in target.types)
    return bool(target.namespace) and not target.group and kind in ((), ("register",))


def _subscription() -> Document:
    return {
        "id": subscription_id(),
        "subscriptionId": SUBSCRIPTION,
        "tenantId": TENANT,
        "displayName": "aksnet-lab",
        "state": "Enabled",
        "authorizationSource": "RoleBased",
    }


async def _body(request: web.Request) -> Document:
    """The request's JSON object, {} without a body. Raises ArmError."""
    text = await request.text()
    if not text.strip():
        return {}
    try:
        body = json.loads(text)
    except ValueError as error:
        raise errors.bad_request(
            "InvalidRequestContent", f"The request content was invalid JSON: {error}."
        ) from error
    if not isinstance(body, dict):
        raise errors.bad_request("InvalidRequestContent", "The request content is no JSON object.")
    return body
