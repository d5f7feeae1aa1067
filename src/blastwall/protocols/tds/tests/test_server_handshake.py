"""How the gateway comes in at the resource: encryption, the credential, redirects, what the server may say."""

from __future__ import annotations

from dataclasses import replace

import pytest

from blastwall.model.credential import Credential
from blastwall.model.resource import Address, HostTarget, Resource, TlsMode
from blastwall.protocols.contract import UPSTREAM, Dial, Output, Send, StartTls
from blastwall.protocols.reaching import HandshakeFailed
from blastwall.protocols.tds.answers import done, env_change, error, feature_ack, login_ack, routing
from blastwall.protocols.tds.fedauth import SECURITY_TOKEN, read_fedauth
from blastwall.protocols.tds.hosts import UPDATEABILITY, ServerLogin
from blastwall.protocols.tds.login7 import FEDAUTH, ODBC, READ_ONLY_INTENT, TDS_7_4, TDS_8_0, UTF8, Login7
from blastwall.protocols.tds.login_wishes import Wish, wish_of
from blastwall.protocols.tds.packets import Kind, framed
from blastwall.protocols.tds.prelogin import Encryption
from blastwall.protocols.tds.settings import TdsSettings
from blastwall.protocols.tds.tests.server import TinyServer, table
from blastwall.protocols.tds.tokens import ENV_DATABASE, ENV_PACKET_SIZE
from blastwall.wire.reader import Malformed

HOST = "shop.database.windows.net"
PASSWORD = Credential("app", b"upstream-secret")
TOKEN = Credential("", b"a.token", token=True)
WISH = Wish("shop", "ci/s-1", packet_size=8000)
LOCAL = Address("127.0.0.1", 1433, TlsMode.DISABLE)
AZURE = Address(HOST, 1433, TlsMode.VERIFY_FULL)


class Play:
    """A login under play: what was dialled, and the server at each address."""

    def __init__(
        self,
        server: TinyServer,
        address: Address = AZURE,
        credential: Credential = PASSWORD,
        *,
        wish: Wish = WISH,
        settings: TdsSettings | None = None,
        standbys: tuple[Address, ...] = (),
        target: HostTarget = HostTarget.ANY,
        alpn: str | None = None,
    ) -> None:
        resource = Resource(
            "sql-prod", "mssql", address, ("shop",), settings=settings, standbys=standbys, target=target
        )
        self.login = ServerLogin(UPSTREAM, resource, credential, wish)
        self.server = server
        self.dialled: list[Address] = []
        self.secured: list[StartTls] = []
        self.plain = b""
        self.alpn = alpn
        self.carry(self.login.start())

    def carry(self, outputs: list[Output]) -> None:
        for output in outputs:
            if isinstance(output, Dial):
                self.dialled.append(output.target)
                self.server = self.server if len(self.dialled) == 1 else self.next_server()
            elif isinstance(output, StartTls):
                self.secured.append(output)
                self.carry(self.login.tls_started(self.alpn))
            elif isinstance(output, Send):
                self.plain += b"" if self.secured else bytes(output.span)
                answer = self.server.receive(output.to, bytes(output.span))
                if answer:
                    self.carry(self.login.receive(answer))

    def next_server(self) -> TinyServer:
        self.secured = []
        return TinyServer(self.server.encryption)


def on() -> TinyServer:
    return TinyServer(Encryption.ON)


def answering(*tokens: bytes) -> TinyServer:
    server = on()
    server.login = b"".join(tokens)
    return server


ACK = login_ack(TDS_7_4, "Microsoft SQL Server", (12, 0, 0, 0))
IN_SHOP = env_change(ENV_DATABASE, "shop", "master")


