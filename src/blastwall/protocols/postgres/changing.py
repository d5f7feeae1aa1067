"""What the sessions of one database are dropping, renaming or moving right now, for those beside them.

A definition holds at the server before its text has ended (`DROP TABLE t; COMMIT; SELECT pg_sleep(9)`), and its client
decides how fast it takes the answer. So from the moment that it is asked for until the catalog is read again, an
unqualified name that may mean something else by it means both for the others (`NameState.lost`). Where a name is
already in use under what it meant, it is the change that is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from weakref import WeakKeyDictionary

from blastwall.protocols.postgres.present import Present
from blastwall.sql.postgres import EVERYTHING, Catalog, Classified, Lost, joined

Places = frozenset[Lost]
NO_PLACES: Places = frozenset()


class Changing:
    """Which sessions there are, and which of them changes which places, as `NameState.lost` has them.

    `left` are places that a session was changing when it ended: that may yet happen, unheard.
    """

    def __init__(self) -> None:
        self.present = Present()
        self.places: WeakKeyDictionary[Party, Places] = WeakKeyDictionary()
        self.parties: WeakKeyDictionary[Party, None] = WeakKeyDictionary()
        self.left = NO_PLACES

    def note(self) -> None:
        """Something began, or is over."""
        self.present.quiet = not self.places and not self.left


class Party:
    """One session among those of its database.

    `under_way` says what of it may be running, or be sent any moment, `guards` whether masking rules are about it.
    """

    def __init__(
        self,
        changing: Changing,
        under_way: Callable[[], Iterable[Classified]],
        guards: Callable[[Classified], bool],
    ) -> None:
        self._shared = changing
        self._under_way = under_way
        self._guards = guards
        changing.parties[self] = None

    def begin(self, places: Places) -> None:
        """It asks for a change of these places."""
        if places:
            self._shared.places[self] = joined(self._shared.places.get(self, NO_PLACES), places)
            self._shared.note()

    def settle(self) -> None:
        """The catalog was read after all that it has changed."""
        self._shared.places.pop(self, None)
        self._shared.note()

    def leave(self, *, running: bool) -> None:
        """It is over; `running` says that the server may not have come to the end of what was sent."""
        shared = self._shared
        shared.parties.pop(self, None)
        places = shared.places.pop(self, NO_PLACES)
        shared.left = joined(shared.left, places if running else NO_PLACES)
        shared.note()

    def beside(self) -> Places:
        """Return what others are changing."""
        shared = self._shared
        if not shared.places:
            return shared.left
        return shared.left.union(*(places for one, places in shared.places.items() if one is not self))

    def used(self, places: Places, catalog: Catalog) -> str:
        """Return a relation of these places that another session is using by its name; "" for none."""
        for one in tuple(self._shared.parties) if places else ():
            found = one.using(places, catalog) if one is not self else None
            if found is not None:
                return ".".join(found)
        return ""

    def using(self, places: Places, catalog: Catalog) -> tuple[str, str] | None:
        """Return a relation of these places that may be running under a name, its own or a column's, not its alone."""
        for classified in self._under_way():
            for schema, name in _touched(classified):
                lost = not places.isdisjoint(((schema, name), (schema, ""), EVERYTHING))
                unsure = classified.hides or (classified.shifts and self._guards(classified))
                if lost and (unsure or catalog.shadowed(schema, name)):
                    return schema, name
        return None


def _touched(classified: Classified) -> Iterator[tuple[str, str]]:
    for effect in classified.effects:
        if len(effect.object.path) == 3:
            yield effect.object.path[1], effect.object.path[2]
    yield from classified.reads
