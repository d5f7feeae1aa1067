"""The models of `blastwall.yaml`. Unknown keys are errors; each key's description is the configuration reference.

The file's keys are a promise to users: more may be added, with defaults; none is renamed or removed.
"""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Discriminator, Field, Tag, ValidationInfo, field_validator, model_validator

from blastwall.config.azure import AzureSettings
from blastwall.config.budgets import Budget
from blastwall.config.callers import Agent, Issuer, User
from blastwall.config.control import Control
from blastwall.config.credentials import SecretSource
from blastwall.config.gateway_tokens import GatewayTokenSettings
from blastwall.config.grants import BreakGlass, GrantSettings
from blastwall.config.hold import HoldSettings
from blastwall.config.notifications import Notification
from blastwall.config.resource_settings import ResourceSettings
from blastwall.config.types import Duration, File, Name, NonEmpty, Period, Size, Strict, text_beside
from blastwall.model.masks import MaskStyle


def _state_beside(url: str, info: ValidationInfo[object]) -> str:
    return (
        url
        if url.startswith(("sqlite:///:", "sqlite:///?")) or url == "sqlite:///"
        else text_beside("sqlite:///", url, info)
    )


def _glob_beside(pattern: str, info: ValidationInfo[object]) -> str:
    return text_beside("", pattern, info)


class TlsFiles(Strict):
    """The gateway's own certificate towards clients."""

    certificate: File = Field(description="PEM file with the certificate chain that clients verify.")
    key: File = Field(description="PEM file with its private key; readable by the gateway alone.")


class Anchor(Strict):
    """Where signed checkpoints are copied, so that tampering is found even by somebody who has only the copy."""

    folder: File | None = Field(None, description="Folder, best on other storage, into which checkpoints are written.")
    webhook: str | None = Field(None, description="https URL to which each checkpoint is posted as JSON.")

    @model_validator(mode="after")
    def _one(self) -> Anchor:
        if (self.folder is None) == (self.webhook is None):
            raise ValueError("give either `folder` or `webhook`")
        return self


class Encryption(Strict):
    """The keys that recordings are encrypted with: 32 bytes each, in hexadecimal or base64."""

    key: SecretSource = Field(description="The key for new recordings, read at the start; `openssl rand -hex 32`.")
    old: list[SecretSource] = Field(
        default_factory=list, description="Keys that were used before; they still open what they encrypted."
    )


class Recordings(Strict):
    """Where sessions are recorded, how durably and for how long."""

    to: File = Field(Path("state/recordings"), validate_default=True, description="Folder of the recordings.")
    durability: Literal["process", "power"] = Field(
        "process",
        description="`process`: a ruling is written before its bytes are sent, so a killed gateway loses nothing; "
        "`power`: it is also fsynced, so a power cut loses nothing.",
    )
    checkpoint: Period = Field(timedelta(seconds=60), description="How often a signed checkpoint is made.")
    anchors: list[Anchor] = Field(default_factory=list, description="Where checkpoints are copied.")
    keep: Period | None = Field(None, description="Recordings older than this are deleted; default: never.")
    max_size: Size | None = Field(
        None, description="The oldest ended sessions are deleted beyond this total; default: no limit."
    )
    segment_size: Size = Field(64 << 20, description="A recording file is closed and a new one begun at this size.")
    encrypt: Encryption | None = Field(
        None, description="Encrypt recordings (AES-256-GCM); default: they are as safe as the folder is."
    )


_MEDIA_TYPE = re.compile(r"[A-Za-z0-9!#$&^_.+-]+/(?:[A-Za-z0-9!#$&^_.+-]+|\*)")


class PackChoice(Strict):
    """What of a default pack is switched off."""

    except_: list[NonEmpty] = Field(
        default_factory=list, alias="except", description="Ids of the pack's policies that do not apply."
    )


def _name_or_choice(value: object) -> str:
    return "name" if isinstance(value, str) else "choice"


PackEntry = Annotated[
    Annotated[Name, Tag("name")] | Annotated[dict[Name, PackChoice], Field(min_length=1, max_length=1), Tag("choice")],
    Discriminator(_name_or_choice),
]


Detector = Literal["email", "card", "iban", "us_ssn", "phone", "jwt", "azure_key", "connection_string", "private_key"]


