"""Records what a driver and a server say to each other: `python -m tests.conversations.record FILE…`.

Each FILE names a driver, the protocol and the client script to run; its `steps` are written anew, in the order in which
they passed: `> ` is the client's, `< ` the server's, in base64. Servers and clients speak in plain text, on loopback.
"""

from __future__ import annotations

import base64
import os
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import yaml

from blastwall.testing.postgres import PostgresServer
from blastwall.testing.servers import environment, find_tedious
from blastwall.testing.tds import TdsServer

DATABASE = "shop"
PASSWORD = "Of-a-server-that-is-gone-1"
SECONDS = 60


class Readable(yaml.SafeDumper):
    """Writes texts of several lines as they are."""

    def represent_text(self, text: str) -> yaml.ScalarNode:
        return self.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


Readable.add_representer(str, Readable.represent_text)


class Between:
    """Stands between one client and a server and notes what passes; what one end says at a time is one step."""

    def __init__(self, port: int) -> None:
        self.steps: list[tuple[str, bytes]] = []
        self._upstream = port
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._threads = [threading.Thread(target=self._serve, daemon=True)]
        self._threads[0].start()

    def finish(self) -> list[str]:
        for one in self._threads:
            one.join(SECONDS)
        self._listener.close()
        return [f"{who} {base64.b64encode(said).decode()}" for who, said in self.steps]

    def _serve(self) -> None:
        client, _ = self._listener.accept()
        with client, socket.create_connection(("127.0.0.1", self._upstream)) as server:
            back = threading.Thread(target=self._pass, args=("<", server, client), daemon=True)
            back.start()
            self._pass(">", client, server)
            back.join(SECONDS)

    def _pass(self, who: str, source: socket.socket, target: socket.socket) -> None:
        while data := source.recv(1 << 16):
            with self._lock:
                if self.steps and self.steps[-1][0] == who:
                    self.steps[-1] = (who, self.steps[-1][1] + data)
                else:
                    self.steps.append((who, data))
                target.sendall(data)
        target.shutdown(socket.SHUT_WR)


@contextmanager
def postgres() -> Iterator[tuple[int, Mapping[str, str]]]:
    with PostgresServer.start("15", tls=False) as server:
        server.create_database(DATABASE)
        server.execute(f"ALTER ROLE cleartext_user SUPERUSER PASSWORD '{PASSWORD}'")
        yield server.port, {"PGUSER": "cleartext_user", "PGPASSWORD": PASSWORD, "PGSSLMODE": "disable"}


@contextmanager
def tds() -> Iterator[tuple[int, Mapping[str, str]]]:
    with TdsServer(encryption=False, password=PASSWORD) as server:
        yield server.port, {"TDSPASSWORD": PASSWORD, "NODE_PATH": str(find_tedious())}


def record(file: Path) -> None:
    """Run a file's client and write down what was said."""
    held = yaml.safe_load(file.read_text())
    start = {"postgres": postgres, "tds": tds}[held["protocol"]]
    with start() as (port, known), tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / "client"
        script.write_text(held["client"])
        between = Between(port)
        here = str(between.port)
        places = {"PGHOST": "127.0.0.1", "PGPORT": here, "PGDATABASE": DATABASE, "TDSPORT": here}
        command = [sys.executable if word == "python" else word for word in held["run"].split()]
        env = {**os.environ, **environment(), **known, **places}
        subprocess.run([*command, script], env=env, check=True, timeout=SECONDS)
        held["steps"] = between.finish()
    file.write_text(yaml.dump(held, Dumper=Readable, sort_keys=False, width=1 << 20, allow_unicode=True))


if __name__ == "__main__":
    for name in sys.argv[1:]:
        record(Path(name))
