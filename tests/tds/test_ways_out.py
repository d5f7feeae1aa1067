"""Each way out is answered by a resource that puts the masked value into all that it says: nothing of it may show.

So what is tested does not depend on what a test's server can run: lineage, matching, masking and messages together.
"""

from __future__ import annotations

from itertools import count

import pytest
from tests.tds.ways_out import CARD, EMAIL, MODULES, WAYS, Way

from blastwall.model.masks import ColumnRule, DetectRule, MaskRules, MaskStyle
from blastwall.model.resource import Address, Resource
from blastwall.model.statement import Statement
from blastwall.protocols.contract import CLIENT, Opening, Output, Send
from blastwall.protocols.tds import types
from blastwall.protocols.tds.catalog import View
from blastwall.protocols.tds.conversation import Conversation
from blastwall.protocols.tds.packets import Kind
from blastwall.protocols.tds.responses import Responses
from blastwall.protocols.tds.running import Asked, Running
from blastwall.protocols.tds.tests.replies import KINDS, described, done, packets, payload_of, row, said
from blastwall.protocols.tds.types import TypeInfo
from blastwall.sql.tsql.catalog import Catalog, Module, Relation, Synonym
from blastwall.sql.tsql.classify import classify
from blastwall.sql.tsql.state import NameState
from blastwall.sql.tsql.statement import Classified

CUSTOMERS = Relation(
    1, "dbo", "customers", "U", ("id", "email", "card", "num", "born", "shouted"),
    ("int", "nvarchar(100)", "varchar(30)", "bigint", "date", "nvarchar(100)"),
    computed=(("shouted", "(upper([email]))"),),
)  # fmt: skip
CATALOG = Catalog(
    "shop",
    1,
    relations=(
        CUSTOMERS,
        Relation(2, "dbo", "orders", "U", ("id", "customer", "note"), ("int", "int", "nvarchar(200)")),
        Relation(10, "dbo", "addresses", "V", ("id", "address", "c")),
        Relation(15, "dbo", "all_of", "IF", ("id", "email")),
    ),
    modules=[Module(10 + n, "dbo", name, kind, text) for n, (name, (kind, text)) in enumerate(MODULES.items())],
    synonyms=(Synonym("dbo", "people", "[dbo].[customers]"),),
)
PROTECTED = ("email", "card", "num", "born")
COLUMNS = MaskRules(columns=tuple(ColumnRule("pii", f"dbo.customers.{one}", MaskStyle.REDACT) for one in PROTECTED))
FOUND = MaskRules(detect=(DetectRule("found", ("email", "card"), MaskStyle.REDACT),))
PLANTS = (EMAIL, EMAIL.upper(), EMAIL[::-1], CARD, EMAIL.encode("utf-16-le").hex())
OPENING = Opening("s1", Resource("sql-1", "mssql", Address("db", 1433), ("shop",)), bytes)
LONG = KINDS["nvarchar(max)"]
VALUES: tuple[tuple[TypeInfo, bytes], ...] = (
    *((LONG, plant.encode("utf-16-le")) for plant in PLANTS),
    (KINDS["varbinary"], EMAIL.encode("utf-16-le")),
    (KINDS["bigint"], int(CARD).to_bytes(8, "little")),
    (TypeInfo(types.INT8, 8), int(CARD).to_bytes(8, "little")),
    (KINDS["variant"], b"\xe7\7\x09\4\xd0\0\x34\xc8\0" + EMAIL.encode("utf-16-le")),
    (KINDS["xml"], f"<c>{EMAIL}</c>".encode("utf-16-le")),
)


def windows(text: str) -> set[str]:
    return {text[at : at + 6] for at in range(len(text) - 5)}


SHOWN = {
    form
    for plant in PLANTS
    for part in windows(plant)
    for form in (part.encode(), part.encode("utf-16-le"), part.lower().encode(), part.lower().encode("utf-16-le"))
} | {int(CARD).to_bytes(8, "little")}


def reply(names: str, type_: TypeInfo, value: bytes) -> bytes:
    """A result in which every column holds the value, but for those that hold nothing masked."""
    columns: list[tuple[str, TypeInfo]] = []
    values: list[bytes | None] = []
    for name in names.split(" "):
        harmless = name.startswith("+")
        columns.append(("" if name == "-" else name.removeprefix("+"), KINDS["nullable int"] if harmless else type_))
        values.append(b"\7\0\0\0" if harmless else value)
    rows = row([type_ for _, type_ in columns], values, parts=3) * 3
    return described(columns) + rows + done(3, more=True)


def messages(way: Way) -> bytes:
    if not way.says:
        return b""
    numbers = (0, 50000, 50001) if way.says == "code" else (int(way.says),)
    return b"".join(
        said(number, f"It says '{plant}' ({plant}).", kind=0xAB if number == 0 else 0xAA)
        for number in numbers
        for plant in PLANTS
    )


