"""A development OIDC issuer on loopback: real documents, real keys, real tokens, and outages on demand."""

from __future__ import annotations

import json
import ssl
import tempfile
import threading
import time
import uuid
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Literal, Self

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

from blastwall.testing.certificates import CertificateAuthority
from blastwall.testing.closing import Closing
from blastwall.testing.sign_in import AUTHORIZE, TOKEN, Reply, SignIn

SigningAlgorithm = Literal["RS256", "ES256", "EdDSA"]
PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey

DISCOVERY = "/.well-known/openid-configuration"
JWKS = "/jwks"


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A private key with the id under which its public half is published."""

    kid: str
    algorithm: SigningAlgorithm
    private: PrivateKey = field(repr=False)

    @classmethod
    def generate(cls, algorithm: SigningAlgorithm) -> Self:
        """Make a key with a random id."""
        return cls(uuid.uuid4().hex[:12], algorithm, _generate(algorithm))

    @property
    def jwk(self) -> dict[str, object]:
        """The public half as the JWK that a key set holds (RFC 7517)."""
        public = self.private.public_key()
        if isinstance(public, rsa.RSAPublicKey):
            numbers = RSAAlgorithm.to_jwk(public, as_dict=True)
        elif isinstance(public, ec.EllipticCurvePublicKey):
            numbers = ECAlgorithm.to_jwk(public, as_dict=True)
        else:
            numbers = OKPAlgorithm.to_jwk(public, as_dict=True)
        numbers.pop("key_ops", None)
        return {**numbers, "kid": self.kid, "alg": self.algorithm, "use": "sig"}


class DevIssuer(Closing):
    """An issuer that signs whatever it is asked to: for tests and demos alone.

    It serves discovery and keys over http on loopback, or over https with a certificate of `authority`. `requests`
    counts what was fetched, by path.
    """

    def __init__(
        self,
        *,
        audience: str = "blastwall",
        algorithm: SigningAlgorithm = "RS256",
        authority: CertificateAuthority | None = None,
        people: Mapping[str, Mapping[str, object]] | None = None,
    ) -> None:
        """Start to serve at once; `people` may sign in, by their names with the claims of their tokens."""
        self.sign_in = SignIn(self.token, people or {})
        self.audience = audience
        self.requests: Counter[str] = Counter()
        self._key = SigningKey.generate(algorithm)
        self._published = [self._key]
        self._down = False
        self._server = _Server(self)
        self._scheme = "http"
        if authority is not None:
            self._scheme = "https"
            self._server.socket = _wrap(self._server, authority)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        """The issuer's identifier: the `iss` of its tokens."""
        return f"{self._scheme}://localhost:{self._server.server_address[1]}"

    @property
    def jwks_url(self) -> str:
        """Where its keys are."""
        return self.url + JWKS

    @property
    def jwks(self) -> dict[str, object]:
        """The key set that it publishes."""
        return {"keys": [key.jwk for key in self._published]}

    @property
    def key(self) -> SigningKey:
        """The key that signs now."""
        return self._key

    def token(
        self,
        subject: str = "agent",
        *,
        audience: str | None = None,
        lifetime: float = 600,
        issued: float | None = None,
        header: Mapping[str, object] | None = None,
        claims: Mapping[str, object] | None = None,
    ) -> str:
        """Sign a token for `subject`.

        Args:
            subject: its `sub`.
            audience: its `aud`; default: the issuer's own.
            lifetime: seconds from `issued` to `exp`; negative for an expired one.
            issued: its `iat`, seconds since the epoch; default: now.
            header: further fields of the JOSE header, or other values for its own; None removes one.
            claims: further claims, or other values for the ones above; None removes one.
        """
        now = time.time() if issued is None else issued
        payload: dict[str, object] = {
            "iss": self.url,
            "sub": subject,
            "aud": audience or self.audience,
            "iat": int(now),
            "nbf": int(now),
            "exp": int(now + lifetime),
            "jti": uuid.uuid4().hex,
            **(claims or {}),
        }
        payload = {name: value for name, value in payload.items() if value is not None}
        headers = {"kid": self._key.kid, **(header or {})}
        return jwt.encode(payload, self._key.private, self._key.algorithm, headers=headers)

    def rotate_key(self, algorithm: SigningAlgorithm | None = None, *, keep_old: bool = False) -> SigningKey:
        """Sign with a new key from now on; the old ones are no longer published unless they are kept."""
        self._key = SigningKey.generate(algorithm or self._key.algorithm)
        self._published = [*self._published, self._key] if keep_old else [self._key]
        return self._key

    @contextmanager
    def outage(self) -> Iterator[None]:
        """Answer everything with 503 inside the block."""
        self._down = True
        try:
            yield
        finally:
            self._down = False

    def close(self) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def respond(self, path: str, form: str | None = None) -> Reply:
        """Answer a GET of `path`, or a POST of a form to it."""
        place, _, query = path.partition("?")
        self.requests[place] += 1
        if self._down:
            return Reply(503, {"error": "temporarily_unavailable"})
        if place == AUTHORIZE and form is None:
            return self.sign_in.authorize(query, self.url)
        if place == TOKEN and form is not None:
            return self.sign_in.redeem(form)
        return Reply(*self._document(place))

    def _document(self, path: str) -> tuple[int, dict[str, object]]:
        if path == DISCOVERY:
            return 200, self._discovery()
        if path == JWKS:
            return 200, self.jwks
        return 404, {"error": "not_found"}

    def _discovery(self) -> dict[str, object]:
        """OpenID Connect Discovery 1.0, section 3: the required fields."""
        return {
            "issuer": self.url,
            "jwks_uri": self.jwks_url,
            "authorization_endpoint": self.url + AUTHORIZE,
            "token_endpoint": self.url + TOKEN,
            "token_endpoint_auth_methods_supported": ["none", "client_secret_post"],
            "code_challenge_methods_supported": ["S256"],
            "authorization_response_iss_parameter_supported": True,
            "response_types_supported": ["code", "id_token"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": sorted({key.algorithm for key in self._published}),
        }


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, issuer: DevIssuer) -> None:
        self.issuer = issuer
        super().__init__(("127.0.0.1", 0), _Request)

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: a client that left, or that trusts another CA, is what some tests are about."""


class _Request(BaseHTTPRequestHandler):
    server: _Server
    timeout = 5

    def do_GET(self) -> None:
        self._reply(self.server.issuer.respond(self.path))

    def do_POST(self) -> None:
        length = int(self.headers.get("Content-Length", "0"))
        self._reply(self.server.issuer.respond(self.path, self.rfile.read(length).decode()))

    def _reply(self, reply: Reply) -> None:
        body = reply.body if isinstance(reply.body, str) else json.dumps(reply.body)
        kind = "text/html; charset=utf-8" if isinstance(reply.body, str) else "application/json"
        encoded = body.encode()
        self.send_response(reply.status)
        if reply.location:
            self.send_header("Location", reply.location)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(encoded)))
        self.end_headers()
        self.wfile.write(encoded)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name for it
        """Log nothing; `DevIssuer.requests` counts."""


def _generate(algorithm: SigningAlgorithm) -> PrivateKey:
    if algorithm == "RS256":
        return rsa.generate_private_key(public_exponent=65537, key_size=2048)
    if algorithm == "ES256":
        return ec.generate_private_key(ec.SECP256R1())
    return ed25519.Ed25519PrivateKey.generate()


def _wrap(server: ThreadingHTTPServer, authority: CertificateAuthority) -> ssl.SSLSocket:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with tempfile.TemporaryDirectory() as folder:
        certificate, key = authority.issue().write(Path(folder))
        context.load_cert_chain(certificate, key)
    return context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
