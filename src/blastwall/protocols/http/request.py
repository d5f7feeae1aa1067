"""A request as it is judged and sent: parsed strictly, normalised once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass


class Headers:
    """Header fields in their order, with the names as they were spelled; looked up without regard to case.

    Values are text of one character a byte (ISO 8859-1), without the white space around them.
    """

    __slots__ = ("_by_name", "_fields")

    def __init__(self, fields: Iterable[tuple[str, str]] = ()) -> None:
        self._fields = tuple(fields)
        self._by_name: dict[str, list[str]] | None = None

    @property
    def _named(self) -> dict[str, list[str]]:
        """The values by lower-case name, made when they are first asked for."""
        found = self._by_name
        if found is None:
            found = self._by_name = {}
            for name, value in self._fields:
                found.setdefault(name.lower(), []).append(value)
        return found

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return iter(self._fields)

    def __len__(self) -> int:
        return len(self._fields)

    def __contains__(self, name: str) -> bool:
        return name in self._named

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Headers) and self._fields == other._fields

    def __hash__(self) -> int:
        return hash(self._fields)

    def __repr__(self) -> str:
        return f"Headers({', '.join(self._named)})"

    @property
    def names(self) -> Iterable[str]:
        """The names that there are, in lower case, each once."""
        return self._named.keys()

    def get(self, name: str, default: str = "") -> str:
        """Return the only or first value of a field, by its lower-case name."""
        found = self._named.get(name)
        return found[0] if found else default

    def all(self, name: str) -> tuple[str, ...]:
        """Return every value of a field, by its lower-case name."""
        return tuple(self._named.get(name, ()))

    def without(self, names: Iterable[str]) -> Headers:
        """Return these without the fields of those lower-case names."""
        left = names if isinstance(names, frozenset) else frozenset(names)
        kept = [field for field in self._fields if field[0].lower() not in left]
        return self if len(kept) == len(self._fields) else Headers(kept)

    def having(self, *fields: tuple[str, str]) -> Headers:
        """Return these with `fields` in place of those of the same names."""
        left = {name.lower() for name, _ in fields}
        return Headers([*(field for field in self._fields if field[0].lower() not in left), *fields])


@dataclass(frozen=True, slots=True)
class Request:
    """One request, normalised.

    `authority` is the host by which the client reached the gateway, lower-case, with its port unless that is the
    scheme's own. `path` starts with `/`: dot segments are resolved, unreserved characters are not escaped, what is
    escaped is in upper-case hex, and no segment is empty where the framing refuses that. `query` is what followed the
    first `?`, exactly as sent, None where there was none. `body` is the body without its transfer and content codings,
    None where it was not asked for or there is none. `secure` is whether the client speaks TLS.
    """

    method: str
    authority: str
    path: str
    query: str | None
    headers: Headers
    body: bytes | None = None
    secure: bool = True

    @property
    def origin(self) -> str:
        """Scheme and authority by which the client reached the gateway: what links are rewritten to."""
        return f"{'https' if self.secure else 'http'}://{self.authority}"

    @property
    def url(self) -> str:
        """The request's URL as the client knows it, which is what is recorded."""
        return f"{self.origin}{self.target}"

    @property
    def target(self) -> str:
        """Path and query as they are sent."""
        return self.path if self.query is None else f"{self.path}?{self.query}"
