"""Connects to a cluster, and says in one line why it cannot.

Owns `Cluster`, the handle that everything else in this package takes. Creates nothing.
"""

from pytest_aksnet.cluster.access import Access, load_access
from pytest_aksnet.cluster.kubeconfig import CONTEXT_OPTION, FILE_OPTION
from pytest_aksnet.cluster.loop import StreamLoop
from pytest_aksnet.cluster.rest import Rest
from pytest_aksnet.model.errors import ApiRefused, EnvironmentProblem

_FIRST_ATTEMPTS = 2  # one more than none: a person waits, and a wrong address stays wrong
_FIRST_READ_S = 10.0


class Cluster:
    """A cluster that has answered. Safe to share between threads; `close` it at the end.

    `loop` is where all streams to pods live; its thread starts with the first stream.
    """

    def __init__(self, access: Access, rest: Rest, version: str) -> None:
        self.access = access
        self.rest = rest
        self.version = version
        self.loop = StreamLoop()

    @property
    def server(self) -> str:
        """The address of the API server."""
        return self.access.server

    @property
    def context(self) -> str:
        """The kubeconfig's context; empty where there is no kubeconfig."""
        return self.access.context

    def close(self) -> None:
        """Close the streams, and the connections that are kept open."""
        self.loop.close()
        self.rest.close()


def connect(kubeconfig: str | None, context: str | None) -> Cluster:
    """The cluster that kubectl would use with these two options.

    Asks for the version and for one node: whoever may not list nodes can run no check. Raises
    SettingsError (bad option or kubeconfig) or EnvironmentProblem (no answer, not trusted, 401,
    403), each one line.
    """
    access = load_access(kubeconfig, context)
    rest = Rest(access)
    try:
        version = rest.get("/version", attempts=_FIRST_ATTEMPTS, read_timeout_s=_FIRST_READ_S)
        rest.get(
            "/api/v1/nodes",
            {"limit": "1"},
            attempts=_FIRST_ATTEMPTS,
            read_timeout_s=_FIRST_READ_S,
        )
    except ApiRefused as refused:
        rest.close()
        raise _refused(access, refused) from refused
    except EnvironmentProblem:
        rest.close()
        raise
    return Cluster(access, rest, str(version.get("gitVersion") or ""))


def attach(kubeconfig: str | None, context: str | None, version: str) -> Cluster:
    """The cluster that another process of this run has found to be of this version. Asks nothing.

    Raises SettingsError as `connect` does.
    """
    access = load_access(kubeconfig, context)
    return Cluster(access, Rest(access), version)


def _refused(access: Access, refused: ApiRefused) -> EnvironmentProblem:
    where = f"the API server {access.server} ({access.origin})"
    if refused.status == 401:
        return EnvironmentProblem(
            f"{where} does not know this user (401 {refused.reason or 'Unauthorized'}): the "
            f"credential is wrong or has expired; log in again, or choose another with "
            f"{FILE_OPTION} or {CONTEXT_OPTION}"
        )
    if refused.status == 403:
        return EnvironmentProblem(
            f"{where} does not let this user read nodes, which every check needs "
            f"({refused}); grant get and list on nodes, or choose another user with "
            f"{CONTEXT_OPTION}"
        )
    return EnvironmentProblem(f"{where} cannot be used: {refused}")
