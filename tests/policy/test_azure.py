"""Azure's own tree at the control plane: what stands where, which names policies may use, and which never match."""

from __future__ import annotations

import json
from dataclasses import replace
from importlib.resources import files
from ipaddress import ip_address
from pathlib import Path

import cedarpy
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.policy.conftest import statement

from blastwall.gate.ports import Subject
from blastwall.model.azure import azure_object, places
from blastwall.model.effects import Action, Object, object_of
from blastwall.model.principal import Principal, PrincipalKind
from blastwall.model.resource import Address, Resource
from blastwall.model.ruling import Approval, Decision
from blastwall.policy.entities import base_entities, object_entities
from blastwall.policy.known import APPROVERS, Known, PackSource
from blastwall.policy.load import PolicyError, load
from blastwall.policy.policy_set import PolicySet
from blastwall.policy.schema import schema

SHOP = "/subscriptions/0f/resourcegroups/shop"
WEB = f"{SHOP}/providers/microsoft.compute/virtualmachines/web"
ARM = Resource(
    "arm",
    "azure-arm",
    Address("management.azure.com", 443),
    azure="/subscriptions/0F/resourceGroups/Elsewhere",
    plane="control",
)

NOBODY = Principal(PrincipalKind.AGENT, "shop-ci", "github", "s", frozenset({"ci"}), {})


@pytest.fixture
def at_arm(subject: Subject) -> Subject:
    return replace(subject, resource=ARM, database="", plane="control")


def policies(folder: Path, text: str, resource: Resource = ARM) -> PolicySet:
    path = folder / "p.cedar"
    path.write_text(text)
    return load([path], [], Known(frozenset({"ci"}), {resource.name: resource}, frozenset({"shop-ci"})))


@pytest.mark.parametrize(
    ("identity", "kinds"),
    [
        ("/", ["tenants"]),
        ("/subscriptions", ["subscriptions", "tenants"]),
        ("/subscriptions/0f", ["subscriptions", "tenants"]),
        ("/subscriptions/0f/locations", ["locations", "subscriptions", "tenants"]),
        ("/subscriptions/0f/resourcegroups", ["resourcegroups", "subscriptions", "tenants"]),
        ("/subscriptions/0f/providers/microsoft.compute", ["providers", "subscriptions", "tenants"]),
        (WEB, ["virtualmachines", "resourcegroups", "subscriptions", "tenants"]),
        (f"{WEB}/extensions/x", ["extensions", "virtualmachines", "resourcegroups", "subscriptions", "tenants"]),
        (
            f"{WEB}/providers/microsoft.authorization/locks/l",
            ["locks", "virtualmachines", "resourcegroups", "subscriptions", "tenants"],
        ),
        (
            "/providers/microsoft.management/managementgroups/m/providers/microsoft.authorization/roleassignments",
            ["roleassignments", "managementgroups", "tenants"],
        ),
        # A group that is named `providers` begins no extension.
        (
            "/subscriptions/0f/resourcegroups/providers/providers/microsoft.web/sites/s",
            ["sites", "resourcegroups", "subscriptions", "tenants"],
        ),
    ],
)
def test_what_an_id_is_in(identity: str, kinds: list[str]) -> None:
    assert [place.kind.rsplit("/", 1)[-1] for place in places(identity)] == kinds
    assert places(identity)[0].id == identity


@pytest.mark.parametrize(
    "head",
    [
        f'resource in ResourceGroup::"{SHOP}"',
        'resource in Subscription::"/subscriptions/0f"',
        f'resource in Object::"{SHOP}"',
        f'resource == Object::"{WEB}"',
        'resource in Object::"/"',
        'resource in Resource::"arm"',
    ],
)
def test_a_policy_reaches_a_machine_from_each_of_its_scopes(tmp_path: Path, at_arm: Subject, head: str) -> None:
    one = policies(tmp_path, f'@id("p") permit (principal, action, {head}) when {{ context.plane == "control" }};')
    assert one.rule(at_arm, statement((Action.DELETE, azure_object(WEB)))).decision is Decision.ALLOW
    other = azure_object(WEB.replace("0f", "1f").replace("web", "db"))
    expected = Decision.ALLOW if head.endswith(('Object::"/"', 'Resource::"arm"')) else Decision.DENY
    assert one.rule(at_arm, statement((Action.DELETE, other))).decision is expected


def test_a_group_itself_is_in_its_group_and_a_neighbour_is_not(tmp_path: Path, at_arm: Subject) -> None:
    text = f'permit (principal, action, resource in ResourceGroup::"{SHOP}") when {{ context.plane == "control" }};'
    one = policies(tmp_path, f'@id("p") {text}')
    assert one.rule(at_arm, statement((Action.DROP, azure_object(SHOP)))).decision is Decision.ALLOW
    for near in (SHOP + "2", "/subscriptions/0f", "/subscriptions/0f/resourcegroups", SHOP.replace("0f", "1f")):
        assert one.rule(at_arm, statement((Action.DROP, azure_object(near)))).decision is Decision.DENY


