"""Just-in-time access: how long it may last, and who may break the glass."""

from __future__ import annotations

from datetime import timedelta

from pydantic import Field

from blastwall.config.types import Name, Period, Strict


class GrantSettings(Strict):
    """How long grants last, and the decisions on them."""

    longest: Period = Field(
        timedelta(hours=8), description="No grant lasts longer; a policy's `@grant_max` may allow less."
    )
    decide: Period = Field(timedelta(hours=24), description="A grant that was asked for can be decided on for so long.")


class BreakGlass(Strict):
    """Who may open access without approval, to be reviewed afterwards."""

    group: Name = Field(description="The group of users who may.")
    longest: Period = Field(
        timedelta(hours=1), description="No access so opened lasts longer; `@grant_max` may allow less."
    )
