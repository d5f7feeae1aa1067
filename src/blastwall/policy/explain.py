"""Why a permit did not apply: each of its parts asked by itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from cedarpy import pst

from blastwall.gate.ports import Subject
from blastwall.model.effects import Effect
from blastwall.model.statement import Statement
from blastwall.policy.evaluation import Asker, compile_all
from blastwall.policy.rules import Rule

_MOST_MISSING = 2
_MOST_SHOWN = 5
_ANY = pst.ScopeAny()


@dataclass(frozen=True, slots=True)
class Near:
    """A permit that almost applied: `missing` says, in words, which of its parts did not."""

    rule: Rule
    missing: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Part:
    """One part of a permit, as a policy of its own, and what to say if it does not hold."""

    rule: Rule
    tree: pst.Template
    complaint: str


def near(rules: Mapping[str, Rule], subject: Subject, statement: Statement, effect: Effect) -> tuple[Near, ...]:
    """Return the permits in force that came nearest to permitting `effect`, nearest first.

    Raises:
        Undecidable, ValueError: Cedar could not be asked.
    """
    permits = [rule for rule in rules.values() if not rule.forbids and not rule.observe]
    parts = {part.tree.id: part for number, rule in enumerate(permits) for part in _parts(rule, number)}
    if not parts:
        return ()
    [held] = Asker(subject).ask(compile_all(part.tree for part in parts.values()), statement, [effect])
    missing: dict[str, list[str]] = {}
    for identity, part in parts.items():
        if identity not in held.ids:
            missing.setdefault(part.rule.id, []).append(part.complaint)
    found = [Near(rules[identity], tuple(complaints)) for identity, complaints in missing.items()]
    nearest = sorted(found, key=lambda one: (len(one.missing), one.rule.id))
    return tuple(one for one in nearest if len(one.missing) <= _MOST_MISSING)[:_MOST_SHOWN]


def _parts(rule: Rule, number: int) -> Iterator[_Part]:
    """Yield the parts of a permit that ask anything."""
    tree = rule.tree
    bare = replace(tree, principal=_ANY, action=_ANY, resource=_ANY, clauses=())
    whole: list[tuple[pst.Template, str]] = [
        (replace(bare, principal=tree.principal), f"the principal {_constraint(tree.principal)}"),
        (replace(bare, action=tree.action), f"the action {_action(tree.action)}"),
        (replace(bare, resource=tree.resource), f"the resource {_constraint(tree.resource)}"),
    ]
    whole += [(replace(bare, clauses=(clause,)), _clause(replace(bare, clauses=(clause,)))) for clause in tree.clauses]
    for place, (part, complaint) in enumerate(whole):
        if part != bare:
            yield _Part(rule, replace(part, id=f"{number}#{place}"), complaint)


def _constraint(constraint: pst.PrincipalOrResourceConstraint) -> str:
    match constraint:
        case pst.ScopeEq(entity):
            return f"is not {entity}"
        case pst.ScopeIn(entity):
            return f"is not in {entity}"
        case pst.ScopeIs(entity_type):
            return f"is no {entity_type}"
        case pst.ScopeIsIn(entity_type, entity):
            return f"is no {entity_type} in {entity}"
        case _:
            return "is any"


def _action(constraint: pst.ActionConstraint) -> str:
    match constraint:
        case pst.ActionEq(entity):
            return f"is not {entity.id}"
        case pst.ActionIn(entities):
            return f"is not {' or '.join(entity.id for entity in entities)}"
        case _:
            return "is any"


def _clause(tree: pst.Template) -> str:
    """Return a condition as Cedar writes it, with what it should be."""
    text = " ".join(str(compile_all([tree])).split())
    condition = text[text.index("resource)") + len("resource)") :].strip().rstrip(";")
    return f"`{condition}` does not hold"
