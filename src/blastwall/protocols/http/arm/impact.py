"""The companion that tells what a resource group's deletion would take along: its resources, and the locks in the way.

It asks with the gateway's own credential, and reads lists alone: "Resources - List By Resource Group" and "Management
Locks - List At Resource Group Level". What it finds is what there was when it asked.
"""

from __future__ import annotations

import json
import re
from collections import Counter, deque
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from urllib.parse import quote

from blastwall.model.azure import RESOURCE_GROUP, places
from blastwall.model.credential import Credential
from blastwall.model.effects import Action, Effect
from blastwall.protocols.contract import UPSTREAM, Answered, Close, Opening, Output, Side
from blastwall.protocols.http.framing import Body
from blastwall.protocols.http.heads import ResponseHead, write_fields
from blastwall.protocols.http.links import ForeignLink, rewritten
from blastwall.protocols.http.passing import bearer
from blastwall.protocols.http.request import Headers, Request
from blastwall.protocols.http.upstream import Upstream
from blastwall.protocols.http.writing import host_of
from blastwall.protocols.kind import Estimated

NAME = "what lies in groups"
_MOST_PAGES = 20
_MOST_BYTES = 4 << 20
_MOST_TYPES = 6
_MOST_LOCKS = 3
_RESOURCES = "{group}/resources?api-version=2021-04-01"
_LOCKS = "{group}/providers/Microsoft.Authorization/locks?api-version=2016-09-01"
_STRANGE = re.compile(r"[^\w ./()-]")
_NOBODY = "gateway"


class ImpactUnknown(Exception):
    """The resource cannot be asked; the text says why."""


@dataclass(frozen=True, slots=True)
class WhatLiesIn:
    """The question: what lies in this resource group, by its id."""

    group: str


def question_of(effects: Sequence[Effect]) -> tuple[str, WhatLiesIn] | None:
    """Return which companion to ask what about a request of these effects: the one group that it drops."""
    dropped = {
        each.object.azure for each in effects if each.action is Action.DROP and each.object.kind == RESOURCE_GROUP
    }
    groups = [each for each in dropped if places(each)[0].scope]
    return (NAME, WhatLiesIn(groups[0])) if len(groups) == 1 and len(dropped) == 1 else None


@dataclass
class _Asking:
    """One question under way: what was found so far. `locks` is None while resources are listed."""

    number: int
    group: str
    types: Counter[str] = field(default_factory=Counter)
    pages: int = 0
    more: bool = False
    locks: list[str] | None = None


class _Fetch:
    """Collects one answer; implements `Receiver`."""

    method = "GET"
    upgrading = False

    def __init__(self) -> None:
        self.status = 0
        self.body = b""
        self.done = False
        self.failure = ""

    def responded(self, head: ResponseHead, body: Body) -> None:
        self.status = head.status

    def passed(self, pieces: list[bytes]) -> None:
        self.body += b"".join(pieces)
        if len(self.body) > _MOST_BYTES:
            self.failure = "a list is too long to be read"

    def completed(self, trailer: Headers) -> None:
        self.done = True

    def lost(self, reason: str, *, late: bool) -> None:
        self.failure = reason


