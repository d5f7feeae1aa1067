"""What the sessions of one database are giving another meaning right now, for those beside them.

A definition holds at the server before its request has ended, and its client decides how fast it takes the answer. So
from the moment that it is sent until the catalog is read again, the names that it changes are in doubt for the others:
a statement that uses one is `unclassified`, and results that are under way are masked as if it showed everything.
"""

from __future__ import annotations

from copy import copy
from itertools import count
from weakref import WeakKeyDictionary

from blastwall.sql.tsql.catalog import Catalog

_OTHERS = "another session is changing what {name} means: send it again in a moment"
_VERSIONS = -(1 << 40)
"""Versions of catalogs with doubts, which are no reading's and no transaction's own (`pending.py`)."""


class Changing:
    """Which session changes which names, as `Catalog.key` has them."""

    def __init__(self) -> None:
        self._names: WeakKeyDictionary[object, frozenset[str]] = WeakKeyDictionary()
        self._versions = count(_VERSIONS, -1)
        self._last: tuple[Catalog, frozenset[str], Catalog] | None = None

    def begin(self, session: object, names: frozenset[str]) -> None:
        """A session sends what gives these names another meaning."""
        if names:
            self._names[session] = self._names.get(session, frozenset()) | names

    def settle(self, session: object) -> None:
        """The catalog was read after all that a session has changed, or the session is over."""
        self._names.pop(session, None)
        self._last = None

    def seen(self, session: object, catalog: Catalog) -> Catalog:
        """Return the catalog as a session may go by it: without what others are changing."""
        if not self._names:
            return catalog
        names = frozenset().union(*(found for one, found in self._names.items() if one is not session))
        if not names:
            return catalog
        if self._last is None or self._last[0] is not catalog or self._last[1] != names:
            made = copy(catalog)
            made.redefine(next(self._versions), doubted=((one, _OTHERS) for one in names))
            self._last = catalog, names, made
        return self._last[2]
