"""What the protocol shows of itself to the conformance suite."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from hashlib import sha256
from itertools import count

from blastwall.model.credential import Credential
from blastwall.model.resource import Address, Resource, TlsMode
from blastwall.protocols.contract import Admit, Limits, Lookup, Opening
from blastwall.protocols.slices import at_once
from blastwall.protocols.tds.catalog import View
from blastwall.protocols.tds.catalog_queries import OWN, SYSTEM
from blastwall.protocols.tds.catalog_reading import catalog_in_slices
from blastwall.protocols.tds.collations import LATIN
from blastwall.protocols.tds.headers import write_headers
from blastwall.protocols.tds.login7 import Login7, write_login7
from blastwall.protocols.tds.negotiation import prelogin_of
from blastwall.protocols.tds.packets import Kind, Message, MessageReader, framed
from blastwall.protocols.tds.prelogin import Encryption, write_prelogin
from blastwall.protocols.tds.result_values import values_of
from blastwall.protocols.tds.session import TdsSession
from blastwall.protocols.tds.tests.catalogs import ROWS
from blastwall.protocols.tds.tests.server import TinyServer
from blastwall.protocols.tds.token_reader import TokenReader
from blastwall.protocols.tds.tokens import ColMetadata, Error, RowRun
from blastwall.protocols.tds.types import NVARCHAR, TypeInfo, write_type
from blastwall.sql.tsql.catalog import Catalog
from blastwall.testing.conformance import Exchange

DATABASE = "shop"
RESOURCE = Resource("sql-prod", "mssql", Address("127.0.0.1", 1433, TlsMode.DISABLE), (DATABASE,))
LOGIN = Login7(user="ci", password="token", database=DATABASE, application="tests")
_SIZE = 4096
_PREPARE, _EXECUTE_SQL = 11, 10
_TEXT = TypeInfo(NVARCHAR, 8000, collation=LATIN)


def catalog() -> Catalog:
    """A small catalog."""
    return at_once(catalog_in_slices(1, [ROWS[query] for query in SYSTEM], [ROWS[query] for query in OWN]))


def opening() -> Opening:
    """A plain-text opening whose entropy repeats, so that conversations can be compared."""
    drawn = count()

    def entropy(size: int) -> bytes:
        return sha256(str(next(drawn)).encode()).digest()[:size]

    return Opening("s-1", RESOURCE, entropy, Limits(statement=4096, message=64 * 1024), plain_text=True)


def arriving(record: Login7 = LOGIN, encryption: Encryption = Encryption.NOT_SUPPORTED) -> bytes:
    """A client's PRELOGIN and LOGIN7, in plain text."""
    asked = write_prelogin(prelogin_of(encryption, fedauth=False))
    return framed(Kind.PRELOGIN, asked, _SIZE) + framed(Kind.LOGIN7, write_login7(record), _SIZE)


def batch(text: str, size: int = _SIZE) -> bytes:
    """An SQL batch."""
    return framed(Kind.BATCH, write_headers(0) + text.encode("utf-16-le"), size)


def sp_executesql(text: str, *, name: str = "", value: str = "", size: int = _SIZE) -> bytes:
    """A call of sp_executesql, with a parameter where `name` is given."""
    parameters = _parameter("", text)
    if name:
        parameters += _parameter("", f"{name} nvarchar(50)") + _parameter(name, value)
    call = b"\xff\xff" + _EXECUTE_SQL.to_bytes(2, "little") + bytes(2) + parameters
    return framed(Kind.RPC, write_headers(0) + call, size)


def _parameter(name: str, value: str) -> bytes:
    encoded, data = name.encode("utf-16-le"), value.encode("utf-16-le")
    declared = bytes((len(name),)) + encoded + b"\0" + write_type(_TEXT)
    return declared + len(data).to_bytes(2, "little") + data


def exchange(sent: bytes, word: str) -> Exchange:
    """Text is in UTF-16 on the wire."""
    return Exchange(sent, word.encode("utf-16-le"), word)


