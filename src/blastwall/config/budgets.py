"""`budgets:` in the configuration."""

from __future__ import annotations

from datetime import timedelta

from pydantic import Field, model_validator

from blastwall.config.types import Amount, Name, Period, Size, Strict


class Budget(Strict):
    """What an agent may take in all in a window of time; one that takes more is contained until somebody lifts it.

    Each agent has a budget of its own, over all of its sessions, workers and nodes.
    """

    name: Name = Field(description="Its name in recordings, in the log and in the containment's reason.")
    agents: list[Name] = Field(default_factory=list, description="The agents that have it.")
    groups: list[Name] = Field(
        default_factory=list, description="Groups whose members have it; without `agents` and `groups` everybody does."
    )
    resource: Name | None = Field(None, description="The resource it is for; default: all of them together.")
    window: Period = Field(timedelta(hours=1), description="The length of time in which it may be spent.")
    rows_read: Amount | None = Field(None, description="Rows that results may have.")
    rows_changed: Amount | None = Field(None, description="Rows that may be inserted, updated and deleted.")
    masked_cells: Amount | None = Field(None, description="Cells that may be hidden by masking; `0`: none at all.")
    bytes_out: Size | None = Field(None, description="Bytes of results.")

    @model_validator(mode="after")
    def _bounds_something(self) -> Budget:
        if all(most is None for most in (self.rows_read, self.rows_changed, self.masked_cells, self.bytes_out)):
            raise ValueError("give at least one of `rows_read`, `rows_changed`, `masked_cells` and `bytes_out`")
        if self.window < timedelta(seconds=1) or self.window > timedelta(days=31):
            raise ValueError("`window` must be from 1s to 31d")
        return self
