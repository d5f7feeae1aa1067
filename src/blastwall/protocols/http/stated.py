"""A request as the statement that is ruled on and recorded, and back from a text that somebody wrote."""

from __future__ import annotations

from blastwall.model.statement import Parameter, Statement
from blastwall.protocols.http.faults import Unreadable
from blastwall.protocols.http.fields import check_request, passed_on
from blastwall.protocols.http.flavour import Judged, statement_text
from blastwall.protocols.http.normalise import PathRule, normal_authority, normal_path, split_target
from blastwall.protocols.http.request import Headers, Request


def stated(request: Request, judged: Judged) -> Statement:
    """Return what is asked of the gate. A body that was read and is no text is a value that nobody records."""
    values = (Parameter(request.body, secret=True),) if request.body and not _textual(request.body) else ()
    text = statement_text(request, judged.fields)
    return Statement(text, judged.effects, judged.operation, "", values, judged.secrets, doubt=judged.doubt)


def _textual(body: bytes) -> bool:
    try:
        body.decode()
    except UnicodeDecodeError:
        return False
    return True


def written(text: str, rule: PathRule) -> Request:
    """Return the request that a text of the form of `statement_text` says; without a host, of `resource.example`.

    Raises:
        Unreadable: it is none, or one that would not be read.
    """
    head, _, body = text.replace("\r\n", "\n").partition("\n\n")
    line, *rest = head.strip().split("\n")
    method, _, url = line.strip().partition(" ")
    if not method.isascii() or not method.isupper() or not url:
        raise Unreadable("a first line other than METHOD URL")
    scheme, mark, after = url.strip().partition("://")
    if not mark:
        if not url.startswith("/"):
            raise Unreadable("a target that is neither a URL nor begins with a slash")
        scheme, after = "https", f"resource.example{url.strip()}"
    named = after.partition("/")[0].partition("?")[0]
    authority = normal_authority(named, scheme)
    path, query = split_target(f"{scheme}://{after}", authority, scheme)
    pairs = [(name.strip(), value.strip()) for name, _, value in (each.partition(":") for each in rest)]
    headers = Headers(pairs)
    check_request(headers)
    content = body.encode() or None
    return Request(method, authority, normal_path(path, rule), query, passed_on(headers), content, scheme == "https")
