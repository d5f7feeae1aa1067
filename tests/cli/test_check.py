from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from structlog.testing import capture_logs
from typer.testing import CliRunner, Result

from blastwall.cli.main import build

CONFIGURATION = """\
issuers:
  - {name: github, issuer: "https://token.example", audience: blastwall, jwks: "file:keys.json"}
agents:
  - {name: ci, issuer: github, match: {repository_id: "123"}, groups: [ci]}
resources:
  - name: shop
    kind: postgres
    listen: 15432
    upstream: {host: 127.0.0.1, port: 1, database: shop}
    credential: {user: app, password: {env: SHOP_PASSWORD}}
policies: [ci.cedar]
"""

POLICY = """\
@id("ci-reads")
permit (principal in Group::"ci", action == Action::"connect", resource in Database::"shop/shop");
"""

KEY = (
    '{"keys": [{"kty": "EC", "crv": "P-256", "kid": "1", "use": "sig", "alg": "ES256",'
    ' "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU", "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}]}'
)


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SHOP_PASSWORD", "hunter2")
    (tmp_path / "ci.cedar").write_text(POLICY)
    (tmp_path / "keys.json").write_text(KEY)
    path = tmp_path / "blastwall.yaml"
    path.write_text(CONFIGURATION)
    return path


@pytest.fixture
def logging_untouched(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Keep the command from changing this process's logging."""
    monkeypatch.setattr("blastwall.app.logs.set_up", lambda settings: None)
    with capture_logs():
        yield


def check(file: Path, *more: str) -> Result:
    return CliRunner().invoke(build(), ["check", "-c", str(file), *more])


def test_a_good_configuration(file: Path) -> None:
    result = check(file)
    assert result.exit_code == 0
    assert "can be used" in result.stdout
    assert "shop (postgres) on port 15432 → 127.0.0.1:1, tls verify-full" in result.stdout
    assert "hunter2" not in result.output


def test_the_names_of_hosts_are_shown(file: Path) -> None:
    api = """\
  - name: api
    kind: http
    listen: 443
    hosts: [api.gw.example, api]
    upstream: {host: api.example}
    credential: {password: {env: SHOP_PASSWORD}}
    settings: {auth: bearer}
policies"""
    file.write_text(CONFIGURATION.replace("policies", api))
    result = check(file)
    assert "api (http) on port 443 as api.gw.example and api → api.example:443, tls verify-full" in result.stdout


def test_json(file: Path) -> None:
    found = json.loads(check(file, "--json").stdout)
    assert found["usable"] is True
    assert found["policies"]["own"] == ["ci-reads"]
    assert found["packs"] == [{"name": "postgres", "except": []}]
    assert found["secrets"] == [{"owner": "shop: app", "source": "environment variable SHOP_PASSWORD", "problem": ""}]


def test_a_bad_configuration_ends_with_2_and_names_the_line(file: Path) -> None:
    file.write_text(CONFIGURATION.replace("listen: 15432", "lisen: 15432"))
    result = check(file)
    assert result.exit_code == 2
    assert f"{file}:8: resources[0].lisen: unknown key; did you mean 'listen'?" in result.stderr
    assert result.stdout == ""


def test_a_bad_configuration_as_json(file: Path) -> None:
    file.write_text(CONFIGURATION.replace("listen: 15432", "listen: 0"))
    result = check(file, "--json")
    assert result.exit_code == 2
    assert json.loads(result.stdout) == {
        "usable": False,
        "problems": [f"{file}:8: resources[0].listen: must be at least 1"],
    }


def test_a_bad_policy_ends_with_2_and_names_its_line(file: Path) -> None:
    (file.parent / "ci.cedar").write_text(POLICY.replace('Group::"ci"', 'Group::"cj"'))
    result = check(file)
    assert result.exit_code == 2
    assert f"{file.parent}/ci.cedar:2" in result.stderr


def test_a_missing_secret_is_a_warning(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SHOP_PASSWORD")
    result = check(file)
    assert result.exit_code == 0
    assert "warning: shop: app: environment variable SHOP_PASSWORD: not set, or empty" in result.stderr


def test_a_missing_file(tmp_path: Path) -> None:
    result = check(tmp_path / "none.yaml")
    assert result.exit_code == 2
    assert "there is no such file" in result.stderr


def test_a_pack_that_is_off_is_shown(file: Path) -> None:
    file.write_text(CONFIGURATION + "packs: []\n")
    assert "warning: packs: the default pack 'postgres' is off" in check(file).stderr


@pytest.mark.usefixtures("logging_untouched")
def test_dialling_names_what_is_not_reached_and_ends_with_1(file: Path) -> None:
    result = check(file, "--dial", "--json")
    assert result.exit_code == 1
    issuer, resource = json.loads(result.stdout)["dialled"]
    assert (issuer["what"], issuer["reached"], issuer["detail"]) == ("issuer github", True, "1 keys")
    assert (resource["what"], resource["reached"]) == ("resource shop", False)
    assert resource["detail"] == "shop refused the connection"
    assert "hunter2" not in result.output


@pytest.mark.usefixtures("logging_untouched")
def test_a_resource_at_which_the_gateway_never_logs_in_is_connected_to(file: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        api = f"""\
  - name: api
    kind: http
    listen: 15433
    upstream: {{host: 127.0.0.1, port: {port}, tls: disable}}
    credential: {{password: {{env: SHOP_PASSWORD}}}}
    settings: {{auth: bearer}}
policies"""
        file.write_text(CONFIGURATION.replace("policies", api))
        dialled = {each["what"]: each for each in json.loads(check(file, "--dial", "--json").stdout)["dialled"]}
    found = dialled["resource api"]
    assert (found["reached"], found["detail"]) == (
        True,
        f"connected to 127.0.0.1:{port}; the credential was read, not tried",
    )


@pytest.mark.usefixtures("logging_untouched")
def test_dialling_an_issuer_without_its_keys(file: Path) -> None:
    (file.parent / "keys.json").write_text("not keys")
    result = check(file, "--dial")
    assert result.exit_code == 1
    assert "NOT reached  issuer github" in result.stdout


def test_a_missing_client_secret_is_a_warning(file: Path) -> None:
    identity = "{identity: client-secret, tenant: t, client_id: c, secret: {env: NO_SUCH_SECRET}}"
    file.write_text(CONFIGURATION.replace("password: {env: SHOP_PASSWORD}", f"entra: {identity}"))
    result = check(file)
    assert result.exit_code == 0, result.output
    assert "warning: shop: client secret of c: environment variable NO_SUCH_SECRET: not set" in result.stderr
