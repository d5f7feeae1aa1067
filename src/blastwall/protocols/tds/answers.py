"""What the gateway itself says in a reply: the tokens of `tokens.py`, written.

Source: MS-TDS 2.2.7. All are for TDS 7.2 and later.
"""

from __future__ import annotations

from collections.abc import Iterable
from struct import pack

from blastwall.protocols.tds.fields import b_varbyte, b_varchar, us_varchar
from blastwall.protocols.tds.tokens import (
    DONE,
    ENV_BEGIN,
    ENV_CHANGE,
    ENV_COLLATION,
    ENV_COMMIT,
    ENV_DEFECT,
    ENV_ENDED,
    ENV_ENLIST,
    ENV_MANAGER,
    ENV_RESET,
    ENV_ROLLBACK,
    ENV_ROUTING,
    ERROR,
    FEATURE_EXT_ACK,
    FEDAUTH_INFO,
    INFO,
    LOGIN_ACK,
    RETURN_STATUS,
    RETURN_VALUE,
    Error,
    Info,
    Notice,
    ReturnValue,
)
from blastwall.protocols.tds.types import write_type

REFUSAL_SEVERITY = 14
"""Of an error that drivers raise as an ordinary one; from 20 on they give up the connection."""
_LONGEST = 20_000
"""Code units of a message: its token's length must fit two bytes."""
_BYTES_ENVS = frozenset(
    {ENV_COLLATION, ENV_BEGIN, ENV_COMMIT, ENV_ROLLBACK, ENV_ENLIST, ENV_DEFECT, ENV_MANAGER, ENV_ENDED, ENV_RESET}
)


def error(
    number: int,
    text: str,
    *,
    state: int = 1,
    severity: int = REFUSAL_SEVERITY,
    server: str = "",
    procedure: str = "",
    line: int = 1,
) -> bytes:
    """Write an ERROR; a text that is too long for it is cut."""
    return _notice(ERROR, Notice(number, state, severity, text, server, procedure, line))


def info(
    number: int,
    text: str,
    *,
    state: int = 1,
    severity: int = 0,
    server: str = "",
    procedure: str = "",
    line: int = 1,
) -> bytes:
    """Write an INFO; a text that is too long for it is cut."""
    return _notice(INFO, Notice(number, state, severity, text, server, procedure, line))


def notice(told: Error | Info) -> bytes:
    """Write an error or a message that was read, with what was changed in it."""
    return _notice(ERROR if isinstance(told, Error) else INFO, told)


def _notice(kind: int, told: Notice) -> bytes:
    body = pack("<iBB", told.number, told.state, told.severity) + us_varchar(told.message[:_LONGEST])
    body += b_varchar(told.server) + b_varchar(told.procedure) + pack("<i", told.line)
    return bytes((kind,)) + pack("<H", len(body)) + body


def done(kind: int = DONE, status: int = 0, command: int = 0, rows: int = 0) -> bytes:
    """Write a DONE, DONEPROC or DONEINPROC."""
    return pack("<BHHQ", kind, status, command, rows)


def return_status(value: int) -> bytes:
    """Write a RETURNSTATUS."""
    return pack("<Bi", RETURN_STATUS, value)


def return_value(value: ReturnValue) -> bytes:
    """Write a RETURNVALUE; its `raw` is not looked at."""
    head = pack("<BH", RETURN_VALUE, value.ordinal) + b_varchar(value.name)
    return head + pack("<BIH", value.status, value.user_type, value.flags) + write_type(value.type) + value.field


def env_change(kind: int, new: str | bytes, old: str | bytes = b"") -> bytes:
    """Write an ENVCHANGE. The values are text or bytes, as its type has them (2.2.7.9); see `routing` for that."""
    body = bytes((kind,)) + _env_value(kind, new) + _env_value(kind, old)
    return bytes((ENV_CHANGE,)) + pack("<H", len(body)) + body


def _env_value(kind: int, value: str | bytes) -> bytes:
    if kind in _BYTES_ENVS:
        return b_varbyte(value if isinstance(value, bytes) else value.encode("utf-16-le"))
    return b_varchar(value if isinstance(value, str) else value.decode("utf-16-le"))


def routing(host: str, port: int) -> bytes:
    """Write the ENVCHANGE that sends a login on to another server."""
    value = pack("<BH", 0, port) + us_varchar(host)
    body = bytes((ENV_ROUTING,)) + pack("<H", len(value)) + value + b"\0\0"
    return bytes((ENV_CHANGE,)) + pack("<H", len(body)) + body


def login_ack(tds: int, program: str, version: tuple[int, int, int, int], interface: int = 1) -> bytes:
    """Write a LOGINACK; `interface` 1 is T-SQL."""
    body = bytes((interface,)) + tds.to_bytes(4, "big") + b_varchar(program) + bytes(version)
    return bytes((LOGIN_ACK,)) + pack("<H", len(body)) + body


def feature_ack(features: Iterable[tuple[int, bytes]]) -> bytes:
    """Write a FEATUREEXTACK."""
    acknowledged = b"".join(pack("<BI", id_, len(data)) + data for id_, data in features)
    return bytes((FEATURE_EXT_ACK,)) + acknowledged + b"\xff"


def fedauth_info(options: Iterable[tuple[int, str]]) -> bytes:
    """Write a FEDAUTHINFO (2.2.7.12): a directory of ids, lengths and offsets, then the texts."""
    encoded = [(id_, text.encode("utf-16-le")) for id_, text in options]
    offset = 4 + 9 * len(encoded)
    directory, texts = b"", b""
    for id_, text in encoded:
        directory += pack("<BII", id_, len(text), offset + len(texts))
        texts += text
    body = pack("<I", len(encoded)) + directory + texts
    return bytes((FEDAUTH_INFO,)) + pack("<I", len(body)) + body
