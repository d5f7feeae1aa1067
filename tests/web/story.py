"""What the tests' API answers: one shop's week, with agents, people, statements and a few texts that mean harm."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

from tests.web import hostile

Json = None | bool | int | float | str | Sequence["Json"] | Mapping[str, "Json"]
Thing = dict[str, Json]

NOW = datetime.now(UTC)


def at(**ago: float) -> str:
    """A moment so long ago, as the API tells it."""
    return (NOW - timedelta(**ago)).strftime("%Y-%m-%dT%H:%M:%SZ")


CI: Thing = {
    "kind": "agent",
    "name": "shop-ci",
    "issuer": "github",
    "subject": "repo:acme/shop:ref:refs/heads/main",
    "groups": ["ci"],
    "claims": {
        "repository": "acme/shop",
        "sha": "3f2a9c1e7d5b40c2a8f4ce11",
        "ref": "refs/heads/main",
        "run_url": "https://github.com/acme/shop/actions/runs/8123456789",
    },
}
HOSTILE: Thing = {
    "kind": "agent",
    "name": hostile.MARKUP[1],
    "issuer": "github",
    "subject": hostile.MARKUP[0],
    "groups": [hostile.MARKUP[2]],
    "claims": {f"url_{number}": address for number, address in enumerate(hostile.ADDRESSES)},
}

PURGE = """-- retention: drop what nobody may keep any longer
WITH old AS (
    SELECT id
    FROM public.orders
    WHERE placed < now() - make_interval(days => $1)
      AND state IN ('cancelled', 'returned')
)
DELETE FROM public.orders
USING old
WHERE orders.id = old.id
  AND orders.region = $2;"""


def approval(number: str, **changes: Json) -> Thing:
    """One approval as the API tells it."""
    base: Thing = {
        "id": number,
        "state": "waiting",
        "asked_at": at(seconds=48),
        "until": at(seconds=-252),
        "ended_at": None,
        "session": "01JDS0W7Q2C8",
        "number": 12,
        "node": "gw-1",
        "principal": CI,
        "resource": "pg-prod",
        "database": "shop",
        "operation": "DELETE",
        "text": PURGE,
        "parameters": ["90", "eu-west"],
        "effects": [{"action": "delete", "object": "public.orders"}, {"action": "read", "object": "public.orders"}],
        "policies": [
            {"id": "ci-deletes-need-a-dba", "where": "policies/ci.cedar:14", "reason": "deletes in production are seen by a DBA"}
        ],
        "needed": [{"group": "dba", "count": 2, "given": 1}],
        "decisions": [
            {"by": "ben", "at": at(seconds=20), "decision": "approve", "scope": "once", "minutes": None, "comment": "matches the ticket"}
        ],
        "preview": {"rows": 1284, "how": "plan", "note": ""},
        "in_transaction": True,
        "mode": "wait",
        "can_decide": True,
        "cannot_because": None,
        "link": f"https://localhost:8443/#/approvals/{number}",
    }
    return base | changes


def approvals() -> list[Thing]:
    """Newest first."""
    return [
        approval("ap-1"),
        approval(
            "ap-2",
            principal={**CI, "name": "billing-agent", "groups": ["billing"], "claims": {"repository": "acme/billing"}},
            operation="UPDATE",
            text="UPDATE invoices SET state = 'void' WHERE customer = $1",
            parameters=["c_20417"],
            effects=[{"action": "update", "object": "public.invoices"}],
            needed=[{"group": "dba", "count": 1, "given": 0}],
            decisions=[],
            preview={"rows": 3, "how": "statistics", "note": "a function in it is not built in"},
            asked_at=at(seconds=190),
            until=at(seconds=-110),
            in_transaction=False,
        ),
        approval(
            "ap-3",
            text="ALTER TABLE orders ADD COLUMN note text",
            operation="ALTER TABLE",
            parameters=[],
            effects=[{"action": "define", "object": "public.orders"}],
            needed=[{"group": "platform", "count": 1, "given": 0}],
            decisions=[],
            can_decide=False,
            cannot_because="it needs a member of platform; you are in dba",
            preview={"rows": None, "how": "none", "note": ""},
            in_transaction=False,
        ),
        approval("ap-done", state="approved", ended_at=at(hours=3), needed=[{"group": "dba", "count": 1, "given": 1}], can_decide=False),
        approval("ap-late", state="timeout", ended_at=at(hours=5), decisions=[], can_decide=False, cannot_because="it has ended"),
        approval(
            "ap-evil",
            principal=HOSTILE,
            text=f"{hostile.TURNED}\n{hostile.ALL}",
            resource=hostile.MARKUP[3],
            database=hostile.MARKUP[4],
            operation=hostile.MARKUP[0],
            parameters=[hostile.MARKUP[1], None, hostile.TURNED],
            effects=[{"action": hostile.MARKUP[5], "object": hostile.MARKUP[6]}],
            policies=[{"id": hostile.MARKUP[0], "where": hostile.MARKUP[1], "reason": hostile.MARKUP[2]}],
            needed=[{"group": hostile.MARKUP[3], "count": 1, "given": 0}],
            decisions=[{"by": hostile.MARKUP[0], "at": at(seconds=1), "decision": "approve", "scope": hostile.MARKUP[1], "minutes": None, "comment": hostile.ALL}],
            preview={"rows": None, "how": hostile.MARKUP[0], "note": hostile.MARKUP[1]},
            cannot_because=hostile.MARKUP[2],
            can_decide=False,
        ),
    ]


def grant(number: str, **changes: Json) -> Thing:
    """One grant as the API tells it."""
    base: Thing = {
        "id": number,
        "kind": "grant",
        "state": "asked",
        "principal": {"kind": "agent", "name": "triage-agent"},
        "resource": "pg-reports",
        "actions": ["connect", "read"],
        "reason": "Ticket 4821: find out why last night's totals differ from the ledger.",
        "minutes": 60,
        "asked_at": at(minutes=6),
        "starts": None,
        "ends": None,
        "needed": [{"group": "dba", "count": 1, "given": 0}],
        "decisions": [],
        "last_used": None,
        "review": None,
        "can_decide": True,
        "cannot_because": None,
        "link": f"https://localhost:8443/#/grants/{number}",
    }
    return base | changes


def grants() -> list[Thing]:
    """Newest first."""
    approved: Thing = {"by": "ana", "at": at(minutes=25), "decision": "approve", "comment": "until the incident is over"}
    return [
        grant("gr-1"),
        grant("gr-2", state="open", principal={"kind": "user", "name": "ben"}, starts=at(minutes=25), ends=at(minutes=-35), decisions=[approved], can_decide=False, last_used=at(minutes=2), needed=[{"group": "dba", "count": 1, "given": 1}]),
        grant(
            "gr-3",
            kind="break_glass",
            state="ended",
            principal={"kind": "user", "name": "carla"},
            resource="pg-prod",
            actions=["connect", "read", "update"],
            reason="Payments are stuck; the on-call DBA does not answer.",
            minutes=30,
            asked_at=at(days=1),
            starts=at(days=1),
            ends=at(hours=23.5),
            needed=[],
            review={"open": True, "closed_by": None, "closed_at": None, "comment": None},
            last_used=at(hours=23.6),
            can_decide=False,
        ),
        grant("gr-evil", reason=hostile.ALL, principal={"kind": "agent", "name": hostile.MARKUP[0]}, resource=hostile.MARKUP[1], actions=[hostile.MARKUP[2]], can_decide=False, cannot_because=hostile.MARKUP[3]),
    ]


def session(number: str, **changes: Json) -> Thing:
    """One session's card as the API tells it."""
    base: Thing = {
        "id": number,
        "live": False,
        "node": "gw-1",
        "resource": "pg-prod",
        "database": "shop",
        "principal": {key: CI[key] for key in ("kind", "name")},
        "source": "10.20.4.17",
        "application": "nightly-retention",
        "began": at(hours=2),
        "ended": at(hours=1, minutes=58),
        "end_reason": "the client left",
        "statements": 14,
        "denied": 1,
        "held": 1,
        "rows": 4210,
        "bytes": 812345,
    }
    return base | changes


