"""What bodies hide: properties that open, attach or copy; batches; moves; and how their text must be read."""

from __future__ import annotations

import json
from resource import RUSAGE_SELF, getrusage

import pytest

from blastwall.model.effects import Action
from blastwall.protocols.http.arm.tests.asking import GROUP, Body, ask, shown

WEB = "/subscriptions/s1/resourceGroups/Shop/providers/Microsoft.Compute/virtualMachines/web"
STORE = "/subscriptions/s1/resourceGroups/Shop/providers/Microsoft.Storage/storageAccounts/x"
VM = "G/providers/microsoft.compute/virtualmachines/web"
BOSS = "/subscriptions/s1/resourceGroups/Ids/providers/Microsoft.ManagedIdentity/userAssignedIdentities/boss"
OTHER = "/subscriptions/s1/resourceGroups/Other/providers/Microsoft.Compute/disks/secret"


def spent() -> float:
    """Return how many seconds of processor time this process has taken."""
    return getrusage(RUSAGE_SELF).ru_utime


def more(path: str, body: Body, method: str = "PATCH") -> set[str]:
    """Return the effects of a write besides those of the write itself."""
    plain = shown(ask(method, path, {}))
    return shown(ask(method, path, body)) - plain


@pytest.mark.parametrize(
    ("properties", "action"),
    [
        ({"publicNetworkAccess": "Enabled"}, "admin"),
        ({"PUBLICnetworkACCESS": "Enabled"}, "admin"),
        ({"deep": [{"publicNetworkAccess": "Enabled"}]}, "admin"),
        ({"networkAcls": {"defaultAction": "Allow"}}, "admin"),
        ({"allowBlobPublicAccess": True}, "admin"),
        ({"allowSharedKeyAccess": True}, "admin"),
        ({"enableSoftDelete": False}, "admin"),
        ({"disableLocalAuth": False}, "admin"),
        ({"accessPolicies": [{"objectId": "x"}]}, "entitle"),
        ({"administratorLoginPassword": "x"}, "entitle"),
        ({"adminUserEnabled": True}, "entitle"),
        ({"siteConfig": {"appCommandLine": "sh"}}, "execute"),
        ({"virtualMachineProfile": {"extensionProfile": {"extensions": [{}]}}}, "execute"),
        ({"creationData": {"createOption": "Import", "sourceUri": "https://elsewhere.example/x.vhd"}}, "export"),
    ],
)
def test_what_a_write_does_besides(properties: dict[str, object], action: str) -> None:
    assert more(STORE, {"properties": properties}) == {f"{action} G/providers/microsoft.storage/storageaccounts/x"}


@pytest.mark.parametrize(
    "properties",
    [
        {"publicNetworkAccess": "Disabled"},
        {"allowBlobPublicAccess": False},
        {"minimumTlsVersion": "TLS1_2"},
        {"accessPolicies": []},
        {"siteConfig": None},
        {"adminUserEnabled": False},
        {"sku": {"name": "Standard_LRS"}},
    ],
)
def test_what_closes_or_says_nothing_is_a_plain_write(properties: dict[str, object]) -> None:
    assert more(STORE, {"properties": properties}) == set()


def test_attaching_an_identity_is_to_be_given_its_rights() -> None:
    body = {"identity": {"type": "UserAssigned", "userAssignedIdentities": {BOSS: {}}}}
    assert more(WEB, body) == {f"entitle {BOSS.lower()}"}


def test_copying_a_disk_exports_it_and_attaching_it_opens_it() -> None:
    copied = {"properties": {"creationData": {"createOption": "Copy", "sourceResourceId": OTHER}}}
    assert more(f"{GROUP}/providers/Microsoft.Compute/disks/mine", copied) == {f"export {OTHER.lower()}"}
    attached = {"properties": {"storageProfile": {"dataDisks": [{"managedDisk": {"id": OTHER}}]}}}
    assert f"update {OTHER.lower()}" in more(WEB, attached)


def test_linking_to_anothers_resource_needs_a_right_to_read_it() -> None:
    subnet = "/subscriptions/s1/resourceGroups/Net/providers/Microsoft.Network/virtualNetworks/v/subnets/s"
    assert more(WEB, {"properties": {"subnet": {"id": subnet}}}) == {f"read {subnet.lower()}"}
    assert more(WEB, {"properties": {"own": WEB + "/extensions/e", "self": WEB}}) == set()


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("/subscriptions/s1/resourceGroups/a%2Fb", "escaped slash"),
        ("/subscriptions//resourceGroups/a", "empty"),
        ("/subscriptions/s1/resourceGroups/a/../b", "ends with a dot"),
    ],
)
def test_an_unclear_reference_is_not_guessed(source: str, reason: str) -> None:
    judged = ask("PUT", WEB, {"properties": {"sourceResourceId": source}})
    assert Action.UNCLASSIFIED in {each.action for each in judged.effects}
    assert reason in judged.doubt


# ── batches and moves ────────────────────────────────────────────────────────────────────────────────────────────────


def batch(*requests: dict[str, object]) -> dict[str, object]:
    return {"requests": list(requests)}


