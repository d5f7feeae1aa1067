"""The story's chapter about Azure SQL: the same agent and token, with a driver that knows of no gateway."""

from __future__ import annotations

import warnings
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from blastwall.testing.demo.scene import Rows, Scene, tell_ana, waiting
from blastwall.testing.demo.telling import shorten

if TYPE_CHECKING:
    from pytds import Connection

    from blastwall.testing.demo.sql_server import SqlServer

_PERMISSION_DENIED = 229
"""SQL Server's error for a permission that is missing, of class 14: drivers and their users know it."""


@dataclass(frozen=True, slots=True)
class _Refused:
    """An error that came back; `number` is SQL Server's."""

    number: int
    text: str


def query_azure_sql(scene: Scene) -> None:
    """Walk the chapter, where its server could be started."""
    server = scene.world.sql
    if server is None:
        scene.teller.step("The same agent asks Azure SQL")
        scene.teller.said("left out: its stand-in needs the packages of the development environment", "yellow")
        return
    connection = _connect(scene)
    try:
        read_masked(scene, connection)
        refuse(scene, connection, server)
        limit(scene, connection, server)
        approve(scene, connection, server)
    finally:
        connection.close()


def read_masked(scene: Scene, connection: Connection) -> None:
    """The token is an Entra access token here; columns are masked as they are over PostgreSQL."""
    scene.teller.step(
        "The same agent asks Azure SQL: its token is an Entra access token here",
        "An unmodified driver; the gateway logs in with its managed identity. The server is a stand-in, see the docs.",
    )
    scene.teller.sent("pytds", f"access_token_callable → {shorten(scene.token)}")
    rows = _ask(scene, connection, "SELECT TOP 3 id, name, email, phone, ssn FROM customers ORDER BY id")
    real = scene.world.shop.customers
    hidden = {value for one in real for value in (one.email, one.phone, one.ssn)}
    scene.teller.check("names are readable", [row[1] for row in rows] == [one.name for one in real[:3]])
    scene.teller.check("no e-mail, phone or SSN is", not hidden & {str(value) for row in rows for value in row})
    copied = _ask(scene, connection, "SELECT ssn AS x INTO #mine FROM customers; SELECT TOP 1 x FROM #mine")
    scene.teller.check("nor by way of a temporary table", bool(copied) and copied[0][0] == rows[0][4])


def refuse(scene: Scene, connection: Connection, server: SqlServer) -> None:
    """What a thief would send; the session lives on."""
    scene.teller.step("It tries a shell, text put together at run time, and DELETE without WHERE")
    for text in (
        "EXEC xp_cmdshell 'whoami'",
        "DECLARE @name nvarchar(99) = (SELECT TOP 1 note FROM orders); EXEC (N'DROP TABLE ' + @name)",
        "DELETE FROM orders",
    ):
        refused = _refusal(scene, connection, text)
        scene.teller.check("an ordinary error, 229", refused is not None and refused.number == _PERMISSION_DENIED)
    count = _ask(scene, connection, "SELECT COUNT(*) AS orders FROM orders")
    scene.teller.check("the session lives on, and every order is there", count == [(len(scene.world.shop.orders),)])
    reached = "\n".join(server.texts())
    scene.teller.check("none of it reached the server", not any(one in reached for one in ("xp_", "EXEC", "DELETE")))


def limit(scene: Scene, connection: Connection, server: SqlServer) -> None:
    """More rows than policy allows are undone."""
    scene.teller.step("It may mark five orders at once: what changes more is undone as a whole")
    marked = "SELECT COUNT(*) FROM orders WHERE status = 'lost'"
    over = _refusal(scene, connection, "UPDATE orders SET status = 'lost' WHERE id > 0")
    scene.teller.check("refused, and undone", over is not None and server.ask(marked) == [(0,)])
    _ask(scene, connection, "UPDATE orders SET status = 'lost' WHERE id IN (3, 4)")
    scene.teller.check("two are marked", server.ask(marked) == [(2,)])


def approve(scene: Scene, connection: Connection, server: SqlServer) -> None:
    """A DELETE waits for a person."""
    scene.teller.step("A DELETE of one order waits for a person here, too")
    there = "SELECT COUNT(*) FROM orders WHERE id = 7"
    with ThreadPoolExecutor(1) as beside:
        held = beside.submit(_ask, scene, connection, "DELETE FROM orders WHERE id = 7")
        request = waiting(scene)
        scene.teller.check("nothing is deleted yet", not held.done() and server.ask(there) == [(1,)])
        said = tell_ana(scene, "approve", request, "--comment", "ordered twice")
        scene.teller.check("ana's approval is taken", "approved, 1/1 dba" in said)
        held.result(60)
    scene.teller.check("then it ran: the order is gone", server.ask(there) == [(0,)])


def _connect(scene: Scene) -> Connection:
    import pytds

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "X509.get_subject", DeprecationWarning)  # its own use of pyOpenSSL
        return pytds.connect(
            dsn="localhost", port=scene.world.gateway.port("azure-sql"), database="shop",
            cafile=str(scene.world.gateway.ca), access_token_callable=lambda: scene.token, autocommit=True,
            login_timeout=60,
        )  # fmt: skip


def _ask(scene: Scene, connection: Connection, text: str) -> Rows:
    """Send a batch, show it and the rows of its last result, and return them."""
    scene.teller.sent("pytds", text)
    with connection.cursor() as cursor:
        cursor.execute(text)
        while cursor.description is None and cursor.nextset():
            pass
        if cursor.description is None:
            return []
        names = [str(column[0]) for column in cursor.description]
        rows = [tuple(row) for row in cursor.fetchall()]
    scene.teller.rows(names, rows)
    return rows


def _refusal(scene: Scene, connection: Connection, text: str) -> _Refused | None:
    """Send a batch, show the error that came back, and return it."""
    import pytds

    scene.teller.sent("pytds", text)
    try:
        with connection.cursor() as cursor:
            cursor.execute(text)
    except pytds.Error as error:
        refused = _Refused(int(getattr(error, "msg_no", 0)), str(error.args[0]))
        scene.teller.refused(f"{refused.number}  {refused.text}")
        return refused
    scene.teller.said("no error", "red")
    return None
