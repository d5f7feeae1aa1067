"""Where in a storage account a request's path leads: the service, a container, or a blob.

Container and blob names have limits that Azure sets ("Naming and referencing containers, blobs, and metadata"). What
Azure strips, or an account with a hierarchical namespace resolves, is refused: the name that is judged is the one that
is touched.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from blastwall.model.effects import Object
from blastwall.protocols.http.parts import Unclear, segments

_CONTAINER = re.compile(r"(?=.{3,63}\Z)[a-z0-9]+(?:-[a-z0-9]+)*\Z")
SYSTEM_CONTAINERS = frozenset({"$root", "$web", "$logs", "$blobchangefeed"})
WEBSITE = "$web"
"""What is in this container anybody can read, once the account's static website is on."""


class Level(StrEnum):
    """How deep a path leads."""

    SERVICE = "service"
    CONTAINER = "container"
    BLOB = "blob"


@dataclass(frozen=True, slots=True)
class Place:
    """The service `()`, a container `(container,)`, or a blob `(container, *its name split at slashes)`."""

    names: tuple[str, ...]

    @property
    def level(self) -> Level:
        return (Level.SERVICE, Level.CONTAINER, Level.BLOB)[min(len(self.names), 2)]

    @property
    def object(self) -> Object:
        """Return it as policies know it: `("blob", container, …)` below the resource."""
        return Object(("blob", *self.names), self.level.value)

    @property
    def container(self) -> Place:
        return Place(self.names[:1])


SERVICE = Place(())


def place_of(path: str, account: str, *, container: bool) -> Place:
    """Return where a normalised path leads. `container` is whether the query says `restype=container`.

    A name alone is a container's only then; otherwise it is a blob's in the root container.

    Raises:
        Unclear: it names another account, or something that Azure would read differently or not at all.
    """
    names = segments(path, once=True)
    if account:
        if names[:1] != (account,):
            raise Unclear(f"its path does not begin with the account's name, /{account}")
        names = names[1:]
    if not names or names == ("",):
        return SERVICE
    if container:
        return _container(names)
    if len(names) == 1:
        names = ("$root", *names)
    return Place((_container_name(names[0]), *_blob_name(names[1:])))


def _container(names: tuple[str, ...]) -> Place:
    if names[1:] not in ((), ("",)):
        raise Unclear("it says restype=container, and its path names a blob")
    return Place((_container_name(names[0]),))


def _container_name(name: str) -> str:
    if name not in SYSTEM_CONTAINERS and _CONTAINER.match(name) is None:
        raise Unclear(f"{name[:80]!r} is no container's name")
    return name


def _blob_name(names: tuple[str, ...]) -> tuple[str, ...]:
    """Return a blob's name, with escaped slashes as slashes, which is how Azure reads them."""
    parts = "/".join(names).split("/")
    whole = parts if parts[-1] else parts[:-1]
    if not whole or not all(whole):
        raise Unclear("its blob's name is empty or has empty parts, which some accounts leave out")
    if any(part.endswith((".", " ")) for part in whole):
        raise Unclear("a part of its blob's name ends with a dot or a space, which Azure strips")
    return tuple(parts)
