"""Socket options that keep a session alive and quick."""

from __future__ import annotations

import socket

from tests.relay.conftest import Site

from blastwall.protocols.contract import CLIENT, UPSTREAM
from blastwall.relay.pump import Pump


async def test_both_sides_are_kept_alive_within_azures_four_minutes_and_write_at_once(site: Site) -> None:
    await site.logged_in()
    (pump,) = site.relay._guests
    assert isinstance(pump, Pump)
    for side in (CLIENT, UPSTREAM):
        line = pump._streams[side].line
        assert line is not None
        sock = line.socket
        assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
        idle, interval, count = (
            sock.getsockopt(socket.IPPROTO_TCP, option)
            for option in (socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT)
        )
        assert (idle, interval, count) == (60, 15, 4)
        assert idle + interval * count < 240
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) == 1
