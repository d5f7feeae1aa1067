"""The side connection: what it reads, when it reads it again, and that it never answers with less than all of it."""

from __future__ import annotations

import pytest

from blastwall.protocols.contract import UPSTREAM
from blastwall.protocols.reaching import CatalogUnavailable
from blastwall.protocols.tds.answers import done, error
from blastwall.protocols.tds.catalog import CHANGE_TRIES, KNOWN, LOGIN_TRIES, TdsCompanion, View, Views
from blastwall.protocols.tds.catalog_queries import COLUMNS, DATABASE, FINGERPRINT, OBJECTS, OWN, SYSTEM
from blastwall.protocols.tds.catalog_reading import declared
from blastwall.protocols.tds.conversation import CURRENT
from blastwall.protocols.tds.login7 import Login7
from blastwall.protocols.tds.tests.asking import Asking
from blastwall.protocols.tds.tests.catalogs import ROWS, replies
from blastwall.protocols.tds.tests.server import TinyServer
from blastwall.sql.tsql.catalog import Catalog, ForeignKey, Key, Relation

READING = ";".join(OWN)
LOCK = error(1222, "Lock request time out period exceeded.") + done(status=2)


class Play(Asking):
    """The catalog's companion under play."""

    def __init__(self, server: TinyServer, views: Views | None = None) -> None:
        known: Views = {} if views is None else views
        super().__init__(server, lambda opening, credential: TdsCompanion(opening, credential, "shop", known))

    @property
    def view(self) -> View:
        reply = self.answers[-1].reply
        assert isinstance(reply, View)
        return reply

    @property
    def catalog(self) -> Catalog:
        return self.view.catalog


def serving() -> TinyServer:
    server = TinyServer()
    server.replies = replies()
    return server


def play() -> Play:
    made = Play(serving())
    made.ask(KNOWN)
    return made


# ── what it reads ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_it_logs_in_as_itself() -> None:
    (record,) = play().server.logins
    assert isinstance(record, Login7)
    assert (record.user, record.database, record.application) == ("app", "shop", "blastwall catalog")


def test_tables_and_their_columns_are_read_with_their_types() -> None:
    catalog = play().catalog
    assert catalog.database == "shop"
    assert catalog.relation("DBO", "Customers") == Relation(
        100, "dbo", "customers", "U", ("id", "email", "note"), ("int", "nvarchar(50)", "varchar(max)"), (), "id"
    )
    orders = catalog.relation("sales", "orders")
    assert orders is not None
    assert orders.types == ("int", "int", "decimal(10, 2)", "geography")
    assert (orders.computed, orders.history) == ((("total", "([customer]*(2))"),), 107)


def test_table_types_and_what_every_database_has_are_read() -> None:
    catalog = play().catalog
    assert catalog.kind("dbo", "ids") == "type"
    databases = catalog.relation("sys", "databases")
    assert databases is not None
    assert databases.columns == ("name",)


def test_code_is_read_with_what_it_means_what_it_does() -> None:
    catalog = play().catalog
    pay = catalog.module("dbo", "pay")
    assert pay is not None
    assert (pay.definition, pay.quoted_identifier, pay.execute_as) == (
        "CREATE PROCEDURE pay AS DELETE sales.orders",
        False,
        -2,
    )
    hidden = catalog.module("dbo", "hidden")
    assert hidden is not None
    assert hidden.definition is None, "what cannot be read is there, and nothing can be judged by it"


def test_triggers_hang_on_their_tables_and_those_of_the_database_on_none() -> None:
    catalog = play().catalog
    (audit,) = catalog.triggers(101)
    assert (audit.name, audit.events, audit.instead, audit.disabled) == ("audit", frozenset({"DELETE"}), False, False)
    guard = catalog.module_by_id(300)
    assert guard is not None
    assert (guard.parent, guard.schema, guard.disabled, guard.events) == (0, "", True, frozenset({"DROP_TABLE"}))


def test_keys_and_constraints_are_read_by_the_names_of_their_columns() -> None:
    catalog = play().catalog
    assert catalog.referring(100) == (ForeignKey(101, ("customer",), 100, ("id",), "CASCADE", "NO_ACTION", False),)
    assert catalog.keys(101) == (Key(101, ("id", "customer")),)
    assert [one.column for one in catalog.constraints(101)] == ["total"]
    (default,) = catalog.constraints(100)
    assert (default.column, default.default) == ("note", True), "by the column's number, of which one was dropped"


