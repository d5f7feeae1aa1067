"""What is no mistake of the configuration, but should be known: secrets that cannot be had, and weak choices."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from blastwall.app.approving import seal_to_look_with
from blastwall.app.plan import Plan
from blastwall.config.azure import LocalSecret
from blastwall.config.credentials import CredentialSource, SecretSource
from blastwall.config.model import Configuration
from blastwall.config.resource_settings import identities_of
from blastwall.grants.open_grants import NOT_OURS, OVERDUE_SECONDS
from blastwall.model.resource import Resource, TlsMode
from blastwall.store.address import SqliteFile, parse_address
from blastwall.store.database import open_store
from blastwall.store.grants import GrantTable

_VARIABLE = "environment variable "


@dataclass(frozen=True, slots=True)
class SecretState:
    """Whether a secret that the configuration names can be had. The secret itself is not kept."""

    owner: str
    source: str
    problem: str = ""


def secrets(configuration: Configuration) -> Iterator[SecretState]:
    """Yield the state of every secret: the credentials', the masking key's and the recordings' keys."""
    for resource in configuration.resources:
        for credential in resource.credentials:
            yield _credential_state(f"{resource.name}: {credential.user or 'credential'}", credential)
        for _, identity in identities_of(resource):
            if identity.secret is not None:
                yield _state(f"{resource.name}: client secret of {identity.client_id}", identity.secret)
    if configuration.masking_key is not None:
        yield _state("masking_key", configuration.masking_key)
    for each in configuration.notifications:
        for kind, source in (("URL", each.slack or each.teams), ("key", each.secret)):
            if source is not None:
                yield _state(f"notifications: {each.called}: {kind}", source)
    yield from _own_secrets(configuration)


def _own_secrets(configuration: Configuration) -> Iterator[SecretState]:
    login = configuration.control.login
    if login is not None and login.client_secret is not None:
        yield _state("control.login.client_secret", login.client_secret)
    if configuration.hold.key is not None:
        yield _state("hold.key", configuration.hold.key)
    encrypt = configuration.recordings.encrypt
    for source in () if encrypt is None else (encrypt.key, *encrypt.old):
        yield _state("recordings.encrypt", source)


def unset_variables(configuration: Configuration) -> tuple[SecretState, ...]:
    """Return the secrets in environment variables that are not set: a running process can never come to have them."""
    return tuple(state for state in secrets(configuration) if state.problem and state.source.startswith(_VARIABLE))


def _credential_state(owner: str, credential: CredentialSource) -> SecretState:
    if credential.password is not None:
        return _state(owner, credential.password)
    return SecretState(owner, f"Entra token by {credential.entra.identity}" if credential.entra is not None else "")


def _state(owner: str, source: LocalSecret) -> SecretState:
    if source.env is not None:
        return SecretState(owner, _VARIABLE + source.env, "" if os.environ.get(source.env) else "not set, or empty")
    if source.file is not None:
        return SecretState(owner, f"file {source.file}", _unreadable(source.file))
    return SecretState(owner, f"Key Vault secret {source.keyvault}" if isinstance(source, SecretSource) else "")


def _unreadable(file: Path) -> str:
    try:
        with file.open("rb") as opened:
            return "" if opened.read(1) else "empty"
    except OSError as error:
        return f"cannot be read: {error.strerror}"


def cautions(plan: Plan) -> Iterator[str]:
    """Yield what is allowed, but weakens the gateway or is likely an oversight."""
    configuration = plan.configuration
    if configuration.tls is None:
        yield "tls: no certificate is given; a development CA is used, which clients must be told to trust"
    for name, protocol in plan.kinds.items():
        used = any(resource.kind == name for resource in configuration.resources)
        if used and protocol.pack is not None and name not in {pack.name for pack in plan.packs}:
            yield f"packs: the default pack {name!r} is off"
    for pack in plan.packs:
        for identity in pack.except_ids:
            yield f"packs: {pack.name}: the policy {identity!r} is off"
    if not plan.configuration.policies:
        yield "policies: none are given, so nobody may do anything"
    yield from _glass_cautions(configuration)
    for resource in configuration.resources:
        yield from _resource_cautions(resource.name, resource.plain_text, plan.resources[resource.name])
    if configuration.hold.key is None and not configuration.state.startswith("sqlite:"):
        yield (
            "hold.key: none is given; where several nodes share this state, none releases what another decided, nor "
            "takes the passes, logins, grants and gateway tokens that another gave"
        )
    if not configuration.recordings.anchors:
        yield "recordings: no anchors are given; whoever controls this machine can rewrite recordings unseen"


def _glass_cautions(configuration: Configuration) -> Iterator[str]:
    """Warn where nobody could close the review of a broken glass but those who broke it."""
    if configuration.break_glass is None:
        return
    breakers, auditors = configuration.break_glass.group, set(configuration.control.roles.auditor)
    if all(breakers in user.groups or auditors.isdisjoint(user.groups) for user in configuration.users):
        yield (
            f"break_glass: nobody outside the group {breakers!r} has the role auditor (`control.roles`), so reviews "
            "may stay open for ever"
        )


async def in_the_state(configuration: Configuration, now: float) -> tuple[str, ...]:
    """Return what the state says that somebody should look at; nothing where there is no state yet.

    Raises:
        SecretUnavailable, KeyFileUnusable: the key that seals its rows cannot be had.
        StateError: the state cannot be read.
    """
    address = parse_address(configuration.state)
    if isinstance(address, SqliteFile) and not address.path.exists():
        return ()
    store = await open_store(configuration.state)
    try:
        store.seal = await seal_to_look_with(configuration) or store.seal
        table = GrantTable(store)
        overdue = await table.unreviewed(now - OVERDUE_SECONDS)
        forged = [each.id for each in await table.open(now) if not each.sealed]
    finally:
        await store.close()
    return (
        *(f"break-glass {each}: its review has been open for more than a day" for each in overdue),
        *(f"grant {each}: {NOT_OURS}" for each in forged),
    )


def _resource_cautions(name: str, plain_text: bool, resource: Resource) -> Iterator[str]:
    if plain_text:
        yield f"resources: {name}: clients may connect without TLS (loopback only)"
    if resource.upstream.tls is not TlsMode.VERIFY_FULL:
        yield f"resources: {name}: the upstream's certificate is not fully verified (tls: {resource.upstream.tls})"
