"""What every handler needs: the parts of one API server, and who is asking."""

import asyncio
import base64
import dataclasses
import json
import secrets
import time

from aiohttp import web

from pytest_aksnet.lab.api.metrics import Metrics
from pytest_aksnet.lab.api.objects import JsonObject
from pytest_aksnet.lab.api.resources import SERVICE_ACCOUNTS
from pytest_aksnet.lab.api.store import Store
from pytest_aksnet.lab.api.trouble import Trouble
from pytest_aksnet.lab.api.watching import Watches
from pytest_aksnet.lab.contracts import Kubelet
from pytest_aksnet.lab.spec import LabSpec

AUDIENCE = "https://kubernetes.default.svc.cluster.local"
# Pods ask for 3607 seconds and get a year (--service-account-extend-token-expiration).
_TOKEN_SECONDS = 365 * 24 * 3600.0


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """Who is asking (authentication.k8s.io UserInfo)."""

    name: str
    groups: tuple[str, ...] = ()

    @property
    def is_admin(self) -> bool:
        """Whether it may do all."""
        return "system:masters" in self.groups


ANONYMOUS = User(name="system:anonymous", groups=("system:unauthenticated",))
ADMIN = User(name="aksnet-lab-admin", groups=("system:masters", "system:authenticated"))
USER: web.RequestKey[User] = web.RequestKey("user", User)


@dataclasses.dataclass(kw_only=True)
class ApiContext:
    """One API server. `tokens` maps bearer tokens to users.

    `own_connections` are those on which a request to the lab's own routes is under way.
    """

    store: Store
    kubelet: Kubelet
    spec: LabSpec
    tokens: dict[str, User]
    watches: Watches = dataclasses.field(default_factory=Watches)
    trouble: Trouble = dataclasses.field(default_factory=Trouble)
    metrics: Metrics = dataclasses.field(default_factory=Metrics)
    own_connections: set[asyncio.BaseTransport] = dataclasses.field(default_factory=set)
    _bound: dict[str, "_Bound"] = dataclasses.field(default_factory=dict)

    def issue_token(self, namespace: str, account: str, seconds: float = _TOKEN_SECONDS) -> str:
        """A new bearer token of a service account, in the form of an unsigned JWT.

        It is good for so many seconds, and as long as the account exists.
        """
        now = time.time()
        uid = self._uid(namespace, account)
        name = f"system:serviceaccount:{namespace}:{account}"
        claims = {
            "aud": [AUDIENCE],
            "exp": int(now + seconds),
            "iat": int(now),
            "iss": AUDIENCE,
            "kubernetes.io": {
                "namespace": namespace,
                "serviceaccount": {"name": account, "uid": uid},
            },
            "nbf": int(now),
            "sub": name,
        }
        issued = f"{_jwt_part({'alg': 'none'})}.{_jwt_part(claims)}.{secrets.token_urlsafe(32)}"
        self.tokens[issued] = User(
            name=name,
            groups=(
                "system:serviceaccounts",
                f"system:serviceaccounts:{namespace}",
                "system:authenticated",
            ),
        )
        self._bound[issued] = _Bound(time.monotonic() + seconds, namespace, account, uid)
        return issued

    def user_of(self, token: str) -> User | None:
        """Whose token it is; None where nobody's, or where it is not good any more."""
        bound = self._bound.get(token)
        if bound is not None and not self._is_good(bound):
            del self._bound[token], self.tokens[token]
        return self.tokens.get(token)

    def _is_good(self, bound: "_Bound") -> bool:
        uid = self._uid(bound.namespace, bound.account)
        return time.monotonic() < bound.end and uid == bound.uid

    def _uid(self, namespace: str, account: str) -> str:
        found = self.store.find(SERVICE_ACCOUNTS, account, namespace)
        return "" if found is None else str(found["metadata"]["uid"])


@dataclasses.dataclass(frozen=True, slots=True)
class _Bound:
    """Until when (time.monotonic) a token is good, and which account must exist for it."""

    end: float
    namespace: str
    account: str
    uid: str


CONTEXT: web.AppKey[ApiContext] = web.AppKey("context", ApiContext)


def _jwt_part(document: JsonObject) -> str:
    text = json.dumps(document, separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(text).decode().rstrip("=")
