"""The tests' shop: its agents and what they reach, its resources, what is contained, its policies, its gateway."""

from __future__ import annotations

from tests.web import hostile
from tests.web.story import Thing, at

_ACTIONS = (
    "connect",
    "read",
    "create",
    "update",
    "delete",
    "define",
    "drop",
    "entitle",
    "reveal",
    "execute",
    "export",
    "admin",
)


def _reach(resource: str, database: str, **says: str) -> Thing:
    return {
        "resource": resource,
        "database": database,
        "actions": {action: says.get(action, "deny") for action in _ACTIONS},
    }


def agents() -> list[Thing]:
    """By name."""
    shop = _reach("pg-prod", "shop", connect="allow", read="allow", create="allow", update="hold", delete="hold")
    reports = _reach("pg-reports", "reports", connect="allow", read="allow", export="hold")
    return [
        {
            "name": "billing-agent",
            "issuer": "github",
            "groups": ["billing"],
            "sessions_live": 0,
            "last_seen": at(minutes=50),
            "contained": False,
            "reach": [_reach("pg-prod", "billing", connect="allow", read="allow", update="hold")],
        },
        {
            "name": "shop-ci",
            "issuer": "github",
            "groups": ["ci", "deployers"],
            "sessions_live": 1,
            "last_seen": at(seconds=20),
            "contained": False,
            "reach": [shop, reports],
        },
        {
            "name": "triage-agent",
            "issuer": "entra",
            "groups": ["triage"],
            "sessions_live": 0,
            "last_seen": None,
            "contained": False,
            "reach": [_reach("pg-reports", "reports", connect="grant", read="grant")],
        },
        {
            "name": "vendor-import",
            "issuer": "entra",
            "groups": [],
            "sessions_live": 0,
            "last_seen": at(days=3),
            "contained": True,
            "reach": [],
        },
        {
            "name": hostile.MARKUP[1],
            "issuer": hostile.MARKUP[0],
            "groups": [hostile.MARKUP[2]],
            "sessions_live": 0,
            "last_seen": None,
            "contained": False,
            "reach": [_reach(hostile.MARKUP[3], hostile.MARKUP[4], connect="allow")],
        },
    ]


def resources() -> list[Thing]:
    """By name."""
    group = "/subscriptions/5f1c0000-0000-0000-0000-000000000000/resourceGroups/shop"
    azure = f"{group}/providers/Microsoft.DBforPostgreSQL/flexibleServers/pg-prod"
    return [
        {
            "name": "pg-prod",
            "kind": "postgres",
            "tags": {"env": "prod", "owner": "shop"},
            "azure": azure,
            "listen": "0.0.0.0:15432",
            "upstream_host": "pg-prod.postgres.database.azure.com",
            "databases": ["shop", "billing"],
            "sessions_live": 2,
            "contained": False,
        },
        {
            "name": "pg-reports",
            "kind": "postgres",
            "tags": {"env": "prod"},
            "azure": "",
            "listen": "0.0.0.0:15433",
            "upstream_host": "pg-reports.postgres.database.azure.com",
            "databases": ["reports"],
            "sessions_live": 0,
            "contained": False,
        },
        {
            "name": "pg-evil",
            "kind": hostile.MARKUP[0],
            "tags": {hostile.MARKUP[1]: hostile.MARKUP[2]},
            "azure": hostile.MARKUP[3],
            "listen": "0.0.0.0:15434",
            "upstream_host": hostile.ADDRESSES[0],
            "databases": [hostile.MARKUP[4]],
            "sessions_live": 0,
            "contained": True,
        },
    ]


def containment() -> list[Thing]:
    """In force and lifted."""
    return [
        {
            "kind": "agent",
            "name": "vendor-import",
            "reason": "Its token was seen from an unknown network.",
            "by": "ana",
            "at": at(days=3),
            "lifted": None,
            "lifted_by": None,
            "lift_reason": None,
        },
        {
            "kind": "session",
            "name": "01JDQK3",
            "reason": "A runaway export.",
            "by": "ben",
            "at": at(days=5),
            "lifted": at(days=4.9),
            "lifted_by": "ana",
            "lift_reason": "Its owner confirmed the job.",
        },
        {
            "kind": "agent",
            "name": hostile.MARKUP[1],
            "reason": hostile.ALL,
            "by": hostile.MARKUP[0],
            "at": at(days=6),
            "lifted": at(days=5),
            "lifted_by": hostile.MARKUP[2],
            "lift_reason": hostile.MARKUP[3],
        },
    ]


