"""Anchors: copies of signed checkpoints outside the gateway. A failing one is tried again; nothing waits for it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

import msgspec
import structlog

from blastwall.config.model import Anchor as AnchorSettings
from blastwall.recording.chain import Checkpoint, statement_of
from blastwall.recording.files import write_whole
from blastwall.recording.frames import NOT_JSON
from blastwall.recording.keys import Signed

_TIMEOUT_SECONDS = 15
_FIRST_RETRY, _LAST_RETRY = 1.0, 60.0
_SUFFIX = ".checkpoint"

_log = structlog.get_logger(__name__)


class AnchorFailed(Exception):
    """A checkpoint could not be copied; the text names the place without any secret in its address."""


class Anchor(Protocol):
    """A place outside the gateway."""

    @property
    def name(self) -> str:
        """The place, as logs may show it."""

    async def put(self, signed: Signed, checkpoint: Checkpoint) -> None:
        """Copy one checkpoint.

        Raises:
            AnchorFailed: it is not there.
        """


class FolderAnchor:
    """Writes each checkpoint into a file of its own and never replaces one."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.name = f"folder {folder}"

    async def put(self, signed: Signed, checkpoint: Checkpoint) -> None:
        try:
            await asyncio.to_thread(self._put, signed, checkpoint)
        except OSError as error:
            raise AnchorFailed(f"{self.name}: {error.strerror or error}") from error

    def _put(self, signed: Signed, checkpoint: Checkpoint) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._folder / f"{checkpoint.node}-{checkpoint.sequence:08d}{_SUFFIX}"
        text = msgspec.json.encode(signed)
        if not path.exists():
            write_whole(path, text)
        elif path.read_bytes() != text:
            raise FileExistsError(0, f"{path.name} already holds another checkpoint of a node of this name")


class WebhookAnchor:
    """Posts each checkpoint as JSON; an answer 2xx means that it is kept."""

    def __init__(self, url: str) -> None:
        """Take the URL.

        Raises:
            ValueError: it is neither https nor http to a loopback address.
        """
        parts = urlsplit(url)
        host = parts.hostname
        if not host or not (parts.scheme == "https" or (parts.scheme == "http" and _loopback(host))):
            raise ValueError("recordings.anchors: a webhook must be an https URL (http only to a loopback address)")
        self._url = url
        self.name = f"webhook {parts.scheme}://{host}"

    async def put(self, signed: Signed, checkpoint: Checkpoint) -> None:
        import aiohttp  # a third of a second, which nobody needs who only reads recordings

        timeout = aiohttp.ClientTimeout(total=_TIMEOUT_SECONDS)
        body, headers = msgspec.json.encode(signed), {"content-type": "application/json"}
        try:
            async with (
                aiohttp.ClientSession(timeout=timeout) as client,
                client.post(self._url, data=body, headers=headers, allow_redirects=False) as reply,
            ):
                status = reply.status
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise AnchorFailed(f"{self.name} cannot be reached ({type(error).__name__})") from error
        if not 200 <= status < 300:
            raise AnchorFailed(f"{self.name} answered {status}")


def _loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def anchors_of(settings: Iterable[AnchorSettings]) -> list[Anchor]:
    """Build the configured anchors.

    Raises:
        ValueError: a webhook's URL is not allowed.
    """
    built: list[Anchor] = []
    for each in settings:
        if each.folder is not None:
            built.append(FolderAnchor(each.folder))
        elif each.webhook is not None:
            built.append(WebhookAnchor(each.webhook))
    return built


class Anchoring:
    """Carries the newest checkpoint to one anchor, again and again until it is there.

    Only the newest: it covers all that came before it.
    """

    def __init__(self, anchor: Anchor, failed: Callable[[], None]) -> None:
        self._anchor = anchor
        self._failed = failed
        self._newest: tuple[Signed, Checkpoint] | None = None
        self._wake = asyncio.Event()
        self._settled = asyncio.Event()
        self._settled.set()
        self._task = asyncio.create_task(self._run(), name=f"anchor to {anchor.name}")

    def offer(self, signed: Signed, checkpoint: Checkpoint) -> None:
        """Copy this checkpoint as soon as possible."""
        self._newest = (signed, checkpoint)
        self._settled.clear()
        self._wake.set()

    async def stop(self, patience: float) -> None:
        """Wait at most `patience` seconds for the newest checkpoint to be there, then end."""
        try:
            await asyncio.wait_for(self._settled.wait(), patience)
        except TimeoutError:
            _log.warning("last checkpoint not anchored", anchor=self._anchor.name)
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        pause = _FIRST_RETRY
        while True:
            await self._wake.wait()
            self._wake.clear()
            offered = self._newest
            if offered is None:
                continue
            try:
                await self._anchor.put(*offered)
            except AnchorFailed as error:
                self._failed()
                _log.warning("checkpoint not anchored", reason=str(error), retry_seconds=pause)
                await asyncio.sleep(pause)
                pause = min(pause * 2, _LAST_RETRY)
                self._wake.set()
            else:
                pause = _FIRST_RETRY
                if self._newest is offered:
                    self._settled.set()


@dataclass(frozen=True, slots=True)
class AnchoredCopy:
    """A file found in an anchor's folder; `checkpoint` is None where the file does not hold one, unchanged."""

    path: Path
    signed: Signed | None
    checkpoint: Checkpoint | None


def read_anchors(folder: Path) -> Sequence[AnchoredCopy]:
    """Read every checkpoint in a folder, in the order of their names. Signatures are not checked here.

    Raises:
        OSError: the folder or a file cannot be read.
    """
    return [_read_copy(path) for path in sorted(folder.iterdir()) if path.name.endswith(_SUFFIX)]


def _read_copy(path: Path) -> AnchoredCopy:
    text = path.read_bytes()
    try:
        signed = msgspec.json.decode(text, type=Signed)
    except NOT_JSON:
        return AnchoredCopy(path, None, None)
    statement = statement_of(signed)
    whole = isinstance(statement, Checkpoint) and msgspec.json.encode(signed) == text
    return AnchoredCopy(path, signed, statement if whole and isinstance(statement, Checkpoint) else None)
