"""NotificationResponse: what another session, or a trigger in this one, sends to whoever listens.

Source: PostgreSQL documentation, "Message Formats", NotificationResponse.
"""

from __future__ import annotations

from dataclasses import dataclass
from struct import pack

from blastwall.protocols.postgres.messages import frame
from blastwall.wire.reader import Reader


@dataclass(frozen=True, slots=True)
class Notification:
    """`process` is the notifying backend's id."""

    process: int
    channel: bytes
    payload: bytes


def decode_notification(body: bytes) -> Notification:
    """Read a NotificationResponse. Raises Malformed."""
    reader = Reader(body)
    process, channel, payload = reader.int32(), reader.cstring(), reader.cstring()
    reader.finish()
    return Notification(process, channel, payload)


def encode_notification(notification: Notification) -> bytes:
    """Return the whole message."""
    body = pack("!i", notification.process) + notification.channel + b"\0" + notification.payload + b"\0"
    return frame(b"A", body)
