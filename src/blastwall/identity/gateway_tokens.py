"""Gateway tokens: JWTs that the gateway signs for clients which want a token of Azure's form (`az`, SDKs, Terraform).

    a token, or a person's login ── exchange ──▶ gateway token ── shown to resources ──▶ who it was given to

One is bound to the principal that it was given to, as a pass is: to the claims of the token that it was given for,
which are matched against the configuration of each moment. It is bound to what it was asked for (kinds or resources),
ends with the token that it was given for at the latest, and can be revoked by its id.

It is worth nothing anywhere else: issuer, key and audience are this gateway's, and nobody can ask for another audience.
So is it here, where a token is wanted: it is no proof at the control port, and cannot be exchanged.

At its use nothing is asked of the state: the signature holds or not, and who is contained or which token is revoked the
process knows (`containment`).
"""

from __future__ import annotations

import hashlib
import json
import secrets
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

from blastwall.config.gateway_tokens import GatewayTokenSettings
from blastwall.gate.ports import IPAddress, Refusal
from blastwall.identity.claims import Flat
from blastwall.identity.directory import Entry
from blastwall.identity.gateway_claims import (
    GatewayToken,
    Given,
    Place,
    Stamp,
    Targets,
    claims_of,
    refused,
    sign,
    verify,
)
from blastwall.identity.logins import FoundLogin, LoginEnded
from blastwall.identity.own_keys import PREFIX, OwnKey, OwnKeys
from blastwall.identity.passes import trust_of
from blastwall.identity.refusals import Unavailable
from blastwall.identity.tokens import MAX_TOKEN, Verified
from blastwall.outbound import unmapped
from blastwall.store import StateError
from blastwall.store.passes import (
    AlreadyExchanged,
    PassTable,
    ProofSpoiled,
    Shown,
    SignedOut,
    StoredPass,
    TooManyTokens,
)

MOST_WORKING = 500
"""So many gateway tokens of one token, or of one login, may work at a time."""

_SKEW = 30.0
_REMEMBERED = 10_000
_LONGEST_TARGET = 63


@dataclass(frozen=True, slots=True)
class Minting:
    """What gateway tokens are made with. `revoked` says whether one of this id was revoked; it reads memory only."""

    keys: OwnKeys
    tenant: str
    settings: GatewayTokenSettings
    revoked: Callable[[str], bool]


@dataclass(frozen=True, slots=True)
class IssuedToken:
    """A new gateway token. `id` is its public handle; `ends` is in epoch seconds, `lifetime` in seconds."""

    secret: str = field(repr=False)
    id: str
    ends: float
    lifetime: float


@dataclass(frozen=True, slots=True)
class _Wanted:
    """One exchange: for which proof, by whom, until when at the latest, and under which name the state knows it."""

    entry: Entry
    issuer: str
    trust: str
    claims: Flat
    proven: float
    ends: float
    token: str
    forgotten: float
    login: str | None = None

    def given(self, targets: Targets) -> Given:
        """Return what the token says of it."""
        claims = {name: tuple(texts) for name, texts in self.claims.items()}
        who = self.entry
        return Given(
            who.kind.value, who.name, self.issuer, self.trust, claims, targets.kinds, targets.names, self.proven
        )


