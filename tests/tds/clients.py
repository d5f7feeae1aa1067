"""The four drivers for SQL Server behind one small face, so that one suite can drive them all.

Each speaks to a server on loopback: mssql-python is Microsoft's ODBC driver, pymssql is FreeTDS, python-tds and
tedious have protocol implementations of their own.
"""

from __future__ import annotations

import ctypes
import json
import os
import struct
import subprocess
import sys
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import mssql_python
import pymssql
import pytds

from blastwall.testing.servers import environment, find_libtool, find_tedious

Row = tuple[object, ...]
Loaded = tuple[int | str, ...]
Value = int | str | float | bytes
_ACCESS_TOKEN = 1256
_RUNNER = Path(__file__).with_name("tedious.cjs")


class Failed(Exception):
    """A statement or a login failed. `number` is SQL Server's, 0 where the driver keeps it to itself."""

    def __init__(self, number: int, text: str) -> None:
        super().__init__(f"{number}: {text}")
        self.number, self.text = number, text


@dataclass(frozen=True)
class Target:
    """Where to connect, and as whom: by a password, or by a token."""

    port: int
    ca: Path
    user: str = "sa"
    password: str = ""
    token: str = ""
    database: str = "shop"
    strict: bool = False


class Client(Protocol):
    """One connection."""

    def query(self, text: str, *values: Value) -> list[Row]:
        """Run text with `?` for each value; return the rows of its last result."""

    def prepared(self, text: str, values: Sequence[Sequence[Value]]) -> list[list[Row]]:
        """Prepare text once and run it with each set of values."""

    def begin(self) -> None: ...

    def commit(self) -> None: ...

    def roll_back(self) -> None: ...

    def cancelled(self, text: str, seconds: float) -> None:
        """Run text and cancel it after a while; return once the cancelling is done."""

    def load(self, table: str, columns: Sequence[str], rows: Sequence[Loaded]) -> int:
        """Load rows in bulk; return how many."""

    def close(self) -> None: ...


_BULK_COPY = """
import json, sys
asked = json.load(sys.stdin)
rows = [tuple(row) for row in asked["rows"]]
if "text" in asked:
    import mssql_python
    with mssql_python.connect(asked["text"]) as connection, connection.cursor() as cursor:
        cursor.bulkcopy(asked["table"], rows, column_mappings=asked["columns"])
else:
    import pymssql
    with pymssql.connect(**asked["login"]) as connection:
        connection.bulk_copy(asked["table"], rows)
"""


def _load_apart(rows: Sequence[Loaded], **asked: object) -> int:
    """Load in a process of its own: these drivers keep Python's lock while they wait, and the server needs it."""
    done = subprocess.run(
        [sys.executable, "-c", _BULK_COPY], input=json.dumps({**asked, "rows": rows}), env=environment(), text=True,
        check=False, capture_output=True, timeout=60,
    )  # fmt: skip
    if done.returncode:
        raise Failed(0, done.stderr.strip().splitlines()[-1])
    return len(rows)


class MssqlPython:
    """Microsoft's driver over its ODBC driver."""

    def __init__(self, target: Target) -> None:
        library = find_libtool()
        if library is not None:
            ctypes.CDLL(str(library), ctypes.RTLD_GLOBAL)
        os.environ["SSL_CERT_FILE"] = str(target.ca)
        mssql_python.pooling(enabled=False)
        text = (
            f"Server=localhost,{target.port};Database={target.database};Encrypt={'strict' if target.strict else 'yes'};"
        )
        attributes: dict[int, int | str | bytes] = {}
        if target.token:
            data = target.token.encode("utf-16-le")
            attributes[_ACCESS_TOKEN] = struct.pack("<I", len(data)) + data
        else:
            text += f"Uid={target.user};Pwd={{{target.password}}};"
        with _failures():
            self._text = text
            self._connection = mssql_python.connect(text, autocommit=True, attrs_before=attributes)
        self.messages: list[str] = []

    def query(self, text: str, *values: Value) -> list[Row]:
        with _failures(), self._connection.cursor() as cursor:
            cursor.execute(text, *values)
            rows = _last(cursor)
            self.messages = [str(one[1]) for one in cursor.messages]
            return rows

    def prepared(self, text: str, values: Sequence[Sequence[Value]]) -> list[list[Row]]:
        with _failures(), self._connection.cursor() as cursor:
            found: list[list[Row]] = []
            for one in values:
                cursor.execute(text, *one, reset_cursor=False) if found else cursor.execute(text, *one)
                found.append([tuple(row) for row in cursor.fetchall()])
            return found

    def begin(self) -> None:
        with _failures():
            self._connection.autocommit = False

    def commit(self) -> None:
        with _failures():
            self._connection.commit()
            self._connection.autocommit = True

    def roll_back(self) -> None:
        with _failures():
            self._connection.rollback()
            self._connection.autocommit = True

    def cancelled(self, text: str, seconds: float) -> None:
        """The driver offers no cancel of a running statement but its timeout."""
        self._connection.timeout = max(1, int(seconds))
        try:
            self.query(text)
        finally:
            self._connection.timeout = 0

    def load(self, table: str, columns: Sequence[str], rows: Sequence[Loaded]) -> int:
        return _load_apart(rows, text=self._text, table=table, columns=columns)

    def close(self) -> None:
        self._connection.close()


