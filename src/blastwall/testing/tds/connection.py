"""One client's connection: PRELOGIN and TLS, LOGIN7 and tokens, then one request after another."""

from __future__ import annotations

import secrets
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

import duckdb

from blastwall.testing.tds import packets, requests, tokens
from blastwall.testing.tds.answer import Answer, Cancelled
from blastwall.testing.tds.bulk import Bulk
from blastwall.testing.tds.decoding import BadRequest
from blastwall.testing.tds.errors import SqlError, unsupported
from blastwall.testing.tds.interpreter import BatchEnded, Interpreter
from blastwall.testing.tds.packets import Channel, ConnectionLost, Message
from blastwall.testing.tds.procedures import Given, call, called_in_text
from blastwall.testing.tds.state import State
from blastwall.testing.tds.system_facts import name_parts

if TYPE_CHECKING:
    from blastwall.testing.tds.server import TdsServer

_NO_ENCRYPTION, _REQUIRED = b"\x02", b"\x03"
_VERSION = bytes((12, 0, 0x07, 0xD0, 0, 0))
_LARGEST_PACKET, _LARGEST_ENCRYPTED = 32767, 16383
_TDS_73, _TDS_74, _TDS_80 = 0x730B0003, 0x74000004, 0x08000000


@dataclass(slots=True)
class Opening:
    """What was agreed before the login."""

    encrypted: bool
    strict: bool
    nonce: bytes = b""


class LoginRefused(Exception):
    """The login failed; the error was told."""


