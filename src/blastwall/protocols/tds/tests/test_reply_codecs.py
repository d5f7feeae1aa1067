"""Packets and reply tokens: the specification's own examples, round trips, and any way of cutting."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blastwall.protocols.tds import answers, tokens
from blastwall.protocols.tds.packets import EOM, IGNORE, RESET, Kind, MessageReader, PacketReader, framed
from blastwall.protocols.tds.tests import dumps
from blastwall.protocols.tds.token_reader import TokenReader
from blastwall.protocols.tds.tokens import ColMetadata, Done, EnvChange, Error, Info, RowRun, Token
from blastwall.wire.reader import Malformed

RESPONSES = {
    "login": dumps.LOGIN_RESPONSE,
    "login with a federated token": dumps.LOGIN_RESPONSE_FEDAUTH,
    "batch": dumps.BATCH_RESPONSE,
    "rpc": dumps.RPC_RESPONSE,
    "sparse": dumps.SPARSE_RESPONSE,
    "session state": dumps.SESSION_STATE,
}


def read(payload: bytes, cuts: list[int] | None = None, *, whole: bool = False) -> list[Token]:
    """All tokens of a reply that comes in these cuts; runs of rows that belong together are joined."""
    reader = TokenReader()
    reader.whole = whole
    found: list[Token] = []
    edges = [0, *sorted(min(cut, len(payload)) for cut in cuts or []), len(payload)]
    for start, stop in pairwise(edges):
        reader.feed(payload[start:stop])
        while (token := reader.take()) is not None:
            last = found[-1] if found else None
            if isinstance(token, RowRun) and isinstance(last, RowRun):
                joined = last.raw + token.raw
                found[-1] = RowRun(last.rows + token.rows, joined, 0, len(joined))
            elif isinstance(token, RowRun):
                found.append(RowRun(token.rows, token.raw, 0, len(token.raw)))
            else:
                found.append(token)
    reader.finish()
    return found


@pytest.mark.parametrize("name", RESPONSES)
def test_the_tokens_of_an_example_are_its_bytes(name: str) -> None:
    payload = RESPONSES[name][8:]
    assert b"".join(token.raw for token in read(payload)) == payload


def test_a_result_is_read_as_the_specification_says() -> None:
    described, run, done = read(dumps.BATCH_RESPONSE[8:])
    assert isinstance(described, ColMetadata)
    assert [(column.name, column.type.declared) for column in described.columns] == [("bar", "varchar(3)")]
    assert isinstance(run, RowRun)
    assert run.rows == 1
    assert done == Done(tokens.DONE, tokens.COUNTED, 0xC1, 1, done.raw)


def test_null_bitmaps_are_walked() -> None:
    described, run, done = read(dumps.SPARSE_RESPONSE[8:])
    assert isinstance(described, ColMetadata)
    assert [column.type.declared for column in described.columns] == ["int", "xml"]
    assert isinstance(run, RowRun)
    assert run.rows == 10
    assert isinstance(done, Done)
    assert done.rows == 10


def test_a_login_response_tells_the_database_and_the_packet_size() -> None:
    found = read(dumps.LOGIN_RESPONSE[8:])
    changes = {token.type: token for token in found if isinstance(token, EnvChange)}
    assert changes[tokens.ENV_DATABASE].new_text == "master"
    assert changes[tokens.ENV_PACKET_SIZE].new_text == "4096"
    assert any(isinstance(token, Info) and token.message.startswith("Changed") for token in found)


@given(name=st.sampled_from(sorted(RESPONSES)), cuts=st.lists(st.integers(0, 500), max_size=12), whole=st.booleans())
def test_tokens_do_not_depend_on_how_they_are_cut(name: str, cuts: list[int], whole: bool) -> None:
    payload = RESPONSES[name][8:]
    assert read(payload, cuts, whole=whole) == read(payload)


@pytest.mark.parametrize("name", RESPONSES)
def test_a_reply_that_ends_early_is_malformed(name: str) -> None:
    payload = RESPONSES[name][8:]
    ends, at = {0}, 0
    for token in read(payload):
        # Between rows a reply may end as far as its tokens go.
        ends |= set(range(at, at + len(token.raw))) if isinstance(token, RowRun) else set()
        at += len(token.raw)
        ends.add(at)
    for stop in set(range(len(payload))) - ends:
        with pytest.raises(Malformed, match="ends within a token"):
            read(payload[:stop])


def test_login_information_ends_with_its_token() -> None:
    token = answers.fedauth_info(((1, "https://login.example"),))
    longer = token[:10] + (100).to_bytes(4, "little") + token[14:]
    moved = token[:14] + len(token).to_bytes(4, "little") + token[18:]
    for broken in (longer, moved):
        reader = TokenReader()
        reader.feed(broken + b"x" * 200)
        with pytest.raises(Malformed, match="longer than its length"):
            reader.take()


@pytest.mark.parametrize("kind", [0x78, 0x88, 0xA3, 0xD3, 0x00, 0x20, 0xD7, 0xE2])
def test_a_token_whose_length_cannot_be_told_is_refused(kind: int) -> None:
    reader = TokenReader()
    reader.feed(bytes((kind, 0, 0, 0, 0)))
    with pytest.raises(Malformed, match="the token"):
        reader.take()


def test_rows_without_columns_are_refused() -> None:
    reader = TokenReader()
    reader.feed(b"\xd1\0\0")
    with pytest.raises(Malformed, match="without their columns"):
        reader.take()


def test_what_is_written_is_read() -> None:
    payload = (
        answers.error(229, "The SELECT permission was denied", severity=14, server="gw", procedure="p", line=3)
        + answers.info(0, "waits", severity=0)
        + answers.env_change(tokens.ENV_DATABASE, "shop", "master")
        + answers.env_change(tokens.ENV_BEGIN, bytes(range(8)))
        + answers.routing("other.example", 11000)
        + answers.login_ack(0x74000004, "Microsoft SQL Server", (16, 0, 10, 0))
        + answers.feature_ack(((2, b""), (10, b"\1")))
        + answers.fedauth_info(((1, "https://login.example"), (2, "https://database.example/")))
        + answers.return_status(-6)
        + answers.done(tokens.DONE_PROC, tokens.FAILED)
    )
    found = read(payload)
    assert b"".join(token.raw for token in found) == payload
    failed, told, database, begun, routed, ack, features, info, status, _ = found
    assert isinstance(failed, Error)
    assert (failed.number, failed.severity, failed.procedure, failed.line) == (229, 14, "p", 3)
    assert isinstance(told, Info)
    assert told.message == "waits"
    assert isinstance(database, EnvChange)
    assert (database.new_text, database.old.decode("utf-16-le")) == ("shop", "master")
    assert isinstance(begun, EnvChange)
    assert begun.new == bytes(range(8))
    assert isinstance(routed, EnvChange)
    assert routed.routing == ("other.example", 11000, "")
    assert isinstance(ack, tokens.LoginAck)
    assert (ack.tds, ack.version) == (0x74000004, (16, 0, 10, 0))
    assert isinstance(features, tokens.FeatureExtAck)
    assert features.features == ((2, b""), (10, b"\1"))
    assert isinstance(info, tokens.FedAuthInfo)
    assert info.options == ((1, "https://login.example"), (2, "https://database.example/"))
    assert isinstance(status, tokens.ReturnStatus)
    assert status.value == -6


# ── packets ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@given(payload=st.binary(max_size=3000), size=st.integers(512, 1024), cuts=st.lists(st.integers(0, 4000), max_size=8))
def test_a_message_comes_out_as_it_went_in(payload: bytes, size: int, cuts: list[int]) -> None:
    raw = framed(Kind.BATCH, payload, size, RESET)
    reader = MessageReader(1 << 20)
    edges = [0, *sorted(min(cut, len(raw)) for cut in cuts), len(raw)]
    found = []
    for start, stop in pairwise(edges):
        reader.feed(raw[start:stop])
        while (message := reader.take()) is not None:
            found.append(message)
    assert [(message.kind, message.reset, message.payload, message.raw) for message in found] == [
        (Kind.BATCH, RESET, payload, raw)
    ]
    assert not reader.buffered


def test_a_message_over_its_limit_is_dropped_and_said() -> None:
    reader = MessageReader(1000, {Kind.RPC: 5000})
    for part in range(0, 40000, 512):
        reader.feed(framed(Kind.BATCH, b"x" * 40000, 512)[part : part + 512])
        reader.take()
        assert reader.buffered < 3000
    reader.feed(framed(Kind.BATCH, b"x" * 40000, 512)[40000 // 512 * 512 + 512 :])
    message = reader.take()
    assert message is not None
    assert message[2:4] == (b"", b"")
    assert getattr(message, "oversized", False)
    assert getattr(message, "size", 0) == 40000
    reader.feed(framed(Kind.RPC, b"x" * 4000, 512))
    after = reader.take()
    assert after is not None
    assert len(after.payload) == 4000


def test_a_message_that_is_streamed_comes_in_pieces() -> None:
    reader = MessageReader(10, streamed=frozenset({Kind.BULK}))
    reader.feed(framed(Kind.BULK, b"x" * 1200, 512))
    pieces = []
    while (piece := reader.take()) is not None:
        pieces.append(piece)
    assert b"".join(piece.payload for piece in pieces) == b"x" * 1200
    assert [(getattr(piece, "first", None), getattr(piece, "last", None)) for piece in pieces] == [
        (True, False), (False, False), (False, True),
    ]  # fmt: skip


def test_a_driver_may_say_reset_on_each_packet() -> None:
    """As tedious does."""
    reader = MessageReader(1000)
    reader.feed(b"\x01\x08\x00\x09\0\0\1\0x" + b"\x01\x09\x00\x09\0\0\2\0y")
    message = reader.take()
    assert message is not None
    assert (message.payload, message.reset) == (b"xy", RESET)


def test_a_message_may_be_taken_back() -> None:
    reader = MessageReader(1000)
    reader.feed(framed(Kind.BATCH, b"x" * 600, 512, IGNORE))
    message = reader.take()
    assert message is not None
    assert message.ignored


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"\x05\x01\x00\x09\0\0\1\0x", "unknown type 5"),
        (b"\x01\x01\x00\x07\0\0\1\0", "7 bytes"),
        (b"\x01\x01\x80\x00\0\0\1\0", "32768 bytes"),
        (b"\x01\x21\x00\x09\0\0\1\0x", "status bits 0x20"),
        (b"\x01\x19\x00\x09\0\0\1\0x", "both with and without"),
        (b"\x07\x09\x00\x09\0\0\1\0x", "type 7 that resets"),
        (b"\x06\x09\x00\x08\0\0\1\0", "type 6 that resets"),
        (b"\x06\x01\x00\x09\0\0\1\0x", "ATTENTION with something in it"),
        (b"\x01\x00\x00\x09\0\0\1\0x\x01\x09\x00\x09\0\0\2\0x", "resets the session within a message"),
        (b"\x01\x10\x00\x09\0\0\1\0x\x01\x09\x00\x09\0\0\2\0x", "resets the session within a message"),
        (b"\x01\x02\x00\x09\0\0\1\0x", "taken back before its end"),
        (b"\x01\x00\x00\x08\0\0\1\0", "empty packet"),
        (b"\x01\x00\x00\x09\0\0\1\0x\x06\x01\x00\x08\0\0\1\0", "within a message"),
    ],
)
def test_packets_that_no_driver_sends_are_malformed(data: bytes, reason: str) -> None:
    reader = MessageReader(1000)
    reader.feed(data)
    with pytest.raises(Malformed, match=reason):
        list(iter(reader.take, None))


@pytest.mark.parametrize("dump", [value for name, value in vars(dumps).items() if name.isupper()], ids=len)
def test_every_example_is_one_packet(dump: bytes) -> None:
    reader = PacketReader()
    reader.feed(dump)
    packet = reader.take()
    assert packet is not None
    assert packet.status & EOM
    assert packet.payload == dump[8 : len(packet.raw)]
