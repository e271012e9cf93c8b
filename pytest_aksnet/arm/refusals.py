"""What ended a reading of ARM, in words: one refusal for each error of the SDK."""

import re

from azure.core.exceptions import (
    AzureError,
    ClientAuthenticationError,
    DecodeError,
    DeserializationError,
    HttpResponseError,
    ServiceRequestError,
    ServiceResponseError,
)

from pytest_aksnet.arm.exchanges import WriteRefused
from pytest_aksnet.arm.secrets import cut_words
from pytest_aksnet.arm.tokens import NoToken
from pytest_aksnet.model.arm import Refusal, Sort

_LONGEST = 300
# A credential that is a chain says of each of its links why that gave no token.
_LONGEST_CHAIN = 900
# "The client 'x' with object id 'y' does not have authorization to perform action 'A' over scope".
_ACTION = re.compile(r"perform action '([^']+)'")
_NAMESPACE = re.compile(r"namespace '([^']+)'")
_NOT_DOCUMENTED = "ARM's answer is not what is documented"
_ADVICE = ("To mitigate this issue", "Attempted credentials:")


class Refused(Exception):
    """A reading that found out by itself why it cannot go on."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.why)
        self.refusal = refusal


def refusal_of(error: Exception, actions: tuple[str, ...]) -> Refusal:
    """What an error means; `actions` are those that the reading needs."""
    if isinstance(error, Refused):
        return error.refusal
    if isinstance(error, NoToken):
        why = f"these credentials give no token ({_chain(error)})"
        return Refusal(sort=Sort.CREDENTIALS, why=why)
    if isinstance(error, ClientAuthenticationError) or getattr(error, "status_code", 0) == 401:
        return Refusal(sort=Sort.CREDENTIALS, why=f"Azure refuses the credentials ({short(error)})")
    if isinstance(error, DeserializationError | DecodeError):
        return Refusal(sort=Sort.UNREADABLE, why=f"{_NOT_DOCUMENTED} ({_kind(error)})")
    if isinstance(error, HttpResponseError):
        return _of_response(error, actions)
    if isinstance(error, ServiceRequestError | ServiceResponseError):
        return Refusal(sort=Sort.UNREACHABLE, why=f"ARM could not be asked ({short(error)})")
    if isinstance(error, WriteRefused):
        return Refusal(sort=Sort.FAILED, why=f"this run only reads ({short(error)})")
    if isinstance(error, AzureError):
        return Refusal(sort=Sort.FAILED, why=f"ARM could not be read ({short(error)})")
    if isinstance(error, ImportError):
        why = f"the packages of Azure cannot be imported ({short(error)})"
        return Refusal(sort=Sort.FAILED, why=why)
    return Refusal(sort=Sort.UNREADABLE, why=f"{_NOT_DOCUMENTED} ({_kind(error)})")


def _of_response(error: HttpResponseError, actions: tuple[str, ...]) -> Refusal:
    code = str(getattr(error.error, "code", None) or "") if error.error else ""
    if error.status_code == 403:
        told = _ACTION.search(str(error))
        action = told[1] if told else ", ".join(actions)
        why = f"this identity may not: it needs the action {action}"
        if told is None:
            why += f" ({short(error)})"
        return Refusal(sort=Sort.FORBIDDEN, why=why, action=action)
    if code == "SubscriptionNotFound":
        why = f"this identity sees no such subscription ({short(error)})"
        return Refusal(sort=Sort.MISSING, why=why)
    if error.status_code == 404:
        return Refusal(sort=Sort.MISSING, why=f"ARM has no such resource ({short(error)})")
    if error.status_code == 429:
        headers = error.response.headers if error.response is not None else {}
        pause = headers.get("Retry-After", "")
        when = f"in {pause} s" if pause else "later"
        why = f"ARM has had too many requests of this identity (429): try again {when}"
        return Refusal(sort=Sort.THROTTLED, why=why)
    if code == "MissingSubscriptionRegistration":
        named = _NAMESPACE.search(str(error))
        provider = named[1] if named else "the provider"
        why = (
            f"the subscription is not registered with {provider}, and this run changes nothing: "
            f"az provider register --namespace {provider} does it"
        )
        return Refusal(sort=Sort.FAILED, why=why)
    if (error.status_code or 0) < 400:
        # The status is that of the last look at a long-running operation.
        return Refusal(sort=Sort.FAILED, why=f"ARM began it, and it failed ({short(error)})")
    said = f"{error.status_code} {code}".rstrip()
    return Refusal(sort=Sort.FAILED, why=f"ARM answers {said} ({short(error)})")


def short(error: Exception) -> str:
    """The first line of what an error says, not too long."""
    lines = cut_words(str(error)).strip().splitlines()
    return (lines[0] if lines else type(error).__name__)[:_LONGEST]


def _kind(error: Exception) -> str:
    return f"{type(error).__name__}: {short(error)}"


def _chain(error: Exception) -> str:
    """All lines in one, without those that tell what to try in general."""
    lines = cut_words(str(error)).splitlines()
    told = (line.strip() for line in lines if not line.startswith(_ADVICE))
    return "; ".join(line for line in told if line)[:_LONGEST_CHAIN]
