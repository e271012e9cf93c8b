"""What ended a reading of ARM, in words: one refusal for each error of the SDK."""

import re

from azure.core.exceptions import (
    AzureError,
    ClientAuthenticationError,
    DeserializationError,
    HttpResponseError,
    ServiceRequestError,
    ServiceResponseError,
)

from pytest_aksnet.arm.exchanges import WriteRefused
from pytest_aksnet.model.arm import Refusal, Sort

_LONGEST = 300
# "The client 'x' with object id 'y' does not have authorization to perform action 'A' over scope".
_ACTION = re.compile(r"perform action '([^']+)'")


class Refused(Exception):
    """A reading that found out by itself why it cannot go on."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.why)
        self.refusal = refusal


def refusal_of(error: Exception, actions: tuple[str, ...]) -> Refusal:
    """What an error means; `actions` are those that the reading needs."""
    if isinstance(error, Refused):
        return error.refusal
    if isinstance(error, ClientAuthenticationError):
        return Refusal(sort=Sort.CREDENTIALS, why=f"Azure refuses the credentials ({short(error)})")
    if isinstance(error, DeserializationError | WriteRefused):
        return Refusal(sort=Sort.UNREADABLE, why=f"not what is documented ({short(error)})")
    if isinstance(error, HttpResponseError):
        return _of_response(error, actions)
    if isinstance(error, ServiceRequestError | ServiceResponseError):
        return Refusal(sort=Sort.UNREACHABLE, why=f"ARM could not be asked ({short(error)})")
    if isinstance(error, AzureError):
        return Refusal(sort=Sort.FAILED, why=f"ARM could not be read ({short(error)})")
    return Refusal(
        sort=Sort.UNREADABLE,
        why=f"ARM's answer is not what is documented ({type(error).__name__}: {short(error)})",
    )


def _of_response(error: HttpResponseError, actions: tuple[str, ...]) -> Refusal:
    if error.status_code == 403:
        told = _ACTION.search(str(error))
        action = told[1] if told else ", ".join(actions)
        why = f"this identity may not: it needs the action {action}"
        return Refusal(sort=Sort.FORBIDDEN, why=why, action=action)
    if error.status_code == 404:
        return Refusal(sort=Sort.MISSING, why=f"ARM has no such resource ({short(error)})")
    if error.status_code == 429:
        why = "ARM has had too many requests of this identity (429): try again later"
        return Refusal(sort=Sort.THROTTLED, why=why)
    code = getattr(error.error, "code", None) if error.error else None
    said = f"{error.status_code} {code}" if code else str(error.status_code)
    return Refusal(sort=Sort.FAILED, why=f"ARM answers {said} ({short(error)})")


def short(error: Exception) -> str:
    """The first line of what an error says, not too long."""
    lines = str(error).strip().splitlines()
    return (lines[0] if lines else type(error).__name__)[:_LONGEST]
