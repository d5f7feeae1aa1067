"""Clients at a port that several resources share: TLS, then the first request's host says whose they are.

The request is only looked at here; the session that takes the connection over reads it anew, and the host of every
later one.
"""

from __future__ import annotations

from collections.abc import Sequence

from blastwall.protocols.contract import CLIENT, Arrival, Close, Handover, Output, Send, Side, StartTls
from blastwall.protocols.http.faults import Unreadable
from blastwall.protocols.http.flavour import Response
from blastwall.protocols.http.heads import check_start, head_end, read_request
from blastwall.protocols.http.normalise import host_of_authority, normal_authority
from blastwall.protocols.http.request import Headers
from blastwall.protocols.http.writing import whole_response

TLS_HANDSHAKE = 0x16
"""The first byte of a TLS handshake record (RFC 8446, section 5.1)."""
ALPN = ("http/1.1",)


class HttpReception:
    """Implements `Reception`."""

    def __init__(self, arrival: Arrival) -> None:
        self._arrival = arrival
        self._data = b""
        self._secure = self._securing = self._closed = False

    def receive(self, side: Side, data: bytes) -> Sequence[Output]:
        if self._closed or not data:
            return []
        if self._securing:
            return self._close("the client sent bytes before TLS was up")
        if not self._secure and not self._data and data[0] == TLS_HANDSHAKE:
            self._securing = True
            return [StartTls(CLIENT, ALPN, data)]
        if not self._secure and not self._arrival.plain_text:
            return self._refuse(400, "this gateway accepts TLS only, since requests carry tokens; use https")
        self._data += data
        try:
            return self._look()
        except Unreadable as fault:
            return self._refuse(fault.status, f"the request has {fault}")

    def _look(self) -> list[Output]:
        end = head_end(self._data)
        if not end:
            check_start(self._data[:32])
            return []
        hosts = read_request(self._data[:end]).headers.all("host")
        if len(hosts) != 1:
            raise Unreadable("no Host field, or more than one")
        host = host_of_authority(normal_authority(hosts[0], "https" if self._secure else "http"))
        if not self._arrival.reached(host):
            return self._refuse(421, "this gateway has no resource by the name that the request is for")
        self._closed = True
        return [Handover(host, self._data)]

    def receive_eof(self, side: Side) -> Sequence[Output]:
        return [] if self._closed else self._close("the client left")

    def tls_started(self, side: Side, alpn: str | None, certificate: bytes) -> Sequence[Output]:
        self._securing, self._secure = False, True
        return []

    def terminate(self, reason: str) -> Sequence[Output]:
        if self._closed:
            return []
        return self._refuse(503, reason) if self._data else self._close(reason)

    def _refuse(self, status: int, reason: str) -> list[Output]:
        headers = Headers([("Content-Type", "text/plain; charset=utf-8")])
        told = whole_response(Response(status, headers, f"blastwall: {reason}\n".encode()), "GET", close=True)
        return [Send(CLIENT, told), *self._close(reason)]

    def _close(self, reason: str) -> list[Output]:
        self._closed = True
        return [Close(reason)]
