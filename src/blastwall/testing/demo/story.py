"""The story that `blastwall demo --script` walks: each step says what it promises and checks that it came true."""

from __future__ import annotations

import json
import shlex
import shutil
import subprocess
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
from rich.console import Console

from blastwall.testing.demo.azure_sql_story import query_azure_sql
from blastwall.testing.demo.azure_story import manage_azure
from blastwall.testing.demo.scene import PATIENCE, Connection, Scene, blastwall, tell_ana, waiting
from blastwall.testing.demo.telling import Teller, shorten
from blastwall.testing.demo.world import FRAUD_DESK, REPORTING, World
from blastwall.testing.servers import ServerMissing, environment, find_program

_ANCHOR_SECONDS = 15.0
_INSUFFICIENT_PRIVILEGE = "42501"


def tell(world: World, console: Console) -> int:
    """Walk the story and return how many promises were checked.

    Raises:
        NotAsTold: a step did not go as it says.
    """
    scene = Scene(world, Teller(console), world.token(lifetime=600))
    with scene.connect() as connection:
        log_in(scene, connection)
        read_masked(scene, connection)
        join_on_tokens(scene, connection)
        refuse_drop(scene, connection)
        refuse_delete_of_everything(scene, connection)
    use_psql(scene)
    approve(scene)
    exempt_group(scene)
    refuse_other_tokens(scene)
    query_azure_sql(scene)
    manage_azure(scene)
    contain(scene)
    session = replay(scene)
    verify(scene)
    tamper(scene, session)
    return scene.teller.checked


def log_in(scene: Scene, connection: Connection) -> None:
    """The token is the password; the database sees the gateway's role."""
    scene.teller.step(
        "An agent shows its OIDC token as its PostgreSQL password",
        "The token says repo:acme/shop on main; the configuration calls that agent shop-report.",
    )
    scene.teller.sent("psycopg", f"{scene.world.client.conninfo} password={shorten(scene.token)}")
    [(role, application)] = scene.ask(
        connection, "SELECT current_user, current_setting('application_name') AS application_name"
    )
    scene.teller.check("the connection is encrypted, the gateway verified", bool(connection.pgconn.ssl_in_use))
    scene.teller.check("the database sees the gateway's own role, app", role == "app")
    scene.teller.check("and in its list of activity the agent's name", str(application).startswith("shop-report/"))


def read_masked(scene: Scene, connection: Connection) -> None:
    """Columns are masked by their source, free text by what is found in it."""
    scene.teller.step("It reads customers: personal data come back masked")
    rows = scene.ask(connection, "SELECT id, name, email, phone, iban, ssn FROM customers ORDER BY id LIMIT 4")
    real = {customer.id: customer for customer in scene.world.shop.customers}
    leaked = [
        value
        for number, _, *values in rows
        for value in (
            real[_number(number)].email,
            real[_number(number)].phone,
            real[_number(number)].iban,
            real[_number(number)].ssn,
        )
        if value in values
    ]
    scene.teller.check("names are readable", all(name == real[_number(number)].name for number, name, *_ in rows))
    scene.teller.check("no e-mail, phone, IBAN or SSN is", len(rows) == 4 and not leaked)
    aliased = scene.ask(
        connection,
        "WITH c AS (SELECT email AS x FROM customers ORDER BY id LIMIT 1) SELECT c.x AS nothing_special FROM c",
    )
    scene.teller.check("an alias in a CTE changes nothing", aliased == [(rows[0][2],)])
    notes = scene.ask(connection, "SELECT id, note FROM orders WHERE note LIKE '%@%' ORDER BY id LIMIT 2")
    addresses = {customer.email for customer in scene.world.shop.customers}
    scene.teller.check(
        "an e-mail address inside free text is found and hidden",
        bool(notes) and not any(address in str(note) for _, note in notes for address in addresses),
    )


def join_on_tokens(scene: Scene, connection: Connection) -> None:
    """A token stands for the same value everywhere."""
    scene.teller.step(
        "It joins on what it cannot read",
        "Card numbers are masked as tokens: the same number is the same token in every table.",
    )
    cards = scene.ask(connection, "SELECT number, customer_id FROM cards ORDER BY customer_id LIMIT 3")
    orders = connection.execute("SELECT card_number, customer_id FROM orders").fetchall()
    owners = {str(number): customer for number, customer in connection.execute("SELECT number, customer_id FROM cards")}
    scene.teller.sent("psycopg", "SELECT card_number, customer_id FROM orders")
    scene.teller.said(f"{len(orders)} rows; joined by the agent itself with the cards above, on the token")
    real = {card.number for card in scene.world.shop.cards}
    scene.teller.check("no card number is readable", bool(cards) and not real & set(owners))
    scene.teller.check(
        "every order finds its customer by the token",
        all(owners.get(str(token)) == customer for token, customer in orders),
    )


