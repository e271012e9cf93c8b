"""The scripted API server, and a cluster connected to it."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

from pytest_aksnet.cluster.connect import Cluster, connect
from tests.unit.cluster.scripted_api import ScriptedApi


@pytest.fixture
def api() -> Iterator[ScriptedApi]:
    """An API server that knows /version and one empty list of nodes."""
    server = ScriptedApi()
    server.answer("GET", "/version", (200, {"gitVersion": "v1.34.2"}))
    server.answer("GET", "/api/v1/nodes", (200, {"kind": "NodeList", "items": []}))
    yield server
    server.stop()


@pytest.fixture
def write_kubeconfig(tmp_path: Path) -> Callable[..., str]:
    """Writes a kubeconfig of one cluster, user and context, and returns its path."""

    def write(server: str, *, user: dict[str, object] | None = None, **cluster: object) -> str:
        path = tmp_path / "kubeconfig"
        document = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "prod",
            "clusters": [{"name": "k", "cluster": {"server": server, **cluster}}],
            "users": [{"name": "u", "user": user if user is not None else {"token": "s3cret"}}],
            "contexts": [{"name": "prod", "context": {"cluster": "k", "user": "u"}}],
        }
        path.write_text(yaml.safe_dump(document), encoding="utf-8")
        return str(path)

    return write


@pytest.fixture
def cluster(api: ScriptedApi, write_kubeconfig: Callable[..., str]) -> Iterator[Cluster]:
    """A cluster whose API server is the scripted one."""
    connected = connect(write_kubeconfig(api.url), None)
    yield connected
    connected.close()