def test_everything_is_encrypted_and_the_login_is_the_gateways_own() -> None:
    play = Play(on())
    assert play.login.ready
    assert play.server.prelogins[0].encryption == Encryption.ON
    assert len(play.secured) == 1
    assert play.secured[0].wrapping is not None
    (record,) = play.server.logins
    assert (record.user, record.password, record.database) == ("app", "upstream-secret", "shop")
    assert (record.application, record.host, record.server) == ("ci/s-1", "blastwall", HOST)
    assert record.flags2 & ODBC, "QUOTED_IDENTIFIER and the ANSI settings are on"
    assert record.features == ((UTF8, b"\1"),)
    assert "upstream-secret".encode("utf-16-le") not in play.plain
    assert play.login.welcome.database == "shop"
    assert play.login.welcome.packet_size == 8000


def test_what_the_client_asks_for_of_the_session_is_passed_on() -> None:
    asked = Login7(
        packet_size=32768, language="Deutsch", flags2=ODBC | 1, type_flags=READ_ONLY_INTENT, user="x", password="y"
    )
    play = Play(on(), wish=wish_of(asked, "shop", "label"))
    (record,) = play.server.logins
    assert (record.language, record.flags2 & 1, record.packet_size) == ("Deutsch", 1, 16383)
    assert record.type_flags & READ_ONLY_INTENT
    assert record.features == ()
    assert "y" not in (record.user, record.password)


def test_a_token_is_shown_as_a_security_token() -> None:
    play = Play(on(), credential=TOKEN)
    assert play.login.ready
    assert play.server.prelogins[0].fedauth_required is True
    (record,) = play.server.logins
    fedauth = read_fedauth(record.feature(FEDAUTH) or b"")
    assert (fedauth.library, fedauth.token, fedauth.echo) == (SECURITY_TOKEN, "a.token", True)
    assert (record.user, record.password) == ("", "")


@pytest.mark.parametrize("mode", [TlsMode.REQUIRE, TlsMode.VERIFY_CA])
def test_a_token_goes_to_a_verified_server_alone(mode: TlsMode) -> None:
    server = on()
    with pytest.raises(HandshakeFailed, match="a token is shown to a verified server only"):
        Play(server, replace(AZURE, tls=mode), TOKEN)
    assert server.logins == []


def test_a_token_that_is_not_taken_up_lets_nobody_in() -> None:
    with pytest.raises(HandshakeFailed, match="without taking up its token"):
        Play(answering(IN_SHOP, ACK, done()), credential=TOKEN)


@pytest.mark.parametrize("said", [Encryption.OFF, Encryption.NOT_SUPPORTED])
def test_a_server_that_refuses_to_encrypt_everything_gets_no_credential(said: Encryption) -> None:
    server = TinyServer(said)
    with pytest.raises(HandshakeFailed, match="the server refuses TLS"):
        Play(server)
    assert server.logins == []


def test_without_tls_a_password_goes_to_loopback_alone() -> None:
    assert Play(TinyServer(), LOCAL).login.ready
    far = TinyServer()
    with pytest.raises(HandshakeFailed, match="without TLS"):
        Play(far, replace(LOCAL, host="10.0.0.5"))
    assert far.logins == []


def test_plain_text_behind_the_consent_to_tls_ends_it() -> None:
    resource = Resource("sql-prod", "mssql", AZURE, ("shop",))
    login = ServerLogin(UPSTREAM, resource, PASSWORD, WISH)
    (_, asked) = login.start()
    assert isinstance(asked, Send)
    answer = on().receive(UPSTREAM, bytes(asked.span))
    with pytest.raises(HandshakeFailed, match="plain text between"):
        login.receive(answer + framed(Kind.REPLY, IN_SHOP + ACK + done(), 4096))


def test_strict_begins_with_tls() -> None:
    play = Play(on(), settings=TdsSettings(strict=True), alpn="tds/8.0")
    assert play.login.ready
    assert (play.secured[0].alpn, play.secured[0].wrapping, play.plain) == (("tds/8.0",), None, b"")
    assert play.server.logins[0].tds == TDS_8_0


