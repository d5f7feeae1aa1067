"""A card number and an address are planted in masked columns; whoever knows SQL tries to get them out or guess them.

The thief's policies permit everything that the default pack does not forbid or hold, and the database role owns the
tables: masking and the pack are all that stands in the way.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
import yaml
from tests.e2e.conftest import configuration
from tests.e2e.hostile import SYNC, HostileClient, Message, codes, parse, query, rows

from blastwall.protocols.postgres.errors import decode_fields
from blastwall.protocols.postgres.messages import Bind, Named, encode_bind, encode_describe, encode_execute, frame
from blastwall.protocols.postgres.messages import Execute as ExecuteMessage
from blastwall.testing.gateway import Gateway
from blastwall.testing.issuer import DevIssuer
from blastwall.testing.postgres import PostgresServer

WAYS = yaml.safe_load(Path(__file__).with_name("ways_out.yaml").read_text())
CARD, EMAIL = "4539578763621486", "margarethe.oswald@example.com"
WRONG = ("4539578763621487", "margarethe.oswald@example.org")

BANK = f"""
CREATE DOMAIN shouting AS text;
CREATE TYPE pair AS (a text, b text);
CREATE SEQUENCE mule_seq MAXVALUE 9999999999999999;
CREATE TABLE people (
  id int PRIMARY KEY, name text, email text UNIQUE, card text, account bigint, note text, least bigint,
  shouted text GENERATED ALWAYS AS (upper(card)) STORED, CHECK (least <= account));
INSERT INTO people (id, name, email, card, account) VALUES
  (1, 'M. Oswald', '{EMAIL}', '{CARD}', {CARD}),
  (2, 'J. Doe', 'jane@example.net', '5425233430109903', 5425233430109903),
  (3, 'No One', NULL, NULL, NULL);
CREATE TABLE vips () INHERITS (people);
INSERT INTO vips (id, name, card, account) VALUES (11, 'Very Important', '{CARD}', {CARD});
CREATE TABLE payments (id int, card text) PARTITION BY LIST (id);
CREATE TABLE payments_1 PARTITION OF payments DEFAULT;
INSERT INTO payments VALUES (1, '{CARD}');
CREATE VIEW people_view AS SELECT id, card AS number, upper(email) AS up FROM people;
CREATE MATERIALIZED VIEW people_kept AS SELECT id, card AS number FROM people;
CREATE TABLE notes (id int PRIMARY KEY, note text);
INSERT INTO notes VALUES (1, 'a'), (2, 'b'), (3, 'c');
CREATE TABLE notes_by_text (t text UNIQUE);
CREATE TABLE loot (id int, data text);
CREATE TABLE numbers (n int);
CREATE TABLE logins (id int, email text REFERENCES people (email));
CREATE FUNCTION card_of(int) RETURNS text LANGUAGE sql STABLE SECURITY DEFINER
  AS 'SELECT card FROM people WHERE people.id = $1 LIMIT 1';
CREATE FUNCTION innocent(int) RETURNS text LANGUAGE sql IMMUTABLE
  AS 'SELECT card FROM people WHERE people.id = $1 LIMIT 1';
CREATE FUNCTION cards_of() RETURNS SETOF people LANGUAGE sql AS 'SELECT * FROM people';
CREATE FUNCTION shown(people) RETURNS text LANGUAGE sql STABLE AS 'SELECT $1.card';
CREATE FUNCTION compared(int, int) RETURNS text LANGUAGE sql AS 'SELECT card FROM people WHERE id = 1';
CREATE OPERATOR <~ (LEFTARG = int, RIGHTARG = int, FUNCTION = compared);
CREATE FUNCTION said(int) RETURNS int LANGUAGE plpgsql
  AS $$ BEGIN RAISE NOTICE 'it is %', card_of($1); RETURN 1; END $$;
CREATE FUNCTION raised(int) RETURNS int LANGUAGE plpgsql
  AS $$ BEGIN RAISE EXCEPTION 'it is %', card_of($1) USING DETAIL = card_of($1), HINT = card_of($1); END $$;
