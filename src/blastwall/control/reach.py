"""What a principal can reach: each action's most permissive ruling in a database, as far as policies can say it.

Policies name places: a database, or schemas and objects in it. Each action is judged at each place that some policy
names, as a statement with a filter, without masked columns. So `allow` says that there is something in this database
where it is allowed; a policy's further conditions may narrow it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Literal
from urllib.parse import unquote

from cedarpy import pst

from blastwall.gate.ports import Subject
from blastwall.model.azure import azure_object
from blastwall.model.effects import Action, Effect, Object
from blastwall.model.ids import segment
from blastwall.model.ruling import Decision
from blastwall.model.statement import Statement
from blastwall.policy.combine import Judgement
from blastwall.policy.evaluation import Undecidable
from blastwall.policy.policy_set import PolicySet
from blastwall.policy.rules import Rule

Reached = Literal["allow", "hold", "grant", "deny"]
_ORDER: tuple[Reached, ...] = ("allow", "hold", "grant", "deny")
_IN_AZURE = frozenset({"Object", "ResourceGroup", "Subscription"})
_BELOW = frozenset({"Schema", "Container", "Object"})
_MOST_PLACES = 64
_NOTHING: Mapping[str, Reached] = {action.value: "deny" for action in Action}


def reach(policies: PolicySet, subject: Subject) -> Mapping[str, Reached]:
    """Return the most permissive ruling of each action in the subject's database."""
    places = [_whole(subject), *_places(policies.rules.values(), subject)][:_MOST_PLACES]
    effects = [Effect(action, place) for action in Action for place in places]
    statement = Statement("", tuple(effects), "", subject.database, filtered=True)
    try:
        judged = policies.judge(subject, statement)
    except (Undecidable, ValueError):
        return _NOTHING
    found: dict[str, Reached] = dict(_NOTHING)
    for one in judged:
        action = one.effect.action.value
        found[action] = min(found[action], _reached(one.judgement), key=_ORDER.index)
    return found if found[Action.CONNECT.value] != "deny" else _NOTHING


def _reached(judgement: Judgement) -> Reached:
    if judgement.decision is Decision.DENY:
        return "grant" if judgement.shut else "deny"
    return "hold" if judgement.decision is Decision.HOLD else "allow"


def _whole(subject: Subject) -> Object:
    return Object((subject.database,), "database") if subject.database else Object((), "resource")


def _places(rules: Iterable[Rule], subject: Subject) -> Iterator[Object]:
    """Yield the places in the subject's database that policies name."""
    if subject.plane == "control":
        scopes = sorted({str(uid.id) for rule in rules for uid in pst.entity_uids(rule.tree) if _at_control(uid)})
        yield from map(azure_object, scopes)
        return
    start = [segment(subject.resource.name), segment(subject.database)]
    named = {uid for rule in rules for uid in pst.entity_uids(rule.tree)}
    for uid in sorted(named, key=str):
        parts = str(uid.id).split("/")
        if str(uid.type) in _BELOW and parts[:2] == start and len(parts) in {3, 4}:
            kind = "function" if parts[-1].endswith("()") else "schema" if len(parts) == 3 else "table"
            yield Object(tuple(unquote(part.removesuffix("()")) for part in parts[1:]), kind)


def _at_control(uid: pst.EntityUid) -> bool:
    """Whether a policy names a thing or scope of Azure's own."""
    return str(uid.type) in _IN_AZURE and str(uid.id).startswith("/")