def inner(method: str, url: str, **rest: object) -> dict[str, object]:
    return {"httpMethod": method, "url": url, **rest}


def test_each_request_of_a_batch_is_judged() -> None:
    judged = ask(
        "POST",
        "/batch",
        batch(
            inner("GET", f"{GROUP}?api-version=2021-04-01"),
            inner("delete", "https://management.azure.com/subscriptions/s1/resourceGroups/Shop?api-version=2021-04-01"),
            inner("POST", f"https://arm.gw.example{STORE}/listKeys?api-version=1"),
            inner("PUT", WEB, content={"properties": {"publicNetworkAccess": "Enabled"}}),
        ),
    )
    store = "G/providers/microsoft.storage/storageaccounts/x"
    assert shown(judged) == {"read G", "drop G", f"reveal {store}", f"create {VM}", f"update {VM}", f"admin {VM}"}
    assert (judged.operation, judged.doubt, judged.reveals) == ("Microsoft.Resources/batch/action", "", True)


@pytest.mark.parametrize(
    "one",
    [
        inner("GET", "https://elsewhere.example/subscriptions/s1"),
        inner("GET", "https://management.azure.com@elsewhere.example/subscriptions/s1"),
        inner("GET", "https://management.azure.com.elsewhere.example/subscriptions/s1"),
        inner("GET", "http://management.azure.com/subscriptions/s1"),
        inner("GET", "https://management.azure.com:8443/subscriptions/s1"),
        inner("GET", "//elsewhere.example/subscriptions/s1"),
        inner("GET", "https:\\\\elsewhere.example/subscriptions/s1"),
        inner("GET", f"{GROUP}#x"),
        inner("GET", f"{GROUP}/%2e%2e/x"),
        inner("GET", f"{GROUP}/..%2fx"),
        inner("GET", "/subscriptions/s1\t/resourceGroups/x"),
        inner("TRACE", GROUP),
        inner("GET", GROUP, content={"x": 1}),
        inner("PUT", GROUP, content="{}"),
        inner("PUT", GROUP, body={}),
        inner("GET", GROUP, headers={"X-HTTP-Method-Override": "DELETE"}),
        inner("POST", "/batch", content=batch(inner("GET", GROUP))),
        inner("POST", "/%62atch", content=batch(inner("GET", GROUP))),
        {"url": GROUP},
        {"httpMethod": "GET"},
        "GET",
    ],
)
def test_a_batch_with_a_request_that_may_be_another_is_not_classified(one: dict[str, object]) -> None:
    judged = ask("POST", "/batch", batch(inner("GET", GROUP), one))
    assert Action.UNCLASSIFIED in {each.action for each in judged.effects}


def test_a_batch_of_more_than_policy_judges_is_refused_by_policy() -> None:
    judged = ask("POST", "/batch", batch(*(inner("GET", f"{GROUP}{number}") for number in range(500))))
    assert len(judged.effects) == 500
    judged = ask("POST", "/batch", batch(*(inner("GET", f"{GROUP}{number}") for number in range(501))))
    assert Action.UNCLASSIFIED in {each.action for each in judged.effects}


def test_a_move_takes_away_here_and_makes_there() -> None:
    body = {"resources": [WEB, STORE], "targetResourceGroup": "/subscriptions/s2/resourceGroups/Mine"}
    for action in ("moveResources", "validateMoveResources"):
        judged = ask("POST", f"{GROUP}/{action}", body)
        assert shown(judged) == {
            f"delete {VM}",
            "delete G/providers/microsoft.storage/storageaccounts/x",
            "create /subscriptions/s2/resourcegroups/mine",
        }


def test_resource_graph_reads_the_subscriptions_that_it_is_asked_for() -> None:
    path = "/providers/Microsoft.ResourceGraph/resources"
    assert shown(ask("POST", path, {"subscriptions": ["s1", "S2"], "query": "x"})) == {
        "read /subscriptions/s1",
        "read /subscriptions/s2",
    }
    for everything in ({"query": "x"}, {"subscriptions": [], "query": "x"}, {"managementGroups": ["m"]}):
        assert shown(ask("POST", path, everything)) == {"read /"}


# ── how bodies are read ──────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "body",
    [
        b'{"properties": {"a": 1, "a": 2}}',
        b'{"properties": {"a": 1, "A": 2}}',
        b'{"properties": {"a": 1}, "Properties": {"publicNetworkAccess": "Enabled"}}',
        b'{"a": NaN}',
        b'{"a": Infinity}',
        b'{"a": 0x10}',
        b'{"a": 010}',
        b"{\"a\": 'x'}",
        b"{'a': 1}",
        b'{"a": 1,}',
        b"[1,]",
        b'{"a": undefined}',
        b'{"a": 1} {"b": 2}',
        b'\xef\xbb\xbf{"a": 1}',
        b"\xff\xfe{\x00}\x00",
        b'{"a": "\\ud800"}',
        b'{"a": "x\x00y"}',
        b'{"a": "\\x41"}',
        b'{"$ref": "1"}',
        b'{"$values": []}',
        b'{"a": /* open',
        b"{" * 70 + b"}" * 70,
        b"[" * 200_000,
        b'{"a": 1} // x\xe2\x80\xa8 y',
        b"not json",
        b"{",
    ],
)
def test_a_body_that_two_readers_may_read_differently_is_not_classified(body: bytes) -> None:
    judged = ask("PUT", WEB, body)
    assert Action.UNCLASSIFIED in {each.action for each in judged.effects}
    assert judged.doubt


