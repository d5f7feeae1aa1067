"""What the default packs forbid, beneath a permit of everything: in effects, kinds and operations alone."""

from __future__ import annotations

from dataclasses import replace
from importlib.resources import files

import pytest
from tests.policy.conftest import Load, statement, table

from blastwall.gate.ports import Subject
from blastwall.model.effects import Action, Object
from blastwall.model.ruling import Approval, Decision
from blastwall.policy.known import APPROVERS, PackSource
from blastwall.policy.policy_set import PolicySet

EVERYTHING = '@id("all") permit (principal, action, resource in Resource::"pg-prod");'
DATABASE = Object(("shop",), "database")


def pseudo(folder: str, name: str, kind: str) -> Object:
    return Object(("shop", folder, name), kind)


def function(name: str, schema: str = "pg_catalog") -> Object:
    return Object(("shop", schema, name), "function")


@pytest.fixture
def policies(load_text: Load) -> PolicySet:
    text = files("blastwall.protocols").joinpath("postgres", "pack.cedar").read_text()
    return load_text(EVERYTHING, [PackSource("postgres", text)])


@pytest.mark.parametrize(
    ("action", "thing", "operation", "policy"),
    [
        (Action.UNCLASSIFIED, DATABASE, "SELECT", "postgres-unclassified"),
        (Action.REVEAL, table("pg_authid", "pg_catalog"), "SELECT", "postgres-reveal"),
        (Action.EXECUTE, pseudo("@programs", "sh", "program"), "COPY", "postgres-host"),
        (Action.EXPORT, pseudo("@files", "/etc/passwd", "file"), "COPY", "postgres-host"),
        (Action.READ, pseudo("@files", "/etc/passwd", "file"), "COPY", "postgres-host"),
        (Action.DEFINE, pseudo("@servers", "other", "server"), "CREATE SERVER", "postgres-other-servers"),
        (Action.DEFINE, pseudo("@subscriptions", "s", "subscription"), "CREATE SUBSCRIPTION", "postgres-other-servers"),
        (Action.DROP, pseudo("@publications", "p", "publication"), "DROP PUBLICATION", "postgres-other-servers"),
        (Action.EXPORT, function("dblink", "public"), "SELECT", "postgres-export-functions"),
        (Action.EXPORT, function("pg_read_file"), "SELECT", "postgres-export-functions"),
        (Action.DEFINE, pseudo("@languages", "plpython3u", "language"), "CREATE LANGUAGE", "postgres-languages"),
        (Action.ADMIN, pseudo("@settings", "work_mem", "setting"), "ALTER SYSTEM", "postgres-alter-system"),
    ],
)
def test_forbidden(
    policies: PolicySet, subject: Subject, action: Action, thing: Object, operation: str, policy: str
) -> None:
    ruling = policies.rule(subject, statement((action, thing), operation=operation, filtered=True))
    assert (ruling.decision, policy in ruling.policies) == (Decision.DENY, True)


@pytest.mark.parametrize(
    ("action", "thing", "operation", "filtered"),
    [
        (Action.DROP, table(), "DROP TABLE", False),
        (Action.DROP, table(), "TRUNCATE", False),
        (Action.UPDATE, table(), "UPDATE", False),
        (Action.DELETE, table(), "SELECT", False),
        (Action.ENTITLE, table(), "GRANT", False),
        (Action.ENTITLE, pseudo("@roles", "dba", "role"), "SET ROLE", False),
        (Action.DEFINE, pseudo("@roles", "dba", "role"), "CREATE ROLE", False),
        (Action.DEFINE, pseudo("@extensions", "pgcrypto", "extension"), "CREATE EXTENSION", False),
        (Action.ADMIN, function("pg_terminate_backend"), "SELECT", False),
        (Action.EXECUTE, DATABASE, "DO", False),
        (Action.DELETE, table(), "DO", True),
    ],
)
def test_forbidden_unless_approved(
    policies: PolicySet, subject: Subject, action: Action, thing: Object, operation: str, filtered: bool
) -> None:
    ruling = policies.rule(subject, statement((action, thing), operation=operation, filtered=filtered))
    assert (ruling.decision, ruling.obligations.approvals) == (Decision.HOLD, (Approval(APPROVERS, 1),))


def test_what_a_masked_column_decides_is_held_whatever_it_does(policies: PolicySet, subject: Subject) -> None:
    asked = statement((Action.READ, table()), operation="SELECT")
    assert policies.rule(subject, asked).decision is Decision.ALLOW
    ruling = policies.rule(subject, replace(asked, filters_masked=True))
    assert (ruling.decision, "postgres-masked-filters" in ruling.policies) == (Decision.HOLD, True)
    assert "a masked column would decide" in ruling.reason


@pytest.mark.parametrize(
    ("action", "thing", "operation", "filtered"),
    [
        (Action.CONNECT, DATABASE, "BEGIN", False),
        (Action.READ, table(), "SELECT", False),
        (Action.CREATE, table(), "INSERT", False),
        (Action.UPDATE, table(), "UPDATE", True),
        (Action.DELETE, table(), "DELETE", True),
        (Action.UPDATE, Object(("shop", "public", "orders_id_seq"), "sequence"), "SELECT", False),
        (Action.EXPORT, table(), "COPY", False),
        (Action.DEFINE, table(), "CREATE TABLE", False),
        (Action.EXECUTE, function("discount", "public"), "SELECT", False),
    ],
)
def test_left_to_permits(
    policies: PolicySet, subject: Subject, action: Action, thing: Object, operation: str, filtered: bool
) -> None:
    asked = statement((action, thing), operation=operation, filtered=filtered)
    assert policies.rule(subject, asked).decision is Decision.ALLOW


def test_a_pack_speaks_of_its_own_kind_only(load_text: Load, subject: Subject) -> None:
    text = files("blastwall.protocols").joinpath("postgres", "pack.cedar").read_text()
    other = replace(subject, resource=replace(subject.resource, kind="redis"))
    drop = statement((Action.DROP, table()))
    policies = load_text(EVERYTHING, [PackSource("postgres", text)])
    assert policies.rule(other, drop).decision is Decision.ALLOW
    assert policies.rule(subject, drop).decision is Decision.HOLD
