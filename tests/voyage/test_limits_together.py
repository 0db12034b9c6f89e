"""Limits of a user and of the house hold for all accounts together: what one does counts for the other."""

import threading
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import update

from pilothouse.accounts.tables import trading_accounts
from pilothouse.accounts.trading_accounts import Mode
from pilothouse.accounts.users import add_user
from pilothouse.core.errors import Unavailable
from pilothouse.core.instrument import Side
from pilothouse.core.order import OrderType, TimeInForce
from pilothouse.execution import store as orders_store
from pilothouse.execution.gate import DeniedByRisk
from pilothouse.execution.limit_sets import Level
from pilothouse.execution.trader import Trader
from pilothouse.fleet import manual
from pilothouse.jobs.schedule import snapshot_equity
from pilothouse.kit.clocks import FrozenClock
from pilothouse.kit.db import Database, Tx
from pilothouse.ledger import positions
from pilothouse.notifications import store as alarms
from pilothouse.observability import standing
from pilothouse.observability.record.replay import replay
from pilothouse.venues.keys import VenueKey
from pilothouse.venues.paper_faults import Fault
from pilothouse.wiring import add_account
from pilothouse.wiring.add_account import Wanted
from tests.stepped import Stepped

BTC, ETH = "BTCUSDT", "ETHUSDT"
D = Decimal
BOTH = pytest.mark.parametrize("level", [Level.USER, Level.HOUSE])


@pytest.fixture
def other(stepped: Stepped) -> Trader:
    """Return who trades on a second paper account of the same user."""
    house = stepped.house
    _price(stepped, "65000.0")
    wanted = Wanted("second", VenueKey.parse("paper"), {}, deposit=D(10_000))
    tested = add_account.add(house, stepped.account.owner_id, wanted, by="test")
    stepped.run()
    return Trader.of(tested.account)


def _price(stepped: Stepped, price: str, symbol: str = BTC) -> None:
    assert stepped.house.paper is not None, "a house with a paper venue"
    stepped.house.paper.set_price(symbol, D(price))


def _buy(stepped: Stepped, trader: Trader, quantity: str, symbol: str = BTC, **more: Any) -> str:
    """Place an order by hand, run the house, and return the order's id."""
    price = D(more["price"]) if "price" in more else None
    kind = OrderType.MARKET if price is None else OrderType.LIMIT
    side = more.get("side", Side.BUY)
    ticket = manual.Ticket(symbol, side, kind, D(quantity), price, None, TimeInForce.GTC, reduce_only=False)
    desk = stepped.house.desk
    order = stepped.house.database.write(lambda tx: manual.place(tx, desk, trader, ticket, by="test"), name="hand")
    stepped.run()
    return order.id


def _denied(buy: Callable[[], str]) -> dict[str, str]:
    """Return the codes of a denial, each with its sentence; nothing if the order was made."""
    try:
        buy()
    except DeniedByRisk as denied:
        return {one.code: one.message for one in denied.reasons}
    return {}


def _held(stepped: Stepped, trader: Trader, symbol: str = BTC) -> Decimal:
    return stepped.house.database.read(lambda tx: positions.position(tx, trader.account_id, symbol)).quantity


def _set(stepped: Stepped, account_id: str, values: Mapping[str, str]) -> None:
    """Make an account another kind of account, behind everybody's back."""
    change = update(trading_accounts).where(trading_accounts.c.id == account_id).values(**values)
    stepped.house.database.write(lambda tx: tx.execute(change).close(), name="plant")


