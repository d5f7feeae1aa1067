"""A small valid configuration, a protocol to validate it with, and a way to write changed copies of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import cast

import pytest
from pydantic import BaseModel, ConfigDict, Field

from blastwall.config.load import ConfigurationError, load
from blastwall.config.model import Configuration
from blastwall.protocols.kind import ProtocolKind

SMALL = """\
issuers:
  - {name: github, issuer: "https://token.example", audience: blastwall}
agents:
  - {name: ci, issuer: github, match: {repository_id: "123"}, groups: [ci]}
resources:
  - name: shop
    kind: tape
    listen: 15432
    upstream: {host: tape.example}
    credential: {user: app, password: {env: SHOP_PASSWORD}}
"""


class TapeSettings(BaseModel):
    """Settings of a protocol that exists in these tests alone."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    speed: int = Field(1, ge=1, le=9, description="How fast the tape runs.")


class Tape:
    kind = "tape"
    port = 7
    plane = "data"
    scope = "https://tapes.example/.default"
    masked_by = "columns"
    reception: object = None
    settings = TapeSettings

    def credential_fault(self, settings: BaseModel, *, user: bool, token: bool) -> str:
        return "" if user else "give `user`: whose tape it is"

    @property
    def pack(self) -> Traversable:
        return files("blastwall") / "py.typed"


def _receive() -> None:
    """Stands for a reception; nobody comes here."""


def _receive_otherwise() -> None:
    """Stands for another protocol's."""


class Radio(Tape):
    """Its clients say a host name; it wants no user."""

    kind = "radio"
    scope = ""

    def __init__(self, reception: object) -> None:
        self.reception = reception

    def credential_fault(self, settings: BaseModel, *, user: bool, token: bool) -> str:
        return ""


KINDS: Mapping[str, ProtocolKind] = {
    "tape": cast("ProtocolKind", Tape()),
    "radio": cast("ProtocolKind", Radio(_receive)),
    "telex": cast("ProtocolKind", Radio(_receive_otherwise)),
}

Write = Callable[[str], Path]


@pytest.fixture
def small() -> str:
    return SMALL


@pytest.fixture
def kinds() -> Mapping[str, ProtocolKind]:
    return KINDS


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def to(text: str) -> Path:
        path = tmp_path / "blastwall.yaml"
        path.write_text(text)
        return path

    return to


@pytest.fixture
def accepted(write: Write) -> Callable[[str], Configuration]:
    return lambda text: load(write(text), KINDS)


@pytest.fixture
def refused(write: Write) -> Callable[[str], list[str]]:
    """The problems of a configuration that must be refused, without the folder's name."""

    def problems(text: str) -> list[str]:
        path = write(text)
        with pytest.raises(ConfigurationError) as refusal:
            load(path, KINDS)
        return str(refusal.value).replace(f"{path.parent}/", "").splitlines()

    return problems
