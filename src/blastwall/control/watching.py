"""Use-cases of watching what changes."""

from __future__ import annotations

from blastwall.control.access import Access, Remote, UseCases, use_case
from blastwall.control.changes import Changes, Subscription


class Watching(UseCases):
    """Who may hear of changes; they are told ids and states, which every viewer may look up."""

    def __init__(self, changes: Changes) -> None:
        self._changes = changes

    @use_case(Access.VIEWER)
    async def watch(self, caller: Remote, after: int | None = None) -> Subscription:
        """Begin to watch; `after` is the number of the last change that was seen.

        Raises:
            TooManySubscribers: the caller, or everybody together, watches too often.
            StateError: the state cannot be read.
        """
        return await self._changes.subscribe(caller.name, after)

    @use_case(Access.VIEWER)
    def leave(self, caller: Remote, subscription: Subscription) -> None:
        """Stop watching."""
        self._changes.unsubscribe(subscription)

    @use_case(Access.VIEWER)
    def may_go_on(self, caller: Remote) -> None:
        """Return where the caller, as they are known now, may go on watching.

        Raises:
            Forbidden: they may not any more.
        """
