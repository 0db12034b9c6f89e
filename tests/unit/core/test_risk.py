"""The risk gate: each limit on its own, with the number and the limit, and no limit that keeps anybody in."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilothouse.core.instrument import Instrument, Side
from pilothouse.core.order import OrderTerms, OrderType
from pilothouse.core.quote import Quote
from pilothouse.core.risk import Allowed, Denied, Exposure, Limits, check

D = Decimal
NOW = datetime(2026, 1, 5, 12, tzinfo=UTC)
BTC = Instrument(
    symbol="BTCUSDT",
    base="BTC",
    quote="USDT",
    tick=D("0.1"),
    lot=D("0.001"),
    quantity_min=D("0.001"),
    quantity_max=D(1000),
    notional_min=D(5),
    price_min=D("0.1"),
    price_max=D(10**7),
    leverage_max=125,
)
WIDE = Limits(
    order_notional_max=D(10**9),
    position_equity_ratio_max=D(1000),
    orders_per_minute_max=1000,
    daily_loss_percent_max=D(100),
    price_collar_percent=D(50),
    quote_age_max_s=D(10),
)
FLAT = Exposure(
    position=D(0),
    pending_buy=D(0),
    pending_sell=D(0),
    equity=D(10_000),
    equity_at_midnight=D(10_000),
    orders_last_minute=0,
)
QUOTE = Quote("BTCUSDT", D("99.9"), D("100.1"), D(100), D(100), NOW, "simulated")


def order(side: Side = Side.BUY, quantity: Decimal | int = 1, price: Decimal | None = None, **more: Any) -> OrderTerms:
    """Return a market order, or a limit order if there is a price."""
    kind = OrderType.MARKET if price is None else OrderType.LIMIT
    return OrderTerms("BTCUSDT", side, kind, D(quantity), price, **more)


def verdict(
    terms: OrderTerms,
    exposure: Exposure = FLAT,
    limits: Limits = WIDE,
    quote: Quote = QUOTE,
) -> dict[str, tuple[str, str]]:
    """Return the denials: number and limit by code; empty when allowed."""
    result = check(terms, exposure, limits, BTC, quote, NOW)
    if isinstance(result, Allowed):
        return {}
    assert result.reasons
    assert all(reason.message in str(result) for reason in result.reasons)
    assert all(reason.number in reason.message and reason.limit in reason.message for reason in result.reasons)
    return {reason.code: (reason.number, reason.limit) for reason in result.reasons}


def test_an_order_within_all_limits_is_allowed() -> None:
    """Limits are open until somebody sets them."""
    assert verdict(order()) == {}


def test_an_order_that_is_too_large_is_denied() -> None:
    """A slip of a digit does not reach the venue. Exactly the limit is allowed."""
    limits = replace(WIDE, order_notional_max=D(500))

    assert verdict(order(quantity=5), limits=limits) == {}
    assert verdict(order(quantity=6), limits=limits) == {"order_size": ("600", "500")}
    # A limit above the mark is measured by its own price: that is what it may cost.
    assert verdict(order(quantity=5, price=D(101)), limits=limits) == {"order_size": ("505", "500")}
    assert verdict(order(quantity=5, price=D(99)), limits=limits) == {}


def test_a_position_that_would_be_too_large_is_denied() -> None:
    """What is held and what already rests on that side both count."""
    limits = replace(WIDE, position_equity_ratio_max=D("0.1"))
    exposure = replace(FLAT, position=D(3), pending_buy=D(2), pending_sell=D(4))

    assert verdict(order(quantity=5), exposure, limits) == {}
    assert verdict(order(quantity=6), exposure, limits) == {"position_size": ("1100", "1000")}
    # Held 3, sell 4 rests: 9 more would leave 10 short, 10 would leave 11.
    assert verdict(order(Side.SELL, 9), exposure, limits) == {}
    assert verdict(order(Side.SELL, 10), exposure, limits) == {"position_size": ("1100", "1000")}


def test_without_equity_nothing_can_be_added() -> None:
    """An account that owes money holds no more than it holds."""
    for equity in (D(0), D(-50)):
        assert "position_size" in verdict(order(), replace(FLAT, equity=equity, equity_at_midnight=equity))


def test_too_many_orders_within_a_minute_are_denied() -> None:
    """A loop somewhere must not become a thousand orders."""
    limits = replace(WIDE, orders_per_minute_max=3)

    assert verdict(order(), replace(FLAT, orders_last_minute=2), limits) == {}
    assert verdict(order(), replace(FLAT, orders_last_minute=3), limits) == {"order_rate": ("4", "3")}


def test_a_day_that_lost_too_much_is_over() -> None:
    """New exposure stops at the limit, not behind it."""
    limits = replace(WIDE, daily_loss_percent_max=D(5))

    assert verdict(order(), replace(FLAT, equity=D("9500.01")), limits) == {}
    assert verdict(order(), replace(FLAT, equity=D(9500)), limits) == {"daily_loss": ("5", "5")}
    assert verdict(order(), replace(FLAT, equity=D(11_000)), limits) == {}


@pytest.mark.parametrize(("side", "price", "away"), [(Side.BUY, "103.1", "3.1"), (Side.SELL, "96.9", "3.1")])
def test_a_limit_far_on_the_losing_side_is_denied(side: Side, price: str, away: str) -> None:
    """A misplaced point would be filled at once and cost the difference."""
    limits = replace(WIDE, price_collar_percent=D(3))

    assert verdict(order(side, price=D(price)), limits=limits) == {"price_collar": (away, "3")}
    assert verdict(order(side, price=D(103) if side is Side.BUY else D(97)), limits=limits) == {}
    # On the winning side a limit merely rests.
    assert verdict(order(side, price=D(50) if side is Side.BUY else D(200)), limits=limits) == {}


def test_a_stale_quote_denies() -> None:
    """What nobody has seen for ten seconds is no price to size by."""
    fresh = replace(QUOTE, at=NOW - timedelta(seconds=10))
    stale = replace(QUOTE, at=NOW - timedelta(seconds=10, microseconds=1))

    assert verdict(order(), quote=fresh) == {}
    assert verdict(order(), quote=stale) == {"stale_quote": ("10.000001", "10")}


def test_all_reasons_are_told_at_once() -> None:
    """Whoever is denied should not find out one limit at a time."""
    limits = Limits(D(1), D("0.001"), 1, D(1), D(1), D(1))
    exposure = replace(FLAT, equity=D(9000), orders_last_minute=5)
    found = verdict(order(quantity=5, price=D(110)), exposure, limits, replace(QUOTE, at=NOW - timedelta(seconds=5)))

    assert set(found) == {"stale_quote", "order_rate", "order_size", "position_size", "daily_loss", "price_collar"}


def test_a_denial_tells_why_in_a_sentence() -> None:
    """People and programs both read it."""
    result = check(order(quantity=6), FLAT, replace(WIDE, order_notional_max=D(500)), BTC, QUOTE, NOW)

    assert isinstance(result, Denied)
    assert str(result) == "the order is worth 600 USDT, at most 500 are allowed"


TIGHT = replace(WIDE, order_notional_max=D(1), position_equity_ratio_max=D("0.0001"), daily_loss_percent_max=D(1))
sizes = st.decimals(min_value="0.001", max_value=20, places=3)
amounts = st.decimals(min_value=0, max_value=20, places=3)


@given(sizes, sizes, st.sampled_from(Side))
def test_no_limit_keeps_anybody_in_a_position(held: Decimal, quantity: Decimal, side: Side) -> None:
    """Reduce-only orders are held to it by the venue; size and loss do not ask them."""
    exposure = replace(FLAT, position=held * side.sign, equity=D(1))

    assert verdict(order(side.opposite, quantity, reduce_only=True), exposure, TIGHT) == {}
    assert verdict(order(side.opposite, min(quantity, held)), exposure, TIGHT) == {}


@given(st.decimals(min_value=-20, max_value=20, places=3), amounts, amounts, sizes, st.sampled_from(Side))
def test_only_what_cannot_pass_through_zero_escapes_the_limits(
    held: Decimal, buying: Decimal, selling: Decimal, quantity: Decimal, side: Side
) -> None:
    """An order that could turn the position round, with what rests beside it, is new exposure and is asked."""
    exposure = replace(FLAT, position=held, pending_buy=buying, pending_sell=selling, equity=D(1))
    pending = buying if side is Side.BUY else selling
    opposes = held * side.sign < 0
    reduces = opposes and quantity + pending <= abs(held)
    found = verdict(order(side, quantity), exposure, TIGHT)

    assert ("daily_loss" in found) == (not reduces)
    assert found == {} or not reduces
