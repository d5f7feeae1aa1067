"""The server's half: what passes, what is counted, what is hidden, what closes the session."""

from __future__ import annotations

from dataclasses import replace
from itertools import count
from weakref import ref

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from blastwall.model.effects import Action, Effect, Object
from blastwall.model.masks import NO_MASKS, ColumnRule, DetectRule, MaskRules, MaskStyle, ResultRecord
from blastwall.model.resource import Address, Resource
from blastwall.model.statement import Column, Statement
from blastwall.protocols.contract import CLIENT, UPSTREAM, Exceeded, Finished, Limits, Opening, Output, Rows, Send
from blastwall.protocols.tds import types
from blastwall.protocols.tds.answers import env_change, info
from blastwall.protocols.tds.catalog import View
from blastwall.protocols.tds.conversation import Conversation
from blastwall.protocols.tds.guard import ResultGuard
from blastwall.protocols.tds.packets import Kind
from blastwall.protocols.tds.responses import Responses
from blastwall.protocols.tds.result_rows import JSON_COLUMN
from blastwall.protocols.tds.running import Asked, Running
from blastwall.protocols.tds.tests.replies import (
    KINDS,
    described,
    done,
    encoded,
    field,
    packets,
    payload_of,
    row,
    said,
)
from blastwall.protocols.tds.token_reader import TokenReader
from blastwall.protocols.tds.tokens import ColMetadata, ColumnData, Done, Error, Info, ReturnValue, RowRun, Token
from blastwall.protocols.tds.types import MAX, TypeInfo
from blastwall.sql.lineage import OutputColumn
from blastwall.sql.tsql.catalog import Catalog, Relation
from blastwall.sql.tsql.statement import Classified, ResultSet
from blastwall.wire.reader import Malformed

SIZE = 512
LIMITS = Limits()
CARD = "4111111111111111"
MAIL = "ann@example.com"
CATALOG = Catalog(
    "shop",
    1,
    relations=(
        Relation(
            1,
            "dbo",
            "customers",
            "U",
            ("id", "email", "born", "domain"),
            computed=(("domain", "(right([email],9))"),),
            history=3,
        ),
        Relation(2, "dbo", "orders", "U", ("id", "note")),
        Relation(3, "dbo", "old_customers", "U", ("id", "email", "born", "domain")),
    ),
)
EMAIL, BORN, NOTE = (
    Column("shop", "dbo", *one) for one in (("customers", "email"), ("customers", "born"), ("orders", "note"))
)
COLUMNS = MaskRules(
    columns=(
        ColumnRule("pii", "dbo.customers.email", MaskStyle.PARTIAL),
        ColumnRule("pii", "dbo.customers.born", MaskStyle.REDACT),
    )
)
CARDS = MaskRules(detect=(DetectRule("cards", ("card", "email"), MaskStyle.REDACT),))
NVARCHAR, INT, BIGINT = KINDS["nvarchar"], KINDS["int"], TypeInfo(types.INT8, 8)
RESOURCE = Resource("sql-1", "mssql", Address("db", 1433), ("shop",))


def reads(*columns: OutputColumn, table: str = "customers", **more: object) -> Classified:
    effect = Effect(Action.READ, Object(("shop", "dbo", table), "table"))
    reading = Classified("SELECT", (effect,), results=(ResultSet(columns),), reads=frozenset({("dbo", table)}))
    return reading if not more else __import__("dataclasses").replace(reading, **more)


PLAIN = reads(OutputColumn("note", frozenset({NOTE}), exact=True), table="orders")
EMAILS = reads(OutputColumn("email", frozenset({EMAIL}), exact=True))


class Peer:
    """A conversation whose client has sent one request, and the server's half of it."""

    def __init__(
        self, *classified: Classified, rules: MaskRules = NO_MASKS, limits: Limits = LIMITS, calls: bool = False
    ) -> None:
        opening = Opening("s1", RESOURCE, bytes, limits)
        self.view = view = View(CATALOG)
        self.conversation = Conversation(opening, view, count(1), companion="shop", packet_size=SIZE, server="gw")
        self.responses = Responses(self.conversation)
        self.conversation.responses = self.responses
        self.asks = tuple(self._asked(number, one, rules) for number, one in enumerate(classified or (PLAIN,), 1))
        self.running = Running(Kind.RPC if calls else Kind.BATCH, self.asks, calls=calls)
        self.outputs: list[Output] = []

    @staticmethod
    def _asked(number: int, classified: Classified, rules: MaskRules) -> Asked:
        asked = Asked(number, Statement("SELECT 1", classified.effects, classified.operation, "shop"), classified)
        asked.rules = rules
        return asked

    def answer(self, payload: bytes, step: int = 0) -> bytes:
        """Send a request and let the server answer it; return the payload that the client gets."""
        return payload_of(self.raw(packets(payload, SIZE), step))

    def raw(self, data: bytes, step: int = 0) -> bytes:
        if self.conversation.running is None:
            self.conversation.start(self.running)
        step = step or max(1, len(data))
        for at in range(0, len(data), step):
            self.outputs += self.responses.receive(data[at : at + step])
        return sent(self.outputs, CLIENT)

    @property
    def finished(self) -> Finished:
        (one,) = [output for output in self.outputs if isinstance(output, Finished)]
        return one


