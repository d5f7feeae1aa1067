"""The managed-identity protocols on this machine: Azure's clients ask here, and get gateway tokens.

| protocol | request | what proves that it is meant |
| --- | --- | --- |
| App Service | GET `/msi/token?resource=…` | `X-IDENTITY-HEADER`, an unguessable value |
| metadata service (IMDS) | GET `/KEY/metadata/identity/oauth2/token?resource=…` | KEY, and `Metadata: true` |
| Cloud Shell | POST `/KEY/cloud-shell`, a form with `resource` | KEY, and `Metadata: true` |

`KEY` is unguessable, too. Where the metadata service is asked for as it is (`open_metadata`), its path needs none.

A request that a browser or a server was talked into is refused: one for another host than this is (a name that was
rebound to loopback), one that came through a proxy, one that names the page it comes from, and one without the header
field that no such request can carry.
"""

from __future__ import annotations

import hmac
import secrets
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TYPE_CHECKING, cast

from blastwall.connecting.peers import Connection, can_tell, is_ours
from blastwall.connecting.proofs import NoProof, Proofs

if TYPE_CHECKING:
    from aiohttp import web

APP_SERVICE = "/msi/token"
METADATA = "/metadata/identity/oauth2/token"
CLOUD_SHELL = "/cloud-shell"
LOOPBACK = frozenset({"127.0.0.1", "localhost", "[::1]"})

_FORBIDDEN = ("X-Forwarded-For", "X-Forwarded-Host", "Forwarded", "Via", "Origin", "Referer")
_FOREIGN = frozenset({"cross-site", "same-site", "same-origin"})
_MOST_BYTES = 16 << 10
_MOST_RESOURCES = 64
_LONGEST_RESOURCE = 2048
_KEY_BYTES = 24

Tokens = Callable[[str], Proofs]
"""Gives what is asked for a resource: gateway tokens, kept fresh."""


class _Refused(Exception):
    def __init__(self, status: int, error: str, text: str) -> None:
        super().__init__(text)
        self.status = status
        self.error = error


