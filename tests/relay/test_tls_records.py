"""TLS record by record: what is read of OpenSSL, and no more; tickets, new keys and the goodbye between the records."""

from __future__ import annotations

import ctypes
import ssl
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from blastwall.relay.tls import Tls, TlsFailed
from blastwall.testing.certificates import CertificateAuthority

Ends = tuple[Tls, Tls]


def ends(authority: CertificateAuthority, folder: Path, version: ssl.TLSVersion) -> Ends:
    """A client and a server that speak `version`; the server sends tickets, after the handshake where TLS is 1.3."""
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(*authority.issue().write(folder, "server"))
    client = ssl.create_default_context(cadata=authority.pem.decode())
    for context in (client, server):
        context.minimum_version = context.maximum_version = version
    return (
        Tls(client, "the server", server=False, host="localhost"),
        Tls(server, "the client", server=True),
    )


def shake(client: Tls, server: Tls) -> bytes:
    """Hand bytes to and fro until both are established; return what the server sends after that."""
    client.decrypt(b"")
    while not (client.established and server.established):
        server.decrypt(client.outgoing())
        if not client.established:
            client.decrypt(server.outgoing())
    return server.outgoing()


@pytest.fixture(params=[ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=["1.2", "1.3"])
def pair(request: pytest.FixtureRequest, authority: CertificateAuthority, tmp_path: Path) -> Ends:
    """Both ends, established, in either version."""
    client, server = ends(authority, tmp_path, request.param)
    assert client.decrypt(shake(client, server)) == b""
    return client, server


class Counting:
    """Stands before OpenSSL and notes how much each read gave; None where that wanted more."""

    def __init__(self, tls: Tls) -> None:
        self._tls = tls
        self._engine = tls._engine
        self._reads: list[int | None] = []
        tls._engine = self

    def read(self, most: int, /) -> bytes:
        try:
            data = self._engine.read(most)
        except ssl.SSLWantReadError:
            self._reads.append(None)
            raise
        self._reads.append(len(data))
        return data

    def write(self, data: bytes | memoryview, /) -> int:
        return self._engine.write(data)

    def takes(self, wire: bytes) -> tuple[bytes, Sequence[int | None]]:
        """What comes of the bytes, and the reads that it took."""
        self._reads = []
        return self._tls.decrypt(wire), self._reads


def test_a_record_that_comes_whole_is_read_once(pair: Ends) -> None:
    """Another read would say that it wants more: an exception for each record."""
    client, counting = pair[0], Counting(pair[1])
    assert counting.takes(client.encrypt(b"select 1")) == (b"select 1", [8])
    assert counting.takes(b"".join(map(client.encrypt, (b"one", b"two", b"three")))) == (b"onetwothree", [3, 3, 5])
    assert counting.takes(client.encrypt(bytes(16_383))) == (bytes(16_383), [16_383])
    assert counting.takes(client.encrypt(bytes(40_000))) == (bytes(40_000), [16_384, 16_384, 7232])


def test_a_record_of_the_greatest_size_is_read_until_nothing_is_left(pair: Ends) -> None:
    client, counting = pair[0], Counting(pair[1])
    assert counting.takes(client.encrypt(bytes(16_384))) == (bytes(16_384), [16_384, None])


def test_a_record_in_pieces_takes_few_reads(pair: Ends) -> None:
    """Also where its last byte comes alone, so that nobody can make the gateway read byte by byte."""
    client, counting = pair[0], Counting(pair[1])
    wire = client.encrypt(b"a" * 16_384)
    assert counting.takes(wire[:3]) == (b"", [None])
    assert counting.takes(wire[3:-1]) == (b"", [None])
    assert counting.takes(wire[-1:]) == (b"a" * 16_384, [1, 16_383])
    wire = client.encrypt(b"whole") + client.encrypt(b"in pieces")
    assert counting.takes(wire[:-1]) == (b"whole", [5, None])
    assert counting.takes(wire[-1:] + client.encrypt(b"another")) == (b"in piecesanother", [9, 7])


def test_the_goodbye_is_heard_behind_the_last_record(pair: Ends) -> None:
    client, server = pair
    assert server.decrypt(client.encrypt(b"the last") + client.finish()) == b"the last"
    assert server.ended


def test_a_broken_record_behind_a_whole_one_is_refused(pair: Ends) -> None:
    client, server = pair
    broken = bytearray(client.encrypt(b"first") + client.encrypt(b"second"))
    broken[-1] ^= 1
    with pytest.raises(TlsFailed, match="TLS with the client failed"):
        server.decrypt(bytes(broken))


def test_what_stands_before_openssl_may_be_all_there_is(pair: Ends) -> None:
    """Where Python's object does not hand its calls on, it is called itself, to the same effect."""
    client, server = pair
    client._engine, server._engine = client._object, server._object
    assert server.decrypt(client.encrypt(bytes(40_000))) == bytes(40_000)
    assert client.decrypt(server.encrypt(b"and back")) == b"and back"


@given(places=st.lists(st.integers(0, 1000), max_size=5))
@settings(max_examples=25, deadline=None)
def test_tickets_may_come_in_any_pieces(
    authority: CertificateAuthority, tmp_path_factory: pytest.TempPathFactory, places: list[int]
) -> None:
    client, server = ends(authority, tmp_path_factory.mktemp("tickets"), ssl.TLSVersion.TLSv1_3)
    tickets = shake(client, server)
    assert len(tickets) > 200, "two of them"
    wire = tickets + server.encrypt(b"first") + server.encrypt(b"second")
    cuts = [0, *sorted(places), len(wire)]
    assert b"".join(client.decrypt(wire[start:end]) for start, end in pairwise(cuts)) == b"firstsecond"
    assert server.decrypt(client.encrypt(b"and back")) == b"and back"


# ── new keys, which Python's own binding cannot ask for ──────────────────────────────────────────────────────────────


class OpenSsl:
    """A client of OpenSSL's own, as C has it, that trusts everybody."""

    def __init__(self, library: ctypes.CDLL) -> None:
        self._library = library
        for name in ("TLS_client_method", "SSL_CTX_new", "SSL_new", "BIO_s_mem", "BIO_new"):
            getattr(library, name).restype = ctypes.c_void_p
        self._context = ctypes.c_void_p(library.SSL_CTX_new(ctypes.c_void_p(library.TLS_client_method())))
        self._ssl = ctypes.c_void_p(library.SSL_new(self._context))
        self._in, self._out = (ctypes.c_void_p(library.BIO_new(ctypes.c_void_p(library.BIO_s_mem()))) for _ in range(2))
        library.SSL_set_bio(self._ssl, self._in, self._out)
        library.SSL_set_connect_state(self._ssl)

    def close(self) -> None:
        self._library.SSL_free(self._ssl)
        self._library.SSL_CTX_free(self._context)

    def given(self, wire: bytes) -> bytes:
        """What comes of the bytes; goes on with the handshake where it is under way."""
        self._library.BIO_write(self._in, wire, len(wire))
        plain = ctypes.create_string_buffer(1000)
        count = self._library.SSL_read(self._ssl, plain, len(plain))
        return plain.raw[: max(0, count)]

    def sends(self, data: bytes) -> bytes:
        assert self._library.SSL_write(self._ssl, data, len(data)) == len(data)
        return self.waiting()

    def new_keys(self, *, asked: bool) -> None:
        """Begin with new keys before the next record; where `asked`, want new ones of the peer, too."""
        assert self._library.SSL_key_update(self._ssl, int(asked)) == 1

    def waiting(self) -> bytes:
        room = ctypes.create_string_buffer(20_000)
        count = self._library.BIO_read(self._out, room, len(room))
        return room.raw[: max(0, count)]


@contextmanager
def openssl() -> Iterator[OpenSsl]:
    try:
        library = ctypes.CDLL("libssl.so.3")
    except OSError:
        pytest.skip("no libssl.so.3 here")
    client = OpenSsl(library)
    try:
        yield client
    finally:
        client.close()


@pytest.mark.parametrize("asked", [False, True])
@pytest.mark.parametrize("pieces", [1, 2, 7])
def test_new_keys_may_come_between_records(
    authority: CertificateAuthority, tmp_path: Path, asked: bool, pieces: int
) -> None:
    """KeyUpdate (RFC 8446, section 4.6.3): the peer's next record has them; ours, once we were asked."""
    server = ends(authority, tmp_path, ssl.TLSVersion.TLSv1_3)[1]
    with openssl() as client:
        client.given(b"")
        server.decrypt(client.waiting())
        client.given(server.outgoing())
        server.decrypt(client.waiting())
        assert server.established
        client.given(server.outgoing())
        for number in range(3):
            wire = client.sends(b"before")
            client.new_keys(asked=asked)
            update = client.sends(b"after")
            size = len(wire + update) // pieces + 1
            parts = [(wire + update)[at : at + size] for at in range(0, len(wire + update), size)]
            assert b"".join(map(server.decrypt, parts)) == b"beforeafter"
            answer = server.outgoing() + server.encrypt(b"answer %d" % number)
            assert client.given(answer) == b"answer %d" % number
            assert (len(answer) > 40) == asked, "new keys of ours were sent where they were asked for, and only there"
