"""Fuzz every decoder with mutated samples: `fuzz.py SECONDS [TARGET…]`. What a peer may send must not break us.

A target may return, or raise what it promises to raise for unreadable input. Anything else is a finding: another
exception, or an input that takes longer than `_SLOW` seconds. Findings are written to `.fuzz/` and end with code 1.
"""

from __future__ import annotations

import gzip
import random
import sys
import time
import traceback
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import fuzz_tds
from h2.connection import H2Connection

from blastwall.config.load import ConfigurationError, load
from blastwall.identity.claims import ForeignTenant, flatten, identifying
from blastwall.masking.documents import Unreadable
from blastwall.masking.plan import ResultColumn, ValueKind, plan
from blastwall.model.credential import Credential
from blastwall.model.masks import ColumnRule, DetectRule, FieldRule, MaskRules, MaskStyle
from blastwall.model.resource import Address, Resource
from blastwall.model.statement import Statement
from blastwall.protocols.contract import CLIENT, UPSTREAM, Allow, Answer, Ask
from blastwall.protocols.http import arm, blob, keyvault, rest
from blastwall.protocols.http.arriving import read_arrived
from blastwall.protocols.http.bodies.filter import body_filter
from blastwall.protocols.http.flavour import statement_text
from blastwall.protocols.http.framing import Body, Framing
from blastwall.protocols.http.heads import read_request, read_response, write_fields
from blastwall.protocols.http.normalise import STRICT
from blastwall.protocols.http.request import Headers, Request
from blastwall.protocols.http.session import HttpSession
from blastwall.protocols.http.tests import test_express as http
from blastwall.protocols.http.tests.plain import PlainFlavour
from blastwall.protocols.postgres import messages, startup
from blastwall.protocols.postgres.copy_rows import BinaryFormat, CsvFormat, TextFormat
from blastwall.protocols.postgres.errors import decode_fields, encode_error
from blastwall.protocols.postgres.function_calls import FunctionCall, decode_function_call, encode_function_call
from blastwall.protocols.postgres.messages import SYNC, Bind, Execute, Field, Named, Parse
from blastwall.protocols.postgres.scram import PLAIN, Scram, ScramFailed
from blastwall.protocols.postgres.session import PostgresSession
from blastwall.protocols.postgres.settings import StartupRefused, check_startup, parse_options
from blastwall.protocols.postgres.tests.server import TinyServer
from blastwall.protocols.postgres.tests.specimens import SPECIMENS, extended, opening, query, snapshot
from blastwall.sql.postgres import NameState, classify
from blastwall.sql.tsql.parse import parse as parse_tsql
from blastwall.sql.tsql.unparsed import UnparsedError
from blastwall.testing.playbook import Playbook
from blastwall.wire.inbox import Inbox
from blastwall.wire.reader import Malformed

_SLOW = 2.0
_LONGEST = 4096
_INTERESTING = (b"\0", b"\xff", b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\x80\0\0\0", b"\0\0\0\4", b"'", b"\\",
                b"$$", b"/*", b"--", b"(", b";", b"\n", b'"', b"\xc3\x28", b"\xed\xa0\x80")  # fmt: skip
_ROOT = Path(__file__).parents[1]


@dataclass(frozen=True)
class Target:
    """Something that reads what others wrote: samples that it takes, and what it may raise for the rest."""

    read: Callable[[bytes], object]
    samples: Sequence[bytes]
    may_raise: tuple[type[Exception], ...] = (Malformed,)


def _rows(data: bytes) -> None:
    hidden = ColumnRule("a", "public.t.a", MaskStyle.PARTIAL)
    rules = MaskRules((hidden,), (DetectRule("email", ("email",), MaskStyle.REDACT),), key=b"k" * 32)
    columns = [ResultColumn("a", kind, frozenset(), exact=False) for kind in (ValueKind.TEXT, ValueKind.JSON)]
    made = plan(columns, rules)
    row = messages.decode_data_row(data)
    if made is not None and len(row) == len(columns):
        made.mask(row)
        messages.encode_data_row(row)


