"""The frame of `/api/v1`: what holds for every endpoint, and what a stranger's request can do to none of them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Annotated, Literal

import pytest
import pytest_asyncio
from fastapi import Query
from tests.api.live import Live, running
from tests.waiting import SOON

from blastwall.api.frame import Answer, Body, Endpoint, Id, InCaller, InControl, Text
from blastwall.api.pages import Page, PageQuery, page
from blastwall.api.routes import ENDPOINTS
from blastwall.control.access import Access, Operator, Remote, UseCases, use_case

pytestmark = pytest.mark.asyncio(loop_scope="module")


class Taken(Exception):
    """A use-case's own error."""


class Things(UseCases):
    """A use-case of each kind."""

    def __init__(self) -> None:
        self.made: list[str] = []
        self.begun = asyncio.Event()
        self.slow = asyncio.Event()

    @use_case(Access.VIEWER)
    def list(self, caller: Remote) -> list[int]:
        return list(range(10, 0, -1))

    @use_case(Access.OPERATOR)
    async def make(self, caller: Remote | Operator, name: str) -> int:
        if name == "taken":
            raise Taken("there is one of this name")
        if name == "broken":
            raise RuntimeError("hunter2")
        if name == "slow":
            self.begun.set()
            await self.slow.wait()
        self.made.append(name)
        return len(self.made)


class Make(Body):
    """What to make."""

    name: Text
    count: int = 1
    how: Literal["well", "badly"] = "well"


class Made(Answer):
    """What was made."""

    number: int


class ThingsQuery(PageQuery):
    """Which ones."""

    odd: bool | None = None


THINGS = Things()


async def listed(control: InControl, caller: InCaller, query: Annotated[ThingsQuery, Query()]) -> Page[Made]:
    """List things."""
    found = [number for number in THINGS.list(caller) if query.odd is None or (number % 2 == 1) is query.odd]
    return page(found, query, lambda each: (float(each), ""), lambda each: Made(number=each))


async def make(control: InControl, caller: InCaller, body: Make) -> Made:
    """Make a thing."""
    return Made(number=await THINGS.make(caller, body.name))


async def remake(control: InControl, caller: InCaller, id: Id, body: Make) -> Made:  # noqa: A002
    """Make a thing again."""
    return Made(number=await THINGS.make(caller, f"{id}-{body.name}"))


TABLE = (
    Endpoint("GET", "/things", listed, Things.list),
    Endpoint("POST", "/things", make, Things.make, {Taken: 409}, status=201, repeats=True),
    Endpoint("POST", "/things/{id}/again", remake, Things.make),
)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def live(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Live]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("blastwall.api.application.ENDPOINTS", (*ENDPOINTS, *TABLE))
        async with running(tmp_path_factory.mktemp("gateway")) as found:
            yield found


@pytest.fixture(autouse=True)
def nothing_made() -> None:
    THINGS.made.clear()
    THINGS.begun, THINGS.slow = asyncio.Event(), asyncio.Event()


async def test_who_am_i(live: Live) -> None:
    assert await live.get("/me", "ana") == (
        200,
        {
            "kind": "user",
            "name": "ana",
            "groups": ["dba", "staff"],
            "roles": ["approver", "viewer"],
            "csrf": None,
            "signed_in_until": None,
        },
    )
    assert (await live.get("/me", "ci"))[1]["kind"] == "agent"
    assert (await live.get("/me", None))[0] == 401
    assert (await live.get("/version", None))[0] == 200


async def test_health_is_for_viewers(live: Live) -> None:
    status, health = await live.get("/health", "vera")
    assert (status, health["ready"], health["waiting_for"]) == (200, True, [])
    assert health["workers"] == {"of": 1, "ready": 1}
    for who, refused in (("ci", 403), ("nobody", 403), (None, 401)):
        assert (await live.get("/health", who))[0] == refused


async def test_pages_follow_each_other(live: Live) -> None:
    seen: list[int] = []
    path: str | None = "/things?limit=4"
    while path is not None:
        status, found = await live.get(path)
        assert status == 200
        items = found["items"]
        assert isinstance(items, list)
        seen += [item["number"] for item in items]
        path = f"/things?limit=4&cursor={found['next']}" if found["next"] else None
    assert seen == list(range(10, 0, -1))
    assert len((await live.get("/things?odd=true"))[1]["items"]) == 5  # type: ignore[arg-type]


@pytest.mark.parametrize("cursor", ["x", "e30", "W10", "WzEsIDJd", "A" * 513, "%00", "W05hTixd"])
async def test_a_cursor_of_ones_own_is_refused(live: Live, cursor: str) -> None:
    status, found = await live.get(f"/things?cursor={cursor}")
    assert status in {400, 422}
    assert found["title"]


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=201", "limit=many", "token=x", "limit=1&access_token=x", "odd=perhaps"]
)
async def test_what_is_not_a_parameter_is_refused(live: Live, query: str) -> None:
    status, found = await live.get(f"/things?{query}")
    assert (status, found["type"]) == (422, "about:blank")


