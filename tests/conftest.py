"""What tests of several folders stand on."""

from collections.abc import Iterator

import pytest

from tests.plugin.mini_cluster import MiniCluster


@pytest.fixture
def mini() -> Iterator[MiniCluster]:
    server = MiniCluster()
    yield server
    server.stop()
