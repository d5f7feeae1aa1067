from __future__ import annotations

from collections.abc import Sequence
from ipaddress import ip_address
from pathlib import Path
from typing import Protocol

import pytest

from blastwall.gate.ports import Subject
from blastwall.model.effects import Action, Effect, Object
from blastwall.model.principal import Principal, PrincipalKind
from blastwall.model.resource import Address, Resource
from blastwall.model.statement import Statement
from blastwall.policy.known import Known, PackSource
from blastwall.policy.load import load
from blastwall.policy.policy_set import PolicySet

AZURE = "/subscriptions/0F/resourceGroups/Shop/providers/Microsoft.DBforPostgreSQL/flexibleServers/pg-prod"


class Load(Protocol):
    def __call__(self, text: str, packs: Sequence[PackSource] = ()) -> PolicySet: ...


@pytest.fixture
def resource() -> Resource:
    return Resource(
        "pg-prod", "postgres", Address("db.example", 5432), ("shop", "stock"), azure=AZURE, tags={"env": "prod"}
    )


@pytest.fixture
def known(resource: Resource) -> Known:
    return Known(
        frozenset({"ci", "dba", "security"}), {resource.name: resource}, frozenset({"shop-ci"}), frozenset({"ana"})
    )


@pytest.fixture
def subject(resource: Resource) -> Subject:
    agent = Principal(
        PrincipalKind.AGENT, "shop-ci", "github", "repo:shop/app", frozenset({"ci"}), {"ref": "refs/heads/main"}
    )
    return Subject(agent, resource, "shop", ip_address("10.20.0.7"))


@pytest.fixture
def load_text(tmp_path: Path, known: Known) -> Load:
    def load_one(text: str, packs: Sequence[PackSource] = ()) -> PolicySet:
        path = tmp_path / "p.cedar"
        path.write_text(text, encoding="utf-8")
        return load([path], packs, known)

    return load_one


def table(name: str = "orders", schema: str = "public", database: str = "shop") -> Object:
    return Object((database, schema, name), "table")


def statement(
    *effects: tuple[Action, Object], operation: str = "SELECT", text: str = "… orders", **more: object
) -> Statement:
    return Statement(text, tuple(Effect(*effect) for effect in effects), operation, "shop", **more)  # type: ignore[arg-type]