class TdsSpecimens:
    """Implements `Specimens`."""

    admit = Admit(Credential("app", b"upstream-secret"), "ci/s-1")
    login = arriving()
    exchanges: Mapping[str, Exchange] = {
        "batch": exchange(batch("SELECT 'simple'"), "simple"),
        "in several packets": exchange(batch("SELECT 'prolonged'" + ", 1" * 1000, 512), "prolonged"),
        "sp_executesql": exchange(sp_executesql("SELECT 'called'"), "called"),
        "with a parameter": exchange(sp_executesql("SELECT @p", name="@p", value="a value"), "a value"),
    }
    after_refusal = exchange(batch("SELECT 'afterwards'"), "afterwards")
    pipelined = (exchange(batch("SELECT 'first'"), "first"), exchange(batch("SELECT 'second'"), "second"))
    unreadable: Sequence[bytes] = (
        b"\1\1\0\7\0\0\1\0",
        b"\x63\1\0\x08\0\0\1\0",
        framed(Kind.BATCH, b"", _SIZE),
        framed(Kind.BATCH, write_headers(0) + b"S", _SIZE),
        framed(Kind.BATCH, write_headers(0) + b"\0\xd8S\0", _SIZE),
        framed(Kind.BATCH, b"\xff\xff\0\0" + b"S\0", _SIZE),
        framed(Kind.RPC, write_headers(0) + b"\xff\xff\x0a\0\0\0\0\0\x99", _SIZE),
        framed(Kind.LOGIN7, write_login7(LOGIN), _SIZE),
        framed(Kind.REPLY, b"\xfd" + bytes(12), _SIZE),
        framed(Kind.SSPI, b"NTLMSSP\0", _SIZE),
        framed(Kind.PRELOGIN, b"\xff", _SIZE),
    )
    unreadable_start: Sequence[bytes] = (
        b"GET / HTTP/1.1\r\n\r\n",
        b"\x12\1\0\7\0\0\1\0",
        framed(Kind.PRELOGIN, b"\xff", _SIZE),
        framed(Kind.LOGIN7, write_login7(LOGIN), _SIZE),
        framed(Kind.BATCH, write_headers(0) + b"S\0", _SIZE),
        arriving(encryption=Encryption.ON),
        framed(Kind.PRELOGIN, write_prelogin(prelogin_of(Encryption.OFF, fedauth=False)), _SIZE)
        + framed(Kind.LOGIN7, write_login7(LOGIN)[:-2], _SIZE),
        arriving(replace(LOGIN, attach="c:\\shop.mdf")),
    )
    oversized = exchange(batch("SELECT '" + "x" * 20_000 + "'"), "xxxxxxxx")

    goodbye = b""
    injects = False
    tries_again = False

    def session(self) -> TdsSession:
        return TdsSession(opening())

    def written(self, text: str) -> bytes:
        return text.encode("utf-16-le")

    def forwarded(self, sent: bytes) -> bytes:
        return sent

    def warm_session(self) -> None:
        """Nothing is parked."""

    def server(self) -> TinyServer:
        return TinyServer()

    def look_up(self, lookup: Lookup) -> View:
        return View(catalog())

    def refusals(self, to_client: bytes) -> int:
        return list(self.answers(to_client)).count("refused")

    def answers(self, to_client: bytes) -> Sequence[str]:
        found: list[str] = []
        reader = MessageReader(1 << 24)
        reader.feed(to_client)
        while (message := reader.take()) is not None:
            assert isinstance(message, Message)
            found += _told(message.payload)
        return found


def _told(payload: bytes) -> list[str]:
    tokens, found = TokenReader(), []
    tokens.feed(payload)
    while (token := tokens.take()) is not None:
        if isinstance(token, ColMetadata):
            tokens.whole = True
        elif isinstance(token, RowRun):
            found += [str(row[0]) for row in values_of(tokens.columns or (), token)]
        elif isinstance(token, Error):
            found.append("refused")
    return found


SPECIMENS = TdsSpecimens()
