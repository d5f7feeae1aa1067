"""Key Vault through the gateway: the SDK and curl work unmodified; a secret's value is never in a recording."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from azure.core.exceptions import HttpResponseError
from azure.keyvault.secrets import SecretClient
from tests.azure.world import SECRET, SECRETS_OPEN, VAULT, World, running

from blastwall.testing.az import SUFFIX


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory, world: World) -> Iterator[World]:
    """A world of its own where the pack's word on secrets is left out, and policy lets one agent read them."""
    with running(tmp_path_factory.mktemp("opened"), packs=SECRETS_OPEN) as opened:
        yield opened


def client(world: World, repository: str) -> SecretClient:
    return SecretClient(world.url(VAULT), world.shown(repository), connection_verify=str(world.gateway.ca))


def test_secrets_are_listed_page_by_page(world: World) -> None:
    with client(world, "42") as secrets:
        assert [secret.name for secret in secrets.list_properties_of_secrets()] == ["one", "three", "two"]


def test_the_challenge_names_the_gateway_and_never_microsoft(world: World) -> None:
    status, said = world.curl(f"{world.url(VAULT)}/secrets?api-version=7.5", "-i", token="")
    assert status == 401
    assert "microsoft" not in said.lower()
    assert f'resource="https://vault{SUFFIX}' in said


def test_a_secret_is_refused_and_the_vault_is_not_asked(world: World) -> None:
    for repository in ("42", "43"):
        before = len(world.vault.asked)
        with client(world, repository) as secrets, pytest.raises(HttpResponseError) as caught:
            secrets.get_secret("one")
        assert caught.value.status_code == 403
        assert len(world.vault.asked) == before


def test_where_policy_lets_an_agent_read_it_no_recording_has_it(opened: World) -> None:
    with client(opened, "43") as secrets:
        assert secrets.get_secret("one").value == SECRET
    with client(opened, "42") as secrets, pytest.raises(HttpResponseError):
        secrets.get_secret("one")
    found = [one for one in opened.recorded() if "/secrets/one" in one.text]
    assert {(one.principal, one.verdict) for one in found} == {("cleared-ci", "allow"), ("shop-ci", "deny")}
    recordings = opened.gateway.folder / "state" / "recordings"
    assert not any(SECRET.encode() in path.read_bytes() for path in recordings.rglob("*") if path.is_file())
    assert SECRET not in opened.gateway.log
    assert SECRET not in opened.gateway.run("sessions", "list", "--json")


def test_a_secret_that_is_written_is_in_no_recording(world: World) -> None:
    status, _ = world.curl(
        f"{world.url(VAULT)}/secrets/four?api-version=7.5", "-X", "PUT", "-H", "Content-Type: application/json",
        "-d", json.dumps({"value": "planted-in-a-request"}),
    )  # fmt: skip
    assert status == 403
    recordings = world.gateway.folder / "state" / "recordings"
    everything = b"".join(path.read_bytes() for path in recordings.rglob("*") if path.is_file())
    assert b"planted-in-a-request" not in everything
    assert "planted-in-a-request" not in "\n".join(one.text for one in world.recorded())
