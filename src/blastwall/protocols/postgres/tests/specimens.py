"""What the protocol shows of itself to the conformance suite."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from hashlib import sha256
from itertools import count

from blastwall.model.credential import Credential
from blastwall.model.resource import Address, Resource, TlsMode
from blastwall.protocols.contract import Admit, Limits, Lookup, Opening
from blastwall.protocols.postgres.catalog import Snapshot, View
from blastwall.protocols.postgres.messages import (
    SYNC,
    TERMINATE,
    Bind,
    Execute,
    Named,
    Parse,
    decode_data_row,
    encode_bind,
    encode_describe,
    encode_execute,
    encode_parse,
    encode_query,
    frame,
)
from blastwall.protocols.postgres.session import PostgresSession
from blastwall.protocols.postgres.startup import (
    PROTOCOL_3_0,
    SSL_REQUEST,
    Startup,
    encode_password,
    encode_request,
    encode_startup,
)
from blastwall.protocols.postgres.tests.server import TinyServer
from blastwall.sql.postgres import Catalog, Relation
from blastwall.testing.conformance import Exchange

DATABASE = "shop"
RELATIONS = (
    Relation(16385, "public", "customers", "r", ("id", "name", "email"), "", (23, 25, 25)),
    Relation(16390, "public", "orders", "r", ("id", "customer", "total"), "", (23, 23, 1700)),
)
RESOURCE = Resource("pg-prod", "postgres", Address("127.0.0.1", 5432, TlsMode.DISABLE), (DATABASE,))


def snapshot() -> Snapshot:
    """A small catalog."""
    path = ("$user", "public")
    catalog = Catalog(DATABASE, 1, RELATIONS, (), ("pg_catalog", "information_schema", "public"), path)
    return Snapshot(catalog, {}, frozenset(), path)


def opening() -> Opening:
    """A plain-text opening whose entropy repeats, so that conversations can be compared."""
    drawn = count()

    def entropy(size: int) -> bytes:
        return sha256(str(next(drawn)).encode()).digest()[:size]

    return Opening("s-1", RESOURCE, entropy, Limits(statement=4096, message=64 * 1024), plain_text=True)


def startup(**parameters: str) -> bytes:
    """A StartupMessage for the shop."""
    return encode_startup(Startup(PROTOCOL_3_0, {"user": "ci", "database": DATABASE, **parameters}))


def query(text: str) -> bytes:
    """A simple Query."""
    return encode_query(text)


def extended(text: str, *values: bytes, sync: bool = True, name: str = "") -> bytes:
    """Parse, Bind, Describe, Execute and, if asked for, Sync."""
    return (
        encode_parse(Parse(name, text))
        + encode_bind(Bind("", name, (), values))
        + encode_describe(Named("P", ""))
        + encode_execute(Execute(""))
        + (SYNC if sync else b"")
    )


class PostgresSpecimens:
    """Implements `Specimens`."""

    admit = Admit(Credential("app", b"upstream-secret"), "ci/s-1")
    login = startup() + encode_password(b"token")
    exchanges: Mapping[str, Exchange] = {
        "query": Exchange(query("SELECT 'simple'"), b"simple"),
        "several": Exchange(query("SELECT 1; SELECT 'second'"), b"second"),
        "long": Exchange(query("SELECT 'long'" + ", 1" * 1000), b"long"),
        "long and extended": Exchange(extended("SELECT 'prolonged'" + ", 1" * 1000), b"prolonged"),
        "extended": Exchange(extended("SELECT 'extended'"), b"extended"),
        "named": Exchange(extended("SELECT 'named'", name="s1"), b"named"),
        "bound": Exchange(extended("SELECT $1::text", b"a value"), b"a value"),
    }
    after_refusal = Exchange(query("SELECT 'afterwards'"), b"afterwards")
    pipelined = (
        Exchange(extended("SELECT 'first'", sync=False), b"first"),
        Exchange(extended("SELECT 'second'"), b"second"),
    )
    unreadable: Sequence[bytes] = (
        b"Q\0\0\0\3",
        b"Q\xff\xff\xff\xff",
        b"?\0\0\0\4",
        b"p\0\0\0\5\0",
        frame(b"Q", b"SELECT 1"),
        frame(b"Q", b"SELECT '\xff'\0"),
        frame(b"Q", b"SELECT 1\0DROP TABLE orders\0"),
        frame(b"P", b"\0SELECT 1\0\0\1"),
        frame(b"B", b"\0\0\0\0\0\1\xff\xff\xff\xfe\0\0"),
        frame(b"D", b"X\0"),
        frame(b"E", b"\0\0"),
    )
    unreadable_start: Sequence[bytes] = (
        b"GET / HTTP/1.1\r\n\r\n",
        b"\0\0\0\4",
        b"\0\0\0\7\0\3\0",
        b"\x7f\xff\xff\xff\0\3\0\0",
        encode_request(SSL_REQUEST) + startup(),
        encode_startup(Startup(2 << 16, {"user": "ci"})),
        startup()[:-1] + b"x",
        startup() + frame(b"Q", b"SELECT 1\0"),
    )
    oversized = Exchange(query("SELECT '" + "x" * 20_000 + "'"), b"xxxxxxxx")

    goodbye = TERMINATE
    injects = True
    tries_again = False

    def session(self) -> PostgresSession:
        return PostgresSession(opening())

    def written(self, text: str) -> bytes:
        return text.encode()

    def forwarded(self, sent: bytes) -> bytes:
        return sent

    def warm_session(self) -> PostgresSession:
        return PostgresSession(replace(opening(), warm=True))

    def server(self) -> TinyServer:
        return TinyServer()

    def look_up(self, lookup: Lookup) -> View:
        return View(snapshot())

    def refusals(self, to_client: bytes) -> int:
        return list(self.answers(to_client)).count("refused")

    def answers(self, to_client: bytes) -> Sequence[str]:
        found: list[str] = []
        position = 0
        while position < len(to_client):
            kind = to_client[position : position + 1]
            end = position + 1 + int.from_bytes(to_client[position + 1 : position + 5], "big")
            body = to_client[position + 5 : end]
            if kind == b"E":
                found.append("refused")
            elif kind == b"D":
                found.append((decode_data_row(body)[0] or b"").decode())
            position = end
        return found


SPECIMENS = PostgresSpecimens()