def sessions() -> list[Thing]:
    """Newest first."""
    names = ("shop-ci", "billing-agent", "triage-agent", "shop-ci", "shop-ci", "schema-bot")
    past = [
        session(
            f"01JDR{number:07d}",
            principal={"kind": "agent", "name": names[number % len(names)]},
            began=at(hours=3 + number),
            ended=at(hours=3 + number - 0.1),
            denied=number % 3,
            held=number % 2,
            application=("psql", "alembic", "reconcile.py", "pgbench")[number % 4],
            resource=("pg-prod", "pg-reports")[number % 2],
            rows=number * 371,
        )
        for number in range(70)
    ]
    return [
        session("01JDS0W7Q2C8", live=True, ended=None, end_reason=None, began=at(minutes=4), held=1),
        session("01JDS0W9AAAA", live=True, ended=None, end_reason=None, began=at(minutes=31), principal={"kind": "user", "name": "ben"}, application="psql", denied=0, held=0),
        session("01JDREPLAY", began=at(hours=2), ended=at(hours=1.97)),
        session("01JDREVIL", principal={"kind": "agent", "name": hostile.MARKUP[0]}, application=hostile.ALL, source=hostile.MARKUP[1], end_reason=hostile.MARKUP[2], resource=hostile.MARKUP[3], database=hostile.MARKUP[4]),
        session("01JDRNOBODY", principal=None, application="", statements=0, denied=0, held=0, rows=0, end_reason="the login was refused"),
        *past,
    ]


