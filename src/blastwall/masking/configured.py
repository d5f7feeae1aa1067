"""Masking as the configuration has it: which rules are in force for whom, and what a recording may hold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from blastwall.masking.columns import ProtectedColumns
from blastwall.masking.statements import StatementRedactor
from blastwall.model.masks import NO_MASKS, ColumnRule, DetectRule, FieldRule, MaskRules
from blastwall.model.principal import Principal
from blastwall.model.resource import Resource
from blastwall.model.statement import Parameter, RedactedStatement, Statement


@dataclass(frozen=True, slots=True)
class MaskEntry:
    """One rule of one resource; members of the groups in `exempt` see the values, recordings never do."""

    resource: str
    rule: ColumnRule | FieldRule | DetectRule
    exempt: frozenset[str] = frozenset()


class _State:
    """Everything that one configuration settles; replaced as a whole."""

    __slots__ = ("by_groups", "by_resource", "deciding", "key", "recorded", "redactors")

    def __init__(self, entries: Sequence[MaskEntry], key: bytes) -> None:
        self.key = key
        self.by_resource: dict[str, tuple[MaskEntry, ...]] = {}
        for entry in entries:
            self.by_resource[entry.resource] = (*self.by_resource.get(entry.resource, ()), entry)
        self.recorded = {name: _rules([entry.rule for entry in own], key) for name, own in self.by_resource.items()}
        self.redactors = {name: StatementRedactor(rules) for name, rules in self.recorded.items()}
        self.by_groups: dict[tuple[str, frozenset[str]], MaskRules] = {}
        self.deciding: dict[tuple[str, frozenset[str]], ProtectedColumns] = {}

    def rules(self, groups: frozenset[str], resource: str) -> MaskRules:
        own = self.by_resource.get(resource, ())
        return _rules([entry.rule for entry in own if not entry.exempt & groups], self.key)


class ConfiguredMasking:
    """The gate's masking port, from configuration entries. All reading is from memory."""

    _MOST = 10_000

    def __init__(self, entries: Sequence[MaskEntry], key: bytes) -> None:
        """Take the rules into force.

        Raises:
            ValueError: a rule cannot be applied: an unreadable column or field, an unknown detector, a key too short.
        """
        self._state = _State(entries, key)

    def replace(self, entries: Sequence[MaskEntry], key: bytes) -> None:
        """Take other rules into force; statements already allowed keep theirs. On ValueError the old ones stay."""
        self._state = _State(entries, key)

    def rules(self, principal: Principal, resource: Resource) -> MaskRules:
        """Return the rules in force for this principal; the same object until something changes."""
        state = self._state
        wanted = (resource.name, principal.groups)
        known = state.by_groups.get(wanted)
        if known is None:
            if len(state.by_groups) >= self._MOST:
                state.by_groups.clear()
            known = state.by_groups[wanted] = state.rules(principal.groups, resource.name)
        return known

    def judged(self, principal: Principal, resource: Resource, statement: Statement) -> Statement:
        """Return the statement with `filters_masked` settled for this principal, itself where that is false."""
        state = self._state
        if statement.filters == _NOTHING or resource.name not in state.by_resource:
            return statement
        wanted = (resource.name, principal.groups)
        columns = state.deciding.get(wanted)
        if columns is None:
            if len(state.deciding) >= self._MOST:
                state.deciding.clear()
            columns = state.deciding[wanted] = ProtectedColumns(self.rules(principal, resource))
        return replace(statement, filters_masked=True) if columns.decides(statement.filters) else statement

    def recorded(self, resource: Resource) -> MaskRules:
        """Return the rules for rows in recordings; the same object until something changes."""
        return self._state.recorded.get(resource.name, NO_MASKS)

    def redact(self, resource: Resource, statement: Statement) -> RedactedStatement:
        """Return text and parameters as a recording may hold them; nobody is exempt."""
        return self._state.redactors.get(resource.name, _UNMASKED).redact(statement)

    def redact_values(
        self, resource: Resource, parameters: tuple[Parameter, ...], values: tuple[str | bytes | None, ...]
    ) -> tuple[str | None, ...]:
        """Return other values of the same parameters as a recording may hold them; nobody is exempt."""
        if not values:
            return ()
        return self._state.redactors.get(resource.name, _UNMASKED).redact_values(parameters, values)

    def shows(self, resource: Resource, statement: Statement) -> bool:
        """Return whether statements like this one are recorded as they are, but for values that are no text."""
        return self._state.redactors.get(resource.name, _UNMASKED).shows(statement)


def _rules(rules: Sequence[ColumnRule | FieldRule | DetectRule], key: bytes) -> MaskRules:
    if not rules:
        return NO_MASKS
    columns = tuple(rule for rule in rules if isinstance(rule, ColumnRule))
    detect = tuple(rule for rule in rules if isinstance(rule, DetectRule))
    fields = tuple(rule for rule in rules if isinstance(rule, FieldRule))
    return MaskRules(columns, detect, key, fields)


_NOTHING: frozenset[object] = frozenset()
_UNMASKED = StatementRedactor(NO_MASKS)
"""Secrets are redacted where nothing else is."""