@BOTH
@pytest.mark.parametrize(
    ("limit", "most", "code"),
    [
        ("position_notional_max", "10000", "position_notional"),
        ("repeats_per_minute_max", 1, "repeat_order"),
        ("gross_notional_max", "10000", "gross_exposure"),
        ("net_notional_max", "10000", "net_exposure"),
        ("orders_per_second_max", 1, "order_rate_second"),
        ("orders_per_minute_max", 1, "order_rate"),
        ("orders_per_day_max", 1, "order_rate_day"),
        ("notional_per_second_max", "10000", "notional_rate_second"),
        ("notional_per_minute_max", "10000", "notional_rate_minute"),
        ("notional_per_day_max", "10000", "notional_rate_day"),
    ],
)
def test_what_one_account_holds_and_does_counts_for_the_other(
    stepped: Stepped, other: Trader, level: Level, limit: str, most: Any, code: str
) -> None:
    """Two accounts at six thousand each are twelve thousand, whatever each of them is told by itself."""
    stepped.limit(level, **{limit: most})
    _buy(stepped, stepped.trader, "0.100")

    denied = _denied(lambda: _buy(stepped, other, "0.100"))

    assert denied.keys() == {code}
    assert denied[code].startswith("over all accounts of the ")
    assert level.value in denied[code]
    assert _held(stepped, other) == 0
    away: dict[str, Any] = {limit: None}
    stepped.limit(level, **away)
    stepped.limit(Level.ACCOUNT, **{limit: most})  # of the first account alone
    assert _denied(lambda: _buy(stepped, other, "0.100")) == {}


@BOTH
def test_leverage_is_what_all_hold_against_what_all_own(stepped: Stepped, other: Trader, level: Level) -> None:
    """An account that holds little is not what makes the whole small."""
    _buy(stepped, stepped.trader, "0.140")
    stepped.limit(level, leverage_max="0.5")

    assert _denied(lambda: _buy(stepped, other, "0.020")).keys() == {"leverage"}
    assert _denied(lambda: _buy(stepped, other, "0.010")) == {}


@BOTH
def test_open_orders_are_counted_over_all_accounts(stepped: Stepped, other: Trader, level: Level) -> None:
    """Each of them may fill."""
    stepped.limit(level, open_orders_max=2)
    _buy(stepped, stepped.trader, "0.010", price="60000")
    assert _denied(lambda: _buy(stepped, other, "0.010", price="60000")) == {}
    assert _denied(lambda: _buy(stepped, other, "0.010", price="60000")).keys() == {"open_orders"}


@BOTH
def test_what_rests_or_is_unknown_elsewhere_counts_as_filled(stepped: Stepped, other: Trader, level: Level) -> None:
    """In another account as in another instrument."""
    stepped.limit(level, gross_notional_max="10000")
    stepped.faults.arm(Fault.LOSE_ANSWER, times=50)
    _buy(stepped, stepped.trader, "0.100")
    stepped.faults.disarm()
    assert stepped.unknown(), "nobody knows what became of it"

    assert _denied(lambda: _buy(stepped, other, "0.100")).keys() == {"gross_exposure"}


def test_long_here_and_short_there_is_no_net_exposure_and_is_gross(stepped: Stepped, other: Trader) -> None:
    """Each account by itself is within its net; together they are flat."""
    _buy(stepped, stepped.trader, "0.100")
    stepped.limit(Level.USER, net_notional_max="7000")
    assert _denied(lambda: _buy(stepped, other, "0.100", side=Side.SELL)) == {}

    stepped.limit(Level.USER, net_notional_max=None, gross_notional_max="14000")
    assert _denied(lambda: _buy(stepped, other, "0.010", ETH, side=Side.SELL)) == {}
    assert _denied(lambda: _buy(stepped, other, "0.100", side=Side.SELL)).keys() == {"gross_exposure"}


@BOTH
@pytest.mark.parametrize(
    ("limit", "code"), [("daily_loss_percent_max", "daily_loss"), ("drawdown_percent_max", "drawdown")]
)
def test_losses_are_those_of_all_accounts(stepped: Stepped, other: Trader, level: Level, limit: str, code: str) -> None:
    """One lost ten percent, both together five; what is measured on one alone is told of that one alone."""
    snapshot_equity(stepped.house)
    _buy(stepped, stepped.trader, "1")
    snapshot_equity(stepped.house)
    _price(stepped, "63700.0")  # 1300 of 20000, and of 10000
    stepped.pass_time(1)

    wide: dict[str, Any] = {limit: "10"}
    tight: dict[str, Any] = {limit: "6"}
    stepped.limit(level, **wide)
    assert _denied(lambda: _buy(stepped, other, "0.001")) == {}
    stepped.limit(level, **tight)
    denied = _denied(lambda: _buy(stepped, other, "0.001"))
    assert denied.keys() == {code}
    assert "6 % stop new exposure" in denied[code]

    standing.look(stepped.house)
    stepped.run()
    told = stepped.house.database.read(
        lambda tx: alarms.page(tx, stepped.account.owner_id, open_only=True, before=None, limit=50)
    )
    about = {one.about: one.account_id for one, _ in told if one.code == code}
    assert about == {"": stepped.account.id, f"{level.value}, paper, USDT": None}


