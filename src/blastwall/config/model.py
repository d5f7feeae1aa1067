"""The models of `blastwall.yaml`. Unknown keys are errors; each key's description is the configuration reference.

The file's keys are a promise to users: more may be added, with defaults; none is renamed or removed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    Discriminator,
    Field,
    Tag,
    ValidationInfo,
    field_validator,
    model_validator,
)

from blastwall.config.azure import AzureIdentity, AzureSettings
from blastwall.config.budgets import Budget
from blastwall.config.control import Control
from blastwall.config.credentials import CredentialSource, SecretSource
from blastwall.config.gateway_tokens import GatewayTokenSettings
from blastwall.config.grants import BreakGlass, GrantSettings
from blastwall.config.notifications import Notification
from blastwall.config.types import (
    Count,
    Duration,
    File,
    HostName,
    Name,
    Network,
    NonEmpty,
    Period,
    Port,
    Size,
    Strict,
    text_beside,
)
from blastwall.model.masks import MaskStyle
from blastwall.model.resource import HostTarget, TlsMode

_IN_TRANSACTION = timedelta(seconds=30)


def _state_beside(url: str, info: ValidationInfo[object]) -> str:
    return (
        url
        if url.startswith(("sqlite:///:", "sqlite:///?")) or url == "sqlite:///"
        else text_beside("sqlite:///", url, info)
    )


def _keys_beside(keys: str | None, info: ValidationInfo[object]) -> str | None:
    return None if keys is None else text_beside("file:", keys, info)


def _glob_beside(pattern: str, info: ValidationInfo[object]) -> str:
    return text_beside("", pattern, info)


def _at_most_a_minute(skew: timedelta) -> timedelta:
    if skew > timedelta(minutes=1):
        raise ValueError("must be at most 60s")
    return skew


Algorithm = Literal["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"]


def _rs256() -> list[Algorithm]:
    return ["RS256"]


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


_MEDIA_TYPE = re.compile(r"[A-Za-z0-9!#$&^_.+-]+/(?:[A-Za-z0-9!#$&^_.+-]+|\*)")
_PLACE = re.compile(r"(?P<host>[A-Za-z0-9._\-]+|\[[0-9A-Fa-f:.]+\])(:(?P<port>\d{1,5}))?")


def _host_and_port(text: str) -> str:
    match = _PLACE.fullmatch(text)
    if match is None or not 1 <= int(match["port"] or 1) <= 65535:
        raise ValueError("expects HOST or HOST:PORT, an IPv6 address in brackets")
    return text


def _place(text: str, port: int | None) -> tuple[str, int | None]:
    match = _PLACE.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} was not checked")
    return match["host"].strip("[]"), int(match["port"]) if match["port"] else port


HostAndPort = Annotated[str, AfterValidator(_host_and_port)]


class WarmSettings(Strict):
    """Upstream connections that are kept after a session, for the next one of the same principal."""

    connections: Annotated[int, Field(ge=1)] = Field(description="So many are parked at most, over all workers.")
    idle: Period = Field(timedelta(seconds=60), description="A parked connection is closed after this time.")
    age: Period = Field(
        timedelta(minutes=10), description="A connection is parked no more once it is so old: it logs in anew."
    )


class Upstream(Strict):
    """The resource's own address."""

    host: NonEmpty | None = Field(
        None, description="Host name or address; with `verify-full` the certificate must carry it."
    )
    hosts: list[HostAndPort] = Field(
        default_factory=list,
        description="Instead of `host`, several as `HOST` or `HOST:PORT`, tried in their order at each login.",
    )
    target: HostTarget = Field(
        HostTarget.ANY,
        description="Which of them will do: `any` that lets the gateway in, or the `primary`, which takes writes "
        "(PostgreSQL 14 or later; SQL Server).",
    )
    port: Port | None = Field(None, description="Port; default: the protocol's own.")
    database: str | None = Field(None, description="The default database, where the protocol has databases.")
    databases: list[NonEmpty] = Field(default_factory=list, description="Further databases that clients may name.")
    tls: TlsMode = Field(TlsMode.VERIFY_FULL, description="How the connection to the resource is secured.")
    ca: File | None = Field(None, description="PEM file of the CA of its certificate; default: the system's.")
    warm: WarmSettings | None = Field(None, description="Keeping connections warm; default: each session logs in.")

    @model_validator(mode="after")
    def _somewhere(self) -> Upstream:
        if (self.host is None) == (not self.hosts):
            raise ValueError("give either `host` or `hosts`")
        return self

    @property
    def places(self) -> tuple[tuple[str, int | None], ...]:
        """Hosts and their ports, in their order; no port stands for the protocol's own."""
        given = [self.host] if self.host is not None else []
        return (*((host, self.port) for host in given), *(_place(each, self.port) for each in self.hosts))


def _one_or_several(value: object) -> str:
    return "several" if isinstance(value, list) else "one"


class RecordSettings(Strict):
    """What is recorded of a resource's sessions besides statements and rulings."""

    results: Literal["none", "masked"] = Field(
        "none", description="`masked`: the first rows of each result, masked for everybody; also those of COPY TO."
    )
    rows: Annotated[int, Field(ge=1, le=10_000)] = Field(100, description="Rows recorded of one statement's result.")
    bytes: Size = Field(64 << 10, description="Bytes of values recorded of one statement's result.")


class ResourceSettings(Strict):
    """One thing behind the gateway."""

    name: Name = Field(description="Its name in policies, recordings and logs.")
    kind: NonEmpty = Field(description="Its protocol.")
    listen: Port = Field(
        description="The port on which clients reach it. Resources whose clients say a host name may share one."
    )
    hosts: list[HostName] = Field(
        default_factory=list,
        description="Names by which clients reach it, where it shares its port; default: whatever name.",
    )
    plain_text: bool = Field(
        False, description="Accept clients without TLS; only where `listen` is a loopback address."
    )
    azure: str = Field("", description="Its Azure resource id.")
    tags: dict[str, str] = Field(default_factory=dict, description="Tags that policies read.")
    upstream: Upstream = Field(description="Where it is.")
    credential: Annotated[
        Annotated[CredentialSource, Tag("one")]
        | Annotated[list[CredentialSource], Field(min_length=1), Tag("several")],
        Discriminator(_one_or_several),
    ] = Field(description="What the gateway logs in with; a list gives groups (`for`) their own.")
    record: RecordSettings = Field(default_factory=RecordSettings, description="What is recorded of results.")
    settings: dict[str, object] = Field(default_factory=dict, description="The protocol's own settings.")

    @property
    def credentials(self) -> tuple[CredentialSource, ...]:
        """The credentials as a tuple, however they were written."""
        return tuple(self.credential) if isinstance(self.credential, list) else (self.credential,)


def identities_of(settings: ResourceSettings) -> Iterator[tuple[tuple[str | int, ...], AzureIdentity]]:
    """Yield the Azure identities of a resource's credentials, each with its key below the resource."""
    several = isinstance(settings.credential, list)
    for number, credential in enumerate(settings.credentials):
        base = ("credential", number) if several else ("credential",)
        if credential.entra is not None:
            yield (*base, "entra"), credential.entra
        if credential.password is not None and credential.password.keyvault is not None:
            yield (*base, "password", "identity"), credential.password.vault_identity


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
