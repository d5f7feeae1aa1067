"""A protocol of one word a statement, and a configuration around it, for the tests of the policy use-cases."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

from blastwall.model.credential import Credential
from blastwall.model.effects import Action, Effect, Object
from blastwall.model.resource import Address, Resource
from blastwall.model.statement import Statement
from blastwall.protocols.contract import Companion, Opening, ProtocolSession
from blastwall.protocols.kind import ClientAddress, Forwarder

CONFIGURATION = """\
issuers: [{name: github, issuer: "https://token.example", audience: blastwall}]
agents:
  - {name: shop-ci, issuer: github, match: {ref: refs/heads/main, sub: "glob:repo:*"}, groups: [ci]}
users:
  - {name: ana, issuer: github, match: {oid: "1"}, groups: [dba]}
resources:
  - name: desk
    kind: words
    listen: 15000
    upstream: {host: localhost, port: 1, database: shop, databases: [stock], tls: disable}
    credential: {user: u, password: {env: X}}
policies: [policies/*.cedar]
"""

POLICIES = """\
@id("ci-reads")
permit (principal in Group::"ci", action in [Action::"connect", Action::"read"], resource in Database::"desk/shop");

@id("ci-deletes")
@approval("dba:1")
permit (principal in Group::"ci", action == Action::"delete", resource in Database::"desk/shop")
when { context.filtered };

@id("no-secrets")
@reason("agents get access, never secrets")
forbid (principal is Agent, action == Action::"reveal", resource);
"""


class Settings(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Words:
    """`delete public.orders` deletes; `;` separates; a trailing `!` is filtered."""

    kind = "words"
    port = 1
    plane = "data"
    scope = ""
    proves_each = False
    masked_by: Literal["columns", "fields"] = "columns"
    reception = None
    settings: type[BaseModel] = Settings

    def credential_fault(self, settings: BaseModel, *, user: bool, token: bool) -> str:
        return ""

    @property
    def pack(self) -> Traversable:
        return files("tests.control").joinpath("words.cedar")

    strays: frozenset[str] = frozenset()

    def forwarder(self, gateway: Address) -> Forwarder:
        raise NotImplementedError

    def socket_name(self, port: int) -> str:
        raise NotImplementedError

    def classify(self, text: str, database: str, resource: Resource) -> Sequence[Statement]:
        return [self._statement(part.strip(), database) for part in text.split(";") if part.strip()]

    def session(self, opening: Opening) -> ProtocolSession:
        raise NotImplementedError

    def estimate(self, database: str, effects: Sequence[Effect]) -> None:
        return None

    def auditor(self, opening: Opening, credential: Credential, database: str) -> Companion | None:
        return None

    def companion(self, opening: Opening, credential: Credential, name: str) -> Companion | None:
        raise NotImplementedError

    def environment(self, address: ClientAddress) -> Mapping[str, str]:
        raise NotImplementedError

    def command(self, address: ClientAddress) -> Sequence[str]:
        raise NotImplementedError

    def _statement(self, text: str, database: str) -> Statement:
        word, name = text.rstrip("!").split(" ")
        effect = Effect(Action(word), Object((database, *name.split(".")), "table"))
        return Statement(text, (effect,), word.upper(), database, filtered=text.endswith("!"))


def write_world(folder: Path, policies: str = POLICIES, configuration: str = CONFIGURATION) -> Path:
    (folder / "policies").mkdir(exist_ok=True)
    (folder / "policies" / "desk.cedar").write_text(policies)
    path = folder / "blastwall.yaml"
    path.write_text(configuration)
    return path
