"""The masking key: from where the configuration says, or kept beside the state."""

from __future__ import annotations

from blastwall.app.places import key_once, state_folder
from blastwall.config.model import Configuration
from blastwall.vault import reader_for


async def masking_key(configuration: Configuration) -> bytes:
    """Return the key of `hash` and `token`: the configured one, or the one made once and kept beside the state.

    Raises:
        SecretUnavailable: the configured source has none now.
        KeyFileUnusable: the kept one cannot be read or made.
    """
    if configuration.masking_key is not None:
        return await reader_for(configuration.masking_key).read()
    return key_once(state_folder(configuration) / "masking.key")
