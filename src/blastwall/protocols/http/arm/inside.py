"""What a request's body says that it would do: batches, deployments, moves, and the side effects of a write."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from blastwall.model.azure import RESOURCE_GROUP, SUBSCRIPTION, TENANT, places
from blastwall.model.effects import Action
from blastwall.protocols.http.arm.catalogue import actions_of
from blastwall.protocols.http.arm.documents import Json
from blastwall.protocols.http.arm.effects import Found, identity
from blastwall.protocols.http.arm.logs import logs_queried
from blastwall.protocols.http.arm.operations import Operation, operation_of
from blastwall.protocols.http.arm.paths import Unplaced
from blastwall.protocols.http.arm.polling import polls
from blastwall.protocols.http.arm.properties import consequences
from blastwall.protocols.http.arm.templates import deployment

BATCH = "Microsoft.Resources/batch/action"
BATCHES = frozenset({"/batch", "/$batch"})
_MOST_IN_A_BATCH = 500
_DEPLOYS = {
    "microsoft.resources/deployments/write": False,
    "microsoft.resources/deploymentstacks/write": False,
    "microsoft.resources/deployments/validate/action": True,
    "microsoft.resources/deployments/whatif/action": True,
    "microsoft.resources/deploymentstacks/validate/action": True,
}
"""Operations with a template, and whether they only check it."""

_MOVES = frozenset(
    {
        "microsoft.resources/subscriptions/resourcegroups/moveresources/action",
        "microsoft.resources/subscriptions/resourcegroups/validatemoveresources/action",
    }
)
_GRAPH = frozenset(
    f"microsoft.resourcegraph/{name}/action"
    for name in ("resources", "resourcechanges", "resourcechangedetails", "resourceshistory")
)
_DEPLOYED_TO = frozenset(
    {SUBSCRIPTION, RESOURCE_GROUP, "microsoft.resources/tenants", "microsoft.management/managementgroups"}
)
_MARKS = ("unmanageaction", "userdata")
_REQUEST = frozenset({"content", "httpmethod", "name", "requestheaderdetails", "url"})


@dataclass(frozen=True, slots=True)
class Asked:
    """A request, or one inside a batch: `body` is what was read, None where there is none.

    `query` need be no more than its `marks`; `unread` says why a body that is there could not be read.
    """

    operation: Operation
    query: str
    body: Json
    unread: str = ""


def marks(query: str | None) -> str:
    """Return the words of a query that change what a request does, however they are escaped."""
    said = unquote(query or "").lower()
    return " ".join(word for word in _MARKS if word in said)


def effects_of(found: Found, asked: Asked) -> None:
    """Note what a request would do.

    Raises:
        Unplaced: it cannot be told.
        TooMuch: a template takes too long to evaluate.
    """
    operation = asked.operation
    if operation.method in {"GET", "HEAD"} and polls(operation):
        found.polled()
    elif operation.key in _DEPLOYS:
        _deployed(found, asked, checks=_DEPLOYS[operation.key])
    elif operation.key in _MOVES:
        _moved(found, asked)
    elif operation.key in _GRAPH:
        _queried(found, asked)
    else:
        _usual(found, asked)
    if asked.unread:
        found.unclear(asked.unread, operation.target)


def batched(found: Found, body: Json, hosts: frozenset[str]) -> None:
    """Note what the requests of a batch would do.

    Raises:
        Unplaced: one of them cannot be told.
        TooMuch: a template takes too long to evaluate.
    """
    requests = body.get("requests") if isinstance(body, dict) else None
    if not isinstance(requests, list) or not requests or len(requests) > _MOST_IN_A_BATCH:
        raise Unplaced("the batch has no list of requests, or too many")
    if isinstance(body, dict) and set(body) != {"requests"}:
        raise Unplaced("the batch has properties that are not known here")
    for request in requests:
        if not isinstance(request, dict) or not set(request) <= _REQUEST:
            raise Unplaced("a request of the batch has properties that are not known here")
        effects_of(found, _in_batch(request, hosts))


def _in_batch(request: Mapping[str, Json], hosts: frozenset[str]) -> Asked:
    method, url, content = request.get("httpmethod"), request.get("url"), request.get("content")
    if not isinstance(method, str) or not isinstance(url, str):
        raise Unplaced("a request of the batch has no method or no url")
    if isinstance(content, str):
        raise Unplaced("a request of the batch has its content as text")
    path, query = _target(url, hosts)
    details = request.get("requestheaderdetails")
    if details is not None and not (isinstance(details, dict) and set(details) <= {"commandname"}):
        raise Unplaced("a request of the batch has header fields that are not known here")
    if path.rstrip("/").lower() in BATCHES:
        raise Unplaced("a batch stands in a batch")
    operation = operation_of(method.upper(), path)
    if method.upper() in {"GET", "HEAD", "DELETE"} and content not in (None, {}):
        raise Unplaced("a request of the batch has content that its method does not have")
    return Asked(operation, query, content)


def _target(url: str, hosts: frozenset[str]) -> tuple[str, str]:
    """Return path and query of a batched request's url, which may name Resource Manager's host."""
    if any(sign in url for sign in "\\#\t\r\n ") or not url.isprintable():
        raise Unplaced("a url in the batch has a sign that may be read in several ways")
    try:
        parts = urlsplit(url)
    except ValueError:
        raise Unplaced("a url in the batch cannot be read") from None
    if (parts.scheme or parts.netloc) and (parts.scheme.lower() != "https" or parts.netloc.lower() not in hosts):
        raise Unplaced("a url in the batch leads to another host")
    if parts.path.startswith("//"):
        raise Unplaced("a url in the batch names a host without a scheme")
    path = parts.path if parts.path.startswith("/") else f"/{parts.path}"
    return path, parts.query


def _deployed(found: Found, asked: Asked, *, checks: bool) -> None:
    operation = asked.operation
    around = places(operation.target)[1]
    scope = around.id
    if around.kind not in _DEPLOYED_TO:
        raise Unplaced("a deployment goes to a resource group, a subscription, a management group or the tenant")
    found.add((Action.READ,) if checks else actions_of(operation.key, operation.method), operation.target)
    body = asked.body if isinstance(asked.body, dict) else {}
    if operation.method == "PATCH" or not set(body) <= {"location", "properties", "tags", "identity", "scope", "name"}:
        raise Unplaced("a deployment is written in a way that is not known here")
    if body.get("identity") is not None and not checks:
        consequences(found, operation.target, {"identity": body["identity"]}, _as_it_is)
    name = operation.target.rsplit("/", 1)[-1]
    deployment(found, scope, name, body.get("properties"), checks=checks)


def _moved(found: Found, asked: Asked) -> None:
    """A move takes resources out of the scopes of whoever watches them: they are gone here, and new there."""
    body = asked.body if isinstance(asked.body, dict) else {}
    resources, group = body.get("resources"), body.get("targetresourcegroup")
    if not isinstance(resources, list) or not isinstance(group, str) or not resources:
        raise Unplaced("the move does not say what goes where")
    for resource in resources:
        if not isinstance(resource, str):
            raise Unplaced("the move does not say what goes where")
        found.add((Action.DELETE,), identity(resource))
    found.add((Action.CREATE,), identity(group))


def _queried(found: Found, asked: Asked) -> None:
    """Resource Graph reads all that the gateway's identity may, in the subscriptions that the query names."""
    body = asked.body if isinstance(asked.body, dict) else {}
    subscriptions = body.get("subscriptions")
    if not isinstance(subscriptions, list) or not subscriptions or body.get("managementgroups"):
        found.add((Action.READ,), "/")
        return
    for each in subscriptions:
        plain = isinstance(each, str) and "/" not in each
        found.add((Action.READ,), identity(f"/subscriptions/{each}") if plain else "/")


def _usual(found: Found, asked: Asked) -> None:
    operation = asked.operation
    actions = found.does(operation)
    marked = marks(asked.query)
    if Action.UNCLASSIFIED in actions:
        found.unclear(f"it is not known what {operation.name} does", operation.target)
    if operation.method in {"PUT", "PATCH"}:
        consequences(found, operation.target, asked.body, _as_it_is)
    if operation.method == "DELETE" and "unmanageaction" in marked:
        found.add((Action.DROP,), places(operation.target)[1].id)
    if operation.method in {"GET", "HEAD"} and "userdata" in marked:
        found.add((Action.REVEAL,), operation.target)
    if logs_queried(operation, asked.body):
        found.add((Action.READ,), TENANT)


def _as_it_is(text: str) -> str:
    return text
