"""Orders on the floor: what takes, what rests, what triggers, what only reduces."""

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from pilothouse.core.order import OrderType, TimeInForce
from pilothouse.simulation import exchange
from pilothouse.simulation.orders import Order, Refusal, Status
from tests.unit.simulation.worlds import BTC, World


def refused(world: World, placed: Order | Refusal, code: str) -> Refusal:
    """Return the refusal; it has that code and left nothing behind."""
    assert isinstance(placed, Refusal), placed
    assert placed.code == code
    assert not world.floor.drain().orders
    return placed


def test_a_market_order_trades_at_the_price_that_was_shown() -> None:
    """A small order costs what the screen said."""
    world = World()

    order = world.market(1, 10)

    (trade,) = world.floor.drain().executions
    assert (order.status, trade.price, trade.lots) == (Status.FILLED, world.desk.prices.ask, 10)
    assert trade.commission == 10 * trade.price * BTC.unit * 500 // 1_000_000


def test_a_large_order_walks_the_ladder_in_parts() -> None:
    """Size moves the price against whoever brings it; what finds no taker expires."""
    world = World(deposit=500_000_000)

    order = world.market(1, BTC.lots_max)

    trades = world.floor.drain().executions
    assert order.status is Status.EXPIRED
    assert 0 < order.filled < order.lots
    assert len(trades) == 20
    assert [trade.price for trade in trades] == sorted({trade.price for trade in trades})


def test_what_was_taken_is_gone_until_the_next_step() -> None:
    """Two orders at once do not both get the best price of one offer."""
    world = World(deposit=500_000_000)
    first = world.desk.ladder(1).worst_for(1, None)[0]
    best_lots = world.desk.ladder(1).take(10**9, first)[0][1]
    world.price(650_000)
    world.floor.drain()

    world.market(1, BTC.depth_max)
    world.market(1, 10)

    trades = world.floor.drain().executions
    assert best_lots <= BTC.depth_max
    assert trades[-1].price > trades[0].price
    world.step()
    world.market(1, 10)
    assert world.floor.drain().executions[-1].price == world.desk.prices.ask


