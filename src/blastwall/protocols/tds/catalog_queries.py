"""The queries of the side connection: what of a database's catalog decides what a statement does.

Each is one batch with one result. `sys` is the server's own schema, which nobody can put objects into, so no name here
can be taken by an agent's object. Sources: SQL Server documentation, "System Catalog Views".
"""

from __future__ import annotations

SECURE = "SET TRANSACTION ISOLATION LEVEL READ COMMITTED; SET LOCK_TIMEOUT 5000; SET NOCOUNT ON"
"""A definition that a transaction has changed is locked until its end. It must not be read before: it may be rolled
back, and until then everybody would be judged by what one session said. So the reading waits, for milliseconds.
"""
LOCKED = 1222
"""The error where it has waited in vain."""

DATABASE = """
SELECT DB_NAME(), SCHEMA_NAME(), d.collation_name FROM sys.databases d WHERE d.name = DB_NAME()
"""

DATABASES = "SELECT name FROM sys.databases"

SCHEMAS = "SELECT name FROM sys.schemas"

SYSTEM_OBJECTS = """
SELECT o.object_id, s.name, o.name, o.type FROM sys.system_objects o
JOIN sys.schemas s ON s.schema_id = o.schema_id WHERE o.type IN ('V', 'S', 'IF', 'TF', 'FT')
"""
"""What every database has; it changes only with the server's version."""

SYSTEM_COLUMNS = """
SELECT c.object_id, c.column_id, c.name, b.name, y.name, c.max_length, c.[precision], c.[scale], c.is_identity
FROM sys.system_columns c
LEFT JOIN sys.types b ON b.user_type_id = c.system_type_id
LEFT JOIN sys.types y ON y.user_type_id = c.user_type_id
ORDER BY c.object_id, c.column_id
"""

OBJECTS = """
SELECT o.object_id, s.name, o.name, o.type, o.parent_object_id FROM sys.objects o
JOIN sys.schemas s ON s.schema_id = o.schema_id
"""

HISTORIES = "SELECT object_id, history_table_id FROM sys.tables WHERE history_table_id IS NOT NULL"
"""Temporal tables: what is changed in one is kept in the other."""

TABLE_TYPES = """
SELECT t.type_table_object_id, s.name, t.name FROM sys.table_types t JOIN sys.schemas s ON s.schema_id = t.schema_id
"""

COLUMNS = """
SELECT c.object_id, c.column_id, c.name, b.name, y.name, c.max_length, c.[precision], c.[scale], c.is_identity
FROM sys.columns c
LEFT JOIN sys.types b ON b.user_type_id = c.system_type_id
LEFT JOIN sys.types y ON y.user_type_id = c.user_type_id
ORDER BY c.object_id, c.column_id
"""
"""`b` is the base type of an alias type, and missing for the types of the CLR (hierarchyid, geometry)."""

COMPUTED = "SELECT object_id, name, definition FROM sys.computed_columns"

MODULES = "SELECT object_id, definition, uses_quoted_identifier, execute_as_principal_id FROM sys.sql_modules"

TRIGGERS = "SELECT object_id, name, parent_class, parent_id, is_disabled, is_instead_of_trigger FROM sys.triggers"
"""With those on the database itself (parent_class 0), which are no objects of a schema."""

TRIGGER_EVENTS = "SELECT object_id, type_desc FROM sys.trigger_events"

FOREIGN_KEYS = """
SELECT object_id, parent_object_id, referenced_object_id, delete_referential_action_desc,
       update_referential_action_desc, is_disabled FROM sys.foreign_keys
"""

FOREIGN_KEY_COLUMNS = """
SELECT constraint_object_id, parent_object_id, parent_column_id, referenced_object_id, referenced_column_id
FROM sys.foreign_key_columns ORDER BY constraint_object_id, constraint_column_id
"""

KEYS = """
SELECT i.object_id, i.index_id, c.column_id FROM sys.indexes i
JOIN sys.index_columns c ON c.object_id = i.object_id AND c.index_id = i.index_id
WHERE i.is_unique = 1 AND c.is_included_column = 0 ORDER BY i.object_id, i.index_id, c.key_ordinal
"""

CHECKS = "SELECT parent_object_id, parent_column_id, definition FROM sys.check_constraints"

DEFAULTS = "SELECT parent_object_id, parent_column_id, definition FROM sys.default_constraints"

SYNONYMS = """
SELECT s.name, y.name, y.base_object_name FROM sys.synonyms y JOIN sys.schemas s ON s.schema_id = y.schema_id
"""

TYPES = """
SELECT s.name, t.name FROM sys.types t JOIN sys.schemas s ON s.schema_id = t.schema_id
WHERE t.is_user_defined = 1 AND t.is_table_type = 0
"""

XML_SCHEMAS = """
SELECT s.name, x.name FROM sys.xml_schema_collections x JOIN sys.schemas s ON s.schema_id = x.schema_id
"""

FINGERPRINT = """
SELECT (SELECT COUNT(*) FROM sys.objects), (SELECT MAX(modify_date) FROM sys.objects),
       (SELECT MAX(object_id) FROM sys.objects), (SELECT COUNT(*) FROM sys.columns),
       (SELECT COUNT(*) FROM sys.schemas), (SELECT COUNT(*) FROM sys.types), (SELECT COUNT(*) FROM sys.databases),
       (SELECT COUNT(*) FROM sys.triggers WHERE is_disabled = 1), (SELECT MAX(modify_date) FROM sys.triggers)
"""
"""Tells at a session's start whether others changed anything since the last reading, by the server's own dates.

It is not asked after a change that went through the gateway: then everything is read again, whatever the dates say.
"""

SYSTEM = (SYSTEM_OBJECTS, SYSTEM_COLUMNS)
"""Read once a connection."""

OWN = (
    DATABASE, DATABASES, SCHEMAS, OBJECTS, HISTORIES, TABLE_TYPES, COLUMNS, COMPUTED, MODULES, TRIGGERS, TRIGGER_EVENTS,
    FOREIGN_KEYS, FOREIGN_KEY_COLUMNS, KEYS, CHECKS, DEFAULTS, SYNONYMS, TYPES, XML_SCHEMAS,
)  # fmt: skip
"""Read whenever something may have changed."""

ROW_COUNTS = """
SELECT s.name, o.name, p.rows FROM sys.partitions p
JOIN sys.objects o ON o.object_id = p.object_id JOIN sys.schemas s ON s.schema_id = o.schema_id
WHERE p.index_id IN (0, 1)
"""
"""How many rows each partition of each table has, by the server's own count: of its heap or clustered index."""
