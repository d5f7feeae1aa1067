"""Requests and answers that two readers may take for different ones, and where each way was found.

The lists grow only: what once got around somebody's gateway stays refused here. In a request `{…}` stands for the lines
that an honest one has.
"""

from __future__ import annotations

from typing import NamedTuple


class Ambiguous(NamedTuple):
    """What is sent, which status it is refused with, and who described it."""

    sent: bytes
    status: int
    source: str


WATCHFIRE = "Linhart, Klein, Heled, Orrin: HTTP Request Smuggling (Watchfire, 2005)"
DESYNC = "James Kettle: HTTP Desync Attacks, Request Smuggling Reborn (2019)"
H2_SEQUEL = "James Kettle: HTTP/2, The Sequel is Always Worse (2021)"
BROWSER = "James Kettle: Browser-Powered Desync Attacks (2022)"
ENDGAME = "James Kettle: HTTP/1.1 must die, the desync endgame (2025)"
CHUNKS = "Jeppe Bonde Weikop: Funky chunks, abusing ambiguous chunk line terminators (2025)"
KLEIN = "Amit Klein: HTTP Request Smuggling in 2020"
RFC9112 = "RFC 9112"
RFC9110 = "RFC 9110"
RFC3986 = "RFC 3986"
HOST = "Jianjun Chen and others: Host of Troubles (CCS 2016)"
HIDDEN = "Bahruz Jabiyev and others: T-Reqs (CCS 2021)"
ORANGE = "Orange Tsai: Breaking Parser Logic (Black Hat 2018)"
H2C = "Jake Miller: h2c Smuggling (2020)"
HOP = "Nathan Davison: Abusing HTTP hop-by-hop request headers (2019)"

_HOST = b"Host: api.gw.example\r\nAuthorization: Bearer the-agents-token\r\n"


def _post(fields: bytes, body: bytes = b"") -> bytes:
    return b"POST /a HTTP/1.1\r\n" + _HOST + fields + b"\r\n" + body


def _get(line: bytes, fields: bytes = b"") -> bytes:
    return line + b"\r\n" + _HOST + fields + b"\r\n"


def _chunks(body: bytes) -> bytes:
    return _post(b"Transfer-Encoding: chunked\r\n", body)