class GatewayTokens:
    """Issues, reads and revokes gateway tokens. `now` is the time by which proofs end, in epoch seconds."""

    def __init__(self, table: PassTable, minting: Minting, now: Callable[[], float]) -> None:
        self._table = table
        self._keys = minting.keys
        self._revoked = minting.revoked
        self._settings = minting.settings
        self._now = now
        self._remembered: OrderedDict[bytes, tuple[bytes, GatewayToken]] = OrderedDict()
        self.place = Place(minting.tenant)

    def reconfigure(self, settings: GatewayTokenSettings) -> None:
        """Put new lifetimes in force for what is issued from now on."""
        self._settings = settings

    @staticmethod
    def is_one(proof: bytes) -> bool:
        """Whether a proof says that it is a gateway token."""
        return proof.startswith(PREFIX)

    async def keys(self) -> tuple[dict[str, object], ...]:
        """Return the public keys that verify gateway tokens, as a key set holds them.

        Raises:
            Unavailable: the state cannot be read.
        """
        try:
            return await self._keys.published()
        except StateError as error:
            raise _unavailable(error) from None

    # ── issuing ──────────────────────────────────────────────────────────────────────────────────────────────────────

    async def issue(
        self, verified: Verified, entry: Entry, targets: Targets, source: IPAddress, url: str
    ) -> IssuedToken:
        """Give a gateway token for a verified token; `url` is the control port's, which names its issuer.

        Raises:
            Refusal: the token was exchanged from another address, ends now, or is from before a containment.
            Unavailable: the state cannot be used.
        """
        issuer = verified.issuer
        wanted = _Wanted(
            entry,
            issuer.name,
            trust_of(issuer),
            verified.claims,
            verified.issued,
            verified.expires,
            verified.id,
            verified.accepted_until,
        )
        return await self._issue(wanted, targets, source, url)

    async def issue_for_login(
        self, login: FoundLogin, entry: Entry, targets: Targets, source: IPAddress, url: str
    ) -> IssuedToken:
        """Give a gateway token for a person's login at the command line; it ends with the login.

        Raises:
            Refusal: it was signed out, or its person contained, meanwhile.
            Unavailable: the state cannot be used.
        """
        person, token = login.person, f"{login.id}.{secrets.token_hex(16)}"
        wanted = _Wanted(
            entry, person.issuer, person.trust, person.claims, login.issued, login.ends, token, login.ends, login.id
        )
        return await self._issue(wanted, targets, source, url)

    async def _issue(self, wanted: _Wanted, targets: Targets, source: IPAddress, url: str) -> IssuedToken:
        now, lifetime = self._now(), self._settings.lifetime.total_seconds()
        stamp = Stamp("t" + secrets.token_hex(10), int(now), int(min(now + lifetime, wanted.ends)))
        if stamp.ends <= now:
            raise Refusal("token refused at the exchange: it has expired", "the token has expired; request a fresh one")
        try:
            key = await self._keys.signer(self._settings.rotate.total_seconds(), lifetime)
            secret = sign(key, claims_of(self.place, wanted.given(targets), url, stamp))
            await self._note(stamp, wanted, targets, source)
        except AlreadyExchanged:
            raise _elsewhere(wanted.entry) from None
        except TooManyTokens:
            raise _too_many(wanted) from None
        except SignedOut:
            raise LoginEnded(f"login {wanted.login} has ended", "the login has ended; sign in again") from None
        except ProofSpoiled:
            raise _spoiled(wanted.entry) from None
        except StateError as error:
            raise _unavailable(error) from None
        return IssuedToken(secret, stamp.id, stamp.ends, stamp.ends - now)

    async def _note(self, stamp: Stamp, wanted: _Wanted, targets: Targets, source: IPAddress) -> None:
        noted = StoredPass(
            id=stamp.id,
            digest=hashlib.sha256(b"gateway token\0" + stamp.id.encode()).hexdigest(),
            token=wanted.token,
            resource=f"gateway token for {targets}"[:_LONGEST_TARGET],  # no resource's name: it is no pass to one
            kind=wanted.entry.kind.value,
            principal=wanted.entry.name,
            issuer=wanted.issuer,
            trust=wanted.trust,
            claims=json.dumps(dict(wanted.claims)),
            issued=stamp.issued,
            ends=stamp.ends,
        )
        shown = Shown(str(unmapped(source)), wanted.forgotten, wanted.proven, wanted.login)
        await self._table.note_token(noted, shown, most=MOST_WORKING)

    # ── reading ──────────────────────────────────────────────────────────────────────────────────────────────────────

    async def read(self, proof: bytes) -> GatewayToken:
        """Return what a gateway token says, once everything about it holds.

        Raises:
            Refusal: it does not.
            Unavailable: its key cannot be had now.
        """
        if len(proof) > MAX_TOKEN:
            raise refused(f"it is longer than {MAX_TOKEN} bytes")
        digest = hashlib.sha256(proof).digest()
        header, token = self._remembered.get(digest) or (proof.partition(b".")[0], None)
        key = await self._key(header)
        if token is None:
            token = verify(proof, key, self.place)
            self._remember(digest, header, token)
        self._check_now(token)
        return token

    async def _key(self, header: bytes) -> OwnKey:
        try:
            key = await self._keys.find(header)
        except StateError as error:
            raise _unavailable(error) from None
        if key is None:
            raise refused("no key of this gateway's signed it, or that key's tokens have all ended")
        return key

    def _check_now(self, token: GatewayToken) -> None:
        now = self._now()
        if now + _SKEW < token.starts:
            raise refused("it is not valid yet; check the clocks of the gateway's nodes")
        if now >= token.ends:
            raise Refusal(
                f"gateway token {token.id} has ended", "the gateway token has ended; exchange a token for a new one"
            )
        if self._revoked(token.id):
            raise Refusal(
                f"gateway token {token.id} was revoked",
                "the gateway token was revoked; exchange a token for a new one",
            )

    def _remember(self, digest: bytes, header: bytes, token: GatewayToken) -> None:
        """Keep what holds, by a digest: the memory holds no token."""
        self._remembered[digest] = header, token
        if len(self._remembered) > _REMEMBERED:
            self._remembered.popitem(last=False)

    async def give_back(self, proof: bytes) -> bool:
        """Revoke a gateway token at its holder's wish; False where it is none that works.

        Raises:
            Unavailable: the state cannot be written.
        """
        try:
            token = await self.read(proof)
            who = f"{token.kind} {token.principal}"
            return await self._table.revoke(token.id, "the gateway token was revoked by its holder", who, self._now())
        except Unavailable:
            raise
        except Refusal:
            return False
        except StateError as error:
            raise _unavailable(error) from None


def _elsewhere(entry: Entry) -> Refusal:
    return Refusal(
        f"token of {entry.kind} {entry.name} was exchanged before from another address: it may have been stolen",
        "this token was exchanged before from another address; request a fresh one, and find out who used it "
        "if that was not you",
    )


def _too_many(wanted: _Wanted) -> Refusal:
    what, fresh = ("token", "request a fresh token") if wanted.login is None else ("login", "sign in again")
    return Refusal(
        f"{what} of {wanted.entry.kind} {wanted.entry.name}: {MOST_WORKING} gateway tokens of it work already",
        f"{MOST_WORKING} gateway tokens that were given for this {what} work already; use one of them, give some back, "
        f"or {fresh}",
    )


def _spoiled(entry: Entry) -> Refusal:
    return Refusal(
        f"token of {entry.kind} {entry.name} is from before a containment",
        "the token is from before a containment; request a fresh one",
    )


def _unavailable(error: StateError) -> Unavailable:
    return Unavailable(str(error), "the gateway cannot check its tokens now; try again in a minute")
