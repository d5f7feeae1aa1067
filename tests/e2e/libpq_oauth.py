"""Run as a program: log in with libpq's own OAUTHBEARER, whose hook is given a token. `libpq_oauth.py DSN TOKEN`.

Source: PostgreSQL 18 documentation, "OAuth Support" in libpq: `PQsetAuthDataHook`, `PGoauthBearerRequest`.
"""

from __future__ import annotations

import ctypes
import sys
from pathlib import Path

import psycopg
import psycopg_binary

BEARER_TOKEN = 1
"""PQAUTHDATA_OAUTH_BEARER_TOKEN."""


class Request(ctypes.Structure):
    _fields_ = [
        ("openid_configuration", ctypes.c_char_p),
        ("scope", ctypes.c_char_p),
        ("poll", ctypes.c_void_p),
        ("cleanup", ctypes.c_void_p),
        ("token", ctypes.c_char_p),
        ("user", ctypes.c_void_p),
    ]


def main(dsn: str, token: str) -> None:
    folder = Path(psycopg_binary.__file__).parents[1] / "psycopg_binary.libs"
    libpq = ctypes.CDLL(str(next(folder.glob("libpq-*.so*"))))
    shown = token.encode()
    asked: list[tuple[bytes, bytes]] = []

    def hook(kind: int, _connection: int, request: ctypes._Pointer[Request]) -> int:
        if kind != BEARER_TOKEN:
            return 0
        asked.append((request.contents.openid_configuration, request.contents.scope))
        request.contents.token = shown
        return 1

    prototype = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int, ctypes.c_void_p, ctypes.POINTER(Request))
    callback = prototype(hook)
    libpq.PQsetAuthDataHook(callback)
    with psycopg.connect(dsn, autocommit=True) as connection:
        (row,) = connection.execute("SELECT count(*) FROM orders").fetchall()
    sys.stdout.write(" ".join([str(row[0]), *(part.decode() for part in asked[0])]))


if __name__ == "__main__":
    main(*sys.argv[1:])
