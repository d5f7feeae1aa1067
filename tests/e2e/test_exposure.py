"""`check --dial`: can the database be reached around the gateway, and is the gateway's own role too powerful?"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml
from tests.e2e.conftest import POLICIES, SHOP, configuration
from typer.testing import CliRunner

from blastwall.app.dial import dial_all
from blastwall.app.exposure import names
from blastwall.app.plan import prepare
from blastwall.cli.main import build
from blastwall.model.resource import Address, Resource
from blastwall.testing.azure import AzureServer
from blastwall.testing.certificates import CertificateAuthority
from blastwall.testing.issuer import DevIssuer
from blastwall.testing.ports import free_port
from blastwall.testing.postgres import PostgresServer

ID = "/subscriptions/s/resourceGroups/shop/providers/Microsoft.DBforPostgreSQL/flexibleServers/pg-prod"


@dataclass
class Site:
    """A database, an Azure that has it, and a configuration of both."""

    server: PostgresServer
    azure: AzureServer
    file: Path
    document: dict[str, object]

    def write(self, user: str = "plain", **resource: object) -> None:
        given = {
            "name": "pg-prod",
            "kind": "postgres",
            "listen": 15432,
            "azure": ID,
            "upstream": {"host": "localhost", "port": self.server.port, "database": "shop", "ca": str(self.server.ca)},
            "credential": {"user": user, "password": {"env": "PG_PASSWORD"}},
            **resource,
        }
        self.file.write_text(yaml.safe_dump({**self.document, "resources": [given]}))

    def warnings(self, *, reached: bool = True) -> str:
        (resource,) = (one for one in asyncio.run(dial_all(prepare(self.file))) if one.what == "resource pg-prod")
        assert resource.reached is reached, resource.detail
        said = "\n".join(f"{one.weight}: {one.what} -> {one.remedy}" for one in resource.findings)
        assert self.server.password not in said
        assert not [token for token in self.azure.tokens if token in said]
        return said


@pytest.fixture
def site(postgres_newest: PostgresServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    server, authority = postgres_newest, CertificateAuthority("Blastwall throw-away Azure CA")
    monkeypatch.setenv("PG_PASSWORD", server.password)
    server.execute("DROP DATABASE IF EXISTS shop WITH (FORCE)")
    server.create_database("shop", SHOP)
    server.execute(f"CREATE ROLE plain LOGIN PASSWORD '{server.password}'")
    (tmp_path / "shop.cedar").write_text(POLICIES)
    with AzureServer(authority) as azure, DevIssuer() as issuer:
        azure.resources[ID.lower()] = {"properties": {"network": {"publicNetworkAccess": "Disabled"}}}
        asks = {
            "identity": {"identity": "managed-identity", "ca": str(authority.write(tmp_path))},
            "management": azure.url,
        }
        document = {**configuration(server, issuer), "masking": [], "azure": asks}
        found = Site(server, azure, tmp_path / "blastwall.yaml", document)
        found.write()
        for name, value in azure.virtual_machine.items():
            monkeypatch.setenv(name, value)
        yield found
    server.execute("DROP DATABASE shop WITH (FORCE)")
    for role in ("plain", "reader", "backdoor"):
        server.execute(f"DROP ROLE IF EXISTS {role}")


def test_what_is_as_it_should_be_is_said(site: Site) -> None:
    said = site.warnings()
    assert "good: public network access is off" in said
    assert "good: localhost resolves to private addresses only" in said
    assert "good: it listens on 127.0.0.1 only" in said
    assert "good: the gateway's own role plain has no special rights" in said
    assert (
        "the server did not say who may log in from where (pg_hba_file_rules): the gateway's role may not ask" in said
    )


def test_other_logins_are_named_with_what_they_may_do(site: Site) -> None:
    site.server.execute(f"CREATE ROLE backdoor LOGIN BYPASSRLS CREATEROLE PASSWORD '{site.server.password}'")
    site.server.execute("CREATE ROLE reader LOGIN", "shop")
    site.server.execute("GRANT SELECT ON orders TO reader", "shop")
    said = site.warnings()
    assert "backdoor (bypass row security, create roles), postgres (superuser" in said
    assert "other logins may read tables of this database directly: reader, scram_user" in said
    assert "take LOGIN" in said
    site.server.execute("DROP OWNED BY reader", "shop")


def test_too_powerful_a_credential_is_named_right_by_right(site: Site) -> None:
    site.server.execute("GRANT pg_execute_server_program, pg_read_server_files TO plain")
    site.server.execute("ALTER ROLE plain REPLICATION")
    said = site.warnings()
    assert (
        "warning: the gateway's own role plain may do more than agents need: replication, "
        "member of pg_execute_server_program, member of pg_read_server_files" in said
    )
    site.write("postgres")
    said = site.warnings()
    assert "postgres may do more than agents need: superuser" in said
    assert "warning: pg_hba.conf lets trust_user in from 127.0.0.1 by `trust`" in said
    site.server.execute("ALTER ROLE plain NOREPLICATION")


def test_public_network_access_and_open_firewalls(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    site.azure.resources[ID.lower()] = {"properties": {"network": {"publicNetworkAccess": "Enabled"}}}
    site.azure.resources[f"{ID}/firewallRules".lower()] = {
        "value": [
            {"name": "azure", "properties": {"startIpAddress": "0.0.0.0", "endIpAddress": "0.0.0.0"}},
            {"name": "office", "properties": {"startIpAddress": "203.0.113.0", "endIpAddress": "203.0.113.255"}},
            {"name": "gateway", "properties": {"startIpAddress": "203.0.113.9", "endIpAddress": "203.0.113.9"}},
        ]
    }
    said = site.warnings()
    assert "warning: public network access is on -> use a private endpoint" in said
    assert "warning: the firewall rule azure lets every Azure service of every customer in" in said
    assert "warning: the firewall rule office lets 203.0.113.0 to 203.0.113.255 in" in said
    assert "note: the firewall rule gateway lets 203.0.113.9 in" in said
    monkeypatch.setattr("blastwall.app.logs.set_up", lambda settings: None)
    for more, code in ((), 0), (("--strict",), 1):
        strict = CliRunner().invoke(build(), ["check", "-c", str(site.file), "--dial", *more])
        assert strict.exit_code == code
    assert "around the gateway  resource pg-prod" in strict.stdout
    assert strict.stdout.index("warning  public network access is on") < strict.stdout.index("good     localhost")


def test_what_could_not_be_asked_is_said(site: Site) -> None:
    site.azure.resources.clear()
    assert "note: Azure did not say whether public network access is on: it answered 404; give the identity" in (
        site.warnings()
    )
    with site.azure.outage("imds"):
        assert "Azure Resource Manager by managed-identity: it answers 503" in site.warnings()
    site.write(azure="")
    assert "Azure was not asked whether public network access is on: `azure` (its id) is not given" in site.warnings()
    site.write("nobody")
    said = site.warnings(reached=False)
    assert "note: pg-prod was not asked about ways around the gateway: the server refuses the login" in said


def test_each_host_of_several_is_dialled(site: Site) -> None:
    hosts = [f"localhost:{free_port()}", f"localhost:{site.server.port}"]
    site.write(upstream={"hosts": hosts, "target": "primary", "database": "shop", "ca": str(site.server.ca)})
    reached = {one.what: one.reached for one in asyncio.run(dial_all(prepare(site.file)))}
    assert (reached["resource pg-prod"], reached["resource pg-prod, host 1"]) == (True, False)
    assert reached["resource pg-prod, host 2"]


@pytest.mark.parametrize(
    ("host", "said"),
    [
        ("8.8.8.8", "warning: 8.8.8.8 resolves to a public address (8.8.8.8)"),
        ("10.1.2.3", "good: 10.1.2.3 resolves to private addresses only (10.1.2.3)"),
        ("nowhere.invalid", "note: the name nowhere.invalid cannot be resolved here"),
    ],
)
async def test_where_a_name_leads(host: str, said: str) -> None:
    (finding,) = await names(Resource("pg", "postgres", Address(host, 5432)))
    assert f"{finding.weight}: {finding.what}" == said
