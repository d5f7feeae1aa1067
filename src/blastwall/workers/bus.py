"""Messages between the processes of a node, on a loop: tell the others, or ask them and wait for their replies."""

from __future__ import annotations

import asyncio
import select
from collections import deque
from collections.abc import Callable, Mapping
from itertools import count

import structlog

from blastwall.workers.mail import Assembly, Kind, Mail, Message, TooLong, packets

SUPERVISOR = 0
_MOST_WAITING = 1024
"""Packets that wait for one process before further messages to it are dropped: it has not read for a long time."""
_PATIENCE = 2.0

_log = structlog.get_logger(__name__)

Told = Callable[[bytes], None]
Asked = Callable[[bytes], bytes]


class Bus:
    """One worker's end of the bus. Everything is called on one loop; nothing blocks.

    A message to a process that does not read is dropped in the end, and the log says so. Who needs certainty asks.
    """

    def __init__(self, mail: Mail, number: int) -> None:
        self.number = number
        self._mail = mail
        self._loop: asyncio.AbstractEventLoop | None = None
        self._assembly = Assembly()
        self._told: dict[str, Told] = {}
        self._asked: dict[str, Asked] = {}
        self._numbers = count(1)
        self._questions: dict[int, tuple[dict[int, bytes], asyncio.Event]] = {}
        self._waiting: dict[int, deque[bytes]] = {}
        self._dropping: set[int] = set()
        self._arrived = select.poll()

    @property
    def others(self) -> list[int]:
        """The numbers of the other workers."""
        return [each for each in range(1, self._mail.members) if each != self.number]

    def start(self) -> None:
        """Begin to read, on the running loop."""
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._mail.inbox(self.number), self._read)
        self._arrived.register(self._mail.inbox(self.number), select.POLLIN)

    def stop(self) -> None:
        """Read nothing any more."""
        if self._loop is not None:
            self._loop.remove_reader(self._mail.inbox(self.number))
            for member in self._waiting:
                self._loop.remove_writer(self._mail.outlet(member))
            self._loop = None

    def catch_up(self) -> None:
        """Take what others have said by now: a client may know of it, and what it sends next must not come first."""
        if self._loop is not None and self._arrived.poll(0):
            self._read()

    def on(self, topic: str, told: Told) -> None:
        """Call `told` with what others tell about `topic`."""
        self._told[topic] = told

    def answer(self, topic: str, asked: Asked) -> None:
        """Reply to what others ask about `topic`."""
        self._asked[topic] = asked

    def tell(self, topic: str, payload: bytes = b"", to: int | None = None) -> None:
        """Tell all other workers, or one process."""
        message = Message(Kind.TELL, self.number, 0, topic, payload)
        for member in self.others if to is None else (to,):
            self._send(member, message)

    async def ask(self, topic: str, payload: bytes = b"", seconds: float = _PATIENCE) -> Mapping[int, bytes]:
        """Ask all other workers and return their replies by number; those that came within `seconds`."""
        number = next(self._numbers) & 0xFFFFFFFF
        replies: dict[int, bytes] = {}
        complete = asyncio.Event()
        self._questions[number] = (replies, complete)
        try:
            for member in self.others:
                self._send(member, Message(Kind.ASK, self.number, number, topic, payload))
            async with asyncio.timeout(seconds):
                await complete.wait()
        except TimeoutError:
            _log.warning("worker_silent", topic=topic, workers=sorted(set(self.others) - replies.keys()))
        finally:
            del self._questions[number]
        return replies

    # ── sending ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def _send(self, member: int, message: Message) -> None:
        waiting = self._waiting.get(member)
        if waiting is not None and len(waiting) >= _MOST_WAITING:
            self._drop(member, message)
            return
        for packet in packets(message):
            if waiting is not None:
                waiting.append(packet)
            elif not self._mail.send(member, packet):
                waiting = self._waiting[member] = deque((packet,))
                if self._loop is not None:
                    self._loop.add_writer(self._mail.outlet(member), self._flush, member)

    def _drop(self, member: int, message: Message) -> None:
        if member not in self._dropping:
            self._dropping.add(member)
            _log.error("worker_does_not_read", worker=member, topic=message.topic, dropped="until it reads again")

    def _flush(self, member: int) -> None:
        waiting = self._waiting[member]
        while waiting:
            if not self._mail.send(member, waiting[0]):
                return
            waiting.popleft()
        del self._waiting[member]
        self._dropping.discard(member)
        if self._loop is not None:
            self._loop.remove_writer(self._mail.outlet(member))

    # ── receiving ────────────────────────────────────────────────────────────────────────────────────────────────────

    def _read(self) -> None:
        for packet in self._mail.read(self.number):
            message = self._assembly.take(packet)
            if message is not None:
                try:
                    self._take(message)
                except Exception:  # noqa: BLE001 - what one message does must not keep the others from being read
                    _log.exception("message_failed", topic=message.topic, sender=message.sender)

    def _take(self, message: Message) -> None:
        if message.kind is Kind.TELL:
            told = self._told.get(message.topic)
            if told is not None:
                told(message.payload)
        elif message.kind is Kind.ASK:
            self._reply(message)
        elif message.number in self._questions:
            replies, complete = self._questions[message.number]
            replies[message.sender] = message.payload
            if len(replies) == len(self.others):
                complete.set()

    def _reply(self, message: Message) -> None:
        asked = self._asked.get(message.topic)
        if asked is None:
            return
        reply = Message(Kind.REPLY, self.number, message.number, message.topic, asked(message.payload))
        try:
            self._send(message.sender, reply)
        except TooLong as error:
            _log.error("reply_too_long", reason=str(error))
