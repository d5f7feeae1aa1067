"""Resources that share a port, and connections that go on with another session."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from tests.gate.fakes import FakeIdentity, World, a_resource, an_agent
from tests.relay.conftest import FAST
from tests.relay.post import Post
from tests.relay.toy import Toy, ToyClient, ToyServer, eventually

from blastwall.gate.ports import Identified, IPAddress, Refusal
from blastwall.model.events import LoginAdmitted, SessionClosed, SessionOpened, StatementAsked
from blastwall.model.resource import Address, Resource, TlsMode
from blastwall.relay import Relay, RelayLimits, Served, ServerTls
from blastwall.testing.certificates import CertificateAuthority
from blastwall.testing.ports import free_port


class Identities(FakeIdentity):
    """Knows `one` and `again` as the agent shop-ci, `two` as another; `pass-b` is a pass for the resource b alone."""

    def __init__(self) -> None:
        super().__init__()
        for proof, name in ((b"one", "shop-ci"), (b"again", "shop-ci"), (b"two", "etl"), (b"pass-b", "shop-ci")):
            self.others[proof] = Identified(an_agent(name), "token", good_for=600)

    async def identify(self, proof: bytes, resource: Resource, source: IPAddress) -> Identified:
        if proof == b"pass-b" and resource.name != "b":
            raise Refusal("pass p1 is for b", f"the pass is not for '{resource.name}'")
        return await super().identify(proof, resource, source)


class Street:
    """A relay that serves the resources a and b at one port, by a.example and b.example."""

    def __init__(self, tls: ServerTls, servers: tuple[ToyServer, ToyServer], limits: RelayLimits) -> None:
        self.world = World()
        self.world.identity = Identities()
        self.world.gate._shared.identity = self.world.identity
        self.kind = Post()
        self.servers = dict(zip("ab", servers, strict=True))
        port = free_port()
        self.served = [self.at(name, port) for name in "ab"]
        self.relay = Relay(self.world.gate, self.world.vault, self.world.meter, tls, limits)
        self.clients: list[ToyClient] = []

    def at(self, name: str, port: int) -> Served:
        upstream = Address("127.0.0.1", self.servers[name].port, TlsMode.DISABLE)
        return Served(a_resource(name, upstream), self.kind, "127.0.0.1", port, True, hosts=(f"{name}.example",))

    async def connect(self, tls: ssl.SSLContext | None = None) -> ToyClient:
        port = self.relay.port("a")
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", port, ssl=tls, server_hostname="localhost" if tls is not None else None
        )
        self.clients.append(ToyClient(reader, writer))
        return self.clients[-1]

    def sessions(self) -> list[tuple[str, str, list[str], str]]:
        """Of each session, oldest first: resource, principal, what was asked, why it ended."""
        found = []
        for record in self.world.recorder.records.values():
            opened = next(event.resource for event in record.events if isinstance(event, SessionOpened))
            who = next((event.principal for event in record.events if isinstance(event, LoginAdmitted)), "")
            asked = [event.text for event in record.events if isinstance(event, StatementAsked)]
            ended = next((event.reason for event in record.events if isinstance(event, SessionClosed)), "")
            found.append((opened, who, asked, ended))
        return found


class OpenStreet:
    """Opens streets, and closes them after the test."""

    def __init__(self, tls: ServerTls) -> None:
        self._tls = tls
        self.streets: list[Street] = []

    async def __call__(self, limits: RelayLimits = FAST) -> Street:
        servers = (await ToyServer().__aenter__(), await ToyServer().__aenter__())
        street = Street(self._tls, servers, limits)
        self.streets.append(street)
        await street.relay.apply(street.served)
        return street


@pytest.fixture
async def open_street(server_tls: ServerTls) -> AsyncIterator[OpenStreet]:
    opens = OpenStreet(server_tls)
    yield opens
    for street in opens.streets:
        for client in street.clients:
            client.abort()
        await street.relay.drain(0)
        for server in street.servers.values():
            await server.__aexit__()


@pytest.fixture
async def street(open_street: OpenStreet) -> Street:
    return await open_street()


WENT_ON = "the client went on to another session"


# ── which resource ───────────────────────────────────────────────────────────────────────────────────────────────────


async def test_each_request_goes_to_the_resource_that_it_names_and_is_recorded_there_alone(street: Street) -> None:
    client = await street.connect()
    assert await client.ask("a.example one select 1") == "= by upstream-secret: select 1"
    assert await client.ask("a.example one select 2") == "= by upstream-secret: select 2"
    assert await client.ask("b.example one select 3") == "= by upstream-secret: select 3"
    assert street.servers["a"].lines == ["by upstream-secret: select 1", "by upstream-secret: select 2"]
    assert street.servers["b"].lines == ["by upstream-secret: select 3"]
    assert street.sessions() == [
        ("a", "shop-ci", ["select 1", "select 2"], WENT_ON),
        ("b", "shop-ci", ["select 3"], ""),
    ]


async def test_a_host_that_nobody_is_reached_by_opens_nothing(street: Street) -> None:
    client = await street.connect()
    assert await client.ask("evil.example one select 1") == "421 nobody here"
    assert await client.at_end()
    assert street.sessions() == []
    assert street.servers["a"].connections == street.servers["b"].connections == 0
    await eventually(lambda: street.relay.connections == 0)


async def test_a_later_request_for_an_unknown_host_reaches_nobody_and_the_connection_lives_on(street: Street) -> None:
    client = await street.connect()
    await client.ask("a.example one select 1")
    assert await client.ask("evil.example one select 2") == "421 nobody here"
    assert await client.ask("a.example one select 3") == "= by upstream-secret: select 3"
    assert street.sessions() == [("a", "shop-ci", ["select 1", "select 3"], "")]


async def test_many_requests_in_one_write_are_answered_in_their_order(street: Street) -> None:
    client = await street.connect()
    hosts = ["ab"[number % 2] for number in range(60)]
    client.writer.write("".join(f"{host}.example one r{number}\n" for number, host in enumerate(hosts)).encode())
    answers = [await client.read() for _ in hosts]
    assert answers == [f"= by upstream-secret: r{number}" for number in range(60)]
    assert street.servers["a"].lines == [f"by upstream-secret: r{number}" for number in range(0, 60, 2)]
    assert [resource for resource, *_ in street.sessions()] == hosts
    assert street.relay.connections == 1


async def test_a_client_that_sends_no_more_gets_every_answer_across_sessions(street: Street) -> None:
    client = await street.connect()
    client.writer.write(b"a.example one r1\nb.example two r2\na.example two r3\n")
    client.writer.write_eof()
    assert [await client.read() for _ in range(3)] == [f"= by upstream-secret: r{number}" for number in (1, 2, 3)]
    assert await client.at_end()
    await eventually(lambda: street.relay.connections == 0)


async def test_tls_stays_as_it_is(street: Street, authority: CertificateAuthority) -> None:
    tls = ssl.create_default_context(cadata=authority.pem.decode())
    tls.set_alpn_protocols(["post"])
    client = await street.connect(tls)
    for host in ("a.example", "b.example"):
        assert await client.ask(f"{host} one select 1") == "= by upstream-secret: select 1"
    assert [(each.opening.secured, each.opening.alpn) for each in street.kind.opened] == [(True, "post")] * 2


# ── who ──────────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_another_principals_proof_is_another_session(street: Street) -> None:
    client = await street.connect()
    await client.ask("a.example one select 1")
    assert await client.ask("a.example two select 2") == "= by upstream-secret: select 2"
    assert street.sessions() == [("a", "shop-ci", ["select 1"], WENT_ON), ("a", "etl", ["select 2"], "")]
    assert list(street.world.containment.live) == [street.kind.opened[1].opening.session]


async def test_another_proof_of_the_same_principal_is_the_same_session(street: Street) -> None:
    client = await street.connect()
    await client.ask("a.example one select 1")
    assert await client.ask("a.example again select 2") == "= by upstream-secret: select 2"
    assert street.sessions() == [("a", "shop-ci", ["select 1", "select 2"], "")]


async def test_a_token_that_expires_while_the_connection_is_open_opens_nothing_more(street: Street) -> None:
    client = await street.connect()
    await client.ask("a.example one select 1")
    street.world.now += 601
    assert (await client.ask("a.example one select 2")).startswith("401 the token or pass")
    assert await client.ask("a.example again select 3") == "= by upstream-secret: select 3"
    assert "by upstream-secret: select 2" not in street.servers["a"].lines
    assert len(street.sessions()) == 1


async def test_a_forged_proof_is_refused_and_the_connection_lives_on(street: Street) -> None:
    client = await street.connect()
    assert await client.ask("a.example forged select 1") == "403 the token does not verify"
    assert await client.ask("a.example one select 2") == "= by upstream-secret: select 2"
    assert await client.ask("a.example forged select 3") == "403 the token does not verify"
    assert await client.ask("a.example one select 4") == "= by upstream-secret: select 4"
    assert street.servers["a"].lines == ["by upstream-secret: select 2", "by upstream-secret: select 4"]


async def test_a_pass_opens_no_other_resource_by_the_way_of_its_own(street: Street) -> None:
    client = await street.connect()
    assert await client.ask("b.example pass-b select 1") == "= by upstream-secret: select 1"
    assert await client.ask("a.example pass-b select 2") == "403 the pass is not for 'a'"
    assert street.servers["a"].connections == 0


async def test_who_is_contained_while_connected_is_cut_off(street: Street) -> None:
    client = await street.connect()
    await client.ask("a.example one select 1")
    street.world.containment.reason = "agent shop-ci is contained"
    assert await client.ask("a.example one select 2") == "403 agent shop-ci is contained"
    assert await client.ask("b.example one select 2") == "403 agent shop-ci is contained"
    assert street.servers["b"].connections == 0
    street.world.containment.reason = None
    await client.ask("a.example one select 3")
    (live,) = street.world.containment.live.values()
    live.end("agent shop-ci is contained")
    assert await client.read() == "BYE agent shop-ci is contained"
    assert await client.at_end()


async def test_a_rotated_credential_is_used_within_a_minute(street: Street) -> None:
    client = await street.connect()
    await client.ask("a.example one select 1")
    street.world.vault.secret = b"rotated"
    street.world.now += 61
    assert await client.ask("a.example one select 2") == "= by rotated: select 2"


async def test_the_session_before_has_given_its_place_back_before_the_next_one_takes_its(street: Street) -> None:
    street.world.identity.others[b"one"] = replace(street.world.identity.others[b"one"], max_sessions=1)
    client = await street.connect()
    for host in "abab":
        assert await client.ask(f"{host}.example one select 1") == "= by upstream-secret: select 1"


# ── limits, and the end ──────────────────────────────────────────────────────────────────────────────────────────────


async def test_going_on_takes_no_further_connection(open_street: OpenStreet) -> None:
    street = await open_street(replace(FAST, connections=1))
    client = await street.connect()
    for host in "abab":
        assert await client.ask(f"{host}.example one select 1") == "= by upstream-secret: select 1"
        assert street.relay.connections == 1
    client.abort()
    await eventually(lambda: street.relay.connections == 0)
    assert await (await street.connect()).ask("b.example one select 2") == "= by upstream-secret: select 2"


async def test_a_client_that_takes_no_answers_holds_up_the_sessions_that_follow_too(street: Street) -> None:
    count, size = 400, 100_000
    client = await street.connect()
    client.transport.pause_reading()
    hosts = ["ab"[number % 2] for number in range(count)]
    client.writer.write("".join(f"{host}.example one bulk {size}\n" for host in hosts).encode())

    def lines() -> int:
        return sum(len(server.lines) for server in street.servers.values())

    async def asked() -> int:
        await asyncio.sleep(0.5)
        return lines()

    await eventually(lambda: lines() > 1)
    before, now = 0, await asked()
    while before < now < count:
        before, now = now, await asked()
    assert 1 < now < count
    client.transport.resume_reading()
    async with asyncio.timeout(60):
        got = await client.reader.readexactly(count * (size + 1))
    assert got == (b"x" * size + b"\n") * count


async def test_a_client_that_does_not_say_what_it_wants_is_not_waited_for(open_street: OpenStreet) -> None:
    street = await open_street(replace(FAST, handshake=0.2))
    silent, slow = await street.connect(), await street.connect()
    slow.writer.write(b"a.exam")
    for client in (silent, slow):
        assert (await client.read()).startswith("BYE no request came")
        assert await client.at_end()
    assert street.sessions() == []


async def test_a_client_that_leaves_before_it_has_said_what_it_wants_leaves_nothing(street: Street) -> None:
    client = await street.connect()
    client.writer.write(b"a.exam")
    await client.writer.drain()
    await eventually(lambda: street.relay.connections == 1)
    client.reset()
    await eventually(lambda: street.relay.connections == 0)


async def test_without_a_login_a_connection_does_not_go_from_session_to_session_for_ever(street: Street) -> None:
    client = await street.connect()
    client.writer.write(b"".join(b"%s.example forged x\n" % host for host in [b"a", b"b"] * 500))
    answers = (await client.reader.read()).decode().splitlines()
    assert set(answers) == {"403 the token does not verify"}
    assert len(street.sessions()) == len(answers) < 20
    await eventually(lambda: street.relay.connections == 0)


async def test_an_idle_upstream_that_the_resource_closes_is_dialled_again(street: Street) -> None:
    client = await street.connect()
    for number in range(3):
        assert await client.ask(f"a.example one r{number}") == f"= by upstream-secret: r{number}"
        street.servers["a"].hang_up()
        await eventually(lambda: street.servers["a"].open == 0)
    assert street.servers["a"].connections == 3


async def test_a_statement_that_takes_too_long_is_told_and_an_idle_session_is_not(open_street: OpenStreet) -> None:
    street = await open_street(replace(FAST, statement=0.6))
    client = await street.connect()
    await client.ask("a.example one select 1")
    await asyncio.sleep(0.8)
    street.servers["a"].silent = True
    client.send("a.example one select 2")
    assert (await client.read()).startswith("504 the statement ran longer")


async def test_a_drain_ends_who_is_idle_and_lets_a_running_request_end(street: Street) -> None:
    idle, silent, busy = await street.connect(), await street.connect(), await street.connect()
    await idle.ask("a.example one select 1")
    street.servers["b"].silent = True
    busy.send("b.example one select 2")
    await eventually(lambda: bool(street.servers["b"].lines))
    draining = asyncio.create_task(street.relay.drain(60))
    for client in (idle, silent):
        assert (await client.read()).startswith("BYE the gateway is shutting down")
        assert await client.at_end()
    street.servers["b"].say(b"done\n")
    assert await busy.read() == "done"
    await draining


# ── reload ───────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_resource_that_is_taken_out_is_reached_by_nobody(street: Street) -> None:
    client = await street.connect()
    await client.ask("a.example one select 1")
    await street.relay.apply(street.served[1:])
    assert await client.ask("a.example one select 2") == "421 nobody here"
    assert await client.ask("b.example one select 3") == "= by upstream-secret: select 3"


async def test_a_resource_that_is_configured_anew_is_served_as_it_is_now(street: Street) -> None:
    client = await street.connect()
    await client.ask("a.example one select 1")
    elsewhere = replace(street.served[0].resource, upstream=street.served[1].resource.upstream)
    await street.relay.apply([replace(street.served[0], resource=elsewhere), street.served[1]])
    assert await client.ask("a.example one select 2") == "= by upstream-secret: select 2"
    assert await client.ask("a.example one select 3") == "= by upstream-secret: select 3"
    assert street.servers["b"].lines == ["by upstream-secret: select 2", "by upstream-secret: select 3"]
    assert [asked for _, _, asked, _ in street.sessions()] == [["select 1"], ["select 2", "select 3"]]


async def test_a_resource_may_come_to_a_port_and_leave_it_alone_again(street: Street) -> None:
    port = street.served[0].port
    await street.relay.apply(street.served[:1])
    alone = await street.connect()
    assert await alone.ask("a.example one select 1") == "= by upstream-secret: select 1"
    assert await alone.ask("b.example one select 2") == "421 nobody here"
    await street.relay.apply(street.served)
    assert await alone.ask("b.example one select 3") == "= by upstream-secret: select 3"
    assert street.relay.port("b") == port


@pytest.mark.parametrize("change", ["no hosts", "the same host", "another kind", "plain text"])
async def test_what_cannot_be_told_apart_is_not_served_at_one_port(street: Street, change: str) -> None:
    first, second = street.served
    other = {
        "no hosts": replace(second, hosts=()),
        "the same host": replace(second, hosts=first.hosts),
        "another kind": replace(second, kind=Toy()),
        "plain text": replace(second, plain_text=False),
    }[change]
    with pytest.raises(ValueError, match="a, b cannot share a port"):
        await street.relay.apply([first, other])
    assert await (await street.connect()).ask("b.example one select 1") == "= by upstream-secret: select 1"
