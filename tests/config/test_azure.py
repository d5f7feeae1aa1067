"""Identities, tokens and Key Vault secrets in the configuration: what is missing, left over, or would leak."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from blastwall.config.model import Configuration

Refused = Callable[[str], list[str]]
Accepted = Callable[[str], Configuration]

PASSWORD = "password: {env: SHOP_PASSWORD}"
VAULT = "https://v.vault.azure.net/secrets/pg"


def with_credential(small: str, credential: str) -> str:
    assert PASSWORD in small
    return small.replace(PASSWORD, credential)


def test_a_kind_alone_stands_for_an_identity(accepted: Accepted, small: str) -> None:
    (credential,) = accepted(with_credential(small, "entra: workload-identity")).resources[0].credentials
    assert credential.entra is not None
    assert (credential.entra.identity, credential.entra.scope) == (
        "workload-identity",
        "https://tapes.example/.default",
    )


def test_a_key_vault_secret(accepted: Accepted, small: str) -> None:
    (credential,) = (
        accepted(with_credential(small, f"password: {{keyvault: '{VAULT}', refresh: 1m}}")).resources[0].credentials
    )
    assert credential.password is not None
    assert credential.password.keyvault == VAULT
    assert credential.password.vault_identity.identity == "managed-identity"


@pytest.mark.parametrize("tls", ["disable", "require", "verify-ca"])
def test_a_token_goes_to_a_verified_resource_only(refused: Refused, small: str, tls: str) -> None:
    text = with_credential(small, "entra: managed-identity").replace("upstream: {", f"upstream: {{tls: {tls}, ")
    (problem,) = refused(text)
    assert f"this one's `tls` is {tls}; use verify-full" in problem


@pytest.mark.parametrize(
    ("credential", "said"),
    [
        ("entra: managed-identitty", "expects one of managed-identity, workload-identity"),
        (f"{PASSWORD}, entra: managed-identity", "give either `password` or `entra`"),
        ("for: []", "give either `password` or `entra`"),
        ("entra: {identity: client-secret, tenant: t}", "client-secret needs `client_id`, `secret`"),
        ("entra: {identity: managed-identity, tenant: t}", "managed-identity takes no `tenant`"),
        ("entra: {authority: 'http://login.example'}", "expects https://HOST"),
        ("entra: {scope: 'everything'}", "resources[0].credential.entra.scope"),
        ("password: {keyvault: 'http://v.vault.azure.net/secrets/pg'}", "expects https://VAULT.vault.azure.net"),
        ("password: {keyvault: 'https://v.vault.azure.net/keys/pg'}", "expects https://VAULT.vault.azure.net"),
        ("password: {keyvault: 'https://user:pw@v.vault.azure.net/secrets/pg'}", "expects https://VAULT"),
        (f"password: {{env: A, keyvault: '{VAULT}'}}", "give one of `env`, `file` and `keyvault`"),
        ("password: {env: A, refresh: 1m}", "`refresh` belongs to `keyvault`"),
    ],
)
def test_what_cannot_be_meant(refused: Refused, small: str, credential: str, said: str) -> None:
    (problem,) = refused(with_credential(small, credential))
    assert said in problem
    assert "pw@" not in problem


@pytest.mark.parametrize(
    ("identity", "said"),
    [
        ("ca: nowhere.pem", "entra.ca: "),
        ("identity: client-certificate, tenant: t, client_id: c, certificate: nowhere.pem", "entra.certificate: "),
    ],
)
def test_an_identitys_files_must_be_there(refused: Refused, small: str, identity: str, said: str) -> None:
    (problem,) = refused(with_credential(small, f"entra: {{{identity}}}"))
    assert f"resources[0].credential.{said}" in problem
    assert "nowhere.pem cannot be read" in problem


def test_several_hosts_in_their_order(accepted: Accepted, small: str) -> None:
    upstream = accepted(with_hosts(small, "hosts: [a.example, 'b.example:5433', '[::1]:5434'], target: primary"))
    assert upstream.resources[0].upstream.places == (("a.example", None), ("b.example", 5433), ("::1", 5434))


@pytest.mark.parametrize(
    ("upstream", "said"),
    [
        ("database: shop", "give either `host` or `hosts`"),
        ("host: a, hosts: [b]", "give either `host` or `hosts`"),
        ("hosts: ['a:99999']", "expects HOST or HOST:PORT"),
        ("hosts: ['postgres://a']", "expects HOST or HOST:PORT"),
        ("hosts: [a], target: standby", "target"),
    ],
)
def test_hosts_that_cannot_be_meant(refused: Refused, small: str, upstream: str, said: str) -> None:
    assert said in refused(with_hosts(small, upstream))[0]


def with_hosts(small: str, upstream: str) -> str:
    return re.sub(r"upstream: \{[^}]*\}", lambda _: f"upstream: {{{upstream}}}", small)
