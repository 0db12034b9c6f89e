"""Markets whose prices come from outside: nobody trades better than the market was, and everything adds up."""

from dataclasses import replace
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pilothouse.core.instrument import Instrument
from pilothouse.core.order import OrderType, TimeInForce
from pilothouse.simulation import exchange, outside
from pilothouse.simulation.admission import POSITION_MOST, Unfit, brackets_for, contract_of
from pilothouse.simulation.contracts import UNITS_PER_QUOTE
from pilothouse.simulation.floor import Floor
from pilothouse.simulation.orders import Asked, Execution, MovementKind, Order, Refusal
from pilothouse.simulation.outside import NO_FRESH_BOOK, NO_FRESH_PRICE
from pilothouse.simulation.outside_desk import OutsideDesk
from pilothouse.simulation.told import BOOK_AGE_US_MAX, HEARD_US, Told

BTC = Instrument(
    "BTCUSDT", "BTC", "USDT", Decimal("0.1"), Decimal("0.001"), Decimal("0.001"), Decimal(1000), Decimal(5),
    Decimal("0.1"), Decimal(1_000_000), 50,
)  # fmt: skip
DEPOSIT = 10_000 * UNITS_PER_QUOTE
IN_64_BITS = 2**63 - 1


def market() -> Floor:
    """Return a floor with one market and one account."""
    floor = Floor(0, {})
    outside.admit(floor, contract_of(BTC))
    exchange.open_account(floor, "acc", "own", DEPOSIT, 0)
    return floor


def asked(
    number: int, sign: int, type_: OrderType, lots: int, ticks: int, tif: TimeInForce, *, reduce_only: bool
) -> Asked:
    """Return an order; `ticks` is its price, its trigger or both, as its type has them."""
    return Asked(
        f"o{number}", BTC.symbol, sign, type_, tif, lots, ticks if type_.has_limit else None,
        ticks if type_.is_conditional else None, reduce_only,
    )  # fmt: skip


quotes = st.builds(
    lambda bid, spread, mark, last, after, lots: (bid, bid + spread, bid + mark, bid + last, after, lots),
    st.one_of(st.integers(599_900, 600_100), st.integers(500_000, 700_000)),
    st.integers(1, 30),
    st.integers(-50, 50),
    st.integers(-300, 300),
    st.sampled_from([50_000, 300_000, 2_500_000, 3_000_000, 12_000_000]),
    st.one_of(st.none(), st.integers(0, 500)),
)
orders = st.builds(
    lambda sign, type_, lots, ticks, tif, reduce: (sign, type_, lots, ticks, tif, reduce),
    st.sampled_from([1, -1]),
    st.sampled_from([OrderType.LIMIT, OrderType.LIMIT, *OrderType]),
    st.sampled_from([1, 20, 100, 700]),
    st.integers(599_800, 600_200),
    st.sampled_from([TimeInForce.GTC, TimeInForce.GTC, *TimeInForce]),
    st.booleans(),
)


@settings(max_examples=250)
@given(st.lists(st.one_of(quotes, orders), min_size=10, max_size=40))
def test_nobody_trades_better_than_the_market_was_and_all_money_is_accounted_for(acts: list[tuple[Any, ...]]) -> None:
    """Takers at the best price or worse, resting orders at a price the market reached; wallets are sums of records."""
    floor = market()
    outside.tell(floor, Told(BTC.symbol, 600_000, 600_001, 600_000, 600_000, 600_000, 1), 1)
    floor.drain()
    desk = floor.desks[BTC.symbol]
    assert isinstance(desk, OutsideDesk)
    now, wallet, held, last_before = 1, DEPOSIT, 0, 0
    for number, act in enumerate(acts):
        if isinstance(act[1], OrderType):
            sign, type_, lots, ticks, tif, reduce_only = act
            outside.place(floor, "acc", asked(number, sign, type_, lots, ticks, tif, reduce_only=reduce_only), now)
        else:
            bid, ask, mark, last, after, lots = act
            now += after
            last_before = desk.prices.last
            rate, funds_at = (10_000, now + 1_000_000) if number % 3 else (None, None)
            outside.tell(floor, Told(BTC.symbol, bid, ask, mark, mark + 1, last, now, lots, lots, rate, funds_at), now)
        done = floor.drain()
        for trade in done.executions:
            assert is_no_better_than(desk, trade, last_before)
            wallet += trade.realised - trade.commission
            held += trade.sign * trade.lots
        wallet += sum(movement.amount for movement in done.movements)
        assert all(movement.kind is not MovementKind.TRANSFER for movement in done.movements)
        account = floor.accounts["acc"]
        assert (account.wallet, account.holding(BTC.symbol).lots) == (wallet, held)
        worth = floor.standing(account)
        assert worth.margin_balance == wallet + account.holding(BTC.symbol).unrealised(desk.contract, desk.prices.mark)


