"""Where keys come from, and where an issuer cannot send the gateway."""

from __future__ import annotations

import os
import socket
from ipaddress import ip_address
from pathlib import Path

import pytest
from aiohttp import web
from tests.identity.conftest import HERE, PG, MakeIdentity, an_issuer
from tests.identity.issuer import LoopbackIssuer, jwks, rsa_key

from blastwall.identity.fetching import MAX_BYTES, Reach, fetch
from blastwall.identity.keys import KeysUnavailable, read_keys
from blastwall.identity.loaders import FileLoader, loader_for
from blastwall.identity.strictjson import Malformed


async def test_discovery_finds_the_keys(issuer: LoopbackIssuer) -> None:
    assert [key.kid for key in await loader_for(an_issuer(issuer.url)).load()] == ["rsa-1"]
    assert issuer.requests == ["/.well-known/openid-configuration", "/keys"]


async def test_a_url_is_asked_directly(issuer: LoopbackIssuer) -> None:
    assert await loader_for(an_issuer("https://elsewhere.example", jwks=f"{issuer.url}/keys")).load()
    assert issuer.requests == ["/keys"]


@pytest.mark.parametrize(
    ("document", "why"),
    [
        ({"issuer": "https://evil.example"}, "not exactly the configured one"),
        ({"issuer": None}, "not exactly the configured one"),
        ({"jwks_uri": None}, "no `jwks_uri`"),
        ({"jwks_uri": ["x"]}, "no `jwks_uri`"),
        ({"jwks_uri": "file:///etc/passwd"}, "must name a host"),
        ({"jwks_uri": "http://93.184.216.34/keys"}, "not https"),
        ({"jwks_uri": "http://public.example/keys"}, "not https"),
        ({"jwks_uri": "gopher://public.example/keys"}, "not https"),
        ({"jwks_uri": "https://user:pass@127.0.0.1/keys"}, "without user information"),
        ({"jwks_uri": "https://169.254.169.254/metadata"}, "may not send"),
        ({"jwks_uri": "https://10.0.0.5/keys"}, "may not send"),
        ({"jwks_uri": "https://[fd00::1]/keys"}, "may not send"),
        ({"jwks_uri": "https://[::ffff:10.0.0.5]/keys"}, "may not send"),
        ({"jwks_uri": "https://[64:ff9b::a9fe:a9fe]/keys"}, "may not send"),
        ({"jwks_uri": "https://0.0.0.0/keys"}, "may not send"),
        ({"jwks_uri": "https://[::1"}, "cannot be read"),
        ({"jwks_uri": "https://127.1:1/keys"}, "not a canonical"),
    ],
)
async def test_a_discovery_document_that_leads_astray(
    issuer: LoopbackIssuer, document: dict[str, object], why: str
) -> None:
    issuer.discovery = document
    with pytest.raises(KeysUnavailable, match=why):
        await loader_for(an_issuer(issuer.url)).load()
    assert issuer.fetched() == 0


def test_an_issuer_elsewhere_never_reaches_this_machine() -> None:
    reach = Reach("issuer.example")
    for host in ("127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]"):
        with pytest.raises(KeysUnavailable, match="may not send"):
            reach.check_url(f"https://{host}/")
        with pytest.raises(KeysUnavailable, match="not https"):
            reach.check_url(f"http://{host}/")
    for host, address, permitted in (
        ("issuer.example", "10.1.2.3", True),  # the operator named it: an issuer inside the network
        ("issuer.example", "127.0.0.1", False),
        ("issuer.example", "169.254.169.254", False),
        ("issuer.example", "fe80::1", False),
        ("issuer.example", "::ffff:169.254.169.254", False),
        ("keys.example", "93.184.216.34", True),
        ("keys.example", "2606:2800:220:1::1", True),
        ("keys.example", "10.1.2.3", False),
        ("keys.example", "100.64.0.1", False),
        ("keys.example", "64:ff9b::a9fe:a9fe", False),
        ("keys.example", "2002:a00:1::", False),
        ("localhost", "127.0.0.1", False),
        ("localhost", "10.0.0.1", False),
    ):
        assert reach.permits(host, ip_address(address)) is permitted, (host, address)


