"""Passes and the tokens that they were given for."""

from __future__ import annotations

from dataclasses import dataclass, field

from sqlalchemy import ColumnElement, RowMapping, and_, delete, func, insert, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from blastwall.store.table import Table, whole
from blastwall.store.tables import containments, exchanged_tokens, logins, passes

_KEEP_SECONDS = 86_400


@dataclass(frozen=True, slots=True)
class StoredPass:
    """A pass as the state knows it: by its digest. `claims` is JSON; `token` identifies the exchanged token."""

    id: str
    digest: str = field(repr=False)
    token: str = field(repr=False)
    resource: str
    kind: str
    principal: str
    issuer: str
    trust: str = field(repr=False)
    claims: str = field(repr=False)
    issued: float
    ends: float
    revoked: float | None = None


_SEALED = tuple(name for name in StoredPass.__slots__ if name != "revoked")


@dataclass(frozen=True, slots=True)
class Shown:
    """The proof that is exchanged: from where it came, when it ends for good, its age, and the login that it is."""

    source: str
    ends: float
    issued: float
    login: str | None = None


class AlreadyExchanged(Exception):
    """The token was exchanged before: from another address, or for a pass to the same resource that still works.

    `ends` is when that pass ends; None where the address differs.
    """

    def __init__(self, ends: float | None) -> None:
        super().__init__("exchanged before")
        self.ends = ends


class TooManyTokens(Exception):
    """Too many gateway tokens that were given for the one token still work."""


class ProofSpoiled(Exception):
    """The token is from before a containment of its principal or issuer."""


class SignedOut(Exception):
    """The login that the pass was to be given for has ended meanwhile."""


