"""What every handler needs: the parts of one API server, and who is asking."""

import dataclasses

from aiohttp import web

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
