"""A throw-away PgBouncer in front of a PostgreSQL server: what a gateway's speed is compared with."""

from __future__ import annotations

import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

from blastwall.testing.certificates import CertificateAuthority
from blastwall.testing.closing import Closing
from blastwall.testing.ports import free_port
from blastwall.testing.postgres import SUPERUSER, PostgresServer
from blastwall.testing.processes import ServerFailed, unprivileged, until_it_answers, within_reach
from blastwall.testing.servers import find_program

_START_SECONDS = 60.0
_STOP_SECONDS = 5.0


class PgBouncer(Closing):
    """PgBouncer with session pooling, which is what a gateway does too; clients log in without a password."""

    def __init__(self, server: PostgresServer, database: str, *, tls: bool = False, user: str = SUPERUSER) -> None:
        """Start it in front of one database; with `tls` on both sides, else on neither.

        Raises:
            ServerMissing: it is not installed.
            ServerFailed: it does not start.
        """
        program = find_program("pgbouncer", "pgbouncer")
        self.port = free_port()
        self.user = user
        self.folder = Path(tempfile.mkdtemp(prefix="blastwall-pgbouncer-"))
        account = unprivileged()
        account.own(self.folder)
        self._configure(server, database, tls=tls)
        log = self.folder / "pgbouncer.log"
        programs = within_reach(program.parent, self.folder)
        command = [programs.bindir / program.name, self.folder / "pgbouncer.ini"]
        self._process: subprocess.Popen[bytes] = account.start(command, self.folder, programs.environment, log)
        try:
            until_it_answers("PgBouncer", self.port, self._process, log, _START_SECONDS)
        except ServerFailed:
            self.close()
            raise

    @property
    def ca(self) -> Path | None:
        """The PEM file that verifies it; None without TLS."""
        path = self.folder / "ca.pem"
        return path if path.exists() else None

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    def close(self) -> None:
        """Stop it and delete its folder."""
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _configure(self, server: PostgresServer, database: str, *, tls: bool) -> None:
        users = self.folder / "users.txt"
        users.touch(mode=0o600)
        users.write_text(f'"{self.user}" "{server.password}"\n')
        unprivileged().own(users)
        settings = {
            "listen_addr": "127.0.0.1",
            "listen_port": self.port,
            "unix_socket_dir": "",
            "auth_type": "trust",
            "auth_file": users,
            "pool_mode": "session",
            "max_client_conn": 500,
            "default_pool_size": 150,
            "ignore_startup_parameters": "extra_float_digits",
            "log_connections": 0,
            "log_disconnections": 0,
            **(self._tls(server) if tls else {"server_tls_sslmode": "disable"}),
        }
        lines = [f"{name} = {value}" for name, value in settings.items()]
        target = f"{database} = host=127.0.0.1 port={server.port} dbname={database}"
        (self.folder / "pgbouncer.ini").write_text("\n".join(["[databases]", target, "[pgbouncer]", *lines]) + "\n")

    def _tls(self, server: PostgresServer) -> dict[str, object]:
        authority = CertificateAuthority()
        authority.write(self.folder)
        certificate, key = authority.issue().write(self.folder)
        unprivileged().own(certificate, key)
        return {
            "client_tls_sslmode": "require",
            "client_tls_cert_file": certificate,
            "client_tls_key_file": key,
            "server_tls_sslmode": "verify-full",
            "server_tls_ca_file": server.ca,
        }
