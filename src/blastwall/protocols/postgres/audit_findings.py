"""What a server is asked about ways around the gateway, and what its answers mean.

Sources: PostgreSQL documentation, "Role Attributes", "Predefined Roles", "pg_hba_file_rules"; Azure Database for
PostgreSQL documentation, "Users and roles": `azuresu` is Azure's own superuser, `azure_pg_admin` is for administrators.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from blastwall.protocols.kind import Finding, Weight

Rows = list[list[str | None]]

SETTINGS = """
SELECT name, setting FROM pg_settings WHERE name IN ('listen_addresses', 'ssl')
"""

RULES = """
SELECT type, array_to_string(user_name, ','), coalesce(address, 'local'), auth_method
FROM pg_hba_file_rules WHERE error IS NULL
"""

OWN = """
SELECT current_user, rolsuper, rolcreaterole, rolcreatedb, rolreplication, rolbypassrls,
       (SELECT string_agg(r.rolname, ',' ORDER BY r.rolname) FROM pg_roles r
        WHERE NOT m.rolsuper AND pg_has_role(m.oid, r.oid, 'MEMBER') AND (r.rolname = 'azure_pg_admin' OR r.rolname IN
          ('pg_read_server_files', 'pg_write_server_files', 'pg_execute_server_program', 'pg_read_all_data',
           'pg_write_all_data', 'pg_signal_backend', 'pg_checkpoint', 'pg_maintain', 'pg_create_subscription')))
FROM pg_roles m WHERE m.rolname = current_user
"""

OTHERS = """
SELECT r.rolname, r.rolsuper, r.rolbypassrls, r.rolcreaterole, r.rolreplication,
       EXISTS (SELECT FROM pg_roles a WHERE a.rolname = 'azure_pg_admin' AND pg_has_role(r.oid, a.oid, 'MEMBER')),
       has_database_privilege(r.oid, current_database(), 'CONNECT') AND EXISTS (
         SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
         WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND n.nspname NOT IN ('pg_catalog', 'information_schema')
           AND n.nspname NOT LIKE 'pg\\_%' AND has_schema_privilege(r.oid, n.oid, 'USAGE')
           AND has_table_privilege(r.oid, c.oid, 'SELECT'))
FROM pg_roles r
WHERE r.rolcanlogin AND r.rolname <> current_user AND (r.rolvaliduntil IS NULL OR r.rolvaliduntil > now())
ORDER BY r.rolname
"""

QUESTIONS = (SETTINGS, RULES, OWN, OTHERS)

_ATTRIBUTES = ("superuser", "create roles", "create databases", "replication", "bypass row security")
_AZURES_OWN = frozenset({"azuresu"})
_EVERYWHERE = frozenset({"0.0.0.0", "::", "all"})  # noqa: S104 - compared, not bound
_CLEAR = frozenset({("password", "host"), ("password", "hostnossl")})
"""Passwords in clear, without TLS if the client likes."""
_SHOWN = 10


def findings(replies: Mapping[str, Rows | None]) -> tuple[Finding, ...]:
    """Return what the answers mean, by question; None is the answer of a server that refused it."""
    return (
        *_of(replies[SETTINGS], _settings, "its settings"),
        *_of(replies[RULES], _rules, "who may log in from where (pg_hba_file_rules)"),
        *_of(replies[OWN], _own, "what the gateway's own role may do"),
        *_of(replies[OTHERS], _others, "which other roles may log in"),
    )


def _of(rows: Rows | None, meaning: Callable[[Rows], Iterator[Finding]], what: str) -> Iterator[Finding]:
    if rows is None:
        why = "the gateway's role may not ask, or it took more than 5 seconds"
        yield Finding(Weight.NOTE, f"the server did not say {what}: {why}")
    else:
        yield from meaning(rows)


def _settings(rows: Rows) -> Iterator[Finding]:
    found = {row[0]: row[1] for row in rows}
    listen = found.get("listen_addresses") or ""
    if found.get("ssl") == "off":
        yield Finding(
            Weight.WARNING,
            "the server speaks no TLS (ssl = off)",
            "switch `ssl` on, and set `upstream.tls` to verify-full",
        )
    if "*" in listen or _EVERYWHERE & {one.strip() for one in listen.split(",")}:
        yield Finding(
            Weight.NOTE, f"it listens on every address (listen_addresses = '{listen}'), as Azure's servers do"
        )
    elif listen:
        yield Finding(Weight.GOOD, f"it listens on {listen} only")


def _rules(rows: Rows) -> Iterator[Finding]:
    everywhere = [row for row in rows if row[2] in _EVERYWHERE and row[3] != "reject"]
    weak = [row for row in rows if row[2] != "local" and (row[3] == "trust" or (row[3], row[0]) in _CLEAR)]
    if everywhere:
        methods = ", ".join(sorted({str(row[3]) for row in everywhere}))
        yield Finding(
            Weight.WARNING,
            f"pg_hba.conf lets anybody try to log in from any address ({methods})",
            "name the gateway's address in its rules, and no other",
        )
    for row in weak:
        yield Finding(
            Weight.WARNING,
            f"pg_hba.conf lets {row[1]} in from {row[2]} by `{row[3]}`",
            "use scram-sha-256 or certificates",
        )
    if not everywhere and not weak:
        yield Finding(Weight.GOOD, f"pg_hba.conf has {len(rows)} rules, none for every address")


def _own(rows: Rows) -> Iterator[Finding]:
    for user, *attributes, member in rows:
        held = [name for name, has in zip(_ATTRIBUTES, attributes, strict=True) if has == "t"]
        held += [f"member of {one}" for one in (member or "").split(",") if one]
        if held:
            yield Finding(
                Weight.WARNING,
                f"the gateway's own role {user} may do more than agents need: {', '.join(held)}",
                "give the gateway a role of its own that has only what its agents need",
            )
        else:
            yield Finding(Weight.GOOD, f"the gateway's own role {user} has no special rights")


def _others(rows: Rows) -> Iterator[Finding]:
    strong, readers = [], []
    for name, superuser, bypass, create, replication, admin, reads in rows:
        flags = {
            "superuser": superuser,
            "bypass row security": bypass,
            "create roles": create,
            "replication": replication,
            "member of azure_pg_admin": admin,
        }
        held = [what for what, has in flags.items() if has == "t"]
        if name in _AZURES_OWN:
            yield Finding(Weight.NOTE, f"{name} is Azure's own superuser; nobody else logs in with it")
        elif held:
            strong.append(f"{name} ({', '.join(held)})")
        elif reads == "t":
            readers.append(str(name))
    if strong:
        yield Finding(
            Weight.WARNING,
            f"other logins with far-reaching rights go around the gateway: {_listed(strong)}",
            "keep them for emergencies, without a password that anybody knows; take LOGIN from the others",
        )
    if readers:
        yield Finding(
            Weight.WARNING,
            f"other logins may read tables of this database directly: {_listed(readers)}",
            "let agents and people in through the gateway, and take LOGIN or their grants from these roles",
        )
    if not strong and not readers:
        yield Finding(Weight.GOOD, "no other login may read this database or has far-reaching rights")


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more
