"""How often ordinary data is taken for personal data; `docs/masking.md` tells the rates that are bounded here."""

from __future__ import annotations

import hashlib
import random
import uuid
from base64 import b64encode
from collections.abc import Callable

import pytest

from blastwall.masking.detectors import CREDENTIALS, FINDERS

COUNT = 4000
Make = Callable[[random.Random], str]


def digits(count: int) -> Make:
    return lambda rng: str(rng.randrange(10 ** (count - 1), 10**count))


def timestamp(rng: random.Random) -> str:
    parts = [rng.randrange(10, 28) for _ in range(6)]
    return "20{}-{}-{} {}:{}:{}".format(*parts) + f".{rng.randrange(10**6):06}+00"


NEVER: dict[str, Make] = {
    "order number": lambda rng: str(rng.randrange(10**5, 10**12)),
    "invoice number": lambda rng: f"INV-2026-{rng.randrange(10**6):06}",
    "timestamp": timestamp,
    "milliseconds since 1970": lambda rng: str(rng.randrange(15 * 10**11, 18 * 10**11)),
    "microseconds since 1970": lambda rng: str(rng.randrange(15 * 10**14, 18 * 10**14)),
    "nanoseconds since 1970": lambda rng: str(rng.randrange(15 * 10**17, 18 * 10**17)),
    "floating point": lambda rng: repr(rng.random() * 1000),
    "coordinates": lambda rng: f"{rng.uniform(-90, 90)},{rng.uniform(-180, 180)}",
    "twenty or more digits": digits(24),
    "list of numbers": lambda rng: "{" + ",".join(str(rng.randrange(1000, 9999)) for _ in range(6)) + "}",
    "years": lambda rng: ", ".join(str(rng.randrange(1990, 2030)) for _ in range(6)),
    "IPv4": lambda rng: ".".join(str(rng.randrange(256)) for _ in range(4)),
    "MAC": lambda rng: ":".join(f"{rng.randrange(256):02x}" for _ in range(6)),
    "timestamp with offset": lambda rng: timestamp(rng)[:-3] + f"+{rng.randrange(14):02}:30",
    "ISO timestamp": lambda rng: timestamp(rng).replace(" ", "T")[:19] + "+0200",
    "date and time": lambda rng: f"{rng.randrange(1, 29):02}-{rng.randrange(1, 13):02}-2026 {rng.randrange(24):02}:00",
    "signed fraction": lambda rng: f"+{rng.uniform(1, 99):.9f}",
    "order number with leading zeros": lambda rng: f"{rng.randrange(10**7):012}",
    "part number": lambda rng: f"{rng.randrange(10**4):04}-{rng.randrange(10**3):03}",
    "ISBN": lambda rng: f"978-3-{rng.randrange(10**2):02}-{rng.randrange(10**6):06}-{rng.randrange(10)}",
    "git range": lambda rng: f"{rng.getrandbits(40):010x}..{rng.getrandbits(40):010x}",
    "dotted path": lambda rng: f"com.example.keyboarding.module{rng.randrange(99)}.Main",
    "URL": lambda rng: f"https://example.com:8443/orders/{rng.randrange(10**6)}?code={rng.randrange(10**6)}&page=2",
    "JSON": lambda rng: f'{{"id": {rng.randrange(10**9)}, "name": "x", "signal": "go"}}',
    "words about passwords": lambda rng: rng.choice(["password reset", "password: see vault", "pwd", "key = value"]),
    "placeholder": lambda rng: "password=" + rng.choice(["$PW", "%s", "***", "<secret>", "?", ":pw", "None", "@p1"]),
    "package version": lambda rng: f"react@18.{rng.randrange(10)}.{rng.randrange(10)}",
}
SELDOM: dict[str, tuple[Make, float]] = {
    "UUID": (lambda rng: str(uuid.UUID(int=rng.getrandbits(128))), 0.002),
    "SHA-256": (lambda rng: hashlib.sha256(rng.randbytes(8)).hexdigest(), 0.003),
    "IPv6": (lambda rng: ":".join(f"{rng.randrange(65536):04x}" for _ in range(8)), 0.002),
    "SHA-1": (lambda rng: hashlib.sha1(rng.randbytes(8)).hexdigest(), 0.004),
    "SHA-256 in base64": (lambda rng: b64encode(rng.randbytes(32)).decode(), 0.004),
    "npm integrity": (lambda rng: "sha512-" + b64encode(rng.randbytes(64)).decode(), 0.004),
    "long base64": (lambda rng: b64encode(rng.randbytes(300)).decode(), 0.004),
    "13 digits": (digits(13), 0.015),
    "16 digits": (digits(16), 0.06),
    "18 digits": (digits(18), 0.035),
}


def rate(make: Make) -> float:
    rng = random.Random(7)
    alarms = 0
    for _ in range(COUNT):
        data = make(rng).encode()
        alarms += any(find(data, False) for find in FINDERS.values())
    return alarms / COUNT


@pytest.mark.parametrize("name", NEVER)
def test_never(name: str) -> None:
    assert rate(NEVER[name]) == 0


PHONES: dict[str, Make] = {
    "German": lambda rng: f"+49 {rng.randrange(150, 180)} {rng.randrange(1000, 9999)} {rng.randrange(1000, 9999)}",
    "US": lambda rng: f"+1 ({rng.randrange(200, 989)}) {rng.randrange(200, 999)}-{rng.randrange(10**4):04}",
}


@pytest.mark.parametrize("name", PHONES)
def test_telephone_numbers_are_nothing_else(name: str) -> None:
    rng = random.Random(7)
    for _ in range(COUNT // 4):
        data = PHONES[name](rng).encode()
        assert [found for found, find in FINDERS.items() if find(data, False)] == ["phone"], data


@pytest.mark.parametrize("name", SELDOM)
def test_seldom(name: str) -> None:
    make, most = SELDOM[name]
    assert rate(make) <= most


@pytest.mark.parametrize(
    "name", ["UUID", "SHA-1", "SHA-256", "SHA-256 in base64", "npm integrity", "long base64", "IPv6"]
)
def test_hashes_and_identifiers_are_no_telephones_and_no_credentials(name: str) -> None:
    rng = random.Random(11)
    for _ in range(COUNT // 2):
        data = SELDOM[name][0](rng).encode()
        found = [known for known in ("phone", *CREDENTIALS) if FINDERS[known](data, False)]
        assert found == [], data
