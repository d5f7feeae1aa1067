"""From a held statement to the request that people see, and back to what a decision needs of it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from blastwall.approvals.people import Asker
from blastwall.gate.ports import Hold
from blastwall.model.ruling import Approval
from blastwall.store.approvals import Mode, StoredRequest

_LONGEST_VALUE = 4096
_MOST_VALUES = 65_536
"""Characters of bind values that are shown; the binding is over all of them."""


@dataclass(frozen=True, slots=True)
class Place:
    """The process that holds a statement. `holder` is new with each start, worker `worker` of `of` is there again."""

    node: str
    worker: int
    of: int
    holder: str


def requested(hold: Hold, place: Place, identity: str) -> StoredRequest:
    """Return the request for a hold, without its seal."""
    principal = hold.subject.principal
    return StoredRequest(
        id=identity,
        mode=Mode.FAIL.value if hold.fails else Mode.WAIT.value,
        asked_at=hold.asked_at,
        until=hold.until,
        lasts=hold.lasts,
        node=place.node,
        session=hold.session,
        number=hold.number,
        kind=principal.kind.value,
        principal=principal.name,
        issuer=principal.issuer,
        subject=_storable(principal.subject),
        groups=json.dumps(sorted(principal.groups)),
        claims=json.dumps(dict(principal.claims)),
        resource=hold.subject.resource.name,
        database=_storable(hold.subject.database),
        operation=_storable(hold.operation),
        text=_storable(hold.text),
        parameters=json.dumps(_shown(hold.parameters)),
        effects=json.dumps([[each.action, list(each.object.names), each.object.kind] for each in hold.effects]),
        policies=json.dumps(hold.policies),
        reason=_storable(hold.reason),
        needed=json.dumps([[each.group, each.count] for each in hold.approvals]),
        in_transaction=hold.in_transaction,
        binding=hold.binding.hex(),
        worker=place.worker,
        holder="" if hold.fails else place.holder,
    )


def _storable(text: str) -> str:
    """Return a text as both kinds of state can hold it: without NUL and lone surrogates, which no honest one has."""
    return text.replace("\0", "\ufffd").encode("utf-8", "replace").decode()


def _shown(values: tuple[str | None, ...]) -> list[str | None]:
    left = _MOST_VALUES
    shown: list[str | None] = []
    for value in values:
        most = min(_LONGEST_VALUE, left)
        if value is not None and len(value) > most:
            shown.append(f"{value[:most]}… ({len(value)} characters)")
        else:
            shown.append(value)
        left -= min(most, len(value or ""))
    return shown


def needed_of(request: StoredRequest) -> tuple[Approval, ...]:
    """Return who must approve."""
    return tuple(Approval(group, count) for group, count in json.loads(request.needed))


def asker_of(request: StoredRequest) -> Asker:
    """Return who asks."""
    claims: Mapping[str, str] = json.loads(request.claims)
    return Asker(request.kind, request.principal, request.issuer, request.subject, claims)