CREATE PROCEDURE tell(int) LANGUAGE plpgsql AS $$ BEGIN RAISE NOTICE 'it is %', card_of($1); END $$;
CREATE FUNCTION speak() RETURNS trigger LANGUAGE plpgsql AS $$
  BEGIN RAISE NOTICE 'new: %', card_of(1); PERFORM pg_notify('loud', card_of(1)); RETURN coalesce(NEW, OLD); END $$;
CREATE TABLE loud (id int);
CREATE TRIGGER speaks BEFORE INSERT OR UPDATE OR DELETE ON loud FOR EACH ROW EXECUTE FUNCTION speak();
CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN card_of(1)::int; END $$;
CREATE TABLE failing (id int);
CREATE TRIGGER fails BEFORE INSERT ON failing FOR EACH ROW EXECUTE FUNCTION fail();
CREATE VIEW looked_up AS SELECT id, card_of(id) AS card FROM notes;
CREATE FUNCTION plus(point, int) RETURNS text LANGUAGE sql AS 'SELECT card FROM people WHERE id = 1';
CREATE OPERATOR <-> (LEFTARG = point, RIGHTARG = int, FUNCTION = plus);
CREATE TYPE code AS (a int);
CREATE FUNCTION code_text(code) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT card FROM people WHERE id = 1';
CREATE CAST (code AS text) WITH FUNCTION code_text(code);
CREATE TABLE codes (id int, c code);
INSERT INTO codes VALUES (1, ROW(1));
CREATE FUNCTION step(text, int) RETURNS text LANGUAGE sql IMMUTABLE
  AS 'SELECT reverse(card) FROM people WHERE id = 1';
CREATE AGGREGATE gathered(int) (SFUNC = step, STYPE = text);
CREATE FUNCTION known(text) RETURNS boolean LANGUAGE plpgsql
  AS $$ BEGIN RETURN EXISTS (SELECT FROM people WHERE card = $1); END $$;
CREATE DOMAIN fresh AS text CHECK (NOT known(VALUE));
CREATE TABLE guesses (id int, c text CHECK (NOT known(c)));
CREATE TABLE fresh_guesses (id int, c fresh);
CREATE FUNCTION oid(people) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT reverse($1.card)';
CREATE FUNCTION ctid(people_view) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT reverse($1.number)';
CREATE UNIQUE INDEX ON payments_1 (card);
CREATE VIEW people_mail AS SELECT id, email AS address FROM people;
CREATE VIEW held_mail AS SELECT id, email AS address FROM people;
CREATE VIEW mail_mail AS SELECT id, address AS post FROM people_mail;
CREATE TABLE words (id int, word text, up text GENERATED ALWAYS AS (upper(word)) STORED UNIQUE);
INSERT INTO words VALUES (1, '{CARD}');
CREATE TABLE tills (id int, card text) PARTITION BY LIST (card);
CREATE TABLE tills_1 PARTITION OF tills DEFAULT;
INSERT INTO tills VALUES (1, '{CARD}');
CREATE TABLE drawers (id int, card text) PARTITION BY LIST (upper(card));
CREATE TABLE drawers_1 PARTITION OF drawers DEFAULT;
INSERT INTO drawers VALUES (1, '{CARD}');
CREATE MATERIALIZED VIEW kept_view AS SELECT number FROM people_view;
CREATE MATERIALIZED VIEW kept_twice AS SELECT number FROM kept_view;
CREATE FUNCTION hidden(int) RETURNS text LANGUAGE sql IMMUTABLE
  AS 'SELECT card FROM public.people WHERE people.id = $1 LIMIT 1';
ALTER FUNCTION hidden(int) OWNER TO scram_user;
CREATE MATERIALIZED VIEW kept_code AS SELECT id, reverse(hidden(id)) AS x FROM notes;
CREATE FUNCTION open_people(refcursor) RETURNS refcursor LANGUAGE plpgsql
  AS $$ BEGIN OPEN $1 FOR SELECT reverse(card) FROM people; RETURN $1; END $$;
