"""The tables of the gateway's own tokens: the keys that sign them, and the facts that outlive a restart.

Times are whole seconds since the epoch, UTC. A key's private part is sealed with a key that the state does not hold
(`identity.own_keys`), and its public part is never read from here: whoever can write these rows signs nothing by that.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, String, Table, Text

from blastwall.store.tables import metadata

signing_keys = Table(
    "signing_keys",
    metadata,
    Column("id", String(32), primary_key=True, comment="the key id in tokens"),
    Column("made", BigInteger, nullable=False),
    Column("ends", BigInteger, nullable=False, comment="no token that it signed lasts longer"),
    Column("sealed", Text, nullable=False, comment="nonce and ciphertext of the private key, in hex"),
    Index("ix_signing_keys_ends", "ends"),
)

gateway_facts = Table(
    "gateway_facts",
    metadata,
    Column("name", String(32), primary_key=True),
    Column("value", Text, nullable=False),
)
