"""The order of a login. Identity exists only at its end: whatever fails before leaves nobody."""

from __future__ import annotations

from dataclasses import dataclass, replace

from blastwall.gate import wording
from blastwall.gate.granted import Granted, remedied
from blastwall.gate.journal import Journal
from blastwall.gate.ports import CredentialUnavailable, Identified, Refusal, Subject
from blastwall.gate.shared import Facts, Shared
from blastwall.model.credential import Credential
from blastwall.model.events import LoginAdmitted, LoginAsked
from blastwall.model.principal import Principal
from blastwall.model.ruling import Decision, Ruling
from blastwall.protocols.contract import Login

_LABEL = 63
"""Longest application_name of PostgreSQL (NAMEDATALEN - 1), the shortest of its like."""
_OF_THE_TOKEN = ("jti", "uti")
"""Claims that name the token itself: RFC 7519, section 4.1.7, and Entra's."""


class Refused(Exception):
    """The login is refused: `str()` for the operator, `told` for the client; `principal` where one was identified.

    `retry` is set where it may be admitted a little later, `fault` where the gateway itself is in trouble.
    """

    def __init__(
        self, reason: str, told: str, principal: str = "", *, retry: bool = False, fault: bool = False
    ) -> None:
        super().__init__(reason)
        self.told = told
        self.principal = principal
        self.retry = retry
        self.fault = fault


@dataclass(frozen=True, slots=True)
class Admitted:
    """A login that stands. `deadline` is when the session must end, by the steady clock; `over` is heard then.

    `began` is when the login began, and `proof_ends` when the proof that was accepted last does; both by that clock.
    """

    subject: Subject
    granted: Granted
    identified: Identified
    credential: Credential
    label: str
    deadline: float | None
    over: str
    began: float
    proof_ends: float


class SlotHolder:
    """The one place in a principal's number of sessions that a session may take; given back at the session's end."""

    __slots__ = ("_principal", "_shared")

    def __init__(self, shared: Shared) -> None:
        self._shared = shared
        self._principal: Principal | None = None

    def take(self, identified: Identified) -> bool:
        """Take it, unless the principal has none left."""
        most = identified.max_sessions
        if most is not None:
            most -= self._shared.budgets.elsewhere(identified.principal)
        if not self._shared.slots.take(identified.principal, most):
            return False
        self._principal = identified.principal
        return True

    def release(self) -> None:
        """Give it back."""
        if self._principal is not None:
            self._shared.slots.release(self._principal)
            self._principal = None


async def log_in(shared: Shared, facts: Facts, journal: Journal, slot: SlotHolder, login: Login) -> Admitted:
    """Go through the order up to the credential; the caller records the end and watches for containment.

    Raises:
        Refused: the login is refused.
        RecordingFailed: the ask cannot be recorded.
    """
    opened, began = shared.clock(), shared.steady()
    user, application = wording.harmless(login.user), wording.harmless(login.application)
    await journal.written([LoginAsked(opened, user, wording.harmless(login.target), application)])
    identified = await _identify(shared, facts, login.proof)
    deadline, over = _deadline(facts, identified, began, shared.steady())
    proof_ends = _end_of(identified, shared.steady())
    subject = Subject(identified.principal, facts.resource, login.target, facts.source, facts.resource.plane)
    check_containment(shared, subject, identified)
    if not slot.take(identified):
        told = wording.too_many(identified.principal.name, identified.max_sessions or 0)
        raise Refused(f"too many sessions: {told}", told, identified.principal.name, retry=True)
    wait = shared.budgets.login(identified.principal)
    if wait is not None:
        raise Refused(f"too many logins: {wait}", wait, identified.principal.name, retry=True)
    rule_connect(shared, subject)
    credential = await _credential(shared, subject)
    label = _label(identified.principal, facts.session)
    granted = Granted(shared, subject)
    admitted = Admitted(subject, granted, identified, credential, label, deadline, over, began, proof_ends)
    _check_time(shared, facts, admitted)
    return admitted


async def prove(shared: Shared, facts: Facts, admitted: Admitted, proof: bytes) -> Admitted | None:
    """Return what a session stands on by another proof; None where that one is another principal's.

    The caller records the end and watches for containment, as after a login.

    Raises:
        Refused: the proof does not hold.
    """
    identified = await _identify(shared, facts, proof)
    subject = admitted.subject
    if not same(identified.principal, subject.principal):
        return None
    now = shared.steady()
    deadline, over = _deadline(facts, identified, admitted.began, now)
    check_containment(shared, subject, identified)
    credential = await _credential(shared, subject)
    proven = replace(
        admitted,
        identified=identified,
        credential=credential,
        deadline=deadline,
        over=over,
        proof_ends=_end_of(identified, now),
    )
    _check_time(shared, facts, proven)
    return proven