CREATE FUNCTION open_any(r refcursor, t text) RETURNS refcursor LANGUAGE plpgsql
  AS $$ BEGIN OPEN r FOR EXECUTE 'SELECT reverse(card) FROM ' || t; RETURN r; END $$;
CREATE FUNCTION swapped(r refcursor) RETURNS void LANGUAGE plpgsql
  AS $$ BEGIN CLOSE r; OPEN r FOR SELECT reverse(card) FROM people; END $$;
CREATE FUNCTION open_other(refcursor) RETURNS refcursor LANGUAGE sql AS 'SELECT open_people($1)';
CREATE FUNCTION opens() RETURNS trigger LANGUAGE plpgsql AS $$
  DECLARE c CURSOR FOR SELECT reverse(card) FROM people; BEGIN c := 'c'; OPEN c; RETURN NEW; END $$;
CREATE TABLE opening (id int);
CREATE TRIGGER opens BEFORE INSERT ON opening FOR EACH ROW EXECUTE FUNCTION opens();
ANALYZE;
"""
OWNED = """
DO $$ DECLARE t text; BEGIN
  FOR t IN SELECT oid::regclass FROM pg_class WHERE relnamespace = 'public'::regnamespace
    AND relkind IN ('r', 'p', 'v', 'm')
  LOOP EXECUTE 'ALTER TABLE ' || t || ' OWNER TO scram_user'; END LOOP; END $$;
GRANT ALL ON SCHEMA public TO scram_user;
GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO scram_user;
"""
CLEAN = """
DROP TABLE IF EXISTS mule; DROP VIEW IF EXISTS mule; DROP MATERIALIZED VIEW IF EXISTS mule;
DROP FUNCTION IF EXISTS mule; DROP FUNCTION IF EXISTS cmin(people_view);
ALTER TABLE loot ALTER data DROP DEFAULT;
TRUNCATE guesses, fresh_guesses, loot, numbers, loud, logins, opening;
DELETE FROM people WHERE id > 40; DELETE FROM words WHERE id > 40; DELETE FROM payments WHERE id > 40;
ALTER TABLE numbers DROP COLUMN IF EXISTS email;
ALTER TABLE people ALTER email DROP DEFAULT; ALTER TABLE logins ALTER email DROP DEFAULT;
"""
PERMISSIVE = """
@id("the-thief-may-do-all-that-the-pack-leaves")
permit (principal in Group::"ci", action, resource in Database::"pg-prod/shop");
"""
MASKED = ("people.email", "people.card", "people.account", "payments.card", "words.word", "tills.card", "drawers.card")

_HELD = re.compile(r".*waits for approval.*|.*nobody approved.*")
"""What is said of a hold speaks of the time."""

Speak = Callable[[HostileClient, str, str], list[Message]]


@dataclass
class Bank:
    """The planted database behind a gateway, and one thief's connection through it."""

    gateway: Gateway
    issuer: DevIssuer
    direct: psycopg.Connection[tuple[object, ...]]
    thief: HostileClient | None = None

    def leave(self) -> None:
        if self.thief is not None:
            self.thief.socket.close()
        self.thief = None

    def connect(self, repository: str) -> HostileClient:
        token = self.issuer.token("ci", claims={"repository_id": repository})
        return HostileClient(self.gateway.port("pg-prod"), self.gateway.ca, token)

    def attempt(self, statements: list[str], guess: tuple[str, str], speak: Speak) -> list[list[Message]]:
        """Try statements in a session as good as new; return the answers to each."""
        if self.thief is None:
            self.thief = self.connect("42")
        try:
            answers = [speak(self.thief, spelled(one, guess), f"40\t{guess[1]}\n") for one in statements]
            self.thief.talk(query("ROLLBACK"))
            self.thief.talk(query("DISCARD ALL"))
        except (EOFError, TimeoutError):
            self.leave()
            raise
        finally:
            self.direct.execute(CLEAN)
        return answers


