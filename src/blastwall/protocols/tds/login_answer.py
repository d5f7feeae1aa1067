"""What the client hears when it is let in: the resource's own words about the session, in the gateway's framing.

Source: MS-TDS 4.4 "Login Response". The order of the tokens is a server's; what is not known is not passed on, and
acknowledged is what the client itself asked for and the session means: a token, where it proved itself by one, and
UTF-8 collations, where the resource has them.
"""

from __future__ import annotations

from blastwall.protocols.tds.answers import done, env_change, feature_ack, info, login_ack
from blastwall.protocols.tds.login7 import FEDAUTH, TDS_7_4, TDS_8_0, UTF8, Login7
from blastwall.protocols.tds.packets import Kind, framed
from blastwall.protocols.tds.server_handshake import Welcome
from blastwall.protocols.tds.tokens import ENV_COLLATION, ENV_DATABASE, ENV_LANGUAGE, ENV_PACKET_SIZE, Info
from blastwall.protocols.tds.wrapping import INITIAL_SIZE

_DATABASE_CHANGED, _LANGUAGE_CHANGED = 5701, 5703
_TOLD = {ENV_DATABASE: _DATABASE_CHANGED, ENV_LANGUAGE: _LANGUAGE_CHANGED}
_PROGRAM = "Microsoft SQL Server"


def login_answer(welcome: Welcome, login: Login7, *, by_token: bool) -> bytes:
    """Write the reply to a `login`; `by_token` says that a token proved it."""
    ack = welcome.ack
    program, version = (ack.program, ack.version) if ack is not None else (_PROGRAM, (12, 0, 0, 0))
    features = [(FEDAUTH, b"")] if by_token else []
    features += [(name, data) for name, data in welcome.features if name == UTF8]
    payload = b"".join(
        (
            *(_changed(welcome, kind) for kind in (ENV_DATABASE, ENV_COLLATION, ENV_LANGUAGE)),
            login_ack(TDS_8_0 if login.tds == TDS_8_0 else TDS_7_4, program, _four(version)),
            feature_ack(features) if features else b"",
            env_change(ENV_PACKET_SIZE, str(welcome.packet_size), str(INITIAL_SIZE)),
            done(),
        )
    )
    return framed(Kind.REPLY, payload, INITIAL_SIZE, spid=welcome.spid)


def _changed(welcome: Welcome, kind: int) -> bytes:
    change = welcome.environment.get(kind)
    if change is None:
        return b""
    number = _TOLD.get(kind)
    said = next((one for one in welcome.infos if one.number == number), None)
    return env_change(kind, change.new, change.old) + (_said(said) if said is not None else b"")


def _said(said: Info) -> bytes:
    return info(said.number, said.message, state=said.state, severity=said.severity, server=said.server, line=said.line)


def _four(version: tuple[int, ...]) -> tuple[int, int, int, int]:
    major, minor, high, low = version
    return major, minor, high, low
