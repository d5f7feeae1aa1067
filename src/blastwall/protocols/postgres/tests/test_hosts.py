"""Several hosts: which one a session ends up on, and what is said where none will do."""

from __future__ import annotations

from dataclasses import replace

import pytest

from blastwall.model.credential import Credential
from blastwall.model.resource import Address, HostTarget, TlsMode
from blastwall.protocols.contract import UPSTREAM, Admit, Close, Dial, Lookup, Output, Send, Side
from blastwall.protocols.postgres.catalog import CURRENT, PostgresCompanion, View
from blastwall.protocols.postgres.errors import encode_error
from blastwall.protocols.postgres.messages import TERMINATE, encode_parameter_status, encode_ready
from blastwall.protocols.postgres.session import PostgresSession
from blastwall.protocols.postgres.startup import (
    AUTH_CLEARTEXT,
    AUTH_OK,
    CancelKey,
    encode_authentication,
    encode_key,
    encode_password,
)
from blastwall.protocols.postgres.tests.server import STATUS
from blastwall.protocols.postgres.tests.specimens import RESOURCE, SPECIMENS, opening, query, snapshot, startup

HOSTS = tuple(Address(name, 5432, TlsMode.DISABLE) for name in ("a.example", "b.example", "c.example"))
SEVERAL = replace(RESOURCE, upstream=HOSTS[0], standbys=HOSTS[1:], target=HostTarget.PRIMARY)
STARTING = encode_error("57P03", "the database system is starting up", severity="FATAL")
REFUSED = encode_error("28P01", "password authentication failed", severity="FATAL")
CLIENTS = SPECIMENS.login


def welcome(**status: str) -> bytes:
    found = {**STATUS, "in_hot_standby": "off", "default_transaction_read_only": "off", **status}
    told = b"".join(encode_parameter_status(name, value) for name, value in found.items() if value)
    return encode_authentication(AUTH_OK) + told + encode_key(CancelKey(7, b"\0\0\0\1")) + encode_ready(b"I")


PRIMARY, STANDBY = welcome(), welcome(in_hot_standby="on")


class Door:
    """A session that is being let in; `outputs` is all that it asked for."""

    def __init__(self, target: HostTarget = HostTarget.PRIMARY, login: bytes = CLIENTS) -> None:
        self.session = PostgresSession(replace(opening(), resource=replace(SEVERAL, target=target)))
        self.outputs: list[Output] = list(self.session.receive(Side(0), login))
        self.feed(self.session.answer(1, Admit(Credential("app", b"upstream-secret"), "ci/s-1")))

    def feed(self, outputs: object) -> None:
        assert isinstance(outputs, list)
        self.outputs += outputs

    def says(self, data: bytes) -> None:
        self.feed(self.session.receive(UPSTREAM, data))

    def look_up(self) -> None:
        lookup = next(one for one in self.outputs if isinstance(one, Lookup))
        self.feed(self.session.looked_up(lookup.number, View(snapshot())))

    @property
    def dialled(self) -> list[str]:
        return [one.target.host for one in self.outputs if isinstance(one, Dial)]

    @property
    def closed(self) -> str:
        return next((one.reason for one in self.outputs if isinstance(one, Close)), "")

    @property
    def told(self) -> bytes:
        return b"".join(bytes(one.span) for one in self.outputs if isinstance(one, Send) and one.to == 0)


def test_the_first_that_answers_is_taken_and_looked_at() -> None:
    door = Door()
    door.feed(door.session.dial_failed(UPSTREAM, "pg-prod refused the connection"))
    door.says(STARTING)
    assert door.dialled == ["a.example", "b.example", "c.example"]
    assert not [one for one in door.outputs if isinstance(one, Lookup)]
    door.says(PRIMARY)
    assert [one.companion for one in door.outputs if isinstance(one, Lookup)] == ["shop (host 3)"]
    door.look_up()
    assert encode_authentication(AUTH_OK) in door.told
    assert all(one.of == 3 for one in door.outputs if isinstance(one, Dial))


def test_a_standby_is_left_politely_where_the_primary_is_wanted() -> None:
    door = Door()
    door.says(STANDBY)
    assert Send(UPSTREAM, TERMINATE) in door.outputs
    assert door.dialled == ["a.example", "b.example"]
    door.says(welcome(default_transaction_read_only="on"))
    door.says(PRIMARY)
    door.look_up()
    assert door.dialled == ["a.example", "b.example", "c.example"]
    assert encode_ready(b"I") in door.told


