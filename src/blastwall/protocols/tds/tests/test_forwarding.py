"""`connect`'s port: an ordinary client in plain text here, the gateway with TLS and a proof there."""

from __future__ import annotations

from dataclasses import replace

import pytest

from blastwall.model.credential import Credential
from blastwall.model.resource import Address, TlsMode
from blastwall.protocols.contract import (
    CLIENT,
    UPSTREAM,
    Admit,
    Ask,
    Close,
    Deny,
    Dial,
    Login,
    Output,
    Send,
    StartTls,
)
from blastwall.protocols.tds.fedauth import ADAL, FedAuth, write_fedauth
from blastwall.protocols.tds.forwarding import TdsForwarder
from blastwall.protocols.tds.login7 import FEDAUTH, INTEGRATED, UTF8, Login7, read_login7, write_login7
from blastwall.protocols.tds.negotiation import prelogin_of
from blastwall.protocols.tds.packets import Kind, MessageReader, framed
from blastwall.protocols.tds.prelogin import Encryption, read_prelogin, write_prelogin

GATEWAY = Address("gw.example", 11433, TlsMode.VERIFY_FULL)
PROOF = Admit(Credential("ci", b"a pass"))
LOGIN = Login7(user="me", password="nothing", database="shop", application="pytest", features=((UTF8, b"\1"),))


def prelogin(encryption: Encryption) -> bytes:
    return framed(Kind.PRELOGIN, write_prelogin(prelogin_of(encryption, fedauth=False)), 4096)


def asked(record: Login7 = LOGIN) -> TdsForwarder:
    forwarder = TdsForwarder(GATEWAY)
    forwarder.receive(CLIENT, prelogin(Encryption.OFF))
    outputs = forwarder.receive(CLIENT, framed(Kind.LOGIN7, write_login7(record), 4096))
    assert outputs == [Ask(1, Login(record.user, b"", "shop", "pytest"))]
    return forwarder


def opened(record: Login7 = LOGIN) -> tuple[TdsForwarder, Login7]:
    """Return the forwarder, and the login that the gateway got."""
    forwarder = asked(record)
    assert forwarder.answer(1, PROOF) == [Dial(UPSTREAM, GATEWAY), StartTls(UPSTREAM, ("tds/8.0",))]
    (said,) = forwarder.tls_started(UPSTREAM, "tds/8.0", b"")
    assert isinstance(said, Send)
    assert bytes(said.span)[0] == Kind.PRELOGIN
    reply = framed(Kind.REPLY, write_prelogin(prelogin_of(Encryption.ON, fedauth=False)), 4096)
    (sent,) = forwarder.receive(UPSTREAM, reply)
    assert isinstance(sent, Send)
    reader = MessageReader(1 << 17)
    reader.feed(bytes(sent.span))
    message = reader.take()
    assert message is not None
    return forwarder, read_login7(message.payload)


def told(outputs: list[Output]) -> str:
    send, close = outputs
    assert isinstance(send, Send)
    assert send.to == CLIENT
    assert isinstance(close, Close)
    return bytes(send.span).decode("utf-16-le", "ignore") + bytes(send.span)[1:].decode("utf-16-le", "ignore")


def test_the_gateway_gets_the_clients_login_with_the_proof() -> None:
    forwarder, record = opened()
    assert record == replace(LOGIN, password="a pass", flags3=record.flags3)
    assert forwarder.receive(UPSTREAM, b"answer") == [Send(CLIENT, b"answer")]
    assert forwarder.receive(CLIENT, b"request") == [Send(UPSTREAM, b"request")]


def test_the_client_hears_that_this_port_does_not_encrypt() -> None:
    (said,) = TdsForwarder(GATEWAY).receive(CLIENT, prelogin(Encryption.OFF))
    assert isinstance(said, Send)
    assert read_prelogin(bytes(said.span)[8:]).encryption == Encryption.NOT_SUPPORTED


@pytest.mark.parametrize("wanted", [prelogin(Encryption.ON), prelogin(Encryption.REQUIRED), b"\x16\x03\x01\0\x05"])
def test_a_client_that_insists_on_tls_is_closed_and_nothing_is_dialled(wanted: bytes) -> None:
    outputs = TdsForwarder(GATEWAY).receive(CLIENT, wanted)
    close = outputs[-1]
    assert isinstance(close, Close)
    assert "Encrypt=no" in close.reason


def test_whatever_else_the_client_proves_itself_with_stays_here() -> None:
    feature = write_fedauth(FedAuth(ADAL, False, workflow=1))
    shown = replace(LOGIN, flags2=LOGIN.flags2 | INTEGRATED, sspi=b"NTLM", features=((FEDAUTH, feature),))
    _, record = opened(shown)
    assert (record.integrated, record.sspi, record.feature(FEDAUTH)) == (False, b"", None)


def test_no_proof_no_connection() -> None:
    assert "no pass: log in first" in told(asked().answer(1, Deny("no pass: log in first")))


def test_what_does_not_speak_tds_gets_no_proof() -> None:
    forwarder = asked()
    forwarder.answer(1, PROOF)
    assert "does not speak TDS" in told(forwarder.tls_started(UPSTREAM, None, b""))


def test_a_gateway_that_cannot_be_reached_is_told() -> None:
    forwarder = asked()
    forwarder.answer(1, PROOF)
    assert "connection refused" in told(forwarder.dial_failed(UPSTREAM, "connection refused"))


def test_a_client_that_speaks_before_it_is_let_in_is_closed() -> None:
    forwarder = TdsForwarder(GATEWAY)
    forwarder.receive(CLIENT, prelogin(Encryption.OFF))
    data = framed(Kind.LOGIN7, write_login7(LOGIN), 4096) + framed(Kind.BATCH, b"S\0", 4096)
    assert isinstance(forwarder.receive(CLIENT, data)[-1], Close)
    assert forwarder.answer(1, PROOF) == []


def test_what_comes_is_passed_on_however_it_is_cut() -> None:
    forwarder = TdsForwarder(GATEWAY)
    data = prelogin(Encryption.OFF) + framed(Kind.LOGIN7, write_login7(LOGIN), 512)
    outputs = [output for at in range(len(data)) for output in forwarder.receive(CLIENT, data[at : at + 1])]
    assert isinstance(outputs[-1], Ask)
