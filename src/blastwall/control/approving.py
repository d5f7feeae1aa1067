"""Use-cases of approvals: see what waits, approve or deny it as a person."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import structlog

from blastwall.approvals.counting import Given, Scope
from blastwall.approvals.deciding import Deciding, Said
from blastwall.approvals.people import Person
from blastwall.approvals.worth import APPROVE, DENY, Worth
from blastwall.control.access import Access, Caller, Operator, Remote, Role, UseCases, use_case
from blastwall.gate.ports import Refusal
from blastwall.store.approvals import ApprovalTable, Past, Query, State, StoredDecision, StoredRequest

_log = structlog.get_logger("blastwall.control")


@dataclass(frozen=True, slots=True)
class PolicyPlace:
    """Where a policy that asked stands, and the reason that it gives; both empty where it is in force no more."""

    where: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Shown:
    """A request as a caller sees it. `cannot_because` is empty where the caller can decide it."""

    request: StoredRequest
    state: State
    groups: tuple[str, ...]
    claims: Mapping[str, str]
    parameters: tuple[str | None, ...]
    effects: tuple[tuple[str, str, str], ...]
    policies: tuple[tuple[str, PolicyPlace], ...]
    needed: tuple[Given, ...]
    decisions: tuple[StoredDecision, ...]
    cannot_because: str
    link: str


class Approving(UseCases):
    """What people do with requests.

    Args:
        table: where they are kept.
        deciding: takes decisions.
        worth: what decisions are worth.
        now: the time, in epoch seconds.
        link: where people find a request.
        place: where a policy of this id stands now.
    """

    def __init__(
        self,
        table: ApprovalTable,
        deciding: Deciding,
        worth: Worth,
        *,
        now: Callable[[], float],
        link: Callable[[str], str],
        place: Callable[[str], PolicyPlace],
    ) -> None:
        self._table = table
        self._deciding = deciding
        self._worth = worth
        self._now = now
        self._link = link
        self._place = place

    @use_case(Access.VIEWER)
    async def find(self, caller: Caller, query: Query) -> list[Shown]:
        """Return requests, newest first.

        Raises:
            StateError: the state cannot be read.
        """
        return [self._shown(caller, past) for past in await self._table.find(query, self._now())]

    @use_case(Access.VIEWER)
    async def show(self, caller: Caller, identity: str) -> Shown:
        """Return one request.

        Raises:
            NoSuchRequest: there is none.
            StateError: the state cannot be read.
        """
        return self._shown(caller, await self._table.get(identity))

    @use_case(Access.APPROVER)
    async def approve(self, caller: Remote, identity: str, scope: Scope, minutes: int, comment: str) -> Shown:
        """Approve a request.

        Raises:
            Senseless: scope, minutes or comment do not go together.
            CannotDecide: this person may not decide it; `Ended` where nobody can any more.
            NoSuchRequest: there is none.
            StateError: the state cannot be written; nothing was decided.
        """
        return await self._decide(caller, identity, Said(APPROVE, scope, minutes, comment))

    @use_case(Access.APPROVER)
    async def deny(self, caller: Remote, identity: str, comment: str) -> Shown:
        """Deny a request: the comment is what its client hears. Raises as `approve` does."""
        return await self._decide(caller, identity, Said(DENY, comment=comment))

    async def _decide(self, caller: Remote, identity: str, said: Said) -> Shown:
        person = _person(caller)
        past = await self._deciding.decide(identity, person, said)
        _log.info(
            "approval_decided", request=identity, by=person.name, decision=said.decision, state=past.request.state
        )
        return self._shown(caller, past)

    def _shown(self, caller: Caller, past: Past) -> Shown:
        request = past.request
        return Shown(
            request=request,
            state=request.state_at(self._now()),
            groups=tuple(json.loads(request.groups)),
            claims=json.loads(request.claims),
            parameters=tuple(json.loads(request.parameters)),
            effects=tuple((action, ".".join(names), kind) for action, names, kind in json.loads(request.effects)),
            policies=tuple((identity, self._place(identity)) for identity in json.loads(request.policies)),
            needed=tuple(self._worth.given(past)),
            decisions=past.decisions,
            cannot_because=self._cannot(caller, past),
            link=self._link(request.id),
        )

    def _cannot(self, caller: Caller, past: Past) -> str:
        if isinstance(caller, Operator) or caller.principal is None:
            return "an approval needs a person's identity: sign in"
        if Role.APPROVER not in caller.roles:
            return "this needs the role approver"
        return self._deciding.cannot(past, Person.of(caller.principal))


def _person(caller: Remote) -> Person:
    if caller.principal is None:
        raise Refusal("nobody decides", "nothing was shown that says who you are")
    return Person.of(caller.principal)