def test_strict_without_the_protocol_gets_no_credential() -> None:
    server = on()
    with pytest.raises(HandshakeFailed, match=r"does not speak TDS 8\.0"):
        Play(server, settings=TdsSettings(strict=True), alpn=None)
    assert server.prelogins == []


# ── redirects ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_redirect_inside_azure_is_followed_and_verified_by_the_new_name() -> None:
    there = "ab12.tr3.westeurope1-a.worker.database.windows.net"
    play = Play(answering(IN_SHOP, ACK, routing(there, 11001), done()))
    assert play.login.ready
    assert play.dialled == [AZURE, replace(AZURE, host=there, port=11001)]
    assert play.server.logins[0].server == there


@pytest.mark.parametrize(
    ("host", "there"),
    [
        ("shop.privatelink.database.windows.net", "ab12.tr3.westeurope1-a.worker.database.windows.net"),
        ("shop.database.usgovcloudapi.net", "ab12.tr9.usgovvirginia1-a.worker.database.usgovcloudapi.net"),
        ("shop.ab34cd.database.windows.net", "db1.tr123456.west-us.worker.vnet.database.windows.net"),
    ],
)
def test_a_redirect_to_a_node_stays_in_its_cloud(host: str, there: str) -> None:
    play = Play(answering(IN_SHOP, ACK, routing(there, 11001), done()), replace(AZURE, host=host))
    assert play.login.ready


@pytest.mark.parametrize(
    "there",
    [
        "evil.example",
        "evil.database.windows.net",
        "evil.ab34cd.database.windows.net",
        "worker.database.windows.net",
        "evil.worker.database.windows.net",
        "ab12.tr3.westeurope1-a.worker.database.windows.net.evil.example",
        "ab12.tr3.westeurope1-a.worker.database.usgovcloudapi.net",
        "ab12.tr3.x.y.worker.database.windows.net",
        "ab12.tr3.westeurope1-a.workerdatabase.windows.net",
        "evildatabase.windows.net",
        "database.windows.net",
        "127.0.0.1",
        "a b.tr3.x.worker.database.windows.net",
        "xn--\u00e4.tr3.x.worker.database.windows.net",
    ],
)
def test_a_redirect_elsewhere_gets_no_credential(there: str) -> None:
    with pytest.raises(HandshakeFailed, match="sends the login on to"):
        Play(answering(IN_SHOP, ACK, routing(there, 1433), done()))


@pytest.mark.parametrize("mode", [TlsMode.REQUIRE, TlsMode.VERIFY_CA])
def test_an_unverified_server_sends_nobody_on(mode: TlsMode) -> None:
    server = answering(IN_SHOP, ACK, routing("ab12.tr3.westeurope1-a.worker.database.windows.net", 1433), done())
    with pytest.raises(HandshakeFailed, match="neither the configured host nor"):
        Play(server, replace(AZURE, tls=mode))


NODE = "ab12.tr3.x.worker."


@pytest.mark.parametrize("there", ["evil.corp.example", f"{NODE}corp.example", f"{NODE}database.windows.net"])
def test_a_server_of_one_s_own_sends_nobody_to_its_neighbours(there: str) -> None:
    server = answering(IN_SHOP, ACK, routing(there, 1433), done())
    with pytest.raises(HandshakeFailed, match="neither the configured host nor"):
        Play(server, replace(AZURE, host="sql.corp.example"))


@pytest.mark.parametrize("route", ["node7.sql.example", "sql.example", "SQL.example"])
def test_settings_may_name_further_hosts_and_domains(route: str) -> None:
    settings = TdsSettings(routes=[route])
    play = Play(answering(IN_SHOP, ACK, routing("node7.sql.example", 1433), done()), settings=settings)
    assert play.login.ready


def test_redirects_have_an_end() -> None:
    class Endless(Play):
        def next_server(self) -> TinyServer:
            super().next_server()
            return answering(IN_SHOP, ACK, routing(HOST, 1433 + len(self.dialled)), done())

    with pytest.raises(HandshakeFailed, match="has no end"):
        Endless(answering(IN_SHOP, ACK, routing(HOST, 1400), done()))


