"""Resource Manager through the gateway: curl and the SDK work as they are, each request is judged as Azure's action."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from azure.core.exceptions import HttpResponseError
from azure.mgmt.resource.resources import ResourceManagementClient
from tests.azure.world import ARM, GROUPS, World
from tests.waiting import eventually

from blastwall.testing.arm_estate import SUBSCRIPTION

VERSION = "api-version=2021-04-01"
SUB = f"/subscriptions/{SUBSCRIPTION}"
STORAGE = f"{SUB}/resourceGroups/shop/providers/Microsoft.Storage/storageAccounts/shopfiles"
MACHINE = f"{SUB}/resourceGroups/shop/providers/Microsoft.Compute/virtualMachines/vm1"


@pytest.fixture
def client(world: World) -> Iterator[ResourceManagementClient]:
    with ResourceManagementClient(
        world.shown(), SUBSCRIPTION, base_url=world.url(ARM), credential_scopes=["https://gateway/.default"],
        connection_verify=str(world.gateway.ca),
    ) as client:  # fmt: skip
        yield client


def arm(world: World, method: str, path: str, *more: str, token: str | None = None) -> tuple[int, dict[str, object]]:
    status, body = world.curl(f"{world.url(ARM)}{path}", "-X", method, *more, token=token)
    return status, json.loads(body) if body.strip() else {}


class TestCurl:
    def test_groups_are_listed_page_by_page_and_every_link_leads_to_the_gateway(self, world: World) -> None:
        names: list[str] = []
        link = f"{world.url(ARM)}{SUB}/resourcegroups?{VERSION}"
        while link:
            assert link.startswith(world.url(ARM) + "/")
            status, body = world.curl(link)
            assert status == 200
            page = json.loads(body)
            names += [group["name"] for group in page["value"]]
            link = page.get("nextLink", "")
        assert names == list(GROUPS)

    def test_it_is_judged_as_azures_action_on_azures_resource(self, world: World) -> None:
        status, _ = arm(world, "GET", f"{SUB}/ResourceGroups/SHOP?{VERSION}")
        assert status == 200
        [found] = [one for one in world.recorded() if "ResourceGroups/SHOP?" in one.text]
        assert found.operation.lower() == "microsoft.resources/subscriptions/resourcegroups/read"
        assert (found.effects, found.verdict, found.status[:3]) == (("read",), "allow", "200")

    def test_keys_are_refused_and_azure_is_not_asked(self, world: World) -> None:
        before = len(world.arm.asked)
        status, body = arm(world, "POST", f"{STORAGE}/listKeys?{VERSION}", "-d", "")
        assert status == 403
        error = body["error"]
        assert isinstance(error, dict)
        assert error["code"]
        assert "credentials" in str(error["message"])
        assert len(world.arm.asked) == before

    @pytest.mark.parametrize(
        "path",
        [
            f"{STORAGE}/LISTKEYS?{VERSION}",
            f"{STORAGE}/listKeys/?{VERSION}",
            f"{STORAGE}/./listKeys?{VERSION}",
            f"{STORAGE}/x/../listKeys?{VERSION}",
            f"{STORAGE}/%6CistKeys?{VERSION}",
            f"{STORAGE}%2FlistKeys?{VERSION}",
            f"{STORAGE}//listKeys?{VERSION}",
            f"{STORAGE}/regenerateKey?{VERSION}",
            f"{STORAGE}/ListAccountSas?{VERSION}",
            f"{MACHINE}/runCommand?{VERSION}",
            f"{SUB}/providers/Microsoft.Authorization/elevateAccess?{VERSION}",
        ],
    )
    def test_no_spelling_of_what_is_forbidden_reaches_azure(self, world: World, path: str) -> None:
        before = len(world.arm.asked)
        status, _ = world.curl(f"{world.url(ARM)}{path}", "--path-as-is", "-X", "POST", "-d", "{}")
        assert status in (400, 403)
        assert len(world.arm.asked) == before

    def test_what_needs_no_login_tells_where_to_log_in(self, world: World) -> None:
        status, body = world.curl(f"{world.url(ARM)}/metadata/endpoints?api-version=2022-09-01", token="")
        assert status == 200
        found = json.loads(body)
        assert found["resourceManager"].rstrip("/") == world.url(ARM)
        assert found["authentication"]["loginEndpoint"].startswith("https://")
        assert "microsoft" not in found["authentication"]["loginEndpoint"]

    def test_without_a_proof_nothing_else_is_answered(self, world: World) -> None:
        before = len(world.arm.asked)
        for token in ("", "nonsense", world.issuer.token("ci", audience="elsewhere")):
            status, _ = arm(world, "GET", f"{SUB}/resourcegroups?{VERSION}", token=token)
            assert status == 401
        assert len(world.arm.asked) == before

    def test_azure_sees_its_own_token_alone(self, world: World) -> None:
        token = world.token()
        status, _ = arm(world, "GET", f"{SUB}/resourcegroups?{VERSION}", token=token)
        assert status == 200
        shown = {asked.bearer for asked in world.arm.asked}
        assert shown <= set(world.azure.tokens)
        assert all(token not in str(asked.headers) for asked in world.arm.asked)

    def test_azures_token_opens_nothing_at_the_gateway(self, world: World) -> None:
        arm(world, "GET", f"{SUB}?{VERSION}")
        for token in world.azure.tokens:
            assert arm(world, "GET", f"{SUB}?{VERSION}", token=token)[0] == 401

    def test_the_answer_tells_nothing_of_the_gateways_token(self, world: World) -> None:
        _, said = world.curl(f"{world.url(ARM)}{SUB}?{VERSION}", "-i")
        assert not any(token in said for token in world.azure.tokens)

    def test_the_auxiliary_token_of_the_agents_goes_nowhere(self, world: World) -> None:
        header = ("-H", f"x-ms-authorization-auxiliary: Bearer {world.token()}")
        arm(world, "GET", f"{SUB}?{VERSION}", *header)
        assert "x-ms-authorization-auxiliary" not in world.arm.asked[-1].headers

    def test_a_batch_hides_nothing(self, world: World) -> None:
        inner = [
            {"httpMethod": "GET", "url": f"{SUB}?{VERSION}"},
            {"httpMethod": "POST", "url": f"https://management.azure.com{STORAGE}/listKeys?{VERSION}"},
        ]
        before = len(world.arm.asked)
        status, _ = arm(world, "POST", f"/batch?{VERSION}", "-d", json.dumps({"requests": inner}),
                        "-H", "Content-Type: application/json")  # fmt: skip
        assert status == 403
        assert len(world.arm.asked) == before

    def test_a_batch_of_reads_is_answered(self, world: World) -> None:
        inner = [{"httpMethod": "GET", "url": f"{SUB}/resourcegroups/{name}?{VERSION}"} for name in ("shop", "web")]
        status, body = arm(world, "POST", f"/batch?{VERSION}", "-d", json.dumps({"requests": inner}),
                           "-H", "Content-Type: application/json")  # fmt: skip
        assert status == 200
        responses = body["responses"]
        assert isinstance(responses, list)
        assert [one["content"]["name"] for one in responses] == ["shop", "web"]

    def test_a_template_hides_no_role_assignment(self, world: World) -> None:
        hidden = {
            "type": "Microsoft.Authorization/roleAssignments", "apiVersion": "2022-04-01",
            "name": "9d2b5f2e-0000-4000-8000-000000000001", "properties": {"principalId": "me"},
        }  # fmt: skip
        nested = {
            "type": "Microsoft.Resources/deployments", "apiVersion": "2022-09-01", "name": "inner",
            "properties": {"mode": "Incremental", "template": {"resources": [hidden]}},
        }  # fmt: skip
        linked = {**nested, "properties": {"mode": "Incremental", "templateLink": {"uri": "https://evil.example/t"}}}
        before = len(world.arm.asked)
        for resource in (hidden, nested, linked):
            body = json.dumps({"properties": {"mode": "Incremental", "template": {"resources": [resource]}}})
            path = f"{SUB}/resourcegroups/shop/providers/Microsoft.Resources/deployments/d?{VERSION}"
            status, _ = arm(world, "PUT", path, "-d", body, "-H", "Content-Type: application/json")
            assert status == 403, resource
        assert len(world.arm.asked) == before

    def test_throttling_reaches_the_client_with_its_pause(self, world: World) -> None:
        world.arm.throttle(1, 7)
        status, said = world.curl(f"{world.url(ARM)}{SUB}?{VERSION}", "-i")
        assert status == 429
        assert "\nretry-after: 7" in said.lower()

    def test_a_claims_challenge_is_met_by_the_gateway(self, world: World) -> None:
        arm(world, "GET", f"{SUB}?{VERSION}")
        time.sleep(0.01)
        world.arm.demand_claims()
        assert arm(world, "GET", f"{SUB}?{VERSION}")[0] == 200

    def test_a_page_that_leads_elsewhere_is_not_passed_on(self, world: World) -> None:
        world.arm.links = "https://evil.example"
        try:
            status, body = world.curl(f"{world.url(ARM)}{SUB}/resourcegroups?{VERSION}")
        finally:
            world.arm.links = world.arm.url
        assert status == 502 or "evil.example" not in body


def counted(world: World, identity: str) -> dict[str, object]:
    preview = world.person("GET", f"/approvals/{identity}")[1]["preview"]
    assert isinstance(preview, dict)
    return preview if preview["how"] == "counted" else {}


class TestHolds:
    def test_a_groups_deletion_waits_and_then_runs_to_its_end(
        self, world: World, client: ResourceManagementClient
    ) -> None:
        for number in range(3):
            world.arm.estate.add("web", "Microsoft.Web/sites", f"site{number}")
        with ThreadPoolExecutor(1) as beside:
            poller = beside.submit(client.resource_groups.begin_delete, "web")
            request = world.waiting()
            assert not poller.done()
            assert "resourcegroups" in json.dumps(request).lower()
            note = "resources in the group: 3 Microsoft.Web/sites; no lock in it stands in the way"
            preview = eventually(lambda: counted(world, str(request["id"])), "what lies in the group is told")
            assert preview == {"rows": 3, "how": "counted", "note": note}
            world.approve()
            poller.result(60).result(60)
        assert not client.resource_groups.check_existence("web")
        world.arm.estate.add_group("web")
        deletes = [one for one in world.recorded() if one.text.startswith("DELETE ") and "/web?" in one.text]
        assert [one.effects for one in deletes] == [("drop",)]

    def test_a_refusal_is_an_ordinary_azure_error(self, world: World, client: ResourceManagementClient) -> None:
        with pytest.raises(HttpResponseError) as caught:
            client.resource_groups.begin_delete("data")
        assert caught.value.status_code == 403
        assert caught.value.error is not None
        assert caught.value.error.code
        assert "data" in [str(group["name"]) for group in world.arm.estate.groups()]


class TestAskingAgain:
    """`hold: {mode: fail}`: no connection is held; the same request passes once people have agreed."""

    @pytest.fixture
    def failing(self, world: World) -> Iterator[World]:
        world.gateway.write({**world.gateway.configuration, "hold": {"mode": "fail"}})
        world.gateway.reload()
        yield world
        world.gateway.write(world.gateway.configuration)
        world.gateway.reload()

    def test_a_refusal_says_where_people_decide_and_then_it_passes(self, failing: World) -> None:
        failing.arm.estate.add("shop", "Microsoft.Compute/virtualMachines", "spare")
        path = f"{SUB}/resourceGroups/shop/providers/Microsoft.Compute/virtualMachines/spare?{VERSION}"
        status, body = arm(failing, "DELETE", path)
        assert status == 403
        request = failing.waiting()
        error = body["error"]
        assert isinstance(error, dict)
        assert f"#/approvals/{request['id']}" in json.dumps(error)
        failing.approve()
        other = path.replace("spare", "vm2")
        assert arm(failing, "DELETE", other)[0] == 403
        assert arm(failing, "DELETE", path)[0] == 202
        assert failing.person("POST", f"/approvals/{failing.waiting()['id']}/deny", {"comment": "no"})[0] == 200


class TestSdk:
    def test_lists_and_long_work(self, client: ResourceManagementClient) -> None:
        names = [group.name for group in client.resource_groups.list()]
        assert {"shop", "data", "backup"} <= set(names)
        assert {"shopfiles", "vm1"} <= {resource.name for resource in client.resources.list()}
        client.resource_groups.create_or_update("shop", {"location": "westeurope", "tags": {"by": "ci"}})
        assert client.resource_groups.get("shop").tags == {"by": "ci"}
