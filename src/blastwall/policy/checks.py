"""What Cedar's validation lets pass although it cannot be meant: each check yields complaints with file and line."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import cedarpy
from cedarpy import pst

from blastwall.config.wording import did_you_mean
from blastwall.model.azure_operations import misspelled
from blastwall.policy.entity_names import name_problem
from blastwall.policy.known import Known
from blastwall.policy.rules import Rule
from blastwall.policy.schema import schema
from blastwall.policy.tags import nodes

_BELOW_AZURE = frozenset({"Resource", "Database", "Schema", "Container", "Object"})
_WORDS = {"plane": ("data", "control"), "stage": ("prepare", "execute")}
_NEVER_TYPED = ' when { 1 + "" == 2 };'
_PREFIX = re.compile(r"^for policy `policy0`, ")


def check(rule: Rule, known: Known) -> Iterator[str]:
    """Yield what is wrong with one policy, given the configuration."""
    for one in _CHECKS:
        yield from one(rule, known)


def _typed(rule: Rule, _known: Known) -> Iterator[str]:
    """Validate against the schema; then find a policy that no request can satisfy.

    Cedar accepts `principal is Agent … when { principal is User }` as merely useless. Its type checker skips what
    stands behind a condition that is always false, so an ill-typed last condition that passes gives such a one away.
    """
    errors = cedarpy.validate_policies(rule.source.text, schema()).errors
    for message in dict.fromkeys(_PREFIX.sub("", error.error) for error in errors):
        yield rule.problem(message, _quoted(message))
    if not errors and cedarpy.validate_policies(rule.source.text[:-1] + _NEVER_TYPED, schema()).validation_passed:
        yield rule.problem("can never apply: its conditions contradict each other or its head")


def _quoted(message: str) -> str:
    quoted = re.search(r"`([^`]+)`", message)
    return re.escape(quoted[1].strip('"')) if quoted else ""


def _named(rule: Rule, known: Known) -> Iterator[str]:
    """Find entities that nothing is called: a misspelt name in a forbid would silently never forbid."""
    for uid in sorted(pst.entity_uids(rule.tree), key=str):
        problem = name_problem(str(uid.type), uid.id, known)
        if problem:
            yield rule.problem(problem, re.escape(f'"{uid.id}"'))
    asked = [("@approval", approval) for approval in rule.approvals] + [("@grant", approval) for approval in rule.grant]
    for name, approval in asked:
        if approval.group not in known.all_groups:
            problem = f"no agent or user has the group {approval.group!r}"
            yield rule.problem(f"{name}: {problem}{did_you_mean(approval.group, known.all_groups)}", rf"{name}\b")


def _plane(rule: Rule, _known: Known) -> Iterator[str]:
    """Require a permit that reaches beyond one resource to say which plane it means."""
    if rule.forbids or _bound(rule.tree.resource):
        return
    stated = any(_states_plane(clause.expr) for clause in rule.tree.clauses if isinstance(clause, pst.When))
    if not stated:
        yield rule.problem(
            "a permit that is not bound to a Resource, or something in one, must state the plane: add "
            'when { context.plane == "data" } or name the resource in its head'
        )


def _bound(constraint: pst.PrincipalOrResourceConstraint) -> bool:
    if isinstance(constraint, pst.ScopeEq | pst.ScopeIn | pst.ScopeIsIn):
        return isinstance(constraint.entity, pst.EntityUid) and str(constraint.entity.type) in _BELOW_AZURE
    return False


def _states_plane(expression: pst.Expr) -> bool:
    """Whether an expression can be true only if `context.plane` is one of some literals."""
    if isinstance(expression, pst.BinaryOp) and expression.op == "and":
        return _states_plane(expression.left) or _states_plane(expression.right)
    if isinstance(expression, pst.BinaryOp) and expression.op in {"eq", "contains"}:
        return any(attribute == "plane" for attribute, _ in _compared(expression))
    return False


def _words(rule: Rule, _known: Known) -> Iterator[str]:
    """Find comparisons of the plane or stage with a word that they never are."""
    for node in nodes(rule.tree.clauses):
        for attribute, word in _compared(node):
            if word not in _WORDS[attribute]:
                problem = f"context.{attribute} is never {word!r}; it is one of {', '.join(_WORDS[attribute])}"
                yield rule.problem(problem, re.escape(f'"{word}"'))


def _compared(node: object) -> list[tuple[str, str]]:
    """Return (attribute, literal) for a comparison of `context.plane` or `.stage` with literals; else nothing."""
    if not isinstance(node, pst.BinaryOp) or node.op not in {"eq", "not_eq", "contains"}:
        return []
    for attribute, other in ((node.left, node.right), (node.right, node.left)):
        if isinstance(attribute, pst.GetAttr) and attribute.base == pst.Var("context") and attribute.attr in _WORDS:
            elements = other.elements if isinstance(other, pst.Set) else (other,)
            return [(attribute.attr, one.value) for one in elements if isinstance(one, pst.StringLit)]
    return []


def _azure_words(rule: Rule, _known: Known) -> Iterator[str]:
    """Find Azure's words in a case that they never have: such a forbid would silently never forbid."""
    for node in nodes(rule.tree.clauses):
        for attribute, text in _written(node):
            if attribute == "kind" and "/" in text and text != text.lower():
                yield rule.problem(f"Azure types are written in lower case here: {text.lower()!r}", re.escape(text))
            right = misspelled(text) if attribute == "operation" and "/" in text else ""
            if right:
                yield rule.problem(f"an operation is never spelled {text!r}; write {right!r}", re.escape(text))


def _written(node: object) -> list[tuple[str, str]]:
    """Return (attribute, text) for a comparison of an attribute with texts or a pattern; else nothing."""
    if isinstance(node, pst.Like) and isinstance(node.base, pst.GetAttr):
        pattern = "".join(one.value if isinstance(one, pst.Char) else "*" for one in node.pattern)
        return [(node.base.attr, pattern)]
    if not isinstance(node, pst.BinaryOp) or node.op not in {"eq", "not_eq", "contains"}:
        return []
    for attribute, other in ((node.left, node.right), (node.right, node.left)):
        if isinstance(attribute, pst.GetAttr):
            elements = other.elements if isinstance(other, pst.Set) else (other,)
            return [(attribute.attr, one.value) for one in elements if isinstance(one, pst.StringLit)]
    return []


_CHECKS: tuple[Callable[[Rule, Known], Iterator[str]], ...] = (_typed, _named, _plane, _words, _azure_words)
