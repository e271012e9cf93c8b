"""Certificates of the lab: one authority, and the server certificates that it issues.

ECDSA P-256 throughout; nothing is written to disk that outlives its loading into a context.
"""

import datetime
import ipaddress
import ssl
import tempfile
from collections.abc import Sequence
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_LIFETIME = datetime.timedelta(days=7)
_SKEW = datetime.timedelta(hours=1)


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey
) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _SKEW)
        .not_valid_after(now + _LIFETIME)
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


class Authority:
    """A certificate authority that lives as long as the process.

    `certificate_pem` is what clients trust: certificate-authority-data of a kubeconfig, or ca.crt.
    """

    def __init__(self, common_name: str = "aksnet-lab") -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._subject = _name(common_name)
        identifier = x509.SubjectKeyIdentifier.from_public_key(self._key.public_key())
        self._certificate = (
            _builder(self._subject, self._subject, self._key)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_usage(signs_certificates=True), critical=True)
            .add_extension(identifier, critical=False)
            .sign(self._key, hashes.SHA256())
        )
        self.certificate_pem: bytes = self._certificate.public_bytes(serialization.Encoding.PEM)

    def issue(
        self, dns_names: Sequence[str], ip_addresses: Sequence[str] = ()
    ) -> tuple[bytes, bytes]:
        """A server certificate for these names and addresses: (certificate PEM, key PEM)."""
        alternatives: list[x509.GeneralName] = [x509.DNSName(name) for name in dns_names]
        alternatives += [x509.IPAddress(ipaddress.ip_address(address)) for address in ip_addresses]
        subject = _name((*dns_names, *ip_addresses)[0])
        return self._sign(subject, alternatives, [ExtendedKeyUsageOID.SERVER_AUTH])

    def issue_identity(self, uri: str) -> tuple[bytes, bytes]:
        """The certificate of a workload, for both sides of mutual TLS (SPIFFE: X.509-SVID)."""
        usages = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
        return self._sign(x509.Name([]), [x509.UniformResourceIdentifier(uri)], usages)

    def _sign(
        self,
        subject: x509.Name,
        alternatives: Sequence[x509.GeneralName],
        usages: Sequence[x509.ObjectIdentifier],
    ) -> tuple[bytes, bytes]:
        key = ec.generate_private_key(ec.SECP256R1())
        issuer_key = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        certificate = (
            _builder(subject, self._subject, key)
            # Where there is no subject, the names are all there is (RFC 5280, 4.1.2.6).
            .add_extension(x509.SubjectAlternativeName(alternatives), critical=not list(subject))
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(signs_certificates=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage(usages), critical=False)
            .add_extension(issuer_key, critical=False)
            .sign(self._key, hashes.SHA256())
        )
        return (
            certificate.public_bytes(serialization.Encoding.PEM),
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            ),
        )

    def server_context(
        self, dns_names: Sequence[str], ip_addresses: Sequence[str] = ()
    ) -> ssl.SSLContext:
        """A TLS context of a server with a new certificate for these names and addresses."""
        certificate, key = self.issue(dns_names, ip_addresses)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        # load_cert_chain reads files only.
        with tempfile.TemporaryDirectory(prefix="aksnet-tls-") as folder:
            chain, secret = Path(folder, "tls.crt"), Path(folder, "tls.key")
            secret.touch(mode=0o600)
            chain.write_bytes(certificate + self.certificate_pem)
            secret.write_bytes(key)
            context.load_cert_chain(chain, secret)
        return context
