"""Whether a resource can be reached around the gateway: what names, Azure and the resource itself say of it."""

from __future__ import annotations

import asyncio
import secrets
import socket
import ssl
from collections.abc import Iterator, Mapping, Sequence
from ipaddress import ip_address

import aiohttp

from blastwall.app.plan import Plan
from blastwall.config.azure import AzureSettings
from blastwall.gate.ports import CredentialUnavailable
from blastwall.model.resource import Resource
from blastwall.protocols.contract import Limits, Opening
from blastwall.protocols.kind import AUDIT, Finding, Weight
from blastwall.relay.companions import CompanionCarrier, Setting
from blastwall.vault.azure_failures import told
from blastwall.vault.azure_identities import SECONDS, called, credential_of

_SECONDS = 15.0
_API_VERSIONS: Mapping[str, str] = {
    "microsoft.dbforpostgresql/flexibleservers": "2024-08-01",
    "microsoft.sql/servers": "2021-11-01",
}
"""By resource type, from "Azure REST API reference"."""
_CLOSE = "use a private endpoint or virtual network, and switch public network access off"


async def exposure(plan: Plan, setting: Setting) -> Sequence[Finding]:
    """Ask everybody who can tell; what cannot be asked is said."""
    resource = setting.resource
    parts = await asyncio.gather(names(resource), _azure(plan.configuration.azure, resource), _resource(setting))
    return tuple(finding for part in parts for finding in part)


# ── names ────────────────────────────────────────────────────────────────────────────────────────────────────────────


async def names(resource: Resource) -> Sequence[Finding]:
    """Say whether a resource's names lead to public addresses, as seen from here."""
    return [finding for host in resource.hosts for finding in await _name(host.host)]


async def _name(host: str) -> Sequence[Finding]:
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return [Finding(Weight.NOTE, f"the name {host} cannot be resolved here")]
    addresses = sorted({str(each[4][0]).partition("%")[0] for each in found})
    public = [address for address in addresses if ip_address(address).is_global]
    if public:
        what = f"{host} resolves to a public address ({', '.join(public)})"
        return [Finding(Weight.WARNING, what, f"{_CLOSE}, or let its firewall admit the gateway's address alone")]
    return [Finding(Weight.GOOD, f"{host} resolves to private addresses only ({', '.join(addresses)})")]


# ── Azure Resource Manager ───────────────────────────────────────────────────────────────────────────────────────────


async def _azure(settings: AzureSettings | None, resource: Resource) -> Sequence[Finding]:
    if not resource.azure or settings is None:
        missing = "`azure` (its id)" if not resource.azure else "the top-level `azure` (who asks)"
        return [
            Finding(Weight.NOTE, f"Azure was not asked whether public network access is on: {missing} is not given")
        ]
    version = _API_VERSIONS.get(_type(resource.azure))
    if version is None:
        return [
            Finding(Weight.NOTE, f"Azure was not asked: resources of the type {_type(resource.azure)} are not known")
        ]
    source = f"Azure Resource Manager by {called(settings.identity)}"
    try:
        async with asyncio.timeout(2 * SECONDS), await credential_of(settings.identity) as credential:
            token = await credential.get_token_info(f"{settings.management}/.default")
            return await _read(settings, _server(resource.azure), version, token.token)
    except aiohttp.ClientError:
        return [Finding(Weight.NOTE, f"Azure did not say whether public network access is on: {source}: not reached")]
    except Exception as error:  # noqa: BLE001 - the SDK raises many kinds; none of its texts is passed on
        reason = told(source, error, vault=False)
        return [Finding(Weight.NOTE, f"Azure did not say whether public network access is on: {reason}")]


def _type(azure: str) -> str:
    """Return a resource's type by its id: `…/providers/NAMESPACE/TYPE/NAME`."""
    parts = azure.lower().strip("/").split("/providers/")[-1].split("/")
    return "/".join(parts[:2])


def _server(azure: str) -> str:
    """Return the server's id, where that of a database on it may be given: who may reach it is the server's affair."""
    before, found, after = azure.rstrip("/").rpartition("/providers/")
    return before + found + "/".join(after.split("/")[:3])


