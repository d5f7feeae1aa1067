"""What to type, once the demo is up."""

from __future__ import annotations

import shutil
import sys

from blastwall.testing.demo.world import FRAUD_DESK, World


def instructions(world: World) -> list[str]:
    """Return the lines that say how to connect as an agent, what to try and how to see what was recorded."""
    client = f'psql "{world.client.conninfo}"'
    program = "blastwall" if shutil.which("blastwall") else sys.argv[0]
    commands = f"-c {world.gateway.file}"
    return [
        "",
        "Ready. You are the agent shop-report; its OIDC token is the password. Paste this into another terminal:",
        "",
        f"PGPASSWORD={world.token()} {client}",
        "",
        "Then try:",
        "  SELECT name, email, phone, iban, ssn FROM customers LIMIT 5;   -- personal data come back masked",
        "  SELECT note FROM orders WHERE note <> '';                      -- found in free text too",
        "  DROP TABLE customers;                                          -- refused; the connection lives on",
        "  DELETE FROM orders WHERE id = 7;                               -- held for a person, then refused",
        "  DELETE FROM orders;                                            -- refused at once",
        "",
        "The agent fraud-desk may see e-mail addresses:",
        "",
        f"PGPASSWORD={world.token(FRAUD_DESK)} {client}",
        "",
        "What was recorded:",
        f"  {program} sessions list {commands}",
        f"  {program} sessions replay SESSION --transcript {commands}",
        f"  {program} audit verify {commands}",
        "",
        f"Configuration and policies: {world.gateway.folder}   (edit them, then: kill -HUP {world.gateway.pid})",
        "Ctrl-C stops everything and deletes what it wrote.",
    ]
