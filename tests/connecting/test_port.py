"""The port that needs no password."""

from __future__ import annotations

import pytest

from blastwall.connecting import port as ports
from blastwall.connecting.port import LocalPort
from blastwall.model.resource import Address
from blastwall.protocols.discover import discover


async def token() -> str:
    return "token"


@pytest.mark.parametrize(
    ("tells", "unix", "warned"), [(True, False, False), (False, False, True), (False, True, False)]
)
async def test_where_nobody_can_tell_whose_a_connection_is_the_person_hears_so(
    monkeypatch: pytest.MonkeyPatch, *, tells: bool, unix: bool, warned: bool
) -> None:
    monkeypatch.setattr(ports, "can_tell", lambda: tells)
    said: list[str] = []
    local = LocalPort(discover()["postgres"], Address("gw.example", 15432), token, said.append)
    await local.open(0, unix=unix)
    await local.close()
    assert ["--unix" in each for each in said] == [True] * warned
