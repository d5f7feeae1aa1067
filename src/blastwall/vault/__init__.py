"""The resources' credentials: where each secret is read from, and which credential a group gets."""

from blastwall.vault.readers import EnvironmentReader, FileReader, SecretReader, SecretUnavailable
from blastwall.vault.renewals import Renewals, reader_for
from blastwall.vault.vault import ConfiguredVault

__all__ = [
    "ConfiguredVault",
    "EnvironmentReader",
    "FileReader",
    "Renewals",
    "SecretReader",
    "SecretUnavailable",
    "reader_for",
]