REQUESTS: dict[str, Ambiguous] = {
    # ── names that pass for others ───────────────────────────────────────────────────────────────────────────────────
    "a coding by a CGI's name": Ambiguous(_post(b"Content_Encoding: gzip\r\nContent-Length: 0\r\n"), 400, HIDDEN),
    "a type by a CGI's name": Ambiguous(_post(b"Content_Type: text/xml\r\nContent-Length: 0\r\n"), 400, HIDDEN),
    "a part by a CGI's name": Ambiguous(_get(b"GET /a HTTP/1.1", b"X_Ms_Range: bytes=5-9\r\n"), 400, HIDDEN),
    # ── two lengths ──────────────────────────────────────────────────────────────────────────────────────────────────
    "CL.TE": Ambiguous(_post(b"Content-Length: 6\r\nTransfer-Encoding: chunked\r\n", b"0\r\n\r\nG"), 400, DESYNC),
    "TE.CL": Ambiguous(_post(b"Transfer-Encoding: chunked\r\nContent-Length: 4\r\n", b"0\r\n\r\n"), 400, DESYNC),
    "two lengths": Ambiguous(_post(b"Content-Length: 0\r\nContent-Length: 5\r\n", b"abcde"), 400, WATCHFIRE),
    "the same length twice": Ambiguous(_post(b"Content-Length: 5\r\nContent-Length: 5\r\n", b"abcde"), 400, KLEIN),
    "a list of lengths": Ambiguous(_post(b"Content-Length: 5, 5\r\n", b"abcde"), 400, RFC9112 + " 6.3"),
    "a signed length": Ambiguous(_post(b"Content-Length: +5\r\n", b"abcde"), 400, KLEIN),
    "a negative length": Ambiguous(_post(b"Content-Length: -1\r\n"), 400, HIDDEN),
    "an octal length": Ambiguous(_post(b"Content-Length: 010\r\n", b"01234567"), 400, HIDDEN),
    "a hexadecimal length": Ambiguous(_post(b"Content-Length: 0x5\r\n", b"abcde"), 400, HIDDEN),
    "a length with a digit group": Ambiguous(_post(b"Content-Length: 1_0\r\n", b"0123456789"), 400, KLEIN),
    "a length with a fraction": Ambiguous(_post(b"Content-Length: 5.0\r\n", b"abcde"), 400, HIDDEN),
    "an empty length": Ambiguous(_post(b"Content-Length:\r\n"), 400, RFC9112 + " 6.3"),
    "a length beyond 64 bits": Ambiguous(_post(b"Content-Length: 18446744073709551621\r\n", b"abcde"), 400, HIDDEN),
    "a length in other digits": Ambiguous(_post(b"Content-Length: \xd9\xa5\r\n", b"abcde"), 400, KLEIN),
    "a length and words": Ambiguous(_post(b"Content-Length: 5 abc\r\n", b"abcde"), 400, KLEIN),
    "an underscore length": Ambiguous(_post(b"Content_Length: 5\r\n", b"abcde"), 400, KLEIN),
    "a dotted length": Ambiguous(_post(b"Content.Length: 5\r\n", b"abcde"), 400, KLEIN),
    # ── transfer codings ─────────────────────────────────────────────────────────────────────────────────────────────
    "an unknown coding": Ambiguous(_post(b"Transfer-Encoding: xchunked\r\n", b"0\r\n\r\n"), 501, DESYNC),
    "identity": Ambiguous(_post(b"Transfer-Encoding: identity\r\n"), 501, DESYNC),
    "identity and chunked": Ambiguous(_post(b"Transfer-Encoding: identity, chunked\r\n", b"0\r\n\r\n"), 501, DESYNC),
    "chunked and identity": Ambiguous(_post(b"Transfer-Encoding: chunked, identity\r\n", b"0\r\n\r\n"), 501, DESYNC),
    "chunked twice": Ambiguous(_post(b"Transfer-Encoding: chunked, chunked\r\n", b"0\r\n\r\n"), 501, RFC9112 + " 7"),
    "two coding fields": Ambiguous(
        _post(b"Transfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n", b"0\r\n\r\n"), 400, DESYNC
    ),
    "gzip and chunked": Ambiguous(_post(b"Transfer-Encoding: gzip, chunked\r\n", b"0\r\n\r\n"), 501, RFC9112 + " 6.1"),
    "a quoted coding": Ambiguous(_post(b'Transfer-Encoding: "chunked"\r\n', b"0\r\n\r\n"), 501, DESYNC),
    "a coding with a parameter": Ambiguous(_post(b"Transfer-Encoding: chunked;a=b\r\n", b"0\r\n\r\n"), 501, HIDDEN),
    "an empty coding": Ambiguous(_post(b"Transfer-Encoding:\r\n", b"0\r\n\r\n"), 501, DESYNC),
    "a vertical tab before the coding": Ambiguous(
        _post(b"Transfer-Encoding: \x0bchunked\r\n", b"0\r\n\r\n"), 400, DESYNC
    ),
    "a form feed after the coding": Ambiguous(_post(b"Transfer-Encoding: chunked\x0c\r\n", b"0\r\n\r\n"), 400, DESYNC),
    "a tab after the coding": Ambiguous(
        _post(b"Transfer-Encoding: chunked\t\r\n", b"0\r\n\r\n"), 400, "found by comparing with llhttp"
    ),
    "a NUL in the coding": Ambiguous(_post(b"Transfer-Encoding: chun\x00ked\r\n", b"0\r\n\r\n"), 400, DESYNC),
    "a CR after the coding": Ambiguous(_post(b"Transfer-Encoding: chunked\r\r\n", b"0\r\n\r\n"), 400, DESYNC),
    "a CR before the name": Ambiguous(_post(b"X: y\r\rTransfer-Encoding: chunked\r\n", b"0\r\n\r\n"), 400, DESYNC),
    "an LF before the name": Ambiguous(_post(b"X: y\nTransfer-Encoding: chunked\r\n", b"0\r\n\r\n"), 400, DESYNC),
    "a space before the colon": Ambiguous(_post(b"Transfer-Encoding : chunked\r\n", b"0\r\n\r\n"), 400, DESYNC),
    "a tab before the colon": Ambiguous(_post(b"Transfer-Encoding\t: chunked\r\n", b"0\r\n\r\n"), 400, DESYNC),
    "a space before the name": Ambiguous(_post(b" Transfer-Encoding: chunked\r\n", b"0\r\n\r\n"), 400, DESYNC),
    "a coding on a folded line": Ambiguous(_post(b"Transfer-Encoding:\r\n chunked\r\n", b"0\r\n\r\n"), 400, DESYNC),
    "an underscore coding": Ambiguous(_post(b"Transfer_Encoding: chunked\r\n", b"0\r\n\r\n"), 400, KLEIN),
    "a byte over ASCII in the name": Ambiguous(_post(b"Transfer-Encod\xefng: chunked\r\n", b"0\r\n\r\n"), 400, ENDGAME),
    # ── chunks ───────────────────────────────────────────────────────────────────────────────────────────────────────
    "a chunk with 0x": Ambiguous(_chunks(b"0x1\r\na\r\n0\r\n\r\n"), 400, HIDDEN),
    "a signed chunk": Ambiguous(_chunks(b"+1\r\na\r\n0\r\n\r\n"), 400, HIDDEN),
    "a negative chunk": Ambiguous(_chunks(b"-1\r\na\r\n0\r\n\r\n"), 400, HIDDEN),
    "a chunk that overflows": Ambiguous(_chunks(b"10000000000000001\r\na\r\n0\r\n\r\n"), 400, HIDDEN),
    "a chunk of no size": Ambiguous(_chunks(b"\r\na\r\n0\r\n\r\n"), 400, HIDDEN),
    "a space before the size": Ambiguous(_chunks(b" 1\r\na\r\n0\r\n\r\n"), 400, HIDDEN),
    "a space after the size": Ambiguous(_chunks(b"1 \r\na\r\n0\r\n\r\n"), 400, HIDDEN),
    "an underscore in the size": Ambiguous(_chunks(b"1_0\r\n" + b"a" * 16 + b"\r\n0\r\n\r\n"), 400, KLEIN),
    "an extension": Ambiguous(_chunks(b"1;a=b\r\na\r\n0\r\n\r\n"), 400, CHUNKS),
    "an extension that ends in LF": Ambiguous(_chunks(b"1;\na\r\n0\r\n\r\n"), 400, CHUNKS),
    "an extension with a CR": Ambiguous(_chunks(b"1;\ra\r\na\r\n0\r\n\r\n"), 400, CHUNKS),
    "a size that ends in LF": Ambiguous(_chunks(b"1\na\r\n0\r\n\r\n"), 400, CHUNKS),
    "a size that ends in CR": Ambiguous(_chunks(b"1\ra\r\n0\r\n\r\n"), 400, CHUNKS),
    "data that ends in LF": Ambiguous(_chunks(b"1\r\na\n0\r\n\r\n"), 400, CHUNKS),
    "data that is longer than its size": Ambiguous(_chunks(b"1\r\nab\r\n0\r\n\r\n"), 400, CHUNKS),
    "data with two bytes for an end": Ambiguous(_chunks(b"1\r\naXX0\r\n\r\n"), 400, CHUNKS),
    "a trailer that ends in LF": Ambiguous(_chunks(b"0\r\nX: y\n\n"), 400, CHUNKS),
    "a trailer with a request in it": Ambiguous(_chunks(b"0\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"), 400, CHUNKS),
    "a folded trailer": Ambiguous(_chunks(b"0\r\nX: y\r\n z\r\n\r\n"), 400, RFC9112 + " 5.2"),
    # ── lines and names ──────────────────────────────────────────────────────────────────────────────────────────────
    "lines that end in LF": Ambiguous(b"GET /a HTTP/1.1\nHost: api.gw.example\n\n", 400, RFC9112 + " 2.2"),
    "one line that ends in LF": Ambiguous(_get(b"GET /a HTTP/1.1", b"X: y\nZ: z\r\n"), 400, WATCHFIRE),
    "a line that ends in CR": Ambiguous(_get(b"GET /a HTTP/1.1", b"X: y\rZ: z\r\n"), 400, WATCHFIRE),
    "an empty line first": Ambiguous(b"\r\n" + _get(b"GET /a HTTP/1.1"), 400, RFC9112 + " 2.2"),
    "a space first": Ambiguous(b" " + _get(b"GET /a HTTP/1.1"), 400, RFC9112 + " 2.2"),
    "white space after the request line": Ambiguous(
        b"GET /a HTTP/1.1\r\n Host: evil.example\r\n" + _HOST + b"\r\n", 400, RFC9112 + " 2.2"
    ),
    "a folded line": Ambiguous(_get(b"GET /a HTTP/1.1", b"X: y\r\n z\r\n"), 400, RFC9112 + " 5.2"),
    "a line folded by a tab": Ambiguous(_get(b"GET /a HTTP/1.1", b"X: y\r\n\tz\r\n"), 400, RFC9112 + " 5.2"),
    "a line without a colon": Ambiguous(_get(b"GET /a HTTP/1.1", b"X-Nothing\r\n"), 400, HIDDEN),
    "a line without a name": Ambiguous(_get(b"GET /a HTTP/1.1", b": y\r\n"), 400, HIDDEN),
    "a name with a space": Ambiguous(_get(b"GET /a HTTP/1.1", b"X Y: z\r\n"), 400, RFC9112 + " 5.1"),
    "a name with a NUL": Ambiguous(_get(b"GET /a HTTP/1.1", b"X\x00Y: z\r\n"), 400, HIDDEN),
    "a name with a bracket": Ambiguous(_get(b"GET /a HTTP/1.1", b"X(Y): z\r\n"), 400, RFC9110 + " 5.6.2"),
    "a value with a NUL": Ambiguous(_get(b"GET /a HTTP/1.1", b"X: y\x00z\r\n"), 400, RFC9110 + " 5.5"),
    "a value with an escape": Ambiguous(_get(b"GET /a HTTP/1.1", b"X: y\x1bz\r\n"), 400, RFC9110 + " 5.5"),
    "a value with DEL": Ambiguous(_get(b"GET /a HTTP/1.1", b"X: y\x7fz\r\n"), 400, RFC9110 + " 5.5"),
    # ── the request line ─────────────────────────────────────────────────────────────────────────────────────────────
    "two spaces": Ambiguous(_get(b"GET  /a HTTP/1.1"), 400, RFC9112 + " 3"),
    "a tab": Ambiguous(_get(b"GET\t/a HTTP/1.1"), 400, RFC9112 + " 3"),
    "a space in the target": Ambiguous(_get(b"GET /a /b HTTP/1.1"), 400, RFC9112 + " 3.2"),
    "a space after the version": Ambiguous(_get(b"GET /a HTTP/1.1 "), 400, RFC9112 + " 3"),
    "no version": Ambiguous(_get(b"GET /a"), 400, WATCHFIRE),
    "HTTP/0.9": Ambiguous(b"GET /a\r\n\r\n", 400, WATCHFIRE),
    "HTTP/1.0": Ambiguous(_get(b"GET /a HTTP/1.0"), 505, WATCHFIRE),
    "HTTP/1.0 and chunked": Ambiguous(
        b"POST /a HTTP/1.0\r\n" + _HOST + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 505, DESYNC
    ),
    "HTTP/1.01": Ambiguous(_get(b"GET /a HTTP/1.01"), 505, HIDDEN),
    "HTTP/1.2": Ambiguous(_get(b"GET /a HTTP/1.2"), 505, RFC9112 + " 2.3"),
    "http/1.1": Ambiguous(_get(b"GET /a http/1.1"), 400, RFC9112 + " 2.3"),
    "HTTP/2": Ambiguous(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505, H2C),
    "a small method": Ambiguous(_get(b"get /a HTTP/1.1"), 400, RFC9110 + " 9.1"),
    "a method with a colon": Ambiguous(_get(b"GET: /a HTTP/1.1"), 400, HIDDEN),
    "CONNECT": Ambiguous(_get(b"CONNECT api.gw.example:443 HTTP/1.1"), 501, RFC9110 + " 9.3.6"),
    "TRACE": Ambiguous(_get(b"TRACE /a HTTP/1.1"), 501, "Jeremiah Grossman: Cross-Site Tracing (2003)"),
    # ── which host ───────────────────────────────────────────────────────────────────────────────────────────────────
    "no host": Ambiguous(b"GET /a HTTP/1.1\r\nX: y\r\n\r\n", 400, RFC9112 + " 3.2"),
    "two hosts": Ambiguous(_get(b"GET /a HTTP/1.1", b"Host: evil.example\r\n"), 400, HOST),
    "a host with a space before": Ambiguous(
        b"GET /a HTTP/1.1\r\n Host: evil.example\r\nHost: api.gw.example\r\n\r\n", 400, HOST
    ),
    "an empty host": Ambiguous(b"GET /a HTTP/1.1\r\nHost:\r\n\r\n", 400, RFC9112 + " 3.2"),
    "a host with a user": Ambiguous(b"GET /a HTTP/1.1\r\nHost: api.gw.example@evil.example\r\n\r\n", 400, HOST),
    "a host with a path": Ambiguous(b"GET /a HTTP/1.1\r\nHost: api.gw.example/evil\r\n\r\n", 400, HOST),
    "a list of hosts": Ambiguous(b"GET /a HTTP/1.1\r\nHost: api.gw.example, evil.example\r\n\r\n", 400, HOST),
    "a host with an escape": Ambiguous(b"GET /a HTTP/1.1\r\nHost: api%2egw.example\r\n\r\n", 400, HOST),
    "a host and a strange port": Ambiguous(b"GET /a HTTP/1.1\r\nHost: api.gw.example:80:443\r\n\r\n", 400, ORANGE),
    "a port of zero": Ambiguous(b"GET /a HTTP/1.1\r\nHost: api.gw.example:0\r\n\r\n", 400, HOST),
    "a port that is too high": Ambiguous(b"GET /a HTTP/1.1\r\nHost: api.gw.example:65616\r\n\r\n", 400, ORANGE),
    "a host that ends in a dot": Ambiguous(b"GET /a HTTP/1.1\r\nHost: api.gw.example.\r\n\r\n", 400, HOST),
    "a host over ASCII": Ambiguous(b"GET /a HTTP/1.1\r\nHost: \xc3\xa4.example\r\n\r\n", 400, HOST),
    "an absolute target of another host": Ambiguous(_get(b"GET http://evil.example/a HTTP/1.1"), 400, HOST),
    "an absolute target of another scheme": Ambiguous(_get(b"GET https://api.gw.example/a HTTP/1.1"), 400, HOST),
    "an absolute target with a user": Ambiguous(_get(b"GET http://x@api.gw.example/a HTTP/1.1"), 400, ORANGE),
    "a file": Ambiguous(_get(b"GET file:///etc/passwd HTTP/1.1"), 400, ORANGE),
    "a target without a slash": Ambiguous(_get(b"GET a HTTP/1.1"), 400, RFC9112 + " 3.2"),
    "a target that is a host": Ambiguous(_get(b"GET @evil.example/a HTTP/1.1"), 400, ORANGE),
    "an asterisk": Ambiguous(_get(b"OPTIONS * HTTP/1.1"), 400, RFC9112 + " 3.2.4"),
    "a fragment": Ambiguous(_get(b"GET /a#b HTTP/1.1"), 400, RFC9112 + " 3.2"),
    # ── which path ───────────────────────────────────────────────────────────────────────────────────────────────────
    "above the root": Ambiguous(_get(b"GET /../a HTTP/1.1"), 400, RFC3986 + " 5.2.4"),
    "above the root, escaped": Ambiguous(_get(b"GET /%2e%2E/a HTTP/1.1"), 400, ORANGE),
    "an escaped slash": Ambiguous(_get(b"GET /a%2fb HTTP/1.1"), 400, ORANGE),
    "a backslash": Ambiguous(_get(b"GET /a\\b HTTP/1.1"), 400, ORANGE),
    "an escaped backslash": Ambiguous(_get(b"GET /a%5cb HTTP/1.1"), 400, ORANGE),
    "an escape of an escape": Ambiguous(_get(b"GET /a/%252e%252e/b HTTP/1.1"), 400, ORANGE),
    "an escaped NUL": Ambiguous(_get(b"GET /a%00b HTTP/1.1"), 400, ORANGE),
    "an escaped line end": Ambiguous(_get(b"GET /a%0d%0aX:y HTTP/1.1"), 400, ORANGE),
    "an escape that is none": Ambiguous(_get(b"GET /a%zz HTTP/1.1"), 400, ORANGE),
    "an escape that is cut off": Ambiguous(_get(b"GET /a%2 HTTP/1.1"), 400, ORANGE),
    "an escape of a code point": Ambiguous(_get(b"GET /a%u002e HTTP/1.1"), 400, ORANGE),
    "an overlong slash": Ambiguous(_get(b"GET /a%c0%afb HTTP/1.1"), 400, "CVE-2000-0884"),
    "no UTF-8": Ambiguous(_get(b"GET /a%ff HTTP/1.1"), 400, ORANGE),
    "an empty segment": Ambiguous(_get(b"GET /a//b HTTP/1.1"), 400, ORANGE),
    "an empty segment first": Ambiguous(_get(b"GET //evil.example/a HTTP/1.1"), 400, ORANGE),
    "a parameter": Ambiguous(_get(b"GET /a;b=c/d HTTP/1.1"), 400, ORANGE),
    "dots and a parameter": Ambiguous(_get(b"GET /a/..;/b HTTP/1.1"), 400, ORANGE),
    "an escaped parameter": Ambiguous(_get(b"GET /a%3bb HTTP/1.1"), 400, ORANGE),
    "a quotation mark": Ambiguous(_get(b'GET /a"b HTTP/1.1'), 400, RFC3986 + " 3.3"),
    "a bracket": Ambiguous(_get(b"GET /a[b] HTTP/1.1"), 400, RFC3986 + " 3.3"),
    # ── fields that mislead ──────────────────────────────────────────────────────────────────────────────────────────
    "another URL": Ambiguous(_get(b"GET /a HTTP/1.1", b"X-Original-URL: /b\r\n"), 400, "CVE-2018-14773"),
    "a rewritten URL": Ambiguous(_get(b"GET /a HTTP/1.1", b"X-Rewrite-Url: /b\r\n"), 400, "CVE-2018-14773"),
    "a rewritten URL, by underscores": Ambiguous(_get(b"GET /a HTTP/1.1", b"X_Rewrite_Url: /b\r\n"), 400, KLEIN),
    "another method": Ambiguous(_post(b"X-HTTP-Method-Override: DELETE\r\nContent-Length: 0\r\n"), 400, ORANGE),
    "another method, as OData says it": Ambiguous(_post(b"X-HTTP-Method: MERGE\r\nContent-Length: 0\r\n"), 400, ORANGE),
    "Connection names a field": Ambiguous(_get(b"GET /a HTTP/1.1", b"Connection: close, X-Policy\r\n"), 400, HOP),
    "Connection names the host": Ambiguous(_get(b"GET /a HTTP/1.1", b"Connection: Host\r\n"), 400, HOP),
    "Connection names the length": Ambiguous(_get(b"GET /a HTTP/1.1", b"Connection: Content-Length\r\n"), 400, HOP),
    "Connection names the proof": Ambiguous(_get(b"GET /a HTTP/1.1", b"Connection: Authorization\r\n"), 400, HOP),
    "two proofs": Ambiguous(_get(b"GET /a HTTP/1.1", b"Authorization: Bearer other\r\n"), 400, HIDDEN),
    "a proof by underscores": Ambiguous(
        b"GET /a HTTP/1.1\r\nHost: api.gw.example\r\nAuthoriz_ation: x\r\nUpgrade_: y\r\nAuthorization.: z\r\n"
        b"X-H: y\r\nHost_: evil\r\nConnection_: close\r\nTransfer.Encoding: chunked\r\n\r\n", 400, KLEIN
    ),
    "another expectation": Ambiguous(_post(b"Expect: 200-ok\r\nContent-Length: 0\r\n"), 417, ENDGAME),
    "an obscured expectation": Ambiguous(_post(b"Expect: y 100-continue\r\nContent-Length: 5\r\n"), 417, ENDGAME),
    "two expectations": Ambiguous(
        _post(b"Expect: 100-continue\r\nExpect: 100-continue\r\nContent-Length: 5\r\n"), 400, ENDGAME
    ),
    # ── sizes ────────────────────────────────────────────────────────────────────────────────────────────────────────
    "a head without an end": Ambiguous(_get(b"GET /a HTTP/1.1", b"X: " + b"y" * 60_000 + b"\r\n"), 431, RFC9112),
    "too many fields": Ambiguous(_get(b"GET /a HTTP/1.1", b"X: y\r\n" * 200), 431, RFC9110 + " 5.4"),
    "a target without an end": Ambiguous(_get(b"GET /" + b"a" * 20_000 + b" HTTP/1.1"), 414, RFC9110 + " 4.1"),
    "trailers without an end": Ambiguous(_chunks(b"0\r\n" + b"X: y\r\n" * 10_000), 431, RFC9110 + " 5.4"),
}  # fmt: skip
"""What is refused, and its connection closed."""


