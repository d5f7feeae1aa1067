"""How a client comes in: what it hears of encryption, what of its login is taken, and what is refused."""

from __future__ import annotations

from dataclasses import replace

import pytest

from blastwall.model.resource import Address, Resource, TlsMode
from blastwall.protocols.contract import CLIENT, Close, Limits, Login, Opening, Output, Send, StartTls
from blastwall.protocols.tds.client_handshake import ClientHandshake
from blastwall.protocols.tds.fedauth import ADAL, SECURITY_TOKEN, SPN, STS_URL, FedAuth, write_fedauth, write_token
from blastwall.protocols.tds.login7 import (
    CHANGE_PASSWORD,
    COLUMN_ENCRYPTION,
    FEDAUTH,
    INTEGRATED,
    SESSION_RECOVERY,
    TDS_7_3,
    TDS_8_0,
    Login7,
    write_login7,
)
from blastwall.protocols.tds.negotiation import prelogin_of
from blastwall.protocols.tds.packets import Kind, MessageReader, framed
from blastwall.protocols.tds.prelogin import ENCRYPTION, Encryption, Prelogin, read_prelogin, write_prelogin
from blastwall.protocols.tds.settings import EntraSettings, TdsSettings
from blastwall.protocols.tds.token_reader import TokenReader
from blastwall.protocols.tds.tokens import Done, Error, FedAuthInfo, Token
from blastwall.protocols.tds.wrapping import PreloginWrapping

TOKEN = "eyJhbGciOi.token." + "x" * 3000
LOGIN = Login7(user="ci", password="a pass", database="SHOP", application="pytest")
ENTRA = EntraSettings(authority="https://login.example/tenant", resource="api://blastwall")


def opening(*, plain_text: bool = False, full: str = "", settings: TdsSettings | None = None) -> Opening:
    address = Address("127.0.0.1", 1433, TlsMode.DISABLE)
    resource = Resource("sql-prod", "mssql", address, ("shop", "stock"), settings=settings)
    return Opening("s-1", resource, bytes, Limits(), plain_text=plain_text, full=full)


def prelogin(encryption: Encryption, *, fedauth: bool = False) -> bytes:
    return framed(Kind.PRELOGIN, write_prelogin(prelogin_of(encryption, fedauth=fedauth)), 4096)


def login(record: Login7 = LOGIN) -> bytes:
    return framed(Kind.LOGIN7, write_login7(record), 4096)


def with_token(token: str = TOKEN, *, echo: bool = True) -> Login7:
    feature = write_fedauth(FedAuth(SECURITY_TOKEN, echo, token))
    return replace(LOGIN, user="", password="", features=((FEDAUTH, feature),))


def secured(*, full: str = "", settings: TdsSettings | None = None) -> ClientHandshake:
    """A handshake whose TLS is up, the client's PRELOGIN with FEDAUTHREQUIRED behind it."""
    client = ClientHandshake(opening(full=full, settings=settings))
    client.receive(prelogin(Encryption.ON, fedauth=True))
    assert client.tls_started(None) == []
    return client


def sent(outputs: list[Output]) -> list[Token]:
    tokens: list[Token] = []
    reader, found = MessageReader(1 << 20), TokenReader()
    for output in outputs:
        if isinstance(output, Send):
            assert output.to == CLIENT
            reader.feed(bytes(output.span))
    while (message := reader.take()) is not None:
        assert message.kind is Kind.REPLY
        found.feed(message.payload)
    while (token := found.take()) is not None:
        tokens.append(token)
    found.finish()
    return tokens


def refusal(outputs: list[Output]) -> Error:
    error, done = sent(outputs)
    assert isinstance(error, Error)
    assert isinstance(done, Done)
    assert done.failed
    assert isinstance(outputs[-1], Close)
    assert (error.severity, error.server) == (14, "blastwall")
    return error


def answered(outputs: list[Output]) -> Prelogin:
    first = outputs[0]
    assert isinstance(first, Send)
    packet = bytes(first.span)
    assert packet[0] == Kind.REPLY
    return read_prelogin(packet[8:])


# ── encryption ───────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("asked", [Encryption.OFF, Encryption.ON, Encryption.REQUIRED])
def test_whatever_a_client_asks_for_everything_is_encrypted(asked: Encryption) -> None:
    outputs = ClientHandshake(opening()).receive(prelogin(asked))
    assert answered(outputs).encryption == Encryption.REQUIRED
    assert outputs[1] == StartTls(CLIENT)
    assert isinstance(outputs[1], StartTls)
    assert isinstance(outputs[1].wrapping, PreloginWrapping)


@pytest.mark.parametrize("asked", [Encryption.ON, Encryption.REQUIRED])
def test_a_loopback_listener_in_plain_text_secures_a_client_that_asks(asked: Encryption) -> None:
    outputs = ClientHandshake(opening(plain_text=True)).receive(prelogin(asked))
    assert answered(outputs).encryption == Encryption.REQUIRED
    assert isinstance(outputs[1], StartTls)


