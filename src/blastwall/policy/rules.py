"""One policy as Blastwall reads it: Cedar's tree, and what its annotations add."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

import cedarpy
from cedarpy import pst

from blastwall.config.wording import did_you_mean
from blastwall.model.effects import Action
from blastwall.model.ruling import Approval
from blastwall.policy.source import PolicyText

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,127}")
_APPROVAL = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]{0,62})(?::([1-9][0-9]?))?")
_GRANT_MAX = re.compile(r"([1-9][0-9]{0,3})(m|h|d)")
_SECONDS = {"m": 60, "h": 3600, "d": 86400}
_PRINTABLE = re.compile(r"[^\x00-\x1f\x7f-\x9f\u2028\u2029]{1,200}")
_DEEPENING = re.compile(r'//[^\n]*|"(?:\\.|[^"\\])*"?|([(\[{.+*!<>=-]|&&|\|\||\bif\b)', re.DOTALL)
_MOST_DEEPENING = 500
"""Cedar's parser overflows the stack, which kills the process, somewhere between 500 and 2,000 levels of nesting."""

_COUNT = re.compile(r"[1-9][0-9]{0,8}")
_COUNTED = frozenset({"connect", "read", "create", "update", "delete"})
"""Actions whose changed rows the resource reports; TRUNCATE, code and definitions change rows that nobody counts."""


class Unfit(Exception):
    """A policy that cannot be used; the text is `file:line: message`."""


@dataclass(frozen=True, slots=True)
class Rule:
    """A policy in use.

    `tree` is Cedar's own, re-keyed by `id`. `approvals` turn a permit into "subject to approval" and a forbid into
    "forbidden unless approved". `grant` says who opens a permit that counts only with an open grant (empty: it always
    counts), `grant_max` for how many seconds at most. The limits bound the rows that a statement may show or change.
    `pack` names the default pack that it came from.
    """

    id: str
    source: PolicyText
    tree: pst.Template
    reason: str = ""
    approvals: tuple[Approval, ...] = ()
    grant: tuple[Approval, ...] = ()
    grant_max: float | None = None
    limit_rows: int | None = None
    limit_affected: int | None = None
    observe: bool = False
    pack: str = ""

    @property
    def forbids(self) -> bool:
        """Whether it is a forbid."""
        return self.tree.effect == "forbid"

    def problem(self, message: str, pattern: str = "") -> str:
        """Return a complaint about this policy, placed at the first match of `pattern` in it."""
        return f"{self.source.place(pattern)}: policy {self.id!r}: {message}"


def read_rule(source: PolicyText, pack: str = "") -> Rule:
    """Parse one policy and its annotations.

    Raises:
        Unfit: it is no single Cedar policy, or an annotation is missing, unknown, misspelt or badly written.
    """
    tree = _parse(source)
    for name in tree.annotations:
        _check_name(source, name)
    identity = tree.annotations.get("id")
    if identity is None:
        raise Unfit(f'{source.place()}: a policy needs a name: put @id("what-it-does") before it')
    if not _ID.fullmatch(identity):
        raise Unfit(f"{source.place('@id')}: @id({identity!r}): use letters, digits and . _ : - only, at most 128")
    rule = Rule(identity, source, replace(tree, id=identity), pack=pack)
    for name, value in tree.annotations.items():
        rule = _READERS[name](rule, value)
    if rule.reason and not (rule.forbids or rule.approvals or rule.grant):
        raise Unfit(
            rule.problem("@reason is told when a statement is refused or held; a plain permit does neither", "@reason")
        )
    _check_limits(rule)
    _check_grant(rule)
    return rule


def _check_grant(rule: Rule) -> None:
    """A grant must be able to take effect: on what permits, in force."""
    if not rule.grant:
        if rule.grant_max is not None:
            raise Unfit(
                rule.problem('@grant_max bounds a grant, and there is none: add @grant("GROUP:COUNT")', "@grant_max")
            )
        return
    if rule.forbids:
        raise Unfit(rule.problem("@grant opens a permit, and this policy forbids; put it on a permit", r"@grant\b"))
    if rule.observe:
        raise Unfit(rule.problem('@grant is not observed, only enforced; remove it or @mode("observe")', r"@grant\b"))


def _check_limits(rule: Rule) -> None:
    """A limit must be able to take effect: on what grants, in force, and where the rows can be counted."""
    limits = {"limit_rows": rule.limit_rows, "limit_affected": rule.limit_affected}
    for name in (f"@{name}" for name, most in limits.items() if most is not None):
        if rule.observe:
            raise Unfit(rule.problem(f'{name} is not observed, only enforced; remove it or @mode("observe")', name))
        if rule.forbids and not rule.approvals:
            raise Unfit(
                rule.problem(f"{name} limits what is permitted, and this policy forbids; put it on a permit", name)
            )
    if rule.limit_affected is not None:
        uncounted = sorted(actions_of(rule.tree.action) - _COUNTED)
        if uncounted:
            raise Unfit(
                rule.problem(
                    f"@limit_affected counts the rows of {', '.join(sorted(_COUNTED))}, not of "
                    f"{', '.join(uncounted)}; give those a policy of their own",
                    "@limit_affected",
                )
            )


