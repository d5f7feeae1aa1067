"""A small Azure on loopback, for the real SDKs: Key Vault, managed identities, Entra's tokens, Resource Manager.

It answers as the services document it:

* Key Vault: "Authentication, requests and responses" (the challenge), "Get Secret", "Azure Key Vault throttling
  guidance" and "REST API error codes";
* managed identities: "How to use managed identities for App Service", "How to use managed identities on an Azure VM to
  acquire an access token" (the instance metadata service, IMDS);
* Entra: OpenID Connect discovery, and "OAuth 2.0 client credentials flow" with a shared secret, a certificate (its
  signature is not checked) and a federated credential;
* Resource Manager: reading one resource by its id.
"""

from __future__ import annotations

import json
import secrets
import ssl
import tempfile
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import jwt

from blastwall.testing.certificates import CertificateAuthority
from blastwall.testing.closing import Closing

TENANT = "11111111-1111-1111-1111-111111111111"
OTHER_TENANT = "22222222-2222-2222-2222-222222222222"
IDENTITY_HEADER = "an-app-service-header"
_KEY = secrets.token_bytes(32)

Document = dict[str, object]


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer: its status, its JSON body and further headers."""

    status: int
    document: Document
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Version:
    """One version of a Key Vault secret. `expires` is in seconds since the epoch."""

    value: str = field(repr=False)
    enabled: bool = True
    expires: int | None = None
    name: str = field(default_factory=lambda: uuid.uuid4().hex)


@dataclass(frozen=True, slots=True)
class Granted:
    """A token that was made: for whom, for what, until when."""

    tenant: str
    client: str
    audience: str
    made: float
    ends: float

    @property
    def ended(self) -> bool:
        """Whether it is worth nothing any more."""
        return self.ends <= time.time()


class AzureServer(Closing):
    """Serves until it is closed. `requests` counts what was asked: "vault", "imds", "app-service", "entra", "arm".

    Args:
        authority: signs the certificate of the https half.
        tenant: the tenant of the vault.
        granted: is told every token and its audience before it is given out, for a database that shall accept it.
    """

    def __init__(
        self,
        authority: CertificateAuthority,
        *,
        tenant: str = TENANT,
        granted: Callable[[str, str], None] | None = None,
    ) -> None:
        self.tenant = tenant
        self.requests: Counter[str] = Counter()
        self.claims: list[str] = []
        """What token requests asked to be in the tokens, as JSON; "" for nothing in particular."""
        self.secrets: dict[str, list[Version]] = {}
        self.readers: set[str] | None = None
        """Clients that may read secrets; None for all."""
        self.identities: set[str] = set()
        """Client ids of the user-assigned identities of this machine."""
        self.client_secrets: dict[str, str] = {}
        self.federated: dict[str, str] = {}
        """The federated token that each client's assertion must be."""
        self.assertions: list[str] = []
        self.resources: dict[str, Document] = {}
        """What Resource Manager has, by lower-case id."""
        self.lifetime = 3600.0
        self._granted = granted
        self._tokens: dict[str, Granted] = {}
        self._down: set[str] = set()
        self._throttled: dict[str, tuple[int, float]] = {}
        self._secure = _serve(self, "https", authority)
        self._plain = _serve(self, "http", None)

    # ── where it is ──────────────────────────────────────────────────────────────────────────────────────────────────

    @property
    def url(self) -> str:
        """The https half: Key Vault, Entra, Resource Manager. By address: names below localhost resolve nowhere."""
        return f"https://127.0.0.1:{self._secure.server_address[1]}"

    def secret_url(self, name: str, version: str = "") -> str:
        """Return the URL of a secret, or of one version."""
        return f"{self.url}/secrets/{name}" + (f"/{version}" if version else "")

    @property
    def app_service(self) -> dict[str, str]:
        """The environment of an App Service with a managed identity."""
        return {"IDENTITY_ENDPOINT": f"{self._plain_url}/msi/token", "IDENTITY_HEADER": IDENTITY_HEADER}

    @property
    def virtual_machine(self) -> dict[str, str]:
        """The environment that moves the instance metadata service here."""
        return {"AZURE_POD_IDENTITY_AUTHORITY_HOST": self._plain_url}

    @property
    def _plain_url(self) -> str:
        return f"http://127.0.0.1:{self._plain.server_address[1]}"

    # ── what it has ──────────────────────────────────────────────────────────────────────────────────────────────────

    def put(self, name: str, value: str, *, enabled: bool = True, expires: int | None = None) -> Version:
        """Make a new version of a secret."""
        version = Version(value, enabled, expires)
        self.secrets.setdefault(name, []).append(version)
        return version

    @property
    def tokens(self) -> tuple[str, ...]:
        """Every token that was given out, the oldest first."""
        return tuple(self._tokens)

    def made(self, token: str) -> Granted | None:
        """Return for whom a token was made; None where it is not one of ours."""
        return self._tokens.get(token)

    @contextmanager
    def outage(self, *parts: str) -> Iterator[None]:
        """Answer 503 for these parts inside the block."""
        self._down |= set(parts)
        try:
            yield
        finally:
            self._down -= set(parts)

    def throttle(self, part: str, times: int, retry_after: float) -> None:
        """Answer 429 the next `times`, asking for a pause of so many seconds."""
        self._throttled[part] = (times, retry_after)

    def close(self) -> None:
        """Stop serving."""
        for server in (self._secure, self._plain):
            server.shutdown()
            server.server_close()

    # ── what it answers ──────────────────────────────────────────────────────────────────────────────────────────────

    def respond(self, request: Asked) -> Reply:
        """Answer a request."""
        part, answer = self._route(request)
        self.requests[part] += 1
        if part in self._down:
            return Reply(503, {"error": {"code": "ServiceUnavailable", "message": "try again"}})
        times, pause = self._throttled.get(part, (0, 0.0))
        if times:
            self._throttled[part] = (times - 1, pause)
            return Reply(429, {"error": {"code": "Throttled", "message": "slow down"}}, {"Retry-After": f"{pause:g}"})
        return answer(request)

    def _route(self, request: Asked) -> tuple[str, Callable[[Asked], Reply]]:
        path = request.path
        if request.secure and path.startswith("/secrets/"):
            return "vault", self._vault
        if request.secure and path.endswith("/oauth2/v2.0/token"):
            return "entra", self._entra
        if request.secure and path.endswith("/v2.0/.well-known/openid-configuration"):
            return "discovery", self._discovery
        if request.secure and path.startswith("/subscriptions/"):
            return "arm", self._arm
        if path == "/metadata/identity/oauth2/token":
            return "imds", self._imds
        if path == "/msi/token":
            return "app-service", self._app_service
        return "nothing", lambda _: Reply(404, {"error": "not_found"})

    def _grant(self, tenant: str, client: str, audience: str) -> tuple[str, Granted]:
        now = time.time()
        grant = Granted(tenant, client, audience, now, now + self.lifetime)
        claims = {"aud": audience, "iss": f"https://sts.windows.net/{tenant}/", "tid": tenant, "appid": client}
        times = {"iat": int(now), "nbf": int(now), "exp": int(grant.ends)}
        token = jwt.encode({**claims, **times, "uti": uuid.uuid4().hex, "pad": "x" * 900}, _KEY, "HS256")
        if self._granted is not None:
            self._granted(token, audience)
        self._tokens[token] = grant
        return token, grant

    # ── managed identities ───────────────────────────────────────────────────────────────────────────────────────────

    def _imds(self, request: Asked) -> Reply:
        if request.headers.get("metadata", "").lower() != "true":
            return _invalid("Required metadata header not specified")
        return self._identity(request, "2018-02-01")

    def _app_service(self, request: Asked) -> Reply:
        if request.headers.get("x-identity-header") != IDENTITY_HEADER:
            return Reply(401, {"statusCode": 401, "message": "the header X-IDENTITY-HEADER is wrong"})
        return self._identity(request, "2019-08-01")

    def _identity(self, request: Asked, version: str) -> Reply:
        if request.query.get("api-version") != version or "resource" not in request.query:
            return _invalid("api-version or resource")
        client = request.query.get("client_id", "system-assigned")
        if client != "system-assigned" and client not in self.identities:
            return _invalid("Identity not found")
        token, grant = self._grant(self.tenant, client, request.query["resource"])
        return Reply(
            200,
            {
                "access_token": token,
                "client_id": client,
                "expires_in": str(int(self.lifetime)),
                "expires_on": str(int(grant.ends)),
                "resource": grant.audience,
                "token_type": "Bearer",
            },
        )

    # ── Entra ────────────────────────────────────────────────────────────────────────────────────────────────────────

    def _discovery(self, request: Asked) -> Reply:
        tenant = request.path.split("/")[1]
        base = f"{self.url}/{tenant}"
        endpoints: Document = {
            "issuer": f"{base}/v2.0",
            "authorization_endpoint": f"{base}/oauth2/v2.0/authorize",
            "token_endpoint": f"{base}/oauth2/v2.0/token",
            "jwks_uri": f"{base}/discovery/v2.0/keys",
            "response_types_supported": ["code"],
            "subject_types_supported": ["pairwise"],
            "id_token_signing_alg_values_supported": ["RS256"],
        }
        return Reply(200, endpoints)

    def _entra(self, request: Asked) -> Reply:
        tenant, form = request.path.split("/")[1], request.form
        client = form.get("client_id", "")
        if tenant not in {self.tenant, OTHER_TENANT}:
            return _aadsts(400, 90002, "invalid_request", f"Tenant '{tenant}' not found.")
        if form.get("grant_type") != "client_credentials" or not form.get("scope", "").endswith("/.default"):
            return _aadsts(400, 900144, "invalid_request", "The request body must contain grant_type and scope.")
        refused = self._assertion(client, form) if "client_assertion" in form else self._secret(client, form)
        if refused is not None:
            return refused
        self.claims.append(form.get("claims", ""))
        token, _ = self._grant(tenant, client, form["scope"].removesuffix("/.default"))
        return Reply(200, {"token_type": "Bearer", "expires_in": int(self.lifetime), "access_token": token})

    def _assertion(self, client: str, form: Mapping[str, str]) -> Reply | None:
        if form.get("client_assertion_type") != "urn:ietf:params:oauth:client-assertion-type:jwt-bearer":
            return _aadsts(400, 900144, "invalid_request", "client_assertion_type")
        self.assertions.append(form["client_assertion"])
        if client in self.federated and form["client_assertion"] != self.federated[client]:
            return _aadsts(401, 700213, "invalid_client", "No matching federated identity record found.")
        return None

    def _secret(self, client: str, form: Mapping[str, str]) -> Reply | None:
        if client not in self.client_secrets:
            return _aadsts(400, 700016, "unauthorized_client", f"Application '{client}' was not found.")
        if form.get("client_secret") != self.client_secrets[client]:
            return _aadsts(401, 7000215, "invalid_client", "Invalid client secret provided.")
        return None

    # ── Key Vault ────────────────────────────────────────────────────────────────────────────────────────────────────

    def _vault(self, request: Asked) -> Reply:
        # The SDK wants the vault's host to end in "." and the resource's: an address's tail serves on loopback.
        resource = self.url.replace("127.0.0.1", "0.0.1")
        grant = self._tokens.get(request.headers.get("authorization", "").removeprefix("Bearer "))
        if grant is None or grant.ended or grant.audience != resource:
            challenge = f'Bearer authorization="https://login.microsoftonline.com/{self.tenant}", resource="{resource}"'
            body = _error("Unauthorized", "AKV10000: Request is missing a Bearer or PoP token.")
            return Reply(401, body, {"WWW-Authenticate": challenge})
        if grant.tenant != self.tenant:
            return Reply(401, _error("Unauthorized", "AKV10032: Invalid issuer. Expected one of …"))
        if self.readers is not None and grant.client not in self.readers:
            return Reply(403, _error("Forbidden", "Caller is not authorized.", "ForbiddenByRbac"))
        if "api-version" not in request.query:
            return Reply(400, _error("BadParameter", "api-version must be specified"))
        _, _, name, *wanted = request.path.rstrip("/").split("/")
        return self._version(name, wanted[0] if wanted else "")

    def _version(self, name: str, wanted: str) -> Reply:
        versions = [one for one in self.secrets.get(name, []) if wanted in ("", one.name)]
        if not versions:
            return Reply(404, _error("SecretNotFound", f"A secret with (name/id) {name} was not found."))
        found = versions[-1]
        if not found.enabled:
            return Reply(
                403, _error("Forbidden", "Operation get is not allowed on a disabled secret.", "SecretDisabled")
            )
        attributes: Document = {"enabled": True, "created": 1, "updated": 1, "recoveryLevel": "Recoverable"}
        if found.expires is not None:
            attributes["exp"] = found.expires
        return Reply(200, {"value": found.value, "id": self.secret_url(name, found.name), "attributes": attributes})

    # ── Resource Manager ─────────────────────────────────────────────────────────────────────────────────────────────

    def _arm(self, request: Asked) -> Reply:
        grant = self._tokens.get(request.headers.get("authorization", "").removeprefix("Bearer "))
        if grant is None or grant.audience != self.url:
            return Reply(401, _error("AuthenticationFailed", "Authentication failed."))
        found = self.resources.get(request.path.lower())
        if found is None:
            return Reply(404, _error("ResourceNotFound", "The Resource was not found."))
        return Reply(200, found)


