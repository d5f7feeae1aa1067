"""Passes: opaque, short-lived handles that stand for a token at one resource.

A pass is `bwp_` and 40 characters of [0-9A-Za-z], 238 bits from the system's generator: short and plain enough for any
password field. The state keeps its SHA-256 only; a key or salt would add nothing against 2^238 guesses.

A pass is never more than its agent is today: every use matches the claims of its token against the configuration of
that moment, so an agent that was removed, moved to other groups or bound to other networks takes its passes along.

What may be exchanged, and again:
- one token for one pass a resource; for another resource, another pass;
- a second time for the same resource once that pass has ended or its holder has revoked it, so that a workload whose
  token file lives an hour can renew;
- always from the address of its first exchange: a token copied to another machine after that is worth nothing here.

A person's login at the command line gives passes, too, as many as they open clients: each for one resource, to the
login's end. They end with the login.
"""

from __future__ import annotations

import hashlib
import json
import secrets
import string
from collections.abc import Callable
from dataclasses import dataclass, field

from blastwall.config.callers import Issuer
from blastwall.gate.ports import IPAddress, Refusal
from blastwall.identity.claims import Flat
from blastwall.identity.directory import Entry
from blastwall.identity.logins import FoundLogin, LoginEnded
from blastwall.identity.refusals import Unavailable
from blastwall.identity.tokens import Verified
from blastwall.outbound import unmapped
from blastwall.store import StateError
from blastwall.store.passes import AlreadyExchanged, PassTable, ProofSpoiled, SignedOut, StoredPass

PREFIX = b"bwp_"
_ALPHABET = string.digits + string.ascii_letters
_CHARACTERS = 40


@dataclass(frozen=True, slots=True)
class IssuedPass:
    """A new pass. `secret` is shown to its agent once; `id` is its public handle; `lifetime` is in seconds."""

    secret: str = field(repr=False)
    id: str
    ends: float
    lifetime: float


def trust_of(issuer: Issuer) -> str:
    """Return a digest of what a pass relies on: an issuer configured anew under an old name is another one."""
    return hashlib.sha256(f"{issuer.issuer}\0{issuer.audience}".encode()).hexdigest()


def claims_of(stored: StoredPass) -> Flat:
    """Return the claims that a pass keeps."""
    return {name: tuple(texts) for name, texts in json.loads(stored.claims).items()}


