"""What to type, once the demo is up."""

from __future__ import annotations

import shutil
import sys

from blastwall.testing.demo.world import APPROVER, FRAUD_DESK, World

_VERSION = "api-version=2021-04-01"


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
        "  DELETE FROM orders WHERE id = 7;                               -- waits for a person, see below",
        "  DELETE FROM orders;                                            -- refused at once",
        "",
        "The agent fraud-desk may see e-mail addresses:",
        "",
        f"PGPASSWORD={world.token(FRAUD_DESK)} {client}",
        "",
        *_azure_sql(world),
        "The same token opens Azure Resource Manager (a small one, on this machine), for az and the SDKs, or plainly:",
        "",
        f'A="-sS --cacert {world.gateway.ca} -H @{world.header_file()}"',
        f'  curl $A "{world.azure_url}{world.subscription}/resourcegroups?{_VERSION}"',
        f'  curl $A -X POST "{world.azure_url}{world.storage}/listKeys?{_VERSION}" -d ""      # refused',
        f'  curl $A -X DELETE "{world.azure_url}{world.subscription}/resourcegroups/web-2019?{_VERSION}"      # waits',
        "",
        f"You are also {APPROVER}, a person who approves, contains and reads recordings. On the web page signing in",
        f"needs no password; its certificate is of the demo's own CA, {world.gateway.ca}:",
        "",
        f"  {world.gateway.control_url}/",
        "",
        "Or in another terminal:",
        "",
        f"export BLASTWALL_SERVER={world.gateway.control_url} BLASTWALL_CA={world.gateway.ca}",
        f"export BLASTWALL_TOKEN={world.token(APPROVER)}",
        f"  {program} approvals list",
        f"  {program} approvals approve ID",
        f"  {program} contain agent shop-report --reason 'trying it' {commands}",
        "",
        "What was recorded:",
        f"  {program} sessions list {commands}",
        f"  {program} sessions replay SESSION --transcript {commands}",
        f"  {program} audit verify {commands}",
        "",
        f"Configuration and policies: {world.gateway.folder}   (edit them, then: kill -HUP {world.gateway.pid})",
        "Ctrl-C stops everything and deletes what it wrote.",
    ]


def _azure_sql(world: World) -> list[str]:
    if world.sql is None:
        return []
    return [
        "It opens Azure SQL (a stand-in), as the access token of any driver for SQL Server:",
        "",
        f"  Server=localhost,{world.gateway.port('azure-sql')};Database=shop;Encrypt=yes      (CA: {world.gateway.ca})",
        "  SELECT TOP 5 * FROM customers;   EXEC xp_cmdshell 'dir';   DELETE FROM orders;",
        "",
    ]
