"""A request as policy judges it: Azure's operation, its effects, and where its text holds secrets."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import lru_cache

from blastwall.model.azure import TENANT
from blastwall.model.effects import Action
from blastwall.model.resource import Address, Resource
from blastwall.model.statement import Literal
from blastwall.protocols.http.arm.documents import Document, Json, Unreadable, read_document
from blastwall.protocols.http.arm.effects import Found
from blastwall.protocols.http.arm.evaluation import TooMuch
from blastwall.protocols.http.arm.inside import BATCH, BATCHES, Asked, batched, effects_of, marks
from blastwall.protocols.http.arm.operations import VERBS, Operation, operation_of
from blastwall.protocols.http.arm.paths import Unplaced
from blastwall.protocols.http.arm.secrets import holds_secret, in_query, may_be_secret
from blastwall.protocols.http.flavour import Judged, statement_text
from blastwall.protocols.http.request import Headers, Request

ARM_HOSTS = frozenset({"management.azure.com", "management.usgovcloudapi.net", "management.chinacloudapi.cn"})
_OVERRIDES = frozenset(
    {"x-http-method", "x-http-method-override", "x-method-override", "x-original-url", "x-rewrite-url",
     "x-ms-authorization-auxiliary"}
)  # fmt: skip
"""Fields by which some servers do another thing than the request says, or do it in another's name."""

_TEXTS = frozenset({"", "application/json", "text/json", "application/merge-patch+json"})
_CHARSETS = frozenset({"", "utf-8", "utf8"})
_SECURE = frozenset({"securestring", "secureobject"})
_VALUES = ("vaults/secrets", "configurationstores/keyvalues", "automationaccounts/variables")
"""Types whose `value` is a secret, or may be one."""

_UNRECORDED = frozenset({Action.REVEAL, Action.CONNECT})
"""What hands out a credential, and polls, which may have one in their result."""

_NOTHING = Document(None, ())
_NO_FIELDS = Headers()
_NOWHERE = Resource("", "", Address("", 0))


def judge(request: Request, resource: Resource) -> Judged:
    """Say what a request would do; what cannot be told is `unclassified`. Never raises."""
    if not request.body and not _tricked(request):
        judged = _bare(request.method, request.path, marks(request.query))
        secrets = tuple(_in_query(request))
        return replace(judged, secrets=secrets) if secrets else judged
    return _judged(request, resource)


@lru_cache(maxsize=4096)
def _bare(method: str, path: str, marked: str) -> Judged:
    """Return what a request without a body would do; of its query only the marks count."""
    return _judged(Request(method, "", path, marked or None, _NO_FIELDS), _NOWHERE)


def _judged(request: Request, resource: Resource) -> Judged:
    found = Found()
    operation, doubt = _operation(request)
    document, unread = _document(request, operation)
    name, place = (operation.name, operation.target) if operation else (BATCH if not doubt else request.method, TENANT)
    try:
        if operation is not None:
            effects_of(found, Asked(operation, request.query or "", document.value, unread))
        elif not doubt and not unread:
            hosts = frozenset({*ARM_HOSTS, resource.upstream.host.lower(), request.authority})
            batched(found, document.value, hosts)
    except (Unplaced, TooMuch) as fault:
        found.unclear(str(fault), place)
    except RecursionError:
        found.unclear("the template is nested too deeply to be evaluated", place)
    for why in filter(None, (doubt, unread, _tricked(request))):
        found.unclear(why, place)
    if not found.effects:
        found.unclear("it is not known what the request does", place)
    reveals = any(effect.action in _UNRECORDED for effect in found.effects)
    secrets = tuple(_secrets(request, document, unread))
    return Judged(found.effects, name, found.doubt, secrets=secrets, reveals=reveals)


def _operation(request: Request) -> tuple[Operation | None, str]:
    """Return the operation, or why there is none; neither for a batch."""
    try:
        if request.method == "POST" and request.path.rstrip("/").lower() in BATCHES:
            return None, ""
        return operation_of(request.method, request.path), ""
    except Unplaced as unplaced:
        return None, str(unplaced)


def _tricked(request: Request) -> str:
    if any(name in request.headers for name in _OVERRIDES):
        return "a header field asks for another method or path, or brings further tokens"
    return ""


# ── the body ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def _document(request: Request, operation: Operation | None) -> tuple[Document, str]:
    """Return the body, and why it could not be read with certainty; empty where it could."""
    if not request.body:
        return _NOTHING, ""
    if VERBS.get(request.method) in {"read", "delete"} and request.body.strip() not in {b"{}", b"null"}:
        return _NOTHING, f"a {request.method} has a body"
    if not _is_json(request.headers):
        return _NOTHING, "the body is not said to be JSON in UTF-8"
    try:
        text = request.body.decode()
        return read_document(text, _secret_names(text, operation)), ""
    except UnicodeDecodeError:
        return _NOTHING, "the body is not UTF-8"
    except Unreadable as unreadable:
        return _NOTHING, str(unreadable)


def _is_json(headers: Headers) -> bool:
    if len(headers.all("content-type")) > 1:
        return False
    media, *parameters = headers.get("content-type").lower().split(";")
    charsets = [one.partition("=")[2].strip(' "') for one in parameters if one.strip().startswith("charset")]
    return media.strip() in _TEXTS and len(charsets) < 2 and all(one in _CHARSETS for one in charsets)


# ── its secrets ──────────────────────────────────────────────────────────────────────────────────────────────────────


def _secret_names(text: str, operation: Operation | None) -> Callable[[str], bool]:
    """Return which names of properties say that what is below them is a secret."""
    key = operation.key if operation else ""
    lower = text.lower()
    more = {"value"} if any(kind in lower or kind in key for kind in _VALUES) else set[str]()
    if key.startswith("microsoft.web/") and "/config" in key:
        more.add("properties")
    return lambda name: name in more or holds_secret(name)


def _secrets(request: Request, document: Document, unread: str) -> Iterator[Literal]:
    """Yield where the statement's text holds secrets; of a body that was not understood all of it."""
    yield from _in_query(request)
    text = statement_text(request)
    start = len(request.method) + 1 + len(request.url) + 2
    if unread:
        if len(text) > start:
            yield Literal(start, len(text), secret=True)
        return
    secure = frozenset(_secure_parameters(document.value)) if any(one.parameter for one in document.scalars) else ()
    for scalar in document.scalars:
        if scalar.secret or scalar.parameter in secure:
            yield Literal(start + scalar.start, start + scalar.end, secret=True)


def _in_query(request: Request) -> Iterator[Literal]:
    if request.query and may_be_secret(request.query):
        yield from in_query(request.query, len(request.method) + 1 + len(request.origin) + len(request.path) + 1)


def _secure_parameters(value: Json) -> Iterator[str]:
    """Yield the names of the parameters that a template declares as secure, at any depth of templates."""
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, dict):
            waiting += one.values()
            declared = one.get("parameters")
            for name, each in declared.items() if isinstance(declared, dict) else ():
                kind = each.get("type") if isinstance(each, dict) else None
                if isinstance(kind, str) and kind.lower() in _SECURE:
                    yield name
        elif isinstance(one, list):
            waiting += one