class Passes:
    """Issues, finds and revokes passes. `lifetime` is in seconds."""

    def __init__(self, table: PassTable, lifetime: float, now: Callable[[], float]) -> None:
        self._table = table
        self._lifetime = lifetime
        self._now = now

    async def issue(self, verified: Verified, entry: Entry, resource: str, source: IPAddress) -> IssuedPass:
        """Give a pass for a verified token.

        Raises:
            Refusal: the token was exchanged before, ends now, or is from before a containment.
            Unavailable: the state cannot be written.
        """
        now = self._now()
        lifetime = min(self._lifetime, verified.expires - now)
        issued = IssuedPass(_secret(), "p" + secrets.token_hex(10), now + lifetime, lifetime)
        if lifetime <= 0:
            raise Refusal("token refused at the exchange: it has expired", "the token has expired; request a fresh one")
        stored = StoredPass(
            id=issued.id,
            digest=_digest(issued.secret.encode()),
            token=verified.id,
            resource=resource,
            kind=entry.kind.value,
            principal=entry.name,
            issuer=verified.issuer.name,
            trust=trust_of(verified.issuer),
            claims=json.dumps(dict(verified.claims)),
            issued=now,
            ends=issued.ends,
        )
        try:
            await self._table.issue(stored, str(unmapped(source)), verified.accepted_until, verified.issued)
        except AlreadyExchanged as again:
            raise _replayed(again, entry, resource, now) from None
        except ProofSpoiled:
            raise Refusal(
                f"token of {entry.kind} {entry.name} is from before a containment",
                "the token is from before a containment; request a fresh one",
            ) from None
        except StateError as error:
            raise _unavailable(error) from None
        return issued

    async def issue_for_login(self, login: FoundLogin, entry: Entry, resource: str, source: IPAddress) -> IssuedPass:
        """Give a pass for a login at the command line, as long as the login lasts.

        Raises:
            Refusal: it was signed out, or its person contained, meanwhile.
            Unavailable: the state cannot be written.
        """
        now, person = self._now(), login.person
        issued = IssuedPass(_secret(), "p" + secrets.token_hex(10), login.ends, login.ends - now)
        stored = StoredPass(
            id=issued.id,
            digest=_digest(issued.secret.encode()),
            token=f"{login.id}.{secrets.token_hex(16)}",
            resource=resource,
            kind=entry.kind.value,
            principal=entry.name,
            issuer=person.issuer,
            trust=person.trust,
            claims=json.dumps({name: list(texts) for name, texts in person.claims.items()}),
            issued=now,
            ends=issued.ends,
        )
        try:
            await self._table.issue(stored, str(unmapped(source)), login.ends, login.issued, login.id)
        except SignedOut:
            raise LoginEnded(f"login {login.id} has ended", "the login has ended; sign in again") from None
        except ProofSpoiled:
            raise Refusal(f"{entry.kind} {entry.name} was contained", "you are contained; sign in later") from None
        except StateError as error:
            raise _unavailable(error) from None
        return issued

    async def find(self, proof: bytes) -> StoredPass:
        """Return the stored form of a pass that works now.

        Raises:
            Refusal: there is none such, or it has ended or was revoked.
            Unavailable: the state cannot be read.
        """
        try:
            stored = await self._table.find(_digest(proof))
        except StateError as error:
            raise _unavailable(error) from None
        if stored is None:
            raise Refusal("unknown pass", "the pass is not known; exchange a token for a new one")
        if stored.revoked is not None:
            raise Refusal(f"pass {stored.id} was revoked", "the pass was revoked; exchange a token for a new one")
        if self._now() >= stored.ends:
            raise Refusal(f"pass {stored.id} has ended", "the pass has ended; exchange a token for a new one")
        return stored

    async def end_given_for(self, login_id: str, by: str) -> None:
        """Revoke the passes that were given for a login that has ended.

        Raises:
            Unavailable: the state cannot be written.
        """
        try:
            await self._table.revoke_given_for(login_id, "its login was signed out", by, self._now())
        except StateError as error:
            raise _unavailable(error) from None

    async def give_back(self, proof: bytes) -> bool:
        """Revoke a pass at its holder's wish; False where there is none that works.

        Raises:
            Unavailable: the state cannot be written.
        """
        try:
            stored = await self._table.find(_digest(proof))
            if stored is None:
                return False
            return await self._table.revoke(
                stored.id, "the pass was revoked by its holder", f"{stored.kind} {stored.principal}", self._now()
            )
        except StateError as error:
            raise _unavailable(error) from None


def _secret() -> str:
    return PREFIX.decode() + "".join(secrets.choice(_ALPHABET) for _ in range(_CHARACTERS))


def _digest(proof: bytes) -> str:
    return hashlib.sha256(proof).hexdigest()


def _replayed(again: AlreadyExchanged, entry: Entry, resource: str, now: float) -> Refusal:
    who = f"token of {entry.kind} {entry.name}"
    if again.ends is None:
        return Refusal(
            f"{who} was exchanged before from another address: it may have been stolen",
            "this token was exchanged before from another address; request a fresh one, and find out who used it "
            "if that was not you",
        )
    left = max(again.ends - now, 0)
    return Refusal(
        f"{who} was exchanged before for a pass to {resource} that still works",
        f"this token was exchanged before for a pass to '{resource}' that works for another {left:.0f} s; use that "
        "pass, revoke it, or exchange a fresh token",
    )


def _unavailable(error: StateError) -> Unavailable:
    return Unavailable(str(error), "the gateway cannot check passes now; try again in a minute")
