"""What a transaction manager request amounts to, in T-SQL's words: harmless, but recorded."""

from __future__ import annotations

from blastwall.model.effects import Action, Effect, Object
from blastwall.protocols.tds.transactions import DISTRIBUTED, ISOLATIONS, Request, Verb
from blastwall.sql.tsql.statement import Classified

_WORDS = {Verb.BEGIN: "BEGIN", Verb.COMMIT: "COMMIT", Verb.ROLLBACK: "ROLLBACK", Verb.SAVE: "SAVE"}
DISTRIBUTED_REFUSED = (
    "distributed transactions reach other servers, which the gateway does not see; use a local transaction"
)


def distributed(request: Request) -> bool:
    """Whether it would have the session take part in a transaction of several servers."""
    return request.verb in DISTRIBUTED


def told(request: Request) -> str:
    """The request as a text."""
    if distributed(request):
        return f"[a request about a distributed transaction: {request.verb.name}]"
    texts = [f"{_WORDS[request.verb]} TRANSACTION{_name(request.name)}"]
    isolation = request.isolation
    if request.begins:
        texts.append(f"BEGIN TRANSACTION{_name(request.begun)}")
    if isolation:
        texts.insert(len(texts) - 1, f"SET TRANSACTION ISOLATION LEVEL {ISOLATIONS[isolation].upper()}")
    return "; ".join(texts)


def effects_of(request: Request, database: str) -> Classified:
    """What it does: transaction control is for whoever may connect."""
    action = Action.UNCLASSIFIED if distributed(request) else Action.CONNECT
    verbs = {request.verb.name.lower()} | ({"begin"} if request.begins else set())
    return Classified(
        _WORDS.get(request.verb, "DISTRIBUTED"),
        (Effect(action, Object((database,), "database")),),
        doubt=DISTRIBUTED_REFUSED if distributed(request) else "",
        transaction=frozenset(verbs),
    )


def _name(name: str) -> str:
    return f" [{name.replace(']', ']]')}]" if name else ""
