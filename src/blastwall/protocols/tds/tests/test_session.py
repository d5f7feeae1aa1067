"""A session from its first byte to its end, at the scripted server."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from blastwall.model.masks import ColumnRule, MaskRules, MaskStyle
from blastwall.model.resource import HostTarget
from blastwall.protocols.contract import (
    CLIENT,
    UPSTREAM,
    Admitted,
    Allow,
    Answer,
    Ask,
    Close,
    Deny,
    Dial,
    Finished,
    Held,
    Login,
    Lookup,
    Send,
    Side,
    Withdraw,
)
from blastwall.protocols.reaching import CatalogUnavailable
from blastwall.protocols.tds.answers import done, error, routing
from blastwall.protocols.tds.catalog import KNOWN, View
from blastwall.protocols.tds.conversation import CURRENT
from blastwall.protocols.tds.login7 import Login7
from blastwall.protocols.tds.packets import Kind, Message, MessageReader, framed
from blastwall.protocols.tds.session import TdsSession
from blastwall.protocols.tds.tests.server import TinyServer, selected
from blastwall.protocols.tds.tests.specimens import LOGIN, SPECIMENS, arriving, batch, catalog, opening
from blastwall.protocols.tds.token_reader import TokenReader
from blastwall.protocols.tds.tokens import (
    CANCELLED,
    ENV_PACKET_SIZE,
    ENV_ROUTING,
    Done,
    EnvChange,
    Error,
    Info,
    LoginAck,
    Token,
)
from blastwall.testing.playbook import Playbook

ATTENTION = framed(Kind.ATTENTION, b"", 512)


def allow(ask: Ask) -> Answer:
    return SPECIMENS.admit if isinstance(ask.question, Login) else Allow()


def wait(ask: Ask) -> Answer | None:
    return SPECIMENS.admit if isinstance(ask.question, Login) else None


def read(_lookup: Lookup) -> object:
    return View(catalog())


def play(
    rule: Callable[[Ask], Answer | None] = allow,
    *,
    server: TinyServer | None = None,
    look_up: Callable[[Lookup], object] = read,
    session: TdsSession | None = None,
) -> Playbook:
    return Playbook(session or TdsSession(opening()), rule, server or TinyServer(), look_up)


def let_in(rule: Callable[[Ask], Answer | None] = allow, record: Login7 = LOGIN) -> Playbook:
    made = play(rule)
    made.client(arriving(record))
    assert made.closed is None
    made.to_client.clear()
    made.events.clear()
    return made


def heard(made: Playbook) -> list[Token]:
    """What the client was told since, after its PRELOGIN's answer."""
    reader, found = MessageReader(1 << 20), []
    reader.feed(bytes(made.to_client))
    made.to_client.clear()
    while (message := reader.take()) is not None:
        assert isinstance(message, Message)
        if message.payload[0] == 0:
            continue
        tokens = TokenReader()
        tokens.feed(message.payload)
        while (token := tokens.take()) is not None:
            found.append(token)
    return found


def told(made: Playbook) -> Error:
    return next(token for token in heard(made) if isinstance(token, Error))


def server_of(made: Playbook) -> TinyServer:
    assert isinstance(made.server, TinyServer)
    return made.server


# ── the start ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_client_is_let_in_once_gate_server_and_catalog_are_ready() -> None:
    made = play()
    made.client(arriving(replace(LOGIN, packet_size=8000)))
    asked, dial, lookup, admitted = made.events
    assert asked == Ask(1, Login("ci", b"token", "shop", "tests"))
    assert isinstance(dial, Dial)
    assert isinstance(lookup, Lookup)
    assert (lookup.companion, lookup.question) == ("shop", KNOWN)
    assert isinstance(admitted, Admitted)
    tokens = heard(made)
    assert any(isinstance(token, LoginAck) for token in tokens)
    size = next(token for token in tokens if isinstance(token, EnvChange) and token.type == ENV_PACKET_SIZE)
    assert size.new_text == "8000"
    assert not any(isinstance(token, Info) and "sql-1" not in token.server for token in tokens)


