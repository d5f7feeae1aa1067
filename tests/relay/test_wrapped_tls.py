"""TLS whose handshake goes inside a protocol's own messages, with OpenSSL at the other end, as either side."""

from __future__ import annotations

import ssl
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from blastwall.model.resource import Address, TlsMode
from blastwall.relay import ServerTls
from blastwall.relay.certificates import UpstreamTls
from blastwall.relay.tls import Tls, TlsFailed
from blastwall.testing.certificates import CertificateAuthority
from blastwall.wire.reader import Malformed

_MARK = b"W"


class Framed:
    """A message: a mark, two bytes of length, what it carries."""

    def __init__(self) -> None:
        self.buffer = b""

    def wrap(self, handshake: bytes) -> bytes:
        return _MARK + len(handshake).to_bytes(2, "big") + handshake

    def unwrap(self, data: bytes) -> bytes | None:
        self.buffer += data
        if self.buffer and self.buffer[:1] != _MARK:
            raise Malformed("something else than its handshake")
        end = 3 + int.from_bytes(self.buffer[1:3], "big")
        if len(self.buffer) < max(3, end):
            return None
        carried, self.buffer = self.buffer[3:end], self.buffer[end:]
        return carried

    def rest(self) -> bytes:
        rest, self.buffer = self.buffer, b""
        return rest


class OpenSsl:
    """The other end: Python's own binding of OpenSSL, which wraps until its handshake is done."""

    def __init__(self, context: ssl.SSLContext, *, server: bool = False, session: ssl.SSLSession | None = None) -> None:
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        name = None if server else "localhost"
        self.tls = context.wrap_bio(self.incoming, self.outgoing, server, name, session)
        self.framed = Framed()
        self.done = False

    def shake(self, data: bytes) -> bytes:
        carried = self.framed.unwrap(data)
        while carried is not None:
            self.incoming.write(carried)
            carried = self.framed.unwrap(b"")
        try:
            self.tls.do_handshake()
            self.done = True
        except ssl.SSLWantReadError:
            pass
        sent = self.outgoing.read()
        return self.framed.wrap(sent) if sent else b""

    def send(self, data: bytes) -> bytes:
        self.tls.write(data)
        return self.outgoing.read()

    def read(self, data: bytes) -> bytes:
        self.incoming.write(data)
        return self.tls.read(1 << 16)


def shake(ours: Tls, theirs: OpenSsl, cut: int = 0) -> None:
    """Hand bytes to and fro; what ours gets is cut into pieces of `cut` bytes."""
    ours.decrypt(b"")
    said = theirs.shake(ours.outgoing())
    for _ in range(10):
        for piece in pieces(said, cut):
            assert ours.decrypt(piece) == b""
        said = theirs.shake(ours.outgoing())
    assert (ours.established, theirs.done) == (True, True)


def pieces(data: bytes, cut: int) -> Sequence[bytes]:
    return [data[at : at + cut] for at in range(0, len(data), cut)] if cut else [data]


def trusting(authority: CertificateAuthority) -> ssl.SSLContext:
    return ssl.create_default_context(cadata=authority.pem.decode())


@pytest.fixture(scope="session")
def showing(authority: CertificateAuthority, tmp_path_factory: pytest.TempPathFactory) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*authority.issue().write(tmp_path_factory.mktemp("showing"), "upstream"))
    return context


def talk(ours: Tls, theirs: OpenSsl) -> None:
    assert theirs.read(ours.encrypt(b"from ours")) == b"from ours"
    assert ours.decrypt(theirs.send(b"from theirs")) == b"from theirs"


@pytest.mark.parametrize("cut", [0, 1, 7])
def test_a_client_is_secured_inside_messages_and_then_without(
    server_tls: ServerTls, authority: CertificateAuthority, cut: int
) -> None:
    ours, theirs = server_tls.start((), Framed()), OpenSsl(trusting(authority))
    shake(ours, theirs, cut)
    assert theirs.tls.version() == "TLSv1.2", "a version that says more after its handshake"
    talk(ours, theirs)


@pytest.mark.parametrize("cut", [0, 1, 7])
def test_a_resource_is_secured_inside_messages_and_verified(showing: ssl.SSLContext, ca: str, cut: int) -> None:
    ours = UpstreamTls().start(Address("localhost", 1, TlsMode.VERIFY_FULL, ca), (), "db", Framed())
    theirs = OpenSsl(showing, server=True)
    shake(ours, theirs, cut)
    assert theirs.tls.version() == "TLSv1.2"
    talk(ours, theirs)


