"""What one session's principal is granted, and whether what rested on a grant still stands."""

from __future__ import annotations

from dataclasses import replace

from blastwall.gate.ports import Subject
from blastwall.gate.shared import Shared
from blastwall.model.grant import OpenGrant
from blastwall.model.ruling import Decision, Ruling
from blastwall.wire.native import Whole


class NoGrants:
    """Implements `gate.ports.Grants` where there are none."""

    def open(self, subject: Subject) -> tuple[OpenGrant, ...]:
        """See `ports.Grants`."""
        return ()

    def used(self, grants: tuple[str, ...]) -> None:
        """See `ports.Grants`."""

    def remedy(self, subject: Subject, actions: tuple[str, ...]) -> str:
        """See `ports.Grants`."""
        return ""


def remedied(shared: Shared, subject: Subject, ruling: Ruling) -> Ruling:
    """Return the ruling; where a grant would mend it, its reason says how to ask for one."""
    if not ruling.grantable:
        return ruling
    how = shared.grants.remedy(subject, ruling.grantable)
    return replace(ruling, reason=f"{ruling.reason}; {how}") if how else ruling


class Granted:
    """One session's view of its principal's grants. `login` are those that its login rests on, by id."""

    __slots__ = ("_known", "_running", "_shared", "_subject", "login")

    def __init__(self, shared: Shared, subject: Subject) -> None:
        self._shared = shared
        self._subject = subject
        self._known = self.subject().granted
        self._running: dict[int, tuple[str, ...]] = {}
        self.login: tuple[str, ...] = ()

    def subject(self) -> Subject:
        """Return the subject with the grants that are open at this moment."""
        granted = self._shared.grants.open(self._subject)
        if granted != self._subject.granted:
            self._subject = replace(self._subject, granted=granted)
        return self._subject

    def changed(self) -> bool:
        """Whether other grants are open than when this was asked the last time."""
        before, self._known = self._known, self.subject().granted
        return before != self._known

    def stands(self, grants: tuple[str, ...]) -> bool:
        """Whether all of these are still open."""
        return {each.id for each in self.subject().granted}.issuperset(grants)

    def use(self, number: int, grants: tuple[str, ...], *, runs: bool) -> None:
        """Note that a statement is allowed by grants alone; one that `runs` may not do so after they have ended."""
        self._shared.grants.used(grants)
        if runs:
            self._running[number] = grants

    def ran(self, number: Whole) -> None:
        """Note that a statement is over."""
        if self._running:
            self._running.pop(number, None)

    def outlived(self) -> bool:
        """Whether a statement still runs whose grant has ended."""
        return any(not self.stands(grants) for grants in self._running.values())

    def may_stay(self) -> bool:
        """Whether the login still stands: by its own grant, by another one, or because policy needs none any more."""
        if self.stands(self.login):
            return True
        ruling = self._shared.policy.rule_connect(self.subject())
        self.login = ruling.grants
        return ruling.decision is Decision.ALLOW
