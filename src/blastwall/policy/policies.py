"""The policies in force, which a reload swaps as a whole."""

from __future__ import annotations

from blastwall.gate.ports import Subject
from blastwall.model.ruling import Ruling
from blastwall.model.statement import Statement
from blastwall.policy.policy_set import PolicySet


class Policies:
    """Implements `gate.ports.Policy`. A ruling comes from one set or the other, never from both."""

    def __init__(self, current: PolicySet) -> None:
        self._current = current

    @property
    def current(self) -> PolicySet:
        """The set in force."""
        return self._current

    @property
    def version(self) -> str:
        """A digest of the policies, packs and exceptions in force."""
        return self._current.version

    def replace(self, new: PolicySet) -> None:
        """Put `new` in force; what the old set remembered goes with it."""
        self._current = new

    def rule(self, subject: Subject, statement: Statement) -> Ruling:
        """Judge a statement by the set in force."""
        return self._current.rule(subject, statement)

    def rule_connect(self, subject: Subject) -> Ruling:
        """Judge a login by the set in force."""
        return self._current.rule_connect(subject)
