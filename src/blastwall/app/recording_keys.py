"""From `recordings.encrypt` of the configuration to the keys that wrap recordings' keys."""

from __future__ import annotations

from collections.abc import Iterable

from blastwall.config.model import Configuration
from blastwall.recording.encryption import NO_KEYS, Keyring, parse_key
from blastwall.vault.readers import SecretReader, SecretUnavailable
from blastwall.vault.renewals import reader_for


async def recording_keys(configuration: Configuration) -> Keyring:
    """Return the configured keys, the one for new recordings first; none where recordings are not encrypted.

    Raises:
        SecretUnavailable: a source has none now, or none that is a key.
    """
    encrypt = configuration.recordings.encrypt
    if encrypt is None:
        return NO_KEYS
    return await keyring_of(reader_for(source) for source in (encrypt.key, *encrypt.old))


async def keyring_of(readers: Iterable[SecretReader]) -> Keyring:
    """Return the keys that these sources hold.

    Raises:
        SecretUnavailable: a source has none now, or none that is a key.
    """
    keys = []
    for reader in readers:
        try:
            keys.append(parse_key(await reader.read(), reader.source))
        except ValueError as error:
            raise SecretUnavailable(f"the recordings' key: {error}") from None
    return Keyring(keys)
