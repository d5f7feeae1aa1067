"""What the tests' API answers: one shop's week, with agents, people, statements and a few texts that mean harm."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

from tests.web import hostile

Json = None | bool | int | float | str | Sequence["Json"] | Mapping[str, "Json"]
Thing = dict[str, Json]

NOW = datetime.now(UTC)
ESTIMATED = "at most, by the statistics of the whole table; triggers and cascades are not counted"


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


def effect(action: str, name: str) -> Thing:
    """One effect on a table."""
    return {"action": action, "object": name, "kind": "table"}


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
        "effects": [effect("delete", "public.orders"), effect("read", "public.orders")],
        "policies": [
            {
                "id": "ci-deletes-need-a-dba",
                "where": "policies/ci.cedar:14",
                "reason": "deletes in production are seen by a DBA",
            }
        ],
        "reason": "delete on public.orders waits for 2 of dba",
        "needed": [{"group": "dba", "count": 2, "given": 1}],
        "decisions": [
            {
                "by": "ben",
                "at": at(seconds=20),
                "decision": "approve",
                "scope": "once",
                "minutes": None,
                "comment": "matches the ticket",
            }
        ],
        "preview": {"rows": 1284, "how": "statistics", "note": ESTIMATED},
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
            effects=[effect("update", "public.invoices")],
            needed=[{"group": "dba", "count": 1, "given": 0}],
            decisions=[],
            preview={"rows": 3, "how": "statistics", "note": ESTIMATED},
            asked_at=at(seconds=190),
            until=at(seconds=-110),
            in_transaction=False,
        ),
        approval(
            "ap-3",
            text="ALTER TABLE orders ADD COLUMN note text",
            operation="ALTER TABLE",
            parameters=[],
            effects=[effect("define", "public.orders")],
            needed=[{"group": "platform", "count": 1, "given": 0}],
            decisions=[],
            can_decide=False,
            cannot_because="it needs a member of platform; you are in dba",
            preview={"rows": None, "how": "none", "note": ""},
            in_transaction=False,
        ),
        approval(
            "ap-done",
            state="approved",
            ended_at=at(hours=3),
            needed=[{"group": "dba", "count": 1, "given": 1}],
            can_decide=False,
        ),
        approval(
            "ap-late",
            state="timeout",
            ended_at=at(hours=5),
            decisions=[],
            can_decide=False,
            cannot_because="it has ended",
        ),
        approval(
            "ap-evil",
            principal=HOSTILE,
            text=f"{hostile.TURNED}\n{hostile.ALL}",
            resource=hostile.MARKUP[3],
            database=hostile.MARKUP[4],
            operation=hostile.MARKUP[0],
            parameters=[hostile.MARKUP[1], None, hostile.TURNED],
            effects=[effect(hostile.MARKUP[5], hostile.MARKUP[6])],
            policies=[{"id": hostile.MARKUP[0], "where": hostile.MARKUP[1], "reason": hostile.MARKUP[2]}],
            needed=[{"group": hostile.MARKUP[3], "count": 1, "given": 0}],
            decisions=[
                {
                    "by": hostile.MARKUP[0],
                    "at": at(seconds=1),
                    "decision": "approve",
                    "scope": hostile.MARKUP[1],
                    "minutes": None,
                    "comment": hostile.ALL,
                }
            ],
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
        "asked_by": "triage-agent",
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
    approved: Thing = {
        "by": "ana",
        "at": at(minutes=25),
        "decision": "approve",
        "comment": "until the incident is over",
    }
    return [
        grant("gr-1"),
        grant(
            "gr-2",
            state="open",
            principal={"kind": "user", "name": "ben"},
            starts=at(minutes=25),
            ends=at(minutes=-35),
            decisions=[approved],
            can_decide=False,
            last_used=at(minutes=2),
            needed=[{"group": "dba", "count": 1, "given": 1}],
        ),
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
            can_decide=True,
        ),
        grant(
            "gr-evil",
            reason=hostile.ALL,
            principal={"kind": "agent", "name": hostile.MARKUP[0]},
            resource=hostile.MARKUP[1],
            actions=[hostile.MARKUP[2]],
            can_decide=False,
            cannot_because=hostile.MARKUP[3],
        ),
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
        "locked": [],
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
        for number in range(69)
    ]
    return [
        session("01JDS0W7Q2C8", live=True, ended=None, end_reason="", began=at(minutes=4), held=1),
        session(
            "01JDS0W9AAAA",
            live=True,
            ended=None,
            end_reason="",
            began=at(minutes=31),
            principal={"kind": "user", "name": "ben"},
            application="psql",
            denied=0,
            held=0,
        ),
        session("01JDREPLAY", began=at(hours=2), ended=at(hours=1.97)),
        session(
            "01JDREVIL",
            principal={"kind": "agent", "name": hostile.MARKUP[0]},
            application=hostile.ALL,
            source=hostile.MARKUP[1],
            end_reason=hostile.MARKUP[2],
            resource=hostile.MARKUP[3],
            database=hostile.MARKUP[4],
        ),
        session(
            "01JDRNOBODY",
            principal=None,
            application="",
            statements=0,
            denied=0,
            held=0,
            rows=0,
            end_reason="the login was refused",
        ),
        *past,
        session("01JDRAZURE", resource="arm", database="", application="azsdk-python-mgmt-resource", statements=2),
        session("01JDRTSQL", resource="sql-prod", application="pytds", statements=1),
    ]
