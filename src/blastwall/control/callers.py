"""How callers over the network become known."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from blastwall.control.access import Remote
from blastwall.control.failures import FailureLimit
from blastwall.control.roles import Roles
from blastwall.gate.ports import IPAddress, Refusal
from blastwall.identity import OidcIdentity, Unavailable
from blastwall.identity.logins import PREFIXES, LoginEnded, LoginKind


@dataclass(frozen=True, slots=True)
class Callers:
    """Turns what a request shows into a caller.

    `failures` counts tokens that do not hold, `login_failures` logins that never were: a page with a login that has
    ended asks again and again, and must not keep the tokens of everybody behind its address out.
    """

    identity: OidcIdentity
    failures: FailureLimit
    login_failures: FailureLimit
    roles: Callable[[], Roles]

    async def remote(
        self, source: IPAddress, bearer: bytes | None, cookie: bytes | None = None, *, used: bool = True
    ) -> Remote:
        """Return the caller at `source`, known where they show a token or a login. A bearer token is looked at first.

        `used` says that a person did something, so that their login does not end for want of use.

        Raises:
            Refusal: what they show does not hold, or they are contained.
            TooManyFailures: the source has failed too often.
        """
        if bearer is not None and bearer.startswith(PREFIXES[LoginKind.CLI]):
            return await self._by_login(source, LoginKind.CLI, bearer, used=used)
        if bearer is not None:
            return await self._by_token(source, bearer)
        if cookie is not None:
            return await self._by_login(source, LoginKind.WEB, cookie, used=used)
        return Remote(source)

    async def _by_token(self, source: IPAddress, token: bytes) -> Remote:
        self.failures.check(source)
        try:
            claimant = await self.identity.verify(token, source)
        except Unavailable:
            raise
        except Refusal:
            self.failures.failed(source)
            raise
        await self.identity.logins.refuse_contained(claimant.principal, claimant.issued)
        return Remote(source, claimant.principal, self.roles().of(claimant.principal))

    async def _by_login(self, source: IPAddress, kind: LoginKind, proof: bytes, *, used: bool) -> Remote:
        self.login_failures.check(source)
        try:
            principal, found = await self.identity.signed_in(kind, proof, used=used)
        except (Unavailable, LoginEnded):
            raise
        except Refusal:
            self.login_failures.failed(source)
            raise
        web = kind is LoginKind.WEB
        return Remote(source, principal, self.roles().of(principal), found.id, found.ends, web)
