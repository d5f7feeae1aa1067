"""What a request to the Blob service would do."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

from blastwall.model.effects import Action, Effect
from blastwall.model.resource import Resource
from blastwall.protocols.http.blob import operations
from blastwall.protocols.http.blob.batch import parts_of
from blastwall.protocols.http.blob.copying import SOURCE, SOURCE_AUTHORIZATION, copied_from
from blastwall.protocols.http.blob.operations import OPERATIONS, Key, Operation
from blastwall.protocols.http.blob.places import SERVICE, WEBSITE, Level, Place, place_of
from blastwall.protocols.http.blob.settings import settings_of
from blastwall.protocols.http.flavour import Judged, statement_text
from blastwall.protocols.http.hidden import hidden_parts
from blastwall.protocols.http.parts import Unclear, check_fields, parameters
from blastwall.protocols.http.passing import body_fields
from blastwall.protocols.http.request import Headers, Request

OLDEST = "2017-11-09"
"""The first version that takes Entra tokens, and whose operations are those of the tables."""

_VERSION = re.compile(r"\d{4}-\d\d-\d\d")
_UNSAID = frozenset(
    {
        "x-ms-date", "x-ms-version", "x-ms-client-request-id", "x-ms-return-client-request-id", "x-ms-encryption-key",
        "x-ms-source-encryption-key", SOURCE_AUTHORIZATION,
    }
)  # fmt: skip
"""Fields that are no part of what is asked for: they differ each time, or are secret."""

_CONDITIONS = frozenset({"if-match", "if-none-match"})
_OVER = (Action.CREATE, Action.UPDATE)


@dataclass(frozen=True, slots=True)
class _Asked:
    """A request, where its path leads, and its parameters."""

    request: Request
    resource: Resource
    place: Place
    parameters: Mapping[str, str]

    def says(self, field: str) -> str:
        return self.request.headers.get(field).lower()

    def does(self, name: str, *actions: Action) -> tuple[str, list[Effect]]:
        return name, [Effect(action, self.place.object) for action in actions]


_Found = tuple[str, list[Effect]]
"""The operation's name and its effects."""


def judge(request: Request, resource: Resource) -> Judged:
    """Say what a request would do; what is unclear is unclassified, with the reason."""
    fields = deciding_fields(request)
    hidden = hidden_parts(statement_text(request, fields))
    try:
        name, effects = _judged(request, resource)
    except Unclear as unclear:
        effect = Effect(Action.UNCLASSIFIED, SERVICE.object)
        return Judged((effect,), request.method, f"{unclear}", fields, hidden)
    reveals = any(effect.action is Action.REVEAL for effect in effects)
    return Judged(tuple(dict.fromkeys(effects)), name, "", fields, hidden, reveals)


def deciding_fields(request: Request) -> tuple[tuple[str, str], ...]:
    """Return the fields that are part of a change's text: Azure's in the order of their names, then the body's."""
    if request.method in ("GET", "HEAD", "OPTIONS"):
        return ()
    said = ((name.lower(), value) for name, value in request.headers)
    azure = (one for one in said if one[0] in _CONDITIONS or (one[0].startswith("x-ms-") and one[0] not in _UNSAID))
    return (*sorted(azure), *body_fields(request))


def _judged(request: Request, resource: Resource, *, within: bool = False) -> _Found:
    """Return what a request does. `within` a batch there are no version and no further batch."""
    found = parameters(request.query)
    _check(request.headers, found, within=within)
    if request.method == "OPTIONS":
        return _plainly(_Asked(request, resource, SERVICE, found), operations.PREFLIGHT)
    kind, comp = found.get("restype", "").lower(), found.get("comp", "").lower()
    account = settings_of(resource).account
    place = SERVICE if kind == "account" else place_of(request.path, account, container=kind == "container")
    asked = _Asked(request, resource, place, found)
    key = (place.level, request.method, kind, comp)
    special = _SPECIAL.get(key)
    if SOURCE in request.headers and special not in _COPYING:
        raise Unclear(f"{SOURCE} has no meaning for this operation")
    name, effects = special(asked) if special is not None else _plainly(asked, _operation(key))
    return name, [*effects, *_besides(asked, effects)]


