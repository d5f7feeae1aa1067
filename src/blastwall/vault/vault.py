"""The gate's port Vault, from the configuration. Secrets are read anew for each login and kept nowhere."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from blastwall.config.model import CredentialSource, ResourceSettings, SecretSource
from blastwall.gate.ports import CredentialUnavailable
from blastwall.model.credential import Credential
from blastwall.model.principal import Principal
from blastwall.model.resource import Resource
from blastwall.vault.readers import EnvironmentReader, FileReader, SecretReader, SecretUnavailable


@dataclass(frozen=True, slots=True)
class _Choice:
    user: str
    reader: SecretReader
    groups: frozenset[str]

    @property
    def same_as(self) -> tuple[str, str]:
        return (self.user, self.reader.source)


class ConfiguredVault:
    """The credentials that the configuration names, by resource.

    A principal gets the credential whose `for` has one of its groups, else the one without `for`. Where several `for`
    fit and are not the same credential, it gets none: which one it had would depend on the order of the file.
    """

    def __init__(self, resources: Iterable[ResourceSettings]) -> None:
        self._choices = {
            resource.name: tuple(_choice(source) for source in resource.credentials) for resource in resources
        }

    async def credential(self, resource: Resource, principal: Principal | None) -> Credential:
        """See `gate.ports.Vault`."""
        choices = self._choices.get(resource.name, ())
        if not choices:
            raise CredentialUnavailable(f"resource {resource.name} has no credential in the configuration")
        chosen = _own(choices) if principal is None else _of(choices, resource, principal)
        try:
            secret = await chosen.reader.read()
        except SecretUnavailable as error:
            raise CredentialUnavailable(f"credential of resource {resource.name}: {error}") from None
        return Credential(chosen.user, secret)


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


def _choice(source: CredentialSource) -> _Choice:
    return _Choice(source.user, reader_for(source.password), frozenset(source.for_))


def reader_for(source: SecretSource) -> SecretReader:
    """Return the reader of one configured source."""
    if source.env is not None:
        return EnvironmentReader(source.env)
    if source.file is not None:
        return FileReader(source.file)
    raise ValueError("the configuration's model lets no source without `env` or `file` pass")
