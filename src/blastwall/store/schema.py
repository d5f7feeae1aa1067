"""Every table of the state: what the migrations make."""

from blastwall.store import approval_tables, grant_tables, tables, token_tables

MODULES = (tables, grant_tables, approval_tables, token_tables)
"""Where the tables are written down."""

metadata = tables.metadata
EVERY_TABLE = tuple(metadata.sorted_tables)
