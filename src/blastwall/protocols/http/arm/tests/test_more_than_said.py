"""What a thief would try: requests that do more than their method and path say, by their query or body."""

from __future__ import annotations

import pytest

from blastwall.protocols.http.arm.tests.asking import GROUP, ask, shown

IDENTITY = f"{GROUP}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/admin"
LENT = f"entitle {IDENTITY.lower().replace(GROUP, 'G')}"
MACHINE = f"{GROUP}/providers/Microsoft.Compute/virtualMachines/web"
WORKSPACE = f"{GROUP}/providers/Microsoft.OperationalInsights/workspaces/w"
STACK = f"{GROUP}/providers/Microsoft.Resources/deploymentStacks/s"


@pytest.mark.parametrize(
    "body",
    [
        {"identity": {"type": "UserAssigned", "identityIds": [IDENTITY]}},
        {"identity": {"type": "UserAssigned", "userAssignedIdentities": {IDENTITY: {}}}},
        {"properties": {"identityProfile": {"kubeletidentity": {"resourceId": IDENTITY}}}},
        {"properties": {"podIdentityProfile": {"userAssignedIdentities": [{"identity": {"resourceId": IDENTITY}}]}}},
        {"properties": {"anything": {IDENTITY.upper().replace("/SUBSCRIPTIONS", "/subscriptions"): None}}},
    ],
)
def test_an_identity_is_lent_out_by_whatever_property_names_it(body: dict[str, object]) -> None:
    assert LENT in shown(ask("PUT", f"{GROUP}/providers/Microsoft.ContainerService/managedClusters/c", body))


def test_an_identity_of_itself_is_no_loan() -> None:
    assert LENT not in shown(ask("PUT", IDENTITY, {"id": IDENTITY, "location": "westeurope"}))


@pytest.mark.parametrize(
    ("properties", "action"),
    [
        ({"applicationProfile": {"galleryApplications": [{"packageReferenceId": "/x"}]}}, "execute"),
        ({"osProfile": {"customData": "IyEvYmluL3No"}}, "execute"),
        ({"windowsConfiguration": {"additionalUnattendContent": [{"content": "<x/>"}]}}, "execute"),
        ({"networkAccessPolicy": "AllowAll"}, "admin"),
        ({"minimumTlsVersion": "TLS1_0"}, "admin"),
        ({"authConfig": {"passwordAuth": "Enabled"}}, "admin"),
        ({"azureFilesIdentityBasedAuthentication": {"defaultSharePermission": "Contributor"}}, "admin"),
        ({"authorizationPolicies": [{"keyName": "k", "primaryKey": "mine"}]}, "entitle"),
    ],
)
def test_properties_that_run_open_or_entitle(properties: dict[str, object], action: str) -> None:
    assert f"{action} G/providers/microsoft.compute/virtualmachines/web" in shown(
        ask("PATCH", MACHINE, {"properties": properties})
    )


def test_a_clone_of_a_web_app_takes_its_settings_along() -> None:
    source = f"{GROUP}/providers/microsoft.web/sites/shop"
    judged = ask(
        "PUT",
        f"{GROUP}/providers/Microsoft.Web/sites/mine",
        {"properties": {"cloningInfo": {"sourceWebAppId": source}}},
    )
    assert "export G/providers/microsoft.web/sites/shop" in shown(judged)


@pytest.mark.parametrize("query", ["$expand=userData", "api-version=1&%24expand=%75serData", "$expand=USERDATA"])
def test_what_a_machine_was_started_with_is_a_secret(query: str) -> None:
    judged = ask("GET", MACHINE, query=query)
    assert "reveal G/providers/microsoft.compute/virtualmachines/web" in shown(judged)
    assert judged.reveals
    assert not ask("GET", MACHINE).reveals


@pytest.mark.parametrize("query", ["unmanageAction.Resources=delete", "%75nmanage%41ction.Resources=delete"])
def test_what_a_stack_takes_along_is_seen_however_the_query_is_escaped(query: str) -> None:
    assert "drop G" in shown(ask("DELETE", STACK, query=query))


@pytest.mark.parametrize(
    "body",
    [
        {"query": "workspace('other').SecurityEvent"},
        {"query": "union T, workspace // one of another team\n ('other').T"},
        {"query": "arg('').resources | take 9"},
        {"query": "externaldata (a:string) [h'https://thief.example/x']"},
        {"query": "T", "workspaces": ["other"]},
        {"query": "T", "unknown": 1},
        {},
    ],
)
def test_a_query_of_logs_that_reads_elsewhere_reads_everything(body: dict[str, object]) -> None:
    assert "read /" in shown(ask("POST", f"{WORKSPACE}/query", body))


def test_a_query_of_one_workspace_reads_it() -> None:
    judged = ask(
        "POST", f"{WORKSPACE}/query", {"query": "T | where app == 'x' and Resource has '('", "timespan": "P1D"}
    )
    assert shown(judged) == {"read G/providers/microsoft.operationalinsights/workspaces/w"}


def test_resource_graph_takes_no_group_for_a_subscription() -> None:
    path = "/providers/Microsoft.ResourceGraph/resources"
    assert shown(ask("POST", path, {"subscriptions": ["s1/resourceGroups/shop"], "query": "r"})) == {"read /"}


def test_a_deployment_to_what_is_no_scope_is_not_judged() -> None:
    judged = ask(
        "PUT",
        f"{MACHINE}/providers/Microsoft.Resources/deployments/d",
        {"properties": {"mode": "Incremental", "template": {"resources": []}}},
    )
    assert any(one.startswith("unclassified") for one in shown(judged))


def test_a_batch_whose_requests_have_fields_of_their_own_is_not_judged() -> None:
    one = {"httpMethod": "GET", "url": MACHINE}
    assert any(
        each.startswith("unclassified")
        for each in shown(ask("POST", "/batch", {"requests": [one | {"requestHeaderDetails": {"X-Ms-Anything": "x"}}]}))
    )
    named = one | {"requestHeaderDetails": {"commandName": "list"}}
    assert shown(ask("POST", "/batch", {"requests": [named]})) == {
        "read G/providers/microsoft.compute/virtualmachines/web"
    }


def test_what_a_batch_polls_is_not_recorded() -> None:
    poll = f"{GROUP.rpartition('/resourcegroups')[0]}/operationresults/eyJqb2JJZCI6IlJFU09VUkNFR1JPVVA"
    assert ask("POST", "/batch", {"requests": [{"httpMethod": "GET", "url": poll}]}).reveals
