"""The demo's rows: invented, the same each time, and well-formed (cards pass Luhn, IBANs pass mod 97).

Nothing here can be somebody's: e-mail addresses are of RFC 2606's domains, telephone numbers of the range kept for
fiction, social security numbers of an area that is never assigned, card numbers of a test range.
"""

from __future__ import annotations

from dataclasses import astuple, dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from random import Random
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import psycopg

CUSTOMERS = 60
ORDERS = 90

_FIRST = (
    "Ada", "Amir", "Anneliese", "Bao", "Carmen", "Chidi", "Daria", "Elif", "Farah", "Goran", "Hana",
    "Ines", "Jonas", "Kofi", "Leila", "Mateo", "Nadia", "Oskar", "Priya", "Quinn", "Rosa", "Samir",
    "Tove", "Umar", "Vera", "Wanda", "Xenia", "Yuki", "Zoran", "Bela",
)  # fmt: skip
_LAST = (
    "Albrecht", "Barros", "Chen", "Diallo", "Eriksen", "Fontaine", "Gupta", "Haddad", "Ivanov",
    "Jansen", "Kowalski", "Lindqvist",
)  # fmt: skip
_DOMAINS = ("example.com", "example.org", "example.net")
_START = datetime(2026, 1, 5, 8, 30, tzinfo=UTC)
_NOTES = (
    "",
    "gift wrap",
    "leave at the neighbour's",
    "customer asked to write to {email}",
    "paid twice, refund to {iban}",
    "read out card {card} on the phone",
)


@dataclass(frozen=True, slots=True)
class Customer:
    """One row of `customers`."""

    id: int
    name: str
    email: str
    phone: str
    iban: str
    ssn: str
    since: date


@dataclass(frozen=True, slots=True)
class Card:
    """One row of `cards`."""

    customer_id: int
    number: str
    expires: date


@dataclass(frozen=True, slots=True)
class Order:
    """One row of `orders`."""

    id: int
    customer_id: int
    card_number: str
    total: Decimal
    status: str
    note: str
    placed_at: datetime


@dataclass(frozen=True, slots=True)
class Shop:
    """All rows."""

    customers: tuple[Customer, ...]
    cards: tuple[Card, ...]
    orders: tuple[Order, ...]

    @classmethod
    def generate(cls, seed: int = 2026) -> Shop:
        """Invent the rows; the same seed gives the same ones."""
        chance = Random(seed)
        customers = tuple(_customer(number, chance) for number in range(1, CUSTOMERS + 1))
        cards = tuple(Card(customer.id, card_number(chance), date(2028, 6, 30)) for customer in customers)
        orders = tuple(_order(number, chance, customers, cards) for number in range(1, ORDERS + 1))
        return cls(customers, cards, orders)

    def load(self, connection: psycopg.Connection[tuple[object, ...]]) -> None:
        """Copy the rows into the tables of `shop.sql`, and have them counted."""
        with connection.cursor() as cursor:
            for table, rows in (("customers", self.customers), ("cards", self.cards), ("orders", self.orders)):
                with cursor.copy(f"COPY {table} FROM STDIN".encode()) as copy:
                    for row in rows:
                        copy.write_row(astuple(row))
                cursor.execute(f"ANALYZE {table}".encode())


def card_number(chance: Random) -> str:
    """Return a number of a test range that passes the Luhn check (ISO/IEC 7812-1, annex B)."""
    body = "424242" + "".join(str(chance.randrange(10)) for _ in range(9))
    total = 0
    for position, digit in enumerate(reversed(body)):
        value = int(digit) * 2 if position % 2 == 0 else int(digit)
        total += value - 9 if value > 9 else value
    return body + str(-total % 10)


def iban(chance: Random) -> str:
    """Return a German-looking IBAN that passes the mod 97 check (ISO 13616)."""
    account = "".join(str(chance.randrange(10)) for _ in range(18))
    check = 98 - int(account + "131400") % 97  # D is 13, E is 14, 00 stands for the check digits
    return f"DE{check:02d}{account}"


def _customer(number: int, chance: Random) -> Customer:
    first, last = _FIRST[number % len(_FIRST)], _LAST[chance.randrange(len(_LAST))]
    return Customer(
        id=number,
        name=f"{first} {last}",
        email=f"{first}.{last}{number}@{_DOMAINS[number % len(_DOMAINS)]}".lower(),
        phone=f"+1 202 555 {100 + number:04d}",
        iban=iban(chance),
        ssn=f"9{chance.randrange(100):02d}-{chance.randrange(1, 100):02d}-{chance.randrange(1, 10000):04d}",
        since=(_START - timedelta(days=chance.randrange(900))).date(),
    )


def _order(number: int, chance: Random, customers: tuple[Customer, ...], cards: tuple[Card, ...]) -> Order:
    buyer = chance.randrange(len(customers))
    customer, card = customers[buyer], cards[buyer]
    note = _NOTES[number % len(_NOTES)].format(email=customer.email, iban=customer.iban, card=card.number)
    return Order(
        id=number,
        customer_id=customer.id,
        card_number=card.number,
        total=Decimal(chance.randrange(500, 50_000)) / 100,
        status=("open", "paid", "shipped", "returned")[chance.randrange(4)],
        note=note,
        placed_at=_START + timedelta(hours=7 * number),
    )
