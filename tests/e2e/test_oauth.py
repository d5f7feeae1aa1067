"""PostgreSQL 18's own client, which shows its token by SASL OAUTHBEARER."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import psycopg
import pytest
from tests.e2e.conftest import Shop
from tests.e2e.opening import opened

from blastwall.testing.postgres import PostgresServer

CLIENT = Path(__file__).with_name("libpq_oauth.py")
ISSUER = "https://issuer.example"
POLICIES = """
@id("ci")
permit (principal in Group::"ci", action in [Action::"connect", Action::"read"], resource)
when { context.plane == "data" };
"""
DISCOVERY = f"{ISSUER}/.well-known/openid-configuration"


def run(shop: Shop, token: str, resource: str, more: str = "") -> subprocess.CompletedProcess[str]:
    dsn = f"host=localhost hostaddr=127.0.0.1 port={shop.gateway.port(resource)} dbname=shop user=agent "
    dsn += f"sslmode=verify-full sslrootcert={shop.gateway.ca} oauth_issuer={ISSUER} oauth_client_id=ci {more}"
    return subprocess.run(
        [sys.executable, str(CLIENT), dsn, token], capture_output=True, text=True, check=False, timeout=60
    )


@pytest.mark.skipif(psycopg.pq.version() < 180000, reason="libpq before 18 speaks no OAUTHBEARER")
def test_libpq_shows_its_token_by_oauthbearer(postgres_newest: PostgresServer, tmp_path: Path) -> None:
    server = postgres_newest
    oauth = {"configuration": DISCOVERY, "scope": "openid"}
    resources = [
        {"name": name, "kind": "postgres", "settings": {"authentication": authentication, "oauth": oauth},
         "upstream": {"host": "localhost", "port": server.port, "database": "shop", "ca": str(server.ca)},
         "credential": {"user": "scram_user", "password": {"env": "PG_PASSWORD"}}}
        for name, authentication in (("pg-prod", "oauthbearer"), ("pg-password", "password"))
    ]  # fmt: skip
    with opened(server, tmp_path / "gateway", policies=POLICIES, masking=[], resources=resources) as shop:
        shown = run(shop, shop.token(), "pg-prod")
        assert shown.stdout.split() == ["30", DISCOVERY, "openid"], shown.stderr
        chosen = run(shop, shop.token(), "pg-password", "options='-c blastwall.authentication=oauthbearer'")
        assert chosen.stdout.split() == ["30", DISCOVERY, "openid"], chosen.stderr
        refused = run(shop, shop.token(repository_id="99"), "pg-prod")
        assert refused.returncode != 0
        assert "blastwall: the token is valid but matches no configured agent" in refused.stderr
        with psycopg.connect(shop.dsn() + " options='-c blastwall.authentication=password'") as agent:
            assert agent.execute("SELECT 1").fetchone() == (1,)
        with pytest.raises(psycopg.OperationalError, match="OAuth"):
            shop.connect()