class ArmImpact:
    """Implements `Companion`, for questions of `WhatLiesIn`. One request is under way at a time."""

    def __init__(self, opening: Opening, credential: Credential, name: str) -> None:
        self._resource = opening.resource
        self._credential = credential
        self._out: list[Output] = []
        self._upstream = Upstream(UPSTREAM, opening.resource.hosts, opening.resource.name, self._out)
        self._waiting: deque[tuple[int, WhatLiesIn]] = deque()
        self._asking: _Asking | None = None
        self._fetch: _Fetch | None = None

    @property
    def place(self) -> str:
        """It keeps nobody from anything."""
        return ""

    @property
    def again(self) -> Hashable | None:
        """Nothing."""
        return None

    def start(self) -> list[Output]:
        """It connects when it is asked."""
        return []

    def look_up(self, number: int, question: Hashable) -> list[Output]:
        if isinstance(question, WhatLiesIn):
            self._waiting.append((number, question))
        if self._asking is None:
            self._next()
        return self._taken()

    def receive(self, side: Side, data: bytes) -> list[Output]:
        self._upstream.receive(data)
        return self._went_on()

    def receive_eof(self, side: Side) -> list[Output]:
        self._upstream.ended()
        return self._went_on()

    def dial_failed(self, side: Side, reason: str) -> list[Output]:
        self._upstream.dial_failed(reason)
        return self._went_on()

    def tls_started(self, side: Side, alpn: str | None, certificate: bytes) -> list[Output]:
        return []

    # ── one question after the other ─────────────────────────────────────────────────────────────────────────────────

    def _next(self) -> None:
        self._asking = None
        if self._waiting:
            number, question = self._waiting.popleft()
            self._asking = _Asking(number, question.group)
            self._get(_RESOURCES.format(group=quote(question.group)))

    def _get(self, target: str) -> None:
        host = host_of(self._upstream.address)
        fields = Headers([("Host", host), bearer(self._credential), ("Accept", "application/json")])
        self._fetch = _Fetch()
        self._upstream.send(f"GET {target} HTTP/1.1\r\n".encode() + write_fields(fields) + b"\r\n", self._fetch)

    def _went_on(self) -> list[Output]:
        fetch, asking = self._fetch, self._asking
        if fetch is not None and asking is not None:
            if fetch.failure or fetch.status == 401:
                self._fail(fetch.failure or "the resource does not take the gateway's credential")
            elif fetch.done:
                self._fetch = None
                self._take(asking, fetch)
        return self._taken()

    def _take(self, asking: _Asking, fetch: _Fetch) -> None:
        """Take one answer, and ask on or answer."""
        found, following = self._listed(fetch) if fetch.status == 200 else (None, "")
        if asking.locks is None and found is None:
            self._answer(asking, ImpactUnknown(f"the resource answers {fetch.status} to what lies in the group"))
            return
        if asking.locks is None:
            asking.types.update(_plain(each.get("type")) for each in found or ())
            asking.pages += 1
            asking.more = bool(following) and asking.pages >= _MOST_PAGES
            if following and not asking.more:
                self._get(following)
            else:
                asking.locks = []
                self._get(_LOCKS.format(group=quote(asking.group)))
            return
        self._answer(asking, _estimated(asking, None if found is None else [_lock(each) for each in found]))

    def _listed(self, fetch: _Fetch) -> tuple[list[dict[str, object]] | None, str]:
        """Return the objects of a list, and the target of its next page; None where it is no list."""
        try:
            document = json.loads(fetch.body)
        except ValueError:
            return None, ""
        value = document.get("value") if isinstance(document, dict) else None
        if not isinstance(value, list):
            return None, ""
        link = document.get("nextLink")
        asked = Request("GET", _NOBODY, "/", None, Headers())
        try:
            following = (
                rewritten(link, asked, self._resource).removeprefix(asked.origin) if isinstance(link, str) else ""
            )
        except ForeignLink:
            following = ""
        return [each for each in value if isinstance(each, dict)], following

    def _answer(self, asking: _Asking, reply: object) -> None:
        self._out.append(Answered(asking.number, reply))
        self._next()

    def _fail(self, reason: str) -> None:
        """Nothing can be asked any more on this connection; whoever asks again has it opened anew."""
        failed = [number for number, _ in self._waiting]
        if self._asking is not None:
            failed.insert(0, self._asking.number)
        self._out += [Answered(number, ImpactUnknown(reason)) for number in failed]
        self._out.append(Close(reason))
        self._asking, self._fetch = None, None
        self._waiting.clear()

    def _taken(self) -> list[Output]:
        outputs = list(self._out)
        self._out.clear()
        return outputs


def _estimated(asking: _Asking, locks: list[str] | None) -> Estimated:
    count = asking.types.total()
    kinds = [f"{number} {kind}" for kind, number in asking.types.most_common(_MOST_TYPES)]
    left = count - sum(number for _, number in asking.types.most_common(_MOST_TYPES))
    listed = ", ".join(kinds + ([f"{left} others"] if left else []))
    words = f"resource{'' if count == 1 else 's'} in the group{' and more' if asking.more else ''}"
    return Estimated(count, f"{words}{': ' if listed else ''}{listed}; {_locked(locks)}", counted=True)


def _locked(locks: list[str] | None) -> str:
    if locks is None:
        return "its locks cannot be read"
    if not locks:
        return "no lock in it stands in the way"
    more = f" and {len(locks) - _MOST_LOCKS} more" if len(locks) > _MOST_LOCKS else ""
    return f"locked, so it will fail: {', '.join(locks[:_MOST_LOCKS])}{more}"


def _lock(found: dict[str, object]) -> str:
    properties = found.get("properties")
    level = properties.get("level") if isinstance(properties, dict) else None
    return f"{_plain(found.get('name'))} ({_plain(level)})"


def _plain(value: object) -> str:
    """Return a text of Azure's as it may stand in a sentence; a name is whoever's made the thing."""
    return _STRANGE.sub("?", value)[:80] if isinstance(value, str) and value else "?"
