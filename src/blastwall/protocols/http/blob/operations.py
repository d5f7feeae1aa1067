"""The operations of the Blob service, by what a request says: method, level, `restype` and `comp`.

The tables follow "Operations on the Blob service", "… on containers" and "… on blobs" of Microsoft's reference; the
names are those of "Permissions for calling data operations", which Azure's roles use. What stands in no table is not
classified.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from blastwall.model.effects import Action
from blastwall.protocols.http.blob.places import Level

_SERVICES = "Microsoft.Storage/storageAccounts/blobServices/"
_CONTAINERS = f"{_SERVICES}containers/"
_BLOBS = f"{_CONTAINERS}blobs/"

WRITE = f"{_BLOBS}write"
DELETE_BLOB = f"{_BLOBS}delete"


@dataclass(frozen=True, slots=True)
class Operation:
    """What a request asks for, in Azure's word, and what it does to the thing that its path names."""

    name: str
    actions: tuple[Action, ...]


Key = tuple[Level, str, str, str]
"""Level, method, `restype` and `comp`, these two in lower case."""

_READS = ("GET", "HEAD")


def _table() -> Mapping[Key, Operation]:
    return {**_service(), **_container(), **_blob()}


def _service() -> Mapping[Key, Operation]:
    level, read = Level.SERVICE, (Action.READ,)
    return {
        (level, "GET", "", "list"): Operation(f"{_CONTAINERS}read", read),
        (level, "GET", "", "blobs"): Operation(f"{_BLOBS}filter/action", read),
        (level, "GET", "service", "properties"): Operation(f"{_SERVICES}read", read),
        (level, "GET", "service", "stats"): Operation(f"{_SERVICES}read", read),
        (level, "PUT", "service", "properties"): Operation(f"{_SERVICES}write", (Action.ADMIN,)),
        (level, "POST", "service", "userdelegationkey"): Operation(
            f"{_SERVICES}generateUserDelegationKey/action", (Action.REVEAL,)
        ),
        **{
            (level, method, "account", "properties"): Operation(f"{_SERVICES}getInfo/action", read) for method in _READS
        },
    }


def _container() -> Mapping[Key, Operation]:
    level, kind, read = Level.CONTAINER, "container", (Action.READ,)
    return {
        **{
            (level, method, kind, comp): Operation(f"{_CONTAINERS}read", read)
            for method in _READS
            for comp in ("", "metadata")
        },
        **{(level, method, kind, "acl"): Operation(f"{_CONTAINERS}getAcl/action", read) for method in _READS},
        (level, "GET", kind, "list"): Operation(f"{_BLOBS}read", read),
        (level, "GET", kind, "blobs"): Operation(f"{_BLOBS}filter/action", read),
        (level, "PUT", kind, ""): Operation(f"{_CONTAINERS}write", (Action.DEFINE,)),
        (level, "PUT", kind, "metadata"): Operation(f"{_CONTAINERS}write", (Action.UPDATE,)),
        (level, "PUT", kind, "acl"): Operation(f"{_CONTAINERS}setAcl/action", (Action.ENTITLE,)),
        (level, "DELETE", kind, ""): Operation(f"{_CONTAINERS}delete", (Action.DROP,)),
    }


def _blob() -> Mapping[Key, Operation]:
    level, read, update = Level.BLOB, (Action.READ,), (Action.UPDATE,)
    immutable = Operation(f"{_BLOBS}immutableStorage/runAsSuperUser/action", (Action.ADMIN,))
    return {
        **{
            (level, method, "", comp): Operation(f"{_BLOBS}read", read)
            for method in _READS
            for comp in ("", "metadata")
        },
        **{(level, "GET", "", comp): Operation(f"{_BLOBS}read", read) for comp in ("blocklist", "pagelist")},
        (level, "GET", "", "tags"): Operation(f"{_BLOBS}tags/read", read),
        (level, "POST", "", "query"): Operation(f"{_BLOBS}read", read),
        **{(level, "PUT", "", comp): Operation(WRITE, update) for comp in ("properties", "metadata", "tier", "seal")},
        (level, "PUT", "", "tags"): Operation(f"{_BLOBS}tags/write", update),
        (level, "PUT", "", "expiry"): Operation(WRITE, (Action.UPDATE, Action.DELETE)),
        (level, "PUT", "", "snapshot"): Operation(WRITE, (Action.CREATE,)),
        (level, "PUT", "", "undelete"): Operation(WRITE, (Action.CREATE,)),
        (level, "PUT", "", "immutabilitypolicies"): immutable,
        (level, "DELETE", "", "immutabilitypolicies"): immutable,
        (level, "PUT", "", "legalhold"): immutable,
    }


PREFLIGHT = Operation("OPTIONS", (Action.CONNECT,))
BATCH = f"{_SERVICES}batch/action"
LEASE_CONTAINER = f"{_CONTAINERS}write"
RENAME_CONTAINER = f"{_CONTAINERS}write"
UNDELETE_CONTAINER = f"{_CONTAINERS}write"
DELETE_VERSION = f"{_BLOBS}deleteBlobVersion/action"
DELETE_FOREVER = f"{_BLOBS}permanentDelete/action"
OPERATIONS = _table()

PARAMETERS = frozenset(
    {
        "restype", "comp", "timeout", "prefix", "marker", "maxresults", "include", "delimiter", "snapshot", "versionid",
        "blockid", "blocklisttype", "prevsnapshot", "where", "deletetype", "copyid", "showonly", "startfrom",
        "endbefore",
    }
)  # fmt: skip
"""The parameters that the service knows. Another one may mean something in a version that is not known here."""

FIELD_PREFIXES = (
    "x-ms-meta-", "x-ms-blob-", "x-ms-source-", "x-ms-encryption-", "x-ms-if-", "x-ms-lease-",
    "x-ms-range", "x-ms-client-", "x-ms-content-", "x-ms-sequence-", "x-ms-structured-", "x-ms-immutability-",
    "x-ms-deleted-container-", "x-ms-expiry-", "x-ms-proposed-", "x-ms-delete-snapshots", "x-ms-access-tier",
)  # fmt: skip

FIELDS = frozenset(
    {
        "x-ms-copy-source", "x-ms-copy-source-authorization", "x-ms-copy-source-tag-option", "x-ms-copy-action",
        "x-ms-copy-source-blob-properties",
        "x-ms-date", "x-ms-version", "x-ms-return-client-request-id", "x-ms-page-write", "x-ms-tags", "x-ms-legal-hold",
        "x-ms-rehydrate-priority", "x-ms-requires-sync", "x-ms-seal-blob", "x-ms-default-encryption-scope",
        "x-ms-deny-encryption-scope-override", "x-ms-upn", "x-ms-authorization-auxiliary",
    }
)  # fmt: skip
"""The fields of Azure's own that the service knows, with `FIELD_PREFIXES`."""
