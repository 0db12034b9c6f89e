"""Averaging in and grids, turn by turn: whatever the market fills, they hold what they think and never sell more."""

from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from pilothouse.core.rounding import EXACT
from pilothouse.strategies.sdk import Bar, Filled, Want
from tests.unit.strategies.small_market import prices, venue


@settings(max_examples=60)
@given(st.integers(0, 100_000), st.integers(1, 3), st.integers(20, 300), st.integers(0, 6))
def test_averaging_in_knows_what_it_holds(seed: int, parts: int, swing: int, safeties: int) -> None:
    """Through hundreds of fills, whole and in parts: held is what was bought less what was sold, never below zero."""
    market = venue("dca", parts, base=1_000.0, safety=500.0, safety_most=safeties)
    for price in prices(seed, 250, swing):
        market.go(price)
        assert Decimal(market.state["held"]) == market.held >= 0
        buys = [key for key, want in market.orders.items() if want.quantity > 0]
        assert len(buys) <= 1 + safeties
        assert all(key.startswith(f"{market.state['cycle']}-") for key in market.orders)
        if market.held > 0:
            stops = [want for want in market.orders.values() if want.stop is not None]
            assert [stop.quantity for stop in stops] == [-market.held]
            assert sum(1 for key in market.orders if "-take-" in key) >= 1


def test_averaging_in_sells_in_three_parts_and_moves_its_stop() -> None:
    """40 % at 1 %, then the stop stands at the average; 40 % at 3 %, then at the first target; the rest at 20 %."""
    market = venue("dca", base=1_000.0, safety=1_000.0, safety_most=2)
    market.go(Decimal(100))  # asks for 10 at 100
    market.go(Decimal(100))  # filled
    assert market.held == 10
    assert {key: want.price for key, want in market.orders.items() if "safety" in key} == {
        "0-safety-1": Decimal(99),
        "0-safety-2": Decimal(98),
    }
    assert market.orders["0-stop"].stop == Decimal(95)

    market.go(Decimal("101.5"))
    assert market.held == 6
    assert market.orders["0-stop"].stop == Decimal(100)
    assert not any("safety" in key for key in market.orders)

    market.go(Decimal(104))
    assert market.held == 2
    assert market.orders["0-stop"].stop == Decimal(101)

    market.go(Decimal(121))
    assert market.held == 0
    assert market.state["cycle"] == 1
    assert list(market.orders) == ["1-base"]


def test_averaging_in_moves_its_unfilled_order_and_adds_no_second() -> None:
    """An order that was left behind and placed again next time buys twice when the price returns."""
    market = venue("dca", base=1_000.0)
    for price in (100, 110, 120):
        at = Decimal(price)
        market.tell(Bar("BTCUSDT", 0, 60_000, at, at, at, at, Decimal(1)))
        assert list(market.orders) == ["0-base"]
    assert market.orders["0-base"].price == Decimal(120)


def test_safety_orders_lower_the_average_and_its_stop() -> None:
    """The stop and the targets belong to the average price of all purchases."""
    market = venue("dca", base=1_000.0, safety=1_000.0, safety_most=1, deviation=2.0)
    market.go(Decimal(100))
    market.go(Decimal(100))
    market.go(Decimal(98))
    cost, bought = Decimal(market.state["cost"]), Decimal(market.state["bought"])

    assert Decimal(98) < cost / bought < Decimal(100)
    assert market.orders["0-stop"].stop == EXACT.divide(cost * Decimal("0.95"), bought)
    assert market.orders["0-take-1"].price == EXACT.divide(cost * Decimal("1.01"), bought)


def test_what_an_ended_cycle_still_bought_is_sold_again() -> None:
    """A cancel can cross a fill. The next cycle does not know of it, and it would lie there without a stop."""
    market = venue("dca", base=1_000.0)
    turn = market.tell(Filled("7-safety-1", "BTCUSDT", Decimal(1), Decimal(100), 5))

    assert turn.wants == (Want("late-7-safety-1-5", "BTCUSDT", Decimal(-1), reduce_only=True),)
    assert market.state == market.strategy.begin(market.params)
    assert market.tell(Filled("late-7-safety-1-5", "BTCUSDT", Decimal(-1), Decimal(99), 6)).wants == ()


@settings(max_examples=60)
@given(st.integers(0, 100_000), st.integers(1, 3), st.integers(20, 200), st.integers(1, 8))
def test_a_grid_knows_what_each_level_holds(seed: int, parts: int, swing: int, levels: int) -> None:
    """What all levels hold is what is held, and each level either waits to buy or to sell."""
    market = venue("grid", parts, levels=levels, step=0.5, order=1_000.0, stop_loss=2.0)
    for price in prices(seed, 250, swing):
        market.go(price)
        if market.state["ended"]:
            break
        held = sum((Decimal(level["bought"]) - Decimal(level["sold"]) for level in market.state["levels"]), Decimal(0))
        assert held == market.held >= 0
        for number_of, level in enumerate(market.state["levels"]):
            keys = {f"buy-{number_of}-{level['round']}", f"sell-{number_of}-{level['round']}"}
            assert keys & market.orders.keys()
    if market.state["ended"]:
        market.go(market.fills[-1].price if market.fills else Decimal(1))
        assert market.held == 0
        assert market.orders == {}


def test_a_grid_earns_its_step_and_buys_again() -> None:
    """Down one level and up again is one step earned, and the level waits at its old price."""
    market = venue("grid", levels=2, step=1.0, order=990.0)
    market.go(Decimal(100))
    assert {key: want.price for key, want in market.orders.items()} == {
        "buy-0-0": Decimal("99.00"),
        "buy-1-0": Decimal("98.0100"),
    }
    market.go(Decimal(99))
    assert market.held == 10
    market.go(Decimal(100))

    assert market.held == 0
    assert sum((-fill.quantity * fill.price for fill in market.fills), Decimal(0)) == 10
    assert market.orders["buy-0-1"].price == Decimal("99.00")


def test_a_grid_that_fell_through_sells_all_and_ends() -> None:
    """Below the stop it calls off every order and does not begin again."""
    market = venue("grid", levels=3, step=1.0, order=1_000.0, stop_loss=5.0)
    for price in (100, 90, 90, 100, 100):
        market.go(Decimal(price))

    assert market.state["ended"] is True
    assert market.held == 0
    assert market.orders == {}


def test_what_an_old_round_still_bought_is_sold_with_the_level() -> None:
    """The rest of a purchase may fill while it is called off; the level holds it, and sells it one step higher."""
    market = venue("grid", levels=1, step=1.0, order=990.0)
    for price in (100, 99, 100):
        market.go(Decimal(price))
    assert market.state["levels"][0]["round"] == 1
    turn = market.tell(Filled("buy-0-0", "BTCUSDT", Decimal(2), Decimal(99), 5))

    assert [(want.key, want.quantity, want.price) for want in turn.wants] == [("sell-0-1", Decimal(-2), Decimal(100))]


def test_what_a_grid_bought_after_its_end_is_sold_at_once() -> None:
    """It has given up: nothing of it may stay in the market."""
    market = venue("grid")
    market.state |= {"ended": True, "top": "100"}
    turn = market.tell(Filled("buy-0-0", "BTCUSDT", Decimal(1), Decimal(99), 5))

    assert [(want.quantity, want.price, want.reduce_only) for want in turn.wants] == [(Decimal(-1), None, True)]
