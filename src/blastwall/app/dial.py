"""Reaching everything that a configuration names: each issuer's keys, a log-in to each resource, ways around it."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

from blastwall.app.exposure import exposure
from blastwall.app.plan import Plan
from blastwall.config.callers import Issuer
from blastwall.gate.ports import CredentialUnavailable
from blastwall.identity.keys import KeysUnavailable
from blastwall.identity.loaders import loader_for
from blastwall.model.resource import HostTarget, Resource
from blastwall.protocols.contract import Limits, Opening
from blastwall.protocols.kind import Finding
from blastwall.relay.certificates import UpstreamTls
from blastwall.relay.companions import Setting, SideConnection
from blastwall.relay.dialling import DialFailed
from blastwall.relay.knock import knock
from blastwall.relay.limits import RelayLimits
from blastwall.relay.lines import Lines
from blastwall.relay.metrics import Metrics
from blastwall.vault import ConfiguredVault

_TIMEOUT_SECONDS = 15.0
_QUESTION = "check"
"""Whatever a companion makes of it: it must be logged in to answer at all."""


class NotReached(Exception):
    """Something did not answer as it must; the text says what it did."""


@dataclass(frozen=True, slots=True)
class Dialled:
    """One thing that was dialled. `detail` is what it said of itself, or why it was not reached."""

    what: str
    reached: bool
    seconds: float
    detail: str
    findings: Sequence[Finding] = ()
    """Of a resource: whether it can be reached around the gateway."""


async def dial_all(plan: Plan) -> Sequence[Dialled]:
    """Dial every issuer and resource at once; each has 15 seconds. Then look for ways around the resources."""
    issuers = [_timed(f"issuer {each.name}", partial(_keys, each)) for each in plan.configuration.issuers]
    resources = [_examined(plan, name, each) for name, each in plan.resources.items()]
    hosts = [_timed(what, partial(_log_in, _setting(plan, each))) for what, each in _hosts(plan)]
    return await asyncio.gather(*issuers, *resources, *hosts)


def _hosts(plan: Plan) -> Iterator[tuple[str, Resource]]:
    """Yield each host of a resource that has several, as a resource of its own."""
    for name, resource in plan.resources.items():
        for number, host in enumerate(resource.hosts if len(resource.hosts) > 1 else (), 1):
            alone = replace(resource, upstream=host, standbys=(), target=HostTarget.ANY)
            yield f"resource {name}, host {number}", alone


async def _examined(plan: Plan, name: str, resource: Resource) -> Dialled:
    setting = _setting(plan, resource)
    dialled = await _timed(f"resource {name}", partial(_log_in, setting))
    return replace(dialled, findings=await exposure(plan, setting))


async def _timed(what: str, dial: Callable[[], Awaitable[str]]) -> Dialled:
    begun = time.monotonic()
    try:
        async with asyncio.timeout(_TIMEOUT_SECONDS):
            detail, reached = await dial(), True
    except NotReached as error:
        detail, reached = str(error), False
    except TimeoutError:
        detail, reached = f"no answer within {_TIMEOUT_SECONDS:.0f} s", False
    return Dialled(what, reached, time.monotonic() - begun, detail)


async def _keys(issuer: Issuer) -> str:
    try:
        keys = await loader_for(issuer).load()
    except KeysUnavailable as error:
        raise NotReached(str(error)) from None
    return f"{len(keys)} keys"


async def _log_in(setting: Setting) -> str:
    """Log in as the gateway itself does for its side connections, and ask one question.

    The credential is the one for everybody else, or the first: it is the one that side connections use.
    """
    resource = setting.resource
    database = resource.databases[0] if resource.databases else ""
    if not await _has_side_connections(setting, database):
        return await _knock(setting)
    connection = SideConnection(database, setting)
    reply: asyncio.Future[object] = asyncio.get_running_loop().create_future()
    try:
        connection.look_up(_QUESTION, reply.set_result)
        answer = await reply
    finally:
        connection.close("asked")
    if isinstance(answer, Exception):
        raise NotReached(str(answer))
    return f"logged in at {' or '.join(map(str, resource.hosts))}"


async def _has_side_connections(setting: Setting, database: str) -> bool:
    """Whether the gateway ever logs in at this resource by itself."""
    try:
        credential = await setting.vault.credential(setting.resource, None)
    except CredentialUnavailable as error:
        raise NotReached(str(error)) from None
    opening = Opening("check", setting.resource, secrets.token_bytes, Limits())
    return setting.kind.companion(opening, credential, database) is not None


async def _knock(setting: Setting) -> str:
    """Connect to each host: that there is a credential is known, whether it is taken shows at the first request."""
    resource = setting.resource
    for host in resource.hosts:
        try:
            await knock(host, resource.name, setting.tls, setting.lines, _TIMEOUT_SECONDS)
        except DialFailed as failure:
            raise NotReached(f"{host}: {failure}") from None
    return f"connected to {' and '.join(map(str, resource.hosts))}; the credential was read, not tried"


def _setting(plan: Plan, resource: Resource) -> Setting:
    limits = RelayLimits.of(plan.configuration.limits)
    vault = ConfiguredVault(plan.configuration.resources)
    meter = Metrics().of(resource.name)
    return Setting(resource, plan.kinds[resource.kind], Limits(), vault, UpstreamTls(), limits, meter, Lines())
