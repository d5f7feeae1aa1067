"""Real servers for the tests. What is missing fails with the command that installs it; nothing is skipped."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Protocol

import pytest
from tests.preloaded import Preloaded

from blastwall._twins import compiled
from blastwall.testing.certificates import CertificateAuthority
from blastwall.testing.gateway import Gateway
from blastwall.testing.issuer import DevIssuer
from blastwall.testing.postgres import PostgresServer, Row
from blastwall.testing.servers import ServerMissing, Version

_preloaded = Preloaded()


def pytest_configure() -> None:
    """Start gateways from a Python that has imported Blastwall already."""
    Gateway.launch = _preloaded


def pytest_unconfigure() -> None:
    """End what gateways were started from."""
    _preloaded.close()


def pytest_report_header() -> str:
    """Say which of the twins the tests run against."""
    import blastwall.relay.pump

    return f"blastwall: {'compiled' if compiled() else 'plain Python'} ({Path(blastwall.relay.pump.__file__).name})"


class StartGateway(Protocol):
    """What the fixture `gateway` gives."""

    def __call__(
        self,
        configuration: Mapping[str, object],
        policies: Mapping[str, str] | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> Gateway:
        """Start a gateway that ends with the test."""


def _postgres(version: Version) -> Iterator[PostgresServer]:
    try:
        server = PostgresServer.start(version)
    except ServerMissing as missing:
        pytest.fail(str(missing), pytrace=False)
    with server:
        _shared[server] = _server_wide(server)
        yield server
        del _shared[server]


_shared: dict[PostgresServer, list[Row]] = {}
"""The shared servers that run, with what was true of each as it started."""


def _server_wide(server: PostgresServer) -> list[Row]:
    """Roles, what they may do and belong to, and settings: what a server tells every test, in any database."""
    return server.execute(
        """
        SELECT 'role', rolname::text, to_jsonb(r) - 'oid' - 'rolpassword' FROM pg_roles r
        UNION ALL SELECT 'member', member::regrole::text, to_jsonb(roleid::regrole::text) FROM pg_auth_members
        UNION ALL SELECT 'setting', setrole::regrole::text, to_jsonb(setconfig) FROM pg_db_role_setting
          WHERE setdatabase = 0
        UNION ALL SELECT 'setting', name, to_jsonb(setting) FROM pg_file_settings
          WHERE sourcefile LIKE '%postgresql.auto.conf'
        ORDER BY 1, 2, 3
        """
    )


@pytest.fixture(scope="module", autouse=True)
def nothing_server_wide_is_left() -> Iterator[None]:
    """Fail the module that leaves roles or settings in a shared server: others would meet them, now and then."""
    yield
    for server, before in _shared.items():
        assert _server_wide(server) == before


@pytest.fixture(scope="session")
def postgres15() -> Iterator[PostgresServer]:
    """A real PostgreSQL 15 with TLS, shared by the session: make databases of your own in it."""
    yield from _postgres("15")


@pytest.fixture(scope="session")
def postgres_newest() -> Iterator[PostgresServer]:
    """The newest real PostgreSQL that can be had, with TLS, shared by the session."""
    yield from _postgres("newest")


@pytest.fixture(scope="session", params=["postgres15", "postgres_newest"])
def postgres(request: pytest.FixtureRequest) -> PostgresServer:
    """Each of the two servers in turn."""
    server = request.getfixturevalue(request.param)
    assert isinstance(server, PostgresServer)
    return server


@pytest.fixture(scope="session")
def authority() -> CertificateAuthority:
    """A throw-away CA."""
    return CertificateAuthority()


@pytest.fixture
def issuer() -> Iterator[DevIssuer]:
    """A development issuer with fresh keys, over http on loopback."""
    with DevIssuer() as issuer:
        yield issuer


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[StartGateway]:
    """Start gateways: `gateway(configuration, policies={...}, environment={...})`; they end with the test."""
    with ExitStack() as running:

        def start(
            configuration: Mapping[str, object],
            policies: Mapping[str, str] | None = None,
            environment: Mapping[str, str] | None = None,
        ) -> Gateway:
            folder = tmp_path / f"gateway{len(list(tmp_path.glob('gateway*')))}"
            started = Gateway(configuration, policies=policies, environment=environment, folder=folder)
            return running.enter_context(started)

        yield start
