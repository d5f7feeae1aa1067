"""The only sockets: listeners, TLS, upstream connections, and the pump that carries out what a session asks for.

    listener ─ accepts ▶ Pump ─ bytes, answers ▶ session ─ outputs ▶ Pump ─ Send, Dial, StartTls ▶ Stream ▶ socket
                          └─ Ask ▶ the gate's session ─ answer ▶ Pump

A pump calls its session for one thing at a time and carries out all outputs of a call before the next one.
"""

from blastwall.relay.certificates import ServerTls
from blastwall.relay.entry import Served
from blastwall.relay.limits import RelayLimits
from blastwall.relay.listener import ListenFailed
from blastwall.relay.metrics import Metrics
from blastwall.relay.relay import Relay
from blastwall.relay.warm import WarmLimits

__all__ = ["ListenFailed", "Metrics", "Relay", "RelayLimits", "Served", "ServerTls", "WarmLimits"]
