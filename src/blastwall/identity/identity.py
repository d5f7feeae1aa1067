"""The gate's port Identity, and what the control port needs of it."""

from __future__ import annotations

import asyncio
import hashlib
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from blastwall.clocks import steady
from blastwall.config.callers import Agent, Issuer, User
from blastwall.config.model import PassSettings
from blastwall.gate.ports import Identified, IPAddress, Refusal
from blastwall.identity.claims import Flat
from blastwall.identity.directory import Directory, Entry
from blastwall.identity.gateway_claims import Targets
from blastwall.identity.gateway_tokens import GatewayTokens, IssuedToken, Minting
from blastwall.identity.keycache import KeyCache
from blastwall.identity.loaders import loader_for
from blastwall.identity.logins import FoundLogin, IssuedLogin, LoginEnded, LoginKind, Logins, Person
from blastwall.identity.moments import TokenTime
from blastwall.identity.passes import PREFIX, IssuedPass, Passes, claims_of, trust_of
from blastwall.identity.tokens import MAX_TOKEN, TokenVerifier, Verified, malformed
from blastwall.model.principal import Principal, PrincipalKind
from blastwall.model.resource import Resource
from blastwall.store.logins import LoginTable
from blastwall.store.passes import PassTable

_REMEMBERED = 4096


@dataclass(frozen=True, slots=True)
class Claimant:
    """A principal whose token held just now; only `OidcIdentity.verify` makes one, and `issue` asks for one."""

    principal: Principal
    source: IPAddress
    verified: Verified = field(repr=False)
    entry: Entry = field(repr=False)

    @property
    def person(self) -> Person:
        """What a login of theirs keeps of the token."""
        issuer = self.verified.issuer
        return Person(self.entry.name, issuer.name, trust_of(issuer), self.verified.claims)

    @property
    def issued(self) -> float:
        """When the token was issued, in epoch seconds."""
        return self.verified.issued


class NoTokensHere(Refusal):
    """This gateway signs no tokens of its own."""

    def __init__(self) -> None:
        super().__init__("gateway tokens are not set up", "this gateway gives no tokens of its own; take a pass")


