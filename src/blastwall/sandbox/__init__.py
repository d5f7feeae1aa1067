"""Work that may take long or crash, done in processes of its own; changes when the confinement of such work does."""

from blastwall.sandbox.pool import Handle, Sandboxes, SandboxFailed, SandboxLimits

__all__ = ["Handle", "SandboxFailed", "SandboxLimits", "Sandboxes"]
