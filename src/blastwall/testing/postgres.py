"""Throw-away PostgreSQL servers: real ones, on a loopback port, gone with the block that started them."""

from __future__ import annotations

import atexit
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from functools import cache
from pathlib import Path
from typing import Self

from blastwall.testing.certificates import CertificateAuthority
from blastwall.testing.closing import Closing
from blastwall.testing.ports import free_port
from blastwall.testing.processes import Programs, ServerFailed, tail, unprivileged, within_reach
from blastwall.testing.servers import Installation, Version, find_postgres

SUPERUSER = "postgres"
METHODS = {
    "trust_user": "trust",
    "cleartext_user": "password",
    "md5_user": "md5",
    "scram_user": "scram-sha-256",
}
"""Roles that the server authenticates in another way each, all with the server's password."""

_START_SECONDS = 60.0
_STOP_SECONDS = 20.0

Row = tuple[object, ...]

_SETTINGS = """
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
max_connections = 200
max_prepared_transactions = 10
shared_buffers = 128MB
fsync = off
synchronous_commit = off
full_page_writes = off
wal_level = minimal
max_wal_senders = 0
max_wal_size = 4GB
autovacuum = off
jit = off
timezone = 'UTC'
log_timezone = 'UTC'
"""


class PostgresServer(Closing):
    """A running PostgreSQL server that nobody else uses.

    Its superuser is `postgres`; the roles in `METHODS` show each way of authenticating. Everything has the password
    `password`. With TLS its certificate is for localhost and the loopback addresses, signed by the CA in `ca`.
    """

    host = "localhost"

    def __init__(self, installation: Installation, *, tls: bool = True) -> None:
        """Prepare a cluster without starting it."""
        self.installation = installation
        self.major = installation.major
        self.port = free_port()
        self.folder = Path(tempfile.mkdtemp(prefix="blastwall-pg-"))
        self._account = unprivileged()
        self._process: subprocess.Popen[bytes] | None = None
        try:
            self._account.own(self.folder)
            self._programs, template = _template(installation)
            self.password = _password()
            self._account.run(["cp", "-a", template, self._data], self.folder, self._programs.environment)
            self._configure(tls=tls)
        except BaseException:
            shutil.rmtree(self.folder, ignore_errors=True)
            raise

    @classmethod
    def start(cls, version: Version = "newest", *, tls: bool = True) -> Self:
        """Start the installed server of a version.

        Raises:
            ServerMissing: it is not installed.
            ServerFailed: it does not start.
        """
        return cls(find_postgres(version), tls=tls).run()

    @property
    def ca(self) -> Path | None:
        """The PEM file that verifies the server; None where it speaks no TLS."""
        path = self.folder / "ca.pem"
        return path if path.exists() else None

    @property
    def pid(self) -> int:
        """The first process's id.

        Raises:
            ServerFailed: it is not running.
        """
        if self._process is None:
            raise ServerFailed("the server is not running")
        return self._process.pid

    @property
    def log(self) -> str:
        """What the server has logged."""
        path = self.folder / "server.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def dsn(self, database: str = "postgres", user: str = SUPERUSER, *, sslmode: str | None = None) -> str:
        """Return a libpq connection string with password; verified TLS where the server has it."""
        mode = sslmode or ("verify-full" if self.ca else "disable")
        parts = {
            "host": self.host, "hostaddr": "127.0.0.1", "port": self.port, "dbname": database, "user": user,
            "password": self.password, "sslmode": mode, "connect_timeout": 10,
        }  # fmt: skip
        if self.ca and mode.startswith("verify"):
            parts["sslrootcert"] = self.ca
        return " ".join(f"{key}={value}" for key, value in parts.items())

    def execute(self, statements: str, database: str = "postgres") -> list[Row]:
        """Run statements as superuser, together in one transaction, and return the last result's rows."""
        import psycopg

        with psycopg.connect(self.dsn(database), autocommit=True) as connection:
            cursor = connection.execute(statements.encode())
            while cursor.nextset():
                pass
            return cursor.fetchall() if cursor.description else []

    def create_database(self, name: str, statements: str = "") -> None:
        """Create a database and run statements in it."""
        self.execute(f'CREATE DATABASE "{name}"')
        if statements:
            self.execute(statements, name)

    def run(self) -> Self:
        """Start the prepared or stopped server and wait until it accepts connections."""
        command: list[str | Path] = [self._programs.bindir / "postgres", "-D", self._data]
        log = self.folder / "server.log"
        self._process = self._account.start(command, self.folder, self._programs.environment, log)
        try:
            self._await_ready(self._process)
        except BaseException:
            self.close()
            raise
        return self

    def stop(self) -> None:
        """Stop the server as an operator would (fast shutdown); `run` starts it again with its data."""
        self._end(signal.SIGINT)

    def become_standby(self) -> None:
        """Restart the server in recovery, as a standby whose primary is gone: it can be read and not written."""
        self.stop()
        with (self._data / "postgresql.conf").open("a") as file:
            file.write("wal_level = replica\n")
        self.run().stop()
        signal_file = self._data / "standby.signal"
        signal_file.touch()
        self._account.own(signal_file)
        self.run()

    def kill(self) -> None:
        """Crash the server (immediate shutdown, as after a power cut); `run` recovers it."""
        self._end(signal.SIGQUIT)

    def close(self) -> None:
        """Stop the server and delete its data."""
        self._end(signal.SIGQUIT)
        shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def _data(self) -> Path:
        return self.folder / "data"

    def _configure(self, *, tls: bool) -> None:
        settings = f"{_SETTINGS}port = {self.port}\n"
        if tls:
            settings += self._make_certificates()
        with (self._data / "postgresql.conf").open("a") as file:
            file.write(settings)
        lines = [f"host all {role} 127.0.0.1/32 {method}" for role, method in METHODS.items()]
        lines += ["host all all 127.0.0.1/32 scram-sha-256", "host replication all 127.0.0.1/32 scram-sha-256"]
        (self._data / "pg_hba.conf").write_text("\n".join(lines) + "\n")

    def _make_certificates(self) -> str:
        authority = CertificateAuthority()
        authority.write(self.folder)
        certificate, key = authority.issue().write(self.folder)
        self._account.own(certificate, key)
        return f"ssl = on\nssl_cert_file = '{certificate}'\nssl_key_file = '{key}'\n"

    def _await_ready(self, process: subprocess.Popen[bytes]) -> None:
        """Wait for the state line that pg_ctl reads too: line 8 of postmaster.pid (miscadmin.h, LOCK_FILE_LINE_*)."""
        deadline = time.monotonic() + _START_SECONDS
        state = self._data / "postmaster.pid"
        while time.monotonic() < deadline:
            if process.poll() is not None:
                break
            lines = state.read_text().splitlines() if state.exists() else []
            if len(lines) >= 8 and lines[0] == str(process.pid) and lines[7].strip() in {"ready", "standby"}:
                return
            time.sleep(0.02)
        raise ServerFailed(f"PostgreSQL {self.major} did not start:\n{tail(self.log)}")

    def _end(self, how: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(how)
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@cache
def _password() -> str:
    """The one password of this process's clusters; random, so that nothing passes by a guess."""
    return secrets.token_urlsafe(18)


@cache
def _template(installation: Installation) -> tuple[Programs, Path]:
    """Make a cluster to copy; return the programs to use with it, and it. Made once a process."""
    account = unprivileged()
    folder = Path(tempfile.mkdtemp(prefix="blastwall-pg-template-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    secret = folder / "password"
    secret.touch(mode=0o600)
    secret.write_text(_password())
    account.own(folder, secret)
    programs = within_reach(installation.bindir, folder)
    data = folder / "data"
    options = ["-U", SUPERUSER, "-E", "UTF8", "--locale=C", "-A", "scram-sha-256", "--no-sync", "--no-instructions"]
    initdb = programs.bindir / "initdb"
    account.run([initdb, "-D", data, f"--pwfile={secret}", *options], folder, programs.environment)
    _create_roles(programs, data, folder)
    return programs, data


def _create_roles(programs: Programs, data: Path, folder: Path) -> None:
    """Create the roles in single-user mode, where each line is a statement."""
    lines: list[str] = []
    for role, method in METHODS.items():
        lines.append(f"SET password_encryption = '{'md5' if method == 'md5' else 'scram-sha-256'}';")
        lines.append(f"CREATE ROLE {role} LOGIN PASSWORD '{_password()}';")
    script = folder / "roles.sql"
    script.touch(mode=0o600)
    script.write_text("\n".join(lines) + "\n")
    unprivileged().own(script)
    shell = f'"{programs.bindir / "postgres"}" --single -D "{data}" -F postgres < "{script}"'
    output = unprivileged().run(["sh", "-c", shell], folder, programs.environment)
    if "ERROR" in output:
        raise ServerFailed(f"the test roles could not be created:\n{tail(output)}")
