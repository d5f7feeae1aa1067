"""The certificate of a gateway that was given none: good enough to try it, and said so at each start.

A CA is made that signs one certificate, and its key is thrown away at once: whoever comes to trust this CA trusts that
one certificate and nothing that a thief could make later. A new CA is made when the certificate is about to end or does
not carry the names that it must.
"""

from __future__ import annotations

import fcntl
import os
import socket
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from blastwall.app.places import write_private

_LIFETIME = timedelta(days=397)
_RENEW_BEFORE = timedelta(days=30)
_BACKDATED = timedelta(hours=1)
_EVERY_ADDRESS = frozenset({"0.0.0.0", "::"})  # noqa: S104 - compared, not bound


@dataclass(frozen=True, slots=True)
class DevelopmentTls:
    """The files: the certificate and key that the gateway serves with, and the CA that clients verify it by."""

    authority: Path
    certificate: Path
    key: Path


def development_tls(folder: Path, listen: Iterable[str], hosts: Iterable[str] = ()) -> DevelopmentTls:
    """Return the development certificate kept in `folder`; made where there is none that still serves.

    Args:
        folder: where it is kept.
        listen: the addresses that the gateway listens on.
        hosts: further names by which clients call it.

    Raises:
        OSError: the folder cannot be read or written.
    """
    files = DevelopmentTls(
        folder / "development-ca.pem", folder / "development-gateway.pem", folder / "development-gateway.key"
    )
    names = tuple(dict.fromkeys([*_names(listen), *hosts]))
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    with _alone(folder):
        if not _serves(files, names):
            _make(files, names)
    return files


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Keep other processes out: at a reload every worker comes here."""
    opened = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(opened, fcntl.LOCK_EX)
        yield
    finally:
        os.close(opened)


def _names(listen: Iterable[str]) -> tuple[str, ...]:
    """Return the names by which clients on this machine or the network may call the gateway."""
    given = [address for address in listen if address not in _EVERY_ADDRESS]
    return tuple(dict.fromkeys(["localhost", "127.0.0.1", "::1", socket.gethostname(), *given]))


def _serves(files: DevelopmentTls, names: tuple[str, ...]) -> bool:
    try:
        certificate = x509.load_pem_x509_certificate(files.certificate.read_bytes())
        authority = x509.load_pem_x509_certificate(files.authority.read_bytes())
        key = serialization.load_pem_private_key(files.key.read_bytes(), password=None)
    except (FileNotFoundError, ValueError):
        return False
    carried = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return (
        certificate.not_valid_after_utc - datetime.now(UTC) > _RENEW_BEFORE
        and set(_alternatives(names)) <= set(carried)
        and certificate.issuer == authority.subject
        and certificate.public_key() == key.public_key()
    )


def _make(files: DevelopmentTls, names: tuple[str, ...]) -> None:
    now = datetime.now(UTC)
    authority_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    authority = _authority(authority_key, now)
    certificate = _certificate(key.public_key(), names, authority, authority_key, now)
    write_private(
        files.key,
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()),
    )
    files.certificate.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    files.authority.write_bytes(authority.public_bytes(serialization.Encoding.PEM))


def _authority(key: ec.EllipticCurvePrivateKey, now: datetime) -> x509.Certificate:
    """Make the CA. Its serial number is in its name, so that two of them are never taken for one."""
    serial = x509.random_serial_number()
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"Blastwall development CA {serial:x}"[:64])])
    usage = x509.KeyUsage(
        digital_signature=False, content_commitment=False, key_encipherment=False, data_encipherment=False,
        key_agreement=False, key_cert_sign=True, crl_sign=True, encipher_only=False, decipher_only=False,
    )  # fmt: skip
    return (
        _builder(name, name, key.public_key(), now)
        .serial_number(serial)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )


def _certificate(
    key: ec.EllipticCurvePublicKey,
    names: tuple[str, ...],
    authority: x509.Certificate,
    authority_key: ec.EllipticCurvePrivateKey,
    now: datetime,
) -> x509.Certificate:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Blastwall development gateway")])
    issuer_key = x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key())
    return (
        _builder(subject, authority.subject, key, now)
        .serial_number(x509.random_serial_number())
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName(_alternatives(names)), critical=False)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(issuer_key, critical=False)
        .sign(authority_key, hashes.SHA256())
    )


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, now: datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .not_valid_before(now - _BACKDATED)
        .not_valid_after(now + _LIFETIME)
    )


def _alternatives(names: Iterable[str]) -> list[x509.GeneralName]:
    return [_alternative(name) for name in names]


def _alternative(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(name)
