"""The bounds that a configuration sets: budgets, whose excess contains, and quotas, whose excess must wait."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from blastwall.config.budgets import Budget
from blastwall.config.callers import Agent
from blastwall.model.principal import Principal, PrincipalKind
from blastwall.store.spending import Account, Amounts

_MINUTE = 60
NOBODY_BOUND = Amounts(*(float("inf"),) * len(Amounts._fields))


@dataclass(frozen=True, slots=True)
class Bound:
    """So much at most in a window of `period` seconds at `resource` ("": at all together).

    It binds the agents and the members of the groups named, everybody where none is. Beyond it the agent is contained
    where it is a budget; the statement or login is refused where it is a quota.
    """

    name: str
    period: int
    most: Amounts
    resource: str = ""
    agents: frozenset[str] = frozenset()
    groups: frozenset[str] = frozenset()
    contains: bool = True

    def binds(self, principal: Principal) -> bool:
        """Whether it holds for a principal."""
        if not self.agents and not self.groups:
            return True
        named = principal.kind is PrincipalKind.AGENT and principal.name in self.agents
        return named or not self.groups.isdisjoint(principal.groups)

    def account(self, principal: Principal) -> Account:
        """Where what it bounds is counted; bounds of one resource and period share it."""
        return Account(principal.kind.value, principal.name, self.resource, self.period)


def bounds_of(budgets: Sequence[Budget], agents: Sequence[Agent]) -> tuple[Bound, ...]:
    """Return the bounds of a configuration."""
    return (*(_budget(each) for each in budgets), *(quota for agent in agents for quota in _quota(agent)))


def _budget(budget: Budget) -> Bound:
    given = {
        "rows_read": budget.rows_read,
        "rows_changed": budget.rows_changed,
        "masked_cells": budget.masked_cells,
        "bytes_out": budget.bytes_out,
    }
    most = NOBODY_BOUND._replace(**{name: value for name, value in given.items() if value is not None})
    return Bound(
        budget.name,
        int(budget.window.total_seconds()),
        most,
        budget.resource or "",
        frozenset(budget.agents),
        frozenset(budget.groups),
    )


def _quota(agent: Agent) -> tuple[Bound, ...]:
    given = {"statements": agent.statements_per_minute, "logins": agent.logins_per_minute}
    most = NOBODY_BOUND._replace(**{name: value for name, value in given.items() if value is not None})
    if most == NOBODY_BOUND:
        return ()
    return (Bound(agent.name, _MINUTE, most, agents=frozenset({agent.name}), contains=False),)