def is_no_better_than(desk: OutsideDesk, trade: Execution, last_before: int) -> bool:
    """Say whether the real market would have given that price, or a better one."""
    bid, _, ask, last = desk.prices
    if not trade.maker:
        return trade.price >= ask if trade.sign > 0 else trade.price <= bid
    through = (trade.price - last) * trade.sign > 0 and last != last_before
    return (trade.price >= ask if trade.sign > 0 else trade.price <= bid) or through


@given(st.integers(1, 500), st.lists(st.integers(1, 400), min_size=1, max_size=8))
def test_no_more_trades_at_the_best_price_than_stands_there(there: int, wanted: list[int]) -> None:
    """However many orders come, and whoever takes: what is gone is gone."""
    floor = market()
    exchange.set_leverage(floor, "acc", BTC.symbol, 50)
    outside.tell(floor, Told(BTC.symbol, 600_000, 600_001, 600_000, 600_000, 600_000, 1, there, there), 1)

    for number, lots in enumerate(wanted):
        order = asked(number, 1, OrderType.LIMIT, lots, 600_001, TimeInForce.IOC, reduce_only=False)
        outside.place(floor, "acc", order, 1)

    bought = sum(trade.lots for trade in floor.drain().executions)
    assert bought == min(there, sum(wanted))


@given(
    st.integers(1, 999),
    st.integers(-12, 3),
    st.integers(1, 999),
    st.integers(-8, 5),
    st.sampled_from([Decimal(1000), Decimal(1_000_000), Decimal(10) ** 15]),
)
def test_every_product_of_a_contract_fits_into_64_bits(
    tick: int, tick_digits: int, lot: int, lot_digits: int, most: Decimal
) -> None:
    """Ticks of a hundred-millionth and of a thousand: whole numbers stay whole, and small enough for the journal."""
    grid = Decimal(tick).scaleb(tick_digits), Decimal(lot).scaleb(lot_digits)
    told = replace(BTC, tick=grid[0], lot=grid[1], quantity_min=grid[1], quantity_max=most, price_min=grid[0],
                   price_max=most, leverage_max=tick)  # fmt: skip
    try:
        contract = contract_of(told)
    except Unfit:
        return
    own = contract.instrument
    assert contract.unit == own.tick * own.lot * UNITS_PER_QUOTE >= 1
    assert own.lot % grid[1] == 0
    assert 1 <= contract.lots_min <= contract.lots_max
    highest = int(own.price_max / own.tick)
    assert contract.lots_max * contract.unit <= POSITION_MOST * UNITS_PER_QUOTE
    assert highest * contract.unit <= POSITION_MOST * UNITS_PER_QUOTE
    assert 900 * POSITION_MOST * UNITS_PER_QUOTE <= IN_64_BITS
    assert contract_of(own, contract.maker_ppm, contract.taker_ppm) == contract


@pytest.mark.parametrize("leverage", [1, 2, 5, 20, 21, 50, 75, 100, 125, 1001])
def test_brackets_have_no_jump_and_cost_more_than_a_forced_close(leverage: int) -> None:
    """The larger the position, the less leverage, and the margin grows without a step."""
    steps = brackets_for(leverage)

    assert (steps[0].leverage_max, steps[-1].notional_cap) == (leverage, POSITION_MOST * UNITS_PER_QUOTE)
    for before, after in pairwise(steps):
        cap = before.notional_cap
        assert after.notional_floor == cap
        assert after.leverage_max < before.leverage_max
        margin = cap * before.maintenance_ppm // 1_000_000 - before.deduction
        assert cap * after.maintenance_ppm // 1_000_000 - after.deduction == margin
    assert contract_of(replace(BTC, leverage_max=leverage)).liquidation_ppm <= steps[0].maintenance_ppm