# ── what the server says ─────────────────────────────────────────────────────────────────────────────────────────────


def test_a_refused_login_is_the_operators_to_read() -> None:
    with pytest.raises(HandshakeFailed) as failed:
        Play(answering(error(18456, "Login failed for user 'app'.", server="sql-1"), done(status=2)))
    assert "Login failed for user 'app'." in str(failed.value)
    assert (failed.value.told, failed.value.elsewhere) == ("", False)


def test_a_database_that_is_not_available_now_is_told() -> None:
    with pytest.raises(HandshakeFailed) as failed:
        Play(answering(error(40613, "Database 'shop' on server 'sql-1' is not currently available."), done(status=2)))
    assert failed.value.told == "the database is not available at the moment (error 40613); try again"


def test_the_next_host_is_tried_where_one_is_not_available() -> None:
    other = replace(AZURE, host="shop-2.database.windows.net")
    play = Play(answering(error(40613, "not now"), done(status=2)), standbys=(other,))
    assert play.login.ready
    assert play.login.host == 1
    assert play.dialled == [AZURE, other]


def test_a_wrong_password_is_not_tried_at_each_host() -> None:
    other = replace(AZURE, host="shop-2.database.windows.net")
    with pytest.raises(HandshakeFailed, match="none of its hosts will do") as failed:
        Play(answering(error(18456, "Login failed for user 'app'."), done(status=2)), standbys=(other,))
    assert failed.value.told == "none of its hosts will do: host 1: the gateway could not log in there"


def test_another_database_than_was_asked_for_is_not_judged() -> None:
    with pytest.raises(HandshakeFailed, match="into another database"):
        Play(answering(env_change(ENV_DATABASE, "master", ""), ACK, done()))


@pytest.mark.parametrize(
    "tokens",
    [
        (IN_SHOP, done()),
        (IN_SHOP, ACK),
        (IN_SHOP, ACK, done(), done()),
        (IN_SHOP, ACK, feature_ack([(4, b"\1")]), done()),
        (IN_SHOP, ACK, env_change(ENV_PACKET_SIZE, "70000", "4096"), done()),
        (IN_SHOP, ACK, env_change(8, bytes(8)), done()),
        (b"\x81\1\0", ACK, done()),
    ],
)
def test_an_answer_of_another_form_ends_it(tokens: tuple[bytes, ...]) -> None:
    with pytest.raises((Malformed, HandshakeFailed)):
        Play(answering(*tokens))


def test_a_server_that_never_comes_to_the_end_is_cut_off() -> None:
    with pytest.raises(Malformed, match="while logging in"):
        Play(answering(*(error(1, "x" * 1000) for _ in range(300))))


# ── the host that takes writes ───────────────────────────────────────────────────────────────────────────────────────


def knowing(updateability: str) -> TinyServer:
    server = on()
    server.replies = {UPDATEABILITY: table([(updateability,)], 1) + done()}
    return server


class Primary(Play):
    """A login at hosts of which the first is read-only."""

    def next_server(self) -> TinyServer:
        super().next_server()
        return knowing("READ_WRITE")


def test_a_secondary_is_passed_over_where_writes_are_wanted() -> None:
    other = replace(AZURE, host="shop-2.database.windows.net")
    play = Primary(knowing("READ_ONLY"), standbys=(other,), target=HostTarget.PRIMARY)
    assert play.login.ready
    assert play.dialled == [AZURE, other]


def test_where_no_host_takes_writes_it_is_told() -> None:
    with pytest.raises(HandshakeFailed, match="does not take writes"):
        Play(knowing("READ_ONLY"), target=HostTarget.PRIMARY)


def test_a_client_that_only_reads_is_let_in_by_any() -> None:
    play = Play(knowing("READ_ONLY"), wish=replace(WISH, read_only=True), target=HostTarget.PRIMARY)
    assert play.login.ready
    assert play.server.requests == []
