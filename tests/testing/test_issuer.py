"""The development issuer's tokens verify against what it serves, and its faults are the ones asked for."""

from __future__ import annotations

import json
import ssl
import urllib.error
import urllib.request
from typing import get_args

import jwt
import pytest

from blastwall.testing.certificates import CertificateAuthority
from blastwall.testing.issuer import DISCOVERY, JWKS, DevIssuer, SigningAlgorithm


def get(url: str, authority: CertificateAuthority | None = None) -> dict[str, object]:
    context = ssl.create_default_context(cadata=authority.pem.decode()) if authority else None
    with urllib.request.urlopen(url, context=context) as response:
        document: dict[str, object] = json.load(response)
        return document


def verify(token: str, keys: dict[str, object]) -> dict[str, object]:
    key = jwt.PyJWKSet.from_dict(keys)[jwt.get_unverified_header(token)["kid"]]
    payload: dict[str, object] = jwt.decode(token, key, algorithms=[key.algorithm_name], audience="blastwall")
    return payload


@pytest.mark.parametrize("algorithm", get_args(SigningAlgorithm))
def test_a_token_verifies_with_the_published_keys(algorithm: SigningAlgorithm) -> None:
    with DevIssuer(algorithm=algorithm) as issuer:
        discovered = get(issuer.url + DISCOVERY)
        assert discovered["issuer"] == issuer.url
        claims = verify(issuer.token("ci", claims={"ref": "main"}), get(str(discovered["jwks_uri"])))
        assert (claims["sub"], claims["iss"], claims["ref"]) == ("ci", issuer.url, "main")
        assert issuer.requests == {DISCOVERY: 1, JWKS: 1}


def test_private_numbers_are_never_published() -> None:
    for algorithm in get_args(SigningAlgorithm):
        with DevIssuer(algorithm=algorithm) as issuer:
            assert set(issuer.key.jwk) <= {"kty", "kid", "alg", "use", "n", "e", "crv", "x", "y"}
            assert get(issuer.jwks_url) == {"keys": [issuer.key.jwk]}


def test_claims_and_headers_can_be_replaced_and_removed(issuer: DevIssuer) -> None:
    token = issuer.token(claims={"exp": None, "aud": ["a", "b"]}, header={"kid": "unknown"})
    claims = jwt.decode(token, options={"verify_signature": False})
    assert "exp" not in claims
    assert claims["aud"] == ["a", "b"]
    assert jwt.get_unverified_header(token)["kid"] == "unknown"


def test_a_rotated_key_replaces_the_old_one_or_joins_it(issuer: DevIssuer) -> None:
    before = issuer.token()
    issuer.rotate_key("ES256", keep_old=True)
    assert verify(before, issuer.jwks)["sub"] == verify(issuer.token(), issuer.jwks)["sub"]
    issuer.rotate_key()
    with pytest.raises(KeyError):
        verify(before, issuer.jwks)


def test_an_outage_ends_with_its_block(issuer: DevIssuer) -> None:
    with issuer.outage(), pytest.raises(urllib.error.HTTPError) as refused:
        get(issuer.jwks_url)
    refused.value.close()
    assert refused.value.code == 503
    assert get(issuer.jwks_url) == issuer.jwks


def test_over_https_only_its_own_ca_verifies_it(authority: CertificateAuthority) -> None:
    with DevIssuer(authority=authority) as issuer:
        assert get(issuer.jwks_url, authority) == issuer.jwks
        with pytest.raises(urllib.error.URLError, match="CERTIFICATE_VERIFY_FAILED"):
            get(issuer.jwks_url)
