"""What others wrote, and a gateway passes on, only shows on a terminal: it neither acts there nor forges a line."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.cli.api_server import ApiServer, api_server
from typer.testing import CliRunner, Result

from blastwall.cli.main import build

HOSTILE = "\x1b[2J\x1b]0;t\x07\x9b1A\u202e\x7f\nerror: forged"
GRANT = {
    "id": "g1",
    "state": "asked",
    "principal": {"kind": "agent", "name": "ci", "claims": {HOSTILE: HOSTILE}, "issuer": "i", "subject": HOSTILE},
    "resource": "pg",
    "actions": ["read"],
    "reason": HOSTILE,
    "minutes": 5,
    "needed": [{"count": 1, "group": HOSTILE, "given": 0}],
    "decisions": [{"decision": "approve", "by": HOSTILE, "comment": HOSTILE, "at": "2026-11-26T00:00:00Z",
                   "scope": "once", "minutes": 0}],
    "link": HOSTILE,
}  # fmt: skip
APPROVAL = {
    **GRANT,
    "state": "waiting",
    "asked_at": "2026-11-26T00:00:00Z",
    "until": "2026-11-26T00:05:00Z",
    "text": f"SELECT 1; {HOSTILE}",
    "parameters": [HOSTILE],
    "database": HOSTILE,
    "effects": [{"action": "read", "object": HOSTILE}],
    "policies": [{"id": HOSTILE}],
    "preview": {"rows": None, "note": HOSTILE},
    "in_transaction": False,
    "session": "s",
    "number": 1,
    "node": HOSTILE,
    "can_decide": False,
    "cannot_because": HOSTILE,
}


@pytest.fixture
def api(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ApiServer]:
    with api_server(tmp_path) as server:
        monkeypatch.setenv("BLASTWALL_SERVER", server.url)
        monkeypatch.setenv("BLASTWALL_CA", str(server.ca))
        monkeypatch.setenv("BLASTWALL_TOKEN", "secret")
        server.answer("GET /api/v1/grants?state=all&unreviewed=false&limit=50", (200, {"items": [GRANT]}))
        server.answer("GET /api/v1/grants/g1", (200, GRANT))
        server.answer("POST /api/v1/grants/g1/deny", (403, {"detail": HOSTILE}))
        server.answer("GET /api/v1/approvals?state=waiting&limit=50", (200, {"items": [APPROVAL]}))
        server.answer("GET /api/v1/approvals/a1", (200, APPROVAL))
        server.answer("POST /api/v1/approvals/a1/deny", (401, {"title": HOSTILE}))
        yield server


def run(*arguments: str) -> Result:
    return CliRunner().invoke(build(), arguments)


def harmless(text: str) -> bool:
    lines = text.split("\n")
    return all(line.isprintable() or line.replace("\t", "").isprintable() for line in lines) and not any(
        line.startswith("error: forged") for line in lines
    )


@pytest.mark.parametrize("json", [(), ("--json",)])
@pytest.mark.parametrize(
    "command", [("grants", "list"), ("grants", "show", "g1"), ("approvals", "list"), ("approvals", "show", "a1")]
)
def test_what_is_shown(api: ApiServer, command: tuple[str, ...], json: tuple[str, ...]) -> None:
    result = run(*command, *json)
    assert result.exit_code == 0, result.output
    assert "forged" in result.output
    assert harmless(result.output)


@pytest.mark.parametrize("command", [("grants", "deny", "g1"), ("approvals", "deny", "a1", "--comment", "no")])
def test_why_it_is_refused(api: ApiServer, command: tuple[str, ...]) -> None:
    result = run(*command)
    assert result.exit_code == 1
    assert "forged" in result.output
    assert harmless(result.output)
