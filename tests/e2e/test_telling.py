"""People are told of what happens, at a gateway with real clients, through webhooks on a server of the tests' own."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import psycopg
import pytest
from tests.cli.api_server import ApiServer, Asked, api_server
from tests.conftest import StartGateway
from tests.e2e.conftest import POLICIES, SHOP, configuration
from tests.waiting import SOON, promised

from blastwall.model.told import Topic
from blastwall.testing.gateway import Gateway
from blastwall.testing.issuer import DevIssuer
from blastwall.testing.postgres import PostgresServer

KEY = "a key of more than twenty-four bytes"
SLACK = "/services/T0/B0/xoxp-very-secret"


@pytest.fixture
def hooks(tmp_path: Path) -> Iterator[ApiServer]:
    folder = tmp_path / "hooks"
    folder.mkdir()
    with api_server(folder) as server:
        server.answer(f"POST {SLACK}", (200, b"ok"))
        server.answer("POST /ops", (200, b"ok"))
        yield server


@pytest.fixture
def told(gateway: StartGateway, postgres15: PostgresServer, issuer: DevIssuer, hooks: ApiServer) -> Gateway:
    """A gateway that tells of refusals."""
    return started(gateway, postgres15, hooks, issuer)


def started(
    gateway: StartGateway, postgres15: PostgresServer, hooks: ApiServer, issuer: DevIssuer, **more: object
) -> Gateway:
    postgres15.execute("DROP DATABASE IF EXISTS shop WITH (FORCE)")
    postgres15.create_database("shop", SHOP)
    reach = {"private": True, "ca": str(hooks.ca)}
    notifications = [
        {"slack": {"env": "SLACK_URL"}, "for": ["denied"], **reach},
        {"name": "ops", "webhook": f"{hooks.url}/ops", "secret": {"env": "OPS_KEY"}, "for": [*Topic], **reach},
    ]
    environment = {"PG_PASSWORD": postgres15.password, "SLACK_URL": hooks.url + SLACK, "OPS_KEY": KEY}
    return gateway(
        configuration(postgres15, issuer, notifications=notifications, **more), {"shop.cedar": POLICIES}, environment
    )


def sent(hooks: ApiServer, path: str, seconds: float = SOON) -> Asked:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = [asked for asked in hooks.asked if asked.path == path]
        if found:
            return found[0]
        time.sleep(0.05)
    raise AssertionError(f"nothing was sent to {path}")


def connect(gateway: Gateway, issuer: DevIssuer) -> psycopg.Connection[tuple[object, ...]]:
    token = issuer.token("ci", claims={"repository_id": "42"})
    return psycopg.connect(gateway.dsn("shop", token), autocommit=True)


def test_a_refused_statement_is_told_masked_and_signed(told: Gateway, issuer: DevIssuer, hooks: ApiServer) -> None:
    with connect(told, issuer) as agent:
        for statement in ("DROP TABLE orders", "CREATE ROLE eve PASSWORD 'hunter2'"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                agent.execute(statement)
    ops = sent(hooks, "/ops")
    headers = {name.lower(): value for name, value in ops.headers.items()}
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.{ops.body}".encode()
    expected = base64.b64encode(hmac.new(KEY.encode(), signed, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{expected}"
    message = json.loads(ops.body)
    assert (message["topic"], message["text"]) == ("denied", "DROP TABLE orders")
    assert message["link"].startswith("https://localhost:")
    assert "shop-ci was refused at pg-prod" in sent(hooks, SLACK).body
    wait(lambda: len({(asked.path, asked.body) for asked in hooks.asked}) == 4)  # some may be sent again
    assert not any("hunter2" in asked.body for asked in hooks.asked)
    assert "very-secret" not in told.log


def test_everything_else_is_told(
    gateway: StartGateway, postgres15: PostgresServer, issuer: DevIssuer, hooks: ApiServer
) -> None:
    """A held statement, containment by a person and by a spent budget; what somebody lifts."""
    running = started(gateway, postgres15, hooks, issuer, budgets=[BUDGET])
    with connect(running, issuer) as agent, pytest.raises(psycopg.Error):
        agent.execute("DELETE FROM customers WHERE email = 'ada@example.com'")
    with connect(running, issuer) as agent:
        agent.execute("SELECT * FROM orders")
        with suppress(psycopg.Error):
            for _ in range(int(SOON / 0.1)):
                agent.execute("SELECT * FROM orders")
                time.sleep(0.1)
    wait(lambda: len(about(hooks, "contained")) == 1)
    running.run("contain", "agent", "shop-ci", "--lift", "--reason", "it was a test")
    running.run("contain", "resource", "pg-prod", "--reason", "an incident")
    wait(lambda: len(about(hooks, "lifted")) == 1 and len(about(hooks, "contained")) == 2)
    wait(lambda: bool(of_topic(hooks, "approval")))
    (held,) = of_topic(hooks, "approval")
    assert held["resource"] == "pg-prod"
    assert str(held["link"]).startswith(f"https://localhost:{running.control_port}/#/approvals/")
    assert "DELETE FROM customers" in str(held["text"])
    assert "ada@example.com" not in str(held)
    assert {"label": "by", "value": "budget reads"} in about(hooks, "contained")[0]["facts"]  # type: ignore[operator]


BUDGET = {"name": "reads", "agents": ["shop-ci"], "window": "1h", "rows_read": 100}


def messages(hooks: ApiServer) -> list[dict[str, object]]:
    """What the service of one's own was sent, each message once."""
    found = {asked.headers["webhook-id"]: json.loads(asked.body) for asked in hooks.asked if asked.path == "/ops"}
    return list(found.values())


def of_topic(hooks: ApiServer, topic: str) -> list[dict[str, object]]:
    return [each for each in messages(hooks) if each["topic"] == topic]


def about(hooks: ApiServer, state: str) -> list[dict[str, object]]:
    return [each for each in messages(hooks) if str(each["title"]).endswith(f"was {state}")]


def test_a_dead_webhook_delays_no_statement(told: Gateway, issuer: DevIssuer, hooks: ApiServer) -> None:
    hooks.drop = 1_000_000
    with connect(told, issuer) as agent:
        began = time.monotonic()
        for _ in range(50):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                agent.execute("DROP TABLE orders")
        assert agent.execute("SELECT 1").fetchone() == (1,)
        assert time.monotonic() - began < promised(10)
    wait(lambda: "notification_not_sent" in told.log)
    assert "very-secret" not in told.log


def wait(true: Callable[[], bool], seconds: float = SOON) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.05)