def spelled(statement: str, guess: tuple[str, str]) -> str:
    spelt = statement.replace("{card}", guess[0]).replace("{email}", guess[1])
    return spelt.replace("{{", "{").replace("}}", "}")


def answered(thief: HostileClient, copied: str, *, again: bytes = b"") -> list[Message]:
    """What comes up to a ReadyForQuery; where the server asks for a COPY's data, it gets `copied`."""
    found: list[Message] = []
    while not found or found[-1][0] != "Z":
        found.append(thief.message())
        if found[-1][0] == "G":
            thief.send(frame(b"d", copied.encode()), frame(b"c", b""), again)
    return found


def simple(thief: HostileClient, statement: str, copied: str) -> list[Message]:
    thief.send(query(statement))
    return answered(thief, copied)


def extended(thief: HostileClient, statement: str, copied: str) -> list[Message]:
    """In binary, as asyncpg asks for it."""
    thief.send(parse(statement), encode_bind(Bind("", "", (), (), (1,))), encode_execute(ExecuteMessage("", 0)), SYNC)
    return answered(thief, copied, again=SYNC)


@pytest.fixture(scope="module")
def bank(postgres_newest: PostgresServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bank]:
    postgres = postgres_newest
    postgres.execute("DROP DATABASE IF EXISTS shop WITH (FORCE)")
    postgres.create_database("shop", BANK + OWNED)
    rules = [
        {"resource": "pg-prod", "columns": [f"public.{one}"], "with": "redact", "except": ["cleared"]} for one in MASKED
    ]
    with (
        DevIssuer() as issuer,
        Gateway(
            configuration(
                postgres,
                issuer,
                packs=["postgres"],
                masking=[
                    {**rules[0], "with": "partial"},
                    *rules[1:],
                    {"resource": "pg-prod", "detect": ["card"], "with": "redact", "except": ["cleared"]},
                ],
                hold={"timeout": "10ms", "in_transaction": "10ms"},
            ),
            policies={"shop.cedar": PERMISSIVE},
            environment={"PG_PASSWORD": postgres.password},
            folder=tmp_path_factory.mktemp("bank"),
        ) as gateway,
        psycopg.connect(postgres.dsn("shop"), autocommit=True) as direct,
    ):
        bank = Bank(gateway, issuer, direct)
        yield bank
        bank.leave()


def traces() -> frozenset[bytes]:
    """What would give the planted values away, in any of the forms that they are asked for in."""
    local = EMAIL.partition("@")[0]
    pieces = {CARD[at : at + 6] for at in range(len(CARD) - 5)} | {local, EMAIL}
    pieces |= {piece[::-1] for piece in pieces} | {piece.upper() for piece in pieces}
    for whole in (CARD, EMAIL, CARD[::-1], EMAIL[::-1]):
        data = whole.encode()
        pieces |= {data.hex()[:16], data.hex()[2:18], hashlib.md5(data).hexdigest(), hashlib.sha256(data).hexdigest()}
        pieces |= {base64.b64encode(b"." * pad + data)[4:16].decode() for pad in range(3)}
        for between in (" ", ",", ", ", "-", "|"):
            pieces |= {between.join(str(byte) for byte in data[:5]), between.join(whole[:6])}
    pieces |= {f"{int(CARD):x}", CARD.translate(str.maketrans("0123456789", "abcdefghij"))[:8], "4.5395787"}
    binary = {int(CARD).to_bytes(8, "big"), b"".join(int(CARD[at : at + 4]).to_bytes(2, "big") for at in (0, 4, 8, 12))}
    return frozenset(piece.encode() for piece in pieces) | binary


TRACES = traces()