_READS = """@id("ci-reads-orders")
permit (
  principal in Group::"ci",
  action in [Action::"connect", Action::"read"],
  resource in Database::"pg-prod/shop"
);"""
_DELETES = """// production: a person looks first
@id("ci-deletes-need-a-dba")
@approval("dba:2")
@limit_affected("5000")
permit (
  principal in Group::"ci",
  action == Action::"delete",
  resource in Database::"pg-prod/shop"
) when { context.filtered };"""
_NEVER = """@id("agents-never-see-credentials")
@reason("agents get access, never secrets")
forbid (principal is Agent, action == Action::"reveal", resource);"""


def policies() -> Thing:
    """The set in force."""
    return {
        "version": "9c41d7aa03be5512",
        "policies": [
            {
                "id": "ci-reads-orders",
                "effect": "permit",
                "where": "policies/ci.cedar:1",
                "mode": "enforce",
                "approvals": [],
                "source_text": _READS,
            },
            {
                "id": "ci-deletes-need-a-dba",
                "effect": "permit",
                "where": "policies/ci.cedar:9",
                "mode": "enforce",
                "approvals": ["dba:2"],
                "source_text": _DELETES,
            },
            {
                "id": "agents-never-see-credentials",
                "effect": "forbid",
                "where": "policies/base.cedar:3",
                "mode": "enforce",
                "approvals": [],
                "source_text": _NEVER,
            },
            {
                "id": "fewer-exports",
                "effect": "forbid",
                "where": "policies/trial.cedar:1",
                "mode": "observe",
                "approvals": [],
                "source_text": _NEVER.replace("reveal", "export"),
            },
            {
                "id": hostile.MARKUP[0],
                "effect": "permit",
                "where": hostile.MARKUP[1],
                "mode": "enforce",
                "approvals": [],
                "source_text": hostile.ALL,
            },
        ],
        "packs": [{"name": "postgres", "excepted": []}],
        "warnings": ["policies/trial.cedar:1: observed only; nothing is refused by it"],
    }


def explained(statement: str) -> Thing:
    """What the playground answers."""
    holds: Thing = {"id": "ci-deletes-need-a-dba", "where": "policies/ci.cedar:9", "source_text": _DELETES}
    evil: Thing = {"id": hostile.MARKUP[0], "where": hostile.MARKUP[1], "source_text": ""}
    delete: Thing = {
        "action": "delete",
        "object": 'Object::"pg-prod/shop/public/orders"',
        "kind": "table",
        "decision": "hold",
        "policies": [holds],
        "observed": [],
        "changes": ["2 of dba approve"],
    }
    read = {
        **delete,
        "action": "read",
        "object": hostile.MARKUP[2],
        "decision": "allow",
        "policies": [evil],
        "changes": [],
    }
    ruled: Thing = {
        "text": statement,
        "operation": "DELETE",
        "decision": "hold",
        "reason": "delete on public.orders waits for 2 of dba",
        "effects": [delete, read],
        "policies": [holds],
        "obligations": {"approvals": ["dba:2"], "limit_affected": 5000, "limit_rows": None},
        "observed": [{"policy": "fewer-exports", "decision": "deny"}],
    }
    return {**ruled, "version": "9c41d7aa03be5512", "statements": [ruled]}


HEALTH: Thing = {
    "ready": True,
    "waiting_for": [],
    "workers": {"of": 2, "ready": 2},
    "recordings": {"events": 184213, "failures": 0, "checkpoints": 902, "anchor_failures": 0, "segments_removed": 3},
    "generation": 41,
    "policies_version": "9c41d7aa03be5512",
    "containment_blind": False,
    "reviews_overdue": 1,
}