def asked(way: Way, rules: MaskRules) -> Asked:
    classified = classify(way.sql, CATALOG, NameState())
    one = Asked(1, Statement(way.sql, classified.effects, classified.operation, "shop"), classified)
    one.rules = rules
    return one


def answered(one: Asked, payload: bytes) -> bytes:
    conversation = Conversation(OPENING, View(CATALOG), count(2), companion="shop", packet_size=4096)
    responses = conversation.responses = Responses(conversation)
    conversation.start(Running(Kind.BATCH, (one,)))
    outputs: list[Output] = responses.receive(packets(payload + done(), 4096))
    return payload_of(b"".join(bytes(each.span) for each in outputs if isinstance(each, Send) and each.to == CLIENT))


def refused(one: Asked) -> bool:
    """Whether it never reaches the resource: by masking, or because no policy can permit it."""
    responses = Responses(Conversation(OPENING, View(CATALOG), count(2), companion="shop", packet_size=4096))
    return bool(responses.refusal(one) or one.classified.changes.forbidden)


def shown(payload: bytes) -> set[bytes]:
    return {part for part in SHOWN if part in payload or part in payload.lower()}


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.sql[:60])
def test_no_way_out_shows_a_masked_column(way: Way) -> None:
    one = asked(way, COLUMNS)
    if refused(one):
        return
    for type_, value in VALUES:
        results = b"".join(reply(names, type_, value) for names in way.shows)
        got = answered(asked(way, COLUMNS), results + messages(way))
        assert not shown(got), (one.classified.doubt, one.classified.results)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT note FROM dbo.made_by_somebody_else",
        "SELECT * FROM dbo.made_by_somebody_else",
        "SELECT note FROM #not_known",
        "SELECT dbo.made_by_somebody_else(1) AS note",
        "EXEC dbo.made_by_somebody_else",
        "SELECT note FROM customers",
    ],
)
def test_what_the_catalog_does_not_know_is_hidden(sql: str) -> None:
    """It may be a view over a masked table, made a moment ago."""
    got = answered(asked(Way(sql), COLUMNS), reply("note", *VALUES[0]) + messages(Way(sql, says="245")))
    assert not shown(got)


def test_the_ways_are_many_and_few_are_refused() -> None:
    """A corpus that is refused whole would prove nothing."""
    assert len(WAYS) >= 110
    assert sum(refused(asked(way, COLUMNS)) for way in WAYS) < 30


@pytest.mark.parametrize("way", WAYS[:3], ids=lambda way: way.sql[:60])
def test_without_rules_the_same_answers_show_everything(way: Way) -> None:
    """The test itself can fail."""
    type_, value = VALUES[0]
    assert shown(answered(asked(way, MaskRules()), reply(way.shows[0], type_, value)))


@pytest.mark.parametrize("says", ["code", "245", "2627", "208", "8114"])
def test_detectors_read_every_message(says: str) -> None:
    way = Way("SELECT note FROM orders", says=says)
    got = answered(asked(way, FOUND), messages(way))
    assert EMAIL.encode("utf-16-le") not in got
    assert CARD.encode("utf-16-le") not in got


@pytest.mark.parametrize(("type_", "value"), VALUES[:4:3] + VALUES[5:])
def test_detectors_read_every_type(type_: TypeInfo, value: bytes) -> None:
    way = Way("SELECT note FROM orders", ("note",))
    got = answered(asked(way, FOUND), reply("note", type_, value))
    assert value not in got


HARMLESS: list[tuple[str, str]] = [
    ("SELECT id, note FROM orders", "id note"),
    ("SELECT name FROM sys.tables", "name"),
    ("SELECT @@VERSION AS v, SUSER_SNAME()", "v -"),
    ("SELECT id FROM customers", "id"),
    ("SELECT COUNT(*) AS n FROM customers", "n"),
    ("SELECT o.note FROM orders AS o JOIN customers AS c ON c.id = o.customer WHERE c.email = N'x'", "note"),
    ("DECLARE @n nvarchar(200); SELECT @n = note FROM orders; SELECT @n AS n", "n"),
    ("EXEC ('SELECT note FROM dbo.orders')", "note"),
]


@pytest.mark.parametrize(("sql", "names"), HARMLESS)
def test_what_is_no_masked_column_is_shown(sql: str, names: str) -> None:
    way = Way(sql, (names,))
    payload = reply(names, LONG, "plain".encode("utf-16-le"))
    assert answered(asked(way, COLUMNS), payload) == payload + done()


def test_a_column_rule_reads_all_columns_that_a_classifier_names() -> None:
    """What the corpus says of a result is what the classifier says, where it knows the names."""
    for way in WAYS:
        classified: Classified = asked(way, COLUMNS).classified
        if classified.results and way.shows and all(one.columns is not None for one in classified.results):
            widths = {len(one.columns) for one in classified.results if one.columns is not None}
            assert all(len(names.split(" ")) in widths for names in way.shows), way.sql
