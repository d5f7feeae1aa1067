"""Dialogues of OAUTHBEARER (RFC 7628), after the examples of its section 4."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import replace
from struct import pack

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from blastwall.model.credential import Credential
from blastwall.protocols.contract import Admit, Answer, Ask, Deny, Login
from blastwall.protocols.postgres.messages import frame
from blastwall.protocols.postgres.oauthbearer import decode_initial
from blastwall.protocols.postgres.session import PostgresSession
from blastwall.protocols.postgres.settings import OauthSettings, PostgresSettings
from blastwall.protocols.postgres.startup import (
    AUTH_CLEARTEXT,
    AUTH_OK,
    AUTH_SASL,
    AUTH_SASL_CONTINUE,
    encode_authentication,
    encode_password,
    encode_sasl_initial,
    encode_sasl_response,
)
from blastwall.protocols.postgres.tests.server import TinyServer
from blastwall.protocols.postgres.tests.specimens import RESOURCE, SPECIMENS, opening, query, startup
from blastwall.testing.playbook import Playbook
from blastwall.wire.reader import Malformed

DISCOVERY = "https://issuer.example/.well-known/openid-configuration"
OFFER = encode_authentication(AUTH_SASL, b"OAUTHBEARER\0\0")
TOKEN = "vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg=="


def bearer(auth: str, header: str = "n,,", tail: str = "\x01\x01", more: str = "") -> bytes:
    return encode_sasl_initial("OAUTHBEARER", f"{header}\x01{more}auth={auth}{tail}".encode())


def play(answer: Answer | None = None, authentication: str = "oauthbearer", chunk: int = 0) -> Playbook:
    """A session at a resource that asks for OAUTHBEARER; `answer` is the gate's to the login."""
    settings = PostgresSettings.model_validate(
        {"authentication": authentication, "oauth": OauthSettings(configuration=DISCOVERY, scope="openid database")}
    )

    def judge(ask: Ask) -> Answer | None:
        return answer or Admit(Credential("app", b"upstream-secret"))

    def cut(data: bytes) -> list[bytes]:
        return [data[at : at + chunk] for at in range(0, len(data), chunk)] if chunk else [data]

    session = PostgresSession(replace(opening(), resource=replace(RESOURCE, settings=settings)))
    return Playbook(session, judge, TinyServer(), SPECIMENS.look_up, cut)


def proofs(book: Playbook) -> list[bytes]:
    return [ask.question.proof for ask in book.asked if isinstance(ask.question, Login)]


def failure(book: Playbook) -> object:
    """The error document that the client got last."""
    continued = encode_authentication(AUTH_SASL_CONTINUE)
    start = bytes(book.to_client).rindex(continued[5:]) + 4
    size = int.from_bytes(book.to_client[start - 8 : start - 4], "big") - 8
    return json.loads(bytes(book.to_client[start : start + size]))


@pytest.mark.parametrize("chunk", [0, 1, 7])
def test_a_token_that_holds(chunk: int) -> None:
    """RFC 7628, section 4.1; host and port may be there and mean nothing here."""
    book = play(chunk=chunk)
    book.client(startup())
    assert bytes(book.to_client) == OFFER
    book.client(bearer(f"Bearer {TOKEN}", more="host=server.example.com\x01port=143\x01"))
    assert proofs(book) == [TOKEN.encode()]
    assert encode_authentication(AUTH_OK) in book.to_client
    assert encode_authentication(AUTH_CLEARTEXT) not in book.to_client


@pytest.mark.parametrize("chunk", [0, 1])
def test_a_token_that_does_not_hold(chunk: int) -> None:
    """RFC 7628, section 4.3: the document, the acknowledgement, the error; and nobody was let in."""
    book = play(Deny("the token has expired"), chunk=chunk)
    book.client(startup() + bearer("Bearer expired"))
    assert failure(book) == {
        "status": "invalid_token",
        "openid-configuration": DISCOVERY,
        "scope": "openid database",
    }
    assert book.closed is None
    assert b"the token has expired" not in book.to_client
    book.client(encode_sasl_response(b"\x01"))
    assert b"28000\0Mblastwall: the token has expired\0" in book.to_client
    assert book.closed is not None
    assert encode_authentication(AUTH_OK) not in book.to_client
    assert book.to_server == b""


