"""A request's path as Azure compares it: lower-case segments, or a reason why nobody can be sure of them.

ARM compares ids without regard to case, ordinally. It decodes escapes once, and what stands in front of it (a server's
URL parser, a front door) may trim, decode or fold more. A path that any of them could read as another is not placed.
"""

from __future__ import annotations

import re
import unicodedata

_LONGEST = 2048
"""Characters of a path: what is remembered of each is bounded by it, and no resource has a longer id."""
_MOST_SEGMENTS = 40
_LONGEST_SEGMENT = 1024
_ESCAPE = re.compile(r"%([0-9A-Fa-f]{2})?")
_UNSAFE = re.compile(r"[\x00-\x1f\x7f-\x9f/\\%?#\u2028\u2029\ud800-\udfff]")


class Unplaced(ValueError):
    """What cannot be said for certain; the text says what, for the agent's owner."""


def segments_of(path: str) -> tuple[str, ...]:
    """Return the segments of a normalised path, decoded and folded; one slash at the end says nothing.

    Raises:
        Unplaced: a segment is empty, or might be read as something else.
    """
    if not path.startswith("/"):
        raise Unplaced("the path does not start with a slash")
    if len(path) > _LONGEST:
        raise Unplaced(f"the path has {len(path)} characters; at most {_LONGEST} are judged")
    parts = path[1:].split("/")
    if parts[-1] == "":
        parts.pop()
    if len(parts) > _MOST_SEGMENTS:
        raise Unplaced(f"the path has {len(parts)} segments; at most {_MOST_SEGMENTS} are judged")
    return tuple([_segment(part) for part in parts])


def identity_of(segments: tuple[str, ...]) -> str:
    """Return the id that segments make; of none the tenant's."""
    return "/" + "/".join(segments)


def folded(name: str) -> str:
    """Return a name as Azure compares it.

    Raises:
        Unplaced: it has a letter whose case Azure may fold in another way than we do, or is no normalised text.
    """
    if name.isascii():
        return name.lower()
    if unicodedata.normalize("NFKC", name) != name or not all(map(_folds_plainly, name)):
        raise Unplaced("the name has characters that may be compared in several ways")
    return "".join([letter.lower() for letter in name])


def checked(name: str) -> str:
    """Return a decoded name, folded.

    Raises:
        Unplaced: it is no name of one segment, or might be trimmed to another.
    """
    if not name or len(name) > _LONGEST_SEGMENT:
        raise Unplaced("a segment of the path is empty" if not name else "a segment of the path is too long")
    if _UNSAFE.search(name):
        raise Unplaced("the path has an escaped slash, backslash, percent sign or control character")
    if name.endswith(".") or name != name.strip():
        raise Unplaced("a segment of the path ends with a dot, or starts or ends with a space")
    return folded(name)


def _segment(part: str) -> str:
    if "%" not in part:
        return checked(part)
    if any(match[1] is None for match in _ESCAPE.finditer(part)):
        raise Unplaced("the path has a percent sign that escapes nothing")
    octets = re.sub(rb"%([0-9A-Fa-f]{2})", lambda match: bytes([int(match[1], 16)]), part.encode())
    try:
        return checked(octets.decode())
    except UnicodeDecodeError:
        raise Unplaced("the path has escapes that are not UTF-8") from None


def _folds_plainly(letter: str) -> bool:
    """Whether lower and upper case are one letter each, and lead back to each other."""
    lower, upper = letter.lower(), letter.upper()
    return len(lower) == len(upper) == 1 and lower.upper() == upper and upper.lower() == lower