def test_other_names_are_read() -> None:
    catalog = play().catalog
    synonym = catalog.synonym("dbo", "o")
    assert synonym is not None
    assert synonym.base == "[sales].[orders]"
    assert [catalog.kind("dbo", name) for name in ("numbers", "Note", "invoices")] == ["sequence", "type", "type"]
    assert catalog.databases.keys() == {"master", "shop"}
    assert "sales" in catalog.schemas


@pytest.mark.parametrize(
    ("told", "text"),
    [
        (("nvarchar", 100, 0, 0), "nvarchar(50)"),
        (("nvarchar", -1, 0, 0), "nvarchar(max)"),
        (("varbinary", 16, 0, 0), "varbinary(16)"),
        (("decimal", 9, 18, 4), "decimal(18, 4)"),
        (("datetime2", 8, 27, 7), "datetime2(7)"),
        (("int", 4, 10, 0), "int"),
        (("xml", -1, 0, 0), "xml"),
    ],
)
def test_a_type_is_written_as_it_would_be_declared(told: tuple[str, int, int, int], text: str) -> None:
    assert declared(*told) == text


# ── when it reads again ──────────────────────────────────────────────────────────────────────────────────────────────


def test_a_further_session_costs_one_look_where_nothing_changed() -> None:
    made = play()
    before = made.catalog
    made.ask(KNOWN)
    assert made.catalog is before
    assert (made.times(READING), made.times(FINGERPRINT), made.times(";".join(SYSTEM))) == (1, 2, 1)


def test_what_others_changed_is_read_at_the_next_login() -> None:
    made = play()
    view = made.view
    made.server.replies = replies({**ROWS, OBJECTS: ROWS[OBJECTS][:-1]}, moment="2026-11-27")
    made.ask(KNOWN)
    assert made.view is view, "sessions keep the view, and see what it has now"
    assert made.catalog.relation("dbo", "orders_history") is None
    assert made.catalog.version == 2


def test_what_the_gateway_let_through_is_read_whatever_the_dates_say() -> None:
    made = play()
    renamed = [row if row[2] != "email" else (*row[:2], "mail", *row[3:]) for row in ROWS[COLUMNS]]
    made.server.replies = replies({**ROWS, COLUMNS: renamed})
    made.ask(KNOWN)
    customers = made.catalog.relation("dbo", "customers")
    assert customers is not None
    assert customers.columns[1] == "email"
    made.ask(CURRENT)
    customers = made.catalog.relation("dbo", "customers")
    assert customers is not None
    assert customers.columns[1] == "mail"


def test_a_question_during_a_reading_is_answered_by_a_later_one() -> None:
    made = play()
    made.server.slow = True
    made.ask(CURRENT)
    made.ask(CURRENT, 50)
    made.go_on()
    assert [answer.number for answer in made.answers] == [1, 2, 50]
    assert made.times(READING) == 3


def test_a_later_connection_goes_on_with_the_views_of_sessions_that_are_there() -> None:
    views: Views = {}
    first = Play(serving(), views)
    first.ask(KNOWN)
    later = Play(serving(), views)
    later.server.replies = replies({**ROWS, OBJECTS: ROWS[OBJECTS][:-1]})
    later.ask(KNOWN)
    assert later.view is first.view
    assert first.catalog.relation("dbo", "orders_history") is None, "what it read holds for everybody"
    assert first.catalog.version == 2


def test_what_changed_and_cannot_be_read_is_forgotten_until_it_is() -> None:
    views: Views = {}
    made = Play(serving(), views)
    made.ask(KNOWN)
    view = made.view
    made.server.replies[READING] = error(1205, "deadlock") + done(status=2)
    made.ask(CURRENT)
    assert not view.known
    assert view.catalog.relation("dbo", "customers") is None
    assert view.catalog.version == 2
    again = Play(serving(), views)
    again.ask(KNOWN)
    assert view.known
    assert view.catalog.relation("dbo", "customers") is not None


