"""Just-in-time access and containment over the API and the command line, on a gateway as `serve` makes it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from ipaddress import ip_address
from pathlib import Path
from typing import cast

import pytest
from tests.api.live import Live, running
from typer.testing import CliRunner, Result

from blastwall.cli.main import build
from blastwall.gate.ports import Subject
from blastwall.model.principal import Principal, PrincipalKind
from blastwall.model.resource import Address, Resource

GRANTS = """
@id("ci-updates-when-granted")
@grant("dba:1")
@grant_max("90m")
permit (principal in Group::"ci", action in [Action::"update", Action::"drop"], resource in Database::"shop/shop");
"""
WISH = {"resource": "shop", "actions": ["update"], "reason": "orders are stuck", "minutes": 60}
GLASS = {**WISH, "kind": "agent", "name": "ci", "minutes": 10}
CI = Subject(
    Principal(PrincipalKind.AGENT, "ci", "dev", "s"),
    Resource("shop", "postgres", Address("db", 1), ("shop",)),
    "shop",
    ip_address("127.0.0.1"),
)


@pytest.fixture
async def live(tmp_path: Path) -> AsyncIterator[Live]:
    async with running(tmp_path, break_glass={"group": "oncall", "longest": "10m"}) as made:
        (tmp_path / "policies" / "grants.cedar").write_text(GRANTS)
        assert await made.gateway.reload()
        yield made


def open_here(live: Live) -> list[str]:
    return [each.id for each in live.gateway._parts.grants.open(CI)]


async def asked(live: Live) -> str:
    status, grant = await live.ask("POST", "/grants", "ci", WISH)
    assert (status, grant["state"], grant["can_decide"]) == (201, "asked", False)
    return str(grant["id"])


async def items(live: Live, path: str, who: str) -> list[dict[str, object]]:
    status, page = await live.get(path, who)
    assert status == 200
    return cast("list[dict[str, object]]", page["items"])


async def test_an_agent_asks_an_approver_opens_an_operator_revokes(live: Live) -> None:
    identity = await asked(live)
    [waiting] = await items(live, "/grants?state=asked", "ana")
    assert waiting["can_decide"]
    assert waiting["needed"] == [{"group": "dba", "count": 1, "given": 0}]
    assert str(waiting["link"]).endswith(f"/#/grants/{identity}")
    status, opened = await live.ask("POST", f"/grants/{identity}/approve", "ana", {"comment": "go on"})
    assert (status, opened["state"], opened["decisions"]) == (
        200,
        "open",
        [{"by": "ana", "at": opened["starts"], "decision": "approve", "comment": "go on"}],
    )
    assert open_here(live) == [identity]
    assert (await live.ask("POST", f"/grants/{identity}/approve", "ana", {}))[0] == 409
    status, revoked = await live.ask("POST", f"/grants/{identity}/revoke", "olga", {"comment": "wrong order"})
    assert (status, revoked["state"], open_here(live)) == (200, "revoked", [])


async def test_each_route_asks_for_its_role(live: Live) -> None:
    identity = await asked(live)
    for path, who, status in [
        (f"/grants/{identity}/approve", "ci", 403),
        (f"/grants/{identity}/approve", "vera", 403),
        (f"/grants/{identity}/approve", None, 401),
        (f"/grants/{identity}/deny", "ci", 403),
        (f"/grants/{identity}/revoke", "ana", 403),
        (f"/grants/{identity}/revoke", "ci", 403),
        (f"/grants/{identity}/review", "olga", 403),
    ]:
        body = {"comment": "let me"}
        assert (await live.ask("POST", path, who, body))[0] == status, (path, who)
    assert open_here(live) == []
    assert (await live.get(f"/grants/{identity}", "ci"))[0] == 200
    assert (await live.get(f"/grants/{identity}", "nobody"))[0] == 404
    assert await items(live, "/grants", "nobody") == []


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"actions": ["reveal"]}, 422),
        ({"actions": []}, 422),
        ({"actions": ["fly"]}, 422),
        ({"minutes": 91}, 422),
        ({"minutes": 0}, 422),
        ({"minutes": True}, 422),
        ({"reason": " "}, 422),
        ({"resource": "elsewhere"}, 422),
        ({"principal": "another"}, 422),
    ],
)
async def test_nothing_is_asked_for_that_no_policy_foresees(live: Live, change: dict[str, object], status: int) -> None:
    assert (await live.ask("POST", "/grants", "ci", {**WISH, **change}))[0] == status
    assert await items(live, "/grants", "ana") == []


async def test_a_request_whose_answer_was_lost_is_made_once(live: Live) -> None:
    headers = {"Idempotency-Key": "k1", **live.bearer("ci")}
    answers = [await live.ask("POST", "/grants", None, WISH, headers) for _ in range(2)]
    assert answers[0] == answers[1]
    assert len(await items(live, "/grants", "ana")) == 1


async def test_breaking_the_glass_and_its_review(live: Live) -> None:
    for who in ("ana", "vera", "ci"):
        assert (await live.ask("POST", "/break-glass", who, GLASS))[0] == 403
    assert (await live.ask("POST", "/break-glass", "olga", {**GLASS, "minutes": 11}))[0] == 422
    status, opened = await live.ask("POST", "/break-glass", "olga", GLASS)
    identity = str(opened["id"])
    assert (status, opened["kind"], opened["state"]) == (201, "break_glass", "open")
    assert open_here(live) == [identity]
    found = {"comment": "one order was repaired"}
    assert (await live.ask("POST", f"/grants/{identity}/review", "audrey", found))[0] == 409, "it is still open"
    await live.ask("POST", f"/grants/{identity}/revoke", "olga", {})
    [waiting] = await items(live, "/grants?unreviewed=true", "audrey")
    assert waiting["can_decide"]
    status, reviewed = await live.ask("POST", f"/grants/{identity}/review", "audrey", found)
    review = cast("dict[str, object]", reviewed["review"])
    assert (status, review["open"], review["closed_by"]) == (200, False, "audrey")


# ── containment ──────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_an_operator_contains_and_lifts_and_both_are_kept(live: Live) -> None:
    thing = {"kind": "agent", "name": "ci", "reason": "the token leaked"}
    assert (await live.ask("POST", "/containment", "olga", {**thing, "reason": " "}))[0] == 422
    for who in ("vera", "ana", "audrey", "ci"):
        assert (await live.ask("POST", "/containment", who, thing))[0] == 403
    old = {"Authorization": f"Bearer {live.token('ci')}"}
    assert (await live.ask("GET", "/grants", None, headers=old))[0] == 200
    assert (await live.ask("POST", "/containment", "olga", thing))[0] == 200
    [one] = await items(live, "/containment", "vera")
    assert (one["kind"], one["name"], one["by"], one["lifted"]) == ("agent", "ci", "user olga", None)
    assert (await live.ask("GET", "/grants", None, headers=old))[0] == 401
    lift = {**thing, "reason": "rotated"}
    assert (await live.ask("POST", "/containment/lift", "ci", lift))[0] == 401, "nobody lifts themselves"
    assert (await live.ask("POST", "/containment/lift", "olga", lift))[0] == 200
    assert (await live.ask("POST", "/containment/lift", "olga", lift))[0] == 409
    assert (await live.ask("GET", "/grants", None, headers=old))[0] == 401, "a token from before stays worthless"
    [past] = await items(live, "/containment/history", "vera")
    assert (past["lifted_by"], past["lift_reason"]) == ("user olga", "rotated")


async def test_a_contained_operator_can_do_nothing(live: Live) -> None:
    containment = live.gateway._parts.containment
    await live.ask("POST", "/containment", "olga", {"kind": "user", "name": "olga", "reason": "laptop stolen"})
    assert containment.against(Principal(PrincipalKind.USER, "olga", "dev", "s")) is not None
    lift = {"kind": "user", "name": "olga", "reason": "found it"}
    assert (await live.ask("POST", "/containment/lift", "olga", lift))[0] == 401


async def test_an_operator_ends_a_session(live: Live) -> None:
    assert (await live.ask("POST", "/sessions/s-1/kill", "vera", {"reason": "mine"}))[0] == 403
    assert (await live.ask("POST", "/sessions/s-1/kill", "olga", {"reason": "runs wild"}))[0] == 200
    [one] = await items(live, "/containment", "vera")
    assert (one["kind"], one["name"], one["reason"]) == ("session", "s-1", "runs wild")


# ── the command line ─────────────────────────────────────────────────────────────────────────────────────────────────


async def command(live: Live, who: str, *arguments: str) -> Result:
    token = live.folder / f"{who}.token"
    token.write_text(live.token(who))
    more = ["--server", live.url, "--token-file", str(token), "--ca", str(live.folder / "ca.pem")]
    return await asyncio.to_thread(CliRunner().invoke, build(), [*arguments, *more])


async def test_the_whole_way_by_the_command_line(live: Live) -> None:
    result = await command(
        live, "ci", "grants", "ask", "shop", "update", "--reason", "orders are stuck", "--for", "1h", "--json"
    )
    identity = json.loads(result.stdout)["id"]
    assert "needs: 1 of dba (0 given)" in (await command(live, "ana", "grants", "show", identity)).stdout
    refused = await command(live, "ci", "grants", "approve", identity)
    assert (refused.exit_code, "an agent's token is no proof here" in refused.stderr) == (1, True)
    approved = await command(live, "ana", "grants", "approve", identity, "--comment", "go on")
    assert f"{identity}: open" in approved.stdout
    assert open_here(live) == [identity]
    assert identity in (await command(live, "ci", "grants", "list", "--state", "open", "--json")).stdout
    assert f"{identity}: revoked" in (await command(live, "olga", "grants", "revoke", identity)).stdout
    broken = await command(
        live, "olga", "grants", "break-glass", "shop", "update", "--agent", "ci", "--reason", "fire", "--for", "5m"
    )
    assert ": open" in broken.stdout
    contained = await command(live, "olga", "contain", "agent", "ci", "--reason", "odd")
    assert contained.stdout == "agent ci: contained\n"
    assert (await command(live, "olga", "contain", "agent", "ci", "--lift", "--reason", "fine")).exit_code == 0


async def test_a_strange_time_is_refused(live: Live) -> None:
    result = await command(live, "ci", "grants", "ask", "shop", "update", "--reason", "x", "--for", "forever")
    assert (result.exit_code, "--for expects minutes or hours" in result.stderr) == (2, True)
