"""The ways in, with a real driver: how the gateway logs in at a server, and how clients log in at the gateway."""

from __future__ import annotations

import asyncio
import json
import ssl
import subprocess
import sys
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pymssql
import pytest
import yaml
from tests.waiting import eventually

from blastwall.app.dial import dial_all
from blastwall.app.plan import prepare
from blastwall.testing.azure import AzureServer
from blastwall.testing.certificates import CertificateAuthority
from blastwall.testing.gateway import Gateway
from blastwall.testing.issuer import DevIssuer
from blastwall.testing.ports import free_port
from blastwall.testing.tds import TdsServer

POLICY = """
@id("ci") permit (principal in Group::"ci", action in [Action::"connect", Action::"read"], resource)
when { context.plane == "data" };
"""
SERVER = "/subscriptions/s/resourceGroups/shop/providers/Microsoft.Sql/servers/sql-prod"
UNAVAILABLE = 40613
ASKED = "SELECT place FROM dbo.here"
_EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
_ID_TOKEN = "urn:ietf:params:oauth:token-type:id_token"


@dataclass
class Ways:
    """Two servers of one authority, of which the second sends logins on, and a gateway with a resource for each way."""

    gateway: Gateway
    issuer: DevIssuer
    server: TdsServer
    sender: TdsServer
    folder: Path
    azure: AzureServer
    azure_ca: Path

    def token(self, repository: str = "42") -> str:
        return self.issuer.token("ci", claims={"repository_id": repository})

    def exchanged(self, resource: str) -> str:
        """A pass: a token does not fit into what FreeTDS takes for a password."""
        form = {"grant_type": _EXCHANGE, "subject_token": self.token(), "subject_token_type": _ID_TOKEN}
        data = urllib.parse.urlencode({**form, "resource": resource}).encode()
        context = ssl.create_default_context(cafile=str(self.gateway.ca))
        with urllib.request.urlopen(f"{self.gateway.control_url}/token", data, context=context) as answer:
            return str(json.load(answer)["access_token"])

    def read(self, resource: str) -> str:
        """Log in with pymssql and read one row."""
        proof, port = self.exchanged(resource), str(self.gateway.port(resource))

        def tried() -> str:
            # The number that drivers try again by: on a busy machine the first look at a catalog may take too long.
            try:
                return _row(pymssql.connect("localhost", "ci", proof, "shop", port=port, login_timeout=60))
            except pymssql.OperationalError as error:
                if error.args[0] != UNAVAILABLE:
                    raise
                return ""

        return eventually(tried, f"{resource} lets in")

    def refused(self, resource: str, *, password: str = "", database: str = "shop") -> str:
        """Return what a client hears whose login is refused."""
        arguments = {
            "server": "localhost", "user": "ci", "password": password or self.exchanged(resource),
            "database": database, "port": str(self.gateway.port(resource)), "login_timeout": 60,
        }  # fmt: skip
        # FreeTDS keeps the first error of a process for all later ones.
        script = "import json, sys, pymssql; pymssql.connect(**json.load(sys.stdin))"
        done = subprocess.run(
            [sys.executable, "-c", script],
            input=json.dumps(arguments), capture_output=True, text=True, timeout=90, check=False,
        )  # fmt: skip
        assert done.returncode, "it was let in"
        return done.stderr


def _row(connection: pymssql.Connection) -> str:
    with connection, connection.cursor() as cursor:
        cursor.execute(ASKED)
        ((place,),) = cursor.fetchall()
        return str(place)


def _resource(name: str, upstream: Mapping[str, object], **more: object) -> dict[str, object]:
    credential = {"user": "sa", "password": {"env": "SQL_PASSWORD"}}
    return {"name": name, "kind": "mssql", "upstream": upstream, "credential": credential, **more}


def _configuration(issuer: DevIssuer, server: TdsServer, sender: TdsServer) -> dict[str, object]:
    there = {"host": "localhost", "port": server.port, "database": "shop", "ca": str(server.ca)}
    nowhere = f"localhost:{free_port()}"
    hosts = {"hosts": [nowhere, f"localhost:{server.port}"], "target": "primary"}
    several = {**hosts, "database": "shop", "ca": str(server.ca)}
    return {
        "issuers": [{"name": "ci", "issuer": issuer.url, "audience": issuer.audience}],
        "agents": [{"name": "shop-ci", "issuer": "ci", "match": {"repository_id": "42"}, "groups": ["ci"]}],
        "resources": [
            _resource("by-password", there),
            _resource("strict", there, settings={"strict": True}),
            _resource("sent-on", {**there, "port": sender.port}),
            _resource("sent-astray", {**there, "port": sender.port}),
            _resource("by-token", there, credential={"entra": {"identity": "managed-identity"}}),
            _resource("several", several),
            _resource("mistaken", there, credential={"user": "nobody", "password": {"env": "SQL_PASSWORD"}}),
            _resource("unverified", {**there, "ca": str(sender.ca.parent / "other.pem")}),
        ],
        "policies": ["*.cedar"],
        "packs": [],
        "limits": {"handshake": "60s"},
    }