def test_the_resource_hears_the_gateways_login_and_nothing_of_the_clients() -> None:
    made = play()
    made.client(arriving())
    (record,) = server_of(made).logins
    assert (record.user, record.password, record.application) == ("app", "upstream-secret", "ci/s-1")
    assert "token".encode("utf-16-le") not in bytes(made.to_server)


def test_nothing_is_dialled_before_the_gate_admits() -> None:
    made = play(lambda _ask: None)
    made.client(arriving() + batch("SELECT 1"))
    assert [type(event) for event in made.events] == [Ask]
    assert not made.to_server


def test_a_client_that_leaves_meanwhile_withdraws_its_login() -> None:
    made = play(lambda _ask: None)
    made.client(arriving())
    made.leave()
    assert made.events[1:] == [Withdraw(1), Close("the client left")]


def test_a_busy_gate_is_an_error_that_drivers_try_again_after() -> None:
    made = play(lambda _ask: Deny("too many sessions", retry=True))
    made.client(arriving())
    assert (told(made).number, made.closed) == (10928, "too many sessions")


def test_a_database_that_the_resource_does_not_give_access_to() -> None:
    made = play()
    made.client(arriving(replace(LOGIN, database="master")))
    error_ = told(made)
    assert error_.number == 4060
    assert 'database "master" is not one that sql-prod gives access to' in error_.message
    assert not made.to_server


def test_more_than_may_wait_while_the_session_opens_closes() -> None:
    made = play(lambda _ask: None)
    made.client(arriving())
    made.client(batch("SELECT 1") * 1000)
    assert made.closed is not None


def test_what_the_client_sends_early_is_asked_once_it_is_in() -> None:
    made = play()
    made.client(arriving() + batch("SELECT 'early'"))
    assert "SELECT 'early'".encode("utf-16-le") in bytes(made.to_client)


# ── the resource ─────────────────────────────────────────────────────────────────────────────────────────────────────


def refusing(number: int, text: str) -> TinyServer:
    server = TinyServer()
    server.login = error(number, text) + done(status=2)
    return server


def test_why_the_resource_refuses_is_for_the_log_alone() -> None:
    made = play(server=refusing(18456, "Login failed for user 'app'. Reason: the password is wrong."))
    made.client(arriving())
    said = told(made)
    assert said.message.endswith("sql-prod cannot be reached: the gateway could not log in there; the gateway's log "
                                 "says why")  # fmt: skip
    assert said.number == 40613
    assert "the password is wrong" in (made.closed or "")


def test_a_database_that_sleeps_is_told() -> None:
    made = play(server=refusing(40613, "Database 'shop' on server 'sql-1' is not currently available."))
    made.client(arriving())
    assert "not available at the moment (error 40613)" in told(made).message


class Redirecting(TinyServer):
    """Sends the first login on."""

    def welcome(self, login: Login7) -> bytes:
        welcome = super().welcome(login)
        return welcome if len(self.logins) > 1 else welcome[: -len(done())] + routing("127.0.0.1", 11433) + done()


def test_a_redirect_is_followed_and_the_client_notices_nothing() -> None:
    made = play(server=Redirecting())
    made.client(arriving())
    assert [event.target.port for event in made.events if isinstance(event, Dial)] == [1433, 11433]
    assert made.closed is None
    tokens = heard(made)
    assert sum(isinstance(token, LoginAck) for token in tokens) == 1
    assert not [token for token in tokens if isinstance(token, EnvChange) and token.type == ENV_ROUTING]


class Silent(TinyServer):
    """Says nothing."""

    def receive(self, side: Side, data: bytes) -> bytes:
        return b""


def test_a_resource_that_cannot_be_reached() -> None:
    made = play(server=Silent())
    made.client(arriving())
    outputs = made.session.dial_failed(UPSTREAM, "sql-prod refused the connection")
    send, close = outputs
    assert isinstance(send, Send)
    assert "sql-prod refused the connection".encode("utf-16-le") in bytes(send.span)
    assert isinstance(close, Close)