STRIPPED: dict[str, bytes] = {
    "h2c": b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n",
    "an unknown protocol": b"Connection: Upgrade\r\nUpgrade: TLS/1.0, tunnel\r\n",
    "WebSocket that Connection does not name": b"Upgrade: websocket\r\n",
    "TE": b"Connection: TE\r\nTE: trailers\r\n",
    "a client behind": b"X-Forwarded-For: 127.0.0.1\r\nForwarded: for=127.0.0.1\r\nX-Real-IP: 127.0.0.1\r\n",
    "another host": b"X-Forwarded-Host: evil.example\r\nX-Host: evil.example\r\n",
    "a proxy": b"Proxy: http://evil.example\r\nVia: 1.1 evil\r\nProxy-Authorization: Basic YTpi\r\n",
    "a principal": b"X-MS-Client-Principal-Name: admin\r\nX-Remote-User: admin\r\nRemote-User: admin\r\n",
    "by underscores": b"X_Forwarded_For: 127.0.0.1\r\nX_MS_Client_Principal: admin\r\n",
    "keep-alive": b"Connection: keep-alive\r\nKeep-Alive: timeout=5\r\nProxy-Connection: keep-alive\r\n",
}
"""Fields that are dropped: the request is passed on as if it had none of them."""

_OK = b"HTTP/1.1 200 OK\r\n"

