"""Which port is whose, and by which names clients tell resources apart that share one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from blastwall.config.document import Path
from blastwall.config.model import Configuration
from blastwall.config.resource_settings import ResourceSettings
from blastwall.model.resource import is_loopback
from blastwall.protocols.kind import ProtocolKind

Finding = tuple[Path, str]
_Placed = tuple[int, ResourceSettings]


def check_ports(configuration: Configuration, kinds: Mapping[str, ProtocolKind]) -> Iterator[Finding]:
    """Yield what is wrong with the ports of resources, and with the names of their hosts."""
    yield from _unheard(configuration, kinds)
    ports: dict[int, list[_Placed]] = {}
    for position, resource in enumerate(configuration.resources):
        ports.setdefault(resource.listen, []).append((position, resource))
    control = configuration.control
    beside = control.port and _overlap(control.listen or configuration.listen, configuration.listen)
    for port, group in ports.items():
        if beside and port == control.port:
            yield from (_taken(each, "the control port") for each in group)
        elif len(group) > 1:
            yield from _shared(group, kinds)
        yield from _repeated(group)


def _shared(group: Sequence[_Placed], kinds: Mapping[str, ProtocolKind]) -> Iterator[Finding]:
    """Yield why resources cannot share a port."""
    (_, first), *others = group
    if any(_reception(resource, kinds) is None for _, resource in group):
        yield from (_taken(each, first.name) for each in others)
        return
    for position, resource in group:
        if not resource.hosts:
            names = ", ".join(other.name for _, other in group if other is not resource)
            problem = (
                f"port {resource.listen} is shared with {names}: give `hosts`, the names by which clients reach it"
            )
            yield ("resources", position), problem
    for position, resource in others:
        if _reception(resource, kinds) != _reception(first, kinds):
            yield _taken((position, resource), f"{first.name}, whose clients speak another protocol")
        if resource.plain_text != first.plain_text:
            problem = f"port {resource.listen} is shared with {first.name}, so `plain_text` must be the same"
            yield ("resources", position, "plain_text"), problem


def _unheard(configuration: Configuration, kinds: Mapping[str, ProtocolKind]) -> Iterator[Finding]:
    """Yield names that no client ever says."""
    for position, resource in enumerate(configuration.resources):
        if resource.hosts and resource.kind in kinds and _reception(resource, kinds) is None:
            problem = f"clients of the kind {resource.kind!r} say no host name; leave `hosts` out"
            yield ("resources", position, "hosts"), problem


def _repeated(group: Sequence[_Placed]) -> Iterator[Finding]:
    owners: dict[str, str] = {}
    for position, resource in group:
        for place, host in enumerate(resource.hosts):
            if host in owners:
                yield ("resources", position, "hosts", place), f"{host!r} is a name of {owners[host]} already"
            owners.setdefault(host, resource.name)


def _taken(each: _Placed, owner: str) -> Finding:
    position, resource = each
    return ("resources", position, "listen"), f"port {resource.listen} is taken by {owner}"


def _reception(resource: ResourceSettings, kinds: Mapping[str, ProtocolKind]) -> object:
    protocol = kinds.get(resource.kind)
    return None if protocol is None else protocol.reception


def _overlap(one: str, other: str) -> bool:
    everywhere = {"0.0.0.0", "::"}  # noqa: S104 - compared, not bound
    return one == other or one in everywhere or other in everywhere or (is_loopback(one) and is_loopback(other))