def test_a_limit_order_rests_and_trades_as_maker_at_its_own_price() -> None:
    """Resting earns the lower fee and never a worse price."""
    world = World()
    order = world.limit(1, 10, 640_000)
    assert order.status is Status.NEW

    world.floor.drain()
    world.price(639_000)

    (trade,) = world.floor.drain().executions
    assert (order.status, trade.price, trade.maker) == (Status.FILLED, 640_000, True)
    assert trade.commission == -(-10 * 640_000 * BTC.unit * 200 // 1_000_000)


def test_a_resting_order_larger_than_the_flow_fills_in_parts() -> None:
    """Partial fills are the ordinary case for size; everything downstream must meet them here first."""
    world = World(deposit=500_000_000)
    order = world.limit(-1, 60_000, 660_000)

    world.price(670_000)

    assert order.status is Status.PARTIALLY_FILLED
    assert BTC.flow_min <= order.filled <= BTC.flow_max
    world.step(20)
    assert order.status is Status.FILLED


def test_better_prices_and_earlier_orders_go_first() -> None:
    """Price, then time: the order of every exchange."""
    world = World(deposit=500_000_000)
    early, late = world.limit(1, 15_000, 640_000), world.limit(1, 15_000, 640_000)
    better = world.limit(1, 15_000, 641_000)
    world.floor.drain()

    world.price(600_000)
    world.step(6)

    numbers = [trade.number for trade in world.floor.drain().executions]
    assert numbers == sorted(numbers, key=[better.number, early.number, late.number].index)


def test_a_post_only_order_never_takes() -> None:
    """Who asks for the maker fee does not pay the taker fee by accident."""
    world = World()

    refused(world, world.send(world.asked(1, 10, OrderType.LIMIT, price=660_000, tif=TimeInForce.GTX)), "-5022")
    assert world.limit(1, 10, 640_000, TimeInForce.GTX).status is Status.NEW


def test_the_rest_of_an_immediate_order_expires() -> None:
    """IOC takes what is there."""
    world = World(deposit=500_000_000)

    order = world.limit(1, 900_000, world.desk.prices.ask, TimeInForce.IOC)

    assert order.status is Status.EXPIRED
    assert 0 < order.filled < 900_000


@given(st.integers(1, 400_000), st.integers(-5, 100))
@settings(max_examples=60)
def test_fill_or_kill_is_all_or_nothing(lots: int, away: int) -> None:
    """Half of it is what the sender said they do not want."""
    world = World(deposit=900_000_000)

    order = world.limit(1, lots, world.desk.prices.ask + away, TimeInForce.FOK)

    assert (order.status, order.filled) in {(Status.FILLED, lots), (Status.EXPIRED, 0)}


@pytest.mark.parametrize(
    ("type_", "sign", "stop", "meets"),
    [
        (OrderType.STOP_MARKET, -1, 640_000, 640_000),
        (OrderType.STOP_MARKET, 1, 660_000, 660_000),
        (OrderType.TAKE_PROFIT_MARKET, -1, 660_000, 660_001),
        (OrderType.TAKE_PROFIT_MARKET, 1, 640_000, 639_999),
    ],
)
def test_a_conditional_order_waits_for_the_mark_price(type_: OrderType, sign: int, stop: int, meets: int) -> None:
    """Stops fire in the direction that hurts, take-profits in the other."""
    world = World()
    order = world.order(world.asked(sign, 10, type_, stop=stop))

    world.price(650_500)
    assert (order.status, order.triggered) == (Status.NEW, False)
    world.price(meets)

    assert (order.status, order.triggered, world.lots()) == (Status.FILLED, True, sign * 10)


def test_a_stop_with_a_limit_rests_at_its_limit_once_triggered() -> None:
    """A stop-limit may miss; it then stands where it was told to."""
    world = World()
    world.market(1, 10)
    order = world.order(world.asked(-1, 10, OrderType.STOP, price=645_000, stop=640_000, reduce_only=True))

    world.price(630_000)
    assert (order.status, order.triggered, order.filled) == (Status.NEW, True, 0)
    world.price(646_000)

    assert (order.status, world.lots()) == (Status.FILLED, 0)


@pytest.mark.parametrize(
    ("type_", "sign", "stop"),
    [
        (OrderType.STOP_MARKET, -1, 650_000),
        (OrderType.STOP_MARKET, 1, 640_000),
        (OrderType.TAKE_PROFIT_MARKET, -1, 640_000),
        (OrderType.TAKE_PROFIT_MARKET, 1, 650_000),
    ],
)
def test_a_trigger_on_the_wrong_side_is_refused(type_: OrderType, sign: int, stop: int) -> None:
    """The price has already been there: the sender must decide, not the venue."""
    world = World()

    assert refused(world, world.send(world.asked(sign, 10, type_, stop=stop)), "-2021").would_trigger


def test_reduce_only_without_a_position_is_refused() -> None:
    """A close must never open."""
    world = World()
    refused(world, world.send(world.asked(-1, 10, reduce_only=True)), "-2022")

    world.market(-1, 10)
    world.floor.drain()

    refused(world, world.send(world.asked(-1, 10, reduce_only=True)), "-2022")


def test_reduce_only_closes_what_is_there_and_no_more() -> None:
    """A close for too much ends flat; the rest expires."""
    world = World()
    world.market(1, 10)

    order = world.market(-1, 25, reduce_only=True)

    assert (world.lots(), order.filled, order.status) == (0, 10, Status.EXPIRED)


def test_resting_reductions_end_with_the_position() -> None:
    """A stop that outlived its position would open the next one."""
    world = World()
    world.market(1, 10)
    stop = world.order(world.asked(-1, 10, OrderType.STOP_MARKET, stop=640_000, reduce_only=True))
    target = world.order(world.asked(-1, 10, OrderType.LIMIT, price=660_000, reduce_only=True))

    world.market(-1, 10)

    assert (stop.status, target.status) == (Status.EXPIRED, Status.EXPIRED)
    assert not world.account.orders


def test_one_of_two_brackets_ends_the_other() -> None:
    """Stop-loss and take-profit guard one position, not two."""
    world = World()
    world.market(1, 10)
    stop = world.order(world.asked(-1, 10, OrderType.STOP_MARKET, stop=640_000, reduce_only=True))
    target = world.order(world.asked(-1, 10, OrderType.TAKE_PROFIT_MARKET, stop=660_000, reduce_only=True))

    world.price(661_000)

    assert (target.status, stop.status, world.lots()) == (Status.FILLED, Status.EXPIRED, 0)


def test_a_client_id_is_unique_among_open_orders_only() -> None:
    """So it is on real venues: who resends after a fill buys twice, and the house must know."""
    world = World()
    resting = world.asked(1, 10, OrderType.LIMIT, price=600_000)
    world.order(resting)

    refused_twice = world.send(resting)
    assert isinstance(refused_twice, Refusal)
    assert refused_twice.code == "-4116"
    assert exchange.cancel(world.floor, "acc", resting.client_id, "BTCUSDT", world.now) is not None
    assert isinstance(world.send(resting), Order)


@pytest.mark.parametrize(
    ("lots", "price", "code"), [(0, 600_000, "-4003"), (1_000_001, 600_000, "-4005"), (1, 40_000, "-4164")]
)
def test_sizes_outside_of_the_rules_are_refused(lots: int, price: int, code: str) -> None:
    """The same bounds as on the real venue."""
    world = World(deposit=900_000_000)

    refused(world, world.send(world.asked(1, lots, OrderType.LIMIT, price=price)), code)


orders = st.lists(
    st.tuples(
        st.sampled_from(["market", "limit", "stop", "profit", "step", "price", "cancel"]),
        st.sampled_from([1, -1]),
        st.integers(1, 3_000),
        st.integers(-40, 40),
        st.sampled_from(list(TimeInForce)),
        st.booleans(),
    ),
    min_size=1,
    max_size=50,
)


def play(world: World, told: list[tuple[str, int, int, int, TimeInForce, bool]]) -> None:
    """Do one thing after the other on the floor, whatever becomes of it."""
    for what, sign, lots, away, tif, reduce_only in told:
        ticks = world.desk.prices.mark + away * 100
        match what:
            case "step":
                world.step(1 + lots % 5)
            case "price":
                world.price(max(ticks, 100))
            case "cancel":
                if world.account.by_client:
                    exchange.cancel(world.floor, "acc", next(iter(world.account.by_client)), "BTCUSDT", world.now)
            case "market":
                world.send(world.asked(sign, lots, reduce_only=reduce_only))
            case "limit":
                world.send(world.asked(sign, lots, OrderType.LIMIT, price=ticks, tif=tif, reduce_only=reduce_only))
            case _:
                type_ = OrderType.STOP_MARKET if what == "stop" else OrderType.TAKE_PROFIT_MARKET
                world.send(world.asked(sign, lots, type_, stop=ticks, reduce_only=reduce_only))


@given(st.integers(0, 2**32), orders)
@settings(max_examples=150)
def test_money_is_conserved_whatever_is_traded(
    seed: int, told: list[tuple[str, int, int, int, TimeInForce, bool]]
) -> None:
    """The wallet is what came in, plus results, less fees: nothing appears and nothing is lost, ever."""
    world = World(seed)
    play(world, told)

    changes = world.floor.drain()
    moved = sum(movement.amount for movement in changes.movements)
    traded = sum(trade.realised - trade.commission for trade in changes.executions)
    assert world.account.wallet == 10_000 * 10**8 + moved + traded
    assert world.account.wallet >= 0 or world.lots()
    assert world.lots() == sum(trade.sign * trade.lots for trade in changes.executions)


@given(st.integers(0, 2**32), orders)
@settings(max_examples=150)
def test_orders_trade_within_their_terms(seed: int, told: list[tuple[str, int, int, int, TimeInForce, bool]]) -> None:
    """Never more than asked, never worse than the limit, a reduction never adds, and what ended stands nowhere."""
    world = World(seed)
    play(world, told)

    changes = world.floor.drain()
    held = 0
    for trade in changes.executions:
        order = changes.orders[trade.number]
        if order.reduce_only:
            assert held * trade.sign < 0
            assert trade.lots <= abs(held)
        held += trade.sign * trade.lots
        if order.price is not None:
            assert (order.price - trade.price) * trade.sign >= 0
    for order in changes.orders.values():
        assert order.filled == sum(t.lots for t in changes.executions if t.number == order.number) <= order.lots
        assert (order.status is Status.FILLED) == (order.filled == order.lots)
        assert order.is_open == (order.number in world.account.orders) == (order.number in world.desk.orders)
        assert not (order.is_open and order.reduce_only and not world.account.reducible(order.symbol, order.sign))
    assert sorted(world.account.by_client.values()) == sorted(world.account.orders)


@given(st.integers(0, 2**32), orders)
@settings(max_examples=30)
def test_the_same_seed_and_orders_are_the_same_history(
    seed: int, told: list[tuple[str, int, int, int, TimeInForce, bool]]
) -> None:
    """A failure that was seen once can be seen again."""
    histories = []
    for _ in range(2):
        world = World(seed)
        play(world, told)
        histories.append((world.floor.drain(), world.account))

    assert histories[0] == histories[1]
