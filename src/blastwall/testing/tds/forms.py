"""Rows as one text: FOR JSON and FOR XML ("Format query results as JSON with FOR JSON", "FOR XML (SQL Server)")."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from xml.sax.saxutils import escape

from blastwall.testing.tds.datatypes import SqlType
from blastwall.testing.tds.errors import SqlError, unsupported
from blastwall.testing.tds.expressions import Field
from blastwall.testing.tds.queries import ForClause

JSON_COLUMN = "JSON_F52E2B61-18A1-11d1-B105-00805F49916B"
XML_COLUMN = "XML_F52E2B61-18A1-11d1-B105-00805F49916B"
PIECE = 2033
"""The characters of one row that the server cuts such a text into."""


def formed(form: ForClause, fields: Sequence[Field], rows: Sequence[Sequence[object]]) -> list[str]:
    """Return the text of the rows, in pieces; none where there are no rows."""
    if any(not one.name for one in fields) and form.kind == "JSON":
        raise SqlError.raised(
            13605,
            16,
            1,
            "Column expressions and data sources without names or aliases cannot be formatted "
            "as JSON text using FOR JSON clause. Add alias to the unnamed column or table.",
        )
    text = _json(form, fields, rows) if form.kind == "JSON" else _xml(form, fields, rows)
    return [text[start : start + PIECE] for start in range(0, len(text), PIECE)]


def _json(form: ForClause, fields: Sequence[Field], rows: Sequence[Sequence[object]]) -> str:
    if form.mode == "AUTO" and len({one.source.table for one in fields if one.source}) > 1:
        raise unsupported("FOR JSON AUTO over several tables")
    if not rows:
        return ""
    made = [_object(form, fields, row) for row in rows]
    text = ",".join(json.dumps(one, ensure_ascii=False, separators=(",", ":")) for one in made)
    text = (
        text.replace('"\0', "").replace('\0"', "").replace('"\\u0000', "").replace('\\u0000"', "").replace("/", "\\/")
    )
    if not form.bare:
        text = f"[{text}]"
    return f'{{"{form.root}":{text}}}' if form.root else text


def _object(form: ForClause, fields: Sequence[Field], row: Sequence[object]) -> dict[str, object]:
    found: dict[str, object] = {}
    for one, value in zip(fields, row, strict=True):
        if value is None and not form.nulls:
            continue
        *path, last = one.name.split(".") if form.mode == "PATH" else [one.name]
        place = found
        for part in path:
            inner = place.setdefault(part, {})
            if not isinstance(inner, dict):
                raise SqlError.raised(
                    13601,
                    16,
                    1,
                    f"Property '{one.name}' cannot be generated in JSON output due to a conflict "
                    "with another column name or alias.",
                )
            place = inner
        place[last] = _json_value(one.type, value)
    return found


def _json_value(type_: SqlType, value: object) -> object:
    if value is None:
        return None
    if type_.name == "bit":
        return bool(value)
    if isinstance(value, Decimal):
        return f"\0{value}\0"  # written without quotes, digit by digit
    if isinstance(value, float):
        return f"\0{value:.15e}\0"
    if isinstance(value, (bytes, bytearray)):
        raise unsupported("Binary values in FOR JSON")
    if isinstance(value, datetime):
        return value.isoformat()
    return value.isoformat() if isinstance(value, date) else value if isinstance(value, int) else str(value)


def _xml(form: ForClause, fields: Sequence[Field], rows: Sequence[Sequence[object]]) -> str:
    parts = [_element(form, fields, row) for row in rows]
    text = "".join(parts)
    return f"<{form.root}>{text}</{form.root}>" if form.root and rows else text


def _element(form: ForClause, fields: Sequence[Field], row: Sequence[object]) -> str:
    pairs = [
        (one.name, _xml_value(one.type, value)) for one, value in zip(fields, row, strict=True) if value is not None
    ]
    if form.mode == "RAW":
        attributes = "".join(f' {name}="{escape(value, {chr(34): "&quot;"})}"' for name, value in pairs)
        return f"<{form.row}{attributes}/>"
    if any("/" in name or name.startswith("@") for name, _ in pairs):
        raise unsupported("FOR XML PATH with paths and attributes")
    inner = "".join(f"<{name}>{escape(value)}</{name}>" if name else escape(value) for name, value in pairs)
    return f"<{form.row}>{inner}</{form.row}>" if form.row else inner


def _xml_value(type_: SqlType, value: object) -> str:
    if isinstance(value, (bytes, bytearray)):
        raise unsupported("Binary values in FOR XML")
    if isinstance(value, datetime):
        return value.isoformat()
    return (
        f"{value:.15e}"
        if isinstance(value, float)
        else str(int(value))
        if type_.name == "bit" and value in (0, 1)
        else str(value)
    )