def test_where_the_endpoint_is_said_to_be_lends_nothing_to_what_is_behind_it(tmp_path: Path, at_arm: Subject) -> None:
    text = 'permit (principal, action, resource in Subscription::"/subscriptions/0f")'
    one = policies(tmp_path, f'@id("p") {text} when {{ context.plane == "control" }};')
    other = azure_object(WEB.replace("0f", "1f"))
    assert one.rule(at_arm, statement((Action.READ, other))).decision is Decision.DENY


def test_a_right_to_manage_a_group_is_none_to_its_data(tmp_path: Path, subject: Subject) -> None:
    database = replace(subject.resource, azure=f"{SHOP}/providers/microsoft.sql/servers/s")
    text = f'permit (principal, action, resource in ResourceGroup::"{SHOP}") when {{ context.plane == "control" }};'
    one = policies(tmp_path, f'@id("p") {text}', database)
    row = statement((Action.DELETE, Object(("shop", "public", "orders"), "table")))
    assert one.rule(replace(subject, resource=database), row).decision is Decision.DENY


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        (f'ResourceGroup::"{SHOP.upper()}"', "lower case"),
        (f'ResourceGroup::"{SHOP}/"', "no resource is in the resource group"),
        ('Subscription::"0f"', "no resource is in the subscription"),
        (f'Object::"{WEB}/"', "can never match"),
        ('Object::"/Subscriptions/0f"', "lower case"),
    ],
)
def test_a_name_that_can_never_match_stops_the_load(tmp_path: Path, name: str, problem: str) -> None:
    with pytest.raises(PolicyError, match=problem):
        policies(tmp_path, f'@id("p") forbid (principal, action, resource in {name});')


@pytest.mark.parametrize(
    ("condition", "right"),
    [
        (
            'context.operation == "microsoft.storage/storageAccounts/listKeys/action"',
            "Microsoft.Storage/storageAccounts",
        ),
        ('context.operation like "Microsoft.Storage/*/listkeys/*"', "Microsoft.Storage/\\*/listKeys/"),
        ('["Microsoft.Web/Sites/read", "Microsoft.web/x"].contains(context.operation)', "Microsoft.Web/"),
        ('resource.kind == "Microsoft.Compute/virtualMachines"', "microsoft.compute/virtualmachines"),
        ('resource.kind like "microsoft.compute/virtualMachine*"', "microsoft.compute/virtualmachine"),
    ],
)
def test_a_word_of_azures_in_a_case_that_it_never_has_stops_the_load(
    tmp_path: Path, condition: str, right: str
) -> None:
    with pytest.raises(PolicyError, match=right):
        policies(tmp_path, f'@id("p") forbid (principal, action, resource) when {{ {condition} }};')


def test_an_azure_id_needs_a_resource_that_manages(tmp_path: Path) -> None:
    plain = replace(ARM, plane="data", azure="")
    with pytest.raises(PolicyError, match="no resource is at the control plane"):
        policies(tmp_path, f'@id("p") forbid (principal, action, resource in Object::"{WEB}");', plain)


words = st.text("abc.-_() é%@", min_size=1, max_size=5) | st.sampled_from(
    ["providers", "subscriptions", "resourcegroups", "microsoft.compute", "web"]
)
ids = st.lists(words, max_size=9).map(lambda parts: "/" + "/".join(parts))


@given(ids)
def test_every_id_fits_the_schema_and_ends_in_its_resource(identity: str) -> None:
    entities = list(object_entities("arm", azure_object(identity)))
    unique = {json.dumps(entity, sort_keys=True) for entity in entities}
    known = [
        *base_entities(Subject(NOBODY, ARM, "", ip_address("10.0.0.1"), "control")),
        *map(json.loads, sorted(unique)),
    ]
    cedarpy.Entities.from_json_str(json.dumps(known), schema())
    assert entities[0]["uid"] == {"type": "Object", "id": identity}
    tops = [entity for entity in entities if {"type": "Resource", "id": "arm"} in entity["parents"]]
    assert [top["uid"]["id"] for top in tops] == ["/"]


@given(ids, st.lists(st.text(max_size=5), min_size=1, max_size=4).map(tuple))
def test_no_path_has_the_id_of_an_azure_object(identity: str, path: tuple[str, ...]) -> None:
    assert Object(path, "table").id_below("arm") != azure_object(identity).id_below("arm") == identity


@given(ids)
def test_an_object_is_told_again_from_its_names_and_kind(identity: str) -> None:
    thing = azure_object(identity)
    assert object_of(thing.names, thing.kind) == thing
    table = Object((identity,), "database")
    assert object_of(table.names, table.kind) == table


