"""What an admitted session stands on where each request proves itself: the proof's end, and the credential of now.

A session of a kind that proves itself once has none of this: its proof opened it, its credential logged it in.
"""

from __future__ import annotations

from blastwall.gate.login import Admitted
from blastwall.gate.ports import Vault
from blastwall.gate.shared import Shared
from blastwall.model.credential import Credential

_AFRESH = 60.0
"""Seconds after which the vault is asked again, by the next statement. What it has kept it gives at once."""


class Footing:
    """One session's. `held` is the credential that the protocol's session has been given last."""

    __slots__ = ("_admitted", "_afresh", "_ends", "_shared", "credential", "held")

    def __init__(self, shared: Shared, admitted: Admitted) -> None:
        self._shared = shared
        self.stand_on(admitted)
        self.held = admitted.credential

    def stand_on(self, admitted: Admitted) -> None:
        """Go on with what was admitted now: the login, or another proof of the same principal."""
        self._admitted = admitted
        self._ends = admitted.proof_ends
        self._take(admitted.credential)

    def _take(self, credential: Credential) -> None:
        self.credential = credential
        self._afresh = self._shared.steady() + _AFRESH

    @property
    def ended(self) -> bool:
        """Whether the proof that was accepted last has ended."""
        return self._shared.steady() >= self._ends

    @property
    def due(self) -> bool:
        """Whether the vault must be asked before anything more is allowed."""
        return self._shared.steady() >= self._afresh

    @property
    def stands(self) -> bool:
        """Whether an answer that was given before may be given again, as it was."""
        return not self.ended and not self.due and self.credential == self.held

    @property
    def changed(self) -> Credential | None:
        """The credential of now, where the protocol's session has another one."""
        return self.credential if self.credential != self.held else None

    async def refresh(self) -> None:
        """Ask the vault for the credential of now.

        Raises:
            CredentialUnavailable: there is none.
        """
        subject = self._admitted.subject
        self._take(await self._vault.credential(subject.resource, subject.principal))

    async def renew(self, claims: str) -> None:
        """Have the vault fetch it anew, with these claims.

        Raises:
            CredentialUnavailable: there is none.
        """
        subject = self._admitted.subject
        self._take(await self._vault.renew(subject.resource, subject.principal, claims))

    @property
    def _vault(self) -> Vault:
        return self._shared.vault
