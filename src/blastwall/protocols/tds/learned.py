"""What a session has learned of its requests: those that were allowed by an answer that stands, by their bytes.

Only the ordinary way learns, once it has sent a request: it has read these very bytes. Two requests with the same key
differ in nothing but the descriptor of their transaction, which nothing is judged by; of two calls of the same prepared
or given text, in the values of their parameters as well.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple
from weakref import ref

from blastwall.model.effects import Action
from blastwall.model.masks import MaskRules
from blastwall.model.statement import Statement
from blastwall.protocols.standing import Standing
from blastwall.protocols.tds import types
from blastwall.protocols.tds.calls import Call
from blastwall.protocols.tds.handles import Source
from blastwall.protocols.tds.packets import EOM, HEADER, Kind, Message
from blastwall.protocols.tds.plain_answers import Shown
from blastwall.protocols.tds.rpc import Rpc, RpcParameter
from blastwall.protocols.tds.running import Asked, Running
from blastwall.sql.tsql.catalog import Catalog
from blastwall.sql.tsql.state import NameState
from blastwall.sql.tsql.statement import Classified

_MOST = 200
_MOST_BYTES = 400_000
"""How many requests a session remembers, and how many bytes of them at most."""
_ONE_HEADER = b"\x16\0\0\0\x12\0\0\0\x02\0"
"""All headers, 22 bytes: that of the transaction alone, 18 bytes of type 2 (MS-TDS 2.2.5.3.2). Its descriptor comes."""
DESCRIBED = HEADER + len(_ONE_HEADER) + 8
"""Where in such a packet that descriptor ends."""
_LASTING = frozenset({Action.DEFINE, Action.DROP, Action.EXECUTE, Action.UNCLASSIFIED})


class Names(NamedTuple):
    """What the names in a request were read under. A reading of the catalog is not kept for this."""

    catalog: ref[Catalog]
    state: NameState


class Known:
    """A request that was allowed, and what its ruling depended on. `read` reads it anew.

    `given` are the parameters of a call whose values may be others; `handle` is the number of the prepared statement
    that it runs, and what it stood for. `asked` is the one of its like whose answer the ordinary way took last: what it
    `shown` is how the next answer may begin.
    """

    __slots__ = (
        "asked", "calls", "classified", "given", "handle", "inside", "kind", "names", "read", "rules", "standing",
        "statement",
    )  # fmt: skip

    def __init__(self, asked: Asked, standing: Standing, running: Running, names: Names) -> None:
        self.asked = asked
        self.statement: Statement = asked.statement
        self.classified: Classified = asked.classified
        self.rules: MaskRules = asked.rules
        self.inside = asked.statement.in_transaction
        self.standing = standing
        self.kind, self.calls = running.kind, running.calls
        self.names = names
        self.given: tuple[RpcParameter, ...] | None = None
        self.handle: tuple[int, Source] | None = None
        self.read: Callable[[], Classified] | None = None

    @property
    def shown(self) -> Shown | None:
        """How the answers of its like began so far."""
        return self.asked.shown


class Learned:
    """The requests of one session."""

    def __init__(self) -> None:
        self._known: dict[bytes, Known] = {}
        self._size = 0
        self._catalog: ref[Catalog] | None = None

    def find(self, key: bytes) -> Known | None:
        """Return the request of that key."""
        return self._known.get(key)

    def batch(self, message: Message, running: Running, names: Names, read: Callable[[], Classified]) -> None:
        """A batch was sent."""
        known = _lasting(running, names)
        key = key_of(message.raw)
        if known is not None and key is not None:
            known.read = read
            self._keep(key, known)

    def call(self, message: Message, running: Running, names: Names, rpc: Rpc, call: Call) -> None:
        """A call was sent, as it came, which was the only one of its request."""
        known = _lasting(running, names)
        key = key_of(message.raw)
        if known is None or key is None or call.gives or call.ends or call.cursor is not None:
            return
        known.read = call.read
        known.handle = call.prepared
        first = call.values_from
        if first is None and call.by_handle:
            return
        if first is not None and first < len(rpc.parameters):
            known.given = rpc.parameters[first:]
            key = message.raw[:1] + message.raw[DESCRIBED : HEADER + rpc.begins[first]]
            if any(one.type.type == types.TVP for one in known.given):
                return
        self._keep(key, known)

    def forget(self) -> None:
        """The answers do not stand any more."""
        self._known.clear()
        self._size = 0
        self._catalog = None

    def _keep(self, key: bytes, known: Known) -> None:
        full = len(self._known) >= _MOST or self._size + len(key) > _MOST_BYTES
        if full or known.names.catalog != self._catalog:
            self.forget()  # what was read under an older catalog is never asked for again
            self._catalog = known.names.catalog
        if len(key) <= _MOST_BYTES:
            self._known[key] = known
            self._size += len(key)


def key_of(data: bytes) -> bytes | None:
    """Return what a request is known by; None where it is not one packet with one header, whole and nothing besides."""
    plain = data[1:2] == bytes((EOM,)) and data[HEADER : HEADER + len(_ONE_HEADER)] == _ONE_HEADER
    if not plain or len(data) < DESCRIBED + 4 or int.from_bytes(data[2:4], "big") != len(data):
        return None
    return data[:1] + data[DESCRIBED:] if data[0] in (Kind.BATCH, Kind.RPC) else None


def _lasting(running: Running, names: Names) -> Known | None:
    """What can be asked for again by its answer: one statement, after which all means what it meant before."""
    if len(running.asks) != 1 or running.loads:
        return None
    asked = running.asks[0]
    classified, standing = asked.classified, asked.standing
    changes = classified.changes
    lasting = changes or changes.forbidden or changes.made or changes.opened
    limited = asked.limit_affected is not None or asked.limit_rows is not None
    if standing is None or lasting or limited or asked.record is not None:
        return None
    if any(effect.action in _LASTING for effect in classified.effects):
        return None
    return Known(asked, standing, running, names)
