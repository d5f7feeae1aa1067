"""Times as people write them in a search: a date, a time, or how long ago."""

from __future__ import annotations

import re
from datetime import UTC, datetime

_AGO = re.compile(r"(\d+)([smhd])")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def parse_time(text: str, now: float) -> float:
    """Return seconds since the epoch for `2026-11-23`, `2026-11-23T14:05`, or `30m`, `2h`, `7d` before `now`.

    What names no zone is UTC, as everything that is printed.

    Raises:
        ValueError: it is none of these.
    """
    ago = _AGO.fullmatch(text.strip())
    if ago is not None:
        return now - int(ago[1]) * _SECONDS[ago[2]]
    try:
        time = datetime.fromisoformat(text.strip())
    except ValueError:
        raise ValueError(
            f"{text!r} is no time: write 2026-11-23, 2026-11-23T14:05 (UTC), or 2h for two hours ago"
        ) from None
    return (time if time.tzinfo is not None else time.replace(tzinfo=UTC)).timestamp()
