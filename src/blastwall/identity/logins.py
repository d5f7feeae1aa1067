"""Logins: what the web page's cookie and the command line's login token stand for.

A login is `bws_` (a cookie, kind web) or `bwl_` (a token, kind cli) and 43 characters of 256 random bits. The state
keeps its SHA-256 only. It is a user's identity at the control port and nothing else: at a resource it proves nothing,
and one kind is never taken for the other.

A login is never more than its person is today. Each use matches the claims of its sign-in against the configuration of
that moment; a containment of its person or issuer since then ends it for good. It ends when it was not used for `idle`
seconds, and at its end in any case.
"""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from blastwall.gate.ports import IPAddress, Refusal
from blastwall.identity.claims import Flat
from blastwall.identity.refusals import Unavailable
from blastwall.model.principal import Principal
from blastwall.outbound import unmapped
from blastwall.store import StateError
from blastwall.store.logins import LoginTable, StoredLogin

_SEEN_EVERY = 60.0
_BYTES = 32


class LoginKind(StrEnum):
    """Where a login works from."""

    WEB = "web"
    CLI = "cli"


PREFIXES: Mapping[LoginKind, bytes] = {LoginKind.WEB: b"bws_", LoginKind.CLI: b"bwl_"}


@dataclass(frozen=True, slots=True)
class Person:
    """Whom a login is for: the facts of a verified token that outlast it."""

    name: str
    issuer: str
    trust: str = field(repr=False)
    claims: Flat = field(repr=False)


@dataclass(frozen=True, slots=True)
class IssuedLogin:
    """A new login. `secret` is shown once; `lifetime` is in seconds."""

    secret: str = field(repr=False)
    id: str
    ends: float
    lifetime: float


@dataclass(frozen=True, slots=True)
class FoundLogin:
    """A login that works now; `ends` is when it ends at the latest if it is not used again."""

    id: str
    person: Person
    issued: float
    ends: float


class LoginEnded(Refusal):
    """The login is one that was given here and works no more: whoever shows it guesses nothing."""


class Logins:
    """Issues, finds and revokes logins. Times are seconds of `now`."""

    def __init__(self, table: LoginTable, now: Callable[[], float]) -> None:
        self._table = table
        self._now = now

    async def issue(
        self, kind: LoginKind, person: Person, source: IPAddress, *, idle: float, lifetime: float
    ) -> IssuedLogin:
        """Give a person a login.

        Raises:
            Refusal: they are contained.
            Unavailable: the state cannot be used.
        """
        now = self._now()
        secret = PREFIXES[kind].decode() + secrets.token_urlsafe(_BYTES)
        issued = IssuedLogin(secret, "l" + secrets.token_hex(10), now + lifetime, lifetime)
        stored = StoredLogin(
            id=issued.id,
            digest=_digest(secret.encode()),
            kind=kind.value,
            principal=person.name,
            issuer=person.issuer,
            trust=person.trust,
            claims=json.dumps({name: list(texts) for name, texts in person.claims.items()}),
            source=str(unmapped(source)),
            issued=now,
            seen=now,
            idle=idle,
            ends=issued.ends,
        )
        try:
            if await self._table.contained(_things(person.name, person.issuer), now, now):
                raise _contained(f"user {person.name}")
            await self._table.add(stored)
        except StateError as error:
            raise _unavailable(error) from None
        return issued

    async def find(self, kind: LoginKind, proof: bytes, *, used: bool = True) -> FoundLogin:
        """Return the login that a proof stands for; note that its person used it, where they did.

        Raises:
            Refusal: there is none such of this kind.
            LoginEnded: it has ended, or its person is contained.
            Unavailable: the state cannot be used.
        """
        if not proof.startswith(PREFIXES[kind]):
            raise Refusal(f"no {kind} login was shown", "this is no login; sign in")
        try:
            stored = await self._table.find(_digest(proof))
            now = self._now()
            if stored is None or stored.kind != kind.value:
                raise Refusal(f"unknown {kind} login", "the login is not known any more; sign in again")
            if (
                stored.revoked is not None
                or now >= min(stored.ends, stored.seen + stored.idle)
                or now < stored.issued - stored.idle
            ):
                raise LoginEnded(f"login {stored.id} has ended", "the login has ended; sign in again")
            await self._refuse_contained(stored, now)
            if used and now - stored.seen >= min(_SEEN_EVERY, stored.idle / 4):
                await self._table.saw(stored.id, now)
        except StateError as error:
            raise _unavailable(error) from None
        return FoundLogin(stored.id, _person(stored), stored.issued, min(stored.ends, now + stored.idle))

    async def person(self, login_id: str) -> Person | None:
        """Return whose login this is; None where it has ended.

        Raises:
            LoginEnded: they are contained, or were since the login began.
            Unavailable: the state cannot be read.
        """
        try:
            stored, now = await self._table.find_by_id(login_id), self._now()
            if stored is None or stored.revoked is not None or now >= stored.ends:
                return None
            await self._refuse_contained(stored, now)
        except StateError as error:
            raise _unavailable(error) from None
        return _person(stored)

    async def _refuse_contained(self, stored: StoredLogin, now: float) -> None:
        if await self._table.contained(_things(stored.principal, stored.issuer), stored.issued, now):
            await self._table.revoke(stored.id, now)
            raise _contained(f"user {stored.principal}")

    async def refuse_contained(self, principal: Principal, issued: float) -> None:
        """Let a principal go on whose token of that age held.

        Raises:
            Refusal: they, or their issuer, are contained, or were since the token was issued.
            Unavailable: the state cannot be read.
        """
        now, things = self._now(), ((principal.kind.value, principal.name), ("issuer", principal.issuer))
        try:
            if await self._table.contained(things, issued, now):
                raise _contained(f"{principal.kind} {principal.name}")
        except StateError as error:
            raise _unavailable(error) from None

    async def revoke(self, login_id: str) -> None:
        """Revoke a login.

        Raises:
            Unavailable: the state cannot be written.
        """
        try:
            await self._table.revoke(login_id, self._now())
        except StateError as error:
            raise _unavailable(error) from None


def csrf_of(proof: bytes) -> str:
    """Return the token that shows a request to be meant by the page that holds this cookie: it follows from it."""
    return base64.urlsafe_b64encode(hashlib.sha256(b"csrf\0" + proof).digest()).decode().rstrip("=")


def _person(stored: StoredLogin) -> Person:
    claims = {name: tuple(texts) for name, texts in json.loads(stored.claims).items()}
    return Person(stored.principal, stored.issuer, stored.trust, claims)


def _things(name: str, issuer: str) -> tuple[tuple[str, str], ...]:
    return (("user", name), ("issuer", issuer))


def _contained(who: str) -> LoginEnded:
    return LoginEnded(f"{who} is contained", f"{who} is contained by the gateway's operator")


def _digest(proof: bytes) -> str:
    return hashlib.sha256(proof).hexdigest()


def _unavailable(error: StateError) -> Unavailable:
    return Unavailable(str(error), "the gateway cannot check logins now; try again in a minute")
