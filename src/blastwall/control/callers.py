"""How callers over the network become known."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from blastwall.control.access import Remote
from blastwall.control.failures import FailureLimit
from blastwall.control.roles import Roles
from blastwall.gate.ports import IPAddress, Refusal
from blastwall.identity import OidcIdentity, Unavailable
from blastwall.identity.logins import PREFIXES, LoginKind


@dataclass(frozen=True, slots=True)
class Callers:
    """Turns what a request shows into a caller."""

    identity: OidcIdentity
    failures: FailureLimit
    roles: Callable[[], Roles]

    async def remote(self, source: IPAddress, bearer: bytes | None, cookie: bytes | None = None) -> Remote:
        """Return the caller at `source`, known where they show a token or a login. A bearer token is looked at first.

        Raises:
            Refusal: what they show does not hold, or they are contained.
            TooManyFailures: the source has failed too often.
        """
        if bearer is None and cookie is None:
            return Remote(source)
        self.failures.check(source)
        try:
            if bearer is not None and not bearer.startswith(PREFIXES[LoginKind.CLI]):
                return await self._by_token(source, bearer)
            kind = LoginKind.WEB if bearer is None else LoginKind.CLI
            return await self._by_login(source, kind, (cookie if bearer is None else bearer) or b"")
        except Unavailable:
            raise
        except Refusal:
            self.failures.failed(source)
            raise

    async def _by_token(self, source: IPAddress, token: bytes) -> Remote:
        claimant = await self.identity.verify(token, source)
        await self.identity.logins.refuse_contained(claimant.principal, claimant.issued)
        return Remote(source, claimant.principal, self.roles().of(claimant.principal))

    async def _by_login(self, source: IPAddress, kind: LoginKind, proof: bytes) -> Remote:
        principal, found = await self.identity.signed_in(kind, proof)
        web = kind is LoginKind.WEB
        return Remote(source, principal, self.roles().of(principal), found.id, found.ends, web)
