"""Gateway tokens at a running gateway of two workers: good for what they were asked for, worth nothing at Azure."""

from __future__ import annotations

import http.client
import json
import ssl
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.waiting import eventually

from blastwall.testing.arm import ArmServer
from blastwall.testing.arm_estate import SUBSCRIPTION
from blastwall.testing.azure import AzureServer
from blastwall.testing.certificates import CertificateAuthority
from blastwall.testing.gateway import Gateway
from blastwall.testing.issuer import DevIssuer

GROUPS = f"/subscriptions/{SUBSCRIPTION}/resourcegroups?api-version=2022-09-01"
MANAGEMENT = "https://management.azure.com"
ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
POLICIES = """
@id("ci-reads-arm")
permit (principal in Group::"ci", action in [Action::"connect", Action::"read"], resource)
when { context.plane == "control" };
@id("ci-reads-other")
permit (principal in Group::"ci", action in [Action::"connect", Action::"read"], resource in Resource::"other");
"""


@dataclass
class World:
    """A gateway before a small Azure."""

    gateway: Gateway
    azure: AzureServer
    arm: ArmServer
    issuer: DevIssuer
    ca: Path

    def oidc(self) -> str:
        return self.issuer.token("ci", claims={"repository_id": "42"})

    def exchange(self, asked: str = MANAGEMENT, assertion: str | None = None) -> tuple[int, dict[str, object]]:
        form = {
            "grant_type": "client_credentials",
            "client_assertion_type": ASSERTION,
            "client_assertion": self.oidc() if assertion is None else assertion,
            "scope": f"{asked}/.default",
        }
        data = urllib.parse.urlencode(form).encode()
        url = f"{self.gateway.control_url}/common/oauth2/v2.0/token"
        status, body = self.gateway.request(urllib.request.Request(url, data))
        return status, json.loads(body)

    def token(self, asked: str = MANAGEMENT) -> str:
        status, answer = self.exchange(asked)
        assert status == 200, answer
        return str(answer["access_token"])

    def line(self, port: int, ca: Path) -> http.client.HTTPSConnection:
        return http.client.HTTPSConnection("localhost", port, timeout=30, context=ssl.create_default_context(cafile=ca))

    def get(self, token: str, port: int, ca: Path, path: str = GROUPS) -> int:
        line = self.line(port, ca)
        try:
            line.request("GET", path, headers={"Authorization": f"Bearer {token}"})
            return line.getresponse().status
        finally:
            line.close()

    def at_gateway(self, token: str, resource: str = "arm") -> int:
        return self.get(token, self.gateway.port(resource), self.gateway.ca)

    def everywhere(self, token: str) -> set[int]:
        """What several connections are answered, of which every worker has some: each hears of a change by itself."""
        return {self.at_gateway(token) for _ in range(8)}

    def at_azure(self, token: str) -> int:
        return self.get(token, self.arm.port, self.ca)


def resource(name: str, kind: str, arm: ArmServer, ca: Path) -> dict[str, object]:
    return {
        "name": name,
        "kind": kind,
        "upstream": {"host": "localhost", "port": arm.port, "ca": str(ca)},
        "credential": {"entra": {"identity": "managed-identity", "scope": f"{MANAGEMENT}/.default"}},
    }


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("azure")
    authority = CertificateAuthority("Small Azure's CA")
    ca = authority.write(folder)
    with DevIssuer() as issuer, AzureServer(authority) as azure, ArmServer(azure, authority) as arm:
        arm.estate.add_group("shop")
        configuration = {
            "issuers": [{"name": "ci", "issuer": issuer.url, "audience": issuer.audience}],
            "agents": [{"name": "shop-ci", "issuer": "ci", "match": {"repository_id": "42"}, "groups": ["ci"]}],
            "resources": [resource("arm", "azure-arm", arm, ca), resource("other", "http", arm, ca)],
            "policies": ["*.cedar"],
            "workers": 2,
        }
        with Gateway(configuration, policies={"a.cedar": POLICIES}, environment=azure.app_service) as gateway:
            yield World(gateway, azure, arm, issuer, ca)


def test_it_is_good_at_every_worker_and_after_a_restart(world: World) -> None:
    token = world.token()
    assert world.everywhere(token) == {200}
    world.gateway.terminate()
    world.gateway.start()
    assert world.everywhere(token) == {200}


def test_it_is_worth_nothing_at_azure_nor_azures_here(world: World) -> None:
    ours = world.token()
    assert world.at_azure(ours) == 401
    theirs = _azures_own(world.azure)
    assert world.at_azure(theirs) == 200
    world.arm.asked.clear()
    assert world.at_gateway(theirs) == 401
    assert world.exchange(assertion=theirs)[0] == 401
    assert not world.arm.asked, "nothing of it reached Azure"


def _azures_own(azure: AzureServer) -> str:
    """A token that Azure made, as a thief may have one."""
    place = azure.app_service
    url = f"{place['IDENTITY_ENDPOINT']}?api-version=2019-08-01&resource={MANAGEMENT}"
    request = urllib.request.Request(url, headers={"X-IDENTITY-HEADER": place["IDENTITY_HEADER"]})
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=30) as response:
        return str(json.load(response)["access_token"])


def test_it_is_good_for_what_it_was_asked_for(world: World) -> None:
    arm, other = world.token(), world.token("blastwall:other")
    assert (world.at_gateway(arm, "other"), world.at_gateway(other, "arm")) == (401, 401)
    assert (world.at_gateway(arm, "arm"), world.at_gateway(other, "other")) == (200, 200)
    altered = arm[:-6] + ("AAAAAA" if not arm.endswith("AAAAAA") else "BBBBBB")
    assert world.at_gateway(altered) == 401
    assert world.exchange(assertion=arm)[0] == 401


def test_a_revoked_one_ends_its_connections_and_opens_none(world: World) -> None:
    token, kept = world.token(), world.token()
    line = world.line(world.gateway.port("arm"), world.gateway.ca)
    line.request("GET", GROUPS, headers={"Authorization": f"Bearer {token}"})
    assert line.getresponse().read()
    data = urllib.parse.urlencode({"token": token}).encode()
    status, _ = world.gateway.request(urllib.request.Request(f"{world.gateway.control_url}/revoke", data))
    assert status == 200
    eventually(lambda: _ended(line, token), "its connection ends")
    line.close()
    eventually(lambda: world.everywhere(token) == {401}, "no worker takes it")
    assert world.at_gateway(kept) == 200


def test_a_containment_ends_what_was_given_though_it_is_lifted(world: World) -> None:
    token = world.token()
    assert world.at_gateway(token) == 200
    time.sleep(1.1)  # a token's age is told in whole seconds
    world.gateway.run("contain", "agent", "shop-ci", "--reason", "stolen")
    eventually(lambda: world.everywhere(token) == {401}, "it is refused")
    eventually(lambda: world.exchange()[0] == 401, "no other is given")
    world.gateway.run("contain", "agent", "shop-ci", "--lift", "--reason", "found")
    eventually(lambda: world.exchange()[0] == 200, "fresh ones are given")
    fresh = world.token()
    eventually(lambda: world.everywhere(fresh) == {200}, "fresh ones are taken")
    assert world.everywhere(token) == {401}


def _ended(line: http.client.HTTPSConnection, token: str) -> bool:
    try:
        line.request("GET", GROUPS, headers={"Authorization": f"Bearer {token}"})
        answer = line.getresponse()
        answer.read()
    except (OSError, http.client.HTTPException):
        return True
    return answer.status in {401, 503}