def test_any_takes_a_standby() -> None:
    door = Door(HostTarget.ANY)
    door.says(STANDBY)
    door.look_up()
    assert door.dialled == ["a.example"]
    assert encode_ready(b"I") in door.told


def test_a_session_that_asks_to_be_read_only_is_no_standby() -> None:
    login = startup(default_transaction_read_only="on") + encode_password(b"token")
    door = Door(login=login)
    door.says(welcome(default_transaction_read_only="on"))
    assert door.dialled == ["a.example"]


def test_a_refused_login_is_not_tried_elsewhere() -> None:
    """The others would refuse it too, and some lock accounts."""
    door = Door()
    door.says(REFUSED)
    assert door.dialled == ["a.example"]
    assert "password authentication failed" in door.closed
    assert b"password authentication failed" not in door.told


def test_every_attempt_is_named_where_none_will_do() -> None:
    door = Door()
    door.feed(door.session.dial_failed(UPSTREAM, "pg-prod did not answer within 3 seconds"))
    door.feed(door.session.receive_eof(UPSTREAM))
    door.says(STANDBY)
    for said in (
        "a.example:5432: pg-prod did not answer within 3 seconds",
        "b.example:5432: the connection was lost",
        "c.example:5432: it is in recovery, and `target` is primary",
    ):
        assert said in door.closed
    assert b"host 1: pg-prod did not answer within 3 seconds; host 2: the connection was lost; host 3:" in door.told
    assert b"example" not in door.told


def test_a_server_too_old_to_tell_is_named() -> None:
    door = Door()
    for _ in HOSTS:
        door.says(welcome(in_hot_standby=""))
    assert b"needs PostgreSQL 14 or later" in door.told


def test_a_cancel_goes_to_the_host_that_the_session_is_on() -> None:
    door = Door()
    door.says(STANDBY)
    door.says(PRIMARY)
    door.look_up()
    door.feed(door.session.receive(Side(0), query("SELECT pg_sleep(9)")))
    asked = [one for one in door.outputs if type(one).__name__ == "Ask"]
    from blastwall.protocols.contract import Allow, Ask

    (*_, last) = asked
    assert isinstance(last, Ask)
    door.feed(door.session.answer(last.number, Allow()))
    door.feed(door.session.interrupted())
    assert door.dialled == ["a.example", "b.example", "b.example"]


@pytest.mark.parametrize(("name", "hosts"), [("shop", ["a.example"]), ("shop (host 2)", ["b.example"])])
def test_the_catalog_is_read_where_the_session_is(name: str, hosts: list[str]) -> None:
    companion = PostgresCompanion(replace(opening(), resource=SEVERAL), Credential("app", b"x"), name)
    outputs = companion.start()
    companion.look_up(1, CURRENT)
    assert [one.target.host for one in outputs if isinstance(one, Dial)] == hosts
    if name != "shop":
        assert any(isinstance(one, Close) for one in companion.dial_failed(UPSTREAM, "gone"))


class TestTokens:
    """An access token is worth as much to a thief as to the gateway: it goes to a verified server alone."""

    @pytest.mark.parametrize("tls", [TlsMode.DISABLE, TlsMode.REQUIRE, TlsMode.VERIFY_CA])
    def test_a_token_is_not_shown_to_a_server_that_was_not_verified(self, tls: TlsMode) -> None:
        address = Address("127.0.0.1", 5432, tls)
        session = PostgresSession(replace(opening(), resource=replace(RESOURCE, upstream=address)))
        session.receive(Side(0), CLIENTS)
        outputs = list(session.answer(1, Admit(Credential("app", b"a-token", token=True))))
        if tls is not TlsMode.DISABLE:
            outputs += session.receive(UPSTREAM, b"S")
            outputs += session.tls_started(UPSTREAM, None, b"")
        outputs += session.receive(UPSTREAM, encode_authentication(AUTH_CLEARTEXT))
        assert any(isinstance(one, Close) and "a verified server only" in one.reason for one in outputs)
        assert b"a-token" not in b"".join(bytes(one.span) for one in outputs if isinstance(one, Send))
