"""Use-cases of passes: a token in, a pass out; a pass given back."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import structlog

from blastwall.control.access import Access, Remote, UseCases, use_case
from blastwall.control.exchanging import Exchanges, NoSuchTarget, may_connect, refuse_contained
from blastwall.gate.ports import Containment, Grants, Policy, Subject
from blastwall.identity import IssuedPass, OidcIdentity
from blastwall.identity.logins import PREFIXES, LoginKind
from blastwall.model.principal import Principal
from blastwall.model.resource import Resource

_log = structlog.get_logger("blastwall.control")


def _log_issued(principal: Principal, resource: Resource, caller: Remote, issued: IssuedPass) -> None:
    _log.info(
        "pass_issued",
        principal=principal.name,
        kind=str(principal.kind),
        resource=resource.name,
        source=str(caller.source),
        pass_id=issued.id,
    )


class Passing(UseCases):
    """Exchange and revocation (RFC 8693, RFC 7009), without their HTTP."""

    def __init__(
        self,
        identity: OidcIdentity,
        *,
        policy: Callable[[], Policy],
        containment: Containment,
        grants: Grants,
        resources: Callable[[], Mapping[str, Resource]],
        exchanges: Exchanges,
    ) -> None:
        self._identity = identity
        self._policy = policy
        self._containment = containment
        self._grants = grants
        self._resources = resources
        self._exchanges = exchanges

    @use_case(Access.PROOF)
    async def exchange(self, caller: Remote, token: bytes, resource: str) -> IssuedPass:
        """Give a pass to `resource` for a token.

        Raises:
            Refusal: the token does not hold, or may not be exchanged (again).
            Unavailable: it cannot be checked now.
            NoSuchTarget: there is no such resource for this principal.
            TooManyFailures: the source has failed too often.
        """
        with self._exchanges.attempt(caller):
            return await self._exchange(caller, token, resource)

    async def _exchange(self, caller: Remote, token: bytes, name: str) -> IssuedPass:
        if token.startswith(PREFIXES[LoginKind.CLI]):
            return await self._exchange_login(caller, token, name)
        claimant = await self._identity.verify(token, caller.source)
        resource = self._target(claimant.principal, caller, name)
        refuse_contained(self._containment, claimant.principal, claimant.issued, resource)
        issued = await self._identity.issue(claimant, resource.name)
        _log_issued(claimant.principal, resource, caller, issued)
        return issued

    async def _exchange_login(self, caller: Remote, login: bytes, name: str) -> IssuedPass:
        """Give a pass for a person's login at the command line, which is itself no proof at a resource."""
        principal, _ = await self._identity.signed_in(LoginKind.CLI, login)
        resource = self._target(principal, caller, name)
        refuse_contained(self._containment, principal, resource=resource)
        issued = await self._identity.issue_for_login(login, resource.name, caller.source)
        _log_issued(principal, resource, caller, issued)
        return issued

    def _target(self, principal: Principal, caller: Remote, name: str) -> Resource:
        """Return a resource that the claimant may connect to, or ask to: its login then tells how."""
        resource = self._resources().get(name)
        if resource is None:
            raise NoSuchTarget(f"no resource is named {name!r}")
        policy = self._policy()
        for database in resource.databases or ("",):
            if may_connect(policy, self._grants, Subject(principal, resource, database, caller.source, resource.plane)):
                return resource
        raise NoSuchTarget(f"{principal.kind} {principal.name} may not connect to {name}")

    @use_case(Access.PROOF)
    async def revoke(self, caller: Remote, proof: bytes) -> None:
        """Revoke a pass that its holder shows; its sessions end. What is no working pass is passed over in silence.

        Raises:
            Unavailable: the state cannot be written.
        """
        revoked = await self._identity.give_back(proof)
        _log.info("pass_given_back", source=str(caller.source), revoked=revoked)