def same(one: Principal, other: Principal) -> bool:
    """Whether two proofs stand for the same principal: every fact that policy can read is the same, too."""
    return one.key == other.key and one.groups == other.groups and _facts(one) == _facts(other)


def _facts(principal: Principal) -> dict[str, str]:
    return {name: value for name, value in principal.claims.items() if name not in _OF_THE_TOKEN}


def _check_time(shared: Shared, facts: Facts, admitted: Admitted) -> None:
    """Refuse what ended while it was looked at."""
    now, name = shared.steady(), admitted.subject.principal.name
    if admitted.deadline is not None and now >= admitted.deadline:
        raise Refused("the proof ended during the login", admitted.over, name)
    if facts.proves_each and now >= admitted.proof_ends:
        raise Refused("the proof ended during the login", wording.PROOF_OVER, name)


def record_of(admitted: Admitted, ruling: Ruling, now: float) -> LoginAdmitted:
    """Return the event of an admitted login, or of another proof: with what is said in that one."""
    principal = admitted.identified.principal
    return LoginAdmitted(
        at=now,
        principal_kind=principal.kind.value,
        principal=principal.name,
        issuer=principal.issuer,
        subject=principal.subject,
        groups=tuple(sorted(principal.groups)),
        claims=principal.claims,
        proof=admitted.identified.proof,
        upstream_user=admitted.credential.user,
        policies=ruling.policies,
        version=ruling.version,
    )


async def _identify(shared: Shared, facts: Facts, proof: bytes) -> Identified:
    """Return whose proof it is, once it can be known who is contained."""
    try:
        identified = await shared.identity.identify(proof, facts.resource, facts.source)
    except Refusal as refusal:
        raise Refused(str(refusal), refusal.told) from None
    await shared.containment.sight()
    return identified


def check_containment(shared: Shared, subject: Subject, identified: Identified) -> None:
    """Refuse who is contained, and whose proof is from before a containment.

    Raises:
        Refused: the principal or the resource is contained, or the proof is worth nothing any more.
    """
    contained = shared.containment.against(subject.principal, subject.resource)
    if contained is None:
        contained = shared.containment.spoiled(subject.principal, identified.issued)
    if contained is not None:
        raise Refused(f"contained: {contained}", contained, subject.principal.name)


def rule_connect(shared: Shared, subject: Subject) -> Ruling:
    """Return the ruling that permits `connect`.

    Raises:
        Refused: policy denies it, or holds it.
    """
    subject = replace(subject, granted=shared.grants.open(subject))
    ruling = remedied(shared, subject, shared.policy.rule_connect(subject))
    if ruling.decision is Decision.ALLOW:
        shared.grants.used(ruling.grants)
        return ruling
    told = wording.login_held(ruling) if ruling.decision is Decision.HOLD else wording.denied(ruling)
    raise Refused(f"policy ({', '.join(ruling.policies) or 'no permit'}): {told}", told, subject.principal.name)


async def _credential(shared: Shared, subject: Subject) -> Credential:
    try:
        return await shared.vault.credential(subject.resource, subject.principal)
    except CredentialUnavailable as error:
        raise Refused(str(error), wording.NO_CREDENTIAL, subject.principal.name, fault=True) from None


def _deadline(facts: Facts, identified: Identified, began: float, now: float) -> tuple[float | None, str]:
    """Return when the session must end, and what the client hears then. All by the steady clock."""
    ends = []
    if identified.lasts is not None and not (facts.proves_each and identified.outlived):
        ends.append((now + identified.lasts, wording.PASS_OVER))
    if identified.session_max is not None:
        ends.append((began + identified.session_max, wording.SESSION_OVER))
    return min(ends) if ends else (None, "")


def _end_of(identified: Identified, now: float) -> float:
    """Return until when a proof counts, by the steady clock; one that does not say so counts no longer than now."""
    return now if identified.good_for is None else now + identified.good_for


def _label(principal: Principal, session: str) -> str:
    """Name agent and session; where that is too long the agent's name is cut, so that the session is always whole."""
    return f"{principal.name[: max(0, _LABEL - 1 - len(session))]}/{session}"
