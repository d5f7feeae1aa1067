"""The way from a request's text to what it would do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from blastwall.model.effects import Action, Effect, Object
from blastwall.model.statement import Literal
from blastwall.sql.tsql.catalog import Catalog
from blastwall.sql.tsql.limits import Limits
from blastwall.sql.tsql.state import NameState
from blastwall.sql.tsql.statement import Argument, Classified

UNPARSED = "UNPARSED"
_DEFAULT_LIMITS = Limits()
_NONE: Mapping[str, str] = {}


def classify(
    text: str,
    catalog: Catalog,
    state: NameState,
    *,
    parameters: Mapping[str, str] = _NONE,
    limits: Limits = _DEFAULT_LIMITS,
) -> Classified:
    """Return what a batch would do; what cannot be read, resolved or bounded is `unclassified`, and its doubt says why.

    `parameters` are the declared parameters of the text ("@id", lower-case, to its type), as sp_executesql has them.
    """
    del state, parameters, limits
    return unread(text, catalog, "Blastwall cannot read this text")


def call(
    name: Sequence[str],
    arguments: Sequence[Argument],
    catalog: Catalog,
    state: NameState,
    *,
    limits: Limits = _DEFAULT_LIMITS,
) -> Classified:
    """Return what calling a procedure by RPC would do; `name` has one to four parts, exact and unquoted."""
    del arguments, state, limits
    return unread(".".join(name), catalog, "Blastwall cannot read this call")


def unread(text: str, catalog: Catalog, reason: str) -> Classified:
    """Return what is said of a text that nobody could read; nobody knows which of it is a secret either."""
    return Classified(
        UNPARSED,
        (Effect(Action.UNCLASSIFIED, Object((catalog.database,), "database")),),
        doubt=reason,
        literals=(Literal(0, len(text), None, True),),
        results=None,
        messages=None,
        copies=None,
        filters=None,
        counted=False,
        straight=False,
    )
