"""The gate: the one order in which a login and a statement are judged, recorded and answered.

    login      record the ask ▶ identify ▶ contained? ▶ sessions left? ▶ policy on connect ▶ credential ▶ record ▶ Admit
    statement  contained? ▶ rule ▶ record ask and ruling ▶ Allow or Deny
               on Hold: record ▶ Held ▶ approvals decide ▶ contained? ▶ rule again ▶ record ▶ Allow or Deny

No answer leaves before what it says is as durable as configured. Whatever fails on the way is a Deny that says what.
"""

from blastwall.gate.gate import Gate
from blastwall.gate.session import SessionGate
from blastwall.gate.shared import HoldTimes

__all__ = ["Gate", "HoldTimes", "SessionGate"]