@pytest.mark.parametrize("asked", [Encryption.OFF, Encryption.NOT_SUPPORTED])
def test_on_a_loopback_listener_in_plain_text_the_login_is_not_encrypted_alone(asked: Encryption) -> None:
    client = ClientHandshake(opening(plain_text=True))
    outputs = client.receive(prelogin(asked))
    assert answered(outputs).encryption == Encryption.NOT_SUPPORTED
    assert len(outputs) == 1
    assert client.receive(login()) == []
    assert client.login == Login("ci", b"a pass", "shop", "pytest")


def test_a_client_that_cannot_encrypt_is_told_why_it_is_not_let_in() -> None:
    client = ClientHandshake(opening())
    assert answered(client.receive(prelogin(Encryption.NOT_SUPPORTED))).encryption == Encryption.REQUIRED
    error = refusal(client.receive(login()))
    assert "accepts TLS only" in error.message
    assert client.login is None


def test_a_login_in_clear_right_behind_the_request_for_tls_closes() -> None:
    client = ClientHandshake(opening())
    outputs = client.receive(prelogin(Encryption.OFF) + login())
    assert isinstance(outputs[-1], Close)
    assert client.login is None
    assert not any(isinstance(output, StartTls) for output in outputs)


def test_bytes_between_the_request_for_tls_and_tls_close() -> None:
    client = ClientHandshake(opening())
    client.receive(prelogin(Encryption.ON))
    assert isinstance(client.receive(b"\x10")[-1], Close)


def test_a_client_certificate_is_not_asked_for() -> None:
    asked = prelogin_of(Encryption.ON, fedauth=False)
    options = tuple((name, b"\x81" if name == ENCRYPTION else data) for name, data in asked.options)
    outputs = ClientHandshake(opening()).receive(framed(Kind.PRELOGIN, write_prelogin(Prelogin(options)), 4096))
    assert [type(output) for output in outputs] == [Close]


def test_mars_and_the_instance_are_answered() -> None:
    answer = answered(ClientHandshake(opening()).receive(prelogin(Encryption.ON)))
    assert (answer.mars, answer.fedauth_required, answer.nonce) == (False, None, None)


# ── TDS 8.0 ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_client_that_begins_with_tls_goes_on_with_prelogin() -> None:
    client = ClientHandshake(opening())
    assert client.receive(b"\x16\x03\x01") == [StartTls(CLIENT, ("tds/8.0",), b"\x16\x03\x01")]
    assert client.tls_started("tds/8.0") == []
    outputs = client.receive(prelogin(Encryption.NOT_SUPPORTED))
    assert len(outputs) == 1, "no TLS inside TLS"
    assert client.receive(login(replace(LOGIN, tds=TDS_8_0))) == []
    assert client.login is not None


@pytest.mark.parametrize("alpn", [None, "http/1.1"])
def test_tls_first_without_its_protocol_closes(alpn: str | None) -> None:
    client = ClientHandshake(opening())
    client.receive(b"\x16\x03\x01")
    assert [type(output) for output in client.tls_started(alpn)] == [Close]


def test_tls_inside_tls_closes() -> None:
    client = ClientHandshake(opening())
    client.receive(b"\x16\x03\x01")
    client.tls_started("tds/8.0")
    assert isinstance(client.receive(b"\x16\x03\x01\0\0\0\0\0\0")[-1], Close)


# ── the proof ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_pass_is_taken_as_the_password_and_the_database_by_its_own_name() -> None:
    client = secured()
    assert client.receive(login()) == []
    assert client.login == Login("ci", b"a pass", "shop", "pytest")
    assert "a pass" not in repr(client.login7)


def test_without_a_database_the_resources_first_is_meant() -> None:
    client = secured()
    client.receive(login(replace(LOGIN, database="")))
    assert client.login is not None
    assert client.login.target == "shop"


def test_a_token_comes_with_the_login() -> None:
    client = secured()
    assert client.receive(login(with_token())) == []
    assert client.login is not None
    assert (client.login.proof, client.by_token) == (TOKEN.encode(), True)


def test_a_token_may_come_as_a_long_password() -> None:
    client = secured()
    assert client.receive(login(replace(LOGIN, password=TOKEN))) == []
    assert client.login is not None
    assert client.login.proof == TOKEN.encode()


@pytest.mark.parametrize("echo", [False, True])
def test_what_the_client_echoes_must_be_what_it_was_told(echo: bool) -> None:
    client = ClientHandshake(opening())
    client.receive(prelogin(Encryption.ON, fedauth=not echo))
    client.tls_started(None)
    assert isinstance(client.receive(login(with_token(echo=echo)))[-1], Close)
    assert client.login is None


