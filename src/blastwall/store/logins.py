"""People's logins at the web page and the command line, and the codes by which a command line gets one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from sqlalchemy import ColumnElement, RowMapping, and_, delete, exists, func, insert, or_, select, update

from blastwall.store.table import Table, whole
from blastwall.store.tables import containments, device_codes, logins

_KEEP_SECONDS = 86_400.0
_MOST_CODES = 1000


@dataclass(frozen=True, slots=True)
class StoredLogin:
    """A login as the state knows it: by its digest. `claims` is JSON; `idle` is in seconds."""

    id: str
    digest: str = field(repr=False)
    kind: str
    principal: str
    issuer: str
    trust: str = field(repr=False)
    claims: str = field(repr=False)
    source: str
    issued: float
    seen: float
    idle: float
    ends: float
    revoked: float | None = None


_LOGIN_SEALED = tuple(name for name in StoredLogin.__slots__ if name not in {"seen", "revoked"})


class CodeState(StrEnum):
    """What became of a device code."""

    WAITING = "waiting"
    CONFIRMED = "confirmed"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class StoredCode:
    """A device code as the state knows it. `login` is the public handle of the login that confirmed it."""

    digest: str = field(repr=False)
    user_code: str = field(repr=False)
    source: str
    client: str
    asked: float
    ends: float
    polled: float
    state: CodeState
    login: str | None = None


_CODE_SEALED = tuple(name for name in StoredCode.__slots__ if name != "polled")


class LoginTable(Table):
    """Keep, find and revoke logins. One that no gateway of ours wrote is not found."""

    @whole
    async def add(self, new: StoredLogin) -> None:
        """Store a login, and let go of those that ended long ago."""
        async with self.store.write() as connection:
            await connection.execute(delete(logins).where(logins.c.ends < new.issued - _KEEP_SECONDS))
            values = {name: getattr(new, name) for name in new.__slots__}
            seal = self.store.seal.of("logins", _LOGIN_SEALED, values)
            await connection.execute(insert(logins).values({**values, "seal": seal}))

    @whole
    async def find(self, digest: str) -> StoredLogin | None:
        """Return the login with this digest, whether or not it still works."""
        return await self._find(logins.c.digest == digest)

    @whole
    async def find_by_id(self, login_id: str) -> StoredLogin | None:
        """Return the login with this public handle, whether or not it still works."""
        return await self._find(logins.c.id == login_id)

    async def _find(self, which: ColumnElement[bool]) -> StoredLogin | None:
        async with self.store.read() as connection:
            found = (await connection.execute(select(logins).where(which))).mappings().one_or_none()
        if found is None or not self.store.seal.holds("logins", _LOGIN_SEALED, found):
            return None
        return StoredLogin(**{name: found[name] for name in StoredLogin.__slots__})

    @whole
    async def contained(self, things: Iterable[tuple[str, str]], since: float, now: float) -> bool:
        """Whether one of these (kind and name) is contained, or was at any time since then."""
        named = or_(*(and_(containments.c.kind == kind, containments.c.name == name) for kind, name in things))
        in_force = and_(containments.c.lifted.is_(None), or_(containments.c.ends.is_(None), containments.c.ends > now))
        asked = select(exists().where(named, or_(containments.c.at >= since, in_force)))
        async with self.store.read() as connection:
            return bool((await connection.execute(asked)).scalar())

    @whole
    async def saw(self, login_id: str, at: float) -> None:
        """Note that a login was used."""
        async with self.store.write() as connection:
            await connection.execute(update(logins).where(logins.c.id == login_id).values(seen=at))

    @whole
    async def revoke(self, login_id: str, at: float) -> bool:
        """Revoke a login; False where none such works."""
        mark = update(logins).where(logins.c.id == login_id, logins.c.revoked.is_(None)).values(revoked=at)
        async with self.store.write() as connection:
            return (await connection.execute(mark)).rowcount > 0


class TooManyCodes(Exception):
    """So many device codes wait already that no more are given."""


class DeviceCodeTable(Table):
    """Give, confirm and redeem device codes (RFC 8628). One that no gateway of ours wrote is not found."""

    @whole
    async def add(self, new: StoredCode) -> None:
        """Store a code, and let go of those that have ended.

        Raises:
            TooManyCodes: too many wait.
        """
        async with self.store.write() as connection:
            await connection.execute(delete(device_codes).where(device_codes.c.ends < new.asked))
            count = (await connection.execute(select(func.count()).select_from(device_codes))).scalar_one()
            if count >= _MOST_CODES:
                raise TooManyCodes("too many sign-ins wait for confirmation; try again in some minutes")
            values = {name: getattr(new, name) for name in new.__slots__}
            await connection.execute(insert(device_codes).values({**values, "seal": self._seal(values)}))

    @whole
    async def find(self, user_code: str, now: float) -> StoredCode | None:
        """Return the code whose user code has this digest, while it lasts."""
        async with self.store.read() as connection:
            asked = select(device_codes).where(device_codes.c.user_code == user_code, device_codes.c.ends > now)
            found = (await connection.execute(asked)).mappings().one_or_none()
        return None if found is None or not self._ours(found) else _code(found)

    @whole
    async def decide(self, digest: str, state: CodeState, login: str | None, now: float) -> bool:
        """Confirm or refuse a code that waits; False where it does not: the first decision wins."""
        waits = (device_codes.c.digest == digest, device_codes.c.state == CodeState.WAITING, device_codes.c.ends > now)
        async with self.store.write() as connection:
            asked = select(device_codes).where(*waits).with_for_update()
            found = (await connection.execute(asked)).mappings().one_or_none()
            if found is None or not self._ours(found):
                return False
            new = {"state": state.value, "login": login}
            mark = update(device_codes).where(*waits).values(**new, seal=self._seal({**found, **new}))
            return (await connection.execute(mark)).rowcount > 0

    @whole
    async def poll(self, digest: str, now: float) -> StoredCode | None:
        """Return a code as it was, and note that its client asked; one that was decided is gone with the answer."""
        async with self.store.write() as connection:
            asked = select(device_codes).where(device_codes.c.digest == digest).with_for_update()
            found = (await connection.execute(asked)).mappings().one_or_none()
            if found is None or not self._ours(found):
                return None
            same = device_codes.c.digest == digest
            if found["state"] == CodeState.WAITING and found["ends"] > now:
                await connection.execute(update(device_codes).where(same).values(polled=now))
            else:
                await connection.execute(delete(device_codes).where(same))
        return _code(found)

    def _seal(self, values: Mapping[str, object]) -> str:
        return self.store.seal.of("device_codes", _CODE_SEALED, values)

    def _ours(self, row: RowMapping) -> bool:
        return self.store.seal.holds("device_codes", _CODE_SEALED, row)


def _code(row: RowMapping) -> StoredCode:
    values = {name: row[name] for name in StoredCode.__slots__}
    return StoredCode(**{**values, "state": CodeState(row["state"])})