@pytest.mark.parametrize("address", ["127.0.0.1", "169.254.169.254", "10.0.0.1"])
async def test_a_name_is_judged_by_the_address_that_would_be_dialled(
    issuer: LoopbackIssuer, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    """A thief's name server may answer with whatever address it likes."""

    def answer(host: str, port: int, *args: object, **kwargs: object) -> list[object]:
        assert host == "keys.example"
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))]

    port = issuer.url.rpartition(":")[2]
    monkeypatch.setattr(socket, "getaddrinfo", answer)
    with pytest.raises(KeysUnavailable, match="may not send"):
        await fetch(f"https://keys.example:{port}/keys", Reach("issuer.example"))
    assert not issuer.requests


@pytest.mark.parametrize(
    ("response", "why"),
    [
        (lambda url: web.Response(status=302, headers={"Location": f"{url}/elsewhere"}), "answered 302"),
        (lambda url: web.Response(status=500), "answered 500"),
        (lambda url: web.Response(body=b" " * (MAX_BYTES + 1)), "more than"),
        (lambda url: web.Response(body=b"x", headers={"Content-Encoding": "gzip"}), "encoding"),
        (lambda url: web.Response(text="[]"), "not a JSON object"),
        (lambda url: web.Response(text='{"keys": {}}'), "a list"),
        (lambda url: web.Response(text='{"keys": []}'), "holds no key"),
        (lambda url: web.Response(text="[" * 100_000), "not JSON"),
        (lambda url: web.Response(body=b"\xff"), "not JSON"),
    ],
)
async def test_an_answer_that_is_no_key_set(issuer: LoopbackIssuer, response: object, why: str) -> None:
    assert callable(response)
    issuer.keys_response = response(issuer.url)
    with pytest.raises(KeysUnavailable, match=why):
        await loader_for(an_issuer(issuer.url)).load()
    assert "/elsewhere" not in issuer.requests


async def test_the_environments_proxy_is_not_used(issuer: LoopbackIssuer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    assert await loader_for(an_issuer(issuer.url)).load()


async def test_a_key_file_is_read_again_when_it_changes(
    make_identity: MakeIdentity, issuer: LoopbackIssuer, tmp_path: Path
) -> None:
    path = tmp_path / "keys.json"
    path.write_text(jwks(rsa_key().jwk()))
    identity = make_identity([an_issuer(issuer.url, jwks=f"file:{path}")])
    token = issuer.token()
    assert await identity.identify(token, PG, HERE)
    replacement = tmp_path / "new.json"
    replacement.write_text(jwks(rsa_key("rsa-2").jwk()))
    os.replace(replacement, path)  # noqa: PTH105 - the rename is what is tested
    with pytest.raises(Exception, match="unknown to its issuer"):
        await identity.identify(token, PG, HERE)
    assert await identity.identify(issuer.token(key=rsa_key("rsa-2")), PG, HERE)


async def test_a_key_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(KeysUnavailable, match=r"keys\.json cannot be read"):
        await FileLoader(tmp_path / "keys.json").load()


def test_a_key_set_keeps_what_it_understands() -> None:
    unknown = {"kty": "new", "kid": "x"}
    secret = {"kty": "oct", "k": "c2VjcmV0", "kid": "s"}
    broken = {"kty": "RSA", "n": "!", "e": "AQAB", "kid": "b"}
    assert [key.kid for key in read_keys(jwks(unknown, secret, broken, rsa_key().jwk()).encode())] == ["rsa-1"]


def test_a_key_set_is_bounded() -> None:
    with pytest.raises(Malformed, match="at most 64"):
        read_keys(jwks(*[{"kty": "new"}] * 65).encode())
