"""SCRAM-SHA-256 against the vector of RFC 7677, section 3, and against servers that cheat."""

from __future__ import annotations

from base64 import b64decode

import pytest

from blastwall.protocols.postgres.scram import PLAIN, PLUS, Scram, ScramFailed

NONCE = b64decode(b"rOprNGfwEbeRWgbNEkqO")
SERVER_FIRST = b"r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"
SERVER_FINAL = b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="


def exchange() -> Scram:
    """PostgreSQL ignores the user name in SCRAM, so ours is empty where the RFC's vector says "user"."""
    scram = Scram(b"pencil", NONCE, (PLAIN,), b"")
    scram._first_bare = b"n=user,r=" + scram._nonce
    return scram


def test_the_vector_of_the_rfc() -> None:
    scram = exchange()
    assert scram.first() == b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO"
    assert scram.answer(SERVER_FIRST).endswith(b",p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=")
    scram.verify(SERVER_FINAL)


@pytest.mark.parametrize("final", [b"", b"v=", b"v=AAAA", b"e=other-error", SERVER_FINAL[:-2] + b"A="])
def test_a_server_that_does_not_know_the_password(final: bytes) -> None:
    scram = exchange()
    scram.answer(SERVER_FIRST)
    with pytest.raises(ScramFailed, match="could not prove"):
        scram.verify(final)


def test_a_proof_before_the_exchange_proves_nothing() -> None:
    with pytest.raises(ScramFailed):
        exchange().verify(SERVER_FINAL)


@pytest.mark.parametrize(
    "first",
    [
        b"",
        b"r=other,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
        b"r=rOprNGfwEbeRWgbNEkqO,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
        SERVER_FIRST.replace(b"i=4096", b"i=0"),
        SERVER_FIRST.replace(b"i=4096", b"i=99999999999"),
        SERVER_FIRST.replace(b"i=4096", b"i=many"),
        SERVER_FIRST.replace(b"s=W22", b"s=?!"),
    ],
)
def test_a_first_message_that_cannot_be_trusted(first: bytes) -> None:
    with pytest.raises(ScramFailed):
        exchange().answer(first)


def test_no_mechanism_that_we_speak() -> None:
    with pytest.raises(ScramFailed, match="SCRAM-SHA-256 is needed"):
        Scram(b"pencil", NONCE, ("SCRAM-SHA-1",), b"")


def test_a_removed_offer_of_channel_binding_is_noticed_by_the_server() -> None:
    scram = Scram(b"pencil", NONCE, (PLAIN,), b"any certificate")
    assert scram.first().startswith(b"y,,")


def test_plus_is_never_chosen_without_tls() -> None:
    assert Scram(b"pencil", NONCE, (PLUS, PLAIN), b"").mechanism == PLAIN