class Pymssql:
    """FreeTDS."""

    def __init__(self, target: Target) -> None:
        if target.token or target.strict:
            raise NotImplementedError
        self._target = target
        with _failures():
            self._connection = pymssql.connect(
                server="127.0.0.1", port=str(target.port), user=target.user, password=target.password,
                database=target.database, autocommit=True, encryption="require", login_timeout=60, tds_version="7.4",
            )  # fmt: skip

    def query(self, text: str, *values: Value) -> list[Row]:
        with _failures(), self._connection.cursor() as cursor:
            if values:
                cursor.execute(text.replace("%", "%%").replace("?", "%s"), values)
            else:
                cursor.execute(text)
            return _last(cursor)

    def prepared(self, text: str, values: Sequence[Sequence[Value]]) -> list[list[Row]]:
        """It has no prepared statements: each is a batch of its own."""
        return [self.query(text, *one) for one in values]

    def begin(self) -> None:
        with _failures():
            self._connection.autocommit(False)

    def commit(self) -> None:
        with _failures():
            self._connection.commit()
            self._connection.autocommit(True)

    def roll_back(self) -> None:
        with _failures():
            self._connection.rollback()
            self._connection.autocommit(True)

    def cancelled(self, text: str, seconds: float) -> None:
        """It cancels where a result is not read to its end."""
        with self._connection.cursor() as cursor, _failures():
            cursor.execute(text)
            cursor.fetchone()

    def load(self, table: str, columns: Sequence[str], rows: Sequence[Loaded]) -> int:
        login = {
            "server": "127.0.0.1", "port": str(self._target.port), "user": self._target.user, "autocommit": True,
            "password": self._target.password, "database": self._target.database, "encryption": "require",
        }  # fmt: skip
        return _load_apart(rows, login=login, table=table)

    def close(self) -> None:
        self._connection.close()


class PythonTds:
    """A protocol implementation in Python."""

    def __init__(self, target: Target) -> None:
        if target.strict:
            raise NotImplementedError
        who: dict[str, object] = {"user": target.user, "password": target.password}
        if target.token:
            who = {"access_token_callable": lambda: target.token}
        with _failures(), warnings.catch_warnings():
            warnings.filterwarnings("ignore", "X509.get_subject", DeprecationWarning)  # its own use of pyOpenSSL
            self._connection = pytds.connect(
                dsn="localhost", port=target.port, database=target.database, cafile=str(target.ca), autocommit=True,
                login_timeout=60, **who,
            )  # fmt: skip

    def query(self, text: str, *values: Value) -> list[Row]:
        with _failures(), self._connection.cursor() as cursor:
            cursor.execute(text.replace("%", "%%").replace("?", "%s") if values else text, values)
            return _last(cursor)

    def prepared(self, text: str, values: Sequence[Sequence[Value]]) -> list[list[Row]]:
        """It has no prepared statements: each is a call of sp_executesql."""
        return [self.query(text, *one) for one in values]

    def begin(self) -> None:
        with _failures():
            self._connection.autocommit = False

    def commit(self) -> None:
        with _failures():
            self._connection.commit()
            self._connection.autocommit = True

    def roll_back(self) -> None:
        with _failures():
            self._connection.rollback()
            self._connection.autocommit = True

    def cancelled(self, text: str, seconds: float) -> None:
        """Its cancel from another thread does not suit pyOpenSSL; it cancels where a result is not read to its end."""
        with self._connection.cursor() as cursor, _failures():
            cursor.execute(text)
            cursor.fetchone()

    def load(self, table: str, columns: Sequence[str], rows: Sequence[Loaded]) -> int:
        with _failures(), self._connection.cursor() as cursor:
            cursor.copy_to(data=rows, table_or_view=table, columns=_pytds_columns(columns, rows))
        return len(rows)

    def close(self) -> None:
        self._connection.close()


def _pytds_columns(names: Sequence[str], rows: Sequence[Loaded]) -> list[object]:
    types = {int: pytds.tds_types.IntType(), str: pytds.tds_types.NVarCharType(100)}
    return [
        pytds.tds_base.Column(name=name, type=types[type(value)]) for name, value in zip(names, rows[0], strict=True)
    ]