def _operation(key: Key) -> Operation:
    found = OPERATIONS.get(key)
    if found is None:
        level, method, kind, comp = key
        raise Unclear(f"on a {level}, Blob storage has no {method} with restype={kind[:40]!r} and comp={comp[:40]!r}")
    return found


def _plainly(asked: _Asked, operation: Operation) -> _Found:
    return asked.does(operation.name, *operation.actions)


def _check(headers: Headers, found: Mapping[str, str], *, within: bool) -> None:
    """Refuse what carries an identity of its own, or may mean what is not known here."""
    if "sig" in found:
        raise Unclear("it carries a signature of its own (SAS): leave it out, the gateway shows its credential")
    for name in found:
        if name not in operations.PARAMETERS:
            raise Unclear(f"the parameter {name[:40]!r} is not known")
    azure = [name.lower() for name, _ in headers if name.lower().startswith("x-ms-")]
    check_fields(headers, once=(*azure, "if-match", "if-none-match", "authorization"))
    for name in azure:
        if name not in operations.FIELDS and not name.startswith(operations.FIELD_PREFIXES):
            raise Unclear(f"the header {name[:60]} is not known")
    version = headers.get("x-ms-version", OLDEST)
    if within and "x-ms-version" in headers:
        raise Unclear("a part of its batch has a version of its own")
    if _VERSION.fullmatch(version) is None or version < OLDEST:
        raise Unclear(f"its x-ms-version is older than {OLDEST}")


def _besides(asked: _Asked, effects: list[Effect]) -> Iterator[Effect]:
    """Yield what a request does besides, by its fields."""
    place, headers = asked.place, asked.request.headers
    writes = any(effect.action in _OVER and effect.object == place.object for effect in effects)
    if "x-ms-blob-public-access" in headers:
        yield Effect(Action.ENTITLE, place.object)
    if writes and place.names[:1] == (WEBSITE,):
        yield Effect(Action.EXPORT, place.container.object)
    if not writes:
        return
    if any(name in headers for name in ("x-ms-legal-hold", "x-ms-immutability-policy-until-date")):
        yield Effect(Action.ADMIN, place.object)
    if any(name in headers for name in ("x-ms-expiry-time", "x-ms-expiry-option")):
        yield Effect(Action.DELETE, place.object)


# ── operations whose headers decide ──────────────────────────────────────────────────────────────────────────────────


def _written(asked: _Asked) -> tuple[Action, ...]:
    """What writing a whole blob does: `If-None-Match: *` only creates, `If-Match` only changes, else either."""
    if asked.says("if-none-match") == "*":
        return (Action.CREATE,)
    return (Action.UPDATE,) if "if-match" in asked.request.headers else _OVER


def _put(asked: _Asked) -> _Found:
    if SOURCE in asked.request.headers:
        return _copied(asked, *_written(asked))
    if asked.says("x-ms-blob-type") not in ("blockblob", "appendblob", "pageblob"):
        raise Unclear("it has no x-ms-blob-type, so what it writes is not known")
    return asked.does(operations.WRITE, *_written(asked))


def _put_block(asked: _Asked) -> _Found:
    return _copied(asked, Action.CREATE)


def _put_block_list(asked: _Asked) -> _Found:
    return asked.does(operations.WRITE, *_written(asked))


def _put_page(asked: _Asked) -> _Found:
    if asked.says("x-ms-page-write") not in ("update", "clear"):
        raise Unclear("its x-ms-page-write is neither update nor clear")
    return _copied(asked, Action.UPDATE)


def _append(asked: _Asked) -> _Found:
    return _copied(asked, Action.UPDATE)


def _copy_increment(asked: _Asked) -> _Found:
    if SOURCE not in asked.request.headers:
        raise Unclear(f"it has no {SOURCE}")
    return _copied(asked, *_OVER)


def _copied(asked: _Asked, *actions: Action) -> _Found:
    """What is written, and what is read for it: a blob of this account, or whatever Azure can reach."""
    name, effects = asked.does(operations.WRITE, *actions)
    if SOURCE not in asked.request.headers:
        return name, effects
    source = copied_from(asked.request, asked.resource)
    read = Effect(Action.EXPORT, SERVICE.object) if source is None else Effect(Action.READ, source.object)
    return name, [*effects, read]


