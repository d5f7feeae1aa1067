"""What a request to an API would do: by its rules, else by its method."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from blastwall.model.effects import Action, Effect, Object
from blastwall.model.statement import Literal
from blastwall.protocols.http.flavour import Judged, statement_text
from blastwall.protocols.http.hidden import SECRET_NAMES, hidden_parts
from blastwall.protocols.http.json_spans import spans_of
from blastwall.protocols.http.parts import Unclear, check_fields, decoded, segments
from blastwall.protocols.http.passing import body_fields
from blastwall.protocols.http.request import Request
from blastwall.protocols.http.rest.settings import RestSettings

_METHODS: Mapping[str, Action] = {
    "GET": Action.READ,
    "HEAD": Action.READ,
    "OPTIONS": Action.READ,
    "POST": Action.CREATE,
    "PUT": Action.UPDATE,
    "PATCH": Action.UPDATE,
    "DELETE": Action.DELETE,
}
_OVERRIDES = frozenset({"_method", "_httpmethod", "x-http-method-override", "x-http-method", "$method"})
"""Parameters that some frameworks take for the method (Rails, Laravel, Symfony, Spring, WCF)."""

_READ_ONLY = frozenset({"GET", "HEAD", "OPTIONS"})

FORM = "application/x-www-form-urlencoded"


def judge(request: Request, settings: RestSettings) -> Judged:
    """Say what a request would do; what is unclear is unclassified, with the reason."""
    fields = () if request.method in _READ_ONLY else body_fields(request)
    secrets = _hidden(request, fields)
    try:
        names = _names(request)
        _check_overrides(request)
    except Unclear as unclear:
        effect = Effect(Action.UNCLASSIFIED, Object(("paths",), "api"))
        return Judged((effect,), request.method, f"{unclear}", fields, secrets)
    about = _object(names, settings)
    folded = tuple(name.lower() for name in names)
    for rule in settings.rules:
        if rule.matches(request.method, folded):
            actions, operation = rule.actions, rule.operation or request.method
            break
    else:
        default = _METHODS.get(request.method, Action.UNCLASSIFIED)
        actions, operation = (settings.methods.get(request.method, default),), request.method
    effects = tuple(Effect(action, about) for action in dict.fromkeys(actions))
    doubt = "its method is not one that the gateway knows" if Action.UNCLASSIFIED in actions else ""
    return Judged(effects, operation, doubt, fields, secrets, Action.REVEAL in actions)


def _names(request: Request) -> tuple[str, ...]:
    """Return the path's segments; a slash at its end, which most servers ignore, is left out.

    Raises:
        Unclear: servers may read another path.
    """
    names = segments(request.path)
    names = names[:-1] if names[-1:] == ("",) else names
    for name in names:
        if not name or "/" in name:
            raise Unclear("its path has an empty segment or an escaped slash")
        if ";" in name:
            raise Unclear("its path has a semicolon, where some servers cut a segment")
        if name.endswith((".", " ")):
            raise Unclear("a segment of its path ends with a dot or a space, which some servers strip")
    return names


def _object(names: tuple[str, ...], settings: RestSettings) -> Object:
    """Return a path as policies know it: `("paths", "v1", "orders")` below the resource."""
    kind = ("api", "container", "path")[min(len(names), 2)]
    return Object(("paths", *(name.lower() if settings.ignore_case else name for name in names)), kind)


def _check_overrides(request: Request) -> None:
    """Refuse what would have the API take another method.

    Raises:
        Unclear: a field or parameter may.
    """
    check_fields(request.headers, once=("content-type",))
    query = _names_in(request.query)
    form = request.headers.get("content-type").partition(";")[0].strip().lower() == FORM
    if form and request.body:
        query |= _names_in(request.body.decode("latin-1"))
    if query & _OVERRIDES:
        raise Unclear("a parameter would have some frameworks take another method than the one that is judged")


def _names_in(text: str | None) -> frozenset[str]:
    """Return the names of a query's or form's parameters in lower case.

    Raises:
        Unclear: a name is escaped badly.
    """
    pieces = (text or "").replace(";", "&").split("&")
    return frozenset(decoded(piece.partition("=")[0].replace("+", " ")).strip().lower() for piece in pieces)


def _hidden(request: Request, fields: tuple[tuple[str, str], ...]) -> tuple[Literal, ...]:
    """Return what must be hidden of the text: credentials in the query, in a form, in a JSON body."""
    text = statement_text(request, fields)
    if not request.body or "json" not in request.headers.get("content-type").lower():
        return hidden_parts(text)
    head, blank, _ = text.partition("\n\n")
    spans: Iterator[tuple[int, int]] = spans_of(text, len(head) + len(blank), SECRET_NAMES) if blank else iter(())
    return (*hidden_parts(head), *(Literal(start, end, secret=True) for start, end in spans))
