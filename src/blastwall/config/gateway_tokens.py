"""Gateway tokens: what the gateway itself signs for agents whose clients want a token of Azure's form."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated
from uuid import UUID

from pydantic import AfterValidator, Field

from blastwall.config.types import Period, Strict

_LONGEST = timedelta(hours=24)


def _guid(text: str) -> str:
    try:
        return str(UUID(text))
    except ValueError:
        raise ValueError("expects a GUID such as 5f1c2a40-7d0e-4c55-9d0a-0f3b6f1c2a40") from None


def _at_most_a_day(lifetime: timedelta) -> timedelta:
    if lifetime > _LONGEST:
        raise ValueError("must be at most 24h: a stolen token works as long")
    return lifetime


def _an_hour_or_more(age: timedelta) -> timedelta:
    if age < timedelta(hours=1):
        raise ValueError("must be at least 1h")
    return age


class GatewayTokenSettings(Strict):
    """Tokens that the gateway signs for its agents (`az`, the Azure SDKs and Terraform want one of this form)."""

    lifetime: Annotated[Period, AfterValidator(_at_most_a_day)] = Field(
        timedelta(minutes=15),
        description="How long one works; never longer than the token that it was given for; at most 24h.",
    )
    rotate: Annotated[Period, AfterValidator(_an_hour_or_more)] = Field(
        timedelta(days=7),
        description="A signing key is replaced at this age, at least 1h; its tokens work to their ends.",
    )
    tenant: Annotated[str, AfterValidator(_guid)] | None = Field(
        None, description="The tenant id (`tid`) in them, a GUID; default: made once and kept in the state."
    )
