"""The gate's port Vault, from the configuration: which credential a principal gets."""

from __future__ import annotations

from collections.abc import Awaitable, Iterable
from dataclasses import dataclass

from blastwall.config.credentials import CredentialSource
from blastwall.config.resource_settings import ResourceSettings
from blastwall.gate.ports import CredentialUnavailable
from blastwall.model.credential import Credential
from blastwall.model.principal import Principal
from blastwall.model.resource import Resource
from blastwall.vault.readers import SecretReader, SecretUnavailable
from blastwall.vault.renewals import Renewals


@dataclass(frozen=True, slots=True)
class _Choice:
    user: str
    reader: SecretReader
    token: bool
    groups: frozenset[str]

    @property
    def same_as(self) -> tuple[str, str]:
        return (self.user, self.reader.source)


class ConfiguredVault:
    """The credentials that the configuration names, by resource.

    A principal gets the credential whose `for` has one of its groups, else the one without `for`. Where several `for`
    fit and are not the same credential, it gets none: which one it had would depend on the order of the file.

    Args:
        resources: whose credentials.
        renewals: has the readers of secrets that Azure has; shared, so that a reload asks for nothing anew.
    """

    def __init__(self, resources: Iterable[ResourceSettings], renewals: Renewals | None = None) -> None:
        readers = renewals if renewals is not None else Renewals()
        self._choices = {
            resource.name: tuple(_choice(source, readers) for source in resource.credentials) for resource in resources
        }

    async def credential(self, resource: Resource, principal: Principal | None) -> Credential:
        """See `gate.ports.Vault`."""
        chosen = self._chosen(resource, principal)
        return await _read(chosen, chosen.reader.read(), resource)

    async def renew(self, resource: Resource, principal: Principal, claims: str) -> Credential:
        """See `gate.ports.Vault`."""
        chosen = self._chosen(resource, principal)
        return await _read(chosen, chosen.reader.renew(claims), resource)

    def _chosen(self, resource: Resource, principal: Principal | None) -> _Choice:
        choices = self._choices.get(resource.name, ())
        if not choices:
            raise CredentialUnavailable(f"resource {resource.name} has no credential in the configuration")
        return _own(choices) if principal is None else _of(choices, resource, principal)


async def _read(chosen: _Choice, reading: Awaitable[bytes], resource: Resource) -> Credential:
    try:
        secret = await reading
    except SecretUnavailable as error:
        raise CredentialUnavailable(f"credential of resource {resource.name}: {error}") from None
    return Credential(chosen.user, secret, token=chosen.token)


def _own(choices: tuple[_Choice, ...]) -> _Choice:
    return next((choice for choice in choices if not choice.groups), choices[0])


def _of(choices: tuple[_Choice, ...], resource: Resource, principal: Principal) -> _Choice:
    whose = f"{principal.kind} {principal.name} at resource {resource.name}"
    fitting = [choice for choice in choices if choice.groups & principal.groups]
    fitting = fitting or [choice for choice in choices if not choice.groups]
    if not fitting:
        raise CredentialUnavailable(f"no credential is `for` a group of {whose}, and none is for everybody else")
    if len({choice.same_as for choice in fitting}) > 1:
        users = ", ".join(choice.user for choice in fitting)
        raise CredentialUnavailable(
            f"several credentials fit {whose} (users {users}); make the groups in their `for` exclusive"
        )
    return fitting[0]


def _choice(source: CredentialSource, readers: Renewals) -> _Choice:
    return _Choice(source.user or "", readers.reader(source), source.entra is not None, frozenset(source.for_))
