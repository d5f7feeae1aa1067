"""Policies over HTTP: what the default packs forbid beneath a permit of everything, and how a policy names things."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from blastwall.gate.ports import Subject
from blastwall.model.resource import Address, Resource
from blastwall.model.ruling import Decision
from blastwall.policy.known import Known, PackSource
from blastwall.policy.load import PolicyError, load
from blastwall.policy.policy_set import PolicySet
from blastwall.protocols.http import blob, keyvault, rest
from blastwall.protocols.http.flavour import Flavour
from blastwall.protocols.http.rest.rules import RestRule
from blastwall.protocols.http.rest.settings import RestSettings
from blastwall.protocols.http.stated import stated
from blastwall.protocols.http.tests.requests import asked

RULES = RestSettings(
    rules=[
        RestRule.model_validate({"match": "GET /users/{id}/token", "action": "reveal"}),
        RestRule.model_validate({"match": "* /admin/**", "action": "admin"}),
    ]
)
RESOURCES = {
    "blob": Resource("shop-files", "azure-blob", Address("shopfiles.blob.core.windows.net", 443)),
    "keyvault": Resource("shop-kv", "azure-keyvault", Address("shop.vault.azure.net", 443)),
    "rest": Resource("crm", "http", Address("crm.example", 443), settings=RULES),
}
FLAVOURS: dict[str, Flavour] = {"blob": blob.FLAVOUR, "keyvault": keyvault.FLAVOUR, "rest": rest.FLAVOUR}
EVERYTHING = '@id("all") permit (principal, action, resource) when { context.plane == "data" };'


def policies(folder: Path, text: str, *, packs: bool = True) -> PolicySet:
    (folder / "p.cedar").write_text(text)
    sources = [PackSource(one.kind, one.pack.read_text()) for one in FLAVOURS.values() if one.pack is not None]
    known = Known(
        frozenset({"ci", "dba"}), {one.name: one for one in RESOURCES.values()}, frozenset({"shop-ci"}), frozenset()
    )
    return load([folder / "p.cedar"], sources if packs else [], known)


def ruled(
    rules: PolicySet, subject: Subject, where: str, line: str, fields: dict[str, str]
) -> tuple[Decision, tuple[str, ...]]:
    resource = RESOURCES[where]
    request = asked(line, fields)
    judged = FLAVOURS[where].judge(request, resource)
    ruling = rules.rule(replace(subject, resource=resource, database=""), stated(request, judged))
    return ruling.decision, tuple(one for one in ruling.policies if one != "all")


BLOCK = {"x-ms-blob-type": "BlockBlob", "If-None-Match": "*"}
COPY = {"x-ms-copy-source": "https://shop.gw.example/old/b"}
FOREIGN = {"x-ms-copy-source": "https://evil.example/c/b"}


@pytest.mark.parametrize(
    ("where", "line", "fields", "decision", "policy"),
    [
        ("blob", "POST /?restype=service&comp=userdelegationkey", {}, Decision.DENY, "azure-blob-reveal"),
        ("blob", "GET /c1x/a?sv=1&sig=x", {}, Decision.DENY, "azure-blob-unclassified"),
        ("blob", "PUT /c1x?restype=container&comp=acl", {}, Decision.DENY, "azure-blob-entitle"),
        (
            "blob",
            "PUT /c1x?restype=container",
            {"x-ms-blob-public-access": "blob"},
            Decision.DENY,
            "azure-blob-entitle",
        ),
        ("blob", "PUT /c1x/a", FOREIGN, Decision.DENY, "azure-blob-foreign-copies"),
        ("blob", "PUT /c1x/a?comp=block&blockid=1", FOREIGN, Decision.DENY, "azure-blob-foreign-copies"),
        ("blob", "PUT /c1x/a", COPY, Decision.HOLD, "azure-blob-copies"),
        ("blob", "PUT /$web/index.html", BLOCK, Decision.HOLD, "azure-blob-website"),
        ("blob", "DELETE /c1x/a", {}, Decision.HOLD, "azure-blob-deletes"),
        ("blob", "DELETE /c1x?restype=container", {}, Decision.HOLD, "azure-blob-deletes"),
        ("blob", "PUT /c1x/a?comp=expiry", {}, Decision.HOLD, "azure-blob-deletes"),
        ("blob", "PUT /?restype=service&comp=properties", {}, Decision.HOLD, "azure-blob-admin"),
        ("blob", "PUT /c1x/a?comp=legalhold", {}, Decision.HOLD, "azure-blob-admin"),
        ("blob", "PUT /c1x/a?comp=lease", {"x-ms-lease-action": "break"}, Decision.HOLD, "azure-blob-admin"),
        ("blob", "PUT /c1x/a", BLOCK, Decision.ALLOW, ""),
        ("blob", "PUT /c1x/a?comp=tier", {}, Decision.ALLOW, ""),
        ("blob", "GET /c1x/a", {}, Decision.ALLOW, ""),
        ("blob", "GET /?comp=list", {}, Decision.ALLOW, ""),
        ("keyvault", "GET /secrets/db", {}, Decision.DENY, "azure-keyvault-reveal"),
        ("keyvault", "POST /keys/db/decrypt", {}, Decision.DENY, "azure-keyvault-reveal"),
        ("keyvault", "POST /secrets/db/backup", {}, Decision.DENY, "azure-keyvault-backup"),
        ("keyvault", "POST /keys/restore", {}, Decision.DENY, "azure-keyvault-restore"),
        ("keyvault", "DELETE /deletedsecrets/db", {}, Decision.DENY, "azure-keyvault-purge"),
        ("keyvault", "PUT /storage/a/sas/b", {}, Decision.DENY, "azure-keyvault-entitle"),
        ("keyvault", "GET /secrets/db/x/y", {}, Decision.DENY, "azure-keyvault-unclassified"),
        ("keyvault", "DELETE /secrets/db", {}, Decision.HOLD, "azure-keyvault-deletes"),
        ("keyvault", "POST /keys/db/sign", {}, Decision.HOLD, "azure-keyvault-signatures"),
        ("keyvault", "PUT /keys/db/rotationpolicy", {}, Decision.HOLD, "azure-keyvault-admin"),
        ("keyvault", "GET /secrets", {}, Decision.ALLOW, ""),
        ("keyvault", "PUT /secrets/db", {}, Decision.ALLOW, ""),
        ("keyvault", "POST /keys/db/encrypt", {}, Decision.ALLOW, ""),
        ("rest", "BREW /a", {}, Decision.DENY, "http-unclassified"),
        ("rest", "POST /a?_method=DELETE", {}, Decision.DENY, "http-unclassified"),
        ("rest", "GET /users/1/token", {}, Decision.DENY, "http-reveal"),
        ("rest", "DELETE /a", {}, Decision.HOLD, "http-deletes"),
        ("rest", "GET /admin/a", {}, Decision.HOLD, "http-admin"),
        ("rest", "GET /a", {}, Decision.ALLOW, ""),
        ("rest", "PATCH /a", {}, Decision.ALLOW, ""),
    ],
)
def test_what_the_packs_forbid(
    tmp_path: Path, subject: Subject, where: str, line: str, fields: dict[str, str], decision: Decision, policy: str
) -> None:
    got, named = ruled(policies(tmp_path, EVERYTHING), subject, where, line, fields)
    assert got is decision
    assert policy in named if policy else not named


def test_each_policy_of_a_pack_speaks_of_its_own_kind(tmp_path: Path) -> None:
    for one in FLAVOURS.values():
        assert one.pack is not None
        text = one.pack.read_text()
        assert (
            text.count("forbid (") == text.count(f'resource.of.kind == "{one.kind}"') == text.count(f'@id("{one.kind}-')
        )
        assert "permit (" not in text


PERMITS = '@id("p") permit (principal in Group::"ci", action == Action::"read", resource in %s);'


@pytest.mark.parametrize(
    ("scope", "where", "inside", "outside"),
    [
        ('Database::"shop-files/blob"', "blob", "GET /?comp=list", "PUT /?restype=service&comp=properties"),
        ('Container::"shop-files/blob/invoices"', "blob", "GET /invoices/2026/a.pdf", "GET /invoices2/a.pdf"),
        (
            'Container::"shop-files/blob/invoices"',
            "blob",
            "GET /invoices?restype=container&comp=list",
            "GET /?comp=list",
        ),
        ('Object::"shop-files/blob/invoices/2026"', "blob", "GET /invoices/2026/a.pdf", "GET /invoices/2025/a.pdf"),
        ('Object::"shop-files/blob/invoices/2026"', "blob", "GET /invoices/2026%2Fa.pdf", "GET /invoices/2026x"),
        ('Container::"shop-files/blob/$root"', "blob", "GET /index.html", "GET /invoices/index.html"),
        ('Container::"shop-kv/vault/secrets"', "keyvault", "GET /secrets?maxresults=1", "GET /keys"),
        ('Object::"shop-kv/vault/keys/db"', "keyvault", "GET /keys/DB", "GET /keys/db2"),
        ('Database::"crm/paths"', "rest", "GET /", "POST /"),
        ('Container::"crm/paths/v1"', "rest", "GET /v1/orders/7", "GET /v2/orders/7"),
        ('Object::"crm/paths/v1/orders"', "rest", "GET /V1/Orders/7", "GET /v1/ordersx"),
        ('Object::"crm/paths/v1/orders"', "rest", "GET /v1/orders", "GET /v1/orders%2F..%2Fusers"),
    ],
)
def test_how_things_are_named(
    tmp_path: Path, subject: Subject, scope: str, where: str, inside: str, outside: str
) -> None:
    rules = policies(tmp_path, PERMITS % scope, packs=False)
    assert ruled(rules, subject, where, inside, {})[0] is Decision.ALLOW
    assert ruled(rules, subject, where, outside, {})[0] is Decision.DENY


def test_a_name_that_can_never_match_is_refused_with_the_right_one(tmp_path: Path) -> None:
    with pytest.raises(PolicyError, match=r'write "shop-files/blob/invoices/%52eport\.pdf"'):
        policies(tmp_path, PERMITS % 'Object::"shop-files/blob/invoices/Report.pdf"')
