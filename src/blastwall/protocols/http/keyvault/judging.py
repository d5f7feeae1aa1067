"""What a request to a vault would do."""

from __future__ import annotations

from collections.abc import Iterator

from blastwall.model.effects import Action, Effect, Object
from blastwall.model.statement import Literal
from blastwall.protocols.http.flavour import Judged, statement_text
from blastwall.protocols.http.hidden import hidden_parts
from blastwall.protocols.http.json_spans import spans_of
from blastwall.protocols.http.keyvault.operations import Found, found, kind_of
from blastwall.protocols.http.parts import Unclear, check_fields, parameters, segments
from blastwall.protocols.http.request import Request

_SECRET_MEMBERS = frozenset({"value", "pwd", "k", "d", "p", "q", "dp", "dq", "qi", "t", "key_hsm", "iv", "aad", "tag"})
"""Members of bodies that hold a secret, a private key (RFC 7517's names), or what a key protects."""

_SHOWN = ("sign/action", "verify/action")
"""Operations whose `value` is a digest: who approves a signature must see of what."""


def judge(request: Request) -> Judged:
    """Say what a request would do; what is unclear is unclassified, with the reason."""
    try:
        one = _found(request)
    except Unclear as unclear:
        effect = Effect(Action.UNCLASSIFIED, Object(("vault",), "vault"))
        return Judged((effect,), request.method, f"{unclear}", secrets=_hidden(request, ""))
    about = Object(("vault", *one.about), kind_of(one.about))
    effects = tuple(Effect(action, about) for action in one.operation.actions)
    secrets = _hidden(request, one.operation.name)
    return Judged(effects, one.operation.name, secrets=secrets, reveals=one.operation.secret)


def _found(request: Request) -> Found:
    check_fields(request.headers, once=("content-type",))
    parameters(request.query)
    names = segments(request.path)
    one = found(request.method, names) or (found(request.method, names[:-1]) if names[-1:] == ("",) else None)
    if one is None:
        raise Unclear(f"a vault has no operation {request.method} {request.path[:120]}")
    if request.body:
        try:
            request.body.decode()
        except UnicodeDecodeError:
            raise Unclear("its body is not UTF-8") from None
    return one


def _hidden(request: Request, operation: str) -> tuple[Literal, ...]:
    """Return what must be hidden of the text: secrets of the body, and of the query."""
    text = statement_text(request)
    head, blank, _ = text.partition("\n\n")
    spans: Iterator[tuple[int, int]] = iter(())
    if blank and not operation.endswith(_SHOWN):
        spans = spans_of(text, len(head) + len(blank), _SECRET_MEMBERS)
    return (*hidden_parts(head), *(Literal(start, end, secret=True) for start, end in spans))
