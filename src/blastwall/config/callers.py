"""Who comes to the gateway: issuers of tokens, and the agents and people that are known by them."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, ValidationInfo

from blastwall.config.hold import AgentHold
from blastwall.config.types import Count, Duration, File, Name, Network, NonEmpty, Period, Strict, text_beside


def _keys_beside(keys: str | None, info: ValidationInfo[object]) -> str | None:
    return None if keys is None else text_beside("file:", keys, info)


def _at_most_a_minute(skew: timedelta) -> timedelta:
    if skew > timedelta(minutes=1):
        raise ValueError("must be at most 60s")
    return skew


Algorithm = Literal["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"]


def _rs256() -> list[Algorithm]:
    return ["RS256"]


class Issuer(Strict):
    """An OIDC issuer whose tokens are accepted."""

    name: Name = Field(description="The name by which agents and users refer to it.")
    issuer: NonEmpty = Field(description="The exact `iss` of its tokens; a trailing slash counts.")
    audience: NonEmpty = Field(description="The exact `aud` that tokens must be made for.")
    jwks: Annotated[str | None, AfterValidator(_keys_beside)] = Field(
        None, description="Its keys: `file:PATH` or an https URL; default: OpenID Connect discovery."
    )
    algorithms: list[Algorithm] = Field(
        default_factory=_rs256, min_length=1, description="The signature algorithms accepted; never `none` or HS*."
    )
    max_lifetime: Period = Field(
        timedelta(hours=24), description="A token that lives longer (`exp` - `iat`) is refused."
    )
    skew: Annotated[Duration, AfterValidator(_at_most_a_minute)] = Field(
        timedelta(seconds=30), description="Clock difference tolerated, at most 60s."
    )
    stale: Duration = Field(
        timedelta(hours=24), description="How long known keys stay in use while the issuer cannot be reached."
    )
    ca: File | None = Field(
        None, description="PEM file of the CA of the issuer's https endpoint; default: the system's."
    )


class Agent(Strict):
    """A non-human caller, known by the claims of its tokens."""

    name: Name = Field(description="Its name in policies, recordings and logs.")
    issuer: Name = Field(description="The issuer of its tokens.")
    match: dict[str, NonEmpty] = Field(
        min_length=1,
        description="Claims that a token must carry: an exact value, or `glob:…` or `regex:…` (whole value). "
        "All must match.",
    )
    groups: list[Name] = Field(default_factory=list, description="Groups that policies, credentials and masks name.")
    networks: list[Network] = Field(
        default_factory=list, description="Tokens and passes work from these networks only; default: from anywhere."
    )
    session_max: Period | None = Field(None, description="A session of this agent ends after this time.")
    max_sessions: Annotated[int, Field(ge=1)] | None = Field(
        None, description="How many sessions this agent may have at once; default: no limit of its own."
    )
    logins_per_minute: Count | None = Field(
        None, description="How many sessions this agent may begin in a minute; default: no limit."
    )
    statements_per_minute: Count | None = Field(
        None, description="How many statements this agent may run in a minute, in all its sessions; default: no limit."
    )
    hold: AgentHold | None = Field(None, description="What of the top-level `hold` is different for this agent.")


class User(Strict):
    """A person, known by the claims of their tokens."""

    name: Name = Field(description="The name in policies, recordings and logs.")
    issuer: Name = Field(description="The issuer of their tokens.")
    match: dict[str, NonEmpty] = Field(min_length=1, description="Claims that a token must carry, as for agents.")
    groups: list[Name] = Field(default_factory=list, description="Groups that policies and approvals name.")
    person: Name | None = Field(
        None,
        description="Who this is, where one person is configured under several names: they count once in an approval, "
        "and approve nothing that another name of theirs asks for; default: `name`.",
    )
    behind_agents: dict[str, NonEmpty] = Field(
        default_factory=dict,
        description="Claims of agents' tokens that name this person, such as GitHub's `actor_id`: they approve nothing "
        "that an agent with such a token asks for. One of them is enough.",
    )
