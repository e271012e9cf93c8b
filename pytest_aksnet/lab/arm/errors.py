"""Errors as ARM and Entra ID write them. Texts as the services give them (facts, not promises)."""

from collections.abc import Mapping

from aiohttp import web

from pytest_aksnet.lab.arm.documents import Document


class ArmError(Exception):
    """An answer that is an error: HTTP status, ARM's code and message, and headers."""

    def __init__(
        self, status: int, code: str, message: str, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(f"{status} {code}: {message}")
        self.status = status
        self.code = code
        self.message = message
        self.headers = dict(headers or {})

    def document(self) -> Document:
        """The body: {"error": {"code", "message"}}."""
        return {"error": {"code": self.code, "message": self.message}}

    def response(self) -> web.Response:
        """The HTTP answer."""
        return web.json_response(self.document(), status=self.status, headers=self.headers)


def bad_request(code: str, message: str) -> ArmError:
    """400."""
    return ArmError(400, code, message)


def subscription_not_found(subscription: str) -> ArmError:
    """404 for a subscription."""
    return ArmError(
        404, "SubscriptionNotFound", f"The subscription '{subscription}' could not be found."
    )


def group_not_found(group: str) -> ArmError:
    """404 for a resource group."""
    return ArmError(404, "ResourceGroupNotFound", f"Resource group '{group}' could not be found.")


def resource_not_found(kind: str, names: str, group: str) -> ArmError:
    """404 for a resource of a group; `names` as types and names alternate below the provider."""
    return ArmError(
        404,
        "ResourceNotFound",
        f"The Resource '{kind}/{names}' under resource group '{group}' was not found. For more "
        "details please go to https://aka.ms/ARMResourceNotFoundFix",
    )


def part_not_found(identifier: str) -> ArmError:
    """404 for a part of a resource that is there, as Microsoft.Network answers."""
    return ArmError(404, "NotFound", f"Resource {identifier} not found.")


def type_not_found(namespace: str, kind: str, version: str) -> ArmError:
    """404 for a resource type that the lab does not have."""
    return ArmError(
        404,
        "InvalidResourceType",
        f"The resource type '{kind}' could not be found in the namespace '{namespace}' for api "
        f"version '{version}'.",
    )


def namespace_not_found(namespace: str) -> ArmError:
    """404 for a provider that the lab does not have."""
    return ArmError(
        404, "InvalidResourceNamespace", f"The resource namespace '{namespace}' is invalid."
    )


def not_registered(namespace: str) -> ArmError:
    """409: the subscription is not registered with a provider."""
    return ArmError(
        409,
        "MissingSubscriptionRegistration",
        f"The subscription is not registered to use namespace '{namespace}'. See "
        "https://aka.ms/rps-not-found for how to register subscriptions.",
    )


def forbidden(object_id: str, action: str, scope: str) -> ArmError:
    """403: no role of the caller allows the action."""
    return ArmError(
        403,
        "AuthorizationFailed",
        f"The client '{object_id}' with object id '{object_id}' does not have authorization to "
        f"perform action '{action}' over scope '{scope}' or the scope is invalid. If access was "
        "recently granted, please refresh your credentials.",
    )


def method_not_allowed(method: str) -> ArmError:
    """405: what the lab cannot change."""
    return ArmError(
        405,
        "HttpMethodNotAllowed",
        f"The requested resource does not support http method '{method}'.",
    )


def too_many_requests(seconds: int) -> ArmError:
    """429 with Retry-After."""
    return ArmError(
        429,
        "TooManyRequests",
        "The request is being throttled as the limit has been reached for operation type - "
        f"Read_ObservationWindow_00:01:00. Retry after {seconds} seconds.",
        {"Retry-After": str(seconds)},
    )


def unavailable() -> ArmError:
    """503."""
    return ArmError(
        503, "ServerTimeout", "The request timed out. Diagnostic information: see the request id."
    )
