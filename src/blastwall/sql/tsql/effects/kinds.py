"""What is defined by which words, and what defining it does."""

from __future__ import annotations

from dataclasses import dataclass

from blastwall.model.effects import Action


@dataclass(frozen=True, slots=True)
class Kind:
    """`folder`: "" for the database, "object" for what has a schema, "schema", "database", or a pseudo-schema."""

    actions: tuple[Action, ...]
    folder: str = ""
    kind: str = "pseudo"


_ROLE = Kind((Action.ENTITLE,), "roles", "role")
_SERVER = Kind((Action.DEFINE, Action.EXPORT), "servers", "server")
_KEY = Kind((Action.ADMIN,), "keys")
_AUDIT = Kind((Action.ADMIN, Action.ENTITLE), "audits")
_ADMIN = Kind((Action.ADMIN,))
_CODE = Kind((Action.DEFINE, Action.EXECUTE), "languages", "language")
_SERVICE = Kind((Action.DEFINE,), "services")
_DEFINE = Kind((Action.DEFINE,))


def _object(kind: str) -> Kind:
    return Kind((Action.DEFINE,), "object", kind)


DEFINED: dict[str, Kind] = {
    "USER": _ROLE, "LOGIN": _ROLE, "ROLE": _ROLE, "SERVER ROLE": _ROLE, "APPLICATION ROLE": _ROLE,
    "CREDENTIAL": _SERVER, "DATABASE SCOPED CREDENTIAL": _SERVER, "EXTERNAL DATA SOURCE": _SERVER,
    "EXTERNAL MODEL": _SERVER, "EXTERNAL STREAM": _SERVER, "EXTERNAL STREAMING JOB": _SERVER, "ENDPOINT": _SERVER,
    "ROUTE": _SERVER, "REMOTE SERVICE BINDING": _SERVER, "EXTERNAL FILE FORMAT": _DEFINE,
    "EXTERNAL RESOURCE POOL": _ADMIN, "ASSEMBLY": _CODE, "EXTERNAL LIBRARY": _CODE, "EXTERNAL LANGUAGE": _CODE,
    "MASTER KEY": _KEY, "SERVICE MASTER KEY": _KEY, "SYMMETRIC KEY": _KEY, "ASYMMETRIC KEY": _KEY,
    "CERTIFICATE": _KEY, "COLUMN MASTER KEY": _KEY, "COLUMN ENCRYPTION KEY": _KEY, "DATABASE ENCRYPTION KEY": _KEY,
    "CRYPTOGRAPHIC PROVIDER": _CODE, "SIGNATURE": Kind((Action.ENTITLE,)), "COUNTER SIGNATURE": Kind((Action.ENTITLE,)),
    "SERVER AUDIT": _AUDIT, "SERVER AUDIT SPECIFICATION": _AUDIT, "DATABASE AUDIT SPECIFICATION": _AUDIT,
    "SECURITY POLICY": _AUDIT, "EVENT SESSION": _ADMIN, "EVENT NOTIFICATION": _ADMIN,
    "DATABASE": Kind((Action.DEFINE, Action.ADMIN), "database", "database"),
    "DATABASE SCOPED CONFIGURATION": _ADMIN, "SERVER CONFIGURATION": _ADMIN, "RESOURCE POOL": _ADMIN,
    "RESOURCE GOVERNOR": _ADMIN, "WORKLOAD GROUP": _ADMIN, "WORKLOAD CLASSIFIER": _ADMIN,
    "AVAILABILITY GROUP": _ADMIN, "FEDERATION": _ADMIN,
    "SCHEMA": Kind((Action.DEFINE,), "schema", "schema"), "AUTHORIZATION": Kind((Action.ENTITLE,)),
    "SEQUENCE": _object("sequence"), "TYPE": _object("type"), "DEFAULT": _object("type"), "RULE": _object("type"),
    "AGGREGATE": Kind((Action.DEFINE, Action.EXECUTE), "object", "function"),
    "INDEX": _DEFINE, "STATISTICS": _DEFINE, "XML INDEX": _DEFINE, "SPATIAL INDEX": _DEFINE, "VECTOR INDEX": _DEFINE,
    "JSON INDEX": _DEFINE, "SELECTIVE XML INDEX": _DEFINE,
    "PARTITION FUNCTION": _DEFINE, "PARTITION SCHEME": _DEFINE, "FULLTEXT CATALOG": _DEFINE,
    "FULLTEXT STOPLIST": _DEFINE, "FULLTEXT INDEX": _DEFINE, "XML SCHEMA COLLECTION": _object("type"),
    "SEARCH PROPERTY LIST": _DEFINE, "SENSITIVITY CLASSIFICATION": _DEFINE, "BROKER PRIORITY": _SERVICE,
    "MESSAGE TYPE": _SERVICE, "CONTRACT": _SERVICE, "QUEUE": _object("queue"), "SERVICE": _SERVICE,
    "SYNONYM": _object("synonym"), "PROCEDURE": _object("procedure"), "FUNCTION": _object("function"),
    "VIEW": _object("view"), "MATERIALIZED VIEW": _object("view"), "TABLE": _object("table"),
    "TRIGGER": _object("trigger"), "EXTERNAL TABLE": _object("table"),
}  # fmt: skip

SECRET_KINDS = frozenset(
    {"USER", "LOGIN", "APPLICATION ROLE", "CREDENTIAL", "DATABASE SCOPED CREDENTIAL", "EXTERNAL DATA SOURCE",
     "EXTERNAL MODEL", "EXTERNAL STREAM", "ENDPOINT", "MASTER KEY", "SERVICE MASTER KEY", "SYMMETRIC KEY",
     "ASYMMETRIC KEY", "CERTIFICATE", "COLUMN MASTER KEY", "COLUMN ENCRYPTION KEY", "DATABASE ENCRYPTION KEY",
     "CRYPTOGRAPHIC PROVIDER", "SIGNATURE", "COUNTER SIGNATURE", "ASSEMBLY", "AVAILABILITY GROUP"}
)  # fmt: skip
"""Definitions in which every literal counts as a secret."""

UTILITIES: dict[str, tuple[Action, ...]] = {
    "KILL": (Action.ADMIN,), "SHUTDOWN": (Action.ADMIN,), "RECONFIGURE": (Action.ADMIN,),
    "CHECKPOINT": (Action.ADMIN,), "LINENO": (Action.CONNECT,),
    "UPDATE STATISTICS": (Action.DEFINE,), "ADD": (Action.ENTITLE,),
    "REVERT": (Action.CONNECT,), "DROP": (Action.ENTITLE,),
}  # fmt: skip

HARMLESS_DBCC = frozenset({"USEROPTIONS", "HELP", "OPENTRAN", "SQLPERF"})
TELLING_DBCC = frozenset(
    {"PAGE", "SHOW_STATISTICS", "INPUTBUFFER", "OUTPUTBUFFER", "IND", "LOG", "EXTENTINFO", "BUFFER", "PROCCACHE",
     "DBINFO", "LOGINFO", "UNKNOWN"}
)  # fmt: skip
"""Commands that show values of tables, or other sessions' texts."""
