"""What binds an approval to a statement: a keyed hash of who asks what of whom, to the byte."""

from __future__ import annotations

import hmac
from collections.abc import Iterable

from blastwall.gate.ports import Subject
from blastwall.model.statement import Statement


def bind(key: bytes, subject: Subject, statement: Statement) -> bytes:
    """Return HMAC-SHA256 over an injective encoding, so that no two questions share a binding.

    Session and number stand in the `Hold` itself and are no part of it: it says what was approved, not where it waits.
    """
    digest = hmac.new(key, digestmod="sha256")
    for part in _parts(subject, statement):
        digest.update(b"-" if part is None else b"%d:" % len(part))
        digest.update(part or b"")
    return digest.digest()


def _parts(subject: Subject, statement: Statement) -> Iterable[bytes | None]:
    names = (*subject.principal.key, subject.resource.name, subject.resource.kind, statement.database)
    yield from (name.encode("utf-8", "surrogatepass") for name in names)
    yield statement.text.encode("utf-8", "surrogatepass")
    yield from (part.encode("utf-8", "surrogatepass") for part in _meaning(statement))
    for parameter in statement.parameters:
        yield parameter.declared.encode("utf-8", "surrogatepass")
        value = parameter.value
        if isinstance(value, str):
            yield b"text"
            yield value.encode("utf-8", "surrogatepass")
        else:
            yield b"bytes"
            yield value


def _meaning(statement: Statement) -> Iterable[str]:
    """What the text means where it is sent: after another SET search_path it may name another table."""
    yield statement.operation
    for effect in statement.effects:
        yield from (effect.action, effect.object.kind, str(len(effect.object.names)), *effect.object.names)
    yield ""