def _stop_copy(asked: _Asked) -> _Found:
    if asked.says("x-ms-copy-action") != "abort" or not asked.parameters.get("copyid"):
        raise Unclear("it is no abort of a copy")
    return asked.does(operations.WRITE, Action.UPDATE)


def _lease(asked: _Asked) -> _Found:
    """A lease locks a thing for whom holds it; breaking one takes another's away."""
    name = operations.WRITE if asked.place.level is Level.BLOB else operations.LEASE_CONTAINER
    action = asked.says("x-ms-lease-action")
    if action == "break":
        return asked.does(name, Action.ADMIN)
    if action in ("acquire", "renew", "change", "release"):
        return asked.does(name, Action.UPDATE)
    raise Unclear("its x-ms-lease-action is not known")


def _delete(asked: _Asked) -> _Found:
    """What goes for good, past soft delete, is dropped."""
    kind = asked.parameters.get("deletetype", "").lower()
    if kind not in ("", "permanent"):
        raise Unclear("its deletetype is not known")
    if asked.says("x-ms-delete-snapshots") not in ("", "include", "only"):
        raise Unclear("its x-ms-delete-snapshots is not known")
    if kind:
        return asked.does(operations.DELETE_FOREVER, Action.DROP)
    return asked.does(
        operations.DELETE_VERSION if "versionid" in asked.parameters else operations.DELETE_BLOB, Action.DELETE
    )


def _rename_container(asked: _Asked) -> _Found:
    source = place_of(f"/{asked.request.headers.get('x-ms-source-container-name')}", "", container=True)
    if source.level is not Level.CONTAINER:
        raise Unclear("it has no x-ms-source-container-name")
    name, effects = asked.does(operations.RENAME_CONTAINER, Action.DEFINE)
    return name, [*effects, Effect(Action.DROP, source.object)]


def _undelete_container(asked: _Asked) -> _Found:
    """What is brought back may get another name, and so the rights to that: its content is carried there."""
    deleted = place_of(f"/{asked.request.headers.get('x-ms-deleted-container-name')}", "", container=True)
    if deleted.level is not Level.CONTAINER:
        raise Unclear("it has no x-ms-deleted-container-name")
    name, effects = asked.does(operations.UNDELETE_CONTAINER, Action.DEFINE)
    return name, effects if deleted == asked.place else [*effects, Effect(Action.READ, deleted.object)]


def _batch(asked: _Asked) -> _Found:
    """Everything that the parts of a batch do: deletes and tiers, which is all that the service takes in one."""
    effects: list[Effect] = []
    for part in parts_of(asked.request):
        inner = replace(
            asked.request, method=part.method, path=part.path, query=part.query, headers=part.headers, body=None
        )
        comp = parameters(part.query).get("comp", "").lower()
        if (part.method, comp) not in (("DELETE", ""), ("PUT", "tier")):
            raise Unclear("a part of its batch is neither a delete of a blob nor a change of its tier")
        _, does = _judged(inner, asked.resource, within=True)
        if any(effect.object.kind != Level.BLOB for effect in does):
            raise Unclear("a part of its batch is about something else than a blob")
        effects += does
    return operations.BATCH, effects


_SPECIAL: Mapping[Key, Callable[[_Asked], _Found]] = {
    (Level.BLOB, "PUT", "", ""): _put,
    (Level.BLOB, "PUT", "", "block"): _put_block,
    (Level.BLOB, "PUT", "", "blocklist"): _put_block_list,
    (Level.BLOB, "PUT", "", "page"): _put_page,
    (Level.BLOB, "PUT", "", "appendblock"): _append,
    (Level.BLOB, "PUT", "", "incrementalcopy"): _copy_increment,
    (Level.BLOB, "PUT", "", "copy"): _stop_copy,
    (Level.BLOB, "PUT", "", "lease"): _lease,
    (Level.BLOB, "DELETE", "", ""): _delete,
    (Level.CONTAINER, "PUT", "container", "lease"): _lease,
    (Level.CONTAINER, "PUT", "container", "rename"): _rename_container,
    (Level.CONTAINER, "PUT", "container", "undelete"): _undelete_container,
    (Level.CONTAINER, "POST", "container", "batch"): _batch,
    (Level.SERVICE, "POST", "", "batch"): _batch,
}
_COPYING = (_put, _put_block, _put_page, _append, _copy_increment)