def events(number: str) -> list[Thing]:
    """What happened in a session."""
    if number == "01JDREVIL":
        return _told([(0.0, "session_opened", {"source": hostile.MARKUP[0]}), *_statement(1, 1.0, hostile.ALL, "deny", hostile.MARKUP[1])])
    said: list[tuple[float, str, Thing]] = [
        (0.0, "session_opened", {"source": "10.20.4.17"}),
        (0.2, "login_admitted", {"principal": "shop-ci"}),
    ]
    reads = (
        "SELECT count(*) FROM public.orders WHERE state = 'cancelled'",
        "SELECT id, email, total FROM public.orders JOIN public.customers USING (customer_id) ORDER BY placed LIMIT 3",
        "SELECT region, sum(total) AS total\nFROM public.orders\nGROUP BY region\nORDER BY total DESC",
    )
    for count, text in enumerate(reads, 1):
        said += _statement(count, count * 3.0, text, "allow", "")
    said.append((6.3, "statement_rows", {"number": 2, "columns": ["id", "email", "total"], "values": [["1", "a***@example.com", "12.50"], ["2", "b***@example.com", None]]}))
    said += _statement(4, 15.0, "DROP TABLE public.customers", "deny", "no policy permits drop on public.customers")
    said += _held(5, 22.0)
    for count in range(6, 15):
        said += _statement(count, 60.0 + count * 4, f"SELECT * FROM public.order_lines WHERE order_id = ${1} -- page {count}", "allow", "")
    said.append((125.0, "session_closed", {"reason": "the client left"}))
    return _told(sorted(said, key=lambda one: one[0]))


def _statement(number: int, offset: float, text: str, decision: str, reason: str) -> list[tuple[float, str, Thing]]:
    asked: Thing = {"number": number, "text": text, "parameters": [], "effects": [{"action": "drop" if decision == "deny" else "read", "object": "public.orders"}]}
    ruled: Thing = {"number": number, "decision": decision, "reason": reason, "policies": ["ci-reads-orders"] if decision == "allow" else []}
    found: list[tuple[float, str, Thing]] = [(offset, "statement_asked", asked), (offset, "statement_ruled", ruled)]
    if decision == "allow":
        return [*found, (offset + 0.02, "statement_finished", {"number": number, "rows": 3, "affected": None, "seconds": 0.021, "error": None, "masked": {"email": 3}})]
    return [*found, (offset, "statement_refused", {"number": number, "told": f"refused by policy: {reason}"})]


