"""A request's authority and path in the one form that is judged and sent.

Path (RFC 3986, section 6.2.2): what is escaped without need is not escaped, hex digits are upper-case, dot segments are
resolved. Whatever a server behind might take for another path is refused, not guessed: an escaped slash, backslash or
control character, an escape of an escape, an empty segment, bytes that are no UTF-8. The query is passed as it came.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv6Address

from blastwall.protocols.http.faults import Unreadable

_PLAIN = re.compile(r"(?:/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)+/?\Z|/\Z")
"""A path that is in its form already, and the most frequent by far. No segment begins with a dot."""
_PATH = re.compile(r"(?:[A-Za-z0-9._~!$&'()*+,;=:@/-]|%[0-9A-Fa-f]{2})+\Z")
_ESCAPE = re.compile(r"%([0-9A-Fa-f]{2})")
_UNRESERVED = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
_AGAIN = re.compile(r"%25[0-9A-Fa-f]{2}")
_HOST = re.compile(r"[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?(?:\.[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?)*\Z")
_AUTHORITY = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::([1-9][0-9]{0,4}))?\Z")


@dataclass(frozen=True, slots=True)
class PathRule:
    """What a kind's paths may have that others may not.

    `slashes`: segments may be empty, and hold an escaped slash or percent sign, which stay as they are (names of
    blobs). `parameters`: segments may hold `;` (names in Azure Backup); elsewhere servers cut a segment there.
    """

    slashes: bool = False
    parameters: bool = False


STRICT = PathRule()


def split_target(target: str, authority: str, scheme: str) -> tuple[str, str | None]:
    """Return path and query of a request's target; `authority` is the `Host` field's, normalised.

    Raises:
        Unreadable: it is in another form, or names another host.
    """
    if "#" in target:
        raise Unreadable("a target with a fragment")
    if not target.startswith("/"):
        target = _origin_form(target, authority, scheme)
    path, mark, query = target.partition("?")
    return path, query if mark else None


def _origin_form(target: str, authority: str, scheme: str) -> str:
    """Return path and query of the absolute form, which means the same only where host and scheme are the same."""
    prefix, mark, rest = target.partition("://")
    if not mark or prefix.lower() not in ("http", "https"):
        raise Unreadable("a target that does not begin with a slash")
    cut = re.match(r"[^/?]*", rest)
    named = cut.group() if cut is not None else ""
    if prefix.lower() != scheme or normal_authority(named, scheme) != authority:
        raise Unreadable("a target whose scheme or host is not that of the connection and the Host field")
    rest = rest[len(named) :]
    return rest if rest.startswith("/") else f"/{rest}"


def normal_authority(text: str, scheme: str) -> str:
    """Return a host in lower case, with its port unless that is the scheme's own.

    Raises:
        Unreadable: it is no host name or address with at most a port.
    """
    found = _AUTHORITY.match(text)
    if found is None:
        raise Unreadable("a host that is no name or address with at most a port")
    host, port = found.group(1).lower(), found.group(2)
    if host.startswith("["):
        try:
            host = f"[{IPv6Address(host[1:-1]).compressed}]"
        except AddressValueError:
            raise Unreadable("a host that is no name or address with at most a port") from None
    elif len(host) > 253 or _HOST.match(host) is None:
        raise Unreadable("a host that is no name or address with at most a port")
    if port is None or port == ("443" if scheme == "https" else "80"):
        return host
    if int(port) > 65535:
        raise Unreadable("a port above 65535")
    return f"{host}:{port}"


def host_of_authority(authority: str) -> str:
    """Return a normalised authority's host, without its port."""
    host, colon, port = authority.rpartition(":")
    return host if colon and port.isdigit() and not authority.endswith("]") else authority


def normal_path(path: str, rule: PathRule = STRICT) -> str:
    """Return a path in its one form.

    Raises:
        Unreadable: it has more than one reading.
    """
    if _PLAIN.match(path) is not None:
        return path
    if _PATH.match(path) is None:
        raise Unreadable("a path with a character or an escape that none may have")
    normal = _ESCAPE.sub(_unescaped, path) if "%" in path else path
    if not rule.slashes and _AGAIN.search(normal) is not None:
        raise Unreadable("a path with an escape of an escape")
    _check_characters(normal, rule)
    return _resolved(normal, rule)


def decoded_segments(path: str) -> tuple[str, ...]:
    """Return the segments of a normalised path as the names that they stand for. An escaped slash is in its name."""
    return tuple(_decoded(segment) if "%" in segment else segment for segment in path[1:].split("/"))


def _unescaped(found: re.Match[str]) -> str:
    character = chr(int(found.group(1), 16))
    return character if character in _UNRESERVED else found.group().upper()


def _decoded(text: str) -> str:
    """Raises UnicodeDecodeError where it is no UTF-8."""
    parts = text.split("%")
    data = parts[0].encode() + b"".join(bytes.fromhex(part[:2]) + part[2:].encode() for part in parts[1:])
    return data.decode()


def _check_characters(path: str, rule: PathRule) -> None:
    if "%" in path:
        try:
            decoded = _decoded(path)
        except UnicodeDecodeError:
            raise Unreadable("a path that is no UTF-8") from None
        if any(character < " " or "\x7f" <= character <= "\x9f" for character in decoded):
            raise Unreadable("a path with a control character")
        if "\\" in decoded:
            raise Unreadable("a path with a backslash")
        if "%2F" in path and not rule.slashes:
            raise Unreadable("a path with an escaped slash")
    if not rule.parameters and (";" in path or "%3B" in path):
        raise Unreadable("a path with a semicolon")


def _resolved(path: str, rule: PathRule) -> str:
    kept: list[str] = []
    segments = path[1:].split("/")
    for position, segment in enumerate(segments):
        last = position == len(segments) - 1
        if segment in (".", ".."):
            if segment == ".." and not kept:
                raise Unreadable("a path that leads above its root")
            del kept[len(kept) - (segment == "..") :]
            if last:
                kept.append("")
        elif segment or last or rule.slashes:
            _check_segment(segment)
            kept.append(segment)
        else:
            raise Unreadable("a path with an empty segment")
    if kept[0] == "" and len(kept) > 1:
        raise Unreadable("a path that begins with two slashes")
    return "/" + "/".join(kept)


def _check_segment(segment: str) -> None:
    """Refuse what becomes a dot segment once more is unescaped, or once parameters are cut off (`..;x`)."""
    for part in segment.split("%2F"):
        name = part.replace("%3B", ";").partition(";")[0]
        if name in (".", ".."):
            raise Unreadable("a path with a hidden dot segment")
