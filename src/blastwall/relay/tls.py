"""TLS over memory: bytes in, bytes out, no socket; so that bytes which arrived before can belong to the handshake."""

from __future__ import annotations

import ssl
import threading
from contextlib import suppress
from threading import get_ident
from typing import Protocol

from blastwall.protocols.contract import Wrapping
from blastwall.wire.native import Flag, Octets, Whole
from blastwall.wire.reader import Malformed

_RECORD = 16 * 1024
"""Plaintext of one TLS record is at most 2^14 bytes (RFC 8446, section 5.1): a longer read returns no more."""

_CERTIFICATE_FAULTS = {
    9: "is not valid yet",
    10: "has expired",
    18: "is signed by itself, and is not one that is trusted",
    19: "is signed by an authority that is not trusted",
    20: "is signed by an authority that is not trusted",
    21: "is signed by an authority that is not trusted",
    23: "was revoked",
    62: "does not carry the name that is configured",
    64: "does not carry the address that is configured",
}
"""What is wrong, by OpenSSL's X509_V_ERR_* numbers (openssl/x509_vfy.h)."""


class TlsFailed(Exception):
    """TLS with a peer cannot be had or cannot go on; the text says whose fault it is."""


class _Engine(Protocol):
    """What both an `ssl.SSLObject` and what that hands its calls on to can do, with the same meaning."""

    def read(self, most: int, /) -> bytes: ...

    def write(self, data: bytes | memoryview, /) -> int: ...


def _engine(shell: ssl.SSLObject) -> _Engine:
    """Return what `shell` hands `read` and `write` on to, which saves a call each; itself where it has nothing such."""
    engine: _Engine = getattr(shell, "_sslobj", shell)
    return engine


class _Buffers(threading.local):
    """What OpenSSL reads from and writes to: one pair for all connections of a thread.

    OpenSSL's memory never shrinks: of its own, each connection would keep a third more than the most that it was ever
    given at once. Between two calls of a connection both are empty (`_leave_empty`): OpenSSL takes what it is given to
    the last byte before it asks for more, and keeps a record that is not whole itself.
    """

    def __init__(self) -> None:
        self.input, self.output = ssl.MemoryBIO(), ssl.MemoryBIO()


_BUFFERS = _Buffers()


