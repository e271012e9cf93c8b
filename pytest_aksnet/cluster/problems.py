"""What a request that failed means, in the project's errors: one line each, no token in it."""

import json
from collections.abc import Mapping

import urllib3

from pytest_aksnet.cluster.access import Access
from pytest_aksnet.model.errors import ApiRefused, ApiUnreachable, EnvironmentProblem

CONNECT_TIMEOUT_S = 5.0


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds that the server asks to wait, None where it asks for none (RFC 9110, 10.2.3)."""
    value = headers.get("Retry-After", headers.get("retry-after", ""))
    return float(value) if value.isdecimal() else None


def refusal(status: int, body: bytes, headers: Mapping[str, str]) -> ApiRefused:
    """The error of an answer: the message of its Status, or its text where it is none."""
    text = body.decode("utf-8", errors="replace").strip()
    reason, message = "", text
    try:
        answer = json.loads(text)
    except (ValueError, RecursionError):
        answer = None
    if isinstance(answer, dict) and answer.get("kind") == "Status":
        reason = str(answer.get("reason") or "")
        message = str(answer.get("message") or reason)
    message = " ".join(message.split()) or "no text"
    return ApiRefused(
        f"the API server refused with {status}: {message[:1000]}",
        status=status,
        reason=reason,
        retry_after_s=retry_after(headers),
    )


def unreachable(access: Access, error: Exception) -> EnvironmentProblem:
    """The error of a connection that failed, in one line; TLS trust is told apart."""
    text = str(error)
    if "CERTIFICATE_VERIFY_FAILED" in text:
        why = text.partition("certificate verify failed:")[2].partition("(_ssl")[0].strip()
        return EnvironmentProblem(
            f"the API server {access.server} ({access.origin}) shows a certificate that the "
            f"kubeconfig does not trust ({why or 'verification failed'}); get the kubeconfig "
            "again (az aks get-credentials --overwrite-existing)"
        )
    return ApiUnreachable(
        f"the API server {access.server} ({access.origin}) does not answer: {_why(error)}; check "
        "network, VPN, authorised IP ranges, and that the cluster runs (az aks show)"
    )


def _why(error: Exception) -> str:
    """The innermost cause in its own short words: the outer ones repeat pool and URL."""
    while True:
        inner = error.__cause__ or getattr(error, "reason", None)
        if not isinstance(inner, Exception):
            break
        error = inner
    if isinstance(error, urllib3.exceptions.TimeoutError | TimeoutError):
        return f"no answer within {CONNECT_TIMEOUT_S:.0f} s (connect) or the read time-out"
    strerror = getattr(error, "strerror", None)
    return " ".join(str(strerror or error).split())[:300]
