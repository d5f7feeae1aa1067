"""Rows for the recording, whatever the pieces that they arrive in."""

from __future__ import annotations

import pytest

from blastwall.model.masks import ColumnRule, DetectRule, MaskRules, MaskStyle, ResultRecord
from blastwall.protocols.contract import Allow, Finished, Rows
from blastwall.protocols.postgres.kept import Kept
from blastwall.protocols.postgres.messages import Field, encode_data_row
from blastwall.protocols.postgres.tests.server import TinyServer
from blastwall.protocols.postgres.tests.specimens import query
from blastwall.protocols.postgres.tests.test_session import EMAIL, MASKS, SECRET, play

RECORD = ResultRecord(MASKS, rows=10, bytes=1000)


@pytest.mark.parametrize("size", [1, 3, 7, 1000])
@pytest.mark.parametrize("client", [MASKS, MaskRules()], ids=["masked", "exempt"])
def test_rows_do_not_depend_on_how_bytes_arrive(size: int, client: MaskRules) -> None:
    book = play(lambda _ask: Allow(client, record=RECORD), TinyServer((EMAIL,), [SECRET.encode()]))
    book.cut = lambda data: [data[n : n + size] for n in range(0, len(data), size)]
    book.client(query("SELECT email FROM customers"))
    kept = [row for event in book.events if isinstance(event, Rows) for row in event.rows]
    assert kept == [("[redacted]",)]
    assert (SECRET.encode() in book.to_client) is (client is not MASKS)
    kinds = [type(event) for event in book.events if isinstance(event, Rows | Finished)]
    assert kinds[0] is Rows, "before the end"
    assert kinds[-1] is Finished


def test_without_being_asked_no_row_is_read() -> None:
    book = play(lambda _ask: Allow(), TinyServer((EMAIL,), [SECRET.encode()]))
    book.client(query("SELECT email FROM customers"))
    assert not any(isinstance(event, Rows) for event in book.events)


def test_values_are_decoded_or_shown_in_hexadecimal() -> None:
    kept = Kept(ResultRecord(MaskRules(), 10, 1000))
    fields = [
        Field(name, 0, 0, type_) for name, type_ in (("n", 23), ("b", 16), ("t", 25), ("when", 1114), ("raw", 17))
    ]
    kept.describe(fields, [1, 1, 1, 1, 0], None)
    kept.take(encode_data_row([b"\0\0\0\x07", b"\1", "Grüße".encode(), b"\0" * 7 + b"\xff", None])[5:], None)
    assert kept.waiting == [("7", "true", "Grüße", "\\x00000000000000ff", None)]


def test_limits_hold() -> None:
    kept = Kept(ResultRecord(MaskRules(), 3, 10_000))
    kept.describe([Field("t", 0, 0, 25)], [0], None)
    for number in range(5):
        kept.take(encode_data_row([b"%d" % number])[5:], None)
    assert kept.waiting == [("0",), ("1",), ("2",)]
    assert kept.full
    assert not Kept(ResultRecord(MaskRules(), 3, 100)).room(1 << 20), "a long row is not even read"


def test_detectors_apply_to_the_recording_of_an_exempt_client() -> None:
    rules = MaskRules(
        (ColumnRule("x", "public.x.x", MaskStyle.REDACT),), (DetectRule("d", ("email",), MaskStyle.REDACT),)
    )
    book = play(
        lambda _ask: Allow(record=ResultRecord(rules, 10, 1000)),
        TinyServer((Field("note", 16390, 2, 25),), [f"write to {SECRET}".encode()]),
    )
    book.client(query("SELECT customer FROM orders"))
    kept = [row for event in book.events if isinstance(event, Rows) for row in event.rows]
    assert kept == [("write to [redacted:email]",)]
    assert SECRET.encode() in book.to_client
