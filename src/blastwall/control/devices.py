"""Use-cases of signing in at the command line: the gateway is the authorization server (RFC 8628).

    command line: ask ─▶ device code (kept), user code (shown) ─▶ polls with the device code ─▶ a login token, once
    web page:     a person who is signed in types the user code, sees who asks from where and since when, and decides

What a thief could try: guess a user code (8 of 20 letters, ten minutes, few attempts a person and an address), have a
person confirm a code of the thief's (the page shows the address that asked), or poll with a guessed device code (256
random bits). A confirmed login is the confirming person's, at the command line only.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field

import structlog

from blastwall.config.model import Configuration
from blastwall.control.access import Access, Forbidden, Remote, UseCases, use_case
from blastwall.control.failures import FailureLimit
from blastwall.gate.ports import Refusal
from blastwall.identity import OidcIdentity
from blastwall.identity.logins import IssuedLogin, LoginKind
from blastwall.identity.refusals import shown
from blastwall.outbound import unmapped
from blastwall.store.logins import CodeState, DeviceCodeTable, StoredCode

LIFETIME = 600.0
INTERVAL = 5.0
_EARLY = 0.5
"""Seconds by which a client may ask before its interval is over: clocks and networks are not exact."""
LETTERS = "BCDFGHJKLMNPQRSTVWXZ"
"""RFC 8628, section 6.1: no vowels, so no words; 20^8 codes."""
_LENGTH = 8
_BYTES = 32
_LONGEST_CLIENT = 100
_log = structlog.get_logger("blastwall.control")


class NoSuchCode(Exception):
    """No sign-in with this user code waits."""


class Pending(Exception):
    """Nobody has decided yet; `too_soon` where the client asks too often."""

    def __init__(self, *, too_soon: bool) -> None:
        super().__init__("nobody has confirmed it yet")
        self.too_soon = too_soon


class Declined(Exception):
    """The person said no."""


class Expired(Exception):
    """The code has ended, or never was one."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A new pair of codes."""

    device_code: str = field(repr=False)
    user_code: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Waiting:
    """A command line that waits: what it called itself, its address and since when (epoch seconds)."""

    user_code: str
    client: str
    source: str
    asked: float
    ends: float
    state: CodeState


class Devices(UseCases):
    """The device flow.

    Args:
        identity: who is asking.
        table: where codes are kept.
        configuration: the configuration in force.
        now: the time, in epoch seconds.
        monotonic: a clock in seconds that never jumps.
    """

    def __init__(
        self,
        identity: OidcIdentity,
        table: DeviceCodeTable,
        *,
        configuration: Callable[[], Configuration | None],
        now: Callable[[], float],
        monotonic: Callable[[], float],
    ) -> None:
        self._identity = identity
        self._table = table
        self._configuration = configuration
        self._asks, self._guesses = FailureLimit(monotonic), FailureLimit(monotonic)
        self._now = now

    @use_case(Access.PROOF)
    async def ask(self, caller: Remote, client: str) -> Asked:
        """Begin a sign-in for a command line that calls itself `client`.

        Raises:
            Refusal: no sign-in is configured, so nobody could confirm.
            TooManyFailures: the address has asked too often.
            TooManyCodes: too many wait.
            StateError: the state cannot be used.
        """
        self._lifetime()
        self._asks.check(caller.source)
        self._asks.failed(caller.source)
        asked = Asked(secrets.token_urlsafe(_BYTES), "".join(secrets.choice(LETTERS) for _ in range(_LENGTH)))
        now = self._now()
        stored = StoredCode(
            digest=_digest(asked.device_code),
            user_code=_digest(asked.user_code),
            source=str(unmapped(caller.source)),
            client=shown(client)[:_LONGEST_CLIENT],
            asked=now,
            ends=now + LIFETIME,
            polled=0.0,
            state=CodeState.WAITING,
        )
        await self._table.add(stored)
        return asked

    @use_case(Access.AGENT)
    async def look(self, caller: Remote, user_code: str) -> Waiting:
        """Return who asks with a user code.

        Raises:
            Forbidden: the caller is not signed in at the web page.
            NoSuchCode: none waits.
            TooManyFailures: the person has mistyped too often.
            StateError: the state cannot be used.
        """
        stored = await self._found(caller, user_code)
        return Waiting(_clean(user_code), stored.client, stored.source, stored.asked, stored.ends, stored.state)

    @use_case(Access.AGENT)
    async def decide(self, caller: Remote, user_code: str, *, allow: bool) -> Waiting:
        """Confirm or refuse a command line's sign-in as the caller. The first decision wins.

        Raises:
            Forbidden: the caller is not signed in at the web page.
            NoSuchCode: none waits.
            TooManyFailures: the person has mistyped too often.
            StateError: the state cannot be used.
        """
        stored = await self._found(caller, user_code)
        state = CodeState.CONFIRMED if allow else CodeState.REFUSED
        if not await self._table.decide(stored.digest, state, caller.signed_in if allow else None, self._now()):
            raise NoSuchCode("this code was decided on already, or has ended")
        _log.info("device_code_decided", user=caller.name, allowed=allow, source=stored.source, client=stored.client)
        return Waiting(_clean(user_code), stored.client, stored.source, stored.asked, stored.ends, state)

    @use_case(Access.PROOF)
    async def redeem(self, caller: Remote, device_code: str) -> IssuedLogin:
        """Return the login that was confirmed; the code is used up.

        Raises:
            Pending: nobody has decided yet.
            Declined: the person said no.
            Expired: the code has ended, was used, or never was one.
            Refusal: the person is contained, or no user any more.
            TooManyFailures: the address has shown too many codes that are none.
            StateError: the state cannot be used.
        """
        self._guesses.check(caller.source)
        now = self._now()
        stored = await self._table.poll(_digest(device_code), now)
        if stored is None or stored.ends <= now:
            self._guesses.failed(caller.source)
            raise Expired("the code has ended, was used before, or is none")
        if stored.state is CodeState.WAITING:
            raise Pending(too_soon=now - stored.polled < INTERVAL - _EARLY)
        if stored.state is CodeState.REFUSED or stored.login is None:
            raise Declined("the person refused the sign-in")
        person = await self._identity.logins.person(stored.login)
        if person is None:
            raise Declined("the login that confirmed it has ended; begin again")
        lifetime = self._lifetime()
        issued = await self._identity.sign_in(LoginKind.CLI, person, caller.source, idle=lifetime, lifetime=lifetime)
        _log.info("signed_in", user=person.name, login=issued.id, source=str(caller.source), by="command line")
        return issued

    async def _found(self, caller: Remote, user_code: str) -> StoredCode:
        if not caller.web or caller.principal is None:
            raise Forbidden("a command line is confirmed on the web page, by who is signed in there", known=True)
        self._guesses.check(caller.name)
        stored = await self._table.find(_digest(_clean(user_code)), self._now())
        if stored is None or stored.state is not CodeState.WAITING:
            self._guesses.failed(caller.name)
            raise NoSuchCode("no sign-in with this code waits; compare it with what the command line shows")
        return stored

    def _lifetime(self) -> float:
        configuration = self._configuration()
        if configuration is None or configuration.control.login is None:
            raise Refusal(
                "no sign-in is configured",
                "no sign-in is configured here: ask the gateway's operator for `control.login`",
            )
        return configuration.control.login.command_line.total_seconds()


def _clean(user_code: str) -> str:
    """Return a user code as it was made, however it was typed."""
    return "".join(character for character in user_code.upper() if character in LETTERS)


def _digest(code: str) -> str:
    return hashlib.sha256(code.encode()).hexdigest()
