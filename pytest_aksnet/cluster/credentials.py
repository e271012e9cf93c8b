"""Who we are to the API server: bearer tokens from every place where a kubeconfig may keep one.

Owns the life of a credential (read, expiry, renewal). Token and key material stays in memory; no
message of this module repeats it.
"""

import base64
import datetime
import json
import os
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from pytest_aksnet.model.errors import EnvironmentProblem

_EXEC_TIMEOUT_S = 60.0
_EXPIRY_MARGIN_S = 60.0
_TOKEN_FILE_AGE_S = 60.0  # client-go reads a token file again after a minute


class Credentials(Protocol):
    """What goes into the Authorization header. Safe to call from many threads.

    A header is its value as text, empty where there is none to send.
    """

    def authorization(self) -> str:
        """The header, renewed if it is about to expire; may take as long as a login program."""
        ...

    def at_hand(self) -> str | None:
        """The header where it needs no waiting; None where `authorization` must be asked."""
        ...

    def renew(self, refused: str) -> bool:
        """Forget `refused`, a header that the server has just answered with 401.

        Another one that has been got meanwhile is kept: of many callers that were refused at once,
        one renews. False where a new try is pointless. May take its time.
        """
        ...


class FixedHeader:
    """A header that never changes: a token in the kubeconfig, a password, or nothing."""

    def __init__(self, value: str) -> None:
        self._value = value

    def authorization(self) -> str:
        """The value given."""
        return self._value

    def at_hand(self) -> str | None:
        """The value given."""
        return self._value

    def renew(self, refused: str) -> bool:
        """There is no other."""
        return False


def basic_auth(user: str, password: str) -> FixedHeader:
    """HTTP basic authentication."""
    packed = base64.b64encode(f"{user}:{password}".encode()).decode()
    return FixedHeader(f"Basic {packed}")


class TokenFile:
    """A token in a file that somebody else keeps fresh (service accounts in pods)."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._token = ""
        self._read_at = 0.0

    def authorization(self) -> str:
        """The token, read again after a minute. Raises EnvironmentProblem."""
        with self._lock:
            if self.at_hand() is None:
                self._read()
            return f"Bearer {self._token}"

    def at_hand(self) -> str | None:
        """The token of a file that was read within a minute."""
        fresh = self._token and time.monotonic() - self._read_at <= _TOKEN_FILE_AGE_S
        return f"Bearer {self._token}" if fresh else None

    def renew(self, refused: str) -> bool:
        """Read the file again; a new try helps only where it has another token."""
        with self._lock:
            self._read()
            return f"Bearer {self._token}" != refused

    def _read(self) -> None:
        try:
            self._token = self._path.read_text(encoding="ascii").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise EnvironmentProblem(f"the token file {self._path} cannot be read: {error}") from (
                error
            )
        self._read_at = time.monotonic()


class FromHook:
    """Asks a function for the header each time (auth-provider entries of the kubernetes client)."""

    def __init__(self, ask: Callable[[], str | None]) -> None:
        self._ask = ask
        self._lock = threading.Lock()

    def authorization(self) -> str:
        """What the function says now."""
        with self._lock:
            return self._ask() or ""

    def at_hand(self) -> str | None:
        """Never: the function may log in."""
        return None

    def renew(self, refused: str) -> bool:
        """The function renews by itself when its token expires."""
        return False


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecCredential:
    """What a credential plugin answered. `expires` is seconds since the epoch, None for never."""

    token: str | None
    certificate: str | None
    key: str | None
    expires: float | None


class ExecPlugin:
    """A credential plugin such as kubelogin (client.authentication.k8s.io ExecCredential).

    It runs without a terminal and without standard input: a plugin that wants to ask a person
    fails here, and its own text says so. A client certificate is taken once, when connecting.
    """

    def __init__(
        self,
        *,
        user: str,
        argv: Sequence[str],
        environment: Mapping[str, str],
        api_version: str,
        cluster_info: Mapping[str, object] | None,
        install_hint: str,
    ) -> None:
        self._user = user
        self._argv = tuple(argv)
        self._install_hint = install_hint
        self._api_version = api_version
        spec: dict[str, object] = {"interactive": False}
        if cluster_info is not None:
            spec["cluster"] = dict(cluster_info)
        info = {"apiVersion": api_version, "kind": "ExecCredential", "spec": spec}
        self._environment = {
            **os.environ,
            **environment,
            "KUBERNETES_EXEC_INFO": json.dumps(info),
        }
        self._lock = threading.Lock()
        self._credential: ExecCredential | None = None

    def authorization(self) -> str:
        """The plugin's token. Raises EnvironmentProblem with the plugin's own words."""
        return _header(self.credential())

    def at_hand(self) -> str | None:
        """The token that the plugin gave last, while it is not about to expire."""
        known = self._credential
        return _header(known) if known is not None and _is_fresh(known) else None

    def credential(self) -> ExecCredential:
        """The plugin's answer, asked for again when it is about to expire."""
        with self._lock:
            known = self._credential
            if known is None or not _is_fresh(known):
                self._credential = known = self._run()
            return known

    def renew(self, refused: str) -> bool:
        """Run the plugin again at the next call, unless it has already given another token."""
        with self._lock:
            known = self._credential
            if known is not None and _header(known) == refused:
                self._credential = None
        return True

    def _run(self) -> ExecCredential:
        try:
            done = subprocess.run(
                self._argv,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=_EXEC_TIMEOUT_S,
                check=False,
                text=True,
                encoding="utf-8",
                errors="replace",
            )
        except OSError as error:
            # A PATH with a folder that one may not search says "permission denied" for every
            # program that is nowhere.
            if shutil.which(self._argv[0], path=self._environment.get("PATH")) is None:
                hint = f"; {self._install_hint}" if self._install_hint else ""
                raise self._problem(f"there is no such program{hint}") from error
            raise self._problem(f"it cannot be started ({error.strerror})") from error
        except subprocess.TimeoutExpired as error:
            raise self._problem(
                f"it did not end within {_EXEC_TIMEOUT_S:.0f} s; log in by hand first"
            ) from error
        if done.returncode != 0:
            said = " ".join(done.stderr.split())[-400:] or "nothing on standard error"
            raise self._problem(f"it ended with exit code {done.returncode}: {said}")
        return self._parse(done.stdout)

    def _parse(self, text: str) -> ExecCredential:
        try:
            answer = json.loads(text)
            status = answer["status"]
            token = status.get("token")
            certificate, key = status.get("clientCertificateData"), status.get("clientKeyData")
            expires = _epoch(status.get("expirationTimestamp"))
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise self._problem("its answer is no ExecCredential with a status") from error
        if answer.get("apiVersion") != self._api_version:
            raise self._problem(
                f"it answered {answer.get('apiVersion')!r}, asked was {self._api_version!r}"
            )
        if not token and not (certificate and key):
            raise self._problem("its answer has neither a token nor a client certificate")
        return ExecCredential(token=token, certificate=certificate, key=key, expires=expires)

    def _problem(self, what: str) -> EnvironmentProblem:
        return EnvironmentProblem(
            f"the credential plugin {self._argv[0]!r} of user {self._user!r} in the kubeconfig "
            f"gave no credential: {what}"
        )


def _header(credential: ExecCredential) -> str:
    return f"Bearer {credential.token}" if credential.token else ""


def _is_fresh(credential: ExecCredential) -> bool:
    return credential.expires is None or credential.expires - _EXPIRY_MARGIN_S >= time.time()


def _epoch(stamp: str | None) -> float | None:
    return datetime.datetime.fromisoformat(stamp).timestamp() if stamp else None
