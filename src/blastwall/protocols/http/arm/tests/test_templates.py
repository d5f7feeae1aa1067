"""What deployments do: every resource of a template, however it is named, nested, copied, attached or hidden."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

import pytest

from blastwall.model.effects import Action
from blastwall.protocols.http.arm.tests.asking import GROUP, ask, shown
from blastwall.protocols.http.flavour import Judged

DEPLOYMENT = f"{GROUP}/providers/Microsoft.Resources/deployments/d"
ITSELF = {f"{action} G/providers/microsoft.resources/deployments/d" for action in ("create", "update")}
STORES = "G/providers/microsoft.storage/storageaccounts"
VMS = "G/providers/microsoft.compute/virtualmachines"
FRESH = "[format('st{0}', uniqueString(resourceGroup().id))]"

Resource = dict[str, object]


def template(*resources: object, **rest: object) -> dict[str, object]:
    return {"$schema": "s", "contentVersion": "1.0.0.0", "resources": list(resources), **rest}


def deploy(
    made: object, path: str = DEPLOYMENT, *, method: str = "PUT", parameters: object = None, **properties: object
) -> Judged:
    whole = {"mode": "Incremental", "template": made, "parameters": parameters or {}, **properties}
    return ask(method, path, {"properties": whole})


def does(made: object, **more: object) -> set[str]:
    """Return what a deployment to the group does besides being one, which must be clear."""
    judged = deploy(made, parameters=more.pop("parameters", None), **cast("Mapping[str, object]", more))  # type: ignore[arg-type]
    assert judged.doubt == ""
    return shown(judged) - ITSELF


def unclear(judged: Judged) -> bool:
    return Action.UNCLASSIFIED in {each.action for each in judged.effects} and judged.doubt != ""


def store(name: str = "x", **rest: object) -> Resource:
    return {"type": "Microsoft.Storage/storageAccounts", "apiVersion": "2023-01-01", "name": name, **rest}


def written(identity: str, *more: str) -> set[str]:
    return {f"{action} {identity}" for action in ("create", "update", *more)}


# ── names ────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "name",
    [
        "PROD",
        "[parameters('n')]",
        "[parameters('N')]",
        "[variables('v')]",
        "[concat('pr', 'od')]",
        "[concat(parameters('half'), 'od')]",
        "[format('{0}{1}', 'pr', 'od')]",
        "[toLower('PROD')]",
        "[substring('xxprod', 2)]",
        "[take('prodxx', 4)]",
        "[replace('pr-od', '-', '')]",
        "[base64ToString('cHJvZA==')]",
        "[last(split('a/prod', '/'))]",
        "[if(equals(1, 1), 'prod', 'test')]",
        "[if(not(true()), 'test', 'prod')]",
        "[parameters('o').inner[1]]",
        "[first(createArray('prod', 'x'))]",
        "[ concat( 'pr' ,'od' ) ]",
        "[trim(' prod ')]",
        "[string('prod')]",
    ],
)
def test_a_name_is_worked_out(name: str) -> None:
    made = template(
        store(name),
        parameters={
            "n": {"type": "string"},
            "half": {"type": "string", "defaultValue": "pr"},
            "o": {"type": "object", "defaultValue": {"Inner": ["a", "prod"]}},
        },
        variables={"v": "[toLower(parameters('n'))]"},
    )
    assert does(made, parameters={"N": {"value": "Prod"}}) == written(f"{STORES}/prod")


@pytest.mark.parametrize(
    "name", [FRESH, "[uniqueString('a')]", "[concat('s', guid('x', parameters('who')))]", "[newGuid()]",
             "[toUpper(uniqueString(subscription().id))]", "[take(format('s{0}', uniqueString('a')), 24)]"]
)  # fmt: skip
def test_a_name_that_nobody_chooses_is_a_new_thing_in_its_scope(name: str) -> None:
    assert does(template(store(name))) == written(STORES)


@pytest.mark.parametrize(
    "name",
    [
        "[reference('x').name]",
        "[environment().name]",
        "[ns.chosen()]",
        "[parameters('absent')]",
        "[variables('absent')]",
        "[if(equals(resourceGroup().name, 'Shop'), 'prod', 'test')]",
        "[replace(uniqueString('a'), 'a', 'b')]",
        "[substring(uniqueString('a'), 0, 4)]",
        "[take(uniqueString('a'), 0)]",
        "[concat('prod', take(uniqueString('a'), 1))]",
        "[utcNow()]",
        "[toLower('STRA\u00dfE')]",
        "[take('\U0001f600prod', 1)]",
        "[concat('x', trim('\u1680prod'))]",
        "[if(equals(createArray(1), createArray(true())), 'prod', 'test')]",
        "[last(split(resourceId('9a1b2c3d-0000-4000-8000-000000000001', 'Microsoft.Web/sites', 'x'), '/'))]",
        "[copyIndex()]",
        "[concat('a'",
        "[concat('a')] x]",
        "[\ue000]",
        "prod\ue000\ue000\ue000\ue000\ue000\ue000\ue000\ue000\ue000\ue000\ue000\ue000",
        "[concat('\ue000\ue000\ue000\ue000\ue000\ue000\ue000\ue000\ue000\ue000\ue000\ue000')]",
        "",
        "a/b",
        "pr od.",
        "pr%6fd",
    ],
)
def test_a_name_that_only_azure_works_out_is_not_guessed(name: str) -> None:
    assert unclear(deploy(template(store(name))))


def test_a_loop_names_each_of_its_turns() -> None:
    copy = {"name": "each", "count": "[length(createArray(1, 2))]"}
    assert does(template(store("[format('x{0}', copyIndex())]", copy=copy))) == written(f"{STORES}/x0") | written(
        f"{STORES}/x1"
    )
    assert does(template(store("[concat('x', copyIndex('EACH', 5))]", copy={"name": "each", "count": 1}))) == written(
        f"{STORES}/x5"
    )


@pytest.mark.parametrize("count", ["[reference('x').n]", 900, -1, "3", None])
def test_a_loop_of_unknown_length_is_not_guessed(count: object) -> None:
    assert unclear(deploy(template(store("x", copy={"name": "each", "count": count}))))


def test_a_condition_counts_as_true() -> None:
    assert does(template(store(condition="[parameters('no')]"), store("y", condition=False))) == written(
        f"{STORES}/x"
    ) | written(f"{STORES}/y")


# ── where things stand ───────────────────────────────────────────────────────────────────────────────────────────────


def test_children_stand_in_their_parents() -> None:
    nested = {"type": "extensions", "name": "run", "properties": {}}
    apart = {"type": "Microsoft.Compute/virtualMachines/extensions", "name": "[concat('web', '/', 'apart')]"}
    vm = {"type": "Microsoft.Compute/virtualMachines", "name": "web", "resources": [nested]}
    assert does(template(vm, apart)) == (
        written(f"{VMS}/web")
        | written(f"{VMS}/web/extensions/run", "execute")
        | written(f"{VMS}/web/extensions/apart", "execute")
    )


@pytest.mark.parametrize(
    "resource",
    [
        {
            "type": "Microsoft.Authorization/roleAssignments",
            "name": "r",
            "scope": "Microsoft.Storage/storageAccounts/x",
        },
        {
            "type": "Microsoft.Authorization/roleAssignments",
            "name": "r",
            "scope": "[resourceId('Microsoft.Storage/storageAccounts', 'x')]",
        },
        {
            "type": "Microsoft.Storage/storageAccounts/providers/roleAssignments",
            "name": "x/Microsoft.Authorization/r",
        },
    ],
)
def test_what_is_attached_stands_at_what_it_is_attached_to(resource: Resource) -> None:
    assert does(template(resource)) == {f"entitle {STORES}/x/providers/microsoft.authorization/roleassignments/r"}


def test_resources_may_be_an_object_by_symbols_and_some_exist_already() -> None:
    made = {"resources": {"one": store("x"), "two": {**store("y"), "existing": True}}, "languageVersion": "2.0"}
    assert does(made) == written(f"{STORES}/x") | {f"read {STORES}/y"}


@pytest.mark.parametrize(
    "resource",
    [
        store(existing="[parameters('x')]"),
        {**store(), "type": "[parameters('x')]"},
        {**store(), "type": "Microsoft.Storage"},
        {**store(), "type": 7},
        {"name": "x"},
        {"type": "Microsoft.Storage/storageAccounts"},
        {**store(), "scope": "[reference('x')]"},
        {**store(), "extension": "graph"},
        {**store(), "import": "kubernetes"},
        {"type": "Microsoft.Graph/applications@v1.0", "name": "a", "provider": "MicrosoftGraph"},
        {"type": "Microsoft.Resources/deploymentStacks", "name": "s", "properties": {}},
        {"type": "Microsoft.Resources/resourceGroups", "name": "in-a-group"},
        {**store(), "resources": [{"type": "Microsoft.Authorization/locks", "name": "l"}]},
        {**store(), "resources": "x"},
        "x",
        7,
        None,
    ],
)
def test_a_resource_that_cannot_be_placed_is_not_classified(resource: object) -> None:
    assert unclear(deploy(template(resource)))


def test_a_subscription_s_deployment_makes_groups() -> None:
    path = "/subscriptions/s1/providers/Microsoft.Resources/deployments/d"
    group = {"type": "Microsoft.Resources/resourceGroups", "name": "New", "location": "westeurope"}
    inside = nested(template(store()), resourceGroup="New")
    judged = deploy(template(group, inside), path)
    new = "/subscriptions/s1/resourcegroups/new"
    assert written(new) | written(f"{new}/providers/microsoft.storage/storageaccounts/x") <= shown(judged)


def test_a_tenant_s_and_a_management_group_s_deployments_are_looked_into() -> None:
    role = {"type": "Microsoft.Authorization/roleAssignments", "name": "r"}
    mg = "/providers/microsoft.management/managementgroups/m"
    assert f"entitle {mg}/providers/microsoft.authorization/roleassignments/r" in shown(
        deploy(template(role), f"{mg}/providers/Microsoft.Resources/deployments/d")
    )
    assert "entitle /providers/microsoft.authorization/roleassignments/r" in shown(
        deploy(template(role), "/providers/Microsoft.Resources/deployments/d")
    )


def test_a_deployment_without_a_provider_in_its_path_is_one_too() -> None:
    assert written(f"{STORES}/x") <= shown(deploy(template(store()), f"{GROUP}/deployments/d"))


# ── nested deployments ───────────────────────────────────────────────────────────────────────────────────────────────


def nested(made: object, name: str = "n", **rest: object) -> Resource:
    properties: dict[str, object] = {"mode": "Incremental", "template": made}
    properties |= cast("dict[str, object]", rest.pop("properties", {}))
    return {"type": "Microsoft.Resources/deployments", "name": name, "properties": properties, **rest}


INNER = {"expressionEvaluationOptions": {"scope": "inner"}}


def test_a_nested_template_has_its_own_parameters_or_those_around_it() -> None:
    named = template(store("[parameters('n')]"), parameters={"n": {"type": "string", "defaultValue": "own"}})
    around = {"n": {"type": "string", "defaultValue": "outer"}}
    outer = does(template(nested(named), parameters=around))
    assert written(f"{STORES}/outer") <= outer
    own = does(template(nested(named, properties=INNER), parameters=around))
    assert written(f"{STORES}/own") <= own
    given = {**INNER, "parameters": {"N": {"value": "[concat(parameters('n'), '2')]"}}}
    assert written(f"{STORES}/outer2") <= does(template(nested(named, properties=given), parameters=around))


def test_a_nested_deployment_goes_where_it_says() -> None:
    there = "/subscriptions/s2/resourcegroups/other/providers/microsoft.storage/storageaccounts/x"
    assert written(there) <= does(template(nested(template(store()), subscriptionId="S2", resourceGroup="Other")))
    role = {"type": "Microsoft.Authorization/roleAssignments", "name": "r"}
    found = does(template(nested(template(role), subscriptionId="[subscription().subscriptionId]", location="w")))
    assert "entitle /subscriptions/s1/providers/microsoft.authorization/roleassignments/r" in found
    found = does(template(nested(template(role), scope="/")))
    assert "entitle /providers/microsoft.authorization/roleassignments/r" in found
    found = does(template(nested(template(role), scope="Microsoft.Management/managementGroups/M")))
    assert (
        "entitle /providers/microsoft.management/managementgroups/m/providers/microsoft.authorization/roleassignments/r"
        in found
    )


def test_a_write_six_templates_deep_is_found_and_deeper_is_refused() -> None:
    made: object = template({"type": "Microsoft.Authorization/roleAssignments", "name": "r"})
    for depth in range(12):
        judged = deploy(made)
        found = "entitle G/providers/microsoft.authorization/roleassignments/r" in shown(judged)
        assert found or unclear(judged)
        assert found == (depth < 9)
        made = template(nested(made, f"n{depth}"))


@pytest.mark.parametrize(
    "resource",
    [
        nested(None, properties={"template": None, "templateLink": {"uri": "https://elsewhere.example/t.json"}}),
        nested(template(), properties={"parametersLink": {"uri": "https://elsewhere.example/p.json"}}),
        nested(template(), properties={"expressionEvaluationOptions": {"scope": "[parameters('x')]"}}),
        nested(template(), properties={"mode": "[parameters('x')]"}),
        nested(template(), properties={"onErrorDeployment": {"type": "LastSuccessful"}}),
        nested(template(), properties={"somethingNew": 1}),
        nested(template(), resourceGroup="[reference('x')]"),
        nested(template(), subscriptionId="[parameters('absent')]"),
        nested("[parameters('t')]"),
        nested("x"),
    ],
)
def test_a_nested_deployment_that_is_not_all_there_is_not_classified(resource: Resource) -> None:
    assert unclear(deploy(template(resource)))


# ── the deployment itself ────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "properties",
    [
        {"templateLink": {"uri": "https://elsewhere.example/t.json"}},
        {"templateLink": {"id": f"{GROUP}/providers/Microsoft.Resources/templateSpecs/t/versions/1"}},
        {"template": None, "templateLink": {"uri": "https://elsewhere.example/t.json"}},
        {"parametersLink": {"uri": "https://elsewhere.example/p.json"}},
        {"onErrorDeployment": {"type": "SpecificDeployment", "deploymentName": "old"}},
        {"mode": "Sideways"},
        {"mode": 1},
        {"template": "x"},
        {"template": []},
        {"extensionConfigs": {}},
        {"parameters": {"p": {"reference": {"keyVault": {"id": "[x]"}, "secretName": "s"}}}},
        {"parameters": {"p": {"reference": {"keyVault": {}}}}},
    ],
)
def test_a_deployment_that_is_not_all_there_is_not_classified(properties: dict[str, object]) -> None:
    whole = {"mode": "Incremental", "template": template(), "parameters": {}, **properties}
    assert unclear(ask("PUT", DEPLOYMENT, {"properties": whole}))


@pytest.mark.parametrize("body", [None, {}, [], {"properties": None}, {"properties": {"template": {}}, "extra": 1}])
def test_a_deployment_without_its_properties_is_not_classified(body: dict[str, object] | list[object] | None) -> None:
    assert unclear(ask("PUT", DEPLOYMENT, body))


def test_complete_mode_drops_the_group() -> None:
    assert does(template(), mode="Complete") == {"drop G"}
    assert does(template(), mode="complete") == {"drop G"}
    assert "drop /subscriptions/s1/resourcegroups/other" in does(
        template(nested(template(), resourceGroup="other", properties={"mode": "Complete"}))
    )


def test_a_secret_of_a_vault_as_parameter_is_revealed() -> None:
    vault = "/subscriptions/s1/resourceGroups/Vaults/providers/Microsoft.KeyVault/vaults/V"
    reference = {"reference": {"keyVault": {"id": vault}, "secretName": "Db"}}
    secret = f"reveal {vault.lower()}/secrets/db"
    assert does(template(), parameters={"p": reference}) == {secret}
    inner = {**INNER, "parameters": {"p": reference}}
    assert secret in does(template(nested(template(), properties=inner)))


@pytest.mark.parametrize(
    "value",
    [
        "[listKeys('x', '2023-01-01').keys[0].value]",
        "[LISTKEYS(resourceId('Microsoft.Storage/storageAccounts', 'x'), '2023-01-01')]",
        "[concat('a', listAccountSas('x', '2023-01-01', createObject()).accountSasToken)]",
        "[list(concat('x', '/config/appsettings'), '2023-01-01')]",
        "[ listKeys ('x', '2023-01-01')]",
    ],
)
@pytest.mark.parametrize("place", ["outputs", "properties", "tags", "variables", "condition", "key"])
def test_keys_of_others_anywhere_in_a_template_are_revealed(place: str, value: str) -> None:
    if place in {"outputs", "variables"}:
        made = template(store(), **{place: {"o": {"type": "string", "value": value}}})
    elif place == "key":
        made = template(store(tags={value: "x"}))
    else:
        made = template({**store(), place: value if place == "condition" else {"p": value}})
    assert any(each.startswith("reveal G") for each in shown(deploy(made)))


def test_keys_of_others_in_a_nested_template_are_revealed() -> None:
    inner = template(outputs={"k": {"type": "string", "value": "[listKeys('y', '2023-01-01')]"}})
    for options in ({}, INNER):
        assert any(each.startswith("reveal G") for each in shown(deploy(template(nested(inner, properties=options)))))


def test_the_state_of_what_is_deployed_or_named_is_read() -> None:
    def output(value: str) -> dict[str, object]:
        return {"o": {"type": "object", "value": value}}

    assert does(template(store(), outputs=output("[reference('x').primaryEndpoints]"))) == written(f"{STORES}/x") | {
        f"read {STORES}/x"
    }
    one = "[reference(resourceId('Other', 'Microsoft.Storage/storageAccounts', 'y'), '2023-01-01', 'Full')]"
    assert does(template(outputs=output(one))) == {
        "read /subscriptions/s1/resourcegroups/other/providers/microsoft.storage/storageaccounts/y"
    }
    fresh = f"[reference(resourceId('Microsoft.Storage/storageAccounts', {FRESH[1:-1]}), '2023-01-01')]"
    assert does(template(outputs=output(fresh))) == {f"read {STORES}"}
    for unknown in ("[reference(parameters('absent'))]", "[reference('elsewhere')]", "[reference()]", "[reference('"):
        assert unclear(deploy(template(outputs=output(unknown + ("" if unknown.endswith("]") else "]")))))


def test_reading_state_that_holds_a_credential_reveals_it() -> None:
    account = f"{GROUP}/providers/Microsoft.DocumentDB/databaseAccounts/c/readonlykeys"
    found = shown(deploy(template(outputs={"o": {"value": f"[reference('{account}', '2023-01-01')]"}})))
    assert any(each.startswith("reveal") for each in found)


def test_what_writes_do_besides_is_found_in_templates_too() -> None:
    boss = f"{GROUP}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/boss"
    key = "[resourceId('Microsoft.ManagedIdentity/userAssignedIdentities', 'Boss')]"
    vm: Resource = {
        "type": "Microsoft.Compute/virtualMachines",
        "name": "web",
        "identity": {"type": "UserAssigned", "userAssignedIdentities": {key: {}}},
    }
    assert f"entitle {boss.lower().replace(GROUP, 'G')}" in does(template(vm))
    opened = does(template(store(properties={"publicNetworkAccess": "Enabled"})))
    assert f"admin {STORES}/x" in opened
    assert f"admin {STORES}/x" in does(template(store(properties={"publicNetworkAccess": "[parameters('p')]"})))
    vm["identity"] = {"userAssignedIdentities": {"[parameters('absent')]": {}}}
    assert unclear(deploy(template(vm)))


def test_a_check_of_a_deployment_only_reads_and_reveals() -> None:
    role = {"type": "Microsoft.Authorization/roleAssignments", "name": "r"}
    made = template(store(), role, outputs={"k": {"value": "[listKeys('x', '2023-01-01')]"}})
    for action in ("validate", "whatIf"):
        judged = deploy(made, f"{DEPLOYMENT}/{action}", method="POST", mode="Complete")
        assert {each.action for each in judged.effects} == {Action.READ, Action.REVEAL}
        assert f"read {STORES}/x" in shown(judged)
    assert unclear(deploy(made, f"{DEPLOYMENT}/validate", method="POST", templateLink={"uri": "https://x.example"}))


def test_stacks_are_deployments_that_delete_what_they_no_longer_manage() -> None:
    path = f"{GROUP}/providers/Microsoft.Resources/deploymentStacks/s"
    delete = {"resources": "delete", "resourceGroups": "detach"}
    deny = {"mode": "denyDelete"}
    found = shown(deploy(template(store()), path, actionOnUnmanage=delete, denySettings=deny))
    assert {*written(f"{STORES}/x"), "drop G", "admin G"} <= found
    detach = {"resources": "detach", "resourceGroups": "detach"}
    found = shown(deploy(template(store()), path, actionOnUnmanage=detach, denySettings={"mode": "none"}))
    assert "drop G" not in found
    elsewhere = "/subscriptions/s1/resourceGroups/Other"
    found = shown(deploy(template(store()), path, deploymentScope=elsewhere))
    assert f"create {elsewhere.lower()}/providers/microsoft.storage/storageaccounts/x" in found


def test_the_file_that_az_sends_without_quotes_is_looked_into() -> None:
    body = (
        '{"properties": {"parameters": {}, "mode": "Incremental", template:{\n'
        "  // our account\n"
        '  "$schema": "s", /* and more */ "resources": [\n'
        '    {"type": "Microsoft.Storage/storageAccounts", "name": "x"}\n'
        "  ]\n}}}"
    )
    judged = ask("PUT", DEPLOYMENT, body)
    assert (shown(judged) - ITSELF, judged.doubt) == (written(f"{STORES}/x"), "")


def test_more_than_anybody_writes_is_refused_and_quickly() -> None:
    copy = {"name": "each", "count": 800}
    many = [store("[format('x{0}', copyIndex())]", copy=copy, tags={"a": "[concat('b', 'c')]"}) for _ in range(20)]
    assert len(deploy(template(*many)).effects) > 512
    deep = "[" + "concat(" * 5_000 + "'x'" + ")" * 5_000 + "]"
    assert unclear(deploy(template(store(deep))))
    doubling = {
        f"v{number}": f"[concat(variables('v{number + 1}'), variables('v{number + 1}'))]" for number in range(30)
    }
    assert unclear(deploy(template(store("[variables('v0')]"), variables={**doubling, "v30": "x"})))
    around = "concat(" * 40 + "variables('v{}')" + ")" * 40
    steep = {f"v{number}": f"[{around.format(number + 1)}]" for number in range(23)}
    assert unclear(deploy(template(store("[variables('v0')]"), variables={**steep, "v23": "x"})))
    circle = {"a": "[variables('b')]", "b": "[variables('a')]"}
    assert unclear(deploy(template(store("[variables('a')]"), variables=circle)))
