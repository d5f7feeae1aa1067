"""LOGIN7: who wants in, to which database, with which features.

Source: MS-TDS 2.2.6.4 "LOGIN7". A fixed part of 94 bytes (TDS 7.2 and later) with offsets and lengths of what follows;
lengths of text are in UTF-16 code units. Features stand at the end, behind an offset of their own.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from struct import Struct

from blastwall.protocols.tds.fields import Fields, Short, text_of
from blastwall.wire.reader import Malformed

TDS_7_2, TDS_7_3, TDS_7_4, TDS_8_0 = 0x72090002, 0x730A0003, 0x74000004, 0x08000000
"""Versions as a client says them."""

SESSION_RECOVERY, FEDAUTH, COLUMN_ENCRYPTION, UTF8 = 0x01, 0x02, 0x04, 0x0A
"""Features by id."""

_HEAD = Struct("<IIIIIIBBBBiI")
_PAIR = Struct("<HH")
_FIXED = 94
_LARGEST = (128 << 10) - 1
_LONGEST = 128
_LONGEST_PATH = 260
_NO_FEATURES = 0xFF
_MOST_FEATURES = 32

DATABASE_NOTICES, DATABASE_FATAL, LANGUAGE_NOTICES = 0x20, 0x40, 0x80
"""OptionFlags1: tell when the database changes; the first database must be had; tell when the language changes."""
ODBC, INTEGRATED = 0x02, 0x80
"""OptionFlags2: an ODBC driver's session settings; the login is integrated (SSPI)."""
_USER_TYPE = 0x70
READ_ONLY_INTENT = 0x20
"""TypeFlags."""
CHANGE_PASSWORD, UNKNOWN_COLLATIONS, EXTENSION = 0x01, 0x08, 0x10
"""OptionFlags3: another password; collations may be unknown to the client; there are features."""


@dataclass(frozen=True, slots=True)
class Login7:
    """A login. Secrets are kept out of its representation."""

    tds: int = TDS_7_4
    packet_size: int = 4096
    program_version: int = 0
    process: int = 0
    connection: int = 0
    flags1: int = DATABASE_NOTICES | DATABASE_FATAL | LANGUAGE_NOTICES
    flags2: int = ODBC
    type_flags: int = 0
    flags3: int = UNKNOWN_COLLATIONS
    time_zone: int = 0
    lcid: int = 0x0409
    host: str = ""
    user: str = ""
    password: str = field(default="", repr=False)
    application: str = ""
    server: str = ""
    library: str = ""
    language: str = ""
    database: str = ""
    client: bytes = bytes(6)
    sspi: bytes = field(default=b"", repr=False)
    attach: str = ""
    new_password: str = field(default="", repr=False)
    features: tuple[tuple[int, bytes], ...] = field(default=(), repr=False)

    @property
    def integrated(self) -> bool:
        """Whether Windows' own login (SSPI) is wanted."""
        return bool(self.flags2 & INTEGRATED) or bool(self.sspi)

    @property
    def changes_password(self) -> bool:
        """Whether the login sets another password."""
        return bool(self.flags3 & CHANGE_PASSWORD) or bool(self.new_password)

    @property
    def ordinary(self) -> bool:
        """Whether it is the login of an ordinary client: not of replication, nor of another server's queries."""
        return not self.flags2 & _USER_TYPE

    def feature(self, id_: int) -> bytes | None:
        """Return a feature's data, None where it is not asked for."""
        return dict(self.features).get(id_)


def read_login7(payload: bytes) -> Login7:
    """Read a login.

    Raises:
        Malformed: it is of a version before 7.2, its lengths do not agree, what it points at is not within it, a text
            is over its limit, or a feature comes twice.
    """
    if len(payload) < _FIXED or len(payload) > _LARGEST:
        raise Malformed(f"a login of {len(payload)} bytes")
    head = _HEAD.unpack_from(payload)
    if head[0] != len(payload):
        raise Malformed(f"a login that says it has {head[0]} bytes, of {len(payload)}")
    tds, flags3 = head[1], head[9]
    if not (TDS_7_2 & 0xFF000000 <= tds & 0xFF000000 <= TDS_7_4 & 0xFF000000 or tds == TDS_8_0):
        raise Malformed(f"a login of the TDS version {tds:#010x}; this gateway speaks 7.2 to 7.4 and 8.0")
    part = _Parts(payload)
    return replace(
        Login7(*head[1:12]),
        host=part.text(36),
        user=part.text(40),
        password=reveal(part.pointed(44, 2)),
        application=part.text(48),
        server=part.text(52),
        features=part.features() if flags3 & EXTENSION else (),
        library=part.text(60),
        language=part.text(64),
        database=part.text(68),
        client=payload[72:78],
        sspi=part.sspi(),
        attach=part.text(82, _LONGEST_PATH),
        new_password=reveal(part.pointed(86, 2)),
    )