def _copied(form: Callable[[], TextFormat | CsvFormat | BinaryFormat]) -> Callable[[bytes], None]:
    def read(data: bytes) -> None:
        format_ = form()
        for part in data.split(b"\x01"):
            row = format_.decode(part)
            if row is not None:
                format_.encode(row)

    return read


def _scram(data: bytes) -> None:
    scram = Scram(b"secret", b"n" * 18, (PLAIN,), b"")
    first = scram.first()
    nonce = first.rpartition(b"r=")[2]
    try:
        scram.answer(data.replace(b"NONCE", nonce).replace(b"i=1000000", b"i=4096"))
    finally:
        scram.verify(data)


def _sql(data: bytes) -> None:
    classify(data.decode(errors="surrogateescape"), _CATALOG, NameState((("public",),), "app"))


def _tsql(data: bytes) -> None:
    for quoted in (True, False):
        parse_tsql(data.decode(errors="surrogateescape"), quoted_identifier=quoted)


def _claims(data: bytes) -> None:
    import json

    try:
        claims = json.loads(data)
    except (ValueError, RecursionError):
        return
    if isinstance(claims, dict):
        identifying(flatten(claims))


def _startup(data: bytes) -> None:
    length = startup.request_length(data, 16384)
    if length is not None and len(data) >= length:
        startup.request_code(data[:length])
        check_startup(startup.decode_startup(data[:length]))
        parse_options(data.decode(errors="replace"))


def _inbox(data: bytes) -> None:
    inbox = Inbox(1 << 16, {ord("Q"): 512})
    for start in range(0, len(data), 7):
        inbox.feed(data[start : start + 7])
        while (found := inbox.peek()) is not None:
            inbox.skip(found) if found.oversized else inbox.take(found)


def _allow(ask: Ask) -> Answer:
    return Allow() if isinstance(ask.question, Statement) else SPECIMENS.admit


def _played(side: str) -> Callable[[bytes], None]:
    """Feed a whole session: it may close, never raise, and never pass on what was refused."""

    def read(data: bytes) -> None:
        tiny = TinyServer()
        play = Playbook(PostgresSession(opening()), _allow, tiny, SPECIMENS.look_up)
        if side != "start":
            play.client(SPECIMENS.login)
        if side == "server":
            tiny.slow = True
            play.client(extended("SELECT 1", sync=False) + SYNC + query("SELECT 2"))
        for start in range(0, len(data), 61):
            if play.closed is None:
                (play.from_server if side == "server" else play.client)(data[start : start + 61])
        if play.closed is None:
            assert play.session.backlog(CLIENT) <= len(data) + 4096
            assert play.session.backlog(UPSTREAM) <= len(data) + 4096

    return read


def _configuration(data: bytes) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder, "blastwall.yaml")
        path.write_bytes(data)
        load(path)


def _requests(data: bytes) -> None:
    """Judge, describe and send a request to each kind: no token of the client's is in what the resource gets."""
    head, _, body = data.partition(b"\n\n")
    line, *lines = head.decode("latin-1").split("\n")
    method, _, target = line.partition(" ")
    path, mark, query = target.partition("?")
    fields = Headers((name, value) for name, _, value in (each.partition(": ") for each in lines))
    request = Request(method, "gw.example", f"/{path}", query if mark else None, fields, body or None)
    for flavour in (arm.FLAVOUR, blob.FLAVOUR, keyvault.FLAVOUR, rest.FLAVOUR):
        resource = Resource("r", flavour.kind, Address("r.example", 443))
        judged = flavour.judge(request, resource)
        text = statement_text(request, judged.fields)
        assert judged.effects
        assert all(0 <= one.start < one.end <= len(text) for one in judged.secrets)
        sent = flavour.body(request, resource, _TOKEN) or b""
        assert b"\nAuthorization: client-token" not in sent
        for name, value in flavour.authorise(request, resource, _TOKEN):
            assert value != "client-token" or name.lower() not in _IDENTITIES
        flavour.answered(request, resource, 200, fields)


