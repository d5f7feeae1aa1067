"""Nobody outside can decide by posting something back: there is no address that takes it, however well it is forged."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path

import pytest
from tests.api.live import Live, running

from blastwall.api.routes import ENDPOINTS, ROUTES
from blastwall.notifying.signed import sign

KEY = b"the key of the gateway's own webhooks"
PRESSED = {"type": "block_actions", "actions": [{"action_id": "approve", "value": "a1"}], "user": {"name": "dora"}}
SUBMITTED = {"type": "message", "value": {"action": "approve", "id": "a1", "scope": "once", "comment": "ok"}}
DECIDED = {"scope": "once", "comment": "ok"}
DECIDES_NOTHING = {"/revoke", "/auth/device"}
"""An unknown token is answered as any other (RFC 7009); a device code is worth nothing until a person confirms it."""

CUSTOMARY = ("/", "/slack", "/slack/actions", "/teams", "/webhook", "/callback", "/hooks/slack", "/api/v1/callback")


@pytest.fixture
async def live(tmp_path: Path) -> AsyncIterator[Live]:
    async with running(tmp_path) as found:
        yield found


def unsafe_paths() -> set[str]:
    """Every path that takes something, with an id where it has one, and those that a guess would try."""
    own = {route.path for route in ROUTES if route.method != "GET"}
    own |= {endpoint.prefix + endpoint.path for endpoint in ENDPOINTS if endpoint.method != "GET"}
    return {path.replace("{id}", "a1").replace("{name}", "ci") for path in own} | set(CUSTOMARY)


def forged() -> Sequence[tuple[Mapping[str, str], bytes]]:
    """What Slack, Teams and our own webhooks would send, signed with the keys that a thief may have."""
    slack = b"payload=" + json.dumps(PRESSED).encode()
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    made = [({**form, "X-Slack-Signature": "v0=" + "0" * 64, "X-Slack-Request-Timestamp": "1"}, slack)]
    for body in (json.dumps(SUBMITTED).encode(), json.dumps(DECIDED).encode()):
        signed = sign(KEY, "m1", int(time.time()), body)
        made.append(({"Content-Type": "application/json", **signed, "Authorization": "HMAC forged"}, body))
    return made


async def test_no_route_takes_a_forged_callback(live: Live) -> None:
    assert len(unsafe_paths()) > len(CUSTOMARY) + 5
    for path in sorted(unsafe_paths()):
        for headers, body in forged():
            async with live.http.post(live.url + path, data=body, headers=headers) as response:
                refused = 400 <= response.status < 500
                assert refused or path in DECIDES_NOTHING, (path, response.status)
