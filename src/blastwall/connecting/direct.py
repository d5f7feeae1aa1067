"""What clients need that go to the gateway by themselves: an identity beside them, and its CA among theirs."""

from __future__ import annotations

import asyncio
import base64
import binascii
import json
import shutil
import ssl
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from blastwall.connecting.managed_identity import METADATA, ManagedIdentity, Tokens
from blastwall.connecting.proofs import NoProof
from blastwall.protocols.kind import Direct


@dataclass(frozen=True, slots=True)
class Run:
    """One run's way to the gateway. `folder` is the run's own, for this user alone, and gone with it."""

    direct: Direct
    folder: Path


@asynccontextmanager
async def direct_way(
    url: str, resource: str, tokens: Tokens, ca: Path | None, said: Callable[[str], None]
) -> AsyncIterator[Run]:
    """Serve an identity to the clients of a resource at `url` while the block runs.

    Raises:
        NoProof: the gateway gives no token for it.
        OSError: no port or folder can be had.
    """
    tenant = tenant_of(await tokens(f"blastwall:{resource}").current())
    folder = Path(await asyncio.to_thread(tempfile.mkdtemp, prefix="blastwall-"))  # made with mode 700
    served = ManagedIdentity(tokens, said=said)
    try:
        bundle = None if ca is None else await asyncio.to_thread(write_bundle, folder / "authorities.pem", ca)
        await served.open("127.0.0.1", 0)
        metadata = served.metadata
        direct = Direct(url, tenant, served.endpoint, served.header, metadata, metadata + METADATA, bundle)
        yield Run(direct, folder)
    finally:
        await served.close()
        await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)


def write_bundle(path: Path, ca: Path) -> str:
    """Write the system's CAs and the gateway's into one file, since clients take one; return its path.

    Raises:
        OSError: a file cannot be read or written.
    """
    system = ssl.get_default_verify_paths().cafile
    known = Path(system).read_bytes() + b"\n" if system is not None else b""
    path.write_bytes(known + ca.read_bytes())
    return str(path)


def tenant_of(token: str) -> str:
    """Return the tenant that a gateway token names.

    Raises:
        NoProof: it names none: an older gateway, or none at all.
    """
    part = token.split(".")[1] if token.count(".") == 2 else ""
    try:
        claims = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    except (ValueError, binascii.Error):
        claims = None
    tenant = claims.get("tid") if isinstance(claims, dict) else None
    if not isinstance(tenant, str):
        raise NoProof("the gateway's token names no tenant; is it newer than this command?")
    return tenant