def test_a_catalog_that_cannot_be_read_ends_the_session() -> None:
    made = play(look_up=lambda _lookup: CatalogUnavailable("the user app may not read it", "no permission"))
    made.client(arriving())
    assert "its catalog cannot be read; no permission" in told(made).message
    assert "the user app may not read it" in (made.closed or "")


def test_what_the_resource_says_unasked_closes() -> None:
    made = let_in()
    made.from_server(framed(Kind.REPLY, done(), 4096))
    assert made.closed is not None


def test_a_resource_that_leaves_ends_the_session() -> None:
    made = let_in()
    send, close = made.session.receive_eof(UPSTREAM)
    assert isinstance(send, Send)
    assert "the connection was lost".encode("utf-16-le") in bytes(send.span)
    assert isinstance(close, Close)


# ── talking ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_statement_is_asked_sent_and_finished() -> None:
    made = let_in()
    made.client(batch("SELECT 'x'"))
    assert server_of(made).requests == [(Kind.BATCH, "SELECT 'x'")]
    (finished,) = [event for event in made.events if isinstance(event, Finished)]
    assert (finished.rows, finished.error) == (1, None)
    assert made.session.idle


def test_what_policy_hides_is_hidden_in_the_answer() -> None:
    rules = MaskRules(columns=(ColumnRule("pii", "dbo.customers.email", MaskStyle.REDACT),))
    made = let_in(lambda ask: SPECIMENS.admit if isinstance(ask.question, Login) else Allow(mask=rules))
    asked = "SELECT email AS text FROM dbo.customers"
    server_of(made).replies = {asked: selected("ada@example.com")}
    made.client(batch(asked))
    assert server_of(made).requests == [(Kind.BATCH, asked)]
    assert "ada@example.com".encode("utf-16-le") not in bytes(made.to_client)
    (finished,) = [event for event in made.events if isinstance(event, Finished)]
    assert finished.masked == {"pii": 1}


def test_a_session_with_something_under_way_is_not_idle() -> None:
    made = let_in(wait)
    assert made.session.idle
    made.client(batch("SELECT 'x'"))
    assert not made.session.idle


def test_an_attention_is_acknowledged_and_the_statement_never_sent() -> None:
    made = let_in(wait)
    made.client(batch("SELECT 'x'") + ATTENTION)
    assert [type(event) for event in made.events] == [Ask, Withdraw]
    ended, acknowledged = heard(made)
    assert isinstance(ended, Done)
    assert isinstance(acknowledged, Done)
    assert (ended.cancelled, acknowledged.cancelled) == (False, True)
    assert server_of(made).requests == []


def test_a_hold_is_told_and_the_answer_follows() -> None:
    made = let_in(lambda ask: SPECIMENS.admit if isinstance(ask.question, Login) else Held("waits for dba"))
    made.client(batch("SELECT 'x'"))
    assert "waits for dba".encode("utf-16-le") in bytes(made.to_client)
    made.answer(made.asked[-1].number, Allow())
    assert server_of(made).requests == [(Kind.BATCH, "SELECT 'x'")]


def test_the_gateway_stops_a_statement_and_the_client_hears_why() -> None:
    made = let_in()
    server_of(made).slow = True
    made.client(batch("SELECT 'x'"))
    made.interrupt("the statement ran longer than 5 seconds")
    assert server_of(made).attentions == 1
    server_of(made).slow = False
    made.from_server(framed(Kind.REPLY, done(status=CANCELLED), 4096))
    assert "ran longer than 5 seconds".encode("utf-16-le") in bytes(made.to_client)
    assert made.closed is None


# ── definitions that change ──────────────────────────────────────────────────────────────────────────────────────────