def test_what_cannot_be_looked_at_at_a_login_leaves_what_was_read() -> None:
    made = play()
    view = made.view
    made.server.replies[FINGERPRINT] = error(1205, "deadlock") + done(status=2)
    made.ask(KNOWN)
    assert view.known


# ── what can go wrong ────────────────────────────────────────────────────────────────────────────────────────────────


def failed(server: TinyServer) -> CatalogUnavailable:
    """Ask a companion that has just been started, as the relay does."""
    server.slow = True
    made = Play(server)
    made.ask(KNOWN)
    made.go_on()
    (answer,) = made.answers
    assert isinstance(answer.reply, CatalogUnavailable)
    assert made.closed is not None
    return answer.reply


def test_an_error_of_the_servers_is_no_catalog() -> None:
    server = serving()
    server.replies[READING] += error(208, "Invalid object name 'sys.objects'.") + done(status=2)
    assert "Invalid object name" in str(failed(server))


def test_a_definition_that_is_being_changed_is_not_read_before_it_is() -> None:
    server = serving()
    server.replies[READING] = LOCK
    made = Play(server)
    made.ask(KNOWN)
    reply = made.answers[0].reply
    assert isinstance(reply, CatalogUnavailable)
    assert "an open transaction is changing a definition there" in reply.told
    assert "READ COMMITTED" in server.requests[0][1]
    assert made.times(READING) == LOGIN_TRIES
    server.replies = replies()
    made.ask(KNOWN)
    assert isinstance(made.answers[1].reply, View), "the connection is good for whoever asks next"


def test_who_has_changed_something_waits_for_a_lock_as_for_the_servers_own() -> None:
    made = play()
    view = made.view
    made.server.replies[FINGERPRINT] = LOCK
    made.ask(CURRENT)
    assert made.times(FINGERPRINT) == 1 + CHANGE_TRIES
    assert isinstance(made.answers[-1].reply, CatalogUnavailable)
    assert not view.known


def test_what_was_locked_is_read_by_whoever_asks_next() -> None:
    made = play()
    version, whole = made.catalog.version, dict(made.server.replies)
    changed = replies(moment="2026-11-27")[FINGERPRINT]
    made.server.replies = {**whole, FINGERPRINT: changed, READING: LOCK}
    made.ask(KNOWN)
    assert isinstance(made.answers[-1].reply, CatalogUnavailable)
    made.server.replies = {**whole, FINGERPRINT: changed}
    made.ask(KNOWN)
    assert made.catalog.version == version + 1


def test_a_login_does_not_wait_as_long_as_who_has_changed_something() -> None:
    made = play()
    made.server.replies[FINGERPRINT] = LOCK
    made.server.slow = True
    made.ask(CURRENT, 7)
    made.ask(KNOWN, 8)
    for _ in range(LOGIN_TRIES):
        made.feed()
    assert [one.number for one in made.answers[1:]] == [8]
    made.server.replies = replies()
    made.go_on()
    assert [one.number for one in made.answers[2:]] == [7]
    assert made.view.known


def test_a_result_that_is_missing_is_no_catalog() -> None:
    server = serving()
    server.replies[READING] = done()
    assert "0 results, of 19" in str(failed(server))


def test_a_result_of_another_form_is_no_catalog() -> None:
    server = serving()
    server.replies = replies({**ROWS, OBJECTS: [("100", None, "customers", "U", "0")]})
    assert "a name that is NULL" in str(failed(server))


def test_another_databases_catalog_is_none() -> None:
    server = serving()
    server.replies = replies({**ROWS, DATABASE: [("stock", "dbo", "Latin1_General_BIN2")]})
    assert "the catalog of another database ('stock')" in str(failed(server))


def test_a_login_that_is_refused_is_told_to_the_operator_alone() -> None:
    server = serving()
    server.login = error(18456, "Login failed for user 'app'.") + done(status=2)
    reply = failed(server)
    assert "Login failed for user 'app'." in str(reply)
    assert reply.told == ""


def test_a_lost_connection_fails_what_waits() -> None:
    server = serving()
    made = Play(server)
    server.slow = True
    made.ask(KNOWN)
    made.carry(made.companion.receive_eof(UPSTREAM))
    assert isinstance(made.answers[0].reply, CatalogUnavailable)
    assert made.closed is not None