class OidcIdentity:
    """Identity by OIDC tokens, and by passes and gateway tokens given for them.

    Args:
        issuers: whose tokens are accepted.
        agents: who is known.
        users: likewise; they are returned as principals of kind USER, and policy decides what they may.
        passes: how long passes live.
        store: where passes are kept.
        now: the time, in epoch seconds.
        steady: a clock that never jumps.
        minting: what gateway tokens are made with; where left out, there are none.

    Raises:
        UnusableMatch: a `match:` cannot be used.
    """

    def __init__(
        self,
        issuers: Iterable[Issuer],
        agents: Iterable[Agent],
        users: Iterable[User],
        passes: PassSettings,
        *,
        store: PassTable,
        now: Callable[[], float],
        steady: Callable[[], float] = steady,
        minting: Minting | None = None,
    ) -> None:
        self._store = store
        self.logins = Logins(LoginTable(store.store), now)
        self._time = TokenTime(now, steady)
        self._tokens = None if minting is None else GatewayTokens(store, minting, self._time)
        self._steady = steady
        self._keys: dict[str, KeyCache] = {}
        self._configure(tuple(issuers), Directory(agents, users), passes)

    def reconfigure(
        self, issuers: Iterable[Issuer], agents: Iterable[Agent], users: Iterable[User], passes: PassSettings
    ) -> None:
        """Put a new configuration in force at once, keeping the keys of issuers that it still has.

        Raises:
            UnusableMatch: a `match:` cannot be used; the configuration in force stays.
        """
        self._configure(tuple(issuers), Directory(agents, users), passes)

    def _configure(self, issuers: tuple[Issuer, ...], directory: Directory, passes: PassSettings) -> None:
        kept, self._keys = self._keys, {}
        caches = {}
        for issuer in issuers:
            place = f"{issuer.issuer}\0{issuer.jwks}\0{issuer.ca}"
            stale = issuer.stale.total_seconds()
            cache = self._keys.get(place) or kept.get(place) or KeyCache(loader_for(issuer), stale, self._steady)
            cache.stale = min(cache.stale, stale) if place in self._keys else stale
            self._keys[place] = caches[issuer.name] = cache
        self._issuers = {issuer.name: issuer for issuer in issuers}
        self._directory = directory
        self._verifier = TokenVerifier(issuers, caches, self._time)
        self._passes = Passes(self._store, passes.lifetime.total_seconds(), self._time)
        self._remembered: OrderedDict[bytes, Verified] = OrderedDict()

    async def close(self) -> None:
        """Stop what is under way."""
        await asyncio.gather(*(cache.close() for cache in self._keys.values()))

    async def identify(self, proof: bytes, resource: Resource, source: IPAddress) -> Identified:
        """See `gate.ports.Identity`."""
        if proof.startswith(PREFIX):
            return await self._identify_pass(proof, resource, source)
        if self._tokens is not None and GatewayTokens.is_one(proof):
            return await self._identify_gateway_token(self._tokens, proof, resource, source)
        claimant = await self.verify(proof, source)
        entry = claimant.entry
        return Identified(
            claimant.principal,
            "token",
            session_max=entry.session_max,
            max_sessions=entry.max_sessions,
            issued=claimant.verified.issued,
            good_for=claimant.verified.accepted_until - self._time(),
        )

    async def verify(self, token: bytes, source: IPAddress) -> Claimant:
        """Verify a token shown at the control port, where passes and gateway tokens are no proof.

        Raises:
            Refusal: it does not hold, matches no agent or user or several, or comes from outside the agent's networks.
        """
        if GatewayTokens.is_one(token):
            raise Refusal(
                "a gateway token was shown where a token is wanted",
                "a gateway token is good at resources alone; show the token that it was given for",
            )
        verified = await self._verified(token)
        entry = self._directory.find(verified.issuer.name, verified.claims)
        entry.check_source(source)
        return Claimant(entry.principal(verified.claims), source, verified, entry)

    async def sign_in(
        self, kind: LoginKind, person: Person, source: IPAddress, *, idle: float, lifetime: float
    ) -> IssuedLogin:
        """Give a person a login at the control port; times are in seconds.

        Raises:
            Refusal: they are contained.
            Unavailable: the state cannot be used.
        """
        return await self.logins.issue(kind, person, source, idle=idle, lifetime=lifetime)

    async def signed_in(self, kind: LoginKind, proof: bytes, *, used: bool = True) -> tuple[Principal, FoundLogin]:
        """Return whom a login stands for under the configuration of now; `used` says that its person did something.

        Raises:
            Refusal: it is none of this kind.
            LoginEnded: it has ended, or its person is another today.
            Unavailable: the state cannot be used.
        """
        entry, found = await self._logged_in(kind, proof, used=used)
        return entry.principal(found.person.claims), found

    async def issue_for_login(self, proof: bytes, resource: str, source: IPAddress) -> IssuedPass:
        """Give a pass to `resource` for a login at the command line; whether its person may go there was asked before.

        Raises:
            Refusal: the login does not hold.
            Unavailable: the state cannot be used.
        """
        entry, found = await self._logged_in(LoginKind.CLI, proof)
        return await self._passes.issue_for_login(found, entry, resource, source)

    async def sign_out(self, login_id: str, by: str) -> None:
        """End a login, the passes that were given for it, and their sessions.

        Raises:
            Unavailable: the state cannot be written.
        """
        await self.logins.revoke(login_id)
        await self._passes.end_given_for(login_id, by)

    async def _logged_in(self, kind: LoginKind, proof: bytes, *, used: bool = True) -> tuple[Entry, FoundLogin]:
        found = await self.logins.find(kind, proof, used=used)
        person = found.person
        entry = self._entry_of(person.issuer, person.trust, person.claims)
        if entry is None or (entry.kind, entry.name) != (PrincipalKind.USER, person.name):
            raise LoginEnded(
                f"login {found.id} was given to user {person.name}, whose configuration has changed since",
                "the login no longer matches the gateway's configuration; sign in again",
            )
        return entry, found

    async def issue(self, claimant: Claimant, resource: str) -> IssuedPass:
        """Give a pass to `resource` for the claimant's token; whether it may go there was asked before.

        Raises:
            Refusal: the token was exchanged before.
        """
        return await self._passes.issue(claimant.verified, claimant.entry, resource, claimant.source)

    @property
    def tokens(self) -> GatewayTokens:
        """The gateway tokens.

        Raises:
            NoTokensHere: there are none.
        """
        if self._tokens is None:
            raise NoTokensHere
        return self._tokens

    async def issue_token(self, claimant: Claimant, targets: Targets, url: str) -> IssuedToken:
        """Give a gateway token for the claimant's token; whether it may go there was asked before.

        Raises:
            Refusal: the token was exchanged from another address, or is worth nothing any more.
            Unavailable: the state cannot be used.
        """
        return await self.tokens.issue(claimant.verified, claimant.entry, targets, claimant.source, url)

    async def issue_token_for_login(self, proof: bytes, targets: Targets, source: IPAddress, url: str) -> IssuedToken:
        """Give a gateway token for a login at the command line; whether its person may go there was asked before.

        Raises:
            Refusal: the login does not hold.
            Unavailable: the state cannot be used.
        """
        entry, found = await self._logged_in(LoginKind.CLI, proof)
        return await self.tokens.issue_for_login(found, entry, targets, source, url)

    async def give_back(self, proof: bytes) -> bool:
        """Revoke a pass or gateway token that its holder shows; False where there is none that works."""
        if self._tokens is not None and GatewayTokens.is_one(proof):
            return await self._tokens.give_back(proof)
        return proof.startswith(PREFIX) and await self._passes.give_back(proof)

    async def _verified(self, token: bytes) -> Verified:
        """Verify, or remember. The memory is keyed by a digest, so it holds no token; a reload empties it."""
        if len(token) > MAX_TOKEN:
            raise malformed(f"it is longer than {MAX_TOKEN} bytes")
        memory, verifier = self._remembered, self._verifier
        digest = hashlib.sha256(token).digest()
        known = memory.get(digest)
        if known is not None and verifier.still_holds(known):
            memory.move_to_end(digest)
            return known
        memory.pop(digest, None)
        verified = await verifier.verify(token)
        memory[digest] = verified
        if len(memory) > _REMEMBERED:
            memory.popitem(last=False)
        return verified

    async def _identify_pass(self, proof: bytes, resource: Resource, source: IPAddress) -> Identified:
        stored = await self._passes.find(proof)
        if stored.resource != resource.name:
            raise Refusal(
                f"pass {stored.id} is for {stored.resource}, not for {resource.name}",
                f"the pass is not for '{resource.name}'; exchange a token for one that is",
            )
        claims = claims_of(stored)
        entry = self._entry_of(stored.issuer, stored.trust, claims)
        if entry is None or (entry.kind.value, entry.name) != (stored.kind, stored.principal):
            raise Refusal(
                f"pass {stored.id} was given to {stored.kind} {stored.principal}, whose configuration has changed "
                "since",
                "the pass no longer matches the gateway's configuration; exchange a token for a new one",
            )
        entry.check_source(source)
        principal = entry.principal(claims)
        lasts = stored.ends - self._time()
        return Identified(
            principal,
            "pass",
            lasts,
            entry.session_max,
            stored.id,
            entry.max_sessions,
            issued=stored.issued,
            good_for=lasts,
        )

    async def _identify_gateway_token(
        self, tokens: GatewayTokens, proof: bytes, resource: Resource, source: IPAddress
    ) -> Identified:
        token = await tokens.read(proof)
        if not token.targets.cover(resource):
            raise Refusal(
                f"gateway token {token.id} is for {token.targets}, not for {resource.name}",
                f"the gateway token is not for '{resource.name}'; request one for it",
            )
        entry = self._entry_of(token.issuer, token.trust, token.claims)
        if entry is None or (entry.kind.value, entry.name) != (token.kind, token.principal):
            raise Refusal(
                f"gateway token {token.id} was given to {token.kind} {token.principal}, whose configuration has "
                "changed since",
                "the gateway token no longer matches the gateway's configuration; exchange a token for a new one",
            )
        entry.check_source(source)
        lasts = token.ends - self._time()
        return Identified(
            entry.principal(token.claims),
            "gateway_token",
            lasts,
            entry.session_max,
            token.id,
            entry.max_sessions,
            issued=token.proven,
            good_for=lasts,
            outlived=True,
        )

    def _entry_of(self, issuer_name: str, trust: str, claims: Flat) -> Entry | None:
        """Return whom kept claims stand for under the configuration of now; None where that cannot be said any more."""
        issuer = self._issuers.get(issuer_name)
        if issuer is None or trust_of(issuer) != trust:
            return None
        try:
            return self._directory.find(issuer_name, claims)
        except Refusal:
            return None