_TOKEN = Credential("", b"gateway's", token=True)
_IDENTITIES = frozenset({"authorization", "cookie", "x-ms-copy-source-authorization"})
_BATCH = b"""POST ?comp=batch
Content-Type: multipart/mixed; boundary=b

--b
Content-Type: application/http

DELETE /shop/a HTTP/1.1
Authorization: client-token
x-ms-date: now


--b--
"""
_COPY = b"""PUT shop/a?comp=block
x-ms-copy-source: https://r.example/a/b?snapshot=1
x-ms-copy-source-authorization: client-token"""
_DEPLOYMENT = b"""PUT subscriptions/s/resourceGroups/g/providers/Microsoft.Resources/deployments/d?api-version=1
Content-Type: application/json

{"properties": {"mode": "Incremental", "parameters": {"p": {"value": "x"}}, template:{ // a file
  "parameters": {"p": {"type": "secureString"}}, "variables": {"v": "[concat('a', parameters('p'))]"},
  "resources": [{"type": "Microsoft.Web/sites", "name": "[format('{0}{1}', variables('v'), copyIndex())]",
    "copy": {"name": "c", "count": 3}, "resources": [{"type": "config", "name": "web", "properties": {}}]},
    {"type": "Microsoft.Resources/deployments", "name": "n", "resourceGroup": "o", "properties": {"mode": "Complete",
      "template": {"resources": {"s": {"type": "Microsoft.Sql/servers", "name": "[uniqueString('a')]"}}}}}],
  "outputs": {"o": {"value": "[listKeys(resourceId('Microsoft.Storage/storageAccounts', 'x'), '1').keys[0]]"}}}}}"""
_ARM_BATCH = b"""POST batch?api-version=2020-06-01
Content-Type: application/json

{"requests": [{"httpMethod": "PUT", "url": "https://management.azure.com/subscriptions/s/resourceGroups/g?x=1",
  "content": {"identity": {"userAssignedIdentities": {"/subscriptions/s/resourceGroups/g": {}}}}}]}"""
_REQUESTS = (
    _DEPLOYMENT,
    _ARM_BATCH,
    b"POST subscriptions/s/resourceGroups/g/providers/Microsoft.Storage/storageAccounts/x/listKeys?sig=a",
    b"GET shop/2026%2Fa.pdf?snapshot=1&sig=x\nAuthorization: client-token",
    _COPY,
    _BATCH,
    b'PUT secrets/db?api-version=7.6\nContent-Type: application/json\n\n{"value": "x", "tags": {"a": ["b", 1]}}',
    b"POST v1/orders;x?_method=PUT\nContent-Type: application/x-www-form-urlencoded\nLink: <https://r.example/a>",
)
_CALL = FunctionCall(952, (1,), (b"\0\0\x40\1", b"\0\2\0\0"), 1)
_CATALOG = snapshot().catalog
_TEXTS = [
    *(line.encode() for line in (_ROOT / "tests/sql/postgres/harmless.sql").read_text().split(";\n")[:80]),
    *(line.encode() for line in (_ROOT / "tests/sql/postgres/bypasses.yaml").read_text().split("\n")),
    b"SELECT $$x$$, E'\\'', U&'\\0041', B'1', 1e10 FROM public.orders WHERE id = $1 -- c",
]
_TALK = b"".join(
    [
        query("SELECT 1; SELECT 2"),
        messages.encode_parse(Parse("s", "SELECT $1", (23,))),
        messages.encode_bind(Bind("p", "s", (1,), (b"\0\0\0\1", None), (0,))),
        messages.encode_describe(Named("P", "p")) + messages.encode_execute(Execute("p", 5)),
        messages.encode_close(Named("S", "s")) + SYNC + messages.FLUSH,
        encode_function_call(_CALL),
        query("COPY orders FROM STDIN") + messages.frame(b"d", b"1\t2\n") + messages.frame(b"c", b""),
    ]
)
_SAID = b"".join(
    [
        messages.frame(b"1", b"") + messages.frame(b"2", b""),
        messages.encode_row_description((Field("a", 16385, 3, 25), Field("b", 0, 0, 23))),
        messages.encode_data_row([b"x", None]) + messages.frame(b"C", b"SELECT 1\0") + messages.encode_ready(b"I"),
        encode_error("42601", "bad") + messages.frame(b"N", encode_error("00000", "note")[5:]),
        messages.encode_parameter_status("search_path", '"$user", public') + messages.frame(b"A", b"\0\0\0\1c\0p\0"),
        messages.frame(b"G", b"\0\0\1\0\0") + messages.frame(b"t", b"\0\1\0\0\0\x17") + messages.frame(b"s", b""),
    ]
)


