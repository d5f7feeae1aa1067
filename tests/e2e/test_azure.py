"""A database that knows the gateway by Microsoft Entra tokens, and one whose password is in Key Vault."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest
from tests.e2e.opening import opened
from tests.waiting import eventually

from blastwall.testing.azure import AzureServer
from blastwall.testing.certificates import CertificateAuthority
from blastwall.testing.postgres import PostgresServer


def test_tokens_and_key_vault_secrets_log_in(
    postgres_newest: PostgresServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server takes the newest token as `cleartext_user`'s password, as Azure's servers take each that is valid."""
    server, authority = postgres_newest, CertificateAuthority("Blastwall throw-away Azure CA")

    def accept(token: str, audience: str) -> None:
        if "ossrdbms" in audience:
            server.execute(f"ALTER ROLE cleartext_user PASSWORD '{token}'")

    with AzureServer(authority, granted=accept) as azure:
        for name, value in azure.virtual_machine.items():
            monkeypatch.setenv(name, value)
        azure.put("pg", server.password)
        upstream = {"host": "localhost", "port": server.port, "database": "shop", "ca": str(server.ca)}
        vault = {
            "keyvault": azure.secret_url("pg"),
            "refresh": "200ms",
            "identity": {"ca": str(authority.write(tmp_path))},
        }
        entra = {"identity": "managed-identity"}
        resources = [
            {"name": "by-token", "kind": "postgres", "upstream": upstream,
             "credential": {"user": "cleartext_user", "entra": entra}},
            {"name": "wrong-user", "kind": "postgres", "upstream": upstream,
             "credential": {"user": "scram_user", "entra": entra}},
            {"name": "by-vault", "kind": "postgres", "upstream": upstream,
             "credential": {"user": "scram_user", "password": vault}},
        ]  # fmt: skip
        connects = (
            '@id("ci") permit (principal in Group::"ci", action in [Action::"connect", Action::"read"], resource) '
            'when { context.plane == "data" };'
        )
        with opened(server, tmp_path / "gateway", policies=connects, masking=[], resources=resources) as shop:

            def connect(resource: str) -> psycopg.Connection[tuple[object, ...]]:
                return psycopg.connect(shop.gateway.dsn("shop", shop.token(), resource=resource), autocommit=True)

            with connect("by-token") as agent:
                assert agent.execute("SELECT current_user").fetchone() == ("cleartext_user",)
            with connect("by-vault") as agent:
                assert agent.execute("SELECT current_user").fetchone() == ("scram_user",)
            with pytest.raises(psycopg.OperationalError, match="the gateway's log says why"):
                connect("wrong-user")
            eventually(
                lambda: "is the user one of Microsoft Entra's?" in shop.gateway.log, "the log says what is wrong"
            )
            with azure.outage("vault", "imds"):
                eventually(lambda: "secret_not_renewed" in shop.gateway.log, "the outage is in the log")
                connect("by-vault").close()
                connect("by-token").close()
            log = shop.gateway.log
        assert server.password not in log
        assert not [token for token in azure.tokens if token in log]
    server.execute(f"ALTER ROLE cleartext_user PASSWORD '{server.password}'")
