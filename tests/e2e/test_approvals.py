"""A person decides on a statement that waits: wherever one can wait, on every node, and never by a trick."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import psycopg
import pytest
from psycopg.errors import InsufficientPrivilege
from tests.e2e.conftest import POLICIES, SHOP, Shop, configuration
from tests.e2e.opening import DATABASE, events, opened
from tests.waiting import SOON, eventually

from blastwall.model.events import HoldEnded, HoldStarted, StatementRuled
from blastwall.model.ruling import Decision
from blastwall.testing.gateway import Gateway
from blastwall.testing.issuer import DevIssuer
from blastwall.testing.postgres import PostgresServer

T = TypeVar("T")
Agent = psycopg.Connection[tuple[object, ...]]
HELD = "DELETE FROM customers WHERE id = 99"
HOLDS = (
    POLICIES
    + """
@id("archiving-needs-approval")
@approval("dba:1")
forbid (principal, action == Action::"create", resource == Object::"pg-prod/shop/public/archive");
"""
)
USERS = [
    {"name": "dora", "issuer": "ci", "match": {"oid": "d0"}, "groups": ["dba"]},
    {"name": "victor", "issuer": "ci", "match": {"oid": "v0"}, "groups": ["viewers"]},
    {"name": "axel", "issuer": "ci", "match": {"oid": "a0"}, "groups": ["accounting"]},
]
ROLES = {"viewer": ["viewers"], "approver": ["dba", "accounting"]}
HOLD = {"timeout": "60s", "in_transaction": "30s"}


@dataclass
class People:
    """Whoever acts over the API of a shop's gateway."""

    shop: Shop

    def token(self, oid: str) -> str:
        return self.shop.issuer.token("person", claims={"oid": oid})

    def call(self, method: str, path: str, token: str, body: object = None) -> tuple[int, dict[str, object]]:
        request = urllib.request.Request(
            f"{self.shop.gateway.control_url}/api/v1{path}",
            None if body is None else json.dumps(body).encode(),
            {"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
            method=method,
        )
        status, text = self.shop.gateway.request(request)
        return status, json.loads(text)

    def listed(self, state: str = "waiting") -> list[dict[str, object]]:
        status, page = self.call("GET", f"/approvals?state={state}", self.token("d0"))
        assert status == 200, page
        items = page["items"]
        assert isinstance(items, list)
        return items

    def waiting(self, count: int = 1) -> list[dict[str, object]]:
        """The requests that wait, once there are so many; the first asked for first."""
        return eventually(lambda: (len(found := self.listed()) == count and found) or [], f"{count} wait")[::-1]

    def approve(self, identity: object, oid: str = "d0", **body: object) -> tuple[int, dict[str, object]]:
        return self.call("POST", f"/approvals/{identity}/approve", self.token(oid), body)

    def deny(self, identity: object, comment: str, oid: str = "d0") -> tuple[int, dict[str, object]]:
        return self.call("POST", f"/approvals/{identity}/deny", self.token(oid), {"comment": comment})

    def state(self, identity: object) -> object:
        return self.call("GET", f"/approvals/{identity}", self.token("d0"))[1]["state"]


@contextmanager
def meanwhile(action: Callable[[], T]) -> Iterator[Future[T]]:
    """Do something that waits, while the block goes on."""
    with ThreadPoolExecutor(1) as pool:
        yield pool.submit(action)


@pytest.fixture(scope="module")
def desk(postgres_newest: PostgresServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[People]:
    folder = tmp_path_factory.mktemp("approvals")
    with opened(postgres_newest, folder, policies=HOLDS, hold=HOLD, users=USERS, control={"roles": ROLES}) as shop:
        yield People(shop)


@pytest.fixture
def agent(desk: People) -> Iterator[Agent]:
    with desk.shop.connect() as connection:
        yield connection


def simple(agent: Agent, text: str) -> Callable[[], str]:
    def run() -> str:
        result = agent.pgconn.exec_(text.encode())
        return (result.error_message or result.command_status or b"").decode()

    return run


def copies(agent: Agent) -> int:
    with agent.cursor() as cursor:
        with cursor.copy("COPY archive FROM STDIN") as copy:
            copy.write_row((1, "a"))
        return cursor.rowcount


def in_pipeline(agent: Agent) -> list[int]:
    with agent.pipeline():
        before = agent.execute("SELECT 1")
        held = agent.execute(HELD)
        after = agent.execute("SELECT 3")
    return [before.rowcount, held.rowcount, after.rowcount]


def in_transaction(agent: Agent) -> int:
    with agent.transaction():
        agent.execute("UPDATE orders SET total = total WHERE id = 1")
        return agent.execute(HELD).rowcount


PLACES: Mapping[str, tuple[Callable[[Agent], object], object]] = {
    "simple": (lambda agent: simple(agent, HELD)(), "DELETE 0"),
    "extended": (lambda agent: agent.execute("DELETE FROM customers WHERE id = %s", (99,)).rowcount, 0),
    "prepared": (lambda agent: agent.execute("DELETE FROM customers WHERE id = %s", (98,), prepare=True).rowcount, 0),
    "pipeline": (in_pipeline, [1, 0, 1]),
    "transaction": (in_transaction, 0),
    "copy": (copies, 1),
    "several in one text": (lambda agent: simple(agent, f"SELECT 1; {HELD}; SELECT 2")(), "SELECT 1"),
}


@pytest.mark.parametrize("place", PLACES)
def test_an_approved_statement_runs_wherever_it_was_held(desk: People, agent: Agent, place: str) -> None:
    action, expected = PLACES[place]
    with meanwhile(lambda: action(agent)) as result:
        (request,) = desk.waiting()
        assert not result.done()
        assert request["in_transaction"] == (place == "transaction")
        status, decided = desk.approve(request["id"])
        assert (status, decided["state"]) == (200, "approved")
        assert result.result(SOON) == expected
    assert agent.execute("SELECT 1").fetchone() == (1,)


@pytest.mark.parametrize("place", ["simple", "pipeline", "transaction", "copy"])
def test_the_client_of_a_denied_statement_hears_why_and_goes_on(desk: People, agent: Agent, place: str) -> None:
    action, _ = PLACES[place]

    def refused() -> str:
        try:
            return str(action(agent))
        except InsufficientPrivilege as error:
            return str(error)

    with meanwhile(refused) as said:
        (request,) = desk.waiting()
        assert desk.deny(request["id"], "use the archive instead")[0] == 200
        assert "approval was refused: use the archive instead" in said.result(SOON)
    assert agent.execute("SELECT 1").fetchone() == (1,)


def test_people_see_who_asks_what_and_values_are_masked(desk: People, agent: Agent) -> None:
    desk.shop.direct("ANALYZE customers")
    text = "DELETE FROM customers WHERE email = %s AND id = %s"
    with meanwhile(lambda: agent.execute(text, ("ada@example.com", 5)).rowcount) as result:
        (request,) = desk.waiting()
        preview = eventually(lambda: estimated(desk, request["id"]), "the estimate is there")
        desk.approve(request["id"])
        result.result(SOON)
    assert (preview["rows"], preview["how"]) == (3, "statistics")
    assert request["text"] == "DELETE FROM customers WHERE email = $1 AND id = $2"
    assert request["parameters"] == ["a***@example.com", "5"]
    assert {"action": "delete", "object": "shop.public.customers", "kind": "table"} in _list(request["effects"])
    principal = request["principal"]
    assert isinstance(principal, dict)
    assert (principal["kind"], principal["name"], principal["claims"]["repository_id"]) == ("agent", "shop-ci", "42")
    policy = next(each for each in _list(request["policies"]) if each["id"] == "deletes-need-approval")
    assert "shop.cedar:" in str(policy["where"])
    assert request["needed"] == [{"group": "dba", "count": 1, "given": 0}]
    assert request["can_decide"] is True


def estimated(desk: People, identity: object) -> dict[str, object]:
    preview = desk.call("GET", f"/approvals/{identity}", desk.token("d0"))[1]["preview"]
    assert isinstance(preview, dict)
    return preview if preview["how"] != "none" else {}


def _list(value: object) -> list[dict[str, object]]:
    assert isinstance(value, list)
    return value


def test_the_notice_comes_at_once_with_the_link(desk: People, agent: Agent) -> None:
    said: list[str] = []
    agent.add_notice_handler(lambda notice: said.append(str(notice.message_primary)))
    with meanwhile(lambda: agent.execute(HELD)) as result:
        (request,) = desk.waiting()
        eventually(lambda: said or result.done(), "the notice arrives")
        assert not result.done()
        assert str(request["link"]) in said[0]
        assert str(request["link"]).endswith(f"/#/approvals/{request['id']}")
        desk.approve(request["id"])
        result.result(SOON)


def test_an_approval_never_stands_for_the_next_one(desk: People, agent: Agent) -> None:
    text = "DELETE FROM customers WHERE id = %s"
    for _ in range(3):
        with meanwhile(lambda: agent.execute(text, (99,), prepare=True).rowcount) as result:
            (request,) = desk.waiting()
            desk.approve(request["id"])
            assert result.result(SOON) == 0


def test_an_approval_for_minutes_lets_the_same_statement_through_and_no_other(desk: People, agent: Agent) -> None:
    text = "DELETE FROM customers WHERE id = %s AND ssn IS NULL"
    with meanwhile(lambda: agent.execute(text, (97,)).rowcount) as result:
        (request,) = desk.waiting()
        assert desk.approve(request["id"], scope="statement", minutes=5)[0] == 200
        result.result(SOON)
    assert agent.execute(text, (97,)).rowcount == 0
    with desk.shop.connect() as other:
        assert other.execute(text, (97,)).rowcount == 0
    with meanwhile(lambda: agent.execute(text, (96,)).rowcount) as result:
        (request,) = desk.waiting()
        desk.approve(request["id"])
        result.result(SOON)


@pytest.mark.parametrize(
    ("token", "status"),
    [("v0", 403), ("a0", 403), ("agent", 403), ("nobody", 401), ("other agent", 403)],
)
def test_who_may_not_approve(desk: People, agent: Agent, token: str, status: int) -> None:
    tokens = {"agent": desk.shop.token(), "other agent": desk.shop.token(repository_id="43"), "nobody": "ey.a.b"}
    shown = tokens.get(token) or desk.token(token)
    with meanwhile(lambda: agent.execute(HELD)) as result:
        (request,) = desk.waiting()
        for path, body in (("approve", {}), ("deny", {"comment": "no"})):
            got, problem = desk.call("POST", f"/approvals/{request['id']}/{path}", shown, body)
            assert got == status, problem
        assert not result.done()
        desk.approve(request["id"])
        result.result(SOON)


def test_a_viewer_sees_and_learns_why_they_cannot_decide(desk: People, agent: Agent) -> None:
    with meanwhile(lambda: agent.execute(HELD)) as result:
        (request,) = desk.waiting()
        for oid, why in (("v0", "role approver"), ("a0", "not in the group dba")):
            status, seen = desk.call("GET", f"/approvals/{request['id']}", desk.token(oid))
            assert (status, seen["can_decide"]) == (200, False)
            assert why in str(seen["cannot_because"])
        desk.approve(request["id"])
        result.result(SOON)


def test_an_agent_sees_no_approvals(desk: People) -> None:
    assert desk.call("GET", "/approvals", desk.shop.token())[0] == 403


def test_a_client_that_left_is_not_approved_any_more(desk: People) -> None:
    agent = desk.shop.connect()
    agent.pgconn.send_query(HELD.encode())
    agent.pgconn.flush()
    (request,) = desk.waiting()
    agent.close()
    eventually(lambda: desk.state(request["id"]) == "withdrawn", "the request is withdrawn")
    status, problem = desk.approve(request["id"])
    assert (status, "has left" in str(problem["detail"])) == (409, True)


def test_containment_withdraws_what_its_agent_asked_for(desk: People) -> None:
    with desk.shop.connect(repository_id="43") as agent:
        with meanwhile(simple(agent, HELD)):
            (request,) = desk.waiting()
            desk.shop.gateway.run("contain", "agent", "auditor", "--reason", "test")
            eventually(lambda: desk.state(request["id"]) == "withdrawn", "the request is withdrawn")
        desk.shop.lift("auditor", repository_id="43")
    assert desk.approve(request["id"])[0] == 409


def test_policy_that_forbids_meanwhile_wins_over_the_approval(desk: People, agent: Agent) -> None:
    forbid = '\n@id("freeze") forbid (principal, action == Action::"delete", resource);\n'

    def refused() -> str:
        with pytest.raises(InsufficientPrivilege) as caught:
            agent.execute(HELD)
        return str(caught.value)

    with meanwhile(refused) as said:
        (request,) = desk.waiting()
        try:
            desk.shop.gateway.write(desk.shop.gateway.configuration, {"shop.cedar": HOLDS + forbid})
            desk.shop.gateway.reload()
            assert desk.approve(request["id"])[0] == 200
            assert "not permit" in said.result(SOON) or "policy" in said.result(SOON)
        finally:
            desk.shop.gateway.write(desk.shop.gateway.configuration, {"shop.cedar": HOLDS})
            desk.shop.gateway.reload()
    rulings = [event for event in _newest(desk.shop) if isinstance(event, StatementRuled)]
    assert [each.ruling.decision for each in rulings] == [Decision.HOLD, Decision.DENY]


def _newest(shop: Shop) -> list[object]:
    found = events(shop)
    held = [session for session, all_ in found.items() if any(isinstance(event, HoldStarted) for event in all_)]
    return list(found[max(held)])


def test_the_recording_says_who_approved(desk: People) -> None:
    with desk.shop.connect() as agent, meanwhile(lambda: agent.execute(HELD)) as result:
        (request,) = desk.waiting()
        desk.approve(request["id"], comment="go")
        result.result(SOON)
    (ended,) = [event for event in _newest(desk.shop) if isinstance(event, HoldEnded)]
    assert (ended.outcome, ended.by, ended.reason) == ("approved", ("dora",), f"request {request['id']}")


# ── those who cannot wait ────────────────────────────────────────────────────────────────────────────────────────────


def cli(desk: People, *arguments: str, oid: str = "d0") -> subprocess.CompletedProcess[str]:
    environment = {
        **os.environ,
        "BLASTWALL_SERVER": desk.shop.gateway.control_url,
        "BLASTWALL_CA": str(desk.shop.gateway.ca),
        "BLASTWALL_TOKEN": desk.token(oid),
    }
    return subprocess.run(
        [sys.executable, "-m", "blastwall", "approvals", *arguments],
        env=environment, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


def test_who_cannot_wait_sends_it_again_after_an_approval_on_the_command_line(
    postgres_newest: PostgresServer, tmp_path: Path
) -> None:
    hold = {"hold": {"mode": "fail", "approval_ttl": "5m"}}
    agents = [{"name": "shop-ci", "issuer": "ci", "match": {"repository_id": "42"}, "groups": ["ci"], **hold}]
    with opened(postgres_newest, tmp_path, policies=HOLDS, agents=agents, users=USERS, masking=[]) as shop:
        desk = People(shop)
        with shop.connect() as agent, pytest.raises(InsufficientPrivilege) as caught:
            agent.execute(HELD)
        (request,) = desk.listed()
        assert f"request {request['id']}" in str(caught.value)
        assert str(request["link"]) in str(caught.value)
        shop.gateway.terminate()
        shop.gateway.start()
        assert cli(desk, "approve", str(request["id"]), oid="v0").returncode == 1
        approved = cli(desk, "approve", str(request["id"]), "--comment", "go ahead")
        assert (approved.returncode, "approved" in approved.stdout) == (0, True)
        with shop.connect() as agent:
            assert agent.execute(HELD).rowcount == 0
            with pytest.raises(InsufficientPrivilege, match="people have been asked"):
                agent.execute(HELD)
        (second,) = desk.listed()
        assert second["id"] != request["id"]


# ── nodes ────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def nodes(postgres_newest: PostgresServer, tmp_path: Path) -> Iterator[tuple[People, People]]:
    server = postgres_newest
    for database, tables in ((DATABASE, SHOP), ("state", "")):
        server.execute(f"DROP DATABASE IF EXISTS {database} WITH (FORCE)")
        server.create_database(database, tables)
    state = f"postgresql://postgres@localhost:{server.port}/state?sslmode=verify-full&sslrootcert={server.ca}"
    hold = {"timeout": "60s", "key": {"env": "HOLD_KEY"}}
    environment = {"PG_PASSWORD": server.password, "PGPASSWORD": server.password, "HOLD_KEY": "k" * 40}
    with DevIssuer() as issuer, ExitStack() as stack:

        def node(name: str, workers: int) -> People:
            settings = configuration(server, issuer, node=name, state=state, hold=hold, users=USERS, workers=workers)
            gateway = Gateway(settings, policies={"shop.cedar": HOLDS}, environment=environment, folder=tmp_path / name)
            return People(Shop(stack.enter_context(gateway), issuer, server, DATABASE))

        yield node("one", 2), node("two", 1)


def test_what_is_held_on_one_node_is_approved_on_another_and_a_killed_node_leaves_nothing_waiting(
    nodes: tuple[People, People],
) -> None:
    one, two = nodes
    with one.shop.connect() as agent:
        for _ in range(3):
            with meanwhile(lambda: agent.execute(HELD).rowcount) as result:
                (request,) = two.waiting()
                assert request["node"] == "one"
                assert two.approve(request["id"])[0] == 200
                assert result.result(SOON) == 0
        with meanwhile(lambda: agent.execute(HELD).rowcount) as result:
            (request,) = one.waiting()
            assert one.approve(request["id"])[0] == 200
            assert result.result(SOON) == 0
    agent = two.shop.connect()
    agent.pgconn.send_query(HELD.encode())
    agent.pgconn.flush()
    (request,) = one.waiting()
    two.shop.gateway.kill()
    assert one.state(request["id"]) == "waiting"
    agent.close()
    two.shop.gateway.start()
    assert one.state(request["id"]) == "withdrawn"
