"""`blastwall approvals` as a person sees it; what the gateway answers is written down here."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.cli.api_server import ApiServer, api_server
from typer.testing import CliRunner

from blastwall.cli.main import build

APPROVAL = {
    "id": "5e1f0a2b3c4d",
    "state": "waiting",
    "asked_at": "2026-11-26T10:00:00.000Z",
    "until": "2026-11-26T10:05:00.000Z",
    "ended_at": None,
    "session": "01ABC",
    "number": 7,
    "node": "gw-1",
    "principal": {
        "kind": "agent",
        "name": "shop-ci",
        "issuer": "github",
        "subject": "repo:acme/shop",
        "groups": ["ci"],
        "claims": {"repository": "acme/shop", "sha": "c0ffee"},
    },
    "resource": "pg-prod",
    "database": "shop",
    "operation": "DELETE",
    "text": "DELETE FROM orders WHERE id = $1 AND note = $2 /* \x1b[2J */",
    "parameters": ["7", None],
    "effects": [{"action": "delete", "object": "shop.public.orders", "kind": "table"}],
    "policies": [{"id": "deletes-need-a-dba", "where": "shop.cedar:3", "reason": "deletes wait"}],
    "reason": "deletes wait",
    "needed": [{"group": "dba", "count": 2, "given": 1}],
    "decisions": [
        {"by": "ana", "at": "2026-11-26T10:01:00.000Z", "decision": "approve", "scope": "statement", "minutes": 5,
         "comment": "seen"},
    ],
    "preview": {"rows": 12, "how": "statistics", "note": "at most, by the statistics"},
    "in_transaction": True,
    "mode": "wait",
    "can_decide": True,
    "cannot_because": None,
    "link": "https://gw/#/approvals/5e1f0a2b3c4d",
}  # fmt: skip


@pytest.fixture
def api(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ApiServer]:
    """A gateway whose API answers as a test says, and a person who shows a token to it."""
    with api_server(tmp_path) as server:
        monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
        monkeypatch.setenv("BLASTWALL_SERVER", server.url)
        monkeypatch.setenv("BLASTWALL_CA", str(server.ca))
        monkeypatch.setenv("BLASTWALL_TOKEN", "secret")
        yield server


def run(*arguments: str, code: int = 0) -> str:
    done = CliRunner().invoke(build(), ["approvals", *arguments])
    assert done.exit_code == code, done.output
    return done.output


def test_a_list_shows_ids_whole_and_statements_short(api: ApiServer) -> None:
    page = {"items": [APPROVAL], "next": None}
    api.answer("GET /api/v1/approvals?state=waiting&resource=pg-prod&limit=50", (200, page))
    said = run("list", "--resource", "pg-prod")
    assert "5e1f0a2b3c4d" in said
    assert "1/2 dba" in said
    assert "\x1b[2J" not in said


def test_an_empty_list_says_so(api: ApiServer) -> None:
    api.answer("GET /api/v1/approvals?state=waiting&limit=50", (200, {"items": [], "next": None}))
    assert "nothing waits" in run("list")


def test_json_is_what_the_gateway_says(api: ApiServer) -> None:
    api.answer("GET /api/v1/approvals?state=all&limit=50", (200, {"items": [APPROVAL], "next": None}))
    assert json.loads(run("list", "--state", "all", "--json")) == [APPROVAL]


def test_one_request_shows_all_that_decides(api: ApiServer) -> None:
    api.answer("GET /api/v1/approvals/5e1f0a2b3c4d", (200, APPROVAL))
    said = run("show", "5e1f0a2b3c4d")
    for part in (
        "agent shop-ci (github: repo:acme/shop)",
        "pg-prod, database shop",
        "delete shop.public.orders",
        "12 at most, by the statistics",
        "deletes-need-a-dba",
        "1/2 dba",
        "in a transaction that keeps its locks",
        "acme/shop",
        "c0ffee",
        "ana at 2026-11-26 10:01:00Z, for 5 minutes: seen",
        "DELETE FROM orders WHERE id = $1 AND note = $2",
        "$1 = '7'",
        "$2 = NULL",
        "can decide this",
    ):
        assert part in said
    assert "\x1b" not in said


def test_values_are_numbered_as_the_text_does_it(api: ApiServer) -> None:
    api.answer("GET /api/v1/approvals/5e1f0a2b3c4d", (200, {**APPROVAL, "text": "DELETE FROM orders WHERE id = @P1"}))
    said = run("show", "5e1f0a2b3c4d")
    assert "  1 = '7'" in said
    assert "$1" not in said


@pytest.mark.parametrize(
    ("options", "body"),
    [
        ((), {"scope": "once", "comment": ""}),
        (("--minutes", "5"), {"scope": "statement", "minutes": 5, "comment": ""}),
        (("--session", "--comment", "ok"), {"scope": "session", "comment": "ok"}),
    ],
)
def test_an_approval_says_for_how_long(api: ApiServer, options: tuple[str, ...], body: dict[str, object]) -> None:
    api.answer("POST /api/v1/approvals/5e1f0a2b3c4d/approve", (200, {**APPROVAL, "state": "approved"}))
    assert "approved" in run("approve", "5e1f0a2b3c4d", *options)
    assert json.loads(api.asked[0].body) == body


def test_a_denial_says_why(api: ApiServer) -> None:
    api.answer("POST /api/v1/approvals/5e1f0a2b3c4d/deny", (200, {**APPROVAL, "state": "denied"}))
    run("deny", "5e1f0a2b3c4d", code=2)
    run("deny", "5e1f0a2b3c4d", "--comment", "no")
    assert json.loads(api.asked[0].body) == {"comment": "no"}


def test_a_refusal_is_the_gateways_own_words(api: ApiServer) -> None:
    problem = {"type": "about:blank", "title": "Conflict", "status": 409, "detail": "it was denied already, by ben"}
    api.answer("POST /api/v1/approvals/5e1f0a2b3c4d/approve", (409, problem))
    assert "denied already, by ben" in run("approve", "5e1f0a2b3c4d", code=1)


def test_minutes_and_session_exclude_each_other(api: ApiServer) -> None:
    run("approve", "5e1f0a2b3c4d", "--minutes", "5", "--session", code=2)
    assert api.asked == []