def actions_of(constraint: pst.ActionConstraint) -> frozenset[str]:
    """Return the names of the actions that a policy's head means."""
    match constraint:
        case pst.ActionEq(entity):
            return frozenset({entity.id})
        case pst.ActionIn(entities):
            return frozenset(entity.id for entity in entities)
        case _:
            return frozenset(action.value for action in Action)


def _parse(source: PolicyText) -> pst.Template:
    if sum(1 for token in _DEEPENING.finditer(source.text) if token[1]) > _MOST_DEEPENING:
        raise Unfit(f"{source.place()}: the policy is too long or too deeply nested to be read; cut it into several")
    try:
        parsed = cedarpy.policies_to_pst(source.text)
    except ValueError as error:
        raise Unfit(f"{_place_of(source, str(error))}: {error}") from None
    if parsed.templates:
        raise Unfit(
            f"{source.place(chr(92) + '?(principal|resource)')}: templates (?principal, ?resource) cannot be used"
        )
    if len(parsed.static_policies) != 1:
        raise Unfit(f"{source.place()}: expects one policy")
    return next(iter(parsed.static_policies.values()))


def _place_of(source: PolicyText, message: str) -> str:
    """Return where a parser's message most likely points: Cedar's Python binding reports no position."""
    if "unexpected end" in message:
        return source.place(r"\S\s*\Z")
    quoted = re.search(r"`([^`]+)`|'([^']+)'|: (\S+)$", message)
    token = next((group for group in quoted.groups() if group), "") if quoted else ""
    return source.place(re.escape(token))


def _check_name(source: PolicyText, name: str) -> None:
    if name not in _READERS:
        hint = did_you_mean(name, _READERS)
        raise Unfit(f"{source.place('@' + re.escape(name))}: @{name}: no such annotation{hint}")


def _read_reason(rule: Rule, value: str) -> Rule:
    if not _PRINTABLE.fullmatch(value) or not value.strip():
        raise Unfit(rule.problem("@reason expects one line of 1 to 200 characters; clients read it", "@reason"))
    return replace(rule, reason=value)


def _read_approval(rule: Rule, value: str) -> Rule:
    return replace(rule, approvals=tuple(_approvals(rule, "@approval", value)))


def _read_grant(rule: Rule, value: str) -> Rule:
    return replace(rule, grant=tuple(_approvals(rule, "@grant", value)))


def _read_grant_max(rule: Rule, value: str) -> Rule:
    match = _GRANT_MAX.fullmatch(value)
    if match is None:
        raise Unfit(rule.problem(f'@grant_max({value!r}) expects minutes, hours or days, such as "4h"', "@grant_max"))
    return replace(rule, grant_max=float(match[1]) * _SECONDS[match[2]])


def _approvals(rule: Rule, name: str, value: str) -> Iterator[Approval]:
    seen: set[str] = set()
    for part in value.split(","):
        match = _APPROVAL.fullmatch(part.strip())
        if match is None:
            problem = f'{name}({value!r}) expects GROUP:COUNT, such as "dba:1" or "dba:2, security:1"'
            raise Unfit(rule.problem(problem, rf"{name}\b"))
        if match[1] in seen:
            raise Unfit(rule.problem(f"{name}({value!r}) names the group {match[1]!r} twice", rf"{name}\b"))
        seen.add(match[1])
        yield Approval(match[1], int(match[2] or 1))


def _read_mode(rule: Rule, value: str) -> Rule:
    if value != "observe":
        raise Unfit(
            rule.problem(f'@mode({value!r}): the only mode is "observe"; without @mode a policy is in force', "@mode")
        )
    return replace(rule, observe=True)


def _read_limit_rows(rule: Rule, value: str) -> Rule:
    return replace(rule, limit_rows=_count(rule, "limit_rows", value))


def _read_limit_affected(rule: Rule, value: str) -> Rule:
    return replace(rule, limit_affected=_count(rule, "limit_affected", value))


def _count(rule: Rule, name: str, value: str) -> int:
    if not _COUNT.fullmatch(value):
        raise Unfit(
            rule.problem(f'@{name}({value!r}) expects a number of rows from 1 to 999999999, such as "100"', f"@{name}")
        )
    return int(value)


def _keep(rule: Rule, _value: str) -> Rule:
    return rule


_READERS: Mapping[str, Callable[[Rule, str], Rule]] = {
    "id": _keep,
    "reason": _read_reason,
    "approval": _read_approval,
    "grant": _read_grant,
    "grant_max": _read_grant_max,
    "mode": _read_mode,
    "limit_rows": _read_limit_rows,
    "limit_affected": _read_limit_affected,
}
"""What each annotation does. One that is not listed here stops the load: nothing is silently without effect."""
