"""Whom TLS trusts and what it shows: the gateway's certificate towards clients, the resources' authorities upstream."""

from __future__ import annotations

import ssl
from ipaddress import ip_address
from pathlib import Path

from blastwall.model.resource import Address, TlsMode
from blastwall.protocols.contract import Wrapping
from blastwall.relay.tls import Tls, TlsFailed


class ServerTls:
    """The gateway's own certificate.

    Args:
        certificate: PEM file of its chain.
        key: PEM file of its private key.

    Raises:
        OSError, ssl.SSLError: a file cannot be read, or they do not belong together.
    """

    def __init__(self, certificate: Path, key: Path) -> None:
        self._contexts: dict[tuple[tuple[str, ...], bool], ssl.SSLContext] = {}
        self.renew(certificate, key)

    def renew(self, certificate: Path, key: Path) -> None:
        """Show another certificate to new connections; those that are open keep theirs.

        Raises:
            OSError, ssl.SSLError: it cannot be used; the certificate in force stays.
        """
        fresh = _server_context(certificate, key, (), wrapped=False)
        self._certificate, self._key = certificate, key
        self._contexts = {((), False): fresh}

    def start(self, alpn: tuple[str, ...], wrapping: Wrapping | None = None) -> Tls:
        """Begin TLS with a client.

        Raises:
            TlsFailed: the certificate's files have become unreadable since they were checked.
        """
        wanted = (alpn, wrapping is not None)
        context = self._contexts.get(wanted)
        if context is None:
            try:
                context = _server_context(self._certificate, self._key, alpn, wrapped=wrapping is not None)
            except (OSError, ssl.SSLError) as error:
                raise TlsFailed(f"the gateway's certificate cannot be read: {error}") from error
            self._contexts[wanted] = context
        return Tls(context, "the client", server=True, wrapping=wrapping)


class UpstreamTls:
    """TLS towards resources. Contexts are kept, and made anew when the authority's file changes."""

    _MOST = 1000

    def __init__(self) -> None:
        self._contexts: dict[tuple[TlsMode, str | None, int, tuple[str, ...], bool], ssl.SSLContext] = {}

    def start(self, target: Address, alpn: tuple[str, ...], peer: str, wrapping: Wrapping | None = None) -> Tls:
        """Begin TLS with `target`, which errors call `peer`.

        Raises:
            TlsFailed: the configuration forbids TLS here, or its authority cannot be read.
        """
        if target.tls is TlsMode.DISABLE:
            raise TlsFailed(f"the configuration of {peer} disables TLS")
        try:
            context = self._context(target, alpn, wrapped=wrapping is not None)
        except (OSError, ssl.SSLError) as error:
            raise TlsFailed(f"the file of the authority for {peer} cannot be read") from error
        return Tls(context, peer, server=False, host=_server_name(target), wrapping=wrapping)

    def _context(self, target: Address, alpn: tuple[str, ...], *, wrapped: bool) -> ssl.SSLContext:
        changed = 0 if target.ca is None else Path(target.ca).stat().st_mtime_ns
        wanted = (target.tls, target.ca, changed, alpn, wrapped)
        context = self._contexts.get(wanted)
        if context is None:
            if len(self._contexts) >= self._MOST:
                self._contexts.clear()
            context = self._contexts[wanted] = _client_context(target, alpn, wrapped=wrapped)
        return context


def _server_context(certificate: Path, key: Path, alpn: tuple[str, ...], *, wrapped: bool) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    context.num_tickets = 0  # as PostgreSQL: no driver resumes, and each ticket costs both sides work and bytes
    return _strict(context, alpn, wrapped=wrapped)


def _client_context(target: Address, alpn: tuple[str, ...], *, wrapped: bool) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = target.tls is TlsMode.VERIFY_FULL
    if target.tls is TlsMode.REQUIRE:
        context.verify_mode = ssl.CERT_NONE
    elif target.ca is not None:
        context.load_verify_locations(target.ca)
    else:
        context.load_default_certs()
    return _strict(context, alpn, wrapped=wrapped)


def _strict(context: ssl.SSLContext, alpn: tuple[str, ...], *, wrapped: bool) -> ssl.SSLContext:
    """TLS 1.2 at least; no renegotiation, which lets a client make the server work for free; no compression (CRIME)."""
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if wrapped:
        context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION
    if alpn:
        context.set_alpn_protocols(list(alpn))
    return context


def _server_name(target: Address) -> str | None:
    """Return the name to ask for. An address is no name for SNI (RFC 6066, section 3), but one to check."""
    if target.tls is TlsMode.VERIFY_FULL:
        return target.host
    try:
        ip_address(target.host)
    except ValueError:
        return target.host
    return None
