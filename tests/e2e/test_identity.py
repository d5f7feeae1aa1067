"""Who is let in, and what the others learn: an owner what to do, a thief nothing."""

from __future__ import annotations

import base64
import http.client
import json
import re
import ssl
import time
import urllib.parse
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import jwt
import psycopg
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from tests.e2e.conftest import Shop
from tests.e2e.opening import ends, metrics, opened
from tests.waiting import eventually, promised, unchanged

from blastwall.identity.keycache import UNKNOWN
from blastwall.testing.issuer import DevIssuer, SigningKey
from blastwall.testing.ports import free_port
from blastwall.testing.postgres import PostgresServer

AGENTS = {
    "shop-ci": {"match": {"repository_id": "42"}, "groups": ["ci"]},
    "twin-one": {"match": {"repository_id": "50"}, "groups": ["ci"]},
    "twin-two": {"match": {"repository_id": "glob:5*"}, "groups": ["ci"]},
    "far-away": {"match": {"repository_id": "60"}, "groups": ["ci"], "networks": ["10.20.0.0/16"]},
    "next-door": {"match": {"repository_id": "61"}, "groups": ["ci"], "networks": ["127.0.0.2/32"]},
    "short-lived": {"match": {"repository_id": "70"}, "groups": ["ci"], "session_max": "3s"},
    "powerless": {"match": {"repository_id": "80"}, "groups": []},
}
EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"