@BOTH
def test_a_position_is_measured_by_what_all_hold_in_it_against_what_all_own(
    stepped: Stepped, other: Trader, level: Level
) -> None:
    """Long or short, each may be closed alone; what is held in another instrument is no part of it."""
    _buy(stepped, stepped.trader, "0.140", side=Side.SELL)
    stepped.limit(level, position_equity_ratio_max="0.5")

    denied = _denied(lambda: _buy(stepped, other, "0.020"))
    assert denied.keys() == {"position_size"}
    assert denied["position_size"].startswith(f"over all accounts of the {level.value}: the position in {BTC}")
    assert _denied(lambda: _buy(stepped, other, "0.010")) == {}
    assert _denied(lambda: _buy(stepped, other, "0.500", ETH)) == {}


def _in_and_out(stepped: Stepped, trader: Trader) -> str:
    """Lose the spread and two fees; return the id of the order that closed."""
    _buy(stepped, trader, "0.010")
    closed = _buy(stepped, trader, "0.010", side=Side.SELL)
    stepped.pass_time(1)
    return closed


@BOTH
def test_losses_in_a_row_are_those_of_all_accounts(stepped: Stepped, other: Trader, level: Level) -> None:
    """Whoever loses on one account, then on the other, has lost twice in a row; a profit on either ends that."""
    _in_and_out(stepped, stepped.trader)
    stepped.limit(level, losses_in_a_row_max=2)
    assert _denied(lambda: _in_and_out(stepped, other)) == {}

    for trader in (stepped.trader, other):
        denied = _denied(lambda who=trader: _buy(stepped, who, "0.010"))  # type: ignore[misc]  # a default binds it
        assert denied.keys() == {"losses_in_a_row"}
        assert denied["losses_in_a_row"].startswith("over all accounts of the ")

    away: dict[str, Any] = {"losses_in_a_row_max": None}
    stepped.limit(level, **away)
    _buy(stepped, other, "0.010")
    _price(stepped, "70000.0")
    stepped.pass_time(1)
    _buy(stepped, other, "0.010", side=Side.SELL)
    stepped.limit(level, losses_in_a_row_max=1)
    assert _denied(lambda: _buy(stepped, other, "0.010")) == {}, "the last one of all won"


@BOTH
def test_a_loss_on_one_account_is_a_pause_for_all(stepped: Stepped, other: Trader, level: Level) -> None:
    """Who is to calm down calms down on every account."""
    stepped.limit(level, cooldown_s="60")
    _in_and_out(stepped, stepped.trader)

    assert _denied(lambda: _buy(stepped, other, "0.010")).keys() == {"cooldown"}
    stepped.pass_time(61, step=20)
    assert _denied(lambda: _buy(stepped, other, "0.010")) == {}


def test_a_user_does_not_trade_with_himself_across_accounts(stepped: Stepped, other: Trader) -> None:
    """To sell from one pocket to the other is a wash trade at the venue, whosever the pockets are called."""
    stepped.limit(Level.USER, self_trade_quantity_max="0")
    _buy(stepped, stepped.trader, "0.010", price="64900")

    denied = _denied(lambda: _buy(stepped, other, "0.010", side=Side.SELL, price="64800"))

    assert denied.keys() == {"self_trade"}
    assert _denied(lambda: _buy(stepped, other, "0.010", side=Side.SELL, price="66000")) == {}
    assert _denied(lambda: _buy(stepped, other, "0.010", price="64900")) == {}, "the same side meets nobody"


def test_what_closes_is_not_asked_what_all_accounts_do(stepped: Stepped, other: Trader) -> None:
    """A limit of the house must not keep anybody in a position."""
    _buy(stepped, other, "0.100")
    stepped.limit(Level.HOUSE, gross_notional_max="1", orders_per_minute_max=1, daily_loss_percent_max="0.01")
    desk = stepped.house.desk
    stepped.house.database.write(lambda tx: manual.close(tx, desk, other, BTC, by="test"), name="close")
    stepped.run()

    assert _held(stepped, other) == 0