@pytest.mark.parametrize(
    "body",
    [
        '{"properties": {"publicNetworkAccess": "Enabled"}}',
        '{properties: {publicNetworkAccess: "Enabled"}}',
        '// a note\n{"properties": /* here */ {"publicNetworkAccess": "Enabled"}} // end',
        '{"\\u0070roperties": {"publicNetwork\\u0041ccess": "Enabled"}}',
        '{"properties": {"x": "two\nlines", "publicNetworkAccess": "Enabled"}}',
        '{"properties": {"x": "// no comment", "publicNetworkAccess": "Enabled"}}',
    ],
)
def test_what_azure_reads_as_one_thing_is_read_so(body: str) -> None:
    assert more(STORE, body) == {"admin G/providers/microsoft.storage/storageaccounts/x"}
    assert ask("PATCH", STORE, body).doubt == ""


@pytest.mark.parametrize(
    "content_type",
    [
        "text/plain",
        "application/xml",
        "application/json; charset=utf-16",
        "application/json; charset=utf-7",
        "application/json; charset=utf-8; charset=utf-16",
        "application/json-patch+json",
        "multipart/mixed",
        "application/x-www-form-urlencoded",
    ],
)
def test_a_body_that_is_not_said_to_be_json_in_utf8_is_not_classified(content_type: str) -> None:
    judged = ask("PATCH", WEB, {"properties": {}}, Content_Type=content_type)
    assert Action.UNCLASSIFIED in {each.action for each in judged.effects}


@pytest.mark.parametrize("method", ["GET", "HEAD", "DELETE"])
def test_a_body_that_its_method_does_not_have_is_not_classified(method: str) -> None:
    assert Action.UNCLASSIFIED in {each.action for each in ask(method, WEB, {"a": 1}).effects}
    assert Action.UNCLASSIFIED not in {each.action for each in ask(method, WEB, {}).effects}


@pytest.mark.parametrize(
    "name", ["X-HTTP-Method-Override", "X-Http-Method", "X-Original-Url", "x-ms-authorization-auxiliary"]
)
def test_a_field_that_makes_another_request_of_it_is_not_classified(name: str) -> None:
    judged = ask("GET", WEB, **{name: "DELETE"})
    assert Action.UNCLASSIFIED in {each.action for each in judged.effects}


def test_deleting_what_a_stack_manages_drops_its_scope() -> None:
    path = f"{GROUP}/providers/Microsoft.Resources/deploymentStacks/s"
    assert "drop G" in shown(ask("DELETE", path, query="api-version=1&unmanageAction.Resources=delete"))


@pytest.mark.parametrize(
    "body",
    [
        "[" + "1," * 400_000 + "1]",
        '{"a":' + "/**/" * 200_000 + "1}",
        "{x: [" + "1," * 30_000 + "1]}",
        '{"parameters": [' + '"a",' * 100_000 + '"a"]}',
        "{" + ",".join(f'"p{number}": {{}}' for number in range(50_000)) + "}",
    ],
)
def test_no_body_keeps_the_gateway_from_its_other_work(body: str) -> None:
    started = spent()
    assert ask("PUT", WEB, body).effects
    assert spent() - started < 5


def test_no_template_keeps_the_gateway_from_its_other_work() -> None:
    each = {
        "type": "Microsoft.Web/sites",
        "name": "[concat(" + "'a'," * 100 + "'b')]",
        "copy": {"name": "c", "count": 800},
        "properties": {"x": ["[concat('" + "a" * 2_000 + "')]"] * 20},
    }
    body = {"properties": {"mode": "Incremental", "template": {"resources": [each] * 15}}}
    started = spent()
    judged = ask("PUT", f"{GROUP}/providers/Microsoft.Resources/deployments/d", body)
    assert spent() - started < 5
    assert Action.UNCLASSIFIED in {each.action for each in judged.effects}


def test_a_path_is_no_longer_than_any_of_azures() -> None:
    for path in (
        f"{GROUP}/providers/Microsoft.Web/sites/{'x' * 2_000}",
        "/a" * 41,
        f"{GROUP}/providers/{'x' * 300}/y/z",
    ):
        assert Action.UNCLASSIFIED in {each.action for each in ask("PUT", path).effects}


def test_a_large_body_is_judged_in_no_time_that_anybody_would_notice() -> None:
    body = json.dumps({"properties": {f"p{number}": {"name": "x" * 50, "id": WEB} for number in range(6_000)}})
    assert len(body) > 900_000
    judged = ask("PUT", WEB, body)
    assert shown(judged) == {f"create {VM}", f"update {VM}"}
