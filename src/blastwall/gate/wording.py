"""What the gate tells clients. A client learns what it can act on; the rest is for the operator's log and recording."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime

from blastwall.gate.ports import Asked
from blastwall.model.ruling import Approval, Ruling

CANNOT_RECORD = (
    "the gateway refused this because it cannot be recorded; nothing was sent to the resource; "
    "the gateway's operator must repair the recording"
)
BROKEN = (
    "the gateway refused this because of a fault of its own; nothing was sent to the resource; "
    "give the gateway's operator the time and the session"
)
CANNOT_GO_ON = "the gateway ends the session because it cannot be recorded; its operator must repair the recording"
NOT_LOGGED_IN = "the gateway accepts no statement before the login is complete"
LOGGED_IN_ALREADY = "this session has logged in already; open another connection"
PROVEN_ONCE = "clients of this resource prove themselves once, at their login; open another connection"
NO_CREDENTIAL = "the gateway has no credential for this resource now; its operator finds the cause in the log"
UNDECIDED = "approval could not be asked for; try again, or tell the gateway's operator"
CHANGED = "policy changed while the statement waited for approval; send it again to have it approved anew"
BY_NAME = (
    "this needs approval, and people approve only what they are shown; EXECUTE shows a name: send the statement itself"
)
SESSION_OVER = "the session has reached the end of its permitted time; log in again"
GRANT_OVER = "the grant that this session rested on has ended; ask for another one"
PROOF_OVER = "the token or pass that this connection was proven with has ended; send a new one"
PASS_OVER = "the session's pass has ended; log in with a new one"

_LOOKS_SECRET = re.compile(r"eyJ[\w-]{5,}\.[\w-]+|\bbwp_\w+")
_LONGEST = 256


def harmless(text: str) -> str:
    """Return free text of a client's login as a record may hold it: bounded, without a token in the wrong field."""
    text = _LOOKS_SECRET.sub("(a token in the wrong field)", text)
    return text if len(text) <= _LONGEST else text[:_LONGEST] + "…"


def approvers(approvals: Iterable[Approval]) -> str:
    """Return who must approve: `1 of dba and 2 of security`."""
    return " and ".join(f"{approval.count} of {approval.group}" for approval in approvals)


def notice(ruling: Ruling, asked: Asked) -> str:
    """Return what a client hears while its statement is held: why, who may approve, until when, and where."""
    text = f"{_needed(ruling)}, until {_clock_time(asked.until)}"
    return f"{text}: {asked.link}" if asked.link else text


def asked(ruling: Ruling, asked: Asked) -> str:
    """Return what a client hears whose statement does not wait: by which request it was asked for, and what to do."""
    where = f"request {asked.request}" + (f", {asked.link}" if asked.link else "")
    return (
        f"{_needed(ruling)}; people have been asked ({where}): "
        f"send the same statement again once it is approved, they can until {_clock_time(asked.until)}"
    )


def _needed(ruling: Ruling) -> str:
    who = approvers(ruling.obligations.approvals)
    text = ruling.reason or "policy holds this statement"
    return f"{text}; it waits for approval by {who}" if who and who not in text else text


def timed_out(ruling: Ruling, seconds: float) -> str:
    """Return what a client hears when nobody decided in time."""
    who = approvers(ruling.obligations.approvals)
    return f"nobody approved this statement within {_period(seconds)}" + (f" (needed: {who})" if who else "")


def disapproved(reason: str) -> str:
    """Return what a client hears when approval was refused."""
    return f"approval was refused: {reason}" if reason else "approval was refused"


def denied(ruling: Ruling) -> str:
    """Return what a client hears of a denial."""
    return ruling.reason or "policy does not permit this"


def login_held(ruling: Ruling) -> str:
    """Return what a client hears whose `connect` would need approval."""
    return f"{denied(ruling)}; a login cannot wait for approval, so it is refused"


def too_many(name: str, most: int) -> str:
    """Return what a client hears whose agent has no session left."""
    return f"{name} has {most} sessions open, as many as it may have; close one and try again"


def _clock_time(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).strftime("%H:%M:%S UTC")


def _period(seconds: float) -> str:
    whole = float(f"{seconds:.2g}")
    return f"{whole / 60:g} minutes" if whole >= 120 and whole % 60 == 0 else f"{whole:g} seconds"