class Tedious:
    """Node.js's driver, in a process of its own."""

    def __init__(self, target: Target) -> None:
        env = {**environment(), "NODE_PATH": str(find_tedious()), "NODE_EXTRA_CA_CERTS": str(target.ca)}
        self._process = subprocess.Popen(
            ["node", str(_RUNNER)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=env
        )
        login: dict[str, object] = {
            "type": "default",
            "options": {"userName": target.user, "password": target.password},
        }
        if target.token:
            login = {"type": "azure-active-directory-access-token", "options": {"token": target.token}}
        options = {
            "port": target.port, "database": target.database, "encrypt": "strict" if target.strict else True,
            "connectTimeout": 60000, "requestTimeout": 60000, "cancelTimeout": 60000, "trustServerCertificate": False,
        }  # fmt: skip
        self.messages: list[str] = []
        try:
            self.ask("connect", config={"server": "localhost", "authentication": login, "options": options})
        except Failed:
            self._end()
            raise

    def ask(self, do: str, **more: object) -> dict[str, object]:
        """Send one request to the runner; return its answer."""
        if self._process.stdin is None or self._process.stdout is None:
            raise TypeError(do)
        self._process.stdin.write(json.dumps({"do": do, **more}) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        answer: dict[str, object] = json.loads(line or '{"error": {"number": null, "message": "the runner ended"}}')
        if isinstance(told := answer.get("messages"), list):
            self.messages = [one["message"] for one in told]
        error = answer.get("error")
        if isinstance(error, dict):
            raise Failed(int(error["number"] or 0), f"{error.get('code')} {error['message']}")
        return answer

    def query(self, text: str, *values: Value) -> list[Row]:
        parameters = [_tedious_parameter(f"p{index}", value) for index, value in enumerate(values, 1)]
        named = text
        for one in parameters:
            named = named.replace("?", f"@{one['name']}", 1)
        return _tedious_rows(self.ask("sql" if values else "batch", text=named, parameters=parameters))

    def prepared(self, text: str, values: Sequence[Sequence[Value]]) -> list[list[Row]]:
        parameters = [_tedious_parameter(f"p{index}", value) for index, value in enumerate(values[0], 1)]
        named = text
        for one in parameters:
            named = named.replace("?", f"@{one['name']}", 1)
        sets = [{str(p["name"]): value for p, value in zip(parameters, one, strict=True)} for one in values]
        answer = self.ask("prepared", text=named, parameters=parameters, values=sets)
        results = answer["results"]
        return [[tuple(row) for row in one] for one in results] if isinstance(results, list) else []

    def begin(self) -> None:
        self.ask("begin")

    def commit(self) -> None:
        self.ask("commit")

    def roll_back(self) -> None:
        self.ask("rollback")

    def cancelled(self, text: str, seconds: float) -> None:
        self.ask("batch", text=text, cancelAfter=seconds * 1000)

    def load(self, table: str, columns: Sequence[str], rows: Sequence[Loaded]) -> int:
        described = [
            {"name": name, "type": "Int" if isinstance(value, int) else "NVarChar", "options": {"length": 100}}
            for name, value in zip(columns, rows[0], strict=True)
        ]
        return int(str(self.ask("bulk", table=table, columns=described, rows=[list(row) for row in rows])["count"]))

    def close(self) -> None:
        self.ask("close")
        self._end()

    def _end(self) -> None:
        if self._process.stdin is not None:
            self._process.stdin.close()
        self._process.wait(60)
        if self._process.stdout is not None:
            self._process.stdout.close()


def _tedious_parameter(name: str, value: object) -> dict[str, object]:
    kind = {int: "Int", str: "NVarChar", float: "Float", bool: "Bit", bytes: "VarBinary"}[type(value)]
    given = {"hex": value.hex()} if isinstance(value, bytes) else value
    return {"name": name, "type": kind, "value": given}


def _tedious_rows(answer: dict[str, object]) -> list[Row]:
    results = answer.get("results")
    if not isinstance(results, list) or not results:
        return []
    return [tuple(_plain(value) for value in row) for row in results[-1]["rows"]]


def _plain(value: object) -> object:
    return bytes.fromhex(str(value["hex"])) if isinstance(value, dict) and "hex" in value else value


class _Cursor(Protocol):
    @property
    def description(self) -> object: ...

    def fetchall(self) -> Sequence[Sequence[object]]: ...

    def nextset(self) -> object: ...


def _last(cursor: _Cursor) -> list[Row]:
    """Return the rows of the last result, having read all before it."""
    rows: list[Row] = []
    while True:
        if cursor.description is not None:
            rows = [tuple(row) for row in cursor.fetchall()]
        if not cursor.nextset():
            return rows


class _failures:  # noqa: N801 - it reads as a word in `with`
    """Turns a driver's exception into one that all share."""

    def __enter__(self) -> None: ...

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, (mssql_python.Error, pymssql.Error, pytds.Error)):
            raise Failed(*_told(error)) from error


def _told(error: BaseException) -> tuple[int, str]:
    first = error.args[0] if error.args else 0
    if isinstance(first, tuple):
        first = first[0]
    number = (
        getattr(error, "number", None) or getattr(error, "msg_no", None) or (first if isinstance(first, int) else 0)
    )
    text = str(error)
    return int(number or 0), text


DRIVERS: dict[str, type[MssqlPython | Pymssql | PythonTds | Tedious]] = {
    "mssql-python": MssqlPython, "pymssql": Pymssql, "python-tds": PythonTds, "tedious": Tedious,
}  # fmt: skip
