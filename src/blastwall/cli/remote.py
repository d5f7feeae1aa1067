"""A client of a running gateway's API under `/api/v1`, for the commands that act over the network.

    with connected(server, token_file, ca) as remote:
        waiting = remote.get("/approvals", {"state": "waiting"})["items"]
        remote.post("/approvals/a1/approve", {"scope": "once"})

The gateway is always verified, redirects are not followed, and a login token is shown to its own gateway alone.
Whatever goes wrong ends the command in the gateway's own words: with 1 where it refused or cannot be reached, with 2
for wrong usage.
"""

from __future__ import annotations

import json
import re
import sys
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from urllib.parse import urlencode

import typer

from blastwall.cli.printing import FAILED, MISUSED, fail
from blastwall.cli.servers import CaOption, Server, ServerOption, find_server, variable
from blastwall.visible import visible

if TYPE_CHECKING:
    from http.client import HTTPConnection, HTTPResponse

__all__ = ["CaOption", "Remote", "RemoteFailed", "ServerOption", "TokenFileOption", "connected", "connected_to"]

Json = dict[str, object]
Query = Mapping[str, str | int | bool | None]

TokenFileOption = Annotated[
    str | None,
    typer.Option(
        help="File that holds a token to act with; `-` reads standard input. Default: `BLASTWALL_TOKEN`, or your "
        "`blastwall login`."
    ),
]
API = "/api/v1"
_SECONDS = 30
_MOST_BYTES = 16 << 20
_MOST_TOKEN = 64 << 10
_PAGE = 200
_TOKEN = re.compile(r"[!-~]+")
_PATH = re.compile(r"(/[A-Za-z0-9._~%-]+)+")


class RemoteFailed(Exception):
    """The gateway refused or cannot be reached: the text is for the person at the terminal, `code` the exit code.

    `status` is the HTTP status, None where there was no answer; `problem` its problem document (RFC 9457).
    """

    def __init__(
        self, message: str, code: int = FAILED, status: int | None = None, problem: Json | None = None
    ) -> None:
        super().__init__(message)
        self.code = code
        self.status = status
        self.problem = problem or {}


@dataclass(frozen=True, slots=True)
class _Reply:
    """An answer, read whole. A body that is no JSON object is None."""

    status: int
    body: Json | None
    retry_after: str


