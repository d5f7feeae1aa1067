"""What the processes of one node share: messages between them and counts over them; never what these are about."""

from blastwall.workers.bus import Bus
from blastwall.workers.counts import Board, Counts, LocalCounts
from blastwall.workers.mail import Mail
from blastwall.workers.member import Member

__all__ = ["Board", "Bus", "Counts", "LocalCounts", "Mail", "Member"]
