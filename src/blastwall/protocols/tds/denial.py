"""Refusals in the client's protocol: an ordinary error, after which the connection lives on.

    batch, transaction request, bulk load    ERROR, DONE with the error bit
    RPC of n calls                           n times ERROR, DONEPROC with the error bit; all but the last: more follows

Nothing of a refused request reaches the resource, so its transaction is as it was: SQL Server does not undo one for an
error either, but where XACT_ABORT is on (`docs/adr/0032-denial-and-limits-over-tds.md`).

Source: MS-TDS 2.2.7.10 "ERROR" (a severity of 20 and more ends the connection), 2.2.7.6 "DONE". Numbers are SQL
Server's own where it has one for the occasion ("Database Engine events and errors"); 50000 is RAISERROR's for a text.
"""

from __future__ import annotations

from dataclasses import dataclass

from blastwall.protocols.tds.answers import done, env_change, error, info
from blastwall.protocols.tds.packets import HEADER, Kind, header
from blastwall.protocols.tds.tokens import CANCELLED, DONE, DONE_PROC, ENV_ROLLBACK, FAILED, MORE

PERMISSION = 229
"""The permission was denied on the object."""
UNSUPPORTED = 40510
"""The statement is not supported (Azure SQL)."""
BUSY = 10928
"""A limit of the database's has been reached (Azure SQL): drivers know that it may be tried again."""
LIMIT = 50000
NO_HANDLE = 8179
"""Could not find prepared statement with handle …"""
NO_CURSOR = 16909
"""The cursor identifier value provided is not valid."""
STOPPED = 50000

_SEVERITY = 14
_CALL = 0xE0
"""What DONEPROC's CurCmd is for EXECUTE."""


@dataclass(frozen=True, slots=True)
class Denial:
    """Why a request is refused: an error number and the text that the client hears."""

    number: int
    text: str
    severity: int = _SEVERITY


def refusal(denial: Denial, calls: int, server: str) -> bytes:
    """The payload that answers a refused request; `calls` is how many calls an RPC holds, 0 for other requests."""
    said = error(denial.number, denial.text, state=1, severity=denial.severity, server=server, procedure="", line=1)
    if not calls:
        return said + done(DONE, FAILED, 0, 0)
    last = said + done(DONE_PROC, FAILED, _CALL, 0)
    return (said + done(DONE_PROC, FAILED | MORE, _CALL, 0)) * (calls - 1) + last


def acknowledgement() -> bytes:
    """The payload that answers an attention, where the resource need not."""
    return done(DONE, CANCELLED, 0, 0)


def ignored() -> bytes:
    """The payload that answers a request which the client took back before its end (MS-TDS 2.2.1.7)."""
    return done(DONE, FAILED, 0, 0)


def rolled_back(descriptor: int) -> bytes:
    """The token that tells the client that its transaction was rolled back."""
    return env_change(ENV_ROLLBACK, b"", descriptor.to_bytes(8, "little"))


def notice(text: str, server: str) -> bytes:
    """The payload that tells the client something while it waits."""
    return info(0, text, state=1, severity=0, server=server, procedure="", line=1)


def begun(payload: bytes, size: int) -> bytes:
    """Packets of an answer that goes on: none of them ends the message, so that the client reads what is there."""
    room = size - HEADER
    parts = [payload[start : start + room] for start in range(0, len(payload), room)]
    return b"".join(header(Kind.REPLY, 0, HEADER + len(part), 0, n) + part for n, part in enumerate(parts, 1))