class ManagedIdentity:
    """Serves the protocols.

    Args:
        tokens: gives the tokens for what a client asks for.
        header: what `X-IDENTITY-HEADER` must be; default: a fresh unguessable value.
        names: by which further host names, without a port, clients may ask.
        open_metadata: serve the metadata service's own path, to whoever reaches this port.
        mine: whether only this user's programs may ask, where the system tells whose a connection is.
        said: called with what the person at the terminal should know.
    """

    def __init__(
        self,
        tokens: Tokens,
        *,
        header: str = "",
        names: tuple[str, ...] = (),
        open_metadata: bool = False,
        mine: bool = True,
        said: Callable[[str], None],
    ) -> None:
        self._tokens = tokens
        self._names = LOOPBACK | {name.lower() for name in names}
        self._shown = names
        self._open_metadata = open_metadata
        self._mine = mine
        self._said = said
        self._kept: OrderedDict[str, Proofs] = OrderedDict()
        self._runner: web.AppRunner | None = None
        self._key = secrets.token_urlsafe(_KEY_BYTES)
        self.header = header or secrets.token_urlsafe(_KEY_BYTES)
        self.host, self.port = "127.0.0.1", 0

    @property
    def root(self) -> str:
        """Where it is reached on this machine."""
        return f"http://{self.host}:{self.port}"

    @property
    def endpoint(self) -> str:
        """`IDENTITY_ENDPOINT`."""
        return self.root + APP_SERVICE

    @property
    def metadata(self) -> str:
        """What stands in place of `http://169.254.169.254`: `AZURE_POD_IDENTITY_AUTHORITY_HOST`."""
        return self.root if self._open_metadata else f"{self.root}/{self._key}"

    @property
    def cloud_shell(self) -> str:
        """`MSI_ENDPOINT`."""
        return f"{self.root}/{self._key}{CLOUD_SHELL}"

    async def open(self, host: str, port: int) -> None:
        """Begin to listen; port 0 takes a free one. Afterwards `host` and `port` say where.

        Raises:
            OSError: it cannot.
        """
        from aiohttp import web

        application = web.Application(client_max_size=_MOST_BYTES)
        application.router.add_get(APP_SERVICE, self._guarded(self._app_service))
        application.router.add_get(f"/{self._key}{METADATA}", self._guarded(self._metadata))
        application.router.add_post(f"/{self._key}{CLOUD_SHELL}", self._guarded(self._cloud_shell))
        if self._open_metadata:
            application.router.add_get(METADATA, self._guarded(self._metadata))
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=1.0)
        await self._runner.setup()
        await web.TCPSite(self._runner, host, port).start()
        self.port = int(self._runner.addresses[0][1])
        bound = f"[{host}]" if ":" in host else host
        self.host = bound if bound in LOOPBACK or not self._shown else self._shown[0]

    async def close(self) -> None:
        """Stop listening."""
        if self._runner is not None:
            await self._runner.cleanup()

    # ── who asks ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def _guarded(
        self, answer: Callable[[web.Request], Awaitable[str]]
    ) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        """Answer with a token for the resource that `answer` finds a good request to name."""
        from aiohttp import web

        async def handle(request: web.Request) -> web.StreamResponse:
            try:
                self._check(request)
                return web.json_response(await self._token(await answer(request)), headers=_PRIVATE)
            except _Refused as refused:
                body = _fault(refused.status, refused.error, str(refused))
                return web.json_response(body, status=refused.status, headers=_PRIVATE)

        return handle

    def _check(self, request: web.Request) -> None:
        """Let a request go on that a program of this machine made for itself.

        Raises:
            _Refused: it is anything else.
        """
        if self._mine and not self._is_mine(request):
            self._said("a request of another user of this machine was refused: the identity is for you alone")
            raise _Refused(403, "unauthorized_client", "this identity is another user's")
        if not self._is_for_us(request.headers.getall("Host", [])):
            raise _Refused(403, "invalid_request", "the request is for another host (Host)")
        shown = next((name for name in _FORBIDDEN if name in request.headers), None)
        if shown is not None or request.headers.get("Sec-Fetch-Site", "none") in _FOREIGN:
            what = shown if shown is not None else "Sec-Fetch-Site"
            raise _Refused(403, "invalid_request", f"requests that were passed on are refused ({what})")

    def _is_mine(self, request: web.Request) -> bool:
        if not can_tell():
            return True
        transport = request.transport
        with suppress(OSError):
            return transport is not None and is_ours(cast("Connection", transport.get_extra_info("socket")))
        return False

    def _is_for_us(self, hosts: list[str]) -> bool:
        if len(hosts) != 1:
            return False
        host, colon, port = hosts[0].lower().rpartition(":")
        if not colon or port.endswith("]"):
            host, port = hosts[0].lower(), "80"
        return host in self._names and port == str(self.port)

    async def _app_service(self, request: web.Request) -> str:
        """https://learn.microsoft.com/azure/app-service/overview-managed-identity#rest-endpoint-reference."""
        shown = request.headers.get("X-IDENTITY-HEADER", "")
        if not hmac.compare_digest(shown.encode(errors="surrogateescape"), self.header.encode()):
            raise _Refused(401, "unauthorized_client", "X-IDENTITY-HEADER is missing or another one's")
        return _resource(request.query.get("resource"))

    async def _metadata(self, request: web.Request) -> str:
        """https://learn.microsoft.com/entra/identity/managed-identities-azure-resources/how-to-use-vm-token."""
        _check_metadata(request)
        return _resource(request.query.get("resource"))

    async def _cloud_shell(self, request: web.Request) -> str:
        _check_metadata(request)
        value = (await request.post()).get("resource")
        return _resource(value if isinstance(value, str) else None)

    # ── tokens ───────────────────────────────────────────────────────────────────────────────────────────────────────

    async def _token(self, resource: str) -> dict[str, str]:
        try:
            proof = await self._proofs(resource).proof()
        except NoProof as error:
            status, kind = (503, "temporarily_unavailable") if error.passing else (400, "invalid_resource")
            raise _Refused(status, kind, str(error)) from None
        now = int(time.time())
        return {
            "access_token": proof.secret,
            "expires_in": str(max(0, int(proof.ends) - now)),
            "expires_on": str(int(proof.ends)),
            "not_before": str(now),
            "resource": resource,
            "token_type": "Bearer",
        }

    def _proofs(self, resource: str) -> Proofs:
        """Return the tokens for a resource; those that were asked for longest ago are forgotten."""
        proofs = self._kept.pop(resource, None) or self._tokens(resource)
        self._kept[resource] = proofs
        if len(self._kept) > _MOST_RESOURCES:
            self._kept.popitem(last=False)
        return proofs


_PRIVATE = {"Cache-Control": "no-store"}


def _check_metadata(request: web.Request) -> None:
    if request.headers.get("Metadata", "").lower() != "true":
        raise _Refused(400, "invalid_request", "the header field Metadata: true is required")


def _resource(value: str | None) -> str:
    if not value or len(value) > _LONGEST_RESOURCE or not value.isascii() or not value.isprintable() or " " in value:
        raise _Refused(400, "invalid_request", "say for which `resource` the token is wanted")
    return value


def _fault(status: int, error: str, text: str) -> dict[str, object]:
    """Return an error in the words of all these protocols at once: clients print what they know of it."""
    return {"error": error, "error_description": text, "message": text, "statusCode": status}