@pytest.fixture(scope="module")
def ways(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ways]:
    folder = tmp_path_factory.mktemp("ways")
    with ExitStack() as stack:
        authority = CertificateAuthority("Blastwall throw-away Azure CA")
        azure = stack.enter_context(AzureServer(authority))
        server = stack.enter_context(TdsServer(entra=azure))
        sender = stack.enter_context(TdsServer(server.authority))
        server.entra_users["system-assigned"] = server.users["sa"]
        server.execute("CREATE TABLE here (place nvarchar(20)); INSERT INTO here VALUES (N'the shop')")
        other = CertificateAuthority("another").write(folder)
        (sender.ca.parent / "other.pem").write_bytes(other.read_bytes())
        issuer = stack.enter_context(DevIssuer())
        gateway = stack.enter_context(
            Gateway(
                _configuration(issuer, server, sender),
                policies={"ways.cedar": POLICY},
                environment={"SQL_PASSWORD": server.password, **azure.virtual_machine},
                folder=folder / "gateway",
            )
        )
        (folder / "azure").mkdir()
        yield Ways(gateway, issuer, server, sender, folder, azure, authority.write(folder / "azure"))


@pytest.mark.parametrize("resource", ["by-password", "strict", "by-token", "several"])
def test_the_gateway_logs_in(ways: Ways, resource: str) -> None:
    assert ways.read(resource) == "the shop"


def test_a_redirect_is_followed_without_the_clients_notice(ways: Ways) -> None:
    ways.sender.redirect_to = ("localhost", ways.server.port)
    assert ways.read("sent-on") == "the shop"
    assert ways.sender.texts() == [], "nothing but the login reached the server that sends on"


def test_a_redirect_to_another_host_gets_no_credential(ways: Ways) -> None:
    ways.sender.redirect_to = ("127.0.0.1", ways.server.port)
    before = [one.kind for one in list(ways.server.received)].count("login")
    assert "the gateway's log says why" in ways.refused("sent-astray")
    why = "sends the login on to 127.0.0.1, which is neither the configured host nor"
    eventually(lambda: why in ways.gateway.log, "the log says why")
    assert [one.kind for one in list(ways.server.received)].count("login") == before


def test_a_server_that_is_not_who_it_should_be_gets_no_credential(ways: Ways) -> None:
    before = len(ways.server.received)
    assert "signed by an authority that is not trusted" in ways.refused("unverified")
    assert len(ways.server.received) == before


def test_why_a_server_refuses_the_gateway_is_for_the_log(ways: Ways) -> None:
    told = ways.refused("mistaken")
    assert "the gateway's log says why" in told
    assert "nobody" not in told
    eventually(lambda: "Login failed for user 'nobody'" in ways.gateway.log, "the log says why")


def test_a_wrong_proof_is_a_failed_login(ways: Ways) -> None:
    before = len(ways.server.received)
    assert "Login failed for user 'ci'" in ways.refused("by-password", password="a wrong pass")
    assert len(ways.server.received) == before


def test_another_database_is_not_opened(ways: Ways) -> None:
    assert "master" in ways.refused("by-password", database="master")


def test_check_tells_what_the_server_says_of_ways_around(ways: Ways, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SQL_PASSWORD", ways.server.password)
    for name, value in ways.azure.virtual_machine.items():
        monkeypatch.setenv(name, value)
    ways.azure.resources[SERVER.lower()] = {"properties": {"publicNetworkAccess": "Enabled"}}
    document = yaml.safe_load(ways.gateway.file.read_text())
    document["resources"] = [one for one in document["resources"] if one["name"] == "by-password"]
    document["resources"][0]["azure"] = f"{SERVER}/databases/shop"
    document["azure"] = {"management": ways.azure.url, "identity": {"ca": str(ways.azure_ca)}}
    file = ways.gateway.folder / "one.yaml"
    file.write_text(yaml.safe_dump(document))
    found = {one.what: one for one in asyncio.run(dial_all(prepare(file)))}
    resource = found["resource by-password"]
    assert resource.reached, resource.detail
    said = "\n".join(one.what for one in resource.findings)
    assert "public network access is on" in said
    assert "the gateway's own user dbo may do more than agents need" in said
    assert ways.server.password not in said


def test_connect_gives_a_client_a_port_without_a_password(ways: Ways) -> None:
    (ways.folder / "token").write_text(ways.token())
    script = (
        "import os, pymssql;"
        "host, _, port = os.environ['SQLCMDSERVER'].removeprefix('tcp:').partition(',');"
        f"c = pymssql.connect(host, 'me', 'x', 'shop', port=port, login_timeout=60, encryption='off').cursor();"
        f"c.execute({ASKED!r}); print(c.fetchone()[0])"
    )
    place = ["--server", ways.gateway.control_url, "--ca", str(ways.gateway.ca)]
    command = [sys.executable, "-m", "blastwall", "connect", *place, "--token-file", str(ways.folder / "token")]
    done = subprocess.run(
        [*command, "by-password", "--", sys.executable, "-c", script],
        capture_output=True, text=True, timeout=90, check=False, cwd=ways.folder,
    )  # fmt: skip
    assert done.stdout.strip() == "the shop", done.stderr
