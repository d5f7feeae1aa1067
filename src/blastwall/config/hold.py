"""How long what is held waits: for all, and for one agent."""

from __future__ import annotations

from datetime import timedelta
from typing import Literal

from pydantic import Field, model_validator

from blastwall.config.credentials import SecretSource
from blastwall.config.types import Duration, Period, Strict

_IN_TRANSACTION = timedelta(seconds=30)

HoldMode = Literal["wait", "fail"]


class AgentHold(Strict):
    """How one agent's held statements wait; what is left out is as at the top level."""

    mode: HoldMode | None = Field(None, description="As in the top-level `hold`.")
    timeout: Duration | None = Field(None, description="As in the top-level `hold`.")
    in_transaction: Duration | None = Field(None, description="As in the top-level `hold`.")
    approval_ttl: Period | None = Field(None, description="As in the top-level `hold`.")


class HoldSettings(Strict):
    """How long a held statement waits."""

    mode: HoldMode = Field(
        "wait",
        description="`wait`: the connection is held until people decide; `fail`: the statement is refused at once, "
        "with the request's id, and the same statement may be sent again once it is approved.",
    )
    timeout: Duration = Field(timedelta(minutes=5), description="A held statement is refused after this time.")
    in_transaction: Duration = Field(
        default_factory=lambda given: min(_IN_TRANSACTION, given.get("timeout", _IN_TRANSACTION)),
        description="The same inside an open transaction, whose locks the wait would keep; at most `timeout`; "
        "default: 30s, or `timeout` where that is less.",
    )
    approval_ttl: Period = Field(
        timedelta(hours=1),
        description="With `mode: fail`, how long people may decide, and how long the statement may then be sent again.",
    )
    key: SecretSource | None = Field(
        None,
        description="The key that binds and seals approvals, and seals grants, passes, logins and the keys of gateway "
        "tokens: at least 32 bytes, "
        "the same on every node that shares the state; default: made once and kept beside the state.",
    )

    @model_validator(mode="after")
    def _within(self) -> HoldSettings:
        if self.in_transaction > self.timeout:
            raise ValueError("`in_transaction` must be at most `timeout`")
        return self

    def of(self, agent: AgentHold | None) -> HoldSettings:
        """Return what holds for an agent; inside a transaction it never waits longer than outside."""
        if agent is None:
            return self
        given = {name: value for name, value in agent if value is not None}
        timeout = given.get("timeout", self.timeout)
        in_transaction = min(given.get("in_transaction", self.in_transaction), timeout)
        return self.model_copy(update={**given, "in_transaction": in_transaction})