class _Parts:
    """What the fixed part points at."""

    def __init__(self, payload: bytes) -> None:
        self._payload = payload

    def pointed(self, at: int, width: int) -> bytes:
        """Return what the pair at `at` points at; its length counts units of `width` bytes."""
        offset, length = _PAIR.unpack_from(self._payload, at)
        return self._within(offset, length * width)

    def text(self, at: int, longest: int = _LONGEST) -> str:
        value = self.pointed(at, 2)
        if len(value) > 2 * longest:
            raise Malformed(f"a login with a name of {len(value) // 2} characters, of at most {longest}")
        return text_of(value)

    def sspi(self) -> bytes:
        offset, length = _PAIR.unpack_from(self._payload, 78)
        long = int.from_bytes(self._payload[90:94], "little")
        return self._within(offset, long if length == 0xFFFF and long else length)

    def features(self) -> tuple[tuple[int, bytes], ...]:
        pointer = self.pointed(56, 1)
        if len(pointer) < 4:
            raise Malformed(f"a login whose extension has {len(pointer)} bytes")
        start = int.from_bytes(pointer[:4], "little")
        if start == 0:
            return ()
        if not _FIXED <= start < len(self._payload):
            raise Malformed("a login whose features are not within it")
        fields = Fields(self._payload, start)
        found: dict[int, bytes] = {}
        try:
            while (id_ := fields.byte()) != _NO_FEATURES:
                data = fields.take(fields.uint32())
                if id_ in found or len(found) == _MOST_FEATURES:
                    raise Malformed(f"a login with the feature {id_} twice, or too many")
                found[id_] = data
        except Short:
            raise Malformed("a login whose features do not end within it") from None
        return tuple(found.items())

    def _within(self, offset: int, size: int) -> bytes:
        if not size:
            return b""
        if not _FIXED <= offset <= len(self._payload) - size:
            raise Malformed("a login that points outside itself")
        return self._payload[offset : offset + size]


_EXTENSION, _SSPI = 5, 9
_WRITTEN = (0, 1, 2, 3, 4, 5, 6, 7, 8, 10, 11, 9)
"""What is pointed at, in the order in which it is written: SSPI data may be so long that no offset goes beyond it."""


def write_login7(login: Login7) -> bytes:
    """Write a login; EXTENSION is set where it has features."""
    flags3 = login.flags3 & ~EXTENSION | (EXTENSION if login.features else 0)
    values = [
        login.host.encode("utf-16-le"),
        login.user.encode("utf-16-le"),
        conceal(login.password),
        login.application.encode("utf-16-le"),
        login.server.encode("utf-16-le"),
        bytes(4) if login.features else b"",
        login.library.encode("utf-16-le"),
        login.language.encode("utf-16-le"),
        login.database.encode("utf-16-le"),
        login.sspi,
        login.attach.encode("utf-16-le"),
        conceal(login.new_password),
    ]
    offsets, at = [0] * len(values), _FIXED
    for number in _WRITTEN:
        offsets[number] = at
        at += len(values[number])
    pairs = b""
    for number, (offset, value) in enumerate(zip(offsets, values, strict=True)):
        width = 1 if number in (_EXTENSION, _SSPI) else 2
        pairs += login.client if number == _SSPI else b""
        pairs += _PAIR.pack(offset, min(len(value) // width, 0xFFFF))
    features = _written(login.features)
    values[_EXTENSION] = at.to_bytes(4, "little") if features else b""
    long = len(login.sspi) if len(login.sspi) >= 0xFFFF else 0
    head = _HEAD.pack(
        at + len(features),
        login.tds,
        login.packet_size,
        login.program_version,
        login.process,
        login.connection,
        login.flags1,
        login.flags2,
        login.type_flags,
        flags3,
        login.time_zone,
        login.lcid,
    )
    return head + pairs + long.to_bytes(4, "little") + b"".join(values[number] for number in _WRITTEN) + features


def _written(features: tuple[tuple[int, bytes], ...]) -> bytes:
    if not features:
        return b""
    blocks = [bytes((id_,)) + len(data).to_bytes(4, "little") + data for id_, data in features]
    return b"".join(blocks) + bytes((_NO_FEATURES,))


_CONCEALED = bytes((byte << 4 & 0xF0 | byte >> 4) ^ 0xA5 for byte in range(256))
_REVEALED = bytes((byte ^ 0xA5) << 4 & 0xF0 | (byte ^ 0xA5) >> 4 for byte in range(256))


def conceal(password: str) -> bytes:
    """Write a password as the wire has it: halves of each byte swapped, then ^ 0xA5. It is no protection."""
    return password.encode("utf-16-le").translate(_CONCEALED)


def reveal(concealed: bytes) -> str:
    """Read what `conceal` wrote.

    Raises:
        Malformed: it is no text.
    """
    return text_of(concealed.translate(_REVEALED))
