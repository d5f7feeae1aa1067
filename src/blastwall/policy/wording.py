"""What a refusal or a hold says to the client: what it asked for and what to do, never what a policy contains."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from blastwall.gate.wording import approvers
from blastwall.model.effects import Action, Effect, Object
from blastwall.model.statement import Statement
from blastwall.policy.combine import Judgement
from blastwall.policy.rules import Rule

UNDECIDABLE = "policy could not be evaluated for this statement, so it is refused; tell the gateway's operator"
NO_EFFECT = "the gateway cannot tell what this statement would do, so it is refused"

_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_LONGEST = 200


def denial(judgement: Judgement, effect: Effect, statement: Statement, resource: str, rules: Mapping[str, Rule]) -> str:
    """Return why `effect` is refused."""
    if judgement.erring:
        return UNDECIDABLE
    text = _reason(judgement.policies, rules) or f"policy does not permit {_what(effect, statement, resource)}"
    if judgement.shut:
        return _reason(judgement.shut, rules) or f"{text} without a grant"
    unclear = effect.action is Action.UNCLASSIFIED and statement.doubt
    return f"{text}: {_clean(statement.doubt)}" if unclear else text


def hold(judgement: Judgement, effect: Effect, statement: Statement, resource: str, rules: Mapping[str, Rule]) -> str:
    """Return what `effect` waits for."""
    asking = [identity for identity in judgement.policies if rules[identity].approvals]
    text = _reason(asking, rules) or f"policy holds {_what(effect, statement, resource)}"
    return f"{text}; it waits for approval by {approvers(judgement.approvals)}"


def object_name(thing: Object, resource: str) -> str:
    """Return an object's name as people write it: `shop.public.orders`, `role dba`."""
    if thing.azure:
        return thing.azure if len(thing.azure) <= _LONGEST else "…" + _clean(thing.azure)[-_LONGEST:]
    if not thing.path:
        return _clean(resource)
    if thing.pseudo and len(thing.path) > 2:
        return _clean(f"{thing.kind} {'.'.join(thing.path[2:])}")
    return _clean(".".join(thing.path))


def _reason(identities: Iterable[str], rules: Mapping[str, Rule]) -> str:
    return next((rules[identity].reason for identity in identities if rules[identity].reason), "")


def _what(effect: Effect, statement: Statement, resource: str) -> str:
    """Name the object only where the client named it: what stands behind a view is not the client's to learn."""
    operation = _clean(statement.operation) or effect.action.value
    last = effect.object.path[-1] if effect.object.path else resource
    asked = not statement.text or len(effect.object.path) < 2 or last.casefold() in statement.text.casefold()
    return f"{operation} on {object_name(effect.object, resource)}" if asked else f"this {operation}"


def _clean(text: str) -> str:
    cleaned = _UNPRINTABLE.sub("?", text)
    return cleaned if len(cleaned) <= _LONGEST else cleaned[:_LONGEST] + "…"
