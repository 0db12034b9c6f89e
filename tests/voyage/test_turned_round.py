"""Two protections of one instrument: each side keeps its own while an order may turn the position round."""

from decimal import Decimal
from typing import Any

import pytest

from pilothouse.core.order import Purpose
from pilothouse.execution import cancel
from pilothouse.fleet import protections
from pilothouse.jobs.schedule import drive_waiting
from tests.stepped import Stepped

BTC = "BTCUSDT"
LONG: dict[str, Any] = {"action": "open", "symbol": BTC, "side": "BUY", "quantity": "0.010", "stop_loss": "60000"}
SHORT: dict[str, Any] = {"action": "open", "symbol": BTC, "side": "SELL", "quantity": "0.010", "stop_loss": "70000"}
ROUND: dict[str, Any] = {**LONG, "quantity": "0.030", "order_type": "LIMIT", "price": "62000", "stop_loss": "58000"}


def _price(house: Stepped, price: str) -> None:
    assert house.house.paper is not None, "a house with a paper venue"
    house.house.paper.set_price(BTC, Decimal(price))


def _go_on(house: Stepped, seconds: int = 2) -> None:
    for _ in range(seconds):
        house.pass_time(1, step=0.5)
        drive_waiting(house.house)
        house.run()


def _stops(house: Stepped) -> list[tuple[str, Decimal, Decimal | None]]:
    """Return side, quantity and trigger of what stands at the venue to protect."""
    told = house.house.venues["paper"].open_orders(house.account)
    return [
        (each.terms.side.value, each.terms.quantity, each.terms.stop_price) for each in told if each.terms.stop_price
    ]


def _awaited(house: Stepped) -> str | None:
    found = house.house.database.read(lambda tx: protections.awaited(tx, house.account.id, BTC))
    return found.protection.side.value if found else None


@pytest.fixture
def short(stepped: Stepped) -> Stepped:
    """Return a house that is short with its stop, and an order at rest that would turn it round."""
    _price(stepped, "65000.0")
    stepped.alert(**SHORT)
    _go_on(stepped)
    stepped.alert(**ROUND)
    _go_on(stepped)
    assert stepped.position(BTC) == Decimal("-0.010")
    return stepped


def test_what_is_held_keeps_its_stop_while_an_order_rests_that_would_turn_it_round(short: Stepped) -> None:
    """It may rest for weeks, or never fill."""
    assert _stops(short) == [("BUY", Decimal("0.010"), Decimal(70000))]
    assert _awaited(short) == "BUY"


def test_once_turned_round_the_position_has_the_stop_that_came_with_the_order(short: Stepped) -> None:
    """The one of the old side goes: it could only add to nothing."""
    _price(short, "61900.0")
    _go_on(short, 3)

    assert short.position(BTC) == short.venue_position(BTC) == Decimal("0.020")
    assert _stops(short) == [("SELL", Decimal("0.020"), Decimal(58000))]
    assert _awaited(short) is None
    assert short.drift() == []


def test_an_order_that_turns_nothing_round_any_more_takes_its_protection_with_it(short: Stepped) -> None:
    """The stop of what is held stays; a stop that fired later leaves nothing behind."""
    resting = next(one for one in short.live() if one.purpose is Purpose.ENTRY)
    desk = short.house.desk
    short.house.database.write(lambda tx: cancel.ask(tx, desk, resting, by="test"), name="cancel")
    short.run()
    _go_on(short, 3)
    assert _stops(short) == [("BUY", Decimal("0.010"), Decimal(70000))]
    assert _awaited(short) is None

    _price(short, "70100.0")
    _go_on(short, 3)
    assert short.position(BTC) == short.venue_position(BTC) == 0
    assert short.house.database.read(lambda tx: protections.of(tx, short.account.id, BTC)) is None
    assert short.live() == []


def test_when_the_stop_fires_first_the_order_that_rests_keeps_its_protection(short: Stepped) -> None:
    """What was to turn the position round opens it then, with its own stop."""
    _price(short, "70100.0")
    _go_on(short, 3)
    assert short.position(BTC) == 0
    assert _stops(short) == []

    _price(short, "61900.0")
    _go_on(short, 3)
    assert short.position(BTC) == short.venue_position(BTC) == Decimal("0.030")
    assert _stops(short) == [("SELL", Decimal("0.030"), Decimal(58000))]


def test_of_two_orders_at_rest_each_has_its_own_stop_whichever_fills_first(stepped: Stepped) -> None:
    """One buys below the price, one sells above it."""
    _price(stepped, "65000.0")
    stepped.alert(**{**LONG, "order_type": "LIMIT", "price": "64000"})
    stepped.alert(**{**SHORT, "order_type": "LIMIT", "price": "66000", "quantity": "0.030"})
    _go_on(stepped)

    _price(stepped, "63900.0")
    _go_on(stepped, 3)
    assert stepped.position(BTC) == Decimal("0.010")
    assert _stops(stepped) == [("SELL", Decimal("0.010"), Decimal(60000))]

    _price(stepped, "66100.0")
    _go_on(stepped, 3)
    assert stepped.position(BTC) == stepped.venue_position(BTC) == Decimal("-0.020")
    assert _stops(stepped) == [("BUY", Decimal("0.020"), Decimal(70000))]


def test_a_death_between_the_two_sides_changes_nothing(short: Stepped) -> None:
    """Both are in the books."""
    short.die()
    short.open()
    _price(short, "61900.0")
    _go_on(short, 3)
    assert _stops(short) == [("SELL", Decimal("0.020"), Decimal(58000))]


def test_an_order_of_the_old_side_at_rest_is_not_cancelled_when_the_position_turns_round(short: Stepped) -> None:
    """It was asked for as well, and what it fills has the protection of its side again."""
    short.alert(**{**SHORT, "order_type": "LIMIT", "price": "66000", "quantity": "0.040"})
    _go_on(short)
    _price(short, "61900.0")
    _go_on(short, 3)
    assert short.position(BTC) == Decimal("0.020")

    _price(short, "66100.0")
    _go_on(short, 3)
    assert short.position(BTC) == short.venue_position(BTC) == Decimal("-0.020")
    assert _stops(short) == [("BUY", Decimal("0.020"), Decimal(70000))]