class Connection:
    """Serves one client until it leaves."""

    def __init__(self, server: TdsServer, channel: Channel) -> None:
        self.server, self.channel = server, channel
        self.login: requests.Login
        self.state: State | None = None
        self._bulk: Bulk | None = None

    def serve(self) -> None:
        """Serve until the client leaves."""
        try:
            opening = self._open()
            self._log_in(opening)
            if self.state is None:
                return
            interpreter = Interpreter(self.state, called_in_text)
            while True:
                self._request(self.channel.receive(), interpreter)
        except (ConnectionLost, LoginRefused, BadRequest):
            return
        finally:
            if self.state is not None:
                self.state.transactions.close()

    # ── PRELOGIN and TLS ─────────────────────────────────────────────────────────────────────────────────────────────

    def _open(self) -> Opening:
        strict = self.channel.starts_with_tls()
        if strict:
            self.channel.start_tls(self.server.tls(strict=True), inside_prelogin=False)
        message = self.channel.receive()
        if message.kind != packets.PRELOGIN:
            raise ConnectionLost("a client begins with PRELOGIN")
        asked = requests.read_prelogin(message.payload)
        encrypts = strict or self.server.encryption
        wanted = asked.get(1, _NO_ENCRYPTION)[:1]
        answer = {0: _VERSION, 1: _REQUIRED if encrypts else _NO_ENCRYPTION, 2: b"\0", 3: b"", 4: b"\0"}
        nonce = b""
        if 6 in asked:
            answer[6] = b"\x01" if self.server.entra is not None else b"\0"
            if 7 in asked and asked[6] == b"\x01":
                nonce = secrets.token_bytes(32)
                answer[7] = nonce
        self.channel.send(packets.REPLY, requests.prelogin(answer))
        if strict:
            return Opening(True, True, nonce)
        if encrypts and wanted == _NO_ENCRYPTION:
            raise ConnectionLost("the client does not encrypt")
        if encrypts:
            self.channel.start_tls(self.server.tls(strict=False), inside_prelogin=True)
        return Opening(encrypts, False, nonce)

    # ── LOGIN7 ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def _log_in(self, opening: Opening) -> None:
        message = self.channel.receive()
        if message.kind != packets.LOGIN7:
            raise ConnectionLost("LOGIN7 follows PRELOGIN")
        self.login = login = requests.read_login(message.payload)
        if login.version < _TDS_73 and login.version != _TDS_80:
            raise ConnectionLost("a client of TDS 7.2 or older is not supported by the test server")
        answer = Answer(self.channel)
        self.server.note("login", login.user or "(token)")
        try:
            name, owner = self._who(login, opening)
            database = self.server.entered(name, login.database)
        except SqlError as error:
            self._refuse(answer, login, error)
        if self.server.redirect_to is not None:
            self._redirect(answer, login)
        self.state = State(self.server.engine, database, name, self.channel.spid, owner=owner)
        self.state.host, self.state.application = login.host, login.application
        self._welcome(answer, login, opening)

    def _who(self, login: requests.Login, opening: Opening) -> tuple[str, bool]:
        fedauth = login.features.get(requests.FEATURE_FEDAUTH)
        if fedauth is not None:
            return self.server.entra_login(self._token(fedauth, opening))
        if login.sspi:
            raise SqlError(18456, "")
        return self.server.sql_login(login.user, login.password)

    def _token(self, data: bytes, opening: Opening) -> str:
        """FEDAUTH of FeatureExt (MS-TDS 2.2.6.4): a token at once, or one that the client fetches where we tell it."""
        library = data[0] >> 1
        if library == requests.SECURITY_TOKEN:
            (length,) = struct.unpack_from("<I", data, 1)
            if opening.nonce and data[5 + length :] != opening.nonce:
                raise SqlError(18456, "<token-identified principal>")
            return data[5 : 5 + length].decode("utf-16-le")
        if library != requests.ADAL:
            raise SqlError(18456, "")
        info = tokens.fed_auth_info(self.server.sts_url, self.server.spn)
        self.channel.send(packets.REPLY, info)
        message = self.channel.receive()
        if message.kind != packets.FEDAUTH:
            raise ConnectionLost("a token was expected")
        (length,) = struct.unpack_from("<I", message.payload, 4)
        return message.payload[8 : 8 + length].decode("utf-16-le")

    def _refuse(self, answer: Answer, login: requests.Login, error: SqlError) -> None:
        answer.error(error)
        if error.number == 4060:
            answer.error(SqlError(18456, login.user))
        answer.done(failed=True)
        answer.end()
        raise LoginRefused

    def _redirect(self, answer: Answer, login: requests.Login) -> None:
        """Azure SQL's redirect policy: LOGINACK, then ENVCHANGE 20; the client goes there and logs in anew."""
        target = self.server.redirect_to
        if target is None:
            return
        answer.raw(tokens.login_ack(min(login.version, _TDS_74)))
        answer.raw(tokens.routing(*target))
        answer.done()
        answer.end()
        raise LoginRefused

    def _welcome(self, answer: Answer, login: requests.Login, opening: Opening) -> None:
        state = self.state
        if state is None:
            return
        asked = login.packet_size or 4096
        size = max(
            512, min(asked, _LARGEST_ENCRYPTED if opening.encrypted else _LARGEST_PACKET, self.server.packet_size)
        )
        answer.raw(tokens.env_text(tokens.DATABASE, state.database.name, "master"))
        answer.message(5701, 0, 2, f"Changed database context to '{state.database.name}'.")
        answer.raw(tokens.collation_change())
        answer.raw(tokens.env_text(tokens.LANGUAGE, "us_english", ""))
        answer.message(5703, 0, 1, "Changed language setting to us_english.")
        answer.raw(
            tokens.login_ack(_TDS_80 if opening.strict and login.version == _TDS_80 else min(login.version, _TDS_74))
        )
        answer.raw(tokens.env_text(tokens.PACKET_SIZE, str(size), str(asked)))
        acknowledged = self._acknowledged(login, opening)
        if acknowledged:
            answer.raw(tokens.feature_ext_ack(acknowledged))
        answer.done()
        answer.end()
        self.channel.packet_size = size

    def _acknowledged(self, login: requests.Login, opening: Opening) -> list[tuple[int, bytes]]:
        found = []
        if requests.FEATURE_FEDAUTH in login.features:
            found.append((requests.FEATURE_FEDAUTH, opening.nonce))
        if requests.FEATURE_UTF8 in login.features:
            found.append((requests.FEATURE_UTF8, b"\x01"))
        return found + list(self.server.unasked_features)

    # ── requests ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def _request(self, message: Message, interpreter: Interpreter) -> None:
        state = self._present()
        answer = interpreter.answer = Answer(self.channel)
        if message.kind == packets.ATTENTION:
            self.server.note("attention", "")
            answer.acknowledged()
            return
        state.transactions.poll = answer.poll
        interpreter.failed = False
        answer.in_transaction = state.transactions.count > 0
        if message.status & (packets.RESET | packets.RESET_SKIP):
            self._reset(state, answer, keep=bool(message.status & packets.RESET_SKIP))
        try:
            if message.ignored:
                answer.ignored()
                return
            self._dispatch(message, interpreter)
        except Cancelled:
            self.server.note("attention", "")
            if state.options.xact_abort and state.transactions.count:
                interpreter.roll_back()
            answer.cancelled()
            return
        answer.end(failed=interpreter.failed)

    def _present(self) -> State:
        if self.state is None:
            raise ConnectionLost("nobody logged in")
        return self.state

    def _reset(self, state: State, answer: Answer, *, keep: bool) -> None:
        before = state.database.name
        state.reset(keep_transaction=keep)
        answer.in_transaction = state.transactions.count > 0
        answer.raw(tokens.env_bytes(tokens.RESET_DONE, b"", b""))
        if before != state.database.name:
            answer.raw(tokens.env_text(tokens.DATABASE, state.database.name, before))
        self.server.note("reset", "skip" if keep else "")

    def _dispatch(self, message: Message, interpreter: Interpreter) -> None:
        try:
            if message.kind == packets.BATCH:
                self._batch(message, interpreter)
            elif message.kind == packets.RPC:
                self._calls(message, interpreter)
            elif message.kind == packets.TRANSACTION:
                self._transaction(message, interpreter)
            elif message.kind == packets.BULK:
                self._load(message, interpreter)
            else:
                raise ConnectionLost(f"a message of type {message.kind}")
        except BatchEnded:
            pass
        except SqlError as error:
            interpreter.failed = True
            interpreter.answer.error(error)
            interpreter.answer.done(failed=True)
        except BadRequest as error:
            interpreter.failed = True
            interpreter.answer.error(unsupported(str(error)))
            interpreter.answer.done(failed=True)
        except duckdb.Error as error:
            interpreter.failed = True
            interpreter.answer.error(unsupported(f"What came of this ({str(error).splitlines()[0]})"))
            interpreter.answer.done(failed=True)
        interpreter.end_of_batch()

    def _descriptor(self, descriptor: int) -> None:
        """A request names the transaction that it belongs to (MS-TDS 2.2.5.3.2)."""
        state = self._present()
        own = int.from_bytes(state.transactions.descriptor, "little")
        if descriptor != own:
            raise SqlError.raised(
                3989,
                16,
                1,
                "New request is not allowed to start because it should come with valid transaction descriptor.",
            )

    def _batch(self, message: Message, interpreter: Interpreter) -> None:
        descriptor, text = requests.read_batch(message.payload)
        self.server.note("batch", text)
        self.server.misbehave(self.channel, text)
        self._descriptor(descriptor)
        if text.lstrip()[:11].lower() == "insert bulk":
            self._bulk = Bulk.read(self._present(), text)
            interpreter.answer.done()
            return
        self._present().variables = {}
        interpreter.run(text)

    def _load(self, message: Message, interpreter: Interpreter) -> None:
        bulk, self._bulk = self._bulk, None
        if bulk is None:
            raise SqlError.raised(
                4022, 16, 1, "Bulk load data was expected but not sent. The batch will be terminated."
            )
        columns, rows = requests.read_bulk(message.payload)
        self.server.note("bulk", f"{bulk.table.name}: {len(rows)} rows")
        count = bulk.load(self._present(), interpreter, columns, rows)
        interpreter.answer.done(rows=count, command=0xF0)

    def _calls(self, message: Message, interpreter: Interpreter) -> None:
        descriptor, calls = requests.read_calls(message.payload)
        for number, one in enumerate(calls):
            self.server.note("rpc", described_call(one), procedure=one.procedure)
            if not number:
                self._descriptor(descriptor)
            self._present().variables = {}
            self._call(one, interpreter)

    def _call(self, one: requests.Call, interpreter: Interpreter) -> None:
        given = [Given(p.name, p.type, p.value, p.output, p.default) for p in one.parameters]
        for parameter in given:
            self.server.misbehave(self.channel, str(parameter.value))
        answer = interpreter.answer
        answer.depth += 1
        interpreter.failed = False
        status: int | None = None
        try:
            status = call(interpreter, name_parts(one.procedure) or (one.procedure,), given)
        except BatchEnded:
            pass
        except SqlError as error:
            interpreter.failed = True
            answer.error(error)
        finally:
            answer.depth -= 1
        if status is not None:
            answer.raw(tokens.return_status(status))
        for ordinal, parameter in enumerate(given):
            if parameter.output and (status is not None):
                answer.return_value(ordinal, parameter.name, parameter.type, parameter.value)
        answer.done_proc(None, failed=interpreter.failed)

    def _transaction(self, message: Message, interpreter: Interpreter) -> None:
        request = requests.read_transaction(message.payload)
        kind = request.kind
        names = {5: "begin", 7: "commit", 8: "rollback", 9: "save"}
        self.server.note("transaction", f"{names[kind]} {request.name}".strip())
        if kind == requests.BEGIN_TRANSACTION:
            interpreter.begin()
        elif kind == requests.COMMIT_TRANSACTION:
            interpreter.commit()
        elif kind == requests.ROLLBACK_TRANSACTION:
            interpreter.roll_back(request.name)
        else:
            self._present().transactions.save(request.name)
        if request.begin:
            interpreter.begin()
        interpreter.answer.done()


def described_call(one: requests.Call) -> str:
    """Return a call as a test reads it: the inner text of those that carry one, else the procedure and its values."""
    index = {"sp_executesql": 0, "sp_prepare": 2, "sp_prepexec": 2, "sp_cursoropen": 1, "sp_cursorprepexec": 3}
    at = index.get(one.procedure.lower())
    if at is not None and at < len(one.parameters):
        return str(one.parameters[at].value)
    values = ", ".join(f"{p.name + ' = ' if p.name else ''}{p.value!r}" for p in one.parameters)
    return f"{one.procedure} {values}".strip()
