"""The demo's rows are the same each time, believable, and well-formed enough for the detectors to find."""

from __future__ import annotations

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from blastwall.testing.demo.data import Shop, card_number, iban


def luhn(number: str) -> bool:
    digits = [int(digit) for digit in reversed(number)]
    return (sum(digits[::2]) + sum(sum(divmod(2 * digit, 10)) for digit in digits[1::2])) % 10 == 0


def mod97(number: str) -> int:
    return int("".join(str(int(letter, 36)) for letter in number[4:] + number[:4])) % 97


def test_the_same_seed_gives_the_same_shop() -> None:
    assert Shop.generate() == Shop.generate()
    assert Shop.generate(1) != Shop.generate(2)


@given(st.integers())
def test_cards_and_ibans_pass_their_checks(seed: int) -> None:
    number = card_number(Random(seed))
    assert len(number) == 16
    assert luhn(number)
    assert mod97(iban(Random(seed))) == 1


def test_rows_refer_to_each_other_and_are_nobody_s() -> None:
    shop = Shop.generate()
    assert len(shop.customers) + len(shop.cards) + len(shop.orders) > 200
    owners = {card.number: card.customer_id for card in shop.cards}
    assert len(owners) == len(shop.cards)
    assert all(owners[order.card_number] == order.customer_id for order in shop.orders)
    assert len({customer.email for customer in shop.customers}) == len(shop.customers)
    assert all(customer.email.split("@")[1].startswith("example.") for customer in shop.customers)
    assert all(customer.ssn.startswith("9") for customer in shop.customers)
    assert all(customer.phone.startswith("+1 202 555 01") for customer in shop.customers)