def test_a_nonce_that_nobody_gave_closes() -> None:
    feature = write_fedauth(FedAuth(SECURITY_TOKEN, True, TOKEN, nonce=bytes(32)))
    client = secured()
    assert isinstance(client.receive(login(replace(LOGIN, features=((FEDAUTH, feature),))))[-1], Close)


def test_a_driver_that_fetches_its_token_is_told_where_and_for_what() -> None:
    client = secured(settings=TdsSettings(entra=ENTRA))
    asks = replace(LOGIN, password="", features=((FEDAUTH, write_fedauth(FedAuth(ADAL, True, workflow=3))),))
    (told,) = sent(client.receive(login(asks)))
    assert isinstance(told, FedAuthInfo)
    assert dict(told.options) == {STS_URL: ENTRA.authority, SPN: ENTRA.resource}
    assert client.login is None
    assert client.receive(framed(Kind.FEDAUTH, write_token(TOKEN), 4096)) == []
    assert client.login is not None
    assert client.login.proof == TOKEN.encode()


def test_without_settings_such_a_driver_is_told_what_to_do() -> None:
    asks = replace(LOGIN, password="", features=((FEDAUTH, write_fedauth(FedAuth(ADAL, True, workflow=1))),))
    error = refusal(secured().receive(login(asks)))
    assert "settings: entra" in error.message


def test_the_databases_own_tokens_are_never_asked_for() -> None:
    with pytest.raises(ValueError, match="opens the database"):
        EntraSettings(authority="https://login.example/t", resource="https://database.windows.net/")


def test_after_the_login_no_proof_stays() -> None:
    client = secured()
    client.receive(login(with_token()))
    client.forget_proof()
    assert client.login is not None
    assert client.login7 is not None
    assert (client.login.proof, client.login7.password, client.login7.features) == (b"", "", ())


# ── what is refused ──────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        (replace(LOGIN, flags2=LOGIN.flags2 | INTEGRATED), "Windows authentication is not offered"),
        (replace(LOGIN, sspi=b"NTLMSSP\0"), "Windows authentication is not offered"),
        (replace(LOGIN, tds=TDS_7_3), "TDS 7.3 is too old"),
        (replace(LOGIN, tds=TDS_8_0), "TDS 8.0 begins with TLS"),
        (replace(LOGIN, flags1=0x01), "other forms than a PC's"),
        (replace(LOGIN, flags2=LOGIN.flags2 | 0x30), "logins of other servers"),
        (replace(LOGIN, flags3=CHANGE_PASSWORD, new_password="other"), "cannot be changed here"),
        (replace(LOGIN, attach="c:\\shop.mdf"), "cannot be attached"),
        (replace(LOGIN, password=""), "give a pass or token as the password"),
    ],
)
def test_a_login_that_asks_for_more_hears_what_to_do(asked: Login7, told: str) -> None:
    client = secured()
    error = refusal(client.receive(login(asked)))
    assert told in error.message
    assert error.number == 18456
    assert client.login is None


def test_a_gateway_that_is_full_says_so() -> None:
    error = refusal(secured(full="the gateway is full").receive(login()))
    assert (error.number, error.message) == (10928, "blastwall: the gateway is full")


def test_the_gates_refusal_is_a_failed_login() -> None:
    client = secured()
    client.receive(login())
    error = refusal(client.refused("the token has expired; get a new one"))
    assert error.number == 18456
    assert error.message == "blastwall: Login failed for user 'ci'. the token has expired; get a new one"


def test_session_recovery_and_column_encryption_do_not_matter() -> None:
    client = secured()
    client.receive(login(replace(LOGIN, features=((SESSION_RECOVERY, b""), (COLUMN_ENCRYPTION, b"\1")))))
    assert client.login is not None


@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        framed(Kind.LOGIN7, bytes(100), 4096),
        framed(Kind.BATCH, b"S\0E\0L\0", 4096),
        framed(Kind.PRELOGIN, b"\1\0\0\0\0\xff", 4096),
        framed(Kind.PRELOGIN, b"", 4096),
    ],
)
def test_an_unreadable_start_closes_without_a_word(data: bytes) -> None:
    outputs = ClientHandshake(opening(plain_text=True)).receive(data)
    assert [type(output) for output in outputs] == [Close]


def test_a_login_without_end_is_cut_off() -> None:
    client = secured()
    unended = bytes((Kind.LOGIN7, 0)) + (1008).to_bytes(2, "big") + bytes(1004)
    outputs = [output for _ in range(100) for output in client.receive(unended)][:1]
    assert [type(output) for output in outputs] == [Close]


@pytest.mark.parametrize("size", [1, 3, 50])
def test_chunks_change_nothing(size: int) -> None:
    data = prelogin(Encryption.OFF, fedauth=True) + login(with_token())
    client = ClientHandshake(opening(plain_text=True))
    for at in range(0, len(data), size):
        client.receive(data[at : at + size])
    assert client.login is not None
    assert client.login.proof == TOKEN.encode()
    assert client.rest() == b""
