"""API errors as `Status` objects, worded as the API server words them (meta/v1 Status)."""

import dataclasses
from collections.abc import Iterable
from http import HTTPStatus

from pytest_aksnet.lab.api.objects import JsonObject
from pytest_aksnet.lab.api.resources import Resource


class ApiError(Exception):
    """A refused request: `status` is the Status object of the answer, `code` its HTTP status."""

    def __init__(
        self, code: int, reason: str, message: str, *, details: JsonObject | None = None
    ) -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason
        self.status: JsonObject = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": message,
            "reason": reason,
        }
        if details is not None:
            self.status["details"] = details
        self.status["code"] = code


class NotAuthorized(ApiError):
    """403 of authorization, whose answer has one header more than that of admission."""

    def __init__(self, message: str, details: JsonObject) -> None:
        super().__init__(HTTPStatus.FORBIDDEN, "Forbidden", message, details=details)


@dataclasses.dataclass(frozen=True, slots=True)
class Cause:
    """Why a field of an object is refused (meta/v1 StatusCause)."""

    field: str
    reason: str
    message: str


def required(field: str, detail: str = "") -> Cause:
    """A field that must be given."""
    suffix = f": {detail}" if detail else ""
    return Cause(field, "FieldValueRequired", f"Required value{suffix}")


def invalid_value(field: str, value: str, detail: str) -> Cause:
    """A field whose value is wrong; `value` as it is to be shown, with quotes where a string."""
    return Cause(field, "FieldValueInvalid", f"Invalid value: {value}: {detail}")


def unsupported(field: str, value: str, supported: Iterable[str]) -> Cause:
    """A field whose value is not one of a closed set."""
    names = ", ".join(f'"{name}"' for name in supported)
    text = f'Unsupported value: "{value}": supported values: {names}'
    return Cause(field, "FieldValueNotSupported", text)


def forbidden_field(field: str, detail: str) -> Cause:
    """A field that may not be given, or not be changed."""
    return Cause(field, "FieldValueForbidden", f"Forbidden: {detail}")


def duplicate(field: str, value: str) -> Cause:
    """A value that may occur only once."""
    return Cause(field, "FieldValueDuplicate", f"Duplicate value: {value}")


def _details(resource: Resource, name: str) -> JsonObject:
    details: JsonObject = {}
    if name:
        details["name"] = name
    if resource.group:
        details["group"] = resource.group
    details["kind"] = resource.plural
    return details


def not_found(resource: Resource, name: str) -> ApiError:
    """404: no such object."""
    message = f'{resource.key} "{name}" not found'
    return ApiError(HTTPStatus.NOT_FOUND, "NotFound", message, details=_details(resource, name))


def no_such_resource() -> ApiError:
    """404: the group is served, but not this resource."""
    message = "the server could not find the requested resource"
    return ApiError(HTTPStatus.NOT_FOUND, "NotFound", message, details={})


def method_not_allowed() -> ApiError:
    """405: the resource has no such verb."""
    message = "the server does not allow this method on the requested resource"
    return ApiError(HTTPStatus.METHOD_NOT_ALLOWED, "MethodNotAllowed", message, details={})


def already_exists(resource: Resource, name: str, *, going: bool = False) -> ApiError:
    """409: the name is taken, perhaps by an object that is going."""
    message = f'{resource.key} "{name}" already exists'
    if going:
        message = f"object is being deleted: {message}"
    return ApiError(HTTPStatus.CONFLICT, "AlreadyExists", message, details=_details(resource, name))


def conflict(resource: Resource, name: str, why: str = "") -> ApiError:
    """409: the object has changed since the writer read it, or another precondition fails."""
    why = why or (
        "the object has been modified; please apply your changes to the latest version and try "
        "again"
    )
    message = f'Operation cannot be fulfilled on {resource.key} "{name}": {why}'
    return ApiError(HTTPStatus.CONFLICT, "Conflict", message, details=_details(resource, name))


def bad_request(message: str) -> ApiError:
    """400: the request cannot be understood."""
    return ApiError(HTTPStatus.BAD_REQUEST, "BadRequest", message)


def unauthorized() -> ApiError:
    """401: credentials were given and are wrong."""
    return ApiError(HTTPStatus.UNAUTHORIZED, "Unauthorized", "Unauthorized")


def not_authorized(resource: Resource, name: str, why: str) -> ApiError:
    """403: refused by authorization."""
    subject = f'{resource.key} "{name}"' if name else resource.key
    return NotAuthorized(f"{subject} is forbidden: {why}", _details(resource, name))


def forbidden(resource: Resource, name: str, why: str, *, causes: Iterable[Cause] = ()) -> ApiError:
    """403: refused by admission."""
    subject = f'{resource.key} "{name}"' if name else resource.key
    details = _details(resource, name)
    listed = [dataclasses.asdict(cause) for cause in causes]
    if listed:
        details["causes"] = [
            {"reason": item["reason"], "message": item["message"], "field": item["field"]}
            for item in listed
        ]
    message = f"{subject} is forbidden: {why}"
    return ApiError(HTTPStatus.FORBIDDEN, "Forbidden", message, details=details)


def invalid(kind: str, group: str, name: str, causes: list[Cause]) -> ApiError:
    """422: the object is understood and not valid; one cause per field."""
    details: JsonObject = {"name": name} if name else {}
    if group:
        details["group"] = group
    details["kind"] = kind
    details["causes"] = [
        {"reason": cause.reason, "message": cause.message, "field": cause.field} for cause in causes
    ]
    texts = [f"{cause.field}: {cause.message}" for cause in causes]
    listed = texts[0] if len(texts) == 1 else f"[{', '.join(texts)}]"
    title = f"{kind}.{group}" if group else kind
    message = f'{title} "{name}" is invalid: {listed}'
    return ApiError(HTTPStatus.UNPROCESSABLE_ENTITY, "Invalid", message, details=details)


def internal(message: str) -> ApiError:
    """500: the API server itself could not do it."""
    text = f"Internal error occurred: {message}"
    causes = [{"message": message}]
    return ApiError(
        HTTPStatus.INTERNAL_SERVER_ERROR, "InternalError", text, details={"causes": causes}
    )


def expired(version: int, oldest: int) -> ApiError:
    """410: a watch wants to start before the oldest change that is still remembered."""
    return ApiError(HTTPStatus.GONE, "Expired", f"too old resource version: {version} ({oldest})")


def list_expired(token: str) -> ApiError:
    """410: the state that a list in chunks began with is forgotten; `token` goes on without it."""
    message = (
        "The provided continue parameter is too old to display a consistent list result. You can "
        "start a new list without the continue parameter, or use the continue token in this "
        "response to retrieve the remainder of the results. Continuing with the provided token "
        "results in an inconsistent list - objects that were created, modified, or deleted "
        "between the time the first chunk was returned and now may show up in the list."
    )
    error = ApiError(HTTPStatus.GONE, "Expired", message)
    error.status["metadata"] = {"continue": token}
    return error


def compacted() -> ApiError:
    """410: the storage has dropped the history that a running watch still needs."""
    message = "The resourceVersion for the provided watch is too old."
    return ApiError(HTTPStatus.GONE, "Expired", message)


def version_too_large(version: int, current: int) -> ApiError:
    """504: a list wants to see a state that has not come yet."""
    return ApiError(
        HTTPStatus.GATEWAY_TIMEOUT,
        "Timeout",
        f"Timeout: Too large resource version: {version}, current: {current}",
        details={
            "causes": [
                {"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}
            ],
            "retryAfterSeconds": 1,
        },
    )
