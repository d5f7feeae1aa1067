"""Lists in pages: newest first, and a cursor that says where the next page begins.

A cursor is opaque to the caller and nothing secret: the sort key of the last item, as JSON in base64url. A forged one
begins the page somewhere else, and that is all.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Sequence
from typing import Annotated, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from blastwall.api.frame import Answer
from blastwall.api.problems import Unacceptable

T = TypeVar("T")
S = TypeVar("S")
_MOST_CURSOR = 512

Key = tuple[float, str]
"""What lists are sorted by: a time, and an id where two have the same."""


class PageQuery(BaseModel):
    """The parameters of every list; a list with filters adds its own."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    limit: Annotated[int, Field(ge=1, le=200)] = Field(50, description="At most so many items.")
    cursor: Annotated[str, Field(max_length=_MOST_CURSOR, min_length=1)] | None = Field(
        None, description="`next` of the page before; left out, the first page."
    )

    @property
    def after(self) -> Key | None:
        """Where the page begins: after the item with this key.

        Raises:
            Unacceptable: the cursor is none that this gateway gave.
        """
        return None if self.cursor is None else _read(self.cursor)


class Page(Answer, Generic[T]):
    """A page of a list."""

    items: list[T] = Field(description="The items.")
    next: str | None = Field(description="`cursor` of the next page; null where this is the last.")


def cursor(key: Key) -> str:
    """Return the cursor of the page after the item with this key."""
    return base64.urlsafe_b64encode(json.dumps(key).encode()).decode().rstrip("=")


def page(found: Sequence[S], query: PageQuery, key: Callable[[S], Key], shown: Callable[[S], T]) -> Page[T]:
    """Return the page that `query` asks for out of everything, which is sorted by falling `key`."""
    after = query.after
    rest = [each for each in found if after is None or key(each) < after]
    return page_of(rest, query.limit, key, shown)


def page_of(found: Sequence[S], limit: int, key: Callable[[S], Key], shown: Callable[[S], T]) -> Page[T]:
    """Return a page of the first `limit` of what was found, where a use-case was asked for one more than that."""
    items = found[:limit]
    last = cursor(key(items[-1])) if len(found) > limit else None
    return Page[T](items=[shown(each) for each in items], next=last)


def by_name(found: Sequence[S], query: PageQuery, name: Callable[[S], str], shown: Callable[[S], T]) -> Page[T]:
    """Return a page of what is sorted by name, of which there are no two."""
    after = query.after
    rest = [each for each in found if after is None or name(each) > after[1]]
    return page_of(rest, query.limit, lambda each: (0.0, name(each)), shown)


def _read(text: str) -> Key:
    try:
        value = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    except (ValueError, binascii.Error, RecursionError):
        value = None
    match value:
        case [int() | float() as at, str() as identity]:
            return float(at), identity
        case _:
            raise Unacceptable(422, "cursor: it is none of this list's; begin with the first page")
