"""Entity ids: full, injective, and lower-cased where the name itself is case-insensitive.

An id is a path of segments joined by `/`. A segment is percent-escaped so that no name can imitate a path, a
function's `()` suffix or one of the classifier's own pseudo-schemas (`@roles`), and so that `Orders` and `orders`
(two tables in PostgreSQL) stay two ids although every id is lower-case.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

_ESCAPED = re.compile(r"[%/()@\"\\A-Z\s\x00-\x1f\x7f]")


def _escape(match: re.Match[str]) -> str:
    return "".join(f"%{byte:02x}" for byte in match.group().encode())


def segment(name: str) -> str:
    """Return one case-sensitive name as an id segment; distinct names give distinct segments."""
    return _ESCAPED.sub(_escape, name)


def join(segments: Iterable[str]) -> str:
    """Join escaped segments into an id."""
    return "/".join(segments)


def azure_id(resource_id: str) -> str:
    """Return an Azure resource id in the one form that entities use: lower-case, no trailing slash.

    Azure compares resource ids without regard to case (ARM resource id specification).
    """
    return resource_id.strip().rstrip("/").lower()