def test_a_client_without_a_token_is_told_where_to_get_one() -> None:
    book = play()
    book.client(startup() + bearer(""))
    assert book.asked == []
    assert failure(book) == {"status": "invalid_token", "openid-configuration": DISCOVERY, "scope": "openid database"}
    book.client(encode_sasl_response(b"\x01"))
    assert b"a token is needed" in book.to_client
    assert book.closed is not None


@pytest.mark.parametrize("chunk", [0, 1, 5])
@pytest.mark.parametrize(
    "afterwards", [encode_sasl_response(b"n,,"), bearer(f"Bearer {TOKEN}"), query("SELECT 1"), encode_password(b"x")]
)
def test_a_second_try_on_the_same_connection_is_none(afterwards: bytes, chunk: int) -> None:
    book = play(Deny("no"), chunk=chunk)
    try:
        book.client(startup() + bearer("Bearer guessed") + afterwards)
    except AssertionError as after_close:
        assert "after Close" not in str(after_close)
    assert len(proofs(book)) == 1
    assert book.closed is not None
    assert encode_authentication(AUTH_OK) not in book.to_client
    assert book.to_server == b""


@pytest.mark.parametrize(
    "message",
    [
        encode_password(b"token"),
        encode_sasl_initial("SCRAM-SHA-256", b"n,,n=,r=abc"),
        encode_sasl_initial("OAUTHBEARER", b""),
        bearer("Bearer t", header="n,a=somebody,"),
        bearer("Bearer t", header="p=tls-server-end-point,,"),
        bearer("Bearer t", tail="\x01"),
        bearer("Bearer t", more="auth=Bearer u\x01"),
        bearer("Basic dXNlcjpwYXNz"),
        bearer("Bearer two words"),
        bearer("Bearer \x00"),
        bearer("Bearer "),
        encode_sasl_initial("OAUTHBEARER", b"n,,\x01host=a\x01\x01"),
        frame(b"p", b"OAUTHBEARER\0" + pack("!i", -1)),
        frame(b"p", b"OAUTHBEARER\0" + pack("!i", 99) + b"n,,\x01auth=Bearer t\x01\x01"),
    ],
)
def test_what_cannot_be_read_lets_nobody_in(message: bytes) -> None:
    book = play()
    book.client(startup() + message)
    assert book.asked == []
    assert book.closed is not None
    assert b"08P01" in book.to_client
    assert encode_authentication(AUTH_OK) not in book.to_client


@pytest.mark.parametrize(
    ("configured", "asked", "offered"),
    [
        ("password", None, encode_authentication(AUTH_CLEARTEXT)),
        ("password", "oauthbearer", OFFER),
        ("oauthbearer", "password", encode_authentication(AUTH_CLEARTEXT)),
        ("oauthbearer", None, OFFER),
    ],
)
def test_a_client_may_choose(configured: str, asked: str | None, offered: bytes) -> None:
    book = play(authentication=configured)
    book.client(startup(**({"options": f"-c blastwall.authentication={asked}"} if asked else {})))
    assert bytes(book.to_client) == offered
    book.client(encode_password(b"token") if offered is not OFFER else bearer("Bearer token"))
    assert proofs(book) == [b"token"]
    assert b"blastwall.authentication" not in book.to_server


def test_a_choice_that_there_is_not_is_named() -> None:
    book = play()
    book.client(startup(options="-c blastwall.authentication=trust"))
    assert b"blastwall.authentication is password or oauthbearer" in book.to_client
    assert book.closed is not None


@given(st.binary(max_size=200))
@example(b"OAUTHBEARER\0\0\0\0\7n,,\1auth")
def test_no_bytes_break_the_decoder(body: bytes) -> None:
    with suppress(Malformed):
        assert b"\1" not in decode_initial(body)
