"""What a server is asked about ways around the gateway, and what its answers mean.

Sources: SQL Server documentation, "Database-level roles", `sys.database_principals`, `SERVERPROPERTY`; Azure SQL
documentation, "Configure server-level and database-level firewall rules", "Microsoft Entra-only authentication".
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from blastwall.protocols.kind import Finding, Weight
from blastwall.protocols.tds.answer_reading import Rows

AUTHENTICATION = "SELECT SERVERPROPERTY('IsExternalAuthenticationOnly')"

OWN = """
SELECT USER_NAME(), IS_ROLEMEMBER('db_owner'), IS_ROLEMEMBER('db_securityadmin'), IS_ROLEMEMBER('db_accessadmin'),
       IS_ROLEMEMBER('db_ddladmin'), IS_ROLEMEMBER('db_backupoperator')
"""

OTHERS = """
SELECT p.name, p.type_desc, p.authentication_type_desc FROM sys.database_principals p
WHERE p.type IN ('S', 'U', 'G', 'E', 'X') AND p.principal_id > 4 AND p.name <> USER_NAME() ORDER BY p.name
"""

MEMBERS = """
SELECT r.name, m.name FROM sys.database_role_members x
JOIN sys.database_principals r ON r.principal_id = x.role_principal_id
JOIN sys.database_principals m ON m.principal_id = x.member_principal_id
WHERE m.name <> USER_NAME() AND m.name <> 'dbo' ORDER BY r.name, m.name
"""

FIREWALL = "SELECT name, start_ip_address, end_ip_address FROM sys.database_firewall_rules"

QUESTIONS = (AUTHENTICATION, OWN, OTHERS, MEMBERS, FIREWALL)

_OWN_ROLES = ("db_owner", "db_securityadmin", "db_accessadmin", "db_ddladmin", "db_backupoperator")
_STRONG = frozenset({"db_owner", "db_securityadmin", "db_accessadmin"})
_AZURE = ("0.0.0.0", "0.0.0.0")  # noqa: S104 - compared, not bound
_SHOWN = 10


def findings(replies: Mapping[str, Rows | None]) -> tuple[Finding, ...]:
    """Return what the answers mean, by question; None is the answer of a server that refused it."""
    return (
        *_of(replies[AUTHENTICATION], _authentication, "whether passwords open it (SERVERPROPERTY)"),
        *_of(replies[OWN], _own, "what the gateway's own user may do"),
        *_of(replies[OTHERS], _others, "which other users the database has"),
        *_of(replies[MEMBERS], _members, "who else has far-reaching roles"),
        *_of(replies[FIREWALL], _firewall, "the database's own firewall rules"),
    )


def _of(rows: Rows | None, meaning: Callable[[Rows], Iterator[Finding]], what: str) -> Iterator[Finding]:
    if rows is None:
        why = "the gateway's user may not ask, or the server knows no such question"
        yield Finding(Weight.NOTE, f"the server did not say {what}: {why}")
    else:
        yield from meaning(rows)


def _authentication(rows: Rows) -> Iterator[Finding]:
    only = rows[0][0] if rows else None
    if only == "1":
        yield Finding(Weight.GOOD, "Microsoft Entra alone opens it: SQL logins are off")
    else:
        yield Finding(
            Weight.WARNING,
            "SQL logins open it: whoever knows a password goes around the gateway",
            "switch Microsoft Entra-only authentication on, and give the gateway an identity (credential: entra)",
        )


def _own(rows: Rows) -> Iterator[Finding]:
    for user, *member in rows:
        held = [role for role, has in zip(_OWN_ROLES, member, strict=True) if has == "1"]
        if held:
            yield Finding(
                Weight.WARNING,
                f"the gateway's own user {user} may do more than agents need: member of {', '.join(held)}",
                "give the gateway a user of its own that has only what its agents need",
            )
        else:
            yield Finding(Weight.GOOD, f"the gateway's own user {user} is in none of the roles that administer")


def _others(rows: Rows) -> Iterator[Finding]:
    names = [str(name) for name, *_ in rows]
    if names:
        yield Finding(
            Weight.WARNING,
            f"other users of this database may log in directly: {_listed(names)}",
            "let agents and people in through the gateway, and drop these users or take CONNECT from them",
        )
    else:
        yield Finding(Weight.GOOD, "the database has no other user")


def _members(rows: Rows) -> Iterator[Finding]:
    strong = [f"{member} ({role})" for role, member in rows if role in _STRONG]
    if strong:
        yield Finding(
            Weight.WARNING,
            f"other users with far-reaching roles go around the gateway: {_listed(strong)}",
            "keep them for emergencies, and take these roles from the others",
        )


def _firewall(rows: Rows) -> Iterator[Finding]:
    for name, first, last in rows:
        if (first, last) == _AZURE:
            yield Finding(
                Weight.WARNING,
                f"the firewall rule {name} lets all of Azure in, other people's subscriptions included",
                "remove it, and let the gateway in by a private endpoint",
            )
        elif first != last:
            yield Finding(
                Weight.WARNING,
                f"the firewall rule {name} lets {first} to {last} in",
                "name the gateway's address in the rules, and no other",
            )
    if not rows:
        yield Finding(Weight.GOOD, "the database has no firewall rules of its own; the server's are not told over TDS")


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more