def sharing() -> tuple[View, Callable[[Lookup], object], list[Lookup]]:
    """A view that sessions share, and who reads it."""
    view, asked = View(catalog()), list[Lookup]()

    def look_up(lookup: Lookup) -> object:
        asked.append(lookup)
        view.learn(catalog())
        return view

    return view, look_up, asked


def test_a_session_that_leaves_amid_a_change_has_the_others_look_again() -> None:
    view, look_up, asked = sharing()
    leaving, staying = play(look_up=look_up), play(look_up=look_up)
    for made in (leaving, staying):
        made.client(arriving())
    server_of(leaving).slow = True
    leaving.client(batch("ALTER TABLE dbo.customers ADD ssn nvarchar(20)"))
    leaving.leave()
    assert not view.known
    assert view.catalog.relation("dbo", "customers") is None
    before = len(asked)
    staying.client(batch("SELECT id FROM dbo.customers"))
    assert [one.question for one in asked[before:]] == [CURRENT]
    assert view.known
    assert server_of(staying).requests == [(Kind.BATCH, "SELECT id FROM dbo.customers")]


def test_a_session_that_leaves_amid_a_query_changes_nothing() -> None:
    view, look_up, _ = sharing()
    made = play(look_up=look_up)
    made.client(arriving())
    server_of(made).slow = True
    made.client(batch("SELECT id FROM dbo.customers"))
    made.leave()
    assert view.known


def test_a_change_after_which_nothing_can_be_read_is_judged_by_nobody() -> None:
    view, look_up, _ = sharing()
    made = play(look_up=look_up)
    made.client(arriving())
    made.look_up = lambda _lookup: CatalogUnavailable("lost")
    made.client(batch("ALTER TABLE dbo.customers ADD ssn nvarchar(20)"))
    assert made.closed is not None
    assert not view.known


# ── the end ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_client_that_leaves_stops_what_runs_for_it() -> None:
    made = let_in()
    server_of(made).slow = True
    made.client(batch("WAITFOR DELAY '01:00'"))
    made.leave()
    assert server_of(made).attentions == 1
    assert made.closed == "the client left"


def test_a_session_that_is_ended_says_why_and_stops_what_runs() -> None:
    made = let_in()
    server_of(made).slow = True
    made.client(batch("WAITFOR DELAY '01:00'"))
    made.terminate("contained")
    error_ = told(made)
    assert (error_.message, error_.severity) == ("blastwall: contained", 20)
    assert server_of(made).attentions == 1


def test_nothing_is_done_after_the_end() -> None:
    made = let_in()
    made.terminate("contained")
    session = made.session
    assert list(session.receive(CLIENT, batch("SELECT 1"))) == []
    assert list(session.receive(UPSTREAM, b"x")) == []
    assert list(session.answer(2, Allow())) == []
    assert list(session.terminate("again")) == []
    assert list(session.receive_eof(CLIENT)) == []


@pytest.mark.parametrize("size", [1, 7, 100])
def test_chunks_change_nothing(size: int) -> None:
    whole, pieces = play(), play()
    pieces.cut = lambda data: [data[at : at + size] for at in range(0, len(data), size)]
    for made in (whole, pieces):
        made.client(arriving() + batch("SELECT 'x'"))
    assert pieces.to_client == whole.to_client
    assert pieces.to_server == whole.to_server


def test_several_hosts_have_catalogs_of_their_own() -> None:
    opened = opening()
    other = replace(opened.resource.upstream, port=1434)
    resource = replace(opened.resource, standbys=(other,), target=HostTarget.ANY)
    made = play(session=TdsSession(replace(opened, resource=resource)))
    made.client(arriving())
    (lookup,) = [event for event in made.events if isinstance(event, Lookup)]
    assert lookup.companion == "shop (host 1)"


def test_sends_are_the_clients_bytes() -> None:
    made = let_in()
    before = len(made.to_server)
    sent = batch("SELECT 'x'", 512)
    made.client(sent)
    assert bytes(made.to_server[before:]) == sent
    assert not [event for event in made.events if isinstance(event, Send)]
