"""What a client hears when it is let in: the resource's words, nothing that it did not ask for."""

from __future__ import annotations

from blastwall.protocols.tds.collations import LATIN
from blastwall.protocols.tds.login7 import FEDAUTH, TDS_7_4, TDS_8_0, UTF8, Login7
from blastwall.protocols.tds.login_answer import login_answer
from blastwall.protocols.tds.packets import MessageReader
from blastwall.protocols.tds.server_handshake import Welcome
from blastwall.protocols.tds.token_reader import TokenReader
from blastwall.protocols.tds.tokens import (
    ENV_COLLATION,
    ENV_DATABASE,
    ENV_MIRROR,
    ENV_PACKET_SIZE,
    Done,
    EnvChange,
    FeatureExtAck,
    Info,
    LoginAck,
    Token,
)

WELCOME = Welcome(
    LoginAck(1, TDS_8_0, "Microsoft SQL Server", (16, 0, 4, 5)),
    {
        ENV_DATABASE: EnvChange(ENV_DATABASE, "shop".encode("utf-16-le"), "master".encode("utf-16-le")),
        ENV_MIRROR: EnvChange(ENV_MIRROR, "sql-2".encode("utf-16-le"), b""),
        ENV_COLLATION: EnvChange(ENV_COLLATION, LATIN.write(), b""),
    },
    (Info(5701, 2, 0, "Changed database context to 'shop'.", "sql-1", "", 1), Info(1, 1, 0, "secret", "sql-1", "", 1)),
    ((FEDAUTH, b"nonce"), (UTF8, b"\1")),
    8000,
    57,
)


def heard(login: Login7, *, by_token: bool = False) -> list[Token]:
    reader, tokens = MessageReader(1 << 16), TokenReader()
    data = login_answer(WELCOME, login, by_token=by_token)
    assert data[4:6] == (57).to_bytes(2, "big"), "the resource's session id"
    reader.feed(data)
    message = reader.take()
    assert message is not None
    tokens.feed(message.payload)
    found: list[Token] = []
    while (token := tokens.take()) is not None:
        found.append(token)
    return found


def test_the_session_is_described_as_the_resource_has_it() -> None:
    database, told, collation, ack, features, size, done = heard(Login7())
    assert isinstance(database, EnvChange)
    assert (database.new_text, database.old_text) == ("shop", "master")
    assert isinstance(told, Info)
    assert told.message == "Changed database context to 'shop'."
    assert isinstance(collation, EnvChange)
    assert collation.new == LATIN.write()
    assert isinstance(ack, LoginAck)
    assert (ack.tds, ack.program, ack.version) == (TDS_7_4, "Microsoft SQL Server", (16, 0, 4, 5))
    assert isinstance(features, FeatureExtAck)
    assert features.features == ((UTF8, b"\1"),)
    assert isinstance(size, EnvChange)
    assert (size.type, size.new_text) == (ENV_PACKET_SIZE, "8000")
    assert isinstance(done, Done)


def test_a_token_is_acknowledged_where_the_client_showed_one() -> None:
    features = next(token for token in heard(Login7(), by_token=True) if isinstance(token, FeatureExtAck))
    assert features.features == ((FEDAUTH, b""), (UTF8, b"\1"))


def test_the_version_is_the_clients_own() -> None:
    ack = next(token for token in heard(Login7(tds=TDS_8_0)) if isinstance(token, LoginAck))
    assert ack.tds == TDS_8_0