async def test_a_token_in_the_url_is_no_proof(live: Live) -> None:
    """It would end up in logs and histories, so it is refused even where the caller is known otherwise."""
    for path in ("/me", "/health", "/things"):
        assert (await live.get(f"{path}?access_token={live.token()}", None))[0] == 401
        assert (await live.get(f"{path}?access_token={live.token()}"))[0] == 422


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b'{"name": "a"}', 201),
        (b"", 422),
        (b"{", 400),
        (b"[]", 400),
        (b'{"name": "a", "name": "b"}', 400),
        (b'{"name": "a", "colour": "red"}', 422),
        (b'{"name": "a", "count": "2"}', 422),
        (b'{"name": "a", "count": true}', 422),
        (b'{"name": "a", "count": NaN}', 400),
        (b'{"name": "a", "how": "so"}', 422),
        (b'{"name": "\\u0000"}', 400),
        (b'{"name": "\\ud800"}', 400),
        (b'{"name": "' + b"x" * 1001 + b'"}', 422),
        (b'{"name": "' + b"x" * 70_000 + b'"}', 413),
        (b"[" * 5000, 400),
        (b'{"name": "taken"}', 409),
        (b'{"name": "broken"}', 500),
    ],
)
async def test_bodies(live: Live, body: bytes, status: int) -> None:
    headers = {**live.bearer("olga"), "Content-Type": "application/json"}
    async with live.http.post(f"{live.api}/things", data=body, headers=headers) as response:
        text = await response.text()
        assert response.status == status, text
        assert response.headers["Cache-Control"] == "no-store"
        assert "hunter2" not in text
        if status != 201:
            assert response.content_type == "application/problem+json"
            assert set(json.loads(text)) == {"type", "title", "status", "detail"}


async def test_only_json_is_read(live: Live) -> None:
    """A form, which another site's page can send without asking, is none."""
    for media_type in ("application/x-www-form-urlencoded", "text/plain", "multipart/form-data"):
        headers = {**live.bearer("olga"), "Content-Type": media_type}
        async with live.http.post(f"{live.api}/things", data=b'{"name": "a"}', headers=headers) as response:
            assert response.status == 415
    assert THINGS.made == []


async def test_nobody_learns_from_mistakes_what_is_not_theirs(live: Live) -> None:
    """Who may not call hears so, whatever else is wrong with the request."""
    for who, status in ((None, 401), ("ana", 403), ("audrey", 403), ("ci", 403)):
        for sent in ({"name": "a"}, {"wrong": 1}, None):
            assert (await live.ask("POST", "/things", who, sent))[0] == status
    assert THINGS.made == []


async def test_a_request_that_is_sent_twice_is_done_once(live: Live) -> None:
    async def send(key: str, name: str, who: str = "olga") -> tuple[int, dict[str, object]]:
        return await live.ask("POST", "/things", who, {"name": name}, {"Idempotency-Key": key})

    assert await send("k1", "one") == (201, {"number": 1})
    assert await send("k1", "one") == (201, {"number": 1})
    assert (await send("k1", "two"))[0] == 422
    assert await send("k2", "two") == (201, {"number": 2})
    assert THINGS.made == ["one", "two"]
    assert (await send("k3", "taken"))[0] == 409
    assert await send("k3", "three") == (201, {"number": 3})
    assert (await send("\u00e9", "x"))[0] == 422


async def test_a_request_that_is_being_worked_on_is_not_done_again(live: Live) -> None:
    key = {"Idempotency-Key": "slow"}
    first = asyncio.create_task(live.ask("POST", "/things", "olga", {"name": "slow"}, key))
    await asyncio.wait_for(THINGS.begun.wait(), SOON)
    async with asyncio.timeout(SOON):
        assert (await live.ask("POST", "/things", "olga", {"name": "slow"}, key))[0] == 409
    assert not first.done()
    THINGS.slow.set()
    assert (await first)[0] == 201
    assert THINGS.made == ["slow"]


async def test_anothers_key_is_another_key(live: Live) -> None:
    """Whoever knows a key gets neither its answer nor in its way."""
    key = {"Idempotency-Key": "shared"}
    assert (await live.ask("POST", "/things", "olga", {"name": "a"}, key))[0] == 201
    assert (await live.ask("POST", "/things", "ana", {"name": "a"}, key))[0] == 403
    assert (await live.ask("POST", "/things", None, {"name": "a"}, key))[0] == 401
    assert THINGS.made == ["a"]


async def test_the_document_tells_all_of_it(live: Live) -> None:
    async with live.http.get(f"{live.api}/openapi.json") as response:
        document = await response.json()
    paths = document["paths"]
    assert set(paths) == {endpoint.full_path for endpoint in (*ENDPOINTS, *TABLE)}
    make = paths["/api/v1/things"]["post"]
    assert {"201", "400", "401", "403", "409", "413", "415", "422", "429", "503"} == set(make["responses"])
    assert make["responses"]["409"]["content"]["application/problem+json"]["schema"]["$ref"].endswith("/Problem")
    assert make["security"] == [{"bearer": []}, {"cookie": [], "csrf": []}]
    assert [each["name"] for each in make["parameters"]] == ["Idempotency-Key"]
    listing = paths["/api/v1/things"]["get"]
    assert {each["name"] for each in listing["parameters"]} == {"limit", "cursor", "odd"}
    assert listing["security"] == [{"bearer": []}, {"cookie": []}]
    assert set(document["components"]["securitySchemes"]) == {"bearer", "cookie", "csrf"}


@pytest.mark.parametrize(("method", "path", "status"), [("GET", "/nowhere", 404), ("DELETE", "/things", 405)])
async def test_what_is_not_there_is_a_problem_too(live: Live, method: str, path: str, status: int) -> None:
    async with live.http.request(method, live.api + path) as response:
        assert (response.status, response.content_type) == (status, "application/problem+json")
