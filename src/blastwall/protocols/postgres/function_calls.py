"""The FunctionCall message, for large objects alone: libpq's `lo_open` and its like call by OID.

A call is judged as the SELECT that it amounts to. That is exact for these functions and no others: `pg_proc.dat` fixes
their OIDs, below the 16384 from which a database assigns its own, so that an OID says as much as the qualified name.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from struct import pack

from blastwall.protocols.postgres.messages import format_of, frame, read_formats, read_values
from blastwall.wire.reader import Malformed, Reader

_OID, _INT4, _INT8, _BYTEA = 26, 23, 20, 17


@dataclass(frozen=True, slots=True)
class Listed:
    """A function that may be called by OID: its name in pg_catalog and its parameters' types."""

    name: str
    types: tuple[int, ...]

    @property
    def reads(self) -> bool:
        """Whether its result holds what was stored."""
        return self.name == "loread"

    @property
    def text(self) -> str:
        """The statement that a call amounts to."""
        return f"SELECT pg_catalog.{self.name}({', '.join(f'${n + 1}' for n in range(len(self.types)))})"


LISTED: Mapping[int, Listed] = {
    715: Listed("lo_create", (_OID,)),
    952: Listed("lo_open", (_OID, _INT4)),
    953: Listed("lo_close", (_INT4,)),
    954: Listed("loread", (_INT4, _INT4)),
    955: Listed("lowrite", (_INT4, _BYTEA)),
    956: Listed("lo_lseek", (_INT4, _INT4, _INT4)),
    957: Listed("lo_creat", (_INT4,)),
    958: Listed("lo_tell", (_INT4,)),
    964: Listed("lo_unlink", (_OID,)),
    1004: Listed("lo_truncate", (_INT4, _INT4)),
    3170: Listed("lo_lseek64", (_INT4, _INT8, _INT4)),
    3171: Listed("lo_tell64", (_INT4,)),
    3172: Listed("lo_truncate64", (_INT4, _INT8)),
}
"""By OID. Server-side `lo_import` and `lo_export`, which read and write the server's files, are not among them."""


@dataclass(frozen=True, slots=True)
class FunctionCall:
    """Call the function `oid`; formats as in Bind, `result` that of the result."""

    oid: int
    formats: tuple[int, ...] = ()
    values: tuple[bytes | None, ...] = ()
    result: int = 0

    @property
    def listed(self) -> Listed | None:
        """The function, where it is one that is passed on and gets as many values as it takes."""
        found = LISTED.get(self.oid)
        return found if found is not None and len(found.types) == len(self.values) else None

    def format_of(self, position: int) -> int:
        return format_of(self.formats, position)


def decode_function_call(body: bytes) -> FunctionCall:
    """Raise `Malformed` where the body is none."""
    reader = Reader(body)
    oid = reader.uint32()
    formats = read_formats(reader)
    values = read_values(reader)
    result = reader.int16()
    reader.finish()
    if result not in (0, 1):
        raise Malformed("a format that is neither text nor binary")
    if len(formats) not in (0, 1, len(values)):
        raise Malformed(f"FunctionCall with {len(formats)} formats for {len(values)} values")
    return FunctionCall(oid, formats, values, result)


def encode_function_call(call: FunctionCall) -> bytes:
    """Return the whole message."""
    values = b"".join(pack("!i", -1) if v is None else pack("!i", len(v)) + v for v in call.values)
    formats = pack(f"!h{len(call.formats)}h", len(call.formats), *call.formats)
    return frame(b"F", pack("!I", call.oid) + formats + pack("!h", len(call.values)) + values + pack("!h", call.result))