def leaked(answers: list[list[Message]]) -> list[bytes]:
    told = [body for answer in answers for kind, body in answer if kind not in "KR"]
    everything = b"\n".join(told)
    numbers = b"".join(cell or b"" for answer in answers for row in rows(answer) for cell in row)
    return [one for one in TRACES if one in everything or one in numbers]


def outcome(answer: list[Message], guess: tuple[str, str]) -> list[object]:
    """All that one answer tells, but for the guess itself and how long a hold took.

    The notice of a hold is passed over: whether it comes before so short a hold has ended is a matter of time alone.
    """
    told: list[object] = []
    for kind, body in answer:
        if kind in "EN":
            fields = decode_fields(body)
            if kind == "N" and _HELD.match(fields["M"]):
                continue
            told.append((kind, fields["C"], _HELD.sub("held", fields["M"])))
        elif kind not in "SA":
            told.append((kind, body.replace(guess[0].encode(), b"GUESS").replace(guess[1].encode(), b"GUESS")))
    return told


def test_the_list_only_grows() -> None:
    assert len(WAYS) >= 309


@pytest.mark.parametrize("speak", [simple, extended])
@pytest.mark.parametrize("way", WAYS, ids=lambda way: way["way"].replace(" ", "-"))
def test_there_is_no_way_out(bank: Bank, way: dict[str, list[str]], speak: Speak) -> None:
    statements = way["sql"]
    if not any("{card}" in one or "{email}" in one for one in statements):
        assert leaked(bank.attempt(statements, WRONG, speak)) == []
        return
    right, wrong = bank.attempt(statements, (CARD, EMAIL), speak), bank.attempt(statements, WRONG, speak)
    for statement, one, other in zip(statements, right, wrong, strict=True):
        assert outcome(one, (CARD, EMAIL)) == outcome(other, WRONG), statement


@pytest.mark.parametrize("speak", [simple, extended])
def test_a_way_out_would_be_noticed(bank: Bank, speak: Speak) -> None:
    """Whoever is exempt gets out what the thief does not, and may guess."""
    asked = "SELECT id FROM people WHERE card = '{card}'"
    with bank.connect("43") as cleared:
        for shown in (
            "card",
            "account",
            "reverse(email)",
            "encode(card::bytea, 'hex')",
            "md5(email)",
            "account::numeric",
        ):
            assert leaked([speak(cleared, f"SELECT {shown} FROM people", "")]), shown
        right, wrong = (speak(cleared, spelled(asked, guess), "") for guess in ((CARD, EMAIL), WRONG))
    assert outcome(right, (CARD, EMAIL)) != outcome(wrong, WRONG)


def test_a_held_cursor_outlives_the_view_that_it_shows(bank: Bank) -> None:
    told = bank.attempt(
        [
            "DECLARE h CURSOR WITH HOLD FOR SELECT reverse(address) FROM held_mail",
            "CREATE OR REPLACE VIEW held_mail AS SELECT id, note AS address FROM notes",
            "FETCH ALL FROM h",
        ],
        WRONG,
        simple,
    )
    assert [codes(answer) for answer in told] == [[], [], []]
    assert len(rows(told[2])) == 4
    assert leaked(told) == []


PORTAL = (parse("SELECT name FROM people"), encode_bind(Bind("c", "")))
"""Its rows are not masked: what is described of it must not speak for what code puts in its place."""
SWAP = (parse("SELECT swapped('c')"), encode_bind(Bind("", "")), encode_execute(ExecuteMessage("", 0)))
FETCH = (encode_execute(ExecuteMessage("c", 2)), SYNC)