class MaskingRule(Strict):
    """What is hidden in results."""

    resource: Name = Field(description="The resource whose results are masked.")
    columns: list[NonEmpty] = Field(
        default_factory=list, description="Columns, as `[database.]schema.table.column`; `*` stands for one part."
    )
    fields: list[NonEmpty] = Field(
        default_factory=list,
        description="Fields of JSON, CSV and XML answers, as `$.value[*].properties.email` or `..email` for any depth.",
    )
    detect: list[Detector] = Field(default_factory=list, description="Detectors run over text and json values.")
    unread: list[NonEmpty] = Field(
        default_factory=list,
        description="Media types (`image/*`) whose answers pass although this rule cannot be applied to them.",
    )
    with_: MaskStyle = Field(MaskStyle.REDACT, alias="with", description="How a value is hidden.")
    except_: list[Name] = Field(
        default_factory=list, alias="except", description="Groups that see the values; recordings never do."
    )

    @model_validator(mode="after")
    def _something(self) -> MaskingRule:
        if sum(map(bool, (self.columns, self.fields, self.detect))) != 1:
            raise ValueError("give one of `columns`, `fields` and `detect`")
        if self.unread and self.columns:
            raise ValueError("`unread` goes with `fields` and `detect`: columns have no media types")
        return self

    @field_validator("unread")
    @classmethod
    def _media_types(cls, patterns: list[str]) -> list[str]:
        for pattern in patterns:
            if not _MEDIA_TYPE.fullmatch(pattern):
                raise ValueError(f"{pattern!r} is no media type: write `image/png`, or `image/*` for all of a kind")
        return patterns


class PassSettings(Strict):
    """Passes: short-lived handles given for tokens at the control port (RFC 8693)."""

    lifetime: Period = Field(timedelta(minutes=15), description="How long a pass works; never longer than its token.")


class LimitSettings(Strict):
    """Bounds on connections, sizes and waits."""

    connections: Annotated[int, Field(ge=1)] = Field(10_000, description="Client connections at once, all resources.")
    handshake: Period = Field(timedelta(seconds=15), description="A login must be complete within this time.")
    idle: Period = Field(timedelta(hours=8), description="A session without traffic is ended after this time.")
    statement: Period | None = Field(
        None,
        description="A statement that runs longer is cancelled. What a pipeline sends without asking for answers in "
        "between is answered together, and counts as one. Default: no limit.",
    )
    statement_size: Size = Field(
        256 << 10, description="A longer statement is refused, since it could not be classified."
    )
    message_size: Size = Field(
        64 << 20,
        description="A longer message of a client (a larger value) is refused: it is held whole until judged.",
    )
    drain: Duration = Field(timedelta(seconds=30), description="On SIGTERM, how long sessions may finish their work.")


class Logging(Strict):
    """The gateway's own log, on standard error."""

    level: Literal["debug", "info", "warning", "error"] = Field("info", description="The least severe level logged.")
    format: Literal["json", "console"] = Field("json", description="One JSON object a line, or text for people.")


class Configuration(Strict):
    """`blastwall.yaml`."""

    state: Annotated[NonEmpty, AfterValidator(_state_beside)] = Field(
        "sqlite:///state/blastwall.db",
        validate_default=True,
        description="State database: `sqlite:///PATH`, or `postgresql://…` where several nodes share it.",
    )
    node: Name | None = Field(
        None, description="This node's name in recordings; default: the host's name. Give one where that changes."
    )
    recordings: Recordings = Field(default_factory=Recordings, description="Where sessions are recorded.")
    workers: Annotated[int, Field(ge=1, le=64)] = Field(
        1, description="Processes that serve every port together; `serve --workers` overrides it."
    )
    listen: str = Field("127.0.0.1", description="Address on which the resources' ports are opened.")
    tls: TlsFiles | None = Field(
        None, description="The gateway's certificate; left out, a development CA is made beside the state and said so."
    )
    control: Control = Field(default_factory=Control, description="The control port.")
    issuers: list[Issuer] = Field(min_length=1, description="The OIDC issuers whose tokens are accepted.")
    agents: list[Agent] = Field(min_length=1, description="The agents.")
    users: list[User] = Field(default_factory=list, description="The people who approve and operate.")
    azure: AzureSettings | None = Field(None, description="What `check --dial` may ask Azure itself.")
    resources: list[ResourceSettings] = Field(min_length=1, description="What is behind the gateway.")
    policies: list[Annotated[NonEmpty, AfterValidator(_glob_beside)]] = Field(
        default_factory=list, description="Cedar files, as paths or globs."
    )
    packs: list[PackEntry] | None = Field(
        None, description="Default packs; default: that of each resource's kind. `[]` switches them off."
    )
    masking: list[MaskingRule] = Field(default_factory=list, description="What is hidden in results.")
    masking_key: SecretSource | None = Field(
        None, description="The key of `hash` and `token`; default: made once and kept beside the state."
    )
    budgets: list[Budget] = Field(default_factory=list, description="What an agent may take in all.")
    notifications: list[Notification] = Field(
        default_factory=list, description="Where people are told of what happens."
    )
    hold: HoldSettings = Field(default_factory=HoldSettings, description="How long a held statement waits.")
    grants: GrantSettings = Field(default_factory=GrantSettings, description="Just-in-time access.")
    break_glass: BreakGlass | None = Field(
        None, description="Access without approval, in an emergency; default: nobody may open any."
    )
    passes: PassSettings = Field(default_factory=PassSettings, description="Passes.")
    gateway_tokens: GatewayTokenSettings = Field(
        default_factory=GatewayTokenSettings, description="Tokens that the gateway signs."
    )
    limits: LimitSettings = Field(default_factory=LimitSettings, description="Bounds on connections, sizes and waits.")
    log: Logging = Field(default_factory=Logging, description="The gateway's own log.")