# ── the default pack ─────────────────────────────────────────────────────────────────────────────────────────────────

MACHINE = azure_object(WEB)
LOCK = azure_object(f"{SHOP}/providers/microsoft.authorization/locks/l")
DIAGNOSTICS = azure_object(f"{WEB}/providers/microsoft.insights/diagnosticsettings/d")
ROLE = azure_object(f"{SHOP}/providers/microsoft.authorization/roleassignments/r")
STORE = azure_object(f"{SHOP}/providers/microsoft.storage/storageaccounts/x")
SCRIPT = azure_object(f"{SHOP}/providers/microsoft.resources/deploymentscripts/d")
DISK = azure_object(f"{SHOP}/providers/microsoft.compute/disks/d")
FIREWALL = azure_object(f"{SHOP}/providers/microsoft.sql/servers/s/firewallrules/all")


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> PolicySet:
    path = tmp_path_factory.mktemp("pack") / "p.cedar"
    path.write_text('@id("all") permit (principal, action, resource in Resource::"arm");')
    pack = files("blastwall.protocols").joinpath("http", "arm", "pack.cedar").read_text()
    known = Known(frozenset({"ci"}), {"arm": ARM}, frozenset({"shop-ci"}))
    return load([path], [PackSource("azure-arm", pack)], known)


@pytest.mark.parametrize(
    ("action", "thing", "operation", "policy"),
    [
        (Action.UNCLASSIFIED, MACHINE, "Microsoft.Compute/virtualMachines/new/action", "unclassified"),
        (Action.REVEAL, STORE, "Microsoft.Storage/storageAccounts/listKeys/action", "reveal"),
        (Action.REVEAL, STORE, "Microsoft.Resources/deployments/write", "reveal"),
        (Action.ENTITLE, ROLE, "Microsoft.Authorization/roleAssignments/write", "entitle"),
        (Action.ENTITLE, ROLE, "Microsoft.Resources/batch/action", "entitle"),
        (Action.EXECUTE, MACHINE, "Microsoft.Compute/virtualMachines/runCommand/action", "commands"),
        (Action.EXECUTE, azure_object(f"{WEB}/extensions/e"), "Microsoft.Resources/deployments/write", "commands"),
        (Action.ADMIN, LOCK, "Microsoft.Authorization/locks/delete", "watchers"),
        (Action.ADMIN, LOCK, "Microsoft.Resources/batch/action", "watchers"),
        (Action.ADMIN, DIAGNOSTICS, "Microsoft.Insights/diagnosticSettings/delete", "watchers"),
    ],
)
def test_the_pack_forbids(
    packed: PolicySet, at_arm: Subject, action: Action, thing: Object, operation: str, policy: str
) -> None:
    ruling = packed.rule(at_arm, statement((action, thing), operation=operation))
    assert (ruling.decision, f"azure-arm-{policy}" in ruling.policies) == (Decision.DENY, True)


@pytest.mark.parametrize(
    ("action", "thing", "operation", "policy"),
    [
        (Action.DROP, azure_object(SHOP), "Microsoft.Resources/subscriptions/resourceGroups/delete", "delete"),
        (Action.DELETE, MACHINE, "Microsoft.Compute/virtualMachines/delete", "delete"),
        (Action.EXECUTE, SCRIPT, "Microsoft.Resources/deploymentScripts/write", "execute"),
        (Action.EXPORT, DISK, "Microsoft.Compute/disks/beginGetAccess/action", "export"),
        (Action.ADMIN, FIREWALL, "Microsoft.Sql/servers/firewallRules/write", "admin"),
        (Action.ADMIN, LOCK, "Microsoft.Authorization/locks/write", "admin"),
        (Action.ADMIN, DIAGNOSTICS, "Microsoft.Resources/deployments/write", "admin"),
    ],
)
def test_the_pack_holds(
    packed: PolicySet, at_arm: Subject, action: Action, thing: Object, operation: str, policy: str
) -> None:
    ruling = packed.rule(at_arm, statement((action, thing), operation=operation))
    assert (ruling.decision, ruling.policies) == (Decision.HOLD, ("all", f"azure-arm-{policy}"))
    assert ruling.obligations.approvals == (Approval(APPROVERS, 1),)


@pytest.mark.parametrize("action", [Action.CONNECT, Action.READ, Action.CREATE, Action.UPDATE])
def test_the_pack_leaves_the_rest_to_permits(packed: PolicySet, at_arm: Subject, action: Action) -> None:
    assert packed.rule(at_arm, statement((action, MACHINE))).decision is Decision.ALLOW


def test_the_pack_speaks_of_resource_manager_only(packed: PolicySet, at_arm: Subject) -> None:
    other = replace(at_arm, resource=replace(ARM, kind="azure-other"))
    assert packed.rule(other, statement((Action.REVEAL, STORE))).decision is Decision.ALLOW
