"""What happened in the sessions of the tests' shop, event by event."""

from __future__ import annotations

from datetime import timedelta

from tests.web import hostile
from tests.web.story import NOW, PURGE, Thing, at


def events(number: str) -> list[Thing]:
    """What happened in a session."""
    if number == "01JDREVIL":
        return _told(
            [
                (0.0, "opened", {"detail": {"source": hostile.MARKUP[0]}}),
                *_statement(1, 1.0, hostile.ALL, "deny", hostile.MARKUP[1]),
            ]
        )
    if number == "01JDRAZURE":
        return _told(_requests())
    if number == "01JDRTSQL":
        return _told(_batches())
    said: list[tuple[float, str, Thing]] = [
        (0.0, "opened", {"detail": {"source": "10.20.4.17"}}),
        (
            0.2,
            "admitted",
            {
                "detail": {
                    "principal": "shop-ci",
                    "claim repository": "acme/shop",
                    "claim run_url": hostile.ADDRESSES[0],
                }
            },
        ),
    ]
    reads = (
        "SELECT count(*) FROM public.orders WHERE state = 'cancelled'",
        "SELECT id, email, total FROM public.orders JOIN public.customers USING (customer_id) ORDER BY placed LIMIT 3",
        "SELECT region, sum(total) AS total\nFROM public.orders\nGROUP BY region\nORDER BY total DESC",
    )
    for count, text in enumerate(reads, 1):
        said += _statement(count, count * 3.0, text, "allow", "")
    said.append(
        (
            6.3,
            "rows",
            {
                "number": 2,
                "columns": ["id", "email", "total"],
                "values": [["1", "a***@example.com", "12.50"], ["2", "b***@example.com", None]],
            },
        )
    )
    said += _statement(4, 15.0, "DROP TABLE public.customers", "deny", "no policy permits drop on public.customers")
    said += _held(5, 22.0)
    for count in range(6, 15):
        said += _statement(
            count,
            60.0 + count * 4,
            f"SELECT * FROM public.order_lines WHERE order_id = ${1} -- page {count}",
            "allow",
            "",
        )
    said.append((125.0, "closed", {"reason": "the client left"}))
    return _told(sorted(said, key=lambda one: one[0]))


def _statement(number: int, offset: float, text: str, decision: str, reason: str) -> list[tuple[float, str, Thing]]:
    asked: Thing = {
        "number": number,
        "text": text,
        "parameters": [],
        "effects": [{"action": "drop" if decision == "deny" else "read", "object": "public.orders"}],
    }
    ruled: Thing = {
        "number": number,
        "decision": decision,
        "reason": reason,
        "policies": ["ci-reads-orders"] if decision == "allow" else [],
    }
    found: list[tuple[float, str, Thing]] = [(offset, "asked", asked), (offset, "ruled", ruled)]
    if decision == "allow":
        return [
            *found,
            (
                offset + 0.02,
                "finished",
                {
                    "number": number,
                    "rows": 3,
                    "affected": None,
                    "seconds": 0.021,
                    "error": None,
                    "masked": {"email": 3},
                },
            ),
        ]
    return [*found, (offset, "refused", {"number": number, "told": f"refused by policy: {reason}"})]


def _held(number: int, offset: float) -> list[tuple[float, str, Thing]]:
    asked: Thing = {
        "number": number,
        "text": PURGE,
        "parameters": ["90", "eu-west"],
        "effects": [{"action": "delete", "object": "public.orders"}],
    }
    return [
        (offset, "asked", asked),
        (
            offset,
            "ruled",
            {"number": number, "decision": "hold", "reason": "", "policies": ["ci-deletes-need-a-dba"]},
        ),
        (offset, "held", {"number": number, "until": at(hours=1.9)}),
        (offset + 34, "hold_ended", {"number": number, "outcome": "approved", "by": ["ana", "ben"]}),
        (
            offset + 34,
            "ruled",
            {"number": number, "decision": "allow", "reason": "", "policies": ["ci-deletes-need-a-dba"]},
        ),
        (
            offset + 34.4,
            "finished",
            {"number": number, "rows": 0, "affected": 1284, "seconds": 0.4, "error": None, "masked": {}},
        ),
    ]


def _requests() -> list[tuple[float, str, Thing]]:
    """Say what an agent asked Azure for: a page of a list, and the keys of an account."""
    url = "https://arm.gw.example/subscriptions/00000000-0000-0000-0000-000000000001"
    page = (
        '{"value":[{"id":"/subscriptions/0001/resourceGroups/shop","tags":{"owner":"a***@example.com","pin":null},'
        '"properties":{}},{"id":"' + hostile.MARKUP[0].replace('"', "'") + '","id":"twice"}],'
        '"nextLink":"https://arm.gw.example/page?2"}'
    )
    finished: Thing = {"number": 1, "rows": 0, "affected": None, "bytes": 48213, "seconds": 0.184, "error": None}
    account = f"{url}/resourceGroups/shop/providers/Microsoft.Storage/storageAccounts/shop"
    keys = f"POST {account}/listKeys?api-version=2023-01-01"
    return [
        (0.0, "opened", {"detail": {"source": "10.20.4.17"}}),
        *_statement(1, 1.0, f"GET {url}/resourcegroups?api-version=2022-09-01", "allow", "")[:2],
        (1.1, "rows", {"number": 1, "columns": ["body"], "values": [[page + "… [48213 bytes in all]"]]}),
        (1.2, "finished", {**finished, "status": "200 OK", "masked": {"..owner": 1, "..pin": 1}}),
        *_statement(2, 4.0, keys, "deny", "agents get access, never secrets"),
    ]


def _batches() -> list[tuple[float, str, Thing]]:
    """Say what an agent sent in T-SQL: it logs in by its token, so without a name of a user."""
    batch = "DECLARE @n int = 2;\nEXEC restock @n, N'it''s late';\nSELECT TOP (1) [email] FROM customers WHERE id = @P1"
    asked: Thing = {
        "number": 1,
        "text": batch,
        "parameters": ["7"],
        "effects": [{"action": "read", "object": "shop.dbo.customers"}],
    }
    finished: Thing = {
        "number": 1,
        "rows": 1,
        "affected": None,
        "seconds": 0.046,
        "error": None,
        "masked": {"email": 1},
    }
    return [
        (0.0, "opened", {"detail": {"source": "10.20.4.17"}}),
        (0.1, "login", {"detail": {"user": "", "database": "shop", "application": "pytds"}}),
        (1.0, "asked", asked),
        (1.0, "ruled", {"number": 1, "decision": "allow", "reason": "", "policies": ["ci-works"]}),
        (1.1, "rows", {"number": 1, "columns": ["email"], "values": [["a***@example.com"]]}),
        (1.1, "finished", finished),
    ]


def _told(said: list[tuple[float, str, Thing]]) -> list[Thing]:
    began = NOW - timedelta(hours=2)
    return [
        {
            **more,
            "record": record,
            "type": kind,
            "offset": offset,
            "at": (began + timedelta(seconds=offset)).strftime("%Y-%m-%dT%H:%M:%SZ"),
        }
        for record, (offset, kind, more) in enumerate(said, 1)
    ]
