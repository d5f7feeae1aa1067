"""What a client of HTTP/2 can make the gateway keep, or do, with little: each has an end, and costs nobody else."""

from __future__ import annotations

import struct
import tracemalloc
from collections.abc import Callable, Iterator

import pytest
from h2.settings import SettingCodes
from hpack import Encoder

from blastwall.model.statement import Statement
from blastwall.protocols.contract import Allow, Side
from blastwall.protocols.http.tests.server import TinyServer
from blastwall.protocols.http.tests.test_http2 import Client, Servers
from blastwall.protocols.http.tests.test_session import always

_HEADERS, _SETTINGS, _CONTINUATION = 1, 4, 9
_MEBI = 1 << 20
_FIELDS = [(":method", "GET"), (":scheme", "https"), (":path", "/a"), (":authority", "api.gw.example")]


def _frame(kind: int, payload: bytes, *, stream: int = 0, flags: int = 0) -> bytes:
    return len(payload).to_bytes(3, "big") + bytes((kind, flags)) + stream.to_bytes(4, "big") + payload


def _unknown_settings() -> Iterator[bytes]:
    for first in range(0x1000, 0xF000, 100):
        yield _frame(_SETTINGS, b"".join(struct.pack(">HI", first + each, each) for each in range(100)))


def _empty_settings() -> Iterator[bytes]:
    for _ in range(1000):
        yield _frame(_SETTINGS, b"")


def _pings() -> Iterator[bytes]:
    """As many as are read at once; each is 20 µs of work, and an answer."""
    yield _frame(6, bytes(8)) * 15_000


def _table_sizes() -> Iterator[bytes]:
    """Each change of it would be told the client with the next answer."""
    for number in range(1000):
        yield _frame(_SETTINGS, struct.pack(">HI", SettingCodes.HEADER_TABLE_SIZE, number % 2))


def _continuations() -> Iterator[bytes]:
    """CVE-2024-27316: fields without an end."""
    yield _frame(_HEADERS, Encoder().encode(_FIELDS), stream=1)
    for _ in range(5000):
        yield _frame(_CONTINUATION, b"\0\1a" + b"\x7f\x81\x7e" + bytes(16_000), stream=1)


def _many_fields_of_few_bytes() -> Iterator[bytes]:
    """One field of 4,000 bytes, and a byte for each time that it comes again."""
    block = Encoder().encode([*_FIELDS, ("x", "y" * 4000)], huffman=False)
    yield _frame(_HEADERS, block + b"\xbe" * 12_000, stream=1, flags=4)


@pytest.mark.parametrize(
    "flood", [_unknown_settings, _empty_settings, _table_sizes, _pings, _continuations, _many_fields_of_few_bytes]
)
def test_what_the_library_would_keep_or_go_through_ends_the_connection(
    flood: Callable[[], Iterator[bytes]],
) -> None:
    client = Client()
    pieces = list(flood())
    tracemalloc.start()
    try:
        for piece in pieces:
            if client.play.closed is None:
                client.play.client(piece)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert client.play.closed is not None
    assert most < 3 * _MEBI
    assert not client.play.asked


class Marked(TinyServer):
    """Answers with a field that never comes again."""

    answers = 0

    def receive(self, side: Side, data: bytes) -> bytes:
        Marked.answers += 1
        return b"HTTP/1.1 200 OK\r\nX-Id: %0200d\r\nContent-Length: 0\r\n\r\n" % Marked.answers


@pytest.mark.parametrize(("offered", "most"), [(1 << 24, 4096), (100, 100), (0, 0)])
def test_no_more_fields_are_kept_for_a_client_than_the_least_that_each_end_does(offered: int, most: int) -> None:
    client = Client(servers=Servers(Marked))
    client.frames.update_settings({SettingCodes.HEADER_TABLE_SIZE: offered})
    client.go()
    for _ in range(40):
        number = client.ask("GET", "/a")
        client.go()
        assert client.told[number].status == 200
    assert client.frames.decoder.header_table_size == most


def test_a_client_that_says_goodbye_still_gets_the_answer_that_it_waits_for() -> None:
    client = Client(lambda ask: None if isinstance(ask.question, Statement) else always(ask))
    number = client.ask("GET", "/a")
    client.go()
    client.play.client(_frame(7, struct.pack(">II", 0, 0)))
    client.play.answer(next(ask.number for ask in client.play.asked if isinstance(ask.question, Statement)), Allow())
    client.go()
    assert client.told[number].status == 200
    assert client.told[number].ended
