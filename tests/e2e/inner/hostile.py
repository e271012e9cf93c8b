"""Checks that look at a host which answers as badly as it can. Run as a copy elsewhere.

AKSNET_HOSTILE is its address; `hostile_server` says what listens where.
"""

import os

import pytest

from pytest_aksnet.factories import NetshootFactory
from pytest_aksnet.model.peers import Endpoint

ADDRESS = os.environ.get("AKSNET_HOSTILE", "")


def endpoint(port: int) -> Endpoint:
    """One of its ways to answer."""
    return Endpoint(what="hostile host", host=ADDRESS, port=port)


@pytest.mark.aksnet(id="hostile.reflector", feature="pod-network", severity="major")
def test_reflector(netshoot: NetshootFactory) -> None:
    """Who names itself in markup and terminal codes is connected."""
    netshoot().assert_connects(endpoint(8081))


@pytest.mark.aksnet(id="hostile.source", feature="egress", severity="major")
def test_source(netshoot: NetshootFactory) -> None:
    """The address that the hostile host says it saw is not that of the node."""
    pod = netshoot()
    pod.assert_snat(endpoint(8081), source="10.99.99.99")


@pytest.mark.aksnet(id="hostile.long-line", feature="pod-network", severity="major")
def test_long_line(netshoot: NetshootFactory) -> None:
    """Ten megabytes on one line, their length announced, are an answer."""
    netshoot().assert_connects(endpoint(8082))


@pytest.mark.aksnet(id="hostile.endless", feature="pod-network", severity="major")
def test_endless(netshoot: NetshootFactory) -> None:
    """A body without end is an answer."""
    netshoot().assert_connects(endpoint(8083))


@pytest.mark.aksnet(id="hostile.headers", feature="pod-network", severity="major")
def test_headers(netshoot: NetshootFactory) -> None:
    """Headers with terminal codes, and many of them, are an answer."""
    netshoot().assert_connects(endpoint(8084))


@pytest.mark.aksnet(id="hostile.no-http", feature="pod-network", severity="major")
def test_no_http(netshoot: NetshootFactory) -> None:
    """Who does not speak HTTP is no HTTP server."""
    netshoot().assert_connects(endpoint(8085))


@pytest.mark.aksnet(id="hostile.txt", feature="dns", severity="major")
def test_txt(netshoot: NetshootFactory) -> None:
    """TXT records may say anything."""
    netshoot().assert_resolves("txt.hostile.test.", qtype="TXT", server=ADDRESS)


@pytest.mark.aksnet(id="hostile.alias", feature="dns", severity="major")
def test_alias(netshoot: NetshootFactory) -> None:
    """An alias of hostile labels does not lead where it should."""
    netshoot().assert_resolves("alias.hostile.test.", to="10.99.99.99", server=ADDRESS)


@pytest.mark.aksnet(id="hostile.use", feature="dns", severity="major")
def test_use(netshoot: NetshootFactory) -> None:
    """A test of one's own prints and compares what was answered."""
    pod = netshoot()
    answer = pod.assert_resolves("txt.hostile.test.", qtype="TXT", server=ADDRESS)
    reached = pod.assert_connects(endpoint(8081))
    print(answer, reached.answered_by)  # noqa: T201 - what is printed is looked at
    assert reached.answered_by == " ".join(answer.addresses)