def sent(outputs: list[Output], side: int) -> bytes:
    return b"".join(bytes(output.span) for output in outputs if isinstance(output, Send) and output.to == side)


def tokens(payload: bytes) -> list[Token]:
    reader = TokenReader()
    reader.whole = True
    reader.feed(payload)
    found: list[Token] = []
    while (token := reader.take()) is not None:
        found.append(token)
    reader.finish()
    return found


def nv(text: str) -> bytes:
    return text.encode("utf-16-le")


# ── what passes ──────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("step", [0, 1, 7, 511, 512, 513])
def test_what_need_not_be_changed_passes_packet_for_packet(step: int) -> None:
    rows = b"".join(row([NVARCHAR], [nv(f"note {n}")]) for n in range(100))
    reply = packets(described([("note", NVARCHAR)]) + b"\xa9\2\0\1\0" + rows + done(100), SIZE)
    peer = Peer()
    assert peer.raw(reply, step) == reply
    assert (peer.finished.rows, peer.finished.bytes) == (100, len(rows))
    assert peer.conversation.running is None


def test_rows_pass_before_they_are_whole() -> None:
    type_ = KINDS["nvarchar(max)"]
    reply = packets(described([("note", type_)]) + row([type_], [b"a\0" * 40_000]) + done(1), SIZE)
    peer = Peer()
    assert peer.raw(reply[:20_000]) == reply[: 20_000 // SIZE * SIZE]
    assert peer.responses.backlog < 2 * SIZE
    assert peer.raw(reply[20_000:]) == reply


def test_several_results_and_counts_are_added_up() -> None:
    peer = Peer()
    payload = described([("a", INT)]) + row([INT], [bytes(4)]) + done(1, more=True) + done(3, more=True, command=0xC5)
    payload += done(4, kind=0xFF, more=True, command=0xC3) + done(more=True, command=0xC4) + done()
    assert peer.answer(payload) == payload
    assert (peer.finished.rows, peer.finished.affected) == (1, 7)
    assert peer.asks[0].uncounted == 1


def test_calls_of_one_request_are_counted_apart() -> None:
    peer = Peer(PLAIN, PLAIN, calls=True)
    one = described([("a", INT)]) + row([INT], [bytes(4)]) + done(1, kind=0xFF, more=True)
    payload = (
        one
        + done(kind=0xFE, more=True)
        + one.replace(row([INT], [bytes(4)]), row([INT], [bytes(4)]) * 2)
        + done(kind=0xFE)
    )
    assert peer.answer(payload) == payload
    assert [output.rows for output in peer.outputs if isinstance(output, Finished)] == [1, 2]


def test_a_flush_of_the_servers_reaches_the_client_at_once_even_where_packets_are_changed() -> None:
    peer = Peer(EMAILS, rules=COLUMNS)
    begin = described([("email", NVARCHAR)]) + row([NVARCHAR], [nv(MAIL)])
    flushed = packets(begin, SIZE)
    flushed = flushed[:1] + b"\0" + flushed[2:]
    got = payload_of(peer.raw(flushed))
    assert nv("a***@example.com") in got
    rest = packets(done(1), SIZE)
    assert payload_of(peer.raw(rest)) == got + done(1)


def test_transactions_and_packets_of_the_environment_are_followed() -> None:
    peer = Peer()
    payload = env_change(8, (77).to_bytes(8, "little")) + done()
    assert peer.answer(payload) == payload
    assert peer.conversation.descriptor == 77


# ── what closes the session ──────────────────────────────────────────────────────────────────────────────────────────

LOGIN_ACK = bytes.fromhex("ad0a0001740000040000000000")
ROUTING = bytes.fromhex("e30f00140b000099050300620061006400") + b"\0\0"


@pytest.mark.parametrize(
    ("payload", "fault"),
    [
        (row([INT], [bytes(4)]) + done(), "rows without their columns"),
        (described([("a", INT)]) + row([INT], [bytes(4)])[:3], "ends within"),
        (described([("a", INT)]), "without its end"),
        (done(more=True), "without its end"),
        (b"\x88\1\0" + done(), "COMPUTE"),
        (b"\x81\xff\xff" + row([INT], [bytes(4)]) + done(), "rows without"),
        (env_change(20, b"") + done(), "environment|ends too early"),
        (env_change(1, "other") + done(), "other"),
        (b"\xed\2\0aa" + done(), "middle of a session"),
        (b"\x42" + done(), "token"),
        (described([("a", NVARCHAR)]) + b"\xd1\xfe\xff" + b"a" * 100 + done(), "at most"),
    ],
)
def test_what_a_reply_may_not_hold_closes_the_session(payload: bytes, fault: str) -> None:
    with pytest.raises(Malformed, match=fault):
        Peer().answer(payload)


def test_a_reply_that_nobody_asked_for_closes_the_session() -> None:
    peer = Peer()
    peer.answer(done())
    with pytest.raises(Malformed, match="nobody asked"):
        peer.responses.receive(packets(done(), SIZE))


@pytest.mark.parametrize(
    "data", [b"\x01\1\0\x09\0\0\1\0a", b"\4\1\0\7\0\0\1\0", b"\4\0\0\x08\0\0\1\0", b"\4\1\xff\xff\0\0\1\0"]
)
def test_what_is_no_reply_closes_the_session(data: bytes) -> None:
    with pytest.raises(Malformed):
        Peer().raw(data)


def test_a_masked_value_without_an_end_is_bounded() -> None:
    type_ = KINDS["nvarchar(max)"]
    peer = Peer(EMAILS, rules=COLUMNS, limits=Limits(message=10_000))
    head = packets(described([("email", type_)]) + b"\xd1" + b"\xfe" + b"\xff" * 7, SIZE)
    peer.raw(head[:1] + b"\0" + head[2:])
    part = b"\4\0" + (SIZE).to_bytes(2, "big") + bytes(4) + b"\xf4\1\0\0" + bytes(500)
    with pytest.raises(Malformed, match=r"10000|10,000"):
        peer.raw(part * 100)


# ── masked columns ───────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("name", [name for name, type_ in KINDS.items() if type_.is_text and name != "json"])
@pytest.mark.parametrize("nbc", [False, True])
def test_a_protected_column_is_masked_in_every_type_of_text(name: str, nbc: bool) -> None:
    type_ = KINDS[name]
    peer = Peer(EMAILS, rules=COLUMNS)
    rows = row([type_], [encoded(type_, MAIL)], nbc=nbc, parts=3) + row([type_], [None], nbc=True)
    got = peer.answer(described([("email", type_)]) + rows + done(2))
    assert encoded_plain(type_, "a***@example.com") in got
    assert encoded_plain(type_, "ann@") not in got
    assert peer.finished.masked == {"pii": 1}
    assert peer.finished.rows == 2


def encoded_plain(type_: TypeInfo, text: str) -> bytes:
    return text.encode(type_.charset or "utf-8")


def test_json_shows_a_string() -> None:
    peer = Peer(EMAILS, rules=COLUMNS)
    got = peer.answer(described([("email", KINDS["json"])]) + row([KINDS["json"]], [b'"ann@example.com"']) + done(1))
    assert b'"a***@example.com"' in got


@pytest.mark.parametrize(
    ("type_", "value"),
    [
        (INT, b"\7\0\0\0"),
        (BIGINT, b"\7" + bytes(7)),
        (TypeInfo(types.DATETIME, 8), b"\7" + bytes(7)),
        (TypeInfo(types.BIT, 1), b"\1"),
        (TypeInfo(types.MONEY, 8), b"\7" + bytes(7)),
        (TypeInfo(types.DATE, 3), b"\7\7\7"),
        (KINDS["guid"], b"\7" * 16),
        (KINDS["decimal"], b"\1\7" + bytes(7)),
        (KINDS["variant"], b"\xa7\0\7\7\7"),
        (KINDS["varbinary"], b"\7\7\7"),
        (TypeInfo(types.UDT, MAX, names=("", "", "geography", "x")), b"\7\7\7"),
    ],
)
def test_what_is_no_text_becomes_null_and_the_column_is_said_to_hold_it(type_: TypeInfo, value: bytes) -> None:
    born = reads(OutputColumn("born", frozenset({BORN}), exact=True), OutputColumn("id", frozenset()))
    peer = Peer(born, rules=COLUMNS)
    got = tokens(
        peer.answer(described([("born", type_), ("id", INT)]) + row([type_, INT], [value, b"\5\0\0\0"]) + done(1))
    )
    metadata, rows = got[0], got[1]
    assert isinstance(metadata, ColMetadata)
    assert isinstance(rows, RowRun)
    column = metadata.columns[0]
    assert column.nullable
    assert rows.raw == b"\xd1" + column.type.null + b"\5\0\0\0"


def test_a_short_column_is_described_with_room_for_what_is_shown() -> None:
    short = TypeInfo(types.NCHAR, 10, collation=KINDS["nchar"].collation)
    derived = reads(OutputColumn("", frozenset({EMAIL})))
    got = tokens(
        Peer(derived, rules=COLUMNS).answer(
            described([("", short)]) + row([short], [nv("ann@e")]) + row([short], [None]) + done(2)
        )
    )
    assert isinstance(got[0], ColMetadata)
    assert got[0].columns[0].type.declared == "nvarchar(40)"
    assert got[1].raw.count(nv("[redacted]")) == 2


def test_what_is_derived_untraced_or_of_a_computed_column_is_hidden_whole() -> None:
    domain = Column("shop", "dbo", "customers", "domain")
    for one in (
        reads(OutputColumn("x", frozenset({EMAIL, NOTE}))),
        reads(OutputColumn("x", None)),
        reads(OutputColumn("x", frozenset({domain}), exact=True)),
        reads(OutputColumn("y", frozenset({NOTE}), exact=True)),
        reads(OutputColumn("x", frozenset()), results=None),
        reads(OutputColumn("x", frozenset()), results=()),
    ):
        got = Peer(one, rules=COLUMNS).answer(described([("x", NVARCHAR)]) + row([NVARCHAR], [nv(MAIL)]) + done(1))
        assert nv("ann") not in got
        assert nv("[redacted]") in got


def test_what_is_of_another_database_or_not_known_touches_masked_tables() -> None:
    for path in (("archive", "dbo", "orders"), ("shop", "dbo", "made_a_moment_ago"), ("shop", "dbo", "old_customers")):
        effect = Effect(Action.READ, Object(path, "table"))
        reading = Classified("SELECT", (effect,), results=())
        got = Peer(reading, rules=COLUMNS).answer(described([("x", NVARCHAR)]) + row([NVARCHAR], [nv(MAIL)]) + done(1))
        assert nv("[redacted]") in got
        assert nv("ann") not in got


def redefined(peer: Peer, anew: Classified) -> None:
    """The catalog was read again since the request was sent: its text means `anew` now."""
    peer.asks[0].again, peer.asks[0].catalog = lambda: anew, ref(CATALOG)
    peer.conversation.start(peer.running)
    peer.view.learn(Catalog("shop", 2, relations=CATALOG.relations()))


@pytest.mark.parametrize(
    "anew",
    [
        reads(OutputColumn("note", frozenset({EMAIL}), exact=True)),
        reads(
            OutputColumn("note", frozenset({NOTE}), exact=True), table="orders", doubt="another session is changing it"
        ),
    ],
)
def test_what_a_text_means_when_its_result_comes_counts_too(anew: Classified) -> None:
    """WAITFOR DELAY, then a SELECT of a view that somebody alters meanwhile."""
    peer = Peer(PLAIN, rules=COLUMNS)
    redefined(peer, anew)
    answer = described([("note", NVARCHAR)]) + row([NVARCHAR], [nv(MAIL)]) + done(1)
    assert MAIL.encode("utf-16-le") not in peer.answer(answer)


def test_what_means_the_same_in_a_newer_catalog_is_shown() -> None:
    peer = Peer(PLAIN, rules=COLUMNS)
    redefined(peer, PLAIN)
    answer = described([("note", NVARCHAR)]) + row([NVARCHAR], [nv("hello")]) + done(1)
    assert "hello".encode("utf-16-le") in peer.answer(answer)


def test_a_tables_history_holds_what_the_table_held() -> None:
    old = Column("shop", "dbo", "old_customers", "email")
    one = reads(OutputColumn("email", frozenset({old}), exact=True), table="old_customers")
    got = Peer(one, rules=COLUMNS).answer(described([("email", NVARCHAR)]) + row([NVARCHAR], [nv(MAIL)]) + done(1))
    assert nv("[redacted]") in got
    assert nv("ann") not in got


def test_of_results_that_look_alike_each_is_masked_as_any_of_them_would_be() -> None:
    both = reads(
        results=(
            ResultSet((OutputColumn("x", frozenset({NOTE}), exact=True),)),
            ResultSet((OutputColumn("x", frozenset({EMAIL}), exact=True),)),
        )
    )
    payload = (described([("x", NVARCHAR)]) + row([NVARCHAR], [nv(MAIL)]) + done(1, more=True)) * 2 + done()
    got = Peer(both, rules=COLUMNS).answer(payload)
    assert nv("ann") not in got
    assert got.count(nv("[redacted]")) == 2


def test_hidden_keys_and_a_cursors_row_status() -> None:
    cursor = reads(OutputColumn("email", frozenset({EMAIL}), exact=True))
    columns = [("email", NVARCHAR), ("ROWSTAT", INT)]
    got = Peer(cursor, rules=COLUMNS).answer(
        described(columns) + row([NVARCHAR, INT], [nv(MAIL), b"\1\0\0\0"]) + done(1)
    )
    assert nv("a***@example.com") + b"\1\0\0\0" in got
    hidden = described([("key", NVARCHAR)], flags=0x2000)[3:]
    both = described([("email", NVARCHAR)])
    both = b"\x81\2\0" + both[3:] + hidden
    got = Peer(cursor, rules=COLUMNS).answer(both + row([NVARCHAR] * 2, [nv(MAIL), nv("bob@example.com")]) + done(1))
    assert nv("a***@example.com") in got
    assert nv("bob") not in got


# ── detectors ────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("name", [name for name, type_ in KINDS.items() if type_.is_text])
def test_detectors_read_every_type_of_text(name: str) -> None:
    type_ = KINDS[name]
    peer = Peer(PLAIN, rules=CARDS)
    clean = row([type_], [encoded(type_, "none here")])
    text = f'"{CARD}"' if name == "json" else f"no {CARD} yes"
    got = peer.answer(
        described([("note", type_)]) + clean * 3 + row([type_], [encoded(type_, text)], parts=4) + clean + done(5)
    )
    assert encoded_plain(type_, CARD) not in got
    assert encoded_plain(type_, "[redacted:card]") in got
    assert got.startswith(described([("note", type_)]) + clean * 3)
    assert peer.finished.masked == {"cards": 1}


NUMBER = int(CARD)
WIDE_CARD = CARD.encode("utf-16-le")


@pytest.mark.parametrize(
    ("type_", "value"),
    [
        (TypeInfo(types.INTN, 8), NUMBER.to_bytes(8, "little")),
        (TypeInfo(types.FLOATN, 8), __import__("struct").pack("<d", float(NUMBER))),
        (TypeInfo(types.DECIMALN, 17, 38, 0), b"\1" + NUMBER.to_bytes(16, "little")),
        (TypeInfo(types.DECIMALN, 17, 38, 4), b"\1" + (NUMBER * 10_000).to_bytes(16, "little")),
        (
            TypeInfo(types.MONEYN, 8),
            (378282246310005 * 10_000).to_bytes(8, "little")[4:] + (378282246310005 * 10_000).to_bytes(8, "little")[:4],
        ),
        (KINDS["varbinary"], WIDE_CARD),
        (KINDS["varbinary"], b"\0" + WIDE_CARD),
        (KINDS["varbinary"], CARD.encode()),
        (TypeInfo(types.IMAGE, 0x7FFFFFFF, pointed=True), CARD.encode()),
        (TypeInfo(types.UDT, MAX, names=("", "", "x", "y")), WIDE_CARD),
        (KINDS["variant"], b"\xe7\7\x09\4\xd0\0\x34\x20\0" + WIDE_CARD),
        (KINDS["variant"], b"\xa7\7\x09\4\xd0\0\x34\x20\0" + CARD.encode()),
        (KINDS["variant"], b"\x7f\0" + NUMBER.to_bytes(8, "little")),
        (KINDS["variant"], b"\x6a\2\x14\0\1" + NUMBER.to_bytes(8, "little")),
        (KINDS["variant"], b"\xa5\2\x20\0" + WIDE_CARD),
    ],
)
def test_a_card_in_what_is_no_text_makes_it_null(type_: TypeInfo, value: bytes) -> None:
    columns = [INT, type_]
    got = Peer(PLAIN, rules=CARDS).answer(
        described([("a", INT), ("b", type_)]) + row(columns, [bytes(4), value], parts=2) + done(1)
    )
    assert got == described([("a", INT), ("b", type_)]) + row(columns, [bytes(4), None]) + done(1)


def test_a_card_in_a_number_that_has_no_null_is_zero() -> None:
    got = Peer(PLAIN, rules=CARDS).answer(
        described([("b", BIGINT)]) + row([BIGINT], [NUMBER.to_bytes(8, "little")]) + done(1)
    )
    assert got == described([("b", BIGINT)]) + row([BIGINT], [bytes(8)]) + done(1)


def cut(text: str) -> list[str]:
    return [text[at : at + 2033] for at in range(0, len(text), 2033)]


def test_a_card_that_for_json_cuts_over_two_rows_is_found() -> None:
    text = '[{"pad":"' + "x" * 2010 + f'","card":"{CARD}"}}]'
    type_ = KINDS["nvarchar(max)"]
    rows = [row([type_], [nv(part)]) for part in cut(text)]
    assert CARD not in text[:2033]
    peer = Peer(PLAIN, rules=CARDS)
    got = peer.answer(described([(JSON_COLUMN, type_)]) + b"".join(rows) + done(2))
    assert nv(CARD[-4:]) not in got
    masked = b"".join(token.raw for token in tokens(got) if isinstance(token, RowRun))
    assert masked == b"".join(row([type_], [nv(part)]) for part in cut(text.replace(CARD, "[redacted:card]")))
    clean = text.replace(CARD, "4111")
    rows = [row([type_], [nv(part)]) for part in cut(clean)]
    reply = packets(described([(JSON_COLUMN, type_)]) + b"".join(rows) + done(2), SIZE)
    assert Peer(PLAIN, rules=CARDS).raw(reply) == reply


def test_for_json_over_a_masked_column_is_one_string_that_says_so() -> None:
    type_ = KINDS["nvarchar(max)"]
    derived = reads(OutputColumn(JSON_COLUMN, frozenset({EMAIL})))
    got = Peer(derived, rules=COLUMNS).answer(
        described([(JSON_COLUMN, type_)]) + row([type_], [nv(MAIL)]) * 3 + done(3)
    )
    assert got.count(nv('"[redacted]"')) == 1
    assert nv("ann") not in got


# ── what is said and returned ────────────────────────────────────────────────────────────────────────────────────────


def message(payload: bytes, rules: MaskRules, classified: Classified) -> str:
    peer = Peer(classified, rules=rules)
    (token, *_) = tokens(peer.answer(payload + done(bits=2)))
    assert isinstance(token, Error | Info)
    return token.message


@pytest.mark.parametrize(
    ("number", "text", "shown"),
    [
        (
            245,
            f"Conversion failed when converting the nvarchar value '{MAIL}' to data type int.",
            "message withheld: it may quote masked values",
        ),
        (
            2628,
            f"String or binary data would be truncated in table 'dbo.t', column 'c'. Truncated value: '{MAIL}'.",
            "message withheld: it may quote masked values",
        ),
        (
            2627,
            (
                "Violation of UNIQUE KEY constraint 'UQ_c'. Cannot insert duplicate key in object 'dbo.customers'. "
                f"The duplicate key value is ({MAIL})."
            ),
            "Violation of UNIQUE KEY constraint 'UQ_c'. Cannot insert duplicate key in object 'dbo.customers'.",
        ),
        (
            2601,
            (
                "Cannot insert duplicate key row in object 'dbo.c' with unique index 'i'. "
                f"The duplicate key value is (a. (b), {MAIL})."
            ),
            "Cannot insert duplicate key row in object 'dbo.c' with unique index 'i'.",
        ),
        (
            547,
            'The DELETE statement conflicted with the REFERENCE constraint "FK".',
            'The DELETE statement conflicted with the REFERENCE constraint "FK".',
        ),
        (208, "Invalid object name 'dbo.nope'.", "Invalid object name 'dbo.nope'."),
        (102, "Incorrect syntax near 'x'.", "Incorrect syntax near 'x'."),
        (50000, MAIL, "message withheld: it may quote masked values"),
    ],
)
def test_errors_of_statements_that_touch_masked_tables_quote_no_value(number: int, text: str, shown: str) -> None:
    touching = reads(
        OutputColumn("email", frozenset({EMAIL}), exact=True), messages=None if number == 50000 else frozenset()
    )
    assert message(said(number, text), COLUMNS, touching) == shown


def test_what_code_says_of_no_masked_value_is_shown() -> None:
    assert message(info(0, "step 1 done"), COLUMNS, EMAILS) == "step 1 done"
    derived = reads(OutputColumn("email", frozenset({EMAIL}), exact=True), messages=frozenset({EMAIL}))
    assert message(info(0, MAIL), COLUMNS, derived) == "message withheld: it may quote masked values"
    assert message(info(0, f"card {CARD}"), CARDS, PLAIN) == "card [redacted:card]"


def test_errors_are_recorded_without_values() -> None:
    peer = Peer()
    peer.answer(said(245, f"converting '{MAIL}'") + done(bits=2))
    assert peer.finished.error == "245"
    peer = Peer()
    peer.answer(said(208, "Invalid object name 'x'.") + done(bits=2))
    assert peer.finished.error == "208: Invalid object name 'x'."


def test_an_error_that_ends_the_connection_is_told_and_remembered() -> None:
    peer = Peer()
    payload = said(4014, "A fatal error occurred", severity=20) + done(bits=2)
    assert peer.answer(payload) == payload
    assert peer.responses.farewell


def returned(name: str, type_: TypeInfo, value: bytes | None) -> bytes:
    head = b"\xac\0\0" + bytes((len(name),)) + name.encode("utf-16-le") + b"\1" + bytes(6)
    return head + types.write_type(type_) + field(type_, value)


def test_output_parameters_are_masked_by_what_they_hold() -> None:
    giving = reads(returns={"@out": frozenset({EMAIL}), "@n": frozenset(), "@big": frozenset({EMAIL})})
    peer = Peer(giving, rules=COLUMNS, calls=True)
    payload = (
        returned("@out", NVARCHAR, nv(MAIL))
        + returned("@N", NVARCHAR, nv("kept"))
        + returned("@big", TypeInfo(types.INTN, 4), b"\7\0\0\0")
    )
    got = tokens(peer.answer(payload + done(kind=0xFE)))
    values = [token.field for token in got if isinstance(token, ReturnValue)]
    assert values == [field(NVARCHAR, nv("[redacted]")), field(NVARCHAR, nv("kept")), b"\0"]
    peer = Peer(PLAIN, rules=CARDS, calls=True)
    got = tokens(peer.answer(returned("@x", NVARCHAR, nv(CARD)) + done(kind=0xFE)))
    assert nv(CARD) not in got[0].raw


def test_a_handle_is_no_value_and_reaches_whoever_waits_for_it() -> None:
    peer = Peer(EMAILS, rules=COLUMNS, calls=True)
    seen: list[ReturnValue] = []
    peer.asks[0].returned = seen.append
    payload = returned("@handle", TypeInfo(types.INTN, 4), b"\7\0\0\0") + done(kind=0xFE)
    assert peer.answer(payload) == payload
    assert [value.field for value in seen] == [b"\4\7\0\0\0"]


# ── limits and attentions ────────────────────────────────────────────────────────────────────────────────────────────

ACKNOWLEDGED = done(bits=0x20)


@pytest.mark.parametrize("rules", [MaskRules(), COLUMNS])
def test_rows_over_the_limit_end_in_an_error_and_the_session_goes_on(rules: MaskRules) -> None:
    peer = Peer(EMAILS, rules=rules)
    peer.asks[0].limit_rows = 3
    rows = row([NVARCHAR], [nv("secret")]) * 9
    begin = packets(described([("email", NVARCHAR)]) + rows, SIZE)
    peer.raw(begin[:1] + b"\0" + begin[2:])
    assert sent(peer.outputs, UPSTREAM)[:1] == b"\6"
    assert any(isinstance(output, Exceeded) and output.most == 3 for output in peer.outputs)
    got = tokens(payload_of(peer.raw(packets(rows + ACKNOWLEDGED, SIZE))))
    assert [token.rows for token in got if isinstance(token, RowRun)] == [3]
    (error,) = [token for token in got if isinstance(token, Error)]
    assert "its result has more than 3 rows" in error.message
    assert isinstance(got[-1], Done)
    assert got[-1].status & 0x22 == 2
    assert peer.finished.rows == 3
    assert peer.conversation.running is None


def test_a_limit_is_kept_where_the_server_was_done_before_it_heard_of_it() -> None:
    peer = Peer(EMAILS)
    peer.asks[0].limit_rows = 1
    got = tokens(peer.answer(described([("email", NVARCHAR)]) + row([NVARCHAR], [nv("x")]) * 2 + done(2)))
    assert isinstance(got[-2], Error)
    assert peer.conversation.running is not None
    before = len(sent(peer.outputs, CLIENT))
    peer.raw(packets(ACKNOWLEDGED, SIZE))
    assert len(sent(peer.outputs, CLIENT)) == before
    assert peer.conversation.running is None


def test_a_client_that_cancels_gets_its_acknowledgement() -> None:
    peer = Peer()
    peer.conversation.start(peer.running)
    peer.conversation.attention.asked = True
    peer.conversation.attention.send(peer.outputs)
    payload = described([("a", INT)]) + ACKNOWLEDGED
    assert peer.answer(payload) == payload


def test_whoever_is_stopped_by_the_gateway_hears_why() -> None:
    peer = Peer()
    peer.conversation.start(peer.running)
    peer.responses.explain_cancel("the session was ended by ana")
    peer.outputs += peer.conversation.interrupt("the session was ended by ana")
    got = tokens(peer.answer(described([("a", INT)]) + ACKNOWLEDGED))
    assert isinstance(got[1], Error)
    assert got[1].message == "blastwall: the session was ended by ana"
    assert isinstance(got[2], Done)
    assert got[2].status & 0x22 == 2


def test_an_answer_may_end_before_its_attention_is_acknowledged() -> None:
    peer = Peer()
    peer.conversation.start(peer.running)
    peer.responses.explain_cancel("enough")
    peer.outputs += peer.conversation.interrupt("enough")
    got = tokens(peer.answer(described([("a", INT)]) + done(bits=2)))
    assert isinstance(got[1], Error)
    assert got[1].message == "blastwall: enough"
    assert peer.conversation.running is not None
    before = sent(peer.outputs, CLIENT)
    assert peer.raw(packets(ACKNOWLEDGED, SIZE)) == before
    assert peer.conversation.running is None


# ── the recording ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_rows_for_the_recording_are_masked_by_its_own_rules() -> None:
    peer = Peer(EMAILS)
    peer.asks[0].record = ResultRecord(COLUMNS, 2, 1000)
    got = peer.answer(described([("email", NVARCHAR)]) + row([NVARCHAR], [nv(MAIL)]) * 3 + done(3))
    assert got.count(nv(MAIL)) == 3
    (kept,) = [output for output in peer.outputs if isinstance(output, Rows)]
    assert kept.rows == (("a***@example.com",),) * 2
    assert peer.outputs.index(kept) < peer.outputs.index(peer.finished)


# ── chunks ───────────────────────────────────────────────────────────────────────────────────────────────────────────


@settings(max_examples=40)
@given(
    values=st.lists(st.none() | st.sampled_from([MAIL, CARD, "nothing", "", "x" * 300]), min_size=1, max_size=12),
    nbc=st.booleans(),
    size=st.integers(20, 700),
    step=st.integers(1, 900),
    rules=st.sampled_from([MaskRules(), COLUMNS, CARDS]),
    limit=st.none() | st.integers(0, 12),
    flush=st.booleans(),
)
def test_how_a_reply_is_cut_changes_nothing(
    values: list[str | None], nbc: bool, size: int, step: int, rules: MaskRules, limit: int | None, flush: bool
) -> None:
    long = KINDS["nvarchar(max)"]
    columns = [long, INT]
    both = reads(OutputColumn("email", frozenset({EMAIL}), exact=True), OutputColumn("id", frozenset()))
    payload = described([("email", long), ("id", INT)])
    for value in values:
        payload += row(columns, [None if value is None else nv(value), bytes(4)], nbc=nbc, parts=2)
    payload += info(0, "done") + done(len(values))
    reply = packets(payload, size)
    if flush:
        reply = packets(payload[:70], 999)[:1] + b"\0" + packets(payload[:70], 999)[2:] + packets(payload[70:], size)

    def outcome(step: int) -> tuple[bytes, list[Output]]:
        peer = Peer(both, rules=rules)
        peer.asks[0].limit_rows = limit
        got = peer.raw(reply, step)
        return got, [output for output in peer.outputs if isinstance(output, Finished | Exceeded)]

    assert outcome(step) == outcome(0)


def test_a_result_without_names_does_not_speak_for_one_that_has_a_name() -> None:
    """It fits whatever comes, also a result that was expected under another name than the server gives it."""
    guard = ResultGuard(COLUMNS, CATALOG)
    nameless = OutputColumn("", frozenset())
    expected = reads(OutputColumn("mail ", frozenset({EMAIL})))
    batch = replace(expected, results=(*(expected.results or ()), ResultSet((nameless,))))
    (found,) = guard.traced((ColumnData("mail", NVARCHAR),), (batch,))
    assert found.sources is None
    (found,) = guard.traced((ColumnData("", NVARCHAR),), (batch,))
    assert found.sources == frozenset()
