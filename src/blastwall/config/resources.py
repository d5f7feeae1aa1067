"""From the `resources:` of the configuration to what the gateway works with."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from pydantic import BaseModel, ValidationError
from pydantic_core import to_json

from blastwall.config.credentials import CredentialSource
from blastwall.config.document import Document, Path, Problem
from blastwall.config.model import Configuration
from blastwall.config.resource_settings import RecordSettings, ResourceSettings, Upstream
from blastwall.config.wording import problems
from blastwall.model.resource import Address, RecordedResults, Resource
from blastwall.protocols.kind import ProtocolKind


def resources(configuration: Configuration, kinds: Mapping[str, ProtocolKind]) -> Mapping[str, Resource]:
    """Return the resources by name.

    Raises:
        KeyError: a resource's kind is unknown; the loader refuses such a configuration.
        ValidationError: a resource's settings are not its protocol's; the loader refuses them too.
    """
    return {
        settings.name: _resource(settings, kinds[settings.kind], configuration.control.url)
        for settings in configuration.resources
    }


def check_settings(
    configuration: Configuration, kinds: Mapping[str, ProtocolKind], document: Document
) -> Iterator[Problem]:
    """Yield what is wrong with each resource's `settings`, by the model of its protocol."""
    for position, resource in enumerate(configuration.resources):
        protocol = kinds.get(resource.kind)
        if protocol is None:
            continue
        try:
            settings = _settings(resource, protocol)
        except ValidationError as error:
            yield from problems(error, document, protocol.settings, ("resources", position, "settings"))
        else:
            yield from _unfit(resource, position, protocol, settings, document)


def _unfit(
    resource: ResourceSettings, position: int, protocol: ProtocolKind, settings: BaseModel, document: Document
) -> Iterator[Problem]:
    """Yield credentials that a resource of these settings cannot be shown."""
    for number, credential in enumerate(resource.credentials):
        fault = protocol.credential_fault(
            settings, user=credential.user is not None, token=credential.entra is not None
        )
        if fault:
            base: Path = ("resources", position, "credential")
            path = (*base, number) if isinstance(resource.credential, list) else base
            yield Problem(document.line(path), path, fault)


def with_scopes(configuration: Configuration, kinds: Mapping[str, ProtocolKind]) -> Configuration:
    """Have each Entra token made for what its resource's kind wants, unless its scope is configured."""
    scoped = [scoped_by(resource, kinds[resource.kind]) for resource in configuration.resources]
    return configuration.model_copy(update={"resources": scoped})


def scoped_by(resource: ResourceSettings, protocol: ProtocolKind) -> ResourceSettings:
    """Return a resource with its kind's scope in its credentials."""
    credentials = [_scoped(credential, protocol.scope) for credential in resource.credentials]
    several = isinstance(resource.credential, list)
    return resource.model_copy(update={"credential": credentials if several else credentials[0]})


def _scoped(credential: CredentialSource, scope: str) -> CredentialSource:
    entra = credential.entra
    if entra is None or entra.scope is not None or not scope:
        return credential
    return credential.model_copy(update={"entra": entra.model_copy(update={"scope": scope})})


def _resource(settings: ResourceSettings, protocol: ProtocolKind, sign_in: str) -> Resource:
    upstream = settings.upstream
    default = [upstream.database] if upstream.database is not None else []
    first, *further = (_address(upstream, host, port, protocol) for host, port in upstream.places)
    return Resource(
        name=settings.name,
        kind=settings.kind,
        upstream=first,
        databases=tuple(dict.fromkeys([*default, *upstream.databases])),
        azure=settings.azure,
        tags=settings.tags,
        settings=_settings(settings, protocol),
        standbys=tuple(further),
        target=upstream.target,
        results=_recorded(settings.record),
        plane=protocol.plane,
        sign_in=sign_in,
    )


def _recorded(settings: RecordSettings) -> RecordedResults | None:
    return RecordedResults(settings.rows, settings.bytes) if settings.results == "masked" else None


def _address(upstream: Upstream, host: str, port: int | None, protocol: ProtocolKind) -> Address:
    return Address(
        host=host,
        port=port if port is not None else protocol.port,
        tls=upstream.tls,
        ca=str(upstream.ca) if upstream.ca is not None else None,
    )


def _settings(settings: ResourceSettings, protocol: ProtocolKind) -> BaseModel:
    return protocol.settings.model_validate_json(to_json(settings.settings), strict=True)
