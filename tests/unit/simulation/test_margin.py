"""Margin, liquidation and funding: what is backed, what is closed by force, who pays whom."""

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from pilothouse.core.order import OrderType
from pilothouse.simulation import exchange
from pilothouse.simulation.contracts import CONTRACTS, UNITS_PER_QUOTE
from pilothouse.simulation.funding import INTERVAL_US, payment, rate
from pilothouse.simulation.liquidation import liquidation_price
from pilothouse.simulation.margin import bracket_for, maintenance, required
from pilothouse.simulation.orders import MovementKind, Order, Refusal, Status
from tests.unit.simulation.worlds import BTC, World


def test_what_cannot_be_backed_is_refused_with_the_numbers() -> None:
    """Ten thousand at leverage ten carry about a hundred thousand, and the answer says what is missing."""
    world = World()

    refusal = world.send(world.asked(1, 2_000))

    assert isinstance(refusal, Refusal)
    assert refusal.code == "-2019"
    assert "13065 USDT are needed" in refusal.message
    assert "10000 USDT are available" in refusal.message
    assert world.market(1, 1_500).status is Status.FILLED


def test_open_orders_bind_margin_and_let_it_go() -> None:
    """Money that stands behind one order cannot stand behind another."""
    world = World()
    first = world.limit(1, 1_500, 640_000)

    refusal = world.send(world.asked(1, 1_000, OrderType.LIMIT, price=640_000))
    assert isinstance(refusal, Refusal)
    assert refusal.code == "-2019"
    exchange.cancel(world.floor, "acc", first.client_id, "BTCUSDT", world.now)

    assert world.floor.standing(world.account).available == 10_000 * UNITS_PER_QUOTE
    assert world.limit(1, 1_000, 640_000).status is Status.NEW


def test_a_position_can_be_left_whatever_the_margin() -> None:
    """No lack of money may keep anybody in a position, and a flip within the margin is one order."""
    world = World()
    world.market(1, 1_500)
    world.price(600_000)

    assert world.market(-1, 1_500).status is Status.FILLED
    assert world.lots() == 0


def test_leverage_follows_the_brackets() -> None:
    """Large positions are not for high leverage."""
    world = World(deposit=900_000_000)
    assert exchange.set_leverage(world.floor, "acc", "BTCUSDT", 125) is None

    refusal = world.send(world.asked(1, 2_000))

    assert isinstance(refusal, Refusal)
    assert refusal.code == "-2027"
    assert isinstance(exchange.set_leverage(world.floor, "acc", "BTCUSDT", 126), Refusal)
    assert isinstance(exchange.set_leverage(world.floor, "acc", "BTCUSDT", 0), Refusal)


def test_lower_leverage_must_be_paid_for() -> None:
    """It binds more margin at once."""
    world = World()
    world.market(1, 1_000)

    refusal = exchange.set_leverage(world.floor, "acc", "BTCUSDT", 2)

    assert isinstance(refusal, Refusal)
    assert refusal.code == "-2019"
    assert world.account.holding("BTCUSDT").leverage == 10


def test_the_margin_type_changes_only_when_nothing_rests_on_it() -> None:
    """Neither a position nor an order may change whose money it risks."""
    world = World()
    order = world.limit(1, 10, 600_000)
    by_order = exchange.set_margin_type(world.floor, "acc", "BTCUSDT", isolated=True)
    exchange.cancel(world.floor, "acc", order.client_id, "BTCUSDT", world.now)
    world.market(1, 10)
    by_position = exchange.set_margin_type(world.floor, "acc", "BTCUSDT", isolated=True)

    assert isinstance(by_order, Refusal)
    assert isinstance(by_position, Refusal)
    assert (by_order.code, by_position.code) == ("-4047", "-4048")
    assert exchange.set_margin_type(world.floor, "acc", "BTCUSDT", isolated=False) is None
    world.market(-1, 10)
    assert exchange.set_margin_type(world.floor, "acc", "BTCUSDT", isolated=True) is None


@pytest.mark.parametrize("symbol", list(CONTRACTS))
def test_maintenance_has_no_jumps_between_brackets(symbol: str) -> None:
    """One lot more must not close a position."""
    contract = CONTRACTS[symbol]
    for bracket in contract.brackets[:-1]:
        below, above = (maintenance(contract, bracket.notional_cap + more) for more in (0, 1))
        assert 0 <= above - below <= 2
        assert bracket_for(contract, bracket.notional_cap) is bracket


@given(st.integers(-(10**15), 10**15), st.integers(0, 10**15), st.integers(0, 10**15), st.integers(1, 125))
def test_orders_never_free_margin(position: int, buys: int, sells: int, leverage: int) -> None:
    """An order that stands may always be cancelled; the position must be backed without it."""
    assert required(position, buys, sells, leverage) >= required(position, 0, 0, leverage)


def liquidated(world: World, ticks: int, symbol: str = "BTCUSDT") -> bool:
    """Say whether that price closes the position by force."""
    world.price(ticks, symbol)
    return world.lots(symbol) == 0


@given(st.sampled_from([1, -1]), st.integers(200, 1_500), st.booleans(), st.sampled_from([3, 10, 20, 50]))
@settings(max_examples=80)
def test_the_liquidation_price_is_where_it_happens(sign: int, lots: int, isolated: bool, leverage: int) -> None:  # noqa: FBT001 - drawn by the test
    """People place their stops by this number."""
    worlds = [World(), World()]
    shown: set[int | None] = set()
    for world in worlds:
        exchange.set_leverage(world.floor, "acc", "BTCUSDT", leverage)
        exchange.set_margin_type(world.floor, "acc", "BTCUSDT", isolated=isolated)
        world.send(world.asked(sign, lots))
        shown.add(liquidation_price(world.floor, world.account, "BTCUSDT"))
    (price,) = shown
    if price is None or not 100 <= price <= 10_000_000:
        return

    assert liquidated(worlds[0], price - sign)
    assert not liquidated(worlds[1], price + sign)