def test_a_price_that_is_not_confirmed_is_not_traded_at() -> None:
    """Ten seconds for the mark that triggers, three for the book that fills, each to the microsecond."""
    floor = market()
    order = asked(1, 1, OrderType.MARKET, 10, 0, TimeInForce.GTC, reduce_only=False)
    stop = asked(2, -1, OrderType.STOP_MARKET, 10, 500_000, TimeInForce.GTC, reduce_only=False)
    never = outside.place(floor, "acc", order, 5)
    outside.tell(floor, Told(BTC.symbol, 600_000, 600_001, 600_000, 600_000, 600_000, 5), 5)
    away = [outside.place(floor, "acc", each, 6 + HEARD_US) for each in (order, stop)]
    late = outside.place(floor, "acc", order, 6 + BOOK_AGE_US_MAX)
    waits = outside.place(floor, "acc", stop, 5 + HEARD_US)
    just = outside.place(floor, "acc", order, 5 + BOOK_AGE_US_MAX)

    refused = [each for each in (never, *away, late) if isinstance(each, Refusal)]
    assert [each.code for each in refused] == [NO_FRESH_PRICE] * 3 + [NO_FRESH_BOOK]
    assert all(each.for_now for each in refused)
    assert isinstance(waits, Order)
    assert isinstance(just, Order)


@pytest.mark.parametrize(
    "told",
    [
        Told(BTC.symbol, 600_001, 600_001, 1, 1, 1, 9),
        Told(BTC.symbol, 0, 1, 1, 1, 1, 9),
        Told(BTC.symbol, 1, 2, 0, 1, 1, 9),
        Told(BTC.symbol, 1, 2, 1, 1, 0, 9),
        Told(BTC.symbol, 1, 10**17, 1, 1, 1, 9),
        Told("DOGEUSDT", 1, 2, 1, 1, 1, 9),
        Told(BTC.symbol, 600_000, 600_001, 1, 1, 1, 4),
    ],
)
def test_what_is_no_price_is_not_heard(told: Told) -> None:
    """A crossed or empty book, a price that cannot be counted, a stranger, and yesterday's."""
    floor = market()
    outside.tell(floor, Told(BTC.symbol, 600_000, 600_001, 600_000, 600_000, 600_000, 5), 5)

    assert not outside.tell(floor, told, 9)
    assert floor.desks[BTC.symbol].prices == (600_000, 600_000, 600_001, 600_000)


def test_a_forced_close_waits_for_a_price_of_now() -> None:
    """A position in a market that is away is judged by its last price, and closed by its next."""
    floor = market()
    eth = replace(BTC, symbol="ETHUSDT", base="ETH")
    outside.admit(floor, contract_of(eth))
    for symbol in ("BTCUSDT", "ETHUSDT"):
        outside.tell(floor, Told(symbol, 600_000, 600_001, 600_000, 600_000, 600_000, 1), 1)
        buy = replace(asked(1, 1, OrderType.MARKET, 700, 0, TimeInForce.GTC, reduce_only=False), symbol=symbol)
        assert isinstance(outside.place(floor, "acc", replace(buy, client_id=symbol), 1), Order)
    later = 2 + HEARD_US

    outside.tell(floor, Told("BTCUSDT", 450_000, 450_001, 450_000, 450_000, 450_000, later), later)
    held = {key: holding.lots for key, holding in floor.accounts["acc"].holdings.items()}
    outside.tell(floor, Told("ETHUSDT", 600_000, 600_001, 600_000, 600_000, 600_000, later), later)

    assert held == {"BTCUSDT": 0, "ETHUSDT": 700}
    assert floor.accounts["acc"].holding("ETHUSDT").lots == 0
    assert floor.standing(floor.accounts["acc"]).margin_balance == 0