class PassTable(Table):
    """Issue, find and revoke passes."""

    @whole
    async def issue(
        self,
        new: StoredPass,
        source: str,
        token_ends: float,
        token_issued: float | None = None,
        login: str | None = None,
    ) -> None:
        """Store a pass, in one transaction with the check that its token may be exchanged.

        A token belongs to the address that exchanged it first, and has at most one working pass a resource. Its row
        is locked, so that two exchanges at once (on two nodes as well) cannot both win. So is that of `login`, the
        handle of the login that the pass is given for: whoever signs out finds every pass of it, or bars it here.

        Raises:
            AlreadyExchanged: the token may not be exchanged again, for this resource or from this address.
            ProofSpoiled: a containment is younger than the token, although no node may have heard of it yet.
            SignedOut: the login has ended.
            StateError: the state cannot be written.
        """
        async with self.store.write() as connection:
            issued = new.issued if token_issued is None else token_issued
            await self._admit(connection, new, Shown(source, token_ends, issued, login))
            working = select(passes.c.ends).where(
                passes.c.token == new.token,
                passes.c.resource == new.resource,
                passes.c.revoked.is_(None),
                passes.c.ends > new.issued,
            )
            ends = (await connection.execute(working)).scalar()
            if ends is not None:
                raise AlreadyExchanged(ends)
            await connection.execute(insert(passes).values(self._sealed(new)))

    @whole
    async def note_token(self, new: StoredPass, shown: Shown, *, most: int) -> None:
        """Note a gateway token, under the rules of `issue`, by which it is revoked; nobody asks for it at its use.

        Of one token, or of one login, at most `most` work at a time: a client in a loop must not fill the state.

        Raises:
            AlreadyExchanged: the token was exchanged from another address.
            TooManyTokens: so many work already.
            ProofSpoiled, SignedOut, StateError: as `issue`.
        """
        given = passes.c.token == new.token if shown.login is None else _given_for(shown.login)
        working = (
            select(func.count())
            .select_from(passes)
            .where(given, passes.c.revoked.is_(None), passes.c.ends > new.issued)
        )
        async with self.store.write() as connection:
            await self._admit(connection, new, shown)
            if (await connection.execute(working)).scalar_one() >= most:
                raise TooManyTokens
            await connection.execute(insert(passes).values(self._sealed(new)))

    def _sealed(self, new: StoredPass) -> dict[str, object]:
        values = {name: getattr(new, name) for name in StoredPass.__slots__}
        return {**values, "seal": self.store.seal.of("passes", _SEALED, values)}

    async def _admit(self, connection: AsyncConnection, new: StoredPass, shown: Shown) -> None:
        await self._prune(connection, new.issued)
        await _check_spoiled(connection, new, shown.issued)
        if shown.login is not None:
            await _check_signed_in(connection, shown.login)
        await self._claim(connection, new.token, shown.source, shown.ends)

    async def _claim(self, connection: AsyncConnection, token: str, source: str, ends: float) -> None:
        dialect = sqlite if self.store.sqlite else postgresql
        row = {"token": token, "source": source, "ends": ends}
        await connection.execute(dialect.insert(exchanged_tokens).values(row).on_conflict_do_nothing())
        first = select(exchanged_tokens.c.source).where(exchanged_tokens.c.token == token).with_for_update()
        if (await connection.execute(first)).scalar_one() != source:
            raise AlreadyExchanged(None)

    async def _prune(self, connection: AsyncConnection, now: float) -> None:
        await connection.execute(delete(passes).where(passes.c.ends < now - _KEEP_SECONDS))
        await connection.execute(delete(exchanged_tokens).where(exchanged_tokens.c.ends < now - _KEEP_SECONDS))

    @whole
    async def find(self, digest: str) -> StoredPass | None:
        """Return the pass with this digest, whether or not it still works, if a gateway of ours wrote it."""
        async with self.store.read() as connection:
            row = (await connection.execute(select(passes).where(passes.c.digest == digest))).mappings().one_or_none()
        return None if row is None or not self.store.seal.holds("passes", _SEALED, row) else _stored(row)

    @whole
    async def revoke_given_for(self, login_id: str, reason: str, by: str, at: float) -> int:
        """Revoke the passes that were given for a login, and tell every node; return how many that were."""
        mark = (
            update(passes)
            .where(_given_for(login_id), passes.c.revoked.is_(None), passes.c.ends > at)
            .values(revoked=at)
            .returning(passes.c.id, passes.c.ends)
        )
        async with self.store.write() as connection:
            found = (await connection.execute(mark)).all()
            for pass_id, ends in found:
                tell = {"kind": "pass", "name": pass_id, "reason": reason, "by": by, "at": at}
                await connection.execute(insert(containments).values({**tell, "ends": ends + _KEEP_SECONDS}))
        return len(found)

    @whole
    async def revoke(self, pass_id: str, reason: str, by: str, at: float) -> bool:
        """Revoke a pass and tell every node to end its sessions; False where no such pass works."""
        async with self.store.write() as connection:
            mark = (
                update(passes)
                .where(passes.c.id == pass_id, passes.c.revoked.is_(None), passes.c.ends > at)
                .values(revoked=at)
                .returning(passes.c.ends)
            )
            ends = (await connection.execute(mark)).scalar()
            if ends is None:
                return False
            tell = {"kind": "pass", "name": pass_id, "reason": reason, "by": by, "at": at, "ends": ends + _KEEP_SECONDS}
            await connection.execute(insert(containments).values(tell))
            return True


def _given_for(login_id: str) -> ColumnElement[bool]:
    """What was given for a login: each exchange of one stands under a name of its own, which begins with its handle."""
    return passes.c.token.startswith(f"{login_id}.", autoescape=True)


async def _check_spoiled(connection: AsyncConnection, new: StoredPass, proof_issued: float) -> None:
    own = and_(containments.c.kind == new.kind, containments.c.name == new.principal)
    whole_issuer = and_(containments.c.kind == "issuer", containments.c.name == new.issuer)
    younger = select(containments.c.id).where(or_(own, whole_issuer), containments.c.at >= proof_issued).limit(1)
    if (await connection.execute(younger)).first() is not None:
        raise ProofSpoiled


async def _check_signed_in(connection: AsyncConnection, login: str) -> None:
    works = select(logins.c.id).where(logins.c.id == login, logins.c.revoked.is_(None)).with_for_update()
    if (await connection.execute(works)).first() is None:
        raise SignedOut


def _stored(row: RowMapping) -> StoredPass:
    return StoredPass(**{name: row[name] for name in StoredPass.__slots__})
