"""The HTTP servers outside the cluster, asked with curl and raw sockets."""

import asyncio
import datetime
import ipaddress
import os
import socket
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from pytest_aksnet.lab.kernel.syscalls import in_netns, new_netns
from pytest_aksnet.lab.layout import default_spec
from pytest_aksnet.lab.outside import OutsideServer, certificate_names
from pytest_aksnet.lab.spec import OutsideHost
from tests.lab.dns_network import LoopThread, ip, run_in

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="makes network namespaces: needs root")
SPEC = default_spec("overlay", "calico")
HOST = next(host for host in SPEC.hosts if host.name == "storage-public")
CLIENT_IP = "192.0.2.7"


def certificate(folder: Path, names: tuple[str, ...], address: str) -> Path:
    """A file with a self-signed certificate for these names, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "outside")])
    now = datetime.datetime.now(datetime.UTC)
    alternatives: list[x509.GeneralName] = [x509.DNSName(name) for name in names]
    alternatives.append(x509.IPAddress(ipaddress.ip_address(address)))
    built = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = folder / "outside.pem"
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + built.public_bytes(serialization.Encoding.PEM)
    )
    return path


@dataclass
class Outside:
    """A served host, and the namespace it and its client live in."""

    netns_fd: int
    authority: Path

    def curl(self, *arguments: str) -> str:
        """What curl prints; the client's address is CLIENT_IP."""
        done = run_in(
            self.netns_fd, "curl", "-sS", "-m", "10", "--interface", CLIENT_IP, *arguments
        )
        return done.stdout + done.stderr

    def raw(self, sent: bytes) -> bytes:
        """Everything that comes back for these bytes on port 80."""
        with in_netns(self.netns_fd):
            sock = socket.create_connection((HOST.ip, 80), timeout=10)
        with sock, sock.makefile("rb") as stream:
            sock.sendall(sent)
            return stream.read()


@pytest.fixture(scope="module")
def outside(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Outside]:
    netns_fd = new_netns()
    ip(
        netns_fd,
        ["link", "set", "lo", "up"],
        ["address", "add", f"{HOST.ip}/32", "dev", "lo"],
        ["address", "add", f"{CLIENT_IP}/32", "dev", "lo"],
    )
    names = certificate_names(SPEC, HOST)
    pem = certificate(tmp_path_factory.mktemp("tls"), names, HOST.ip)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    host = OutsideHost(name=HOST.name, ip=HOST.ip, domain=HOST.domain, http_ports=(80, 443))
    loop = LoopThread()
    server = OutsideServer(host, tls=context, request_seconds=1.0)
    loop.run(server.start(netns_fd))
    yield Outside(netns_fd, pem)
    loop.run(server.stop())
    loop.close()
    os.close(netns_fd)


@needs_root
def test_get_of_any_path_tells_the_clients_address(outside: Outside) -> None:
    for path in ("/", "/any/path?q=1"):
        said = outside.curl("-i", f"http://{HOST.ip}{path}")
        assert said.endswith(f"\n\n{CLIENT_IP}\n")
        assert "content-type: text/plain" in said.lower()
        assert "connection: close" in said.lower()


@needs_root
@pytest.mark.parametrize("name", certificate_names(SPEC, HOST))
def test_tls_certificate_holds_for_every_name_of_the_host(outside: Outside, name: str) -> None:
    said = outside.curl(
        "--cacert", str(outside.authority), "--resolve", f"{name}:443:{HOST.ip}", f"https://{name}/"
    )
    assert said == f"{CLIENT_IP}\n"


@needs_root
def test_head_has_no_body_and_other_methods_are_refused(outside: Outside) -> None:
    assert "Content-Length: 10\n" in outside.curl("-I", f"http://{HOST.ip}/")
    said = outside.curl("-i", "-d", "x" * 5000, f"http://{HOST.ip}/")
    assert "405 Method Not Allowed" in said
    assert "Allow: GET, HEAD" in said


@needs_root
@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"nonsense\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\n\r\n", b"400"),
        (b"GET / HTTP/1.0\r\n\r\n", b"200"),
        (b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"y" * 20000 + b"\r\n\r\n", b"431"),
    ],
)
def test_malformed_requests_get_their_status(outside: Outside, sent: bytes, status: bytes) -> None:
    assert outside.raw(sent).split()[1] == status


@needs_root
def test_client_that_sends_no_whole_request_is_cut_off(outside: Outside) -> None:
    with in_netns(outside.netns_fd):
        sock = socket.create_connection((HOST.ip, 80), timeout=10)
    with sock:
        sock.sendall(b"GET / HT")
        try:
            assert sock.recv(100) == b""
        except ConnectionResetError:
            return


def test_host_with_port_443_needs_a_tls_context() -> None:
    with pytest.raises(ValueError, match="TLS"):
        OutsideServer(HOST)


def test_certificate_names_cover_the_private_and_the_public_side() -> None:
    endpoint = SPEC.private_endpoints[0]
    private = next(host for host in SPEC.hosts if host.ip == endpoint.ip)
    for host in (private, HOST):
        assert {endpoint.fqdn, endpoint.privatelink_fqdn} <= set(certificate_names(SPEC, host))
    internet = next(host for host in SPEC.hosts if host.name == "internet")
    assert "www.example.com" in certificate_names(SPEC, internet)


def test_stopping_a_server_that_never_started_is_harmless() -> None:
    asyncio.run(OutsideServer(OutsideHost(name="vm", ip="10.0.0.1", domain="vnet")).stop())
