"""The files that a configuration names: that they are there, can be read and fit each other."""

from __future__ import annotations

import glob
import ssl
from collections.abc import Iterator
from pathlib import Path

from blastwall.config.azure import AzureIdentity
from blastwall.config.checks import Finding
from blastwall.config.document import Path as KeyPath
from blastwall.config.model import Configuration
from blastwall.config.resource_settings import identities_of


def policy_files(configuration: Configuration) -> tuple[Path, ...]:
    """Return the policy files that the patterns match, each once, in the order of their names within a pattern."""
    found: dict[Path, None] = {}
    for pattern in configuration.policies:
        found.update(dict.fromkeys(_matches(pattern)))
    return tuple(found)


def check_files(configuration: Configuration) -> Iterator[Finding]:
    """Yield what is wrong with policy, certificate, CA and key-set files. Nothing is written; secrets are not read."""
    yield from _policies(configuration)
    yield from _certificate(configuration)
    yield from _authorities(configuration)
    yield from _identities(configuration)
    yield from _key_sets(configuration)


def _matches(pattern: str) -> list[Path]:
    return sorted(Path(name) for name in glob.glob(pattern, recursive=True) if Path(name).is_file())  # noqa: PTH207 - absolute patterns


def _policies(configuration: Configuration) -> Iterator[Finding]:
    for position, pattern in enumerate(configuration.policies):
        if not _matches(pattern):
            yield ("policies", position), f"no file matches {pattern}"


def _certificate(configuration: Configuration) -> Iterator[Finding]:
    if configuration.tls is None:
        return
    files = (("certificate", configuration.tls.certificate), ("key", configuration.tls.key))
    problems = [(("tls", key), _unreadable(path)) for key, path in files if _unreadable(path)]
    yield from problems
    if not problems:
        problem = _pair_problem(configuration.tls.certificate, configuration.tls.key)
        if problem:
            yield ("tls",), problem


def _pair_problem(certificate: Path, key: Path) -> str:
    """Return why certificate and key cannot serve together; empty where they can."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(certificate, key, password=_no_passphrase)
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            return f"the key {key} does not belong to the certificate {certificate}"
        return (
            f"{certificate} and {key} are not a PEM certificate chain and its PEM key ({error.reason or 'unreadable'})"
        )
    except _EncryptedError:
        return f"the key {key} is encrypted; give the gateway an unencrypted one that only its user can read"
    return ""


class _EncryptedError(Exception):
    """OpenSSL asked for a passphrase."""


def _no_passphrase() -> str:
    raise _EncryptedError


def _authorities(configuration: Configuration) -> Iterator[Finding]:
    named: list[tuple[KeyPath, Path | None]] = []
    named += [(("issuers", position, "ca"), issuer.ca) for position, issuer in enumerate(configuration.issuers)]
    named += [
        (("resources", position, "upstream", "ca"), resource.upstream.ca)
        for position, resource in enumerate(configuration.resources)
    ]
    for path, file in named:
        problem = _authority_problem(file) if file is not None else ""
        if problem:
            yield path, problem


def _identities(configuration: Configuration) -> Iterator[Finding]:
    """Report identities whose certificate or authority cannot be used. A federated token's file may come later."""
    named: list[tuple[KeyPath, AzureIdentity]] = [
        (("resources", position, *path), identity)
        for position, resource in enumerate(configuration.resources)
        for path, identity in identities_of(resource)
    ]
    if configuration.azure is not None:
        named.append((("azure", "identity"), configuration.azure.identity))
    for path, identity in named:
        if identity.ca is not None and (problem := _authority_problem(identity.ca)):
            yield (*path, "ca"), problem
        if identity.certificate is not None:
            problem = _unreadable(identity.certificate) or _pair_problem(identity.certificate, identity.certificate)
            if problem:
                yield (*path, "certificate"), problem


def _authority_problem(file: Path) -> str:
    problem = _unreadable(file)
    if problem:
        return problem
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(file)
    except ssl.SSLError:
        return f"{file} holds no PEM certificate"
    return ""


def _key_sets(configuration: Configuration) -> Iterator[Finding]:
    for position, issuer in enumerate(configuration.issuers):
        if issuer.jwks is not None and issuer.jwks.startswith("file:"):
            problem = _unreadable(Path(issuer.jwks.removeprefix("file:")))
            if problem:
                yield ("issuers", position, "jwks"), problem


def _unreadable(file: Path) -> str:
    """Return why a file cannot be read; empty where it can."""
    try:
        with file.open("rb") as opened:
            opened.read(1)
    except OSError as error:
        return f"{file} cannot be read: {error.strerror}"
    return ""
