"""Reading a text in a process of its own: what goes there, and what comes back.

What comes back is decoded by type and never unpickled, since whoever crashed the parser on purpose may say anything.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

import msgspec

from blastwall.sql.postgres.catalog import Catalog
from blastwall.sql.postgres.guard import Limits
from blastwall.sql.postgres.recall import Found, watched
from blastwall.sql.postgres.state import NameState
from blastwall.sql.postgres.statement import Classified
from blastwall.sql.postgres.views import trace

_BY_NAME = re.compile(r"execute|fetch|move", re.IGNORECASE)
_MANY_LITERALS = 1000
_READS_VIEWS = trace
"""Imported here already: once a process has begun to read, it opens no file."""


class UnreadableReply(Exception):
    """What came back is not what a reading gives."""


@dataclass(frozen=True, slots=True)
class Reading:
    """A text to be read under the names of `state`. Called with the catalog."""

    text: str
    state: NameState

    def __call__(self, context: object) -> bytes:
        """Return the encoded classification and the literals that matter.

        Raises:
            TypeError: the context is no catalog.
        """
        if not isinstance(context, Catalog):
            raise TypeError("a text is read with a catalog")
        found, looked = watched(self.text, context, self.state, Limits())
        light = tuple(_light(one) for one in found)
        return msgspec.msgpack.encode((light, None if looked is None else sorted(looked)))


def reading(text: str, state: NameState) -> Reading:
    """Return the task to read a text; what is prepared goes along only where the text could mean it."""
    if (state.prepared or state.cursors) and not _BY_NAME.search(text):
        state = replace(state, prepared={}, cursors={})
    return Reading(text, state)


def decode(reply: bytes) -> tuple[Found, tuple[int, ...] | None]:
    """Return a reply's classification and the literals that matter.

    Raises:
        UnreadableReply: it is malformed.
    """
    try:
        found, looked = msgspec.msgpack.decode(reply, type=tuple[tuple[Classified, ...], tuple[int, ...] | None])
    except (msgspec.DecodeError, RecursionError) as error:
        raise UnreadableReply(str(error)) from error
    if any(not one.effects for one in found):
        raise UnreadableReply("a statement without effects")
    return found, looked


def _light(one: Classified) -> Classified:
    """Leave out the tree, and of very many literals those that no recording would redact."""
    literals = one.literals
    if len(literals) > _MANY_LITERALS:
        literals = tuple(literal for literal in literals if literal.secret or literal.column is not None)
    return replace(one, tree=None, literals=literals)
