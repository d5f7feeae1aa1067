"""Every table of the state: what the migrations make."""

from blastwall.store import grant_tables, tables

MODULES = (tables, grant_tables)
"""Where the tables are written down."""

metadata = tables.metadata
EVERY_TABLE = tuple(metadata.sorted_tables)
