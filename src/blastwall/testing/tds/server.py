"""The server: listens on loopback, knows who may log in, keeps what it was asked."""

from __future__ import annotations

import socket
import ssl
import tempfile
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from blastwall.testing.azure import AzureServer
from blastwall.testing.certificates import CertificateAuthority
from blastwall.testing.closing import Closing
from blastwall.testing.tds.answer import Kept
from blastwall.testing.tds.catalog import Database
from blastwall.testing.tds.connection import Connection
from blastwall.testing.tds.engine import Engine
from blastwall.testing.tds.errors import SqlError
from blastwall.testing.tds.interpreter import BatchEnded, Interpreter
from blastwall.testing.tds.packets import Channel, ConnectionLost
from blastwall.testing.tds.procedures import called_in_text
from blastwall.testing.tds.state import State

AUDIENCE = "https://database.windows.net"
ADMIN = "sa"


@dataclass(frozen=True, slots=True)
class Received:
    """One thing that reached the server: `kind` is login, batch, rpc, transaction, bulk, attention or reset."""

    kind: str
    text: str
    procedure: str = ""


@dataclass(slots=True)
class User:
    """A login. `databases` are those that it may open, None for all; `owner` may do everything there."""

    password: str = field(repr=False)
    owner: bool = True
    databases: frozenset[str] | None = None


class TdsServer(Closing):
    """A throw-away server that speaks TDS, until it is closed.

    Args:
        authority: signs its certificate; without it one is made, whose root is in `ca`.
        databases: made at the start, besides master and tempdb.
        entra: whose tokens it accepts; `entra_users` names the client ids that may log in.
        encryption: whether it demands TLS; without, it speaks none (and TDS 8 all the same).
    """

    def __init__(
        self,
        authority: CertificateAuthority | None = None,
        *,
        databases: tuple[str, ...] = ("shop",),
        password: str = "Str0ng-enough-for-a-test",
        entra: AzureServer | None = None,
        encryption: bool = True,
        port: int = 0,
    ) -> None:
        self.authority = authority or CertificateAuthority("Throw-away TDS CA")
        self.encryption, self.entra, self.password = encryption, entra, password
        self.users: dict[str, User] = {ADMIN: User(password)}
        self.entra_users: dict[str, User] = {}
        self.redirect_to: tuple[str, int] | None = None
        """Where every login is sent on to, by ENVCHANGE 20; the host and port."""
        self.sts_url = f"https://login.microsoftonline.com/{entra.tenant if entra else 'common'}"
        self.spn = AUDIENCE + "/"
        self.packet_size = 32767
        """The largest packet that it agrees to."""
        self.unasked_features: list[tuple[int, bytes]] = []
        """Features that it acknowledges without having been asked, which no client may believe."""
        self.misbehaviour: dict[str, Callable[[Channel], None]] = {}
        """What it does instead of answering a request whose text holds a key; it may raise ConnectionLost."""
        self.received: list[Received] = []
        """Everything that reached it, the oldest first."""
        self.engine = Engine()
        for name in databases:
            self.engine.create(name)
        self._folder = tempfile.TemporaryDirectory(prefix="blastwall-tds-")
        self.ca = self.authority.write(Path(self._folder.name))
        self._certificate = self.authority.issue().write(Path(self._folder.name))
        self._spids = iter(range(51, 1 << 15))
        self._channels: set[socket.socket] = set()
        self._listener = socket.create_server(("127.0.0.1", port), backlog=200)
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True, name="tds").start()

    # ── what tests do with it ────────────────────────────────────────────────────────────────────────────────────────

    def execute(self, batch: str, database: str = "shop") -> list[tuple[object, ...]]:
        """Run a batch as an administrator, outside of any connection; return the rows of its last result.

        Raises:
            RuntimeError: it failed; the text holds the errors.
        """
        state = State(self.engine, self.database_of(database), ADMIN, 50)
        kept = Kept()
        interpreter = Interpreter(state, called_in_text)
        interpreter.answer = kept
        try:
            interpreter.run(batch)
        except (BatchEnded, SqlError) as error:
            kept.errors.append(str(error))
        finally:
            state.transactions.close()
        if kept.errors:
            raise RuntimeError("\n".join(kept.errors))
        return kept.kept

    def texts(self, *kinds: str) -> list[str]:
        """Return the texts of what was received, of some kinds or all but logins."""
        wanted = kinds or ("batch", "rpc", "transaction", "bulk")
        return [one.text for one in list(self.received) if one.kind in wanted]

    def close(self) -> None:
        """Stop listening and end every connection."""
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for one in list(self._channels):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        self._folder.cleanup()

    # ── who may log in ───────────────────────────────────────────────────────────────────────────────────────────────

    def sql_login(self, name: str, password: str) -> tuple[str, bool]:
        """Return the login's name and whether it owns its databases.

        Raises:
            SqlError: name or password are wrong.
        """
        user = self.users.get(name.lower())
        if user is None or user.password != password:
            raise SqlError(18456, name)
        return name, user.owner

    def entra_login(self, token: str) -> tuple[str, bool]:
        """Return the login's name and whether it owns its databases.

        Raises:
            SqlError: the token is not Entra's, has ended, is for something else, or its client may not log in.
        """
        grant = self.entra.made(token) if self.entra is not None else None
        if (
            grant is None
            or grant.ended
            or grant.audience.rstrip("/") != AUDIENCE
            or grant.client not in self.entra_users
        ):
            raise SqlError(18456, "<token-identified principal>")
        return grant.client, self.entra_users[grant.client].owner

    def database_of(self, name: str) -> Database:
        """Return the database that a login names; master where it names none.

        Raises:
            SqlError: there is none of that name.
        """
        found = self.engine.databases.get((name or "master").lower())
        if found is None:
            raise SqlError(4060, name)
        return found

    def entered(self, login: str, database: str) -> Database:
        """Return the database that a login opens.

        Raises:
            SqlError: there is none of that name, or the login may not open it.
        """
        user, found = self.users.get(login.lower()) or self.entra_users.get(login), self.database_of(database)
        if user is None or not (user.databases is None or found.name.lower() in user.databases):
            raise SqlError(4060, found.name)
        return found

    # ── what connections do with it ──────────────────────────────────────────────────────────────────────────────────

    def note(self, kind: str, text: str, procedure: str = "") -> None:
        """Keep what reached the server."""
        self.received.append(Received(kind, text, procedure))

    def misbehave(self, channel: Channel, text: str) -> None:
        """Do what a test asked for instead of answering such a text."""
        for key, action in self.misbehaviour.items():
            if key in text:
                action(channel)

    def tls(self, *, strict: bool) -> ssl.SSLContext:
        """Return the TLS side: TDS 8 is TLS 1.2 or newer with ALPN; inside PRELOGIN nothing newer than 1.2 works."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*self._certificate)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if strict:
            context.set_alpn_protocols(["tds/8.0"])
        else:
            context.maximum_version = ssl.TLSVersion.TLSv1_2
        return context

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self._channels.add(connection)
            threading.Thread(target=self._serve, args=(connection,), daemon=True, name="tds-client").start()

    def _serve(self, connection: socket.socket) -> None:
        with connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with suppress(ConnectionLost, OSError):
                Connection(self, Channel(connection, next(self._spids))).serve()
        self._channels.discard(connection)