def _error(code: str, message: str, inner: str = "") -> Document:
    return {"error": {"code": code, "message": message, **({"innererror": {"code": inner}} if inner else {})}}


def _invalid(description: str) -> Reply:
    return Reply(400, {"error": "invalid_request", "error_description": description})


def _aadsts(status: int, code: int, error: str, description: str) -> Reply:
    return Reply(status, {"error": error, "error_description": f"AADSTS{code}: {description}", "error_codes": [code]})


# ── HTTP ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Asked:
    """A request; header names are in lower case."""

    secure: bool
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    form: Mapping[str, str]


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, azure: AzureServer, *, secure: bool) -> None:
        self.azure = azure
        self.secure = secure
        super().__init__(("127.0.0.1", 0), _Request)

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: a client that left, or that trusts another CA, is what some tests are about."""


class _Request(BaseHTTPRequestHandler):
    server: _Server
    timeout = 5

    def do_GET(self) -> None:
        self._answer({})

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", "0"))).decode()
        self._answer({name: values[0] for name, values in parse_qs(body).items()})

    def _answer(self, form: Mapping[str, str]) -> None:
        parts = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        headers = {name.lower(): value for name, value in self.headers.items()}
        reply = self.server.azure.respond(Asked(self.server.secure, parts.path, query, headers, form))
        body = json.dumps(reply.document).encode()
        self.send_response(reply.status)
        for name, value in {"Content-Type": "application/json", **reply.headers}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name for it
        """Log nothing; `AzureServer.requests` counts."""


def _serve(azure: AzureServer, scheme: str, authority: CertificateAuthority | None) -> _Server:
    server = _Server(azure, secure=scheme == "https")
    if authority is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        with tempfile.TemporaryDirectory() as folder:
            context.load_cert_chain(*authority.issue().write(Path(folder)))
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    return server
