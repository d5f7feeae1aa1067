"""Approvals: their key, and the parts that ask people and take their decisions."""

from __future__ import annotations

import hmac
import secrets
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from blastwall.app.places import KeyFileUnusable, key_once, node_name, state_folder
from blastwall.app.plan import Plan
from blastwall.app.previews import Previews
from blastwall.approvals.deciding import Deciding
from blastwall.approvals.people import People
from blastwall.approvals.requests import Place
from blastwall.approvals.sealing import Seals
from blastwall.approvals.stored import StoredApprovals
from blastwall.approvals.told import told
from blastwall.approvals.worth import Worth
from blastwall.config.model import Configuration
from blastwall.control.approving import Approving, PolicyPlace
from blastwall.control.changes import Changes
from blastwall.control.telling import Telling
from blastwall.gate.ports import Containment
from blastwall.model.principal import Principal
from blastwall.model.resource import Address, Resource
from blastwall.store.approvals import ApprovalTable, State, StoredRequest
from blastwall.store.database import Store
from blastwall.store.sealing import Seal
from blastwall.vault import reader_for
from blastwall.workers import Member

_KEY_BYTES = 32
_DECIDED = "approval decided"
_NOWHERE = Resource("", "", Address("", 0))
"""Containment is asked about somebody and a resource; of somebody alone it is asked with this one."""


@dataclass(frozen=True, slots=True)
class Approvers:
    """What asks people, and what takes their decisions. `binding_key` binds a request to its statement."""

    stored: StoredApprovals
    deciding: Deciding
    worth: Worth
    table: ApprovalTable
    people: People
    previews: Previews
    binding_key: bytes = field(repr=False)


async def approvers_of(
    configuration: Configuration,
    store: Store,
    containment: Containment,
    *,
    changes: Changes,
    telling: Telling,
    member: Member,
    stack: AsyncExitStack,
) -> Approvers:
    """Start asking people.

    Raises:
        SecretUnavailable, KeyFileUnusable: the key cannot be had.
        StateError: the state cannot be used.
    """
    key = await approval_key(configuration)
    people, table = People(configuration.users), ApprovalTable(store)
    worth = Worth(Seals(_derived(key, b"seals")), people, partial(_contained, containment))
    previews = Previews(table, changes)
    stack.push_async_callback(previews.stop)
    place = Place(node_name(configuration), member.number, member.of, secrets.token_hex(16))

    def changed(identity: str, state: str) -> None:
        changes.publish("approval", identity, {"state": state})

    def asked(request: StoredRequest) -> None:
        changed(request.id, State.WAITING)
        telling.note(told(request))
        previews.wanted(request)

    def decided(identity: str, state: str) -> None:
        changed(identity, state)
        _wake(stored, member)

    stored = StoredApprovals(
        table,
        worth,
        place,
        link=partial(_link, configuration),
        now=time.time,
        asked=asked,
        changed=changed,
    )
    await stored.start()
    stack.push_async_callback(stored.stop)
    deciding = Deciding(table, worth, time.time, decided)
    if member.bus is not None:
        member.bus.on(_DECIDED, lambda _: stored.wake())
    return Approvers(stored, deciding, worth, table, people, previews, _derived(key, b"binding"))


def approving_of(approvers: Approvers, plan: Callable[[], Plan]) -> Approving:
    """Return the use-cases of approvals; `plan` is the one in force at the time of a call."""

    def place(identity: str) -> PolicyPlace:
        rule = plan().policies.rules.get(identity)
        return PolicyPlace() if rule is None else PolicyPlace(rule.source.place(), rule.reason)

    return Approving(
        approvers.table,
        approvers.deciding,
        approvers.worth,
        now=time.time,
        link=partial(_link, plan().configuration),
        place=place,
    )


def _link(configuration: Configuration, identity: str) -> str:
    return f"{configuration.control.url}/#/approvals/{identity}"


async def approval_key(configuration: Configuration) -> bytes:
    """Return the key of approvals: the configured one, or the one made once and kept beside the state.

    Raises:
        SecretUnavailable: the configured source has none now.
        KeyFileUnusable: the kept one cannot be read or made, or one is too short to keep anybody out.
    """
    if configuration.hold.key is None:
        return key_once(_kept(configuration))
    reader = reader_for(configuration.hold.key)
    key = await reader.read()
    if len(key) < _KEY_BYTES:
        raise KeyFileUnusable(f"hold.key: {reader.source} has less than {_KEY_BYTES} bytes; `openssl rand -hex 32`")
    return key


async def state_seal(configuration: Configuration) -> Seal:
    """Return what seals the rows of the state.

    Raises:
        As `approval_key`.
    """
    return seal_of(await approval_key(configuration))


async def seal_to_look_with(configuration: Configuration) -> Seal | None:
    """Return what has sealed the rows of the state; None where no key is there, which only a gateway makes.

    Raises:
        As `approval_key`.
    """
    if configuration.hold.key is None and not _kept(configuration).exists():
        return None
    return await state_seal(configuration)


def _kept(configuration: Configuration) -> Path:
    return state_folder(configuration) / "approvals.key"


def seal_of(key: bytes) -> Seal:
    """Return what seals the rows of the state where the key of approvals is this one."""
    return Seal(hmac.digest(key, b"blastwall state: seals", "sha256"))


def _derived(key: bytes, purpose: bytes) -> bytes:
    return hmac.digest(key, b"blastwall approvals: " + purpose, "sha256")


def _contained(containment: Containment, principal: Principal, at: float) -> bool:
    now = containment.against(principal, _NOWHERE)
    return now is not None or containment.spoiled(principal, at) is not None


def _wake(stored: StoredApprovals, member: Member) -> None:
    stored.wake()
    if member.bus is not None:
        member.bus.tell(_DECIDED)
