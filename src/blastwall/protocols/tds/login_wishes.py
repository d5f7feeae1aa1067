"""What a client may ask for in its login record, and what of it the resource is asked for.

Features (MS-TDS 2.2.6.4, FeatureExt) are stripped but for UTF-8 collations: session recovery would have the client
replay what policy judged before, column encryption hides values from masking, classification and the binary forms of
JSON and vectors come in tokens and types that nobody asked the gateway for. A server that was not asked for a feature
does not use it, and a client that got no acknowledgement does not expect it.
"""

from __future__ import annotations

from dataclasses import dataclass

from blastwall.protocols.tds.login7 import (
    ODBC,
    READ_ONLY_INTENT,
    TDS_7_4,
    TDS_8_0,
    UTF8,
    Login7,
)
from blastwall.protocols.tds.login_errors import LOGIN_FAILED

PACKET_SIZE = 4096
LARGEST_PACKET = 16383
"""What SQL Server sends inside TLS at most (MS-TDS 2.2.6.4 and its product behaviour notes)."""
SMALLEST_PACKET = 512

_FOREIGN_FORMS = 0x0F
"""OptionFlags1: byte order, characters and floating point of other machines."""
_LANGUAGE_FATAL = 0x01
"""OptionFlags2: the language must be had."""


class LoginRefused(Exception):
    """The login asks for what is not given; `number` is the error's. The text is for the client."""

    def __init__(self, number: int, message: str) -> None:
        super().__init__(message)
        self.number = number


@dataclass(frozen=True, slots=True)
class Wish:
    """What the resource is asked for on a client's behalf. `label` names agent and session in its own views."""

    database: str
    label: str
    language: str = ""
    language_fatal: bool = False
    packet_size: int = PACKET_SIZE
    read_only: bool = False
    utf8: bool = True


def check_login(login: Login7, *, strict: bool) -> None:
    """Check everything that a login record asks for.

    Raises:
        LoginRefused: it asks for what is not given.
    """
    if login.tds == TDS_8_0 and not strict:
        raise LoginRefused(LOGIN_FAILED, "TDS 8.0 begins with TLS, and this connection did not; use Encrypt=strict")
    if login.tds < TDS_7_4 and login.tds != TDS_8_0:
        told = f"TDS {login.tds >> 28}.{login.tds >> 24 & 0xF} is too old; drivers since 2012 speak 7.4"
        raise LoginRefused(LOGIN_FAILED, told)
    if login.flags1 & _FOREIGN_FORMS:
        raise LoginRefused(LOGIN_FAILED, "numbers and characters in other forms than a PC's cannot be judged")
    if login.integrated:
        told = "Windows authentication is not offered: give a pass or token as the password, or use Microsoft Entra's"
        raise LoginRefused(LOGIN_FAILED, told)
    if not login.ordinary:
        raise LoginRefused(LOGIN_FAILED, "logins of other servers (replication, linked servers) are not passed on")
    if login.changes_password:
        raise LoginRefused(LOGIN_FAILED, "the password is the gateway's affair, and cannot be changed here")
    if login.attach:
        raise LoginRefused(LOGIN_FAILED, "a database file cannot be attached when connecting")


def wish_of(login: Login7, database: str, label: str) -> Wish:
    """Return what of a client's login the resource is asked for."""
    size = login.packet_size or PACKET_SIZE
    return Wish(
        database,
        label,
        login.language,
        bool(login.flags2 & _LANGUAGE_FATAL),
        min(max(size, SMALLEST_PACKET), LARGEST_PACKET),
        bool(login.type_flags & READ_ONLY_INTENT),
        login.feature(UTF8) is not None,
    )


def login_of(wish: Wish, server: str, *, strict: bool) -> Login7:
    """Return the gateway's own login record, without what proves it.

    It always says that it is ODBC's: then QUOTED_IDENTIFIER and the ANSI settings are on, whatever the database has for
    a default, and the text that was judged means what it was judged for.
    """
    return Login7(
        tds=TDS_8_0 if strict else TDS_7_4,
        packet_size=wish.packet_size,
        flags2=ODBC | (_LANGUAGE_FATAL if wish.language_fatal else 0),
        type_flags=READ_ONLY_INTENT if wish.read_only else 0,
        host="blastwall",
        application=wish.label,
        server=server,
        library="blastwall",
        language=wish.language,
        database=wish.database,
        features=((UTF8, b"\x01"),) if wish.utf8 else (),
    )
