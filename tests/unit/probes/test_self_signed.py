"""A certificate that the check made for itself is one to everybody else, too."""

import ssl
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from pytest_aksnet.probes.self_signed import self_signed

HOST = "a-service.a-namespace.example"


def test_others_read_it_and_its_signature_holds() -> None:
    for _ in range(8):
        made = self_signed(HOST)
        read = x509.load_pem_x509_certificate(made.certificate.encode())
        key = serialization.load_pem_private_key(made.key.encode(), None)
        read.verify_directly_issued_by(read)
        assert key.public_key() == read.public_key()
        names = read.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        assert names.get_values_for_type(x509.DNSName) == [HOST]


def test_it_is_trusted_by_whom_it_was_given_to_and_by_nobody_else(tmp_path: Path) -> None:
    made, other = self_signed(HOST), self_signed(HOST)
    assert _why_not(made.certificate + made.key, made.certificate, tmp_path) == ""
    assert "self" in _why_not(made.certificate + made.key, other.certificate, tmp_path)


def _why_not(server_pem: str, trusted: str, folder: Path) -> str:
    """Why a client that trusts `trusted` refuses a server; empty where it does not."""
    file = folder / "server.pem"
    file.write_text(server_pem)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(file)
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.load_verify_locations(cadata=trusted)
    there, back = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = (
        client.wrap_bio(back, there, server_hostname=HOST),
        server.wrap_bio(there, back, server_side=True),
    )
    for _ in range(4):
        for end in ends:
            try:
                end.do_handshake()
            except ssl.SSLWantReadError:
                continue
            except ssl.SSLCertVerificationError as error:
                return str(error.verify_message)
    return ""