async def _read(settings: AzureSettings, azure: str, version: str, token: str) -> Sequence[Finding]:
    context = ssl.create_default_context(cafile=str(settings.identity.ca) if settings.identity.ca else None)
    timeout = aiohttp.ClientTimeout(total=SECONDS)
    connector = aiohttp.TCPConnector(ssl=context)
    async with aiohttp.ClientSession(
        settings.management, connector=connector, timeout=timeout, headers={"Authorization": f"Bearer {token}"}
    ) as client:
        status, server = await _get(client, azure, version)
        if status != 200:
            reason = f"it answered {status}; give the identity the role Reader on the resource, or correct its id"
            return [Finding(Weight.NOTE, f"Azure did not say whether public network access is on: {reason}")]
        access = _at(server, "properties", "network", "publicNetworkAccess")
        access = access or _at(server, "properties", "publicNetworkAccess")
        if access == "Disabled":
            return [Finding(Weight.GOOD, "public network access is off")]
        if access != "Enabled":
            return [Finding(Weight.NOTE, "Azure did not say whether public network access is on")]
        on = Finding(Weight.WARNING, "public network access is on", _CLOSE)
        status, rules = await _get(client, f"{azure}/firewallRules", version)
        return [on, *(_firewall(rules) if status == 200 else ())]


async def _get(client: aiohttp.ClientSession, path: str, version: str) -> tuple[int, object]:
    async with client.get(path, params={"api-version": version}, allow_redirects=False) as reply:
        return reply.status, await reply.json() if reply.status == 200 else None


def _at(document: object, *keys: str) -> object:
    for key in keys:
        document = document.get(key) if isinstance(document, dict) else None
    return document


def _firewall(rules: object) -> Iterator[Finding]:
    """Yield the rules that let in more than one address ("Firewall rules in Azure Database for PostgreSQL")."""
    listed = _at(rules, "value")
    for rule in listed if isinstance(listed, list) else ():
        name, first, last = (
            _at(rule, "name"),
            _at(rule, "properties", "startIpAddress"),
            _at(rule, "properties", "endIpAddress"),
        )
        if first == last == "0.0.0.0":  # noqa: S104 - compared, not bound
            yield Finding(
                Weight.WARNING,
                f"the firewall rule {name} lets every Azure service of every customer in",
                "delete it, and admit the gateway's address",
            )
        elif first != last:
            what = f"the firewall rule {name} lets {first} to {last} in"
            yield Finding(Weight.WARNING, what, "admit the gateway's address alone")
        else:
            yield Finding(Weight.NOTE, f"the firewall rule {name} lets {first} in; is that the gateway?")


# ── the resource itself ──────────────────────────────────────────────────────────────────────────────────────────────


async def _resource(setting: Setting) -> Sequence[Finding]:
    resource = setting.resource
    try:
        credential = await setting.vault.credential(resource, None)
    except CredentialUnavailable as error:
        return [Finding(Weight.NOTE, f"{resource.name} was not asked: {error}")]
    database = resource.databases[0] if resource.databases else ""
    opening = Opening("check", resource, secrets.token_bytes, Limits())
    auditor = setting.kind.auditor(opening, credential, database)
    if auditor is None:
        return [Finding(Weight.NOTE, f"resources of the kind {resource.kind} cannot be asked about ways around")]
    reply: asyncio.Future[object] = asyncio.get_running_loop().create_future()

    def settle(answer: object) -> None:
        if not reply.done():
            reply.set_result(answer)

    carrier = CompanionCarrier(
        auditor, "check", setting, lambda _, answer: settle(answer), lambda _, reason: settle(ConnectionError(reason))
    )
    carrier.start()
    carrier.look_up(1, AUDIT)
    try:
        async with asyncio.timeout(_SECONDS):
            found = await reply
    except TimeoutError:
        found = TimeoutError(f"no answer within {_SECONDS:.0f} s")
    finally:
        carrier.end("asked")
    if isinstance(found, tuple):
        return [finding for finding in found if isinstance(finding, Finding)]
    return [Finding(Weight.NOTE, f"{resource.name} was not asked about ways around the gateway: {found}")]
