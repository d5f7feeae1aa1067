"""The gateway's state: what must survive a restart, and what several nodes must agree on.

`database` opens it. It is not imported here: half of a command's start would be SQLAlchemy and Alembic, also where
no state is opened.
"""

from blastwall.store.address import StateError

__all__ = ["StateError"]
