"""Use-cases of gateway tokens: what clients read before they ask for one, and the exchange."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import structlog

from blastwall.control.access import Access, Remote, UseCases, use_case
from blastwall.control.exchanging import Exchanges, NoSuchTarget, may_connect, refuse_contained
from blastwall.control.targets import Reachable, targets
from blastwall.gate.ports import Containment, Grants, Policy, Subject
from blastwall.identity import IssuedToken, OidcIdentity, Targets
from blastwall.identity.logins import PREFIXES, LoginKind
from blastwall.model.principal import Principal
from blastwall.model.resource import Resource

ANY_TENANT = "common"
"""By this name clients that do not know the tenant ask; the answer says which it is."""

_log = structlog.get_logger("blastwall.control")


class NoSuchTenant(Exception):
    """The address names another tenant than this gateway's."""


@dataclass(frozen=True, slots=True)
class Authority:
    """Where gateway tokens come from. `url` is the control port's, `issuer` the `iss` in them."""

    url: str
    tenant: str
    issuer: str


class TokenGiving(UseCases):
    """OpenID Connect discovery, and the client credentials grant with an assertion (RFC 7523), without their HTTP."""

    def __init__(
        self,
        identity: OidcIdentity,
        *,
        policy: Callable[[], Policy],
        containment: Containment,
        grants: Grants,
        reachable: Callable[[], Sequence[Reachable]],
        public: Callable[[], str],
        exchanges: Exchanges,
    ) -> None:
        self._identity = identity
        self._policy = policy
        self._containment = containment
        self._grants = grants
        self._reachable = reachable
        self._public = public
        self._exchanges = exchanges

    @use_case(Access.PUBLIC)
    def authority(self, caller: Remote, tenant: str) -> Authority:
        """Return where tokens come from.

        Raises:
            NoSuchTenant: another tenant is asked for.
        """
        return self._authority(tenant)

    @use_case(Access.PUBLIC)
    async def keys(self, caller: Remote, tenant: str) -> tuple[dict[str, object], ...]:
        """Return the public keys of gateway tokens, as a key set holds them.

        Raises:
            NoSuchTenant: another tenant is asked for.
            Unavailable: the state cannot be read.
        """
        self._authority(tenant)
        return await self._identity.tokens.keys()

    def _authority(self, tenant: str) -> Authority:
        place, url = self._identity.tokens.place, self._public()
        if tenant.lower() not in {place.tenant, ANY_TENANT}:
            raise NoSuchTenant(f"this gateway's tenant is {place.tenant}")
        return Authority(url, place.tenant, place.issuer_at(url))

    @use_case(Access.PROOF)
    async def give(self, caller: Remote, tenant: str, assertion: bytes, asked: str) -> IssuedToken:
        """Give a gateway token for a token, or a person's login, to use at what is `asked` for.

        Raises:
            NoSuchTenant: another tenant is asked for.
            Refusal: the token does not hold, or may not be exchanged.
            Unavailable: it cannot be checked now.
            NoSuchTarget: nothing here is what is asked for, or nothing that this principal may connect to.
            TooManyFailures: the source has failed too often.
        """
        self._authority(tenant)
        with self._exchanges.attempt(caller):
            if assertion.startswith(PREFIXES[LoginKind.CLI]):
                return await self._give_for_login(caller, assertion, asked)
            claimant = await self._identity.verify(assertion, caller.source)
            wanted = self._targets(claimant.principal, caller, asked)
            refuse_contained(self._containment, claimant.principal, claimant.issued)
            issued = await self._identity.issue_token(claimant, wanted, self._public())
            _log_issued(claimant.principal, wanted, caller, issued)
            return issued

    async def _give_for_login(self, caller: Remote, login: bytes, asked: str) -> IssuedToken:
        principal, _ = await self._identity.signed_in(LoginKind.CLI, login)
        wanted = self._targets(principal, caller, asked)
        refuse_contained(self._containment, principal)
        issued = await self._identity.issue_token_for_login(login, wanted, caller.source, self._public())
        _log_issued(principal, wanted, caller, issued)
        return issued

    def _targets(self, principal: Principal, caller: Remote, asked: str) -> Targets:
        """Return what is asked for, where the claimant may connect to any of it, or ask to."""
        wanted, resources = targets(asked, self._reachable())
        if not any(self._may_connect(principal, caller, each) for each in resources):
            raise NoSuchTarget(f"{principal.kind} {principal.name} may connect to nothing that is {asked[:200]!r}")
        return wanted

    def _may_connect(self, principal: Principal, caller: Remote, resource: Resource) -> bool:
        policy = self._policy()
        return any(
            may_connect(policy, self._grants, Subject(principal, resource, database, caller.source, resource.plane))
            for database in resource.databases or ("",)
        )


def _log_issued(principal: Principal, wanted: Targets, caller: Remote, issued: IssuedToken) -> None:
    _log.info(
        "gateway_token_issued",
        principal=principal.name,
        kind=str(principal.kind),
        targets=str(wanted),
        source=str(caller.source),
        token_id=issued.id,
    )
