"""A small OIDC issuer on loopback for tests: real HTTP, real keys, real signatures, and whatever must go wrong."""

from __future__ import annotations

import asyncio
import base64
import json
import uuid
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import cache

import jwt
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

Private = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey


class Clock:
    """The time, as tests move it; the gateway's wall clock was set by `jump` seconds."""

    def __init__(self, at: float = 1_790_000_000.0) -> None:
        self.at = at
        self.jump = 0.0

    def __call__(self) -> float:
        """The true time, which issuers know and a steady clock measures."""
        return self.at

    def wall(self) -> float:
        """What the gateway's wall clock says."""
        return self.at + self.jump


@dataclass(frozen=True)
class SigningKey:
    """One key pair of an issuer."""

    kid: str
    algorithm: str
    private: Private = field(repr=False)

    def jwk(self, **more: object) -> dict[str, object]:
        public = self.private.public_key()
        if isinstance(public, rsa.RSAPublicKey):
            found = RSAAlgorithm.to_jwk(public, as_dict=True)
        elif isinstance(public, ec.EllipticCurvePublicKey):
            found = ECAlgorithm.to_jwk(public, as_dict=True)
        else:
            found = OKPAlgorithm.to_jwk(public, as_dict=True)
        return {**found, "kid": self.kid, "use": "sig", **more}

    def sign(self, claims: Mapping[str, object], header: Mapping[str, object] | None = None) -> bytes:
        """Sign claims; `header` adds to or replaces the usual header, None there takes a name out."""
        merged = {"kid": self.kid, **(header or {})}
        signed = jwt.encode(dict(claims), self.private, self.algorithm, headers={k: v for k, v in merged.items() if v})
        return signed.encode()

    def sign_raw(self, header: bytes, body: bytes) -> bytes:
        """Sign what no library would write, with RS256."""
        assert isinstance(self.private, rsa.RSAPrivateKey)
        signed = base64url(header) + b"." + base64url(body)
        return signed + b"." + base64url(self.private.sign(signed, padding.PKCS1v15(), SHA256()))


@cache
def rsa_key(kid: str = "rsa-1", bits: int = 2048) -> SigningKey:
    return SigningKey(kid, "RS256", rsa.generate_private_key(65537, bits))


@cache
def ec_key(kid: str = "ec-1") -> SigningKey:
    return SigningKey(kid, "ES256", ec.generate_private_key(ec.SECP256R1()))


@cache
def ed_key(kid: str = "ed-1") -> SigningKey:
    return SigningKey(kid, "EdDSA", ed25519.Ed25519PrivateKey.generate())


def jwks(*keys: Mapping[str, object]) -> str:
    return json.dumps({"keys": list(keys)})


def base64url(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")


@dataclass
class LoopbackIssuer:
    """The issuer's state; tests change it to misbehave. `requests` lists the paths asked for."""

    clock: Clock
    url: str = ""
    keys: list[SigningKey] = field(default_factory=lambda: [rsa_key()])
    requests: list[str] = field(default_factory=list)
    discovery: dict[str, object] = field(default_factory=dict)
    keys_response: web.Response | None = None
    down: bool = False
    gate: asyncio.Event | None = None

    def claims(self, **more: object) -> dict[str, object]:
        """Return good claims for the audience `blastwall`; a value of None takes a claim out."""
        now = int(self.clock())
        good: dict[str, object] = {
            "iss": self.url,
            "aud": "blastwall",
            "sub": "repo:acme/shop:ref:refs/heads/main",
            "jti": str(uuid.uuid4()),
            "iat": now,
            "nbf": now,
            "exp": now + 600,
            "repository_id": "123",
            "ref": "refs/heads/main",
        }
        return {name: value for name, value in {**good, **more}.items() if value is not None}

    def token(
        self, key: SigningKey | None = None, header: Mapping[str, object] | None = None, **claims: object
    ) -> bytes:
        return (key or self.keys[0]).sign(self.claims(**claims), header)

    async def _discover(self, request: web.Request) -> web.Response:
        self.requests.append(request.path)
        if self.down:
            return web.Response(status=503)
        return web.json_response({"issuer": self.url, "jwks_uri": f"{self.url}/keys", **self.discovery})

    async def _keys(self, request: web.Request) -> web.StreamResponse:
        self.requests.append(request.path)
        if self.gate is not None:
            await self.gate.wait()
        if self.down:
            return web.Response(status=503)
        if self.keys_response is not None:
            return self.keys_response
        return web.Response(text=jwks(*(key.jwk() for key in self.keys)), content_type="application/json")

    def fetched(self) -> int:
        """How often the keys were asked for."""
        return self.requests.count("/keys")


@asynccontextmanager
async def running_issuer(clock: Clock) -> AsyncIterator[LoopbackIssuer]:
    """Serve an issuer on a free port of loopback."""
    issuer = LoopbackIssuer(clock)
    app = web.Application()
    app.router.add_get("/.well-known/openid-configuration", issuer._discover)
    app.router.add_get("/keys", issuer._keys)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    issuer.url = f"http://{host}:{port}"
    try:
        yield issuer
    finally:
        await runner.cleanup()