def _held(number: int, offset: float) -> list[tuple[float, str, Thing]]:
    asked: Thing = {"number": number, "text": PURGE, "parameters": ["90", "eu-west"], "effects": [{"action": "delete", "object": "public.orders"}]}
    return [
        (offset, "statement_asked", asked),
        (offset, "statement_ruled", {"number": number, "decision": "hold", "reason": "", "policies": ["ci-deletes-need-a-dba"]}),
        (offset, "hold_started", {"number": number, "until": at(hours=1.9)}),
        (offset + 34, "hold_ended", {"number": number, "outcome": "approved", "by": ["ana", "ben"]}),
        (offset + 34, "statement_ruled", {"number": number, "decision": "allow", "reason": "", "policies": ["ci-deletes-need-a-dba"]}),
        (offset + 34.4, "statement_finished", {"number": number, "rows": 0, "affected": 1284, "seconds": 0.4, "error": None, "masked": {}}),
    ]


def _told(said: list[tuple[float, str, Thing]]) -> list[Thing]:
    began = NOW - timedelta(hours=2)
    return [
        {**more, "record": record, "type": kind, "offset": offset, "at": (began + timedelta(seconds=offset)).strftime("%Y-%m-%dT%H:%M:%SZ")}
        for record, (offset, kind, more) in enumerate(said, 1)
    ]


_ACTIONS = ("connect", "read", "create", "update", "delete", "define", "drop", "entitle", "reveal", "execute", "export", "admin")


def _reach(resource: str, database: str, **says: str) -> Thing:
    return {"resource": resource, "database": database, "actions": {action: says.get(action, "deny") for action in _ACTIONS}}


def agents() -> list[Thing]:
    """By name."""
    shop = _reach("pg-prod", "shop", connect="allow", read="allow", create="allow", update="hold", delete="hold")
    reports = _reach("pg-reports", "reports", connect="allow", read="allow", export="hold")
    return [
        {"name": "billing-agent", "issuer": "github", "groups": ["billing"], "sessions_live": 0, "last_seen": at(minutes=50), "contained": False, "reach": [_reach("pg-prod", "billing", connect="allow", read="allow", update="hold")]},
        {"name": "shop-ci", "issuer": "github", "groups": ["ci", "deployers"], "sessions_live": 1, "last_seen": at(seconds=20), "contained": False, "reach": [shop, reports]},
        {"name": "triage-agent", "issuer": "entra", "groups": ["triage"], "sessions_live": 0, "last_seen": None, "contained": False, "reach": [_reach("pg-reports", "reports", connect="grant", read="grant")]},
        {"name": "vendor-import", "issuer": "entra", "groups": [], "sessions_live": 0, "last_seen": at(days=3), "contained": True, "reach": []},
        {"name": hostile.MARKUP[1], "issuer": hostile.MARKUP[0], "groups": [hostile.MARKUP[2]], "sessions_live": 0, "last_seen": None, "contained": False, "reach": [_reach(hostile.MARKUP[3], hostile.MARKUP[4], connect="allow")]},
    ]


def resources() -> list[Thing]:
    """By name."""
    azure = "/subscriptions/5f1c0000-0000-0000-0000-000000000000/resourceGroups/shop/providers/Microsoft.DBforPostgreSQL/flexibleServers/pg-prod"
    return [
        {"name": "pg-prod", "kind": "postgres", "tags": {"env": "prod", "owner": "shop"}, "azure": azure, "listen": 15432, "upstream_host": "pg-prod.postgres.database.azure.com", "databases": ["shop", "billing"], "sessions_live": 2, "contained": False},
        {"name": "pg-reports", "kind": "postgres", "tags": {"env": "prod"}, "azure": "", "listen": 15433, "upstream_host": "pg-reports.postgres.database.azure.com", "databases": ["reports"], "sessions_live": 0, "contained": False},
        {"name": "pg-evil", "kind": hostile.MARKUP[0], "tags": {hostile.MARKUP[1]: hostile.MARKUP[2]}, "azure": hostile.MARKUP[3], "listen": 15434, "upstream_host": hostile.ADDRESSES[0], "databases": [hostile.MARKUP[4]], "sessions_live": 0, "contained": True},
    ]