def refuse_drop(scene: Scene, connection: Connection) -> None:
    """A refusal is an ordinary SQL error, and the connection lives on."""
    scene.teller.step(
        "It tries DROP TABLE: an ordinary SQL error, and the connection lives on",
        "The database itself would allow it: the role app owns the table.",
    )
    before = connection.info.backend_pid
    error = scene.refusal(connection, "DROP TABLE customers")
    scene.teller.check(
        "refused as insufficient_privilege", error is not None and error.sqlstate == _INSUFFICIENT_PRIVILEGE
    )
    [(count,)] = scene.ask(connection, "SELECT count(*) FROM customers")
    scene.teller.check("the table is there", count == len(scene.world.shop.customers))
    scene.teller.check("on the same connection", connection.info.backend_pid == before and not connection.closed)


def refuse_delete_of_everything(scene: Scene, connection: Connection) -> None:
    """DELETE without WHERE is refused; with one it waits for a person, as a later step shows."""
    scene.teller.step("It tries DELETE without WHERE")
    error = scene.refusal(connection, "DELETE FROM orders")
    scene.teller.check("refused", error is not None and error.sqlstate == _INSUFFICIENT_PRIVILEGE)
    scene.teller.check("no order is gone", _orders(scene) == len(scene.world.shop.orders))


def use_psql(scene: Scene) -> None:
    """The same through psql."""
    scene.teller.step("The same with psql")
    try:
        psql = find_program("psql", "postgresql-client")
    except ServerMissing as missing:
        scene.teller.said(f"left out: {missing}", "yellow")
        return
    statements = (
        "SELECT id, name, email FROM customers ORDER BY id LIMIT 2;\n"
        "DROP TABLE orders;\n"
        "SELECT count(*) AS orders FROM orders;\n"
    )
    scene.teller.sent("psql", statements)
    said = _psql(psql, scene, statements)
    scene.teller.said(said)
    email = scene.world.shop.customers[0].email
    scene.teller.check("psql saw masked rows", "(2 rows)" in said and email not in said)
    scene.teller.check("one ordinary error", said.count("ERROR:") == 1)
    scene.teller.check("and the session went on", f" {len(scene.world.shop.orders)}\n(1 row)" in said)
    scene.teller.check("no order is gone", _orders(scene) == len(scene.world.shop.orders))


def approve(scene: Scene) -> None:
    """A DELETE of one order waits on its connection until a person has seen exactly what would run."""
    scene.teller.step(
        "A DELETE of one order waits for a person, who approves it in a second terminal",
        "Policy asks for one of the group dba; ana is one. The agent's client only sees that it takes a while.",
    )
    notices: list[str] = []
    statement = "DELETE FROM orders WHERE id = 7"
    with scene.connect() as connection, ThreadPoolExecutor(1) as beside:
        connection.add_notice_handler(lambda notice: notices.append(str(notice.message_primary)))
        scene.teller.sent("psycopg", statement)
        held = beside.submit(connection.execute, statement)
        request = waiting(scene)
        scene.teller.check("nothing is deleted yet", not held.done() and _orders(scene) == len(scene.world.shop.orders))
        shown = tell_ana(scene, "show", request)
        scene.teller.check("she sees the statement and who asks", statement in shown and "shop-report" in shown)
        said = tell_ana(scene, "approve", request, "--comment", "order 7 was a test")
        scene.teller.check("her approval is taken", "approved, 1/1 dba" in said)
        deleted = held.result(60).rowcount
        scene.teller.said("\n".join(notices), "yellow")
    scene.teller.check("a notice said at once where people decide", f"#/approvals/{request}" in "".join(notices))
    scene.teller.check("then it ran, and deleted one order", deleted == 1)
    scene.teller.check("which is gone", _orders(scene) == len(scene.world.shop.orders) - 1)


def contain(scene: Scene) -> None:
    """The agent is cut off: its open session dies, and it gets no new one."""
    scene.teller.step(
        "Its token was stolen: the agent is contained",
        "On every node, within a second, until somebody lifts it. The client is not told why.",
    )
    with scene.connect() as connection:
        scene.ask(connection, "SELECT 'a session that is open' AS thief")
        command = ["contain", "agent", "shop-report", "--reason", "its token was in a build log"]
        scene.teller.sent("shell", f"blastwall {shlex.join(command)}")
        scene.teller.said(scene.world.gateway.run(*command))
        scene.teller.check("its open session died", "contained" in _farewell(scene, connection))
    try:
        scene.connect().close()
    except psycopg.OperationalError as error:
        said = str(error)
        scene.teller.refused(said)
    else:
        said = ""
    scene.teller.check("its good token opens no other", "contained" in said)


def exempt_group(scene: Scene) -> None:
    """Another agent's group is exempt from one rule."""
    scene.teller.step("Another agent, fraud-desk, may see e-mail addresses, and nothing more")
    with scene.connect(scene.world.token(FRAUD_DESK, lifetime=600)) as connection:
        [(email, iban)] = scene.ask(connection, "SELECT email, iban FROM customers WHERE id = 1")
    customer = scene.world.shop.customers[0]
    scene.teller.check("the e-mail address is readable", email == customer.email)
    scene.teller.check("the IBAN is not", iban != customer.iban)


