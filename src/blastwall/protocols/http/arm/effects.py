"""What is found in a request: effects on Azure ids, and why some cannot be told."""

from __future__ import annotations

from collections.abc import Iterable

from blastwall.model.azure import azure_object
from blastwall.model.effects import Action, Effect, Object
from blastwall.protocols.http.arm.catalogue import actions_of, shows_secrets
from blastwall.protocols.http.arm.operations import Operation, operation_on
from blastwall.protocols.http.arm.paths import Unplaced, identity_of, segments_of

MOST = 513
"""Policy judges no more than 512 effects at once; one more is enough to say so."""


_SESSION = Object((), "resource")


class Found:
    """Effects in the order in which they were found, each once, and the first doubt."""

    __slots__ = ("_effects", "doubt")

    def __init__(self) -> None:
        self._effects: dict[Effect, None] = {}
        self.doubt = ""

    @property
    def effects(self) -> tuple[Effect, ...]:
        return tuple(self._effects)

    @property
    def full(self) -> bool:
        """Whether there are more than anybody will judge."""
        return len(self._effects) >= MOST

    def add(self, actions: Iterable[Action], identity: str) -> None:
        """Note that `actions` are done to what an id names."""
        thing = azure_object(identity)
        for action in actions:
            if not self.full:
                self._effects[Effect(action, thing)] = None

    def polled(self) -> None:
        """Note that the state of something under way is asked for, which whoever may open a session may."""
        self._effects[Effect(Action.CONNECT, _SESSION)] = None

    def asked(self, method: str, identity: str) -> None:
        """Note what a request of `method` to an id does by itself.

        Raises:
            Unplaced: it is no operation.
        """
        self.does(operation_on(method, identity))

    def does(self, operation: Operation) -> tuple[Action, ...]:
        """Note what an operation does by itself, and return it."""
        actions = actions_of(operation.key, operation.method)
        if operation.method in {"GET", "HEAD"} and shows_secrets(operation.target):
            actions = (*actions, Action.REVEAL)
        self.add(actions, operation.target)
        return actions

    def unclear(self, why: str, identity: str) -> None:
        """Note that what happens to an id cannot be told."""
        self.add((Action.UNCLASSIFIED,), identity)
        self.doubt = self.doubt or why


def identity(text: str) -> str:
    """Return an Azure id that a body names, in the form that entities use.

    Raises:
        Unplaced: it is none, or might be read as another.
    """
    if not text.startswith("/") or "?" in text:
        raise Unplaced("an id in the body does not start with a slash")
    return identity_of(segments_of(text.replace(" ", "%20")))