@pytest.mark.parametrize(
    "steps",
    [
        [(query("BEGIN"),), (*PORTAL, SYNC), (query("SELECT swapped('c')"),), FETCH, FETCH],
        [(query("BEGIN"),), (*PORTAL, *SWAP, *FETCH)],
        [(query("BEGIN"),), (*PORTAL, *FETCH), (query("SELECT swapped('c')"),), FETCH, FETCH],
        [
            (query("BEGIN"),),
            (query("SAVEPOINT s"),),
            (*PORTAL, encode_describe(Named("P", "c")), SYNC),
            (query("ROLLBACK TO s"),),
            (query("SELECT open_people('c')"),),
            (encode_describe(Named("P", "c")), *FETCH),
        ],
    ],
)
def test_what_code_puts_in_a_portals_place_is_masked(bank: Bank, steps: list[tuple[bytes, ...]]) -> None:
    with bank.connect("42") as thief:
        told = [thief.talk(*step) for step in steps]
    assert codes([message for answer in told for message in answer]) == []
    assert rows(told[-1])[-2:] == [[b"[redacted]"]] * 2
    assert leaked(told) == []


def test_a_portal_goes_on_showing_its_own_rows_beside_code_that_opens_cursors(bank: Bank) -> None:
    with bank.connect("42") as thief:
        thief.talk(query("BEGIN"))
        thief.talk(*PORTAL, SYNC)
        thief.talk(query("SELECT open_people('other')"))
        names = [name for _ in range(2) for name in rows(thief.talk(*FETCH))]
    assert sorted(names) == [[b"J. Doe"], [b"M. Oswald"], [b"No One"], [b"Very Important"]]


NUMBERS = """
CREATE TYPE holding AS (n int, card bigint);
CREATE TABLE hidden (id int, b bigint, n numeric, bs bigint[], ns numeric[], r int8range, h holding, hs holding[],
                     j jsonb, t text[]);
INSERT INTO hidden VALUES (1, {0}, {0}, ARRAY[1, {0}], ARRAY[{0}.0], int8range({0}, NULL), (1, {0}),
                           ARRAY[(1, {0})::holding], '{{"a": [{0}]}}', ARRAY['x', '{0}']);
"""


@pytest.mark.parametrize("speak", [simple, extended])
def test_detectors_find_cards_in_numbers_and_what_holds_them(bank: Bank, speak: Speak) -> None:
    """No column rule speaks of this table: the detector alone finds them, whatever format is asked for."""
    bank.direct.execute("DROP TABLE IF EXISTS hidden; DROP TYPE IF EXISTS holding")
    bank.direct.execute(NUMBERS.format(CARD) + "ALTER TABLE hidden OWNER TO scram_user")
    told = bank.attempt(
        [
            "SELECT * FROM hidden",
            "SELECT ROW(b, n), ARRAY[b], b + 0, int8multirange(r), h, (h).card FROM hidden",
            "COPY hidden TO STDOUT",
            "COPY hidden (b, bs, h) TO STDOUT (FORMAT binary)",
            "COPY (SELECT b + 0 FROM hidden) TO STDOUT (FORMAT binary)",
        ],
        WRONG,
        speak,
    )
    assert leaked(told) == []
    assert rows(told[0])[0][:2] == [b"1" if speak is simple else b"\0\0\0\1", None]
    assert [codes(answer) for answer in told[1:]] == [[], [], [], ["42501"]]


def test_nothing_was_changed_by_any_of_it(bank: Bank) -> None:
    """Runs last: a way that destroys what it cannot read is none of these."""
    kept = bank.direct.execute("SELECT id, email, card, account, note FROM ONLY people ORDER BY id").fetchall()
    assert kept[0][:4] == (1, EMAIL, CARD, int(CARD))
    assert len(kept) == 3


def test_honest_work_goes_on(bank: Bank) -> None:
    answers = bank.attempt(["SELECT id, name, email, card, account FROM people WHERE id = 1"], WRONG, simple)
    assert rows(answers[0]) == [[b"1", b"M. Oswald", b"m***@example.com", b"[redacted]", None]]
    for speak in (simple, extended):
        allowed = [
            "SELECT p.name, n.note FROM people p JOIN notes n USING (id) ORDER BY id",
            "SELECT count(*) FROM people",
        ]
        assert [codes(answer) for answer in bank.attempt(allowed, WRONG, speak)] == [[], []]