@pytest.fixture(scope="module")
def shop(postgres_newest: PostgresServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    agents = [{"name": name, "issuer": "ci", **agent} for name, agent in AGENTS.items()]
    upstream = {"host": "localhost", "port": postgres_newest.port, "database": "shop", "ca": str(postgres_newest.ca)}
    credential = {"user": "scram_user", "password": {"env": "PG_PASSWORD"}}
    resources = [
        {"name": name, "kind": "postgres", "listen": free_port(), "upstream": upstream, "credential": credential}
        for name in ("pg-prod", "pg-other")
    ]
    policies = """
@id("ci")
permit (principal in Group::"ci", action in [Action::"connect", Action::"read"], resource)
when { context.plane == "data" };"""
    with opened(
        postgres_newest, tmp_path_factory.mktemp("identity"), policies=policies, agents=agents, resources=resources,
        masking=[],
    ) as shop:  # fmt: skip
        changes = {"issuers": [{**_issuer(shop.issuer), "max_lifetime": "1h", "skew": "0s"}]}
        shop.gateway.write({**shop.gateway.configuration, **changes})
        shop.gateway.reload()
        yield shop


def _issuer(issuer: DevIssuer) -> dict[str, object]:
    return {"name": "ci", "issuer": issuer.url, "audience": issuer.audience}


def log_in(shop: Shop, proof: str, resource: str = "pg-prod") -> psycopg.Connection[tuple[object, ...]]:
    return psycopg.connect(shop.gateway.dsn("shop", proof, resource=resource), autocommit=True)


def refusal(shop: Shop, proof: str, resource: str = "pg-prod") -> str:
    """Log in, be refused, and check what nobody may learn."""
    with pytest.raises(psycopg.OperationalError) as caught:
        log_in(shop, proof, resource)
    said = str(caught.value)
    assert "FATAL" in said
    for name in (*AGENTS, "scram_user", "10.20.", "127.0.0.2", shop.server.password, str(shop.server.port)):
        assert name not in said
    assert proof not in said
    return said


def tampered(token: str, **claims: object) -> str:
    header, body, signature = token.split(".")
    payload = json.loads(base64.urlsafe_b64decode(body + "=="))
    return f"{header}.{encoded({**payload, **claims})}.{signature}"


def encoded(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def unsigned(shop: Shop, algorithm: str = "none") -> str:
    _, body, _ = shop.token().split(".")
    return f"{encoded({'alg': algorithm, 'typ': 'JWT'})}.{body}."


def signed_with_the_public_key(shop: Shop) -> str:
    """The HS256 confusion: the public key, which everybody has, as the secret of an HMAC."""
    import hashlib
    import hmac

    public = shop.issuer.key.private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    _, body, _ = shop.token().split(".")
    head = f"{encoded({'alg': 'HS256', 'typ': 'JWT', 'kid': shop.issuer.key.kid})}.{body}"
    mac = hmac.new(public, head.encode(), hashlib.sha256).digest()
    return f"{head}.{base64.urlsafe_b64encode(mac).rstrip(b'=').decode()}"


def signed_by_the_thief(shop: Shop, **header: object) -> str:
    """Signed by the thief's own key, which the header brings along."""
    key = SigningKey.generate("RS256")
    body = jwt.decode(shop.token(), options={"verify_signature": False})
    headers = {"kid": shop.issuer.key.kid, "jwk": key.jwk, "jku": "https://localhost:1/keys", **header}
    return jwt.encode(body, key.private, "RS256", headers=headers)


FORGED: dict[str, Callable[[Shop], str]] = {
    "nothing": lambda shop: "x",
    "none": unsigned,
    "None": lambda shop: unsigned(shop, "None"),
    "none, with a signature": lambda shop: unsigned(shop) + "AAAA",
    "HS256 by the public key": signed_with_the_public_key,
    "a key that the token brings": signed_by_the_thief,
    "an unknown kid": lambda shop: shop.issuer.token(claims={"repository_id": "42"}, header={"kid": "unknown"}),
    "a path as kid": lambda shop: signed_by_the_thief(shop, kid="../../../../dev/null"),
    "another agent's claims": lambda shop: tampered(shop.token(), repository_id="80"),
    "a later end": lambda shop: tampered(shop.issuer.token(lifetime=-5), exp=time.time() + 600),
    "without a signature": lambda shop: shop.token().rpartition(".")[0] + ".",
    "a critical extension": lambda shop: shop.issuer.token(header={"crit": ["b64"], "b64": False}),
    "an unknown pass": lambda shop: "bwp_" + "A" * 43,
    "another issuer": lambda shop: shop.issuer.token(claims={"iss": "https://evil.example", "repository_id": "42"}),
    "no issuer": lambda shop: shop.issuer.token(claims={"iss": None, "repository_id": "42"}),
}


@pytest.mark.parametrize("forge", FORGED.values(), ids=FORGED.keys())
def test_a_forged_proof_is_refused(shop: Shop, forge: Callable[[Shop], str]) -> None:
    refusal(shop, forge(shop))


REFUSED: dict[str, tuple[dict[str, object], str]] = {
    "another audience": ({"audience": "https://vault.azure.net"}, r"audience 'https://vault\.azure\.net'.*request one"),
    "two audiences": ({"claims": {"aud": ["blastwall", "other"]}}, r"for this gateway.* alone"),
    "expired": ({"lifetime": -60}, r"expired \d+ s ago; request a fresh one"),
    "not valid yet": ({"issued": time.time() + 3600}, r"not valid yet; check the clocks"),
    "lives too long": ({"lifetime": 7200}, r"lives longer than the gateway accepts; request a shorter"),
    "without an end": ({"claims": {"exp": None}}, r"`exp` is missing"),
    "without a beginning": ({"claims": {"iat": None}}, r"`iat` is missing"),
    "an end that is no number": ({"claims": {"exp": "later"}}, r"`exp` is missing or no time"),
    "matches nobody": (
        {"subject": "repo:acme/shop:ref:main", "claims": {"repository_id": "999"}},
        r"matches no configured agent \(its subject is 'repo:acme/shop:ref:main'\).*operator to register",
    ),
    "lacks the claim": ({}, r"matches no configured agent"),
    "matches two": ({"claims": {"repository_id": "50"}}, r"matches more than one configured agent.*tell them apart"),
    "a claim that is a list": ({"claims": {"repository_id": {"42": "42"}}}, r"matches no configured agent"),
    "from outside its networks": (
        {"claims": {"repository_id": "60"}},
        r"valid but not accepted from 127\.0\.0\.1; call from a network that its agent may use",
    ),
    "policy permits nothing": ({"claims": {"repository_id": "80"}}, r"permit"),
}


@pytest.mark.parametrize(("how", "told"), REFUSED.values(), ids=REFUSED.keys())
def test_an_owner_hears_what_to_do(shop: Shop, how: dict[str, object], told: str) -> None:
    token = shop.issuer.token(**how)  # type: ignore[arg-type]
    assert re.search(told, refusal(shop, token), re.DOTALL)


def test_the_operators_log_names_what_the_client_must_not_hear(shop: Shop) -> None:
    refusal(shop, shop.token(repository_id="50"))
    eventually(lambda: "twin-one" in shop.gateway.log, "the log names the one")
    eventually(lambda: "twin-two" in shop.gateway.log, "the log names the other")


def test_a_token_in_the_users_place_is_not_taken_and_not_written_down(shop: Shop, recorded: Callable[[], str]) -> None:
    token = shop.token()
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(shop.gateway.dsn("shop", "wrong", user=token, resource="pg-prod"))
    eventually(lambda: "a token in the wrong field" in recorded(), "the refusal is recorded")
    assert token not in recorded()


def test_the_database_must_be_one_that_the_resource_allows(shop: Shop) -> None:
    with pytest.raises(psycopg.OperationalError, match="database"):
        psycopg.connect(shop.gateway.dsn("postgres", shop.token(), resource="pg-prod"))


class TestPasses:
    def test_an_exchanged_pass_is_a_password_of_ordinary_length(self, shop: Shop) -> None:
        given = exchange(shop, shop.token())
        handle = str(given["access_token"])
        assert len(handle) <= 100
        assert re.fullmatch(r"[A-Za-z0-9_-]+", handle)
        with log_in(shop, handle) as connection:
            assert connection.execute("SELECT count(*) FROM orders").fetchone() == (30,)

    def test_a_pass_for_another_resource_is_refused(self, shop: Shop) -> None:
        handle = str(exchange(shop, shop.token(), "pg-other")["access_token"])
        assert "exchange a token for one that is" in refusal(shop, handle, "pg-prod")
        log_in(shop, handle, "pg-other").close()

    def test_a_revoked_pass_ends_its_session_in_under_a_second(self, shop: Shop) -> None:
        handle = str(exchange(shop, shop.token())["access_token"])
        with log_in(shop, handle) as connection, log_in(shop, shop.token()) as bystander:
            status, _ = post(shop, "/revoke", token=handle)
            assert status == 200
            said, seconds = ends(connection)
            assert "the session's pass was revoked" in said
            assert seconds < promised(1)
            assert bystander.execute("SELECT 1").fetchone() == (1,)
        refusal(shop, handle)

    def test_the_operator_revokes_a_pass_by_its_id(self, shop: Shop) -> None:
        given = exchange(shop, shop.token())
        with log_in(shop, str(given["access_token"])) as connection:
            shop.gateway.run("contain", "pass", str(given["pass_id"]), "--reason", "lost laptop")
            said, _ = ends(connection, promised(2))
        assert "revoked" in said
        assert "lost laptop" not in said

    def test_a_pass_ends_with_its_token_and_takes_its_session_along(self, shop: Shop) -> None:
        token = ending_soon(shop)
        handle = str(exchange(shop, token)["access_token"])
        with log_in(shop, handle) as connection:
            said, _ = ends(connection)
            assert "the session's pass has ended; log in with a new one" in said
        assert 0 <= time.time() - end_of(token) < promised(1)
        refusal(shop, handle)

    def test_a_token_is_exchanged_once(self, shop: Shop) -> None:
        token = shop.token()
        exchange(shop, token)
        status, body = post(shop, "/token", **request_for(token))
        assert status == 400
        assert "access_token" not in body

    def test_a_pass_buys_no_other_pass(self, shop: Shop) -> None:
        handle = str(exchange(shop, shop.token())["access_token"])
        status, _ = post(shop, "/token", **request_for(handle))
        assert status == 400

    def test_a_pass_works_from_its_agents_networks_only(self, shop: Shop) -> None:
        token = shop.token(repository_id="61")
        status, body = post(shop, "/token", **request_for(token))
        assert status == 400
        assert "not accepted from 127.0.0.1" in body
        handle = str(exchange(shop, token, source="127.0.0.2")["access_token"])
        assert "not accepted from 127.0.0.1" in refusal(shop, handle)

    def test_what_exists_is_not_told_to_who_may_not_connect(self, shop: Shop) -> None:
        answers = {
            post(shop, "/token", **request_for(shop.token(repository_id="80"), name)) for name in ("pg-prod", "pg-none")
        }
        assert len(answers) == 1

    def test_passes_are_stored_hashed(self, shop: Shop) -> None:
        handle = str(exchange(shop, shop.token())["access_token"])
        for path in shop.gateway.folder.rglob("*"):
            if path.is_file():
                assert handle.encode() not in octets(path), path


class TestEnds:
    def test_session_max_ends_a_session_that_is_busy(self, shop: Shop) -> None:
        with log_in(shop, shop.token(repository_id="70")) as connection:
            began = time.monotonic()
            with pytest.raises(psycopg.OperationalError, match="end of its permitted time; log in again"):
                connection.execute("SELECT count(*) FROM generate_series(1, 100000000000)")
            assert time.monotonic() - began < promised(4)
        eventually(lambda: not running(shop, "generate_series"), "the statement is over on the server, too")

    def test_an_expired_token_opens_nothing_new_but_its_session_goes_on(self, shop: Shop) -> None:
        token = ending_soon(shop)
        with log_in(shop, token) as connection:
            eventually(lambda: time.time() > end_of(token), "the token expires")
            assert "expired" in refusal(shop, token)
            assert connection.execute("SELECT 1").fetchone() == (1,)


class TestIssuerOutage:
    def test_known_keys_go_on_and_unknown_ones_are_no_way_in(self, shop: Shop) -> None:
        log_in(shop, shop.token()).close()
        with shop.issuer.outage():
            log_in(shop, shop.token()).close()
            refusal(shop, signed_by_the_thief(shop, kid=uuid.uuid4().hex))
            log_in(shop, shop.token()).close()

    def test_an_unknown_kid_does_not_make_the_gateway_hammer_the_issuer(self, shop: Shop) -> None:
        log_in(shop, shop.token()).close()
        before, began = shop.issuer.requests.total(), time.monotonic()
        for _ in range(8):
            refusal(shop, signed_by_the_thief(shop, kid=uuid.uuid4().hex))
        allowed = 1 + (time.monotonic() - began) // UNKNOWN
        assert shop.issuer.requests.total() - before <= 2 * allowed, "of its document and its keys"

    def test_refused_logins_are_counted_and_leave_nothing_upstream(self, shop: Shop) -> None:
        name = 'blastwall_logins_total{outcome="refused",resource="pg-prod"}'
        refusal(shop, "x")
        eventually(lambda: metrics(shop).get(name), "a refusal is counted")
        eventually(lambda: unchanged(lambda: metrics(shop)[name]), "those from before are counted")
        before = metrics(shop)[name]
        refusal(shop, "x")
        eventually(lambda: metrics(shop)[name] == before + 1, "the refusal is counted")
        assert not running(shop, "", user="scram_user", label="nobody/")


def ending_soon(shop: Shop) -> str:
    """Return a token that is still good for a login or two here, however busy the machine is."""
    issued = time.time() - 600 + min(promised(4), 30)
    return shop.issuer.token(issued=issued, lifetime=600, claims={"repository_id": "42"})


def end_of(token: str) -> float:
    return float(jwt.decode(token, options={"verify_signature": False})["exp"])


def running(shop: Shop, words: str, user: str = "scram_user", label: str = "") -> list[tuple[object, ...]]:
    return shop.direct(
        "SELECT query FROM pg_stat_activity WHERE state = 'active' AND pid <> pg_backend_pid() "
        f"AND usename = '{user}' AND query LIKE '%{words}%' AND application_name LIKE '{label}%'"
    )


def octets(path: Path) -> bytes:
    """What a file holds; nothing, where the gateway has removed it meanwhile."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return b""


def request_for(token: str, resource: str = "pg-prod") -> dict[str, str]:
    return {
        "grant_type": EXCHANGE,
        "subject_token": token,
        "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
        "resource": resource,
    }


def post(shop: Shop, path: str, source: str = "127.0.0.1", **fields: str) -> tuple[int, str]:
    """POST a form to the control port, from an address of this machine's."""
    context = ssl.create_default_context(cafile=str(shop.gateway.ca))
    connection = http.client.HTTPSConnection(
        "127.0.0.1", shop.gateway.control_port, context=context, source_address=(source, 0), timeout=60
    )
    try:
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        connection.request("POST", path, urllib.parse.urlencode(fields), headers)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


def exchange(shop: Shop, token: str, resource: str = "pg-prod", source: str = "127.0.0.1") -> dict[str, object]:
    status, body = post(shop, "/token", source, **request_for(token, resource))
    assert status == 200, body
    given: dict[str, object] = json.loads(body)
    return given