def test_a_warning_level_of_all_accounts_is_told(stepped: Stepped, other: Trader) -> None:
    """Told before it stops, as everywhere."""
    stepped.limit(Level.USER, warn={"gross_notional_max": "10000"})
    _buy(stepped, stepped.trader, "0.100")
    _buy(stepped, other, "0.100")

    told = stepped.house.database.read(
        lambda tx: alarms.page(tx, stepped.account.owner_id, open_only=False, before=None, limit=50)
    )
    said = [one.message for one, _ in told if one.code == "limit_warning"]
    assert len(said) == 1
    assert said[0].startswith("over all accounts of the user: all positions together could become worth")


def test_accounts_of_others_and_of_another_kind_of_money_are_not_counted(stepped: Stepped, other: Trader) -> None:
    """A user's limit knows the user's accounts alone, and paper money is not added to real money."""
    stepped.limit(Level.USER, gross_notional_max="10000", orders_per_minute_max=1)
    _buy(stepped, stepped.trader, "0.100")
    assert _denied(lambda: _buy(stepped, other, "0.100")).keys() == {"gross_exposure", "order_rate"}

    mine, now = stepped.account, stepped.clock.now()
    another = stepped.house.database.write(lambda tx: add_user(tx, name="eve", role="user", now=now), name="user")
    for elsewhere in ({"mode": Mode.TESTNET.value}, {"owner_id": another.id}):
        before = {"mode": Mode.PAPER.value, "owner_id": mine.owner_id}
        _set(stepped, mine.id, elsewhere)
        assert _denied(lambda: _buy(stepped, other, "0.010")) == {}
        _set(stepped, mine.id, before)
        stepped.clock.advance(61)
        _price(stepped, "65000.0")


@pytest.mark.postgres
def test_two_decisions_at_the_same_moment_do_not_both_take_the_last_of_a_limit(
    stepped: Stepped, other: Trader, dialect: str, clock: FrozenClock
) -> None:
    """Accounts are decided beside each other, so a limit for all of them makes the second one wait for the first."""
    if dialect != "postgresql":
        pytest.skip("on SQLite there is one writer")
    stepped.limit(Level.USER, gross_notional_max="10000")
    ticket = manual.Ticket(BTC, Side.BUY, OrderType.MARKET, D("0.100"), None, None, TimeInForce.GTC, reduce_only=False)
    desk, second = stepped.house.desk, Database(stepped.url, clock=clock)
    placed, answered = threading.Event(), threading.Event()
    found: dict[str, str] = {}

    def first(tx: Tx) -> None:
        manual.place(tx, desk, stepped.trader, ticket, by="test")
        placed.set()
        answered.wait(1)  # the second cannot answer before this one is committed: it always runs out

    def meanwhile() -> None:
        assert placed.wait(60)
        work = second.write
        found.update(_denied(lambda: work(lambda tx: manual.place(tx, desk, other, ticket, by="test"), name="hand").id))
        answered.set()

    thread = threading.Thread(target=meanwhile)
    thread.start()
    stepped.house.database.write(first, name="hand")
    thread.join(60)
    second.close()

    assert found.keys() == {"gross_exposure"}


def test_an_account_without_a_price_leaves_nobody_guessing(stepped: Stepped, other: Trader) -> None:
    """What cannot be valued is not left out of a sum: the order is not made, and may be asked for again."""
    _buy(stepped, stepped.trader, "0.1", ETH)
    stepped.limit(Level.USER, gross_notional_max="100000")
    board = stepped.house.quotes
    kept = board.all("paper")
    board.forget("paper")
    board.put("paper", [quote for name, quote in kept.items() if name != ETH])

    with pytest.raises(Unavailable):
        _buy(stepped, other, "0.010")


def test_a_decision_over_all_accounts_can_be_asked_again(stepped: Stepped, other: Trader) -> None:
    """The record holds what the others held, so that the same answer comes of it."""
    stepped.limit(Level.USER, gross_notional_max="20000")
    _buy(stepped, stepped.trader, "0.100")
    order = _buy(stepped, other, "0.100")

    again = stepped.house.database.read(lambda tx: replay(tx, order))

    assert again is not None
    assert again.same is True
    assert stepped.house.database.read(lambda tx: orders_store.get(tx, order)) is not None
