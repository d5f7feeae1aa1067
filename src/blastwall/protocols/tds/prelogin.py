"""PRELOGIN: what both sides can do, before anything is encrypted.

Source: MS-TDS 2.2.6.5 "PRELOGIN". A directory of options (token, offset and length big-endian), a terminator, and the
options' data. In TDS 7.x packets of the same type then carry the TLS handshake: its records are their payload.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from struct import Struct

from blastwall.wire.reader import Malformed

VERSION, ENCRYPTION, INSTANCE, THREAD, MARS, TRACE, FEDAUTH_REQUIRED, NONCE, TERMINATOR = (*range(8), 0xFF)
_OPTION = Struct(">BHH")
_SIZES = {VERSION: (6,), ENCRYPTION: (1,), THREAD: (0, 4), MARS: (1,), TRACE: (0, 36), FEDAUTH_REQUIRED: (1,),
          NONCE: (32,)}  # fmt: skip
_MOST = 32
_LARGEST = 4096
"""Before a login no packet is larger (2.2.3.1.3), and this message is one packet."""


class Encryption(IntEnum):
    """What a side says of encryption. `CLIENT_CERTIFICATE` is a bit beside the others."""

    OFF = 0
    ON = 1
    NOT_SUPPORTED = 2
    REQUIRED = 3


CLIENT_CERTIFICATE = 0x80


@dataclass(frozen=True, slots=True)
class Prelogin:
    """The options of a side, in their order; of those that are not known the data is kept as well."""

    options: tuple[tuple[int, bytes], ...]

    def data(self, option: int) -> bytes | None:
        """Return an option's data, None where it is not there."""
        return dict(self.options).get(option)

    @property
    def encryption(self) -> int | None:
        """One of `Encryption`, perhaps with `CLIENT_CERTIFICATE`; None where nothing is said."""
        found = self.data(ENCRYPTION)
        return None if found is None else found[0]

    @property
    def mars(self) -> bool:
        """Whether several requests at once (MARS) are wanted, or given."""
        return self.data(MARS) == b"\1"

    @property
    def fedauth_required(self) -> bool | None:
        """Whether federated authentication is asked for; None where nothing is said."""
        found = self.data(FEDAUTH_REQUIRED)
        return None if found is None else found == b"\1"

    @property
    def nonce(self) -> bytes | None:
        """What a token's signature is to contain; None where nothing is said."""
        return self.data(NONCE)


def read_prelogin(payload: bytes) -> Prelogin:
    """Read a side's options.

    Raises:
        Malformed: the directory does not end, an option comes twice, is not where it is said to be or of its size, or
            the version is not the first.
    """
    if len(payload) > _LARGEST:
        raise Malformed(f"a prelogin of {len(payload)} bytes")
    directory = _directory(payload)
    end = len(directory) * _OPTION.size + 1
    options: dict[int, bytes] = {}
    for option, offset, length in directory:
        if option in options:
            raise Malformed(f"a prelogin with the option {option} twice")
        if length and not end <= offset <= len(payload) - length:
            raise Malformed(f"a prelogin whose option {option} is not within it")
        if option in _SIZES and length not in _SIZES[option]:
            raise Malformed(f"a prelogin whose option {option} has {length} bytes")
        options[option] = payload[offset : offset + length]
    if not directory or directory[0][0] != VERSION:
        raise Malformed("a prelogin that does not begin with its version")
    return Prelogin(tuple(options.items()))


def _directory(payload: bytes) -> list[tuple[int, int, int]]:
    entries: list[tuple[int, int, int]] = []
    at = 0
    while payload[at : at + 1] != bytes((TERMINATOR,)):
        if at + _OPTION.size > len(payload) or len(entries) == _MOST:
            raise Malformed("a prelogin whose options do not end")
        entries.append(_OPTION.unpack_from(payload, at))
        at += _OPTION.size
    return entries


def write_prelogin(prelogin: Prelogin) -> bytes:
    """Write a side's options."""
    offset = len(prelogin.options) * _OPTION.size + 1
    directory, values = b"", b""
    for option, value in prelogin.options:
        directory += _OPTION.pack(option, offset + len(values), len(value))
        values += value
    return directory + bytes((TERMINATOR,)) + values