class Remote:
    """The API of one gateway, as one caller. `token` may be empty: then only what is public answers."""

    def __init__(self, server: Server, token: str = "") -> None:
        self.server = server
        self._token = token

    def get(self, path: str, query: Query | None = None) -> Json:
        """GET a path below `/api/v1`; parameters that are None are left out.

        Raises:
            RemoteFailed: there is no good answer.
        """
        return self._good(self._send("GET", _target(path, query)))

    def post(self, path: str, body: Mapping[str, object] | None = None, prefix: str = API) -> Json:
        """POST a JSON object, or nothing, to a path below `prefix`; where the connection breaks, once more.

        It is not done twice: both attempts carry one idempotency key.

        Raises:
            RemoteFailed: there is no good answer.
        """
        headers = {"Idempotency-Key": uuid.uuid4().hex}
        if body is None:
            return self._good(self._send("POST", _target(path, None, prefix), None, headers))
        headers["Content-Type"] = "application/json"
        return self._good(self._send("POST", _target(path, None, prefix), json.dumps(dict(body)).encode(), headers))

    def items(self, path: str, query: Query | None = None, limit: int | None = None) -> Iterator[Json]:
        """Yield the items of a list, page by page, at most `limit`.

        Raises:
            RemoteFailed: a page cannot be had.
        """
        left = limit
        cursor: str | None = None
        while left is None or left > 0:
            size = _PAGE if left is None else min(left, _PAGE)
            page = self.get(path, {**(query or {}), "limit": size, "cursor": cursor})
            found = page.get("items")
            items = [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []
            yield from items
            left = None if left is None else left - len(items)
            following = page.get("next")
            if not isinstance(following, str):
                return
            cursor = following

    def form(self, path: str, fields: Mapping[str, str]) -> tuple[int, Json]:
        """POST a form to a path of the control port, as OAuth has it; return the status and the answer, good or not.

        Raises:
            RemoteFailed: there is no answer, or none in JSON.
        """
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        reply = self._send("POST", path, urlencode(fields).encode(), headers)
        if reply.body is None and reply.status != 204:
            raise self._stranger(reply)
        return reply.status, reply.body or {}

    def _send(
        self, method: str, target: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> _Reply:
        import ssl
        from http.client import HTTPException

        sent = {"Accept": "application/json, application/problem+json", "User-Agent": "blastwall", **(headers or {})}
        if self._token:
            sent["Authorization"] = f"Bearer {self._token}"
        try:
            try:
                return self._once(method, target, body, sent)
            except ConnectionError:
                return self._once(method, target, body, sent)
        except ssl.SSLCertVerificationError as error:
            raise RemoteFailed(
                f"{self.server.url} is not the gateway that it should be: its certificate does not verify "
                f"({error.verify_message}); give its CA with --ca or BLASTWALL_CA"
            ) from None
        except TimeoutError:
            raise RemoteFailed(f"{self.server.url} did not answer within {_SECONDS} s") from None
        except (OSError, HTTPException) as error:
            reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
            raise RemoteFailed(
                f"{self.server.url} cannot be reached: {reason}; is the gateway running, and is this its control port?"
            ) from None

    def _once(self, method: str, target: str, body: bytes | None, headers: Mapping[str, str]) -> _Reply:
        connection = self._open()
        try:
            connection.request(method, target, body, dict(headers))
            return _read(connection.getresponse())
        finally:
            connection.close()

    def _open(self) -> HTTPConnection:
        from http.client import HTTPConnection, HTTPSConnection

        server = self.server
        if not server.secure:
            return HTTPConnection(server.host, server.port, timeout=_SECONDS)
        return HTTPSConnection(server.host, server.port, timeout=_SECONDS, context=server.trust())

    def _good(self, reply: _Reply) -> Json:
        if 200 <= reply.status < 300 and reply.body is not None:
            return reply.body
        if reply.status == 204:
            return {}
        if reply.body is None:
            raise self._stranger(reply)
        if isinstance(reply.body.get("error"), dict):
            raise RemoteFailed(
                f"{self.server.url} is a resource's port, or no gateway at all: it answered {reply.status} in another "
                "form than the control port's; give the control port with --server",
                status=reply.status,
            )
        said = next((str(reply.body[key]) for key in ("detail", "error", "title") if reply.body.get(key)), "")
        raise RemoteFailed(_told(reply, visible(said)), status=reply.status, problem=reply.body)

    def _stranger(self, reply: _Reply) -> RemoteFailed:
        known = "; is this gateway older than this command?" if reply.status == 404 else ""
        return RemoteFailed(
            f"{self.server.url} does not answer as a Blastwall gateway: {reply.status} without JSON{known}",
            status=reply.status,
        )


def _told(reply: _Reply, said: str) -> str:
    if reply.status == 401:
        return f"the gateway does not know you: {said or 'no valid login or token'}; run `blastwall login`"
    if reply.status == 429:
        wait = f"; wait {reply.retry_after} s" if reply.retry_after.isdecimal() else ""
        return f"the gateway asks for patience: {said or 'too many requests'}{wait}"
    return f"the gateway refused: {said or reply.status}"


def _target(path: str, query: Query | None, prefix: str = API) -> str:
    if _PATH.fullmatch(path) is None or ".." in path:
        raise RemoteFailed(f"{path.rpartition('/')[2]!r} is no name or id", MISUSED)
    given = {name: _text(value) for name, value in (query or {}).items() if value is not None}
    return prefix + path + (f"?{urlencode(given)}" if given else "")


def _text(value: str | int | bool) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _read(response: HTTPResponse) -> _Reply:
    body = response.read(_MOST_BYTES + 1)
    if len(body) > _MOST_BYTES:
        raise RemoteFailed(f"the answer is longer than {_MOST_BYTES >> 20} MiB; ask for less", status=response.status)
    try:
        found = json.loads(body)
    except ValueError:
        found = None
    retry_after = response.headers.get("Retry-After", "")
    return _Reply(response.status, found if isinstance(found, dict) else None, retry_after)


@contextmanager
def connected(server: str | None, token_file: str | None, ca: Path | None) -> Iterator[Remote]:
    """Lend the API of the gateway that the options, the environment or the last login name.

    A failure inside the block ends the command, with the gateway's reason on standard error.
    """
    found = find_server(server, ca)
    with connected_to(found, token_for(found, token_file)) as remote:
        yield remote


@contextmanager
def connected_to(server: Server, token: str = "") -> Iterator[Remote]:
    """Lend the API of `server`; a failure inside the block ends the command."""
    try:
        yield Remote(server, token)
    except RemoteFailed as error:
        fail(str(error), error.code)


def token_for(server: Server, file: str | None) -> str:
    """Return what a command acts with: `file`, BLASTWALL_TOKEN or the login at `server`; else end the command."""
    if file is not None:
        return read_token(file)
    if variable("BLASTWALL_TOKEN"):
        return as_token(variable("BLASTWALL_TOKEN"), "environment variable BLASTWALL_TOKEN")
    login = server.login
    if login is None:
        fail(f"you are not logged in at {server.url}; run `blastwall login`, or give --token-file", MISUSED)
    if time.time() >= login.ends:
        fail(f"your login at {server.url} has ended; run `blastwall login`", MISUSED)
    return login.token


def read_token(file: str) -> str:
    """Return the token in a file; `-` is standard input. The command line carries none, since everybody can read it."""
    source = "standard input" if file == "-" else f"file {file}"
    try:
        if file == "-":
            found = sys.stdin.read(_MOST_TOKEN)
        else:
            with Path(file).open(encoding="utf-8") as opened:
                found = opened.read(_MOST_TOKEN)
    except OSError as error:
        fail(f"{source} cannot be read: {error.strerror}", MISUSED)
    except UnicodeDecodeError:
        fail(f"{source} holds something else than one token", MISUSED)
    return as_token(found.strip(), source)


def as_token(found: str, source: str) -> str:
    """Return what a source holds, if it can be a token; else end the command without repeating it."""
    if not found:
        fail(f"{source} holds no token", MISUSED)
    if _TOKEN.fullmatch(found) is None:
        fail(f"{source} holds something else than one token", MISUSED)
    return found