def test_a_liquidation_is_told_as_an_order_of_the_venue() -> None:
    """The books must know why the position is gone."""
    world = World()
    world.market(1, 1_500)
    stop = world.order(world.asked(-1, 1_500, OrderType.STOP_MARKET, stop=500_000, reduce_only=True))
    world.floor.drain()

    world.price(580_000)

    changes = world.floor.drain()
    forced = [order for order in changes.orders.values() if order.client_id.startswith("autoclose-")]
    assert [order.status for order in forced] == [Status.FILLED]
    assert forced[0].reason == "liquidation"
    assert (world.lots(), stop.status) == (0, Status.EXPIRED)
    assert world.account.wallet >= 0


@pytest.mark.parametrize("isolated", [False, True])
def test_nobody_ends_below_nothing(isolated: bool) -> None:  # noqa: FBT001 - a parameter of the test
    """A gap beyond the margin is the insurance fund's loss, and on record."""
    world = World()
    exchange.set_margin_type(world.floor, "acc", "BTCUSDT", isolated=isolated)
    world.market(1, 1_500)
    margin = world.account.holding("BTCUSDT").isolated
    before = world.account.wallet
    world.floor.drain()

    world.price(300_000)

    insured = [m for m in world.floor.drain().movements if m.kind is MovementKind.INSURANCE]
    assert len(insured) == 1
    assert insured[0].amount > 0
    assert world.account.wallet == (before - margin if isolated else 0)


def test_an_isolated_position_risks_its_own_margin_only() -> None:
    """That is what isolating is for: the other position lives on."""
    world = World()
    exchange.set_margin_type(world.floor, "acc", "BTCUSDT", isolated=True)
    world.market(1, 300)
    world.market(1, 1_000, symbol="ETHUSDT")

    world.price(500_000)

    assert (world.lots(), world.lots("ETHUSDT")) == (0, 1_000)


def test_cross_closes_the_largest_first_and_stops_when_the_rest_is_backed() -> None:
    """No more is taken from anybody than the rules ask for."""
    world = World()
    world.market(1, 1_400)
    world.market(1, 1_000, symbol="ETHUSDT")

    world.price(BTC.start_ticks - 68_500)

    assert (world.lots(), world.lots("ETHUSDT")) == (0, 1_000)


@given(st.integers(-10_000, 10_000).filter(bool), st.integers(1, 2_000_000), st.integers(-300_000, 300_000))
def test_funding_is_rounded_in_the_venues_favour(lots: int, mark: int, rate_now: int) -> None:
    """What one pays is never less than what the other receives."""
    one, other = (payment(BTC, sign * lots, mark, rate_now) for sign in (1, -1))

    assert -1 <= one + other <= 0
    assert (one < 0) == (lots * rate_now > 0) or abs(one) <= 1


def test_funding_is_paid_once_at_its_hour() -> None:
    """Longs pay at 00:00, 08:00 and 16:00 UTC, however often the clock is asked."""
    world = World()
    world.market(1, 100)
    world.floor.drain()
    due = (world.now // INTERVAL_US + 1) * INTERVAL_US

    for now in (due - 1, due, due + 1, due + 250_000):
        exchange.pay_funding(world.floor, now)

    (paid,) = world.floor.drain().movements
    assert (paid.kind, paid.at) == (MovementKind.FUNDING, due)
    assert rate(world.desk.state) == 10_000
    assert paid.amount == -(100 * world.desk.prices.mark * BTC.unit // 10_000)


def test_a_reset_is_on_record_and_ends_at_the_deposit() -> None:
    """Books that fold the record arrive at the same numbers."""
    world = World()
    world.market(1, 100)
    world.market(-1, 500, symbol="ETHUSDT")
    resting = world.limit(1, 10, 600_000)
    world.price(655_000)

    exchange.reset_account(world.floor, "acc", 20_000 * UNITS_PER_QUOTE, world.now)

    changes = world.floor.drain()
    assert resting.status is Status.CANCELED
    assert (world.lots(), world.lots("ETHUSDT"), world.account.orders) == (0, 0, {})
    assert world.account.wallet == 20_000 * UNITS_PER_QUOTE
    folded = sum(t.realised - t.commission for t in changes.executions) + sum(m.amount for m in changes.movements)
    assert 10_000 * UNITS_PER_QUOTE + folded == world.account.wallet


def test_a_forced_close_larger_than_the_book_goes_on_with_the_next_step() -> None:
    """However large, it ends flat, and whoever it was ends with nothing at worst."""
    world = World(deposit=40_000_000)
    for _ in range(8):
        world.send(world.asked(1, 900_000))
        world.step()
    assert world.lots() > 1_000_000

    world.price(500_000)
    after_first = world.lots()
    world.step(30)

    assert after_first > 0
    assert world.lots() == 0
    assert world.account.wallet >= 0


def test_accounts_share_what_the_crowd_trades() -> None:
    """Price, then time, whoever it is: no account trades in a market of its own."""
    world = World(deposit=500_000_000)
    exchange.open_account(world.floor, "other", "own", 500_000_000 * UNITS_PER_QUOTE, world.now)
    early = exchange.place(
        world.floor, "other", world.asked(1, BTC.flow_max, OrderType.LIMIT, price=640_000), world.now
    )
    late = world.limit(1, BTC.flow_max, 640_000)

    world.price(630_000)

    assert isinstance(early, Order)
    assert early.filled >= BTC.flow_min
    assert early.filled + late.filled <= BTC.flow_max
    assert late.filled == 0 or early.status is Status.FILLED