ANSWERS: dict[str, tuple[bytes, str]] = {
    "two lengths": (_OK + b"Content-Length: 3\r\nContent-Length: 30\r\n\r\nabc", WATCHFIRE),
    "a length and a coding": (_OK + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", DESYNC),
    "an unknown coding": (_OK + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", DESYNC),
    "a coding of HTTP/1.0": (b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", RFC9112 + " 6.1"),
    "a signed length": (_OK + b"Content-Length: +3\r\n\r\nabc", KLEIN),
    "lines that end in LF": (b"HTTP/1.1 200 OK\nContent-Length: 0\n\n", RFC9112 + " 2.2"),
    "a folded line": (_OK + b"X: y\r\n z\r\nContent-Length: 0\r\n\r\n", RFC9112 + " 5.2"),
    "a CR in a value": (
        _OK + b"X: y\rSet-Cookie: a=b\r\nContent-Length: 0\r\n\r\n",
        "Klein: Divide and Conquer (2004)",
    ),
    "a NUL in a value": (_OK + b"X: y\x00\r\nContent-Length: 0\r\n\r\n", RFC9110 + " 5.5"),
    "a space before the colon": (_OK + b"Content-Length : 3\r\n\r\nabc", RFC9112 + " 5.1"),
    "another version": (b"HTTP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n", RFC9112 + " 2.3"),
    "no status": (b"HTTP/1.1 OK\r\nContent-Length: 0\r\n\r\n", RFC9112 + " 4"),
    "a status of 99": (b"HTTP/1.1 099 Odd\r\nContent-Length: 0\r\n\r\n", RFC9110 + " 15"),
    "a status of 600": (b"HTTP/1.1 600 Odd\r\nContent-Length: 0\r\n\r\n", RFC9110 + " 15"),
    "a change of protocol": (b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n", H2C),
    "no end of 1xx": (b"HTTP/1.1 103 Early Hints\r\n\r\n" * 50, RFC9110 + " 15.2"),
    "a head without an end": (_OK + b"X: " + b"y" * 100_000, RFC9110 + " 5.4"),
    "too many fields": (_OK + b"X: y\r\n" * 200 + b"Content-Length: 0\r\n\r\n", RFC9110 + " 5.4"),
    "not HTTP": (b"SSH-2.0-OpenSSH_9.2\r\n\r\n\r\n", RFC9112 + " 4"),
}
"""Answers that are not passed on."""

LONGER: dict[str, tuple[bytes, bytes, str]] = {
    "a second answer": (_OK + b"Content-Length: 3\r\n\r\nabc", _OK + b"Content-Length: 4\r\n\r\nevil", DESYNC),
    "a body after HEAD's": (_OK + b"Content-Length: 3\r\n\r\n", b"abc", BROWSER),
    "a body after 204": (b"HTTP/1.1 204 No Content\r\n\r\n", b"HTTP/1.1 200 OK\r\n\r\nevil", BROWSER),
    "a body after 304": (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 4\r\n\r\n", b"evil", BROWSER),
    "more than its length": (_OK + b"Content-Length: 3\r\n\r\nabc", b"evil", H2_SEQUEL),
    "more than its last chunk": (_OK + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", b"evil", H2_SEQUEL),
}
"""Answers, and what comes after them that was not owed: the next request must not be given it."""
