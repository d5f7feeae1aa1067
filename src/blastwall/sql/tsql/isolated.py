"""Reading a text in a process of its own: what goes there, and what comes back.

What comes back is decoded by type and never unpickled.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import msgspec

from blastwall.sql.tsql.catalog import Catalog
from blastwall.sql.tsql.classify import classify
from blastwall.sql.tsql.limits import Limits
from blastwall.sql.tsql.state import NameState
from blastwall.sql.tsql.statement import Classified

DEFAULT_LIMITS = Limits()
_MANY_LITERALS = 1000


class UnreadableReply(Exception):
    """What came back is not what a reading gives."""


@dataclass(frozen=True, slots=True)
class Reading:
    """A text to be read under the names of `state`, with its declared parameters. Called with the catalog."""

    text: str
    state: NameState
    parameters: Mapping[str, str]
    limits: Limits = DEFAULT_LIMITS

    def __call__(self, context: object) -> bytes:
        """Return the encoded classification.

        Raises:
            TypeError: the context is no catalog.
        """
        if not isinstance(context, Catalog):
            raise TypeError("a text is read with a catalog")
        found = classify(self.text, context, self.state, parameters=self.parameters, limits=self.limits)
        return msgspec.msgpack.encode(_light(found))


def decode(reply: bytes) -> Classified:
    """Return a reply's classification.

    Raises:
        UnreadableReply: it is malformed.
    """
    try:
        found = msgspec.msgpack.decode(reply, type=Classified)
    except (msgspec.DecodeError, RecursionError) as error:
        raise UnreadableReply(str(error)) from error
    if not found.effects:
        raise UnreadableReply("a request without effects")
    return found


def _light(one: Classified) -> Classified:
    """Leave out, of very many literals, those that no recording would redact."""
    if len(one.literals) <= _MANY_LITERALS:
        return one
    return replace(one, literals=tuple(each for each in one.literals if each.secret or each.column is not None))
