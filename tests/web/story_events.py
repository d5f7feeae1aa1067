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
                *_denied(1, 1.0, hostile.ALL, "public.orders", hostile.MARKUP[1]),
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
    orders, customers = "public.orders", "public.customers"
    both = f"SELECT id, email, total FROM {orders} JOIN {customers} USING (customer_id) ORDER BY placed LIMIT 2"
    regions = f"SELECT region, sum(total) AS total\nFROM {orders}\nGROUP BY region\nORDER BY total DESC"
    said += _allowed(1, 3.0, f"SELECT count(*) FROM {orders} WHERE state = 'cancelled'", (orders,))
    said += _allowed(2, 6.0, both, (orders, customers), rows=2, masked={"email": 2})
    said += _allowed(3, 9.0, regions, (orders,), rows=3)
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
    said += _denied(4, 15.0, f"DROP TABLE {customers}", customers, f"no policy permits drop on {customers}")
    said += _held(5, 22.0)
    for count in range(6, 15):
        text = f"SELECT * FROM public.order_lines WHERE order_id = ${1} -- page {count}"
        said += _allowed(count, 60.0 + count * 4, text, ("public.order_lines",), rows=3)
    said.append((125.0, "closed", {"reason": "the client left"}))
    return _told(sorted(said, key=lambda one: one[0]))


def _asked(number: int, text: str, action: str, objects: tuple[str, ...]) -> Thing:
    effects = [{"action": action, "object": one} for one in objects]
    return {"number": number, "text": text, "parameters": [], "effects": effects}


def _allowed(
    number: int,
    offset: float,
    text: str,
    tables: tuple[str, ...],
    *,
    rows: int = 1,
    masked: dict[str, int] | None = None,
) -> list[tuple[float, str, Thing]]:
    finished: Thing = {"number": number, "rows": rows, "affected": None, "seconds": 0.021, "error": None}
    return [
        (offset, "asked", _asked(number, text, "read", tables)),
        (offset, "ruled", {"number": number, "decision": "allow", "reason": "", "policies": ["ci-reads-orders"]}),
        (offset + 0.02, "finished", finished | {"masked": masked or {}}),
    ]


def _denied(
    number: int, offset: float, text: str, touched: str, reason: str, action: str = "drop"
) -> list[tuple[float, str, Thing]]:
    return [
        (offset, "asked", _asked(number, text, action, (touched,))),
        (offset, "ruled", {"number": number, "decision": "deny", "reason": reason, "policies": []}),
        (offset, "refused", {"number": number, "told": f"refused by policy: {reason}"}),
    ]


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
    account = "resourceGroups/shop/providers/Microsoft.Storage/storageAccounts/shop"
    groups = f"GET {url}/resourcegroups?api-version=2022-09-01"
    keys = f"POST {url}/{account}/listKeys?api-version=2023-01-01"
    return [
        (0.0, "opened", {"detail": {"source": "10.20.4.17"}}),
        *_allowed(1, 1.0, groups, ("resourceGroups",))[:2],
        (1.1, "rows", {"number": 1, "columns": ["body"], "values": [[page + "… [48213 bytes in all]"]]}),
        (1.2, "finished", {**finished, "status": "200 OK", "masked": {"..owner": 1, "..pin": 1}}),
        *_denied(2, 4.0, keys, account, "agents get access, never secrets", "reveal"),
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
