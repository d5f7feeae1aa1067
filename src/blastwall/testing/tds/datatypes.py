"""SQL Server's types: how they are declared, described on the wire (TYPE_INFO) and carried (TYPE_VARBYTE).

MS-TDS 2.2.5.4 (data types), 2.2.5.5 (their details), 2.2.5.6 (TYPE_INFO).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

MAX = -1
"""The length of varchar(max) and its like."""

COLLATION = bytes.fromhex("0904d00034")
"""SQL_Latin1_General_CP1_CI_AS: LCID 0x0409, case-insensitive, sort id 52 (MS-TDS 2.2.5.1.2)."""

CODE_PAGE = "cp1252"

_INTEGERS = {"tinyint": 1, "smallint": 2, "int": 4, "bigint": 8}
_DECIMALS = ("decimal", "numeric")
_TEXTS = ("char", "varchar", "nchar", "nvarchar")
_BINARIES = ("binary", "varbinary")
_SCALED = ("time", "datetime2", "datetimeoffset")
_PLAIN = {
    "bit", "money", "smallmoney", "float", "real", "date", "datetime", "smalldatetime", "uniqueidentifier", "xml",
    "sql_variant", "text", "ntext", "image", *_INTEGERS,
}  # fmt: skip
_ALIASES = {
    "integer": "int", "dec": "decimal", "sysname": "nvarchar", "rowversion": "binary", "timestamp": "binary",
    "character varying": "varchar", "char varying": "varchar", "character": "char", "national char": "nchar",
    "national char varying": "nvarchar", "double precision": "float", "datetime2": "datetime2",
}  # fmt: skip
_DECLARED = re.compile(r"\s*\[?([A-Za-z_][\w ]*?)\]?\s*(?:\(\s*(max|\d+)\s*(?:,\s*(\d+)\s*)?\))?\s*", re.IGNORECASE)


class UnknownType(Exception):
    """A type that this server does not have."""


@dataclass(frozen=True, slots=True)
class SqlType:
    """One type. `length` is in characters (n types) or bytes; `precision`, `scale` are of numbers and times."""

    name: str
    length: int = 0
    precision: int = 0
    scale: int = 0

    @property
    def is_text(self) -> bool:
        """Whether its values are characters."""
        return self.name in _TEXTS or self.name in ("text", "ntext", "xml")

    @property
    def is_unicode(self) -> bool:
        """Whether it holds UTF-16."""
        return self.name in ("nchar", "nvarchar", "ntext", "xml")

    @property
    def is_binary(self) -> bool:
        """Whether its values are bytes."""
        return self.name in _BINARIES or self.name == "image"

    @property
    def is_integer(self) -> bool:
        """Whether it is an integer, bit among them."""
        return self.name in _INTEGERS or self.name == "bit"

    @property
    def is_exact(self) -> bool:
        """Whether it has decimal digits."""
        return self.name in (*_DECIMALS, "money", "smallmoney")

    @property
    def is_number(self) -> bool:
        """Whether one can calculate with it."""
        return self.is_integer or self.is_exact or self.name in ("float", "real")

    @property
    def is_moment(self) -> bool:
        """Whether it is a date, a time or both."""
        return self.name in ("date", "time", "datetime", "datetime2", "datetimeoffset", "smalldatetime")

    @property
    def long(self) -> bool:
        """Whether it travels in parts (PLP, MS-TDS 2.2.5.2.3)."""
        return self.length == MAX or self.name == "xml"

    @property
    def declared(self) -> str:
        """The type as T-SQL writes it."""
        if self.name in _DECIMALS:
            return f"{self.name}({self.precision},{self.scale})"
        if self.name in _TEXTS or self.name in _BINARIES:
            return f"{self.name}({'max' if self.length == MAX else self.length})"
        return f"{self.name}({self.scale})" if self.name in _SCALED else self.name

    @property
    def max_length(self) -> int:
        """`max_length` of sys.columns: bytes, -1 for max."""
        if self.length == MAX or self.name == "xml":
            return MAX
        if self.name in ("nchar", "nvarchar"):
            return self.length * 2
        return self.length or _SIZES.get(self.name, 0) or _scaled_size(self)


INT = SqlType("int", precision=10)
BIGINT = SqlType("bigint", precision=19)
BIT = SqlType("bit")
FLOAT = SqlType("float", precision=53)
SYSNAME = SqlType("nvarchar", 128)
NVARCHAR_MAX = SqlType("nvarchar", MAX)
DATETIME = SqlType("datetime", scale=3)

_SIZES = {
    "bit": 1, "tinyint": 1, "smallint": 2, "int": 4, "bigint": 8, "money": 8, "smallmoney": 4, "float": 8, "real": 4,
    "date": 3, "datetime": 8, "smalldatetime": 4, "uniqueidentifier": 16, "sql_variant": 8016, "text": 16,
    "ntext": 16, "image": 16,
}  # fmt: skip

TYPE_IDS = {
    "image": 34, "text": 35, "uniqueidentifier": 36, "date": 40, "time": 41, "datetime2": 42, "datetimeoffset": 43,
    "tinyint": 48, "smallint": 52, "int": 56, "smalldatetime": 58, "real": 59, "money": 60, "datetime": 61,
    "float": 62, "sql_variant": 98, "ntext": 99, "bit": 104, "decimal": 106, "numeric": 108, "smallmoney": 122,
    "bigint": 127, "varbinary": 165, "varchar": 167, "binary": 173, "char": 175, "nvarchar": 231, "nchar": 239,
    "xml": 241,
}  # fmt: skip
"""`system_type_id` of sys.types."""


def _scaled_size(type_: SqlType) -> int:
    if type_.name in _SCALED:
        return time_length(type_.scale) + {"time": 0, "datetime2": 3, "datetimeoffset": 5}[type_.name]
    return decimal_length(type_.precision) if type_.name in _DECIMALS else 0


def time_length(scale: int) -> int:
    """Return the bytes of a time with so many digits after the second (MS-TDS 2.2.5.5.1.8)."""
    return 3 if scale <= 2 else 4 if scale <= 4 else 5


def decimal_length(precision: int) -> int:
    """Return the bytes of a decimal, its sign among them (MS-TDS 2.2.5.5.1.6)."""
    return 5 if precision <= 9 else 9 if precision <= 19 else 13 if precision <= 28 else 17


def declared_type(text: str) -> SqlType:
    """Return the type that a declaration names, as `nvarchar(50)`.

    Raises:
        UnknownType: there is none.
    """
    found = _DECLARED.fullmatch(text)
    if found is None:
        raise UnknownType(text.strip())
    written = " ".join(found[1].lower().split())
    name, first, second = _ALIASES.get(written, written), found[2], found[3]
    if written == "sysname":
        return SYSNAME
    if written in ("rowversion", "timestamp"):
        return SqlType("binary", 8)
    if name in _DECIMALS:
        precision = int(first or 18)
        return SqlType(name, precision=precision, scale=int(second or 0))
    if name in _TEXTS or name in _BINARIES:
        return SqlType(name, MAX if (first or "").lower() == "max" else int(first or 1))
    if name in _SCALED:
        return SqlType(name, scale=7 if first is None else int(first))
    if name == "float" and first and int(first) <= 24:
        return SqlType("real", precision=24)
    if name not in _PLAIN:
        raise UnknownType(text.strip())
    precisions = {"int": 10, "bigint": 19, "smallint": 5, "tinyint": 3, "float": 53, "real": 24, "money": 19}
    if name == "smallmoney":
        return SqlType(name, precision=10, scale=4)
    return SqlType(name, precision=precisions.get(name, 0), scale={"money": 4, "datetime": 3}.get(name, 0))
