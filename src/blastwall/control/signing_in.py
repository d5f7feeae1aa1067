"""Use-cases of signing in at the web page, and out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

import structlog

from blastwall.config.callers import Issuer
from blastwall.config.control import Login
from blastwall.config.model import Configuration
from blastwall.control.access import Access, Remote, UseCases, use_case
from blastwall.control.failures import FailureLimit
from blastwall.gate.ports import Refusal
from blastwall.identity import OidcIdentity, Unavailable
from blastwall.identity.code_flow import Attempt, Client, CodeFlow, check_nonce, refused
from blastwall.identity.logins import IssuedLogin, LoginKind
from blastwall.model.principal import PrincipalKind
from blastwall.vault import SecretUnavailable, reader_for

CALLBACK = "/auth/callback"
_log = structlog.get_logger("blastwall.control")


class NotOffered(Exception):
    """No sign-in is configured."""


@dataclass(frozen=True, slots=True)
class Begun:
    """A sign-in that was begun: the issuer's URL to go to, and what only this browser may keep."""

    url: str
    attempt: Attempt


class SigningIn(UseCases):
    """Sign-in with OpenID Connect.

    Args:
        identity: who is asking.
        configuration: the configuration in force.
        public: the URL under which people reach the control port.
        failures: how often an address may fail.
        now: the time, in epoch seconds.
    """

    def __init__(
        self,
        identity: OidcIdentity,
        *,
        configuration: Callable[[], Configuration | None],
        public: Callable[[], str],
        failures: FailureLimit,
        now: Callable[[], float],
    ) -> None:
        self._identity = identity
        self._configuration = configuration
        self._public = public
        self._failures = failures
        self._now = now
        self._flow: CodeFlow | None = None

    @use_case(Access.PUBLIC)
    def origin(self, caller: Remote) -> str | None:
        """Return the origin of the issuer that people sign in with; None where no sign-in is configured."""
        try:
            parts = urlsplit(self._settings()[1].issuer)
        except NotOffered:
            return None
        return f"{parts.scheme}://{parts.netloc}"

    @use_case(Access.PUBLIC)
    async def begin(self, caller: Remote) -> Begun:
        """Begin a sign-in.

        Raises:
            NotOffered: none is configured.
            Unavailable: the issuer cannot be reached.
        """
        login, issuer = self._settings()
        attempt = Attempt.fresh()
        return Begun(await self._flow_at(issuer).begin(self._client(login, issuer), attempt), attempt)

    @use_case(Access.PROOF)
    async def finish(
        self, caller: Remote, attempt: Attempt | None, answered: Mapping[str, str], before: bytes | None
    ) -> IssuedLogin:
        """Finish a sign-in with the issuer's answer; the login that this browser had before ends.

        An answer without an attempt does not count as a failure: it guesses nothing, and any site's page can have a
        visitor's browser send it, which would keep everybody behind that address out.

        Raises:
            NotOffered: none is configured.
            Refusal: the answer is not this browser's attempt's, or whoever it names is no user here, or contained.
            Unavailable: the issuer or the state cannot be reached.
            TooManyFailures: the address has failed too often.
        """
        self._failures.check(caller.source)
        try:
            issued = await self._finish(caller, attempt, answered)
        except Unavailable:
            raise
        except Refusal as error:
            if attempt is not None:
                self._failures.failed(caller.source)
            _log.warning("sign_in_refused", source=str(caller.source), reason=str(error))
            raise
        await self._end(before)
        return issued

    async def _finish(self, caller: Remote, attempt: Attempt | None, answered: Mapping[str, str]) -> IssuedLogin:
        login, issuer = self._settings()
        if attempt is None:
            raise refused("this browser has begun none, or too long ago")
        client = self._client(login, issuer, await _secret(login))
        token = await self._flow_at(issuer).finish(client, attempt, answered)
        claimant = await self._identity.verify(token, caller.source)
        check_nonce(token, attempt, client)
        person = claimant.person
        if claimant.principal.kind is not PrincipalKind.USER:
            raise refused("this is an agent, and only users sign in")
        idle, longest = login.idle.total_seconds(), login.longest.total_seconds()
        issued = await self._identity.sign_in(LoginKind.WEB, person, caller.source, idle=idle, lifetime=longest)
        _log.info("signed_in", user=person.name, login=issued.id, source=str(caller.source))
        return issued

    async def _end(self, before: bytes | None) -> None:
        if before is None:
            return
        try:
            _, found = await self._identity.signed_in(LoginKind.WEB, before)
        except Refusal:
            return
        await self._identity.logins.revoke(found.id)

    @use_case(Access.AGENT)
    async def leave(self, caller: Remote) -> None:
        """End the caller's login, at the web page or the command line.

        Raises:
            Refusal: what they showed is no login.
            Unavailable: the state cannot be written.
        """
        if caller.signed_in is None:
            raise Refusal("a token cannot be signed out", "what was shown is no login, so there is nothing to end")
        await self._identity.sign_out(caller.signed_in, caller.name)
        _log.info("signed_out", user=caller.name, login=caller.signed_in)

    def _settings(self) -> tuple[Login, Issuer]:
        configuration = self._configuration()
        login = None if configuration is None else configuration.control.login
        if configuration is None or login is None:
            raise NotOffered("no sign-in is configured here: ask the gateway's operator for `control.login`")
        return login, next(issuer for issuer in configuration.issuers if issuer.name == login.issuer)

    def _flow_at(self, issuer: Issuer) -> CodeFlow:
        if self._flow is None or self._flow.issuer != issuer:
            self._flow = CodeFlow(issuer, self._now)
        return self._flow

    def _client(self, login: Login, issuer: Issuer, secret: bytes | None = None) -> Client:
        return Client(issuer.audience, secret, tuple(login.scopes), self._public() + CALLBACK)


async def _secret(login: Login) -> bytes | None:
    """Read the client's secret. It may be asked of a vault, so nobody makes us who has begun no sign-in."""
    if login.client_secret is None:
        return None
    try:
        return await reader_for(login.client_secret).read()
    except SecretUnavailable as error:
        raise Unavailable(str(error), "the gateway has no client secret now; ask its operator") from None
