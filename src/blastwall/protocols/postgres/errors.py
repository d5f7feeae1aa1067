"""ErrorResponse and NoticeResponse: the gateway's own, and what of the server's may be shown.

Source: PostgreSQL documentation, "Error and Notice Message Fields" and appendix A, "PostgreSQL Error Codes".
"""

from __future__ import annotations

from collections.abc import Mapping

from blastwall.protocols.postgres.messages import frame
from blastwall.wire.reader import Malformed, Reader

INSUFFICIENT_PRIVILEGE = "42501"
INVALID_AUTHORIZATION = "28000"
INVALID_CATALOG = "3D000"
TOO_MANY_CONNECTIONS = "53300"
QUERY_CANCELED = "57014"
ADMIN_SHUTDOWN = "57P01"
PROTOCOL_VIOLATION = "08P01"
CONNECTION_FAILURE = "08006"
OBJECT_IN_USE = "55006"
FEATURE_NOT_SUPPORTED = "0A000"
TOO_MANY_CONNECTIONS = "53300"
CONFIGURATION_LIMIT = "53400"
PROGRAM_LIMIT = "54000"
SYSTEM_ERROR = "58000"
UNDEFINED_CURSOR = "34000"
UNDEFINED_STATEMENT = "26000"


def encode_error(code: str, message: str, *, severity: str = "ERROR", hint: str = "") -> bytes:
    return frame(b"E", _fields({"S": severity, "V": severity, "C": code, "M": message, "H": hint}))


def encode_notice(message: str, *, code: str = "00000") -> bytes:
    return frame(b"N", _fields({"S": "NOTICE", "V": "NOTICE", "C": code, "M": message}))


def encode_fields(kind: bytes, fields: Mapping[str, str]) -> bytes:
    """An error (`E`) or notice (`N`) of the given fields, in their order; empty ones are left out."""
    return frame(kind, _fields(fields))


def decode_fields(body: bytes) -> dict[str, str]:
    """Fields by their type letter. Text that is not UTF-8 is shown with replacement characters: it is only told."""
    reader = Reader(body)
    fields: dict[str, str] = {}
    while True:
        kind = reader.byte()
        if kind == b"\0":
            break
        fields[kind.decode("latin-1")] = reader.cstring().decode(errors="replace")
    reader.finish()
    if "M" not in fields or "C" not in fields:
        raise Malformed("an error without code or message")
    return fields


SILENT_CLASSES = ("08", "23", "25", "26", "34", "40", "53", "55", "57", "42501")
"""Errors whose primary message names objects and conditions, never a row's values."""

ANALYSIS_CLASSES = ("0A", "3D", "3F", "42", "54")
"""Errors that name what the text names, as long as they were found in the text: then they say where in it.

Found at run time they name what a value names: `ssn::regclass` fails with `relation "219-09-9999" does not exist`.
"""

WITHHELD = "message withheld: it may quote masked values"


def without_values(fields: Mapping[str, str]) -> dict[str, str]:
    """Return what of an error or notice cannot quote a row's values.

    DETAIL quotes rows ("Failing row contains …", "Key (email)=(…) already exists"), CONTEXT and internal queries quote
    values of PL/pgSQL, and data exceptions (class 22) quote the value that they stumble over.
    """
    kept = {kind: value for kind, value in fields.items() if kind not in "DWqpH"}
    in_the_text = "P" in fields and fields["C"].startswith(ANALYSIS_CLASSES)
    if not (in_the_text or fields["C"].startswith(SILENT_CLASSES)):
        kept["M"] = WITHHELD
    return kept


def said_by_code(fields: Mapping[str, str]) -> bool:
    """Whether an error or notice comes from code inside the server: its context then says where, as no other does.

    COPY has a context too, which quotes the client's own line.
    """
    context = fields.get("W", "")
    return bool(context) and ("\n" in context or not context.startswith("COPY "))


def summary(fields: Mapping[str, str]) -> str:
    """An error for the record: code, and the primary message where it cannot quote values."""
    quiet = without_values(fields)
    return f"{quiet['C']}: {quiet['M']}" if quiet["M"] != WITHHELD else quiet["C"]


def _fields(fields: Mapping[str, str]) -> bytes:
    parts = [
        kind.encode("latin-1") + value.replace("\0", "").encode() + b"\0" for kind, value in fields.items() if value
    ]
    return b"".join(parts) + b"\0"
