"""The control port's HTTP: a thin face of `control`, without a decision of its own."""

from blastwall.api.application import create_app
from blastwall.api.server import RunningServer, serve

__all__ = ["RunningServer", "create_app", "serve"]
