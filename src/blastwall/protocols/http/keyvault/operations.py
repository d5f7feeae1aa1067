"""The operations of a vault, by method and path.

The table follows Key Vault's REST reference (secrets, keys, certificates, storage accounts); the names are those of
data actions in Azure's roles. `*` is the name of a thing, `{v}` a version of it or nothing. What stands in no row is
not classified, among it all that only managed HSMs have (role assignments, security domains, backups to storage).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from blastwall.model.effects import Action

_OVER = (Action.CREATE, Action.UPDATE)
"""What gives a name a new value: nobody can tell from the request whether the name is there already."""

_READ, _UPDATE, _DELETE, _DROP = (Action.READ,), (Action.UPDATE,), (Action.DELETE,), (Action.DROP,)
_CREATE, _REVEAL, _EXPORT, _EXECUTE = (Action.CREATE,), (Action.REVEAL,), (Action.EXPORT,), (Action.EXECUTE,)
_ADMIN, _ENTITLE = (Action.ADMIN,), (Action.ENTITLE,)


@dataclass(frozen=True, slots=True)
class Operation:
    """What a request asks for. `secret` marks answers that hold what nobody may record."""

    name: str
    actions: tuple[Action, ...]
    secret: bool = False


@dataclass(frozen=True, slots=True)
class Found:
    """An operation, and what it is about: `()` the vault, `(collection,)`, or `(collection, name)`."""

    operation: Operation
    about: tuple[str, ...]


def found(method: str, segments: tuple[str, ...]) -> Found | None:
    """Return the operation of a request by its path's segments; None for what stands in no table.

    Names in a vault are compared without regard to case, and so are the words of its paths.
    """
    parts = tuple(segment.lower() for segment in segments)
    if any("*" in part or "{" in part for part in parts):
        return None
    for shape, about in _shapes(parts):
        operation = OPERATIONS.get((method, shape))
        if operation is not None:
            return Found(operation, about)
    return None


def _shapes(parts: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], tuple[str, ...]]]:
    """Yield the shapes that a path may have, fixed words before names, each with what it is about."""
    collection = parts[0].removeprefix("deleted") if parts else ""
    yield parts, (collection,) if collection in _KINDS else ()
    if len(parts) < 2:
        return
    if len(parts) > 2 and parts[:2] == ("certificates", "issuers"):
        yield ("certificates", "issuers", "*", *parts[3:]), (collection, "issuers", parts[2])
        return
    if _NAME.fullmatch(parts[1]) is None or parts[1] in _WORDS:
        return
    about = (collection, parts[1])
    yield (parts[0], "*", *parts[2:]), about
    if parts[0] == "storage" and len(parts) > 3 and _NAME.fullmatch(parts[3]):
        yield (parts[0], "*", parts[2], "*", *parts[4:]), about
    elif len(parts) > 2 and _VERSION.fullmatch(parts[2]):
        yield (parts[0], "*", "{v}", *parts[3:]), about


_NAME = re.compile(r"[0-9a-z-]{1,127}")
_VERSION = re.compile(r"[0-9a-f]{32}|")
_WORDS = frozenset({"restore", "contacts", "issuers"})
_KINDS: Mapping[str, str] = {"secrets": "secret", "keys": "key", "certificates": "certificate", "storage": "storage"}


def kind_of(about: tuple[str, ...]) -> str:
    """Return what policies call the thing: `vault`, `container` (a collection), or `secret`, `key`, ….."""
    if not about:
        return "vault"
    if len(about) == 1:
        return "container"
    return "issuer" if about[1] == "issuers" else _KINDS[about[0]]


Key = tuple[str, tuple[str, ...]]
Table = Mapping[Key, Operation]


def _name(collection: str, does: str) -> str:
    return f"Microsoft.KeyVault/vaults/{collection}/{does}"


def _common(collection: str, named: str, listing: str) -> Iterator[tuple[Key, Operation]]:
    """What all collections have alike. `named` is how the roles call one."""
    gone = f"deleted{collection}"
    yield ("GET", (collection,)), Operation(_name(named, listing), _READ)
    yield ("GET", (collection, "*", "versions")), Operation(_name(named, listing), _READ)
    yield ("DELETE", (collection, "*")), Operation(_name(named, "delete"), _DELETE)
    yield ("POST", (collection, "*", "backup")), Operation(_name(named, "backup/action"), _EXPORT, secret=True)
    yield ("POST", (collection, "restore")), Operation(_name(named, "restore/action"), _OVER)
    yield ("GET", (gone,)), Operation(_name(named, listing), _READ)
    yield ("GET", (gone, "*")), Operation(_name(named, listing), _READ)
    yield ("DELETE", (gone, "*")), Operation(_name(named, "purge/action"), _DROP)
    yield ("POST", (gone, "*", "recover")), Operation(_name(named, "recover/action"), _CREATE)


def _secrets() -> Iterator[tuple[Key, Operation]]:
    """Reading a secret hands it out; the answer to setting one holds it too."""
    yield from _common("secrets", "secrets", "readMetadata/action")
    yield ("PUT", ("secrets", "*")), Operation(_name("secrets", "setSecret/action"), _OVER, secret=True)
    for shape in (("secrets", "*"), ("secrets", "*", "{v}")):
        yield ("GET", shape), Operation(_name("secrets", "getSecret/action"), _REVEAL, secret=True)
        yield ("PATCH", shape), Operation(_name("secrets", "update/action"), _UPDATE)


def _keys() -> Iterator[tuple[Key, Operation]]:
    """Using a key executes; what undoes its protection reveals."""
    yield from _common("keys", "keys", "read")
    yield ("POST", ("keys", "*", "create")), Operation(_name("keys", "create/action"), _OVER)
    yield ("PUT", ("keys", "*")), Operation(_name("keys", "import/action"), _OVER)
    yield ("POST", ("keys", "*", "rotate")), Operation(_name("keys", "rotate/action"), _UPDATE)
    yield ("GET", ("keys", "*", "rotationpolicy")), Operation(_name("keyrotationpolicies", "read"), _READ)
    yield ("PUT", ("keys", "*", "rotationpolicy")), Operation(_name("keyrotationpolicies", "write"), _ADMIN)
    for shape in (("keys", "*"), ("keys", "*", "{v}")):
        yield ("GET", shape), Operation(_name("keys", "read"), _READ)
        yield ("PATCH", shape), Operation(_name("keys", "update/action"), _UPDATE)
        yield ("GET", (*shape, "attestation")), Operation(_name("keys", "read"), _READ)
        for word, does in (("encrypt", "encrypt"), ("verify", "verify"), ("wrapkey", "wrap"), ("sign", "sign")):
            yield ("POST", (*shape, word)), Operation(_name("keys", f"{does}/action"), _EXECUTE)
        for word, does in (("decrypt", "decrypt"), ("unwrapkey", "unwrap"), ("release", "release")):
            yield ("POST", (*shape, word)), Operation(_name("keys", f"{does}/action"), _REVEAL, secret=True)


def _certificates() -> Iterator[tuple[Key, Operation]]:
    """A certificate is public; its private key is a secret of the same name, read as one."""
    yield from _common("certificates", "certificates", "read")
    yield ("POST", ("certificates", "*", "create")), Operation(_name("certificates", "create/action"), _OVER)
    yield ("POST", ("certificates", "*", "import")), Operation(_name("certificates", "import/action"), _OVER)
    for shape in (("certificates", "*"), ("certificates", "*", "{v}")):
        yield ("GET", shape), Operation(_name("certificates", "read"), _READ)
        yield ("PATCH", shape), Operation(_name("certificates", "update/action"), _UPDATE)
    for part in ("policy", "pending"):
        yield ("GET", ("certificates", "*", part)), Operation(_name("certificates", "read"), _READ)
        yield ("PATCH", ("certificates", "*", part)), Operation(_name("certificates", "update/action"), _UPDATE)
    yield ("DELETE", ("certificates", "*", "pending")), Operation(_name("certificates", "delete"), _DELETE)
    yield (
        ("POST", ("certificates", "*", "pending", "merge")),
        Operation(_name("certificates", "update/action"), _UPDATE),
    )
    yield ("GET", ("certificates", "contacts")), Operation(_name("certificates", "read"), _READ)
    for method in ("PUT", "DELETE"):
        yield (method, ("certificates", "contacts")), Operation(_name("certificatecontacts", "write"), _ADMIN)
    yield ("GET", ("certificates", "issuers")), Operation(_name("certificatecas", "read"), _READ)
    yield ("GET", ("certificates", "issuers", "*")), Operation(_name("certificatecas", "read"), _READ, secret=True)
    for method in ("PUT", "PATCH"):
        yield (
            (method, ("certificates", "issuers", "*")),
            Operation(_name("certificatecas", "write"), _ADMIN, secret=True),
        )
    yield ("DELETE", ("certificates", "issuers", "*")), Operation(_name("certificatecas", "delete"), _ADMIN)


def _storage() -> Iterator[tuple[Key, Operation]]:
    """Storage accounts whose keys the vault keeps; a SAS definition has it sign tokens, which are read as secrets."""
    yield from _common("storage", "storageaccounts", "read")
    yield ("GET", ("storage", "*")), Operation(_name("storageaccounts", "read"), _READ)
    yield ("PUT", ("storage", "*")), Operation(_name("storageaccounts", "set/action"), _ADMIN)
    yield ("PATCH", ("storage", "*")), Operation(_name("storageaccounts", "set/action"), _ADMIN)
    yield (
        ("POST", ("storage", "*", "regeneratekey")),
        Operation(_name("storageaccounts", "regeneratekey/action"), _ADMIN),
    )
    yield ("GET", ("storage", "*", "sas")), Operation(_name("storageaccounts", "listsas/action"), _READ)
    yield ("GET", ("storage", "*", "sas", "*")), Operation(_name("storageaccounts", "getsas/action"), _READ)
    for method in ("PUT", "PATCH"):
        yield (method, ("storage", "*", "sas", "*")), Operation(_name("storageaccounts", "sas/set/action"), _ENTITLE)
    yield ("DELETE", ("storage", "*", "sas", "*")), Operation(_name("storageaccounts", "deletesas/action"), _DELETE)


OPERATIONS: Table = dict(
    [
        *_secrets(),
        *_keys(),
        *_certificates(),
        *_storage(),
        (("POST", ("rng",)), Operation("Microsoft.KeyVault/managedHSM/rng/action", _EXECUTE)),
    ]
)