def _heads(data: bytes) -> None:
    for read in (read_request, read_response):
        try:
            head = read(data)
        except Malformed:
            continue
        write_fields(head.headers)
    read_arrived(data, STRICT, secure=True)


def _chunks(data: bytes) -> None:
    body, position = Body(Framing.CHUNKED, 0), 0
    while position < len(data) and not body.done:
        _, taken = body.feed(data[position : position + 7])
        position += taken


def _http_client(data: bytes) -> None:
    talk = http.play(http.Listed(http.ANSWERS))
    for piece in (http.AGAIN, data[: len(data) // 2], data[len(data) // 2 :]):
        if talk.closed is None:
            talk.client(piece)


def _http_server(data: bytes) -> None:
    talk = http.play(http.Listed([data, *http.ANSWERS]))
    for _ in range(3):
        if talk.closed is None:
            talk.client(http.AGAIN)


def _h2_talk() -> bytes:
    frames = H2Connection()
    frames.initiate_connection()
    named = [(":method", "POST"), (":path", "/a"), (":authority", "api"), (":scheme", "https")]
    frames.send_headers(1, [*named, ("authorization", "Bearer t"), ("content-type", "application/json")])
    frames.send_data(1, b"{}", end_stream=True)
    return frames.data_to_send()


_H2_TALK = _h2_talk()


def _http_2(data: bytes) -> None:
    session = HttpSession(replace(http.opening(), secured=True, alpn="h2"), PlainFlavour())
    Playbook(session, http.stands, http.Listed(), lambda _lookup: None).client(data)


def _documents(data: bytes) -> None:
    """Read what says to be each kind of document: whatever comes, it is masked the same in one piece and in many."""
    rules = MaskRules(
        detect=(DetectRule("card", ("card", "email"), MaskStyle.REDACT),),
        fields=(
            FieldRule("..a", "..a", MaskStyle.PARTIAL, ("text/*",)),
            FieldRule("$.b", "$.b", MaskStyle.NULL, ("text/*",)),
        ),
        key=b"k" * 32,
    )
    kinds = (
        "application/json",
        "text/csv",
        "application/xml",
        "text/plain",
        "text/event-stream",
        "application/x-ndjson",
    )
    for kind in kinds:
        for coding in ("", "gzip", "deflate", "br", "zstd") if kind == kinds[0] else ("",):
            headers = Headers((("Content-Type", kind), ("Content-Encoding", coding)))
            assert _sent(headers, rules, data, 1 << 20) == _sent(headers, rules, data, 3)


def _sent(headers: Headers, rules: MaskRules, data: bytes, step: int) -> bytes | None:
    found = body_filter(headers, rules, {}, None)
    assert found is not None
    try:
        return b"".join(found.feed(data[at : at + step]) for at in range(0, len(data), step)) + found.finish()
    except Unreadable:
        return None


_DOCUMENTS = (
    b'{"a": "x@example.com", "b": [1, {"a": 4111111111111111}], "c": "{\\"a\\": \\"\\u0034\\"}"}[true, null, -1.5e3]',
    b'id,a,b\r\n1,"x ""y"" z",4111111111111111\r\n2,,\r\n',
    b'<?xml version="1.0"?><r><a t="&#52;">x<!-- c --><![CDATA[4111 1111]]> 1111 1111</a><b/></r>',
    b"a line\n4111 1111\n1111 1111\n-----BEGIN PRIVATE KEY-----\nQUJD\n-----END PRIVATE KEY-----\n",
    b"data: 1\n\ndata: x@example.com\n\n",
    zlib.compress(b'{"a": "x@example.com"}'),
    gzip.compress(b'{"a": "x@example.com"}'),
)
_TSQL = (_ROOT / "tests" / "sql" / "tsql" / "spoken.sql").read_bytes().splitlines()

TARGETS: Mapping[str, Target] = {
    "parse": Target(messages.decode_parse, [messages.encode_parse(Parse("s", "SELECT 1", (23,)))[5:]]),
    "bind": Target(messages.decode_bind, [messages.encode_bind(Bind("p", "s", (1,), (b"abc", None), (0,)))[5:]]),
    "named": Target(messages.decode_named, [b"Sname\0", b"P\0"]),
    "execute": Target(messages.decode_execute, [b"p\0\0\0\0\5"]),
    "query": Target(messages.decode_query, [b"SELECT 1\0"]),
    "function call": Target(decode_function_call, [encode_function_call(_CALL)[5:]]),
    "row description": Target(messages.decode_row_description, [_SAID[15:80], b"\0\1a\0" + b"\0" * 18]),
    "rows": Target(_rows, [messages.encode_data_row([b"ada@example.com", b'{"a": ["bob@example.org"]}'])[5:]]),
    "parameter types": Target(messages.decode_parameter_types, [b"\0\2\0\0\0\x17\0\0\0\x19"]),
    "parameter status": Target(messages.decode_parameter_status, [b"client_encoding\0UTF8\0"]),
    "command tag": Target(lambda data: messages.affected_rows(messages.decode_command_tag(data)), [b"INSERT 0 5\0"]),
    "errors": Target(decode_fields, [encode_error("42601", "bad", hint="h")[5:]]),
    "inbox": Target(_inbox, [_TALK]),
    "startup": Target(_startup, [SPECIMENS.login, startup.encode_request(startup.SSL_REQUEST)],
                      (Malformed, StartupRefused)),
    "cancel": Target(startup.decode_cancel, [b"\0\0\0\x10\4\xd2\x16\x2e\0\0\0\1abcd"]),
    "mechanisms": Target(startup.decode_mechanisms, [b"SCRAM-SHA-256\0SCRAM-SHA-256-PLUS\0\0"]),
    "scram": Target(_scram, [b"r=NONCEmore,s=c2FsdA==,i=4096", b"v=c2FsdA=="], (ScramFailed,)),
    "copy text": Target(_copied(TextFormat), [b"1\ta\\tb\\\\\t\\N\n\x01x\ty\tz\n"]),
    "copy csv": Target(_copied(lambda: CsvFormat(b",", b"", b'"', b'"')), [b'1,"a ""b"" c",\n\x01x,y,z\n']),
    "copy binary": Target(_copied(BinaryFormat), [b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0\0\1\0\0\0\1a\x01\xff\xff"]),
    "sql": Target(_sql, _TEXTS, ()),
    "tsql": Target(_tsql, _TSQL, (UnparsedError,)),
    "claims": Target(_claims, [b'{"iss": "a", "aud": ["x"], "kubernetes.io": {"a": {"b": 1}}, "n": 1.5, "t": true}'],
                     (ForeignTenant,)),
    "client, before the login": Target(_played("start"), [SPECIMENS.login, SPECIMENS.login + _TALK], ()),
    "client, after the login": Target(_played("client"), [_TALK, extended("SELECT 'x'", b"v")], ()),
    "server": Target(_played("server"), [_SAID], ()),
    "http heads": Target(_heads, [http.AGAIN, *http.ANSWERS]),
    "http chunks": Target(_chunks, [b"5\r\nabcde\r\n0\r\nX: y\r\n\r\n", b"A\r\n0123456789\r\n"]),
    "http client": Target(_http_client, [http.AGAIN, *http.ASKED], ()),
    "http server": Target(_http_server, http.ANSWERS, ()),
    "http 2": Target(_http_2, [_H2_TALK], ()),
    "requests": Target(_requests, _REQUESTS, ()),
    "documents": Target(_documents, _DOCUMENTS, ()),
    "configuration": Target(_configuration, [path.read_bytes() for path in _ROOT.glob("examples/blastwall.yaml")]
                            or [b"issuers: []\nresources: []\n"], (ConfigurationError,)),
    **{f"tds {name}": Target(read, samples) for name, (read, samples) in fuzz_tds.TARGETS.items()},
}  # fmt: skip


def mutate(chance: random.Random, sample: bytes, other: bytes) -> bytes:
    """Change a sample in a few places."""
    data = bytearray(sample)
    for _ in range(chance.choice((1, 1, 2, 3, 8))):
        at = chance.randrange(len(data) + 1)
        match chance.randrange(8):
            case 0:
                data[at : at + 1] = bytes([chance.randrange(256)])
            case 1:
                data[at : at + chance.randrange(1, 9)] = b""
            case 2:
                data[at:at] = chance.choice(_INTERESTING)
            case 3:
                data[at : at + 4] = chance.choice(_INTERESTING)
            case 4:
                end = chance.randrange(len(other) + 1)
                data[at:at] = other[chance.randrange(end + 1) : end]
            case 5:
                data[at:at] = data[at : at + chance.randrange(1, 33)] * chance.choice((1, 2, 20, 300))
            case 6:
                del data[at:]
            case _:
                if data:
                    data[at % len(data)] ^= 1 << chance.randrange(8)
    return bytes(data[:_LONGEST])


def fuzz(name: str, target: Target, seconds: float, chance: random.Random) -> list[str]:
    """Run one target; return its findings, each once."""
    findings: dict[str, bytes] = {}
    pool = [sample for sample in target.samples if sample]
    runs, until = 0, time.monotonic() + seconds
    while time.monotonic() < until:
        data = mutate(chance, chance.choice(pool), chance.choice(pool))
        began, runs = time.process_time(), runs + 1
        try:
            target.read(data)
        except target.may_raise:
            pass
        except Exception as error:  # noqa: BLE001 - every exception that was not promised is what is looked for
            frames = traceback.extract_tb(error.__traceback__)
            findings.setdefault(f"{type(error).__name__}: {error} at {frames[-1].filename}:{frames[-1].lineno}", data)
        else:
            if chance.random() < 0.02 and len(pool) < 500:
                pool.append(data)
        took = time.process_time() - began  # of our own: what others run beside us is no finding
        if took > _SLOW:
            findings.setdefault(f"{took:.1f} s for {len(data)} bytes", data)
    sys.stdout.write(f"{name}: {runs} inputs, {len(findings)} findings\n")
    sys.stdout.flush()
    for number, (what, data) in enumerate(findings.items()):
        folder = _ROOT / ".fuzz"
        folder.mkdir(exist_ok=True)
        (folder / f"{name.replace(' ', '-')}-{number}").write_bytes(data)
        sys.stdout.write(f"  {what}\n  {data[:200]!r}\n")
    return list(findings)


def main(arguments: Sequence[str]) -> int:
    """Share the seconds out among the targets; return the exit code."""
    seconds = float(arguments[0]) if arguments else 60.0
    names = arguments[1:] or tuple(TARGETS)
    seed = random.SystemRandom().randrange(1 << 32)
    sys.stdout.write(f"seed {seed}\n")
    chance = random.Random(seed)
    found = [one for name in names for one in fuzz(name, TARGETS[name], seconds / len(names), chance)]
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