def refuse_other_tokens(scene: Scene) -> None:
    """A token for another service, an expired one and a stranger's open nothing."""
    scene.teller.step("Tokens that open nothing")
    world = scene.world
    for kind, token in (
        ("made for another service", world.token(audience="another-service", lifetime=600)),
        ("expired", world.token(REPORTING, lifetime=-600)),
        ("of a repository that is no agent", world.token("repo:mallory/shop:ref:refs/heads/main", lifetime=600)),
    ):
        scene.teller.sent("psycopg", f"password={shorten(token)}, {kind}")
        try:
            scene.connect(token).close()
        except psycopg.OperationalError as error:
            said = str(error)
            scene.teller.refused(said)
        else:
            said = ""
        scene.teller.check(f"a token {kind} is refused", "FATAL" in said and token not in said)


def replay(scene: Scene) -> str:
    """The session is found and replayed; return its id."""
    scene.teller.step("The session is listed and replayed")
    gateway = scene.world.gateway
    scene.teller.sent("shell", "blastwall sessions list --principal shop-report")
    scene.teller.said(gateway.run("sessions", "list", "--principal", "shop-report"))
    found = json.loads(
        gateway.run("sessions", "list", "--principal", "shop-report", "--text", "DROP TABLE customers", "--json")
    )
    scene.teller.check("the session with the DROP TABLE is found by its text", len(found) == 1)
    session = str(found[0]["session"])
    scene.teller.sent("shell", f"blastwall sessions replay {session} --transcript")
    transcript = gateway.run("sessions", "replay", session, "--transcript")
    scene.teller.said(transcript)
    scene.teller.check("the transcript shows what was asked and refused", "DROP TABLE customers" in transcript)
    scene.teller.check(
        "and holds no token and no password",
        scene.token not in transcript and scene.world.server.password not in transcript,
    )
    return session


def verify(scene: Scene) -> None:
    """The recordings are proven untouched."""
    scene.teller.step("The recordings are proven untouched")
    _await_anchors(scene)
    scene.teller.sent("shell", "blastwall audit verify")
    code, said = blastwall(scene, "audit", "verify", "-c", str(scene.world.gateway.file))
    scene.teller.said(said)
    scene.teller.check("verified: exit code 0", code == 0)


def tamper(scene: Scene, session: str) -> None:
    """One changed byte in a copy is found."""
    scene.teller.step("Somebody changes a copy of them: DROP becomes SHOW")
    original = scene.world.gateway.folder / "state" / "recordings"
    copy = scene.world.folder / "tampered"
    shutil.copytree(original, copy)
    changed = _change(copy, b"DROP TABLE customers", b"SHOW TABLE customers")
    scene.teller.sent("shell", f"sed -i s/DROP/SHOW/ {' '.join(path.name for path in changed)}")
    options = ["--recordings", str(copy), "--anchors", str(scene.world.gateway.folder / "anchors")]
    scene.teller.sent("shell", f"blastwall audit verify {' '.join(options)}")
    code, said = blastwall(scene, "audit", "verify", *options)
    scene.teller.refused(said)
    scene.teller.check("found: exit code 1, and it names the session", bool(changed) and code == 1 and session in said)


def _number(value: object) -> int:
    return int(str(value))


def _orders(scene: Scene) -> int:
    """Count the orders in the database itself, past the gateway."""
    [(count,)] = scene.world.server.execute("SELECT count(*) FROM orders", "shop")
    return _number(count)


def _farewell(scene: Scene, connection: Connection) -> str:
    """Return what the gateway says as it ends a session of which nothing is asked."""
    said: list[str] = []
    connection.add_notice_handler(lambda notice: said.append(str(notice.message_primary)))
    try:
        for _ in connection.notifies(timeout=PATIENCE):
            pass
    except psycopg.OperationalError as error:
        said.append(str(error))
    scene.teller.refused("\n".join(said))
    return "\n".join(said)


def _psql(psql: Path, scene: Scene, statements: str) -> str:
    done = subprocess.run(
        [psql, "--no-psqlrc", "--quiet", scene.world.client.conninfo],
        input=statements, env={**environment(), "PGPASSWORD": scene.token}, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True, check=False, timeout=60,
    )  # fmt: skip
    return done.stdout


def _await_anchors(scene: Scene) -> None:
    """Wait until a checkpoint made after the sessions is anchored; verification names what is not."""
    deadline = time.monotonic() + _ANCHOR_SECONDS
    while time.monotonic() < deadline:
        report = json.loads(scene.world.gateway.run("audit", "verify", "--json"))
        if all(node["anchored"] is not None and not node["unanchored"] for node in report["nodes"]):
            return
        time.sleep(0.5)


def _change(recordings: Path, old: bytes, new: bytes) -> Sequence[Path]:
    """Overwrite `old` by `new`, of the same length, in every open segment; return the changed files."""
    changed = [path for path in sorted(recordings.rglob("segment-*.log")) if old in path.read_bytes()]
    for path in changed:
        path.write_bytes(path.read_bytes().replace(old, new))
    return changed