class Tls:
    """One end of a TLS connection. It belongs to the thread that made it.

    Args:
        context: how to secure and whom to trust.
        peer: what errors call the other end.
        server: whether this end is the server.
        host: the name that the peer's certificate is asked for and, by `context`, must carry; a client's only.
        wrapping: what carries the handshake, where it does not go bare; `context` must then end with TLS 1.2.
    """

    __slots__ = (
        "_engine",
        "_incoming",
        "_object",
        "_outgoing",
        "_peer",
        "_thread",
        "_waiting",
        "_wrapping",
        "ended",
        "established",
    )

    def __init__(
        self,
        context: ssl.SSLContext,
        peer: str,
        *,
        server: bool,
        host: str | None = None,
        wrapping: Wrapping | None = None,
    ) -> None:
        self._incoming, self._outgoing = _BUFFERS.input, _BUFFERS.output
        self._thread: Whole = get_ident()
        self._waiting: Octets = b""
        self._object = context.wrap_bio(self._incoming, self._outgoing, server_side=server, server_hostname=host)
        self._engine = _engine(self._object)
        self._peer = peer
        self._wrapping = wrapping
        self.established: Flag = False
        self.ended: Flag = False
        """Whether the peer has said that nothing more comes (close_notify)."""

    @property
    def alpn(self) -> str | None:
        """The application protocol that was agreed on."""
        return self._object.selected_alpn_protocol()

    @property
    def certificate(self) -> bytes:
        """The peer's certificate in DER; empty where it showed none."""
        return self._object.getpeercert(binary_form=True) or b""

    @property
    def broken_off(self) -> str:
        """What to say where the peer leaves before TLS is up."""
        return f"TLS with {self._peer} failed: it closed the connection during the handshake"

    def decrypt(self, data: Octets) -> Octets:
        """Take bytes from the peer, go on with the handshake where it is under way, and return what they decrypt to.

        Afterwards `outgoing` may have something for the peer, whether this raises or not.

        Raises:
            TlsFailed: the peer's bytes are not TLS, or its certificate does not hold.
            RuntimeError: another thread than the connection's own calls.
        """
        self._check_thread()
        try:
            if not self.established:
                data = self._shake_hands(data)
                if not self.established:
                    return b""
            if data:
                self._incoming.write(data)
            return self._plain(len(data))
        except ssl.SSLError as error:
            raise TlsFailed(_told(self._peer, error)) from error
        finally:
            self._leave_empty()

    def _check_thread(self) -> None:
        """Raise where another thread calls. One that got the number of a thread that ended may: it is the only one."""
        caller: Whole = get_ident()
        if caller != self._thread:
            raise RuntimeError("a TLS connection is used by another thread than its own")

    def _leave_empty(self) -> None:
        """Leave the buffers empty for the next connection: keep what is for the peer, drop what was not taken.

        What is left of the peer's bytes came after its last word (close_notify), or after what broke the connection.
        """
        if self._incoming.pending:
            self._incoming.read()
        if self._outgoing.pending:
            self._keep_outgoing()

    def _keep_outgoing(self) -> None:
        """Take what is for the peer out of its buffer."""
        sealed: Octets = self._outgoing.read()
        self._waiting = self._waiting + sealed if self._waiting else sealed

    def _shake_hands(self, data: Octets) -> Octets:
        """Go on with the handshake; return what came after its last message and is not in OpenSSL's hands yet."""
        if self._wrapping is not None:
            return self._shake_wrapped(self._wrapping, data)
        if data:
            self._incoming.write(data)
        self._shake()
        return b""

    def _shake_wrapped(self, wrapping: Wrapping, data: bytes) -> bytes:
        """Go on with a handshake inside the protocol's messages; return what came after its last one."""
        try:
            self._shake()
            carried = wrapping.unwrap(data)
            while carried is not None:
                self._incoming.write(carried)
                self._shake()
                if self.established:
                    return self._after_handshake(wrapping)
                carried = wrapping.unwrap(b"")
        except Malformed as fault:
            raise TlsFailed(f"TLS with {self._peer} failed: it sent {fault}") from fault
        return b""

    def _shake(self) -> None:
        try:
            self._object.do_handshake()
            self.established = True
        except ssl.SSLWantReadError:
            pass

    def _after_handshake(self, wrapping: Wrapping) -> bytes:
        """Return what came bare. What the last message carries beyond the handshake has no business there."""
        if self._incoming.pending or self._plain(0) or self.ended:
            raise TlsFailed(f"TLS with {self._peer} failed: it sent more than the handshake inside the handshake")
        return wrapping.rest()

    def _plain(self, coming: Whole) -> Octets:
        """Return what the records decrypt to that are whole; afterwards all is taken, unless the peer has ended.

        `coming` is how many bytes were given to be taken. Records of no earlier bytes decrypt to less than that.

        A read returns what is left of one record (SSL_read(3)). One that returns less than it was asked for has left
        nothing of that; and without read-ahead, which Python leaves off, OpenSSL takes one record at a time. So where
        nothing waits to be taken either, another read could only say that it wants more.
        """
        chunks: list[bytes] = []
        most: Whole = coming if 0 < coming < _RECORD else _RECORD
        try:
            while chunk := self._engine.read(most):
                chunks.append(chunk)
                if len(chunk) < most and not self._incoming.pending:
                    break
                most = _RECORD
            else:
                self.ended = True
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLZeroReturnError:
            self.ended = True
        return chunks[0] if len(chunks) == 1 else b"".join(chunks)

    def encrypt(self, data: Octets) -> Octets:
        """Return everything that must be sent to the peer so that it receives `data`.

        Raises:
            TlsFailed: the connection cannot be written any more.
            RuntimeError: another thread than the connection's own calls.
        """
        self._check_thread()
        try:
            written: Whole = self._engine.write(data)
            if written < len(data):
                rest = memoryview(data)
                while written < len(data):
                    written += self._engine.write(rest[written:])
        except ssl.SSLError as error:
            raise TlsFailed(_told(self._peer, error)) from error
        finally:
            self._keep_outgoing()  # writing takes nothing of what comes
        return self._waited()

    def _waited(self) -> Octets:
        data, self._waiting = self._waiting, b""
        return data

    def outgoing(self) -> Octets:
        """Return what waits to be sent: handshake messages, alerts."""
        data = self._waited()
        if self._wrapping is None:
            return data
        wrapped = self._wrapping.wrap(data) if data else b""
        if self.established:
            self._wrapping = None
        return wrapped

    def finish(self) -> Octets:
        """Return what tells the peer that nothing more comes."""
        if self.established:
            self._check_thread()
            with suppress(ssl.SSLError):  # the peer's own close_notify is not waited for
                self._object.unwrap()
            self._leave_empty()
        return self.outgoing()


def _told(peer: str, error: ssl.SSLError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        fault = _CERTIFICATE_FAULTS.get(error.verify_code, f"does not hold: {error.verify_message}")
        return f"the certificate of {peer} {fault}"
    reason = (error.reason or type(error).__name__).lower().replace("_", " ")
    return f"TLS with {peer} failed: {reason}"
