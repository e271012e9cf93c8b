"""Clients that trust the lab's authority accept its servers, by name and by address."""

import socket
import ssl
import threading

import pytest

from pytest_aksnet.lab.tls import Authority


def _connect(authority: Authority, trusted: bytes, name: str) -> str | None:
    """Handshake with a server of the authority; the TLS version."""
    context = authority.server_context(["lab.test"], ["127.0.0.1"])
    ours, theirs = socket.socketpair()

    def serve() -> None:
        try:
            with context.wrap_socket(theirs, server_side=True) as server:
                server.recv(1)
        except OSError:
            theirs.close()

    thread = threading.Thread(target=serve)
    thread.start()
    client = ssl.create_default_context(cadata=trusted.decode())
    try:
        with client.wrap_socket(ours, server_hostname=name) as connection:
            return connection.version()
    finally:
        ours.close()
        thread.join(5)


@pytest.mark.parametrize("name", ["lab.test", "127.0.0.1"])
def test_issued_certificates_are_trusted_for_their_names(name: str) -> None:
    authority = Authority()
    assert _connect(authority, authority.certificate_pem, name) == "TLSv1.3"


def test_other_names_are_refused() -> None:
    authority = Authority()
    with pytest.raises(ssl.SSLCertVerificationError, match="mismatch"):
        _connect(authority, authority.certificate_pem, "other.test")


def test_another_authority_is_refused() -> None:
    with pytest.raises(ssl.SSLCertVerificationError):
        _connect(Authority(), Authority().certificate_pem, "lab.test")
