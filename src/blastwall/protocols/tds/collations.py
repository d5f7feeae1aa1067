"""Collations as TDS tells them: five bytes, and the character set that `char` and `varchar` values are written in.

Source: MS-TDS 2.2.5.1.2 "Collation Rule Definition"; MS-LCID for the languages; the SQL sort orders' code pages are
those of the documentation of `sys.fn_helpcollations`.
"""

from __future__ import annotations

from dataclasses import dataclass

_UTF8 = 1 << 26
"""fUTF8: introduced with SQL Server 2019."""
_LATIN = "cp1252"

# Sort orders of SQL collations (the last byte) by code page; 0 means a Windows collation.
_BY_SORT = (
    ((30, 31, 32, 33, 34), "cp437"),
    ((40, 41, 42, 43, 44, 49, 55, 56, 57, 58, 59, 60, 61), "cp850"),
    ((80, 81, 82, 83, 84, 85, 86, 87, 88, 89, 90, 91, 92, 93, 94, 95, 96), "cp1250"),
    ((104, 105, 106, 107, 108), "cp1251"),
    ((112, 113, 114, 120, 121, 124), "cp1253"),
    ((128, 129, 130), "cp1254"),
    ((136, 137, 138), "cp1255"),
    ((144, 145, 146), "cp1256"),
    ((152, 153, 154, 155, 156, 157, 158, 159, 160), "cp1257"),
    ((192, 193, 200), "cp932"),
    ((194, 195, 201), "cp949"),
    ((196, 197, 202), "cp950"),
    ((198, 199, 203), "cp936"),
    ((204, 205, 206), "cp874"),
)
_SORTS = {sort: page for sorts, page in _BY_SORT for sort in sorts}

# Primary languages (the low ten bits of an LCID) by ANSI code page; what is not here is Latin 1.
_BY_LANGUAGE = {
    0x01: "cp1256", 0x02: "cp1251", 0x05: "cp1250", 0x08: "cp1253", 0x0D: "cp1255", 0x0E: "cp1250", 0x11: "cp932",
    0x12: "cp949", 0x15: "cp1250", 0x18: "cp1250", 0x19: "cp1251", 0x1B: "cp1250", 0x1C: "cp1250", 0x1E: "cp874",
    0x1F: "cp1254", 0x20: "cp1256", 0x22: "cp1251", 0x23: "cp1251", 0x24: "cp1250", 0x25: "cp1257", 0x26: "cp1257",
    0x27: "cp1257", 0x28: "cp1251", 0x29: "cp1256", 0x2A: "cp1258", 0x2F: "cp1251", 0x3F: "cp1251", 0x40: "cp1251",
    0x42: "cp1250", 0x44: "cp1251", 0x50: "cp1251", 0x5A: "cp1256", 0x6D: "cp1251", 0x80: "cp1256", 0x85: "cp1251",
    0x8C: "cp1256",
}  # fmt: skip

# Languages whose code page depends on the whole LCID: Chinese by place, Serbian, Bosnian, Uzbek, Azeri by script.
_BY_LCID = {
    0x0404: "cp950", 0x0804: "cp936", 0x0C04: "cp950", 0x1004: "cp936", 0x1404: "cp950",
    0x041A: "cp1250", 0x081A: "cp1250", 0x0C1A: "cp1251", 0x101A: "cp1250", 0x141A: "cp1250", 0x181A: "cp1250",
    0x1C1A: "cp1251", 0x201A: "cp1251", 0x042C: "cp1254", 0x082C: "cp1251", 0x0443: "cp1254", 0x0843: "cp1251",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Collation:
    """A collation; `info` holds the LCID (20 bits), flags (8) and version (4), `sort` the SQL sort order or 0."""

    info: int
    sort: int

    @classmethod
    def read(cls, data: bytes) -> Collation:
        """Read five bytes."""
        return cls(int.from_bytes(data[:4], "little"), data[4])

    def write(self) -> bytes:
        return self.info.to_bytes(4, "little") + bytes((self.sort,))

    @property
    def lcid(self) -> int:
        return self.info & 0xFFFFF

    @property
    def utf8(self) -> bool:
        return bool(self.info & _UTF8)

    @property
    def charset(self) -> str:
        """The Python codec of the `char` and `varchar` values; a language that is not known is taken for Latin 1."""
        if self.utf8:
            return "utf-8"
        if self.sort:
            return _SORTS.get(self.sort, _LATIN)
        lcid = self.lcid & 0xFFFF
        return _BY_LCID.get(lcid) or _BY_LANGUAGE.get(lcid & 0x3FF, _LATIN)


LATIN = Collation(0x00D00409, 52)
"""SQL_Latin1_General_CP1_CI_AS, the default of Azure SQL: code page 1252."""
