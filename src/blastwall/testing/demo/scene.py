"""What every step of the demo's story plays in: the world, the teller, and the commands that people type."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import time
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass

import psycopg

from blastwall.testing.demo.telling import NotAsTold, Teller
from blastwall.testing.demo.world import APPROVER, World

Connection = psycopg.Connection[tuple[object, ...]]
Rows = list[tuple[object, ...]]

PATIENCE = 30.0
"""Seconds that a step waits for what takes a moment."""


@dataclass(frozen=True, slots=True)
class Scene:
    """What every step plays in."""

    world: World
    teller: Teller
    token: str

    def connect(self, token: str | None = None) -> Connection:
        """Connect with psycopg as an agent does; the token is the password."""
        return psycopg.connect(self.world.client.conninfo, password=token or self.token, autocommit=True)

    def ask(self, connection: Connection, statement: str) -> Rows:
        """Send a statement, show it and its rows, and return them."""
        self.teller.sent("psycopg", statement)
        cursor = connection.execute(statement.encode())
        names = [column.name for column in cursor.description or ()]
        rows = cursor.fetchall()
        self.teller.rows(names, rows)
        return rows

    def refusal(self, connection: Connection, statement: str) -> psycopg.Error | None:
        """Send a statement, show the error that came back, and return it."""
        self.teller.sent("psycopg", statement)
        try:
            connection.execute(statement.encode())
        except psycopg.Error as error:
            self.teller.refused(f"{error.sqlstate}  {error}")
            return error
        self.teller.said("no error", "red")
        return None


def waiting(scene: Scene) -> str:
    """Return the id of the request that waits, once there is one, as the API tells ana.

    Raises:
        NotAsTold: there is none.
    """
    gateway = scene.world.gateway
    asked = urllib.request.Request(
        f"{gateway.control_url}/api/v1/approvals?state=waiting",
        headers={"Authorization": f"Bearer {scene.world.token(APPROVER, lifetime=600)}"},
    )
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        status, text = gateway.request(asked)
        found = json.loads(text)["items"] if status == 200 else []
        if found:
            return str(found[0]["id"])
        time.sleep(0.05)
    raise NotAsTold("the request for approval is listed")


def tell_ana(scene: Scene, *arguments: str) -> str:
    """Run a command as ana and show what it prints."""
    scene.teller.sent("ana", f"blastwall approvals {shlex.join(arguments)}")
    _, said = as_ana(scene, *arguments)
    scene.teller.said(said)
    return said


def as_ana(scene: Scene, *arguments: str) -> tuple[int, str]:
    """Run a command on approvals as ana; return its exit code and what it printed."""
    gateway = scene.world.gateway
    person = {
        "BLASTWALL_SERVER": gateway.control_url,
        "BLASTWALL_CA": str(gateway.ca),
        "BLASTWALL_TOKEN": scene.world.token(APPROVER, lifetime=600),
    }
    return blastwall(scene, "approvals", *arguments, person=person)


def blastwall(scene: Scene, *arguments: str, person: Mapping[str, str] | None = None) -> tuple[int, str]:
    """Run the command line, as a person where one is given; return its exit code and what it printed."""
    variables = {**os.environ, **(person or {})}
    done = subprocess.run(
        [sys.executable, "-m", "blastwall", *arguments], cwd=scene.world.folder, env=variables,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, timeout=60,
    )  # fmt: skip
    return done.returncode, done.stdout
