"""What every handler needs: the parts of one API server, and who is asking."""

import base64
import dataclasses
import json
import secrets

from aiohttp import web

from pytest_aksnet.lab.api.objects import JsonObject
from pytest_aksnet.lab.api.store import Store
from pytest_aksnet.lab.api.watching import Watches
from pytest_aksnet.lab.contracts import Kubelet
from pytest_aksnet.lab.spec import LabSpec


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
    """One API server. `tokens` maps bearer tokens to users."""

    store: Store
    kubelet: Kubelet
    spec: LabSpec
    tokens: dict[str, User]
    watches: Watches = dataclasses.field(default_factory=Watches)

    def issue_token(self, namespace: str, account: str) -> str:
        """A new bearer token of a service account, in the form of an unsigned JWT."""
        name = f"system:serviceaccount:{namespace}:{account}"
        issued = f"{_jwt_part({'alg': 'none'})}.{_jwt_part({'sub': name})}."
        issued += secrets.token_urlsafe(32)
        self.tokens[issued] = User(
            name=name,
            groups=(
                "system:serviceaccounts",
                f"system:serviceaccounts:{namespace}",
                "system:authenticated",
            ),
        )
        return issued


CONTEXT: web.AppKey[ApiContext] = web.AppKey("context", ApiContext)


def _jwt_part(document: JsonObject) -> str:
    text = json.dumps(document, separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(text).decode().rstrip("=")