def containment() -> list[Thing]:
    """In force and lifted."""
    return [
        {"kind": "agent", "name": "vendor-import", "reason": "Its token was seen from an unknown network.", "by": "ana", "at": at(days=3), "lifted": None, "lifted_by": None, "lift_reason": None},
        {"kind": "session", "name": "01JDQK3", "reason": "A runaway export.", "by": "ben", "at": at(days=5), "lifted": at(days=4.9), "lifted_by": "ana", "lift_reason": "Its owner confirmed the job."},
        {"kind": "agent", "name": hostile.MARKUP[1], "reason": hostile.ALL, "by": hostile.MARKUP[0], "at": at(days=6), "lifted": at(days=5), "lifted_by": hostile.MARKUP[2], "lift_reason": hostile.MARKUP[3]},
    ]


def policies() -> Thing:
    """The set in force."""
    reads = '@id("ci-reads-orders")\npermit (\n  principal in Group::"ci",\n  action in [Action::"connect", Action::"read"],\n  resource in Database::"pg-prod/shop"\n);'
    deletes = '// production: a person looks first\n@id("ci-deletes-need-a-dba")\n@approval("dba:2")\n@limit_affected("5000")\npermit (\n  principal in Group::"ci",\n  action == Action::"delete",\n  resource in Database::"pg-prod/shop"\n) when { context.filtered };'
    never = '@id("agents-never-see-credentials")\n@reason("agents get access, never secrets")\nforbid (principal is Agent, action == Action::"reveal", resource);'
    return {
        "version": "9c41d7aa03be5512",
        "policies": [
            {"id": "ci-reads-orders", "effect": "permit", "where": "policies/ci.cedar:1", "mode": "enforce", "approvals": [], "source_text": reads},
            {"id": "ci-deletes-need-a-dba", "effect": "permit", "where": "policies/ci.cedar:9", "mode": "enforce", "approvals": [{"group": "dba", "count": 2}], "source_text": deletes},
            {"id": "agents-never-see-credentials", "effect": "forbid", "where": "policies/base.cedar:3", "mode": "enforce", "approvals": [], "source_text": never},
            {"id": "fewer-exports", "effect": "forbid", "where": "policies/trial.cedar:1", "mode": "observe", "approvals": [], "source_text": never.replace("reveal", "export")},
            {"id": hostile.MARKUP[0], "effect": "permit", "where": hostile.MARKUP[1], "mode": "enforce", "approvals": [], "source_text": hostile.ALL},
        ],
        "packs": ["postgres"],
        "warnings": ["policies/trial.cedar:1: observed only; nothing is refused by it"],
    }


def explained(statement: str) -> Thing:
    """What the playground answers."""
    return {
        "decision": "hold",
        "reason": "delete on public.orders waits for 2 of dba",
        "effects": [{"action": "delete", "object": 'Table::"pg-prod/shop/public/orders"'}, {"action": "read", "object": statement}],
        "policies": [{"id": "ci-deletes-need-a-dba", "where": "policies/ci.cedar:9", "contributes": "hold"}, {"id": hostile.MARKUP[0], "where": hostile.MARKUP[1], "contributes": "allow"}],
        "obligations": {"approvals": ["dba: 2"], "limit_affected": 5000, "limit_rows": None},
        "observed": ["fewer-exports"],
    }


HEALTH: Thing = {
    "ready": True,
    "waiting_for": [],
    "workers": {"of": 2, "ready": 2},
    "recordings": {"open": 2, "written": 184213, "failing": False, "last_checkpoint": at(seconds=40)},
    "generation": 41,
    "policies_version": "9c41d7aa03be5512",
    "containment_blind": False,
}
