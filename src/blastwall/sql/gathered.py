"""The effects of a text: those that it has by itself, and those that definitions set off."""

from __future__ import annotations

from collections.abc import Collection

from blastwall.model.effects import Action, Effect, Mark

_ROWS = frozenset({Action.UPDATE, Action.DELETE})


def all_effects(own: Collection[Effect], followed: Collection[Effect]) -> tuple[Effect, ...]:
    """Return every effect; one that the text has by itself is not said again because it follows too."""
    direct = {(effect.action, effect.object) for effect in own if not effect.marks}
    rest = [
        one
        for one in followed
        if one not in own and ((one.action, one.object) not in direct or Mark.DEFINER in one.marks or _counts(one))
    ]
    return (*own, *sorted(rest, key=_order))


def _counts(effect: Effect) -> bool:
    """Whether a predicate of its own, or the lack of one, makes an effect another than the text's."""
    return effect.action in _ROWS and not effect.marks & {Mark.FILTERED, Mark.PART}


def _order(effect: Effect) -> tuple[str, tuple[str, ...], tuple[str, ...]]:
    return effect.action.value, effect.object.path, tuple(sorted(effect.marks))
