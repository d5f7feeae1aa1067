"""Errors that end a login, as SQL Server numbers them, so that drivers say and retry what they would there.

Source: SQL Server documentation, "Database Engine events and errors"; Azure SQL, "Troubleshoot connectivity issues".
"""

from __future__ import annotations

from blastwall.protocols.contract import CLIENT, Close, Output, Send
from blastwall.protocols.tds.answers import done, error
from blastwall.protocols.tds.packets import Kind, framed
from blastwall.protocols.tds.tokens import FAILED, SERVER_ERROR
from blastwall.protocols.tds.wrapping import INITIAL_SIZE

LOGIN_FAILED = 18456
CANNOT_OPEN_DATABASE = 4060
LIMIT_REACHED = 10928
"""Azure's: too many logins or workers; drivers that retry do so."""
UNAVAILABLE = 40613
"""Azure's: the database cannot be reached at the moment; drivers that retry do so."""
SHUTTING_DOWN = 6005
TRANSIENT = frozenset({4221, 10928, 10929, 40143, 40166, 40197, 40501, 40540, 40613, 42108, 42109, 49918, 49919, 49920})
"""What a server says that another one, or the same one later, may not."""

_SERVER = "blastwall"
_SEVERITY = 14
_FATAL = 20
"""From here on drivers give up the connection (MS-TDS 2.2.7.10)."""


def login_error(number: int, text: str) -> bytes:
    """Write the reply that ends a login."""
    told = error(number, text, severity=_SEVERITY, server=_SERVER)
    return framed(Kind.REPLY, told + done(status=FAILED), INITIAL_SIZE)


def last_error(number: int, text: str, size: int) -> bytes:
    """Write a message that ends a session, in packets of `size` bytes: an error of a severity that closes it."""
    told = error(number, text, severity=_FATAL, server=_SERVER)
    return framed(Kind.REPLY, told + done(status=FAILED | SERVER_ERROR), size)


def refuse_login(number: int, message: str, reason: str = "") -> list[Output]:
    """An error as a server sends it before a session is ready, and the end, for a `reason` of the operator's."""
    return [Send(CLIENT, login_error(number, f"blastwall: {message}")), Close(reason or message)]