def test_a_resumed_handshake_ends_with_the_clients_message(
    server_tls: ServerTls, authority: CertificateAuthority
) -> None:
    """In an abbreviated handshake the server finishes first (RFC 5246, section 7.3): the switch is the client's."""
    context = trusting(authority)
    first = OpenSsl(context)
    shake(server_tls.start((), Framed()), first)
    again, ours = OpenSsl(context, session=first.tls.session), server_tls.start((), Framed())
    shake(ours, again)
    assert again.tls.session_reused
    talk(ours, again)


def test_a_resource_with_another_name_is_refused(showing: ssl.SSLContext, ca: str) -> None:
    ours = UpstreamTls().start(Address("127.0.0.2", 1, TlsMode.VERIFY_FULL, ca), (), "db", Framed())
    with pytest.raises(TlsFailed, match="does not carry the address that is configured"):
        shake(ours, OpenSsl(showing, server=True))
    assert not ours.established


def test_what_follows_the_handshake_in_the_same_bytes_is_read(
    server_tls: ServerTls, authority: CertificateAuthority
) -> None:
    """A client that resumes may send its login right behind its last message."""
    context = trusting(authority)
    first = OpenSsl(context)
    shake(server_tls.start((), Framed()), first)
    theirs, ours = OpenSsl(context, session=first.tls.session), server_tls.start((), Framed())
    ours.decrypt(theirs.shake(b""))
    last = theirs.shake(ours.outgoing())
    assert (theirs.done, ours.established) == (True, False)
    assert ours.decrypt(last + theirs.send(b"login")) == b"login"


def test_a_handshake_without_its_messages_is_refused(server_tls: ServerTls, authority: CertificateAuthority) -> None:
    theirs, ours = OpenSsl(trusting(authority)), server_tls.start((), Framed())
    hello = theirs.shake(b"")[3:]
    with pytest.raises(TlsFailed, match="TLS with the client failed: it sent something else than its handshake"):
        ours.decrypt(hello)


def test_plain_text_before_the_handshake_is_refused(server_tls: ServerTls) -> None:
    ours = server_tls.start((), Framed())
    with pytest.raises(TlsFailed):
        ours.decrypt(Framed().wrap(b"SELECT 1"))
    assert not ours.established


def test_what_the_handshakes_last_message_carries_besides_is_refused(
    server_tls: ServerTls, authority: CertificateAuthority
) -> None:
    context = trusting(authority)
    first = OpenSsl(context)
    shake(server_tls.start((), Framed()), first)
    theirs, ours = OpenSsl(context, session=first.tls.session), server_tls.start((), Framed())
    ours.decrypt(theirs.shake(b""))
    last = theirs.shake(ours.outgoing())[3:]
    with pytest.raises(TlsFailed, match="more than the handshake inside the handshake"):
        ours.decrypt(Framed().wrap(last + theirs.send(b"login")))


def test_a_client_of_tls_1_3_alone_is_refused(server_tls: ServerTls, authority: CertificateAuthority) -> None:
    context = trusting(authority)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    ours = server_tls.start((), Framed())
    with pytest.raises(TlsFailed, match="TLS with the client failed: unsupported protocol"):
        ours.decrypt(OpenSsl(context).shake(b""))
    alert = Framed().unwrap(ours.outgoing())
    assert (alert or b"")[:1] == b"\x15", "an alert, inside a message"


def test_bare_tls_still_speaks_1_3(server_tls: ServerTls, authority: CertificateAuthority) -> None:
    """The bound is the wrapped handshake's alone."""
    theirs, ours = OpenSsl(trusting(authority)), server_tls.start(())
    hello = theirs.shake(b"")[3:]
    ours.decrypt(hello)
    theirs.incoming.write(ours.outgoing())
    theirs.tls.do_handshake()
    assert theirs.tls.version() == "TLSv1.3"


@given(noise=st.binary(max_size=400))
@settings(max_examples=50, deadline=None)
def test_noise_never_decrypts(server_tls: ServerTls, noise: bytes) -> None:
    ours = server_tls.start((), Framed())
    try:
        assert ours.decrypt(noise) == b""
    except TlsFailed as failure:
        assert str(failure).startswith("TLS with the client failed")
    assert not ours.established
