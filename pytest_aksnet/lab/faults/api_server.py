"""Faults of the API server as a whole, at random moments."""

from pytest_aksnet.lab.api.trouble import Kind
from pytest_aksnet.lab.faults.fault import FaultableLab
from pytest_aksnet.lab.faults.rated import Recurring
from pytest_aksnet.lab.faults.setting import PER_SECOND

TOKEN_REFUSED_SECONDS = 1.0


class ApiRestart(Recurring):
    """A server that ends and comes back."""

    name = "api-restart"
    describes = (
        "The API server drops all connections, refuses new ones for about a second and comes back "
        "without memory of earlier changes, so old resourceVersions give 410, as when the control "
        "plane is updated (measured on a real API server: streams end within 33 ms, it is ready "
        "after 1.9 s)."
    )
    setting = PER_SECOND
    kind = Kind.RESTART

    @staticmethod
    async def happen(lab: FaultableLab) -> None:
        """Restart once."""
        await lab.restart_api()


class TokenExpired(Recurring):
    """Tokens that are refused."""

    name = "token-expired"
    describes = (
        "All bearer tokens in use are refused with 401 for a second: a renewed one is good at "
        "once, a static one is good again afterwards (Kubernetes docs: Authenticating; Entra ID "
        "tokens live an hour)."
    )
    setting = PER_SECOND
    kind = Kind.TOKEN

    @staticmethod
    async def happen(lab: FaultableLab) -> None:
        """Expire them once."""
        lab.trouble.expire_tokens(TOKEN_REFUSED_SECONDS)

    async def heal(self, lab: FaultableLab) -> None:
        """Let none expire any more."""
        await super().heal(lab)
        lab.trouble.forgive_tokens()
