"""A whole house on its own threads at Binance spot, simulated: coins that a stop locks, coins from before."""

import asyncio
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from pilothouse.core.instrument import Side
from pilothouse.core.order import OrderState, OrderTerms, OrderType, Purpose
from pilothouse.core.signals import Guards, Level
from pilothouse.execution import cancel, halt_store
from pilothouse.execution import store as orders_store
from pilothouse.execution.halt_store import Halt
from pilothouse.execution.reconcile import reconcile
from pilothouse.execution.store import OrderRecord
from pilothouse.execution.trader import Trader
from pilothouse.fleet import manual, protect, protections
from pilothouse.fleet.answer import AnswerState
from pilothouse.observability.watch import survey
from pilothouse.simulation.contracts import UNITS_PER_QUOTE
from pilothouse.venues.keys import VenueKey
from pilothouse.venues.port import Accepted, OrderRequest, VenueAccount
from tests.living import Living, within
from tests.slices.simexchange.sim_house import RunningExchange
from tests.voyage.test_binance_house import ACCOUNT, OnBinance

pytestmark = pytest.mark.timeout(400)

CRUMB = Decimal("0.00099")
"""What a commission in the coin leaves of 0.010 when its whole lots are sold."""


class OnSpot(OnBinance):
    """A house whose account is at Binance spot."""

    @property
    def key(self) -> str:
        """Return what the exchange is called here."""
        return str(VenueKey("binance", self.base))


@pytest.fixture
def exchange() -> Iterator[RunningExchange]:
    """Yield an exchange of its own: every start costs weight, and one address has a minute's weight for all."""
    with RunningExchange(profile="binance") as running:
        yield running


@pytest.fixture
def living(exchange: RunningExchange, tmp_path: Path) -> Iterator[Living]:
    """Yield a running house whose account is heard."""
    exchange.control("POST", "price", symbol="BTCUSDT", price="65000")
    with OnSpot(tmp_path, f"sqlite:///{tmp_path}/pilothouse.db", exchange.base) as house:
        _is_up(house)
        yield house
        if house.jobs is None:  # it was told to do nothing any more; its prices would be followed for ever
            house.house.close()


def _is_up(house: Living) -> None:
    assert within(20, house.is_heard)
    house.house.venues[house.key].follow(["BTCUSDT"])
    assert within(10, lambda: house.house.quotes.all(house.key))


def _bought(living: Living, stop_loss: str | None = None) -> None:
    wanted = {"action": "open", "symbol": "BTCUSDT", "side": "BUY", "quantity": "0.010"}
    taken = living.send(**wanted, **({"stop_loss": stop_loss} if stop_loss else {}))
    within(40, lambda: living.outcome(taken).state is AnswerState.FILLED)
    outcome = living.outcome(taken)
    assert outcome.state is AnswerState.FILLED, outcome.message
    if stop_loss:
        assert within(40, lambda: _stops(living, OrderState.WORKING))


def _stops(living: Living, state: OrderState) -> list[OrderRecord]:
    return [one for one in living.orders() if one.purpose is Purpose.STOP_LOSS and one.state is state]


def _closed_by_hand(living: Living) -> OrderRecord:
    house, trader = living.house, Trader.of(living.account)
    return house.database.write(lambda tx: manual.close(tx, house.desk, trader, "BTCUSDT", by="test"), name="close")


def _now(living: Living, order: OrderRecord) -> OrderRecord:
    found = living.house.database.read(lambda tx: orders_store.get(tx, order.id))
    assert found is not None
    return found


def _still(living: Living) -> None:
    """Let no thread of the house do anything any more; what is written from here on is only written."""
    assert living.jobs is not None
    living.jobs.stop(patience_s=60)
    living.jobs = None


def _again(living: Living) -> None:
    """End a house that does nothing any more, and start another one over its database."""
    living.house.close()
    living.house = living.built()
    living.start()
    _is_up(living)


def _coins(exchange: RunningExchange, units: int | None = None) -> int:
    """Return the bitcoin that the account has at the exchange, in units; first let it have `units`, all free."""

    async def run() -> int:
        account: Any = exchange.sim.exchange.spot.accounts[ACCOUNT]
        if units is not None:
            account.free["BTC"] = units
        return int(account.free.get("BTC", 0) + account.locked.get("BTC", 0))

    return asyncio.run_coroutine_threadsafe(run(), exchange._loop).result(60)


def _protected(living: Living) -> bool:
    found = living.house.database.read(lambda tx: protections.of(tx, living.account.id, "BTCUSDT"))
    return found is not None


def test_a_position_whose_coins_a_stop_locks_is_closed_by_hand(living: Living) -> None:
    """The exchange refuses to sell what waits for a stop: the stop goes first, and the close goes on by itself."""
    _bought(living, stop_loss="2%")

    closing = _closed_by_hand(living)

    assert closing.state is OrderState.INTENDED, "it is shown, and has not left"
    assert within(15, lambda: _now(living, closing).state is OrderState.FILLED), _now(living, closing)
    assert living.position("BTCUSDT") == CRUMB
    assert _stops(living, OrderState.WORKING) == []
    assert within(10, lambda: not _protected(living))
    assert within(10, lambda: survey(living.house) == []), survey(living.house)


def test_a_close_by_hand_outlives_the_process_and_an_exchange_without_answers(
    living: Living, exchange: RunningExchange
) -> None:
    """Decided is decided: whoever starts next cancels the stop and sells, once."""
    _bought(living, stop_loss="2%")
    _still(living)
    closing = _closed_by_hand(living)
    exchange.control("POST", "faults", kind="unavailable", method="DELETE", path="order", times=2)

    _again(living)

    assert within(20, lambda: _now(living, closing).state is OrderState.FILLED), _now(living, closing)
    assert living.position("BTCUSDT") == CRUMB
    assert sum(one.purpose is Purpose.EXIT for one in living.orders()) == 1


def test_what_the_stop_sold_first_is_not_sold_again(living: Living, exchange: RunningExchange) -> None:
    """On spot nothing is reduce-only: a second sale would take coins that were never part of the position."""
    _bought(living, stop_loss="1%")
    others = _coins(exchange, UNITS_PER_QUOTE)
    _still(living)
    closing = _closed_by_hand(living)
    exchange.control("POST", "price", symbol="BTCUSDT", price="64000")
    assert within(10, lambda: _coins(exchange) < others), "the stop has sold"
    left = _coins(exchange)

    _again(living)

    assert within(20, lambda: _now(living, closing).state is OrderState.CANCELED), _now(living, closing)
    assert "nothing is left to sell" in str(_now(living, closing).outcome)
    assert living.position("BTCUSDT") == CRUMB
    assert _coins(exchange) == left


def test_a_close_sells_no_more_than_is_still_held(living: Living, exchange: RunningExchange) -> None:
    """Its owner sold some of the coins at the exchange meanwhile, and has others that are no part of the position."""
    _bought(living, stop_loss="2%")
    _coins(exchange, UNITS_PER_QUOTE)
    _still(living)
    closing = _closed_by_hand(living)
    house, account = living.house, VenueAccount(living.account.id, living.account.owner_id)
    sale = OrderTerms("BTCUSDT", Side.SELL, OrderType.MARKET, Decimal("0.004"))
    told = house.venues[living.key].place(account, [OrderRequest("byitsowner", sale, house.clock.now())])
    assert isinstance(told[0], Accepted), told
    reconcile(house.desk, Trader.of(living.account))
    assert living.position("BTCUSDT") == Decimal("0.00599")

    _again(living)

    assert within(20, lambda: _now(living, closing).state is OrderState.FILLED), _now(living, closing)
    assert _now(living, closing).filled_quantity == Decimal("0.005")
    assert living.position("BTCUSDT") == CRUMB


def test_a_close_that_is_called_off_leaves_the_position_protected(living: Living) -> None:
    """The stop had to go for the close; without the close, it has to stand again."""
    _bought(living, stop_loss="2%")
    _still(living)
    closing = _closed_by_hand(living)
    house = living.house
    house.database.write(lambda tx: cancel.ask(tx, house.desk, closing, by="test"), name="cancel")

    _again(living)

    assert within(20, lambda: _now(living, closing).state is OrderState.CANCELED), _now(living, closing)
    assert within(20, lambda: _stops(living, OrderState.CANCELED) and _stops(living, OrderState.WORKING))
    assert living.position("BTCUSDT") == Decimal("0.00999")
    closed = _closed_by_hand(living)
    assert within(15, lambda: _now(living, closed).state is OrderState.FILLED)


def _halt(living: Living) -> Halt | None:
    return living.house.database.read(lambda tx: halt_store.halted(tx, living.account.id))


def test_only_coins_that_lack_stop_the_account(living: Living, exchange: RunningExchange) -> None:
    """Coins from before are nobody's mistake; coins that are gone were sold by somebody else, or never bought."""
    _bought(living)
    _still(living)
    desk, trader = living.house.desk, Trader.of(living.account)

    _coins(exchange, 3 * UNITS_PER_QUOTE)
    assert reconcile(desk, trader).mismatches == []
    assert _halt(living) is None

    _coins(exchange, 4 * UNITS_PER_QUOTE // 1_000)
    told = "BTCUSDT: the venue says 0.004, our entries say 0.00999"
    assert reconcile(desk, trader).mismatches == [told]
    halt = _halt(living)
    assert halt is not None
    assert told in halt.reason


def test_a_target_beside_a_stop_sells_its_share_and_the_stop_stands_again(
    living: Living, exchange: RunningExchange
) -> None:
    """Where no pair is taken, coins wait for one order: the stop stands, the house keeps the target, never both."""
    exchange.control("POST", "faults", kind="reject", method="POST", path="orderList/oco", times=-1, code=-2010)
    wanted = {"action": "open", "symbol": "BTCUSDT", "side": "BUY", "quantity": "0.010", "stop_loss": "5%"}
    taken = living.send(**wanted, take_profits=[{"percent": "2", "share": "50"}, {"percent": "20"}])
    assert within(10, lambda: living.outcome(taken).state is AnswerState.FILLED)
    assert within(15, lambda: _stops(living, OrderState.WORKING))
    assert within(15, lambda: [one.terms.quantity for one in _stops(living, OrderState.WORKING)] == [Decimal("0.009")])
    targets = [one for one in living.orders() if one.purpose is Purpose.TAKE_PROFIT]
    assert {one.state for one in targets} == {OrderState.REJECTED}

    exchange.control("POST", "price", symbol="BTCUSDT", price="66400")

    exits = within(20, lambda: [o for o in living.orders() if o.purpose is Purpose.EXIT and o.filled_quantity > 0])
    assert exits
    assert within(20, lambda: [one.terms.quantity for one in _stops(living, OrderState.WORKING)] == [Decimal("0.005")])
    sold = sum(one.filled_quantity for one in living.orders() if one.purpose is Purpose.EXIT)
    assert sold == Decimal("0.004")
    assert living.position("BTCUSDT") == Decimal("0.010") - Decimal("0.00001") - sold
    assert within(10, lambda: survey(living.house) == []), survey(living.house)


def _rests(living: Living, exchange: RunningExchange, quantity: str) -> None:
    """Let its owner offer some of the coins at the exchange, far above the market."""
    house, account = living.house, VenueAccount(living.account.id, living.account.owner_id)
    offer = OrderTerms("BTCUSDT", Side.SELL, OrderType.LIMIT, Decimal(quantity), price=Decimal(70_000))
    told = house.venues[living.key].place(account, [OrderRequest("byitsowner", offer, house.clock.now())])
    assert isinstance(told[0], Accepted), told
    reconcile(house.desk, Trader.of(living.account))


def test_a_part_that_rests_in_a_sale_leaves_the_rest_its_stop(living: Living) -> None:
    """The exchange refused a stop for all of it, in every form, and the position was naked for as long as it rested."""
    _bought(living, stop_loss="2%")

    living.send(action="decrease", symbol="BTCUSDT", quantity="0.004", order_type="limit", price="70000")

    assert within(40, lambda: [one.terms.quantity for one in _stops(living, OrderState.WORKING)] == [Decimal("0.005")])
    (sale,) = [one for one in living.orders() if one.terms.type is OrderType.LIMIT]
    assert within(40, lambda: _now(living, sale).state is OrderState.WORKING)
    assert not [one for one in living.orders() if one.state is OrderState.REJECTED]
    assert within(10, lambda: survey(living.house) == []), survey(living.house)


def test_an_exit_sells_what_nobody_else_offers(living: Living, exchange: RunningExchange) -> None:
    """Asked for all that is held, the exchange refused all of it, again and again: its time was up, and it stayed."""
    _bought(living)
    _rests(living, exchange, "0.004")
    house, trader = living.house, Trader.of(living.account)
    wanted = Guards(time_stop_s=1)
    house.database.write(
        lambda tx: protect.set_by_hand(tx, house.desk, trader, "BTCUSDT", wanted, by="test"), name="protect"
    )

    assert within(40, lambda: living.position("BTCUSDT") == Decimal("0.00499")), living.position("BTCUSDT")
    (exit_,) = [one for one in living.orders() if one.purpose is Purpose.EXIT]
    assert (exit_.filled_quantity, exit_.state) == (Decimal("0.005"), OrderState.FILLED)
    assert exit_.reason.endswith("0.00099 BTC stay, less than a lot of 0.001")
    assert within(10, lambda: survey(living.house) == []), survey(living.house)


def test_an_exit_of_everything_takes_our_own_offers_back(living: Living) -> None:
    """A limit order of a bot that waits for a better price is no reason to stay in."""
    _bought(living, stop_loss="5%")
    living.send(action="decrease", symbol="BTCUSDT", quantity="0.004", order_type="limit", price="70000")
    assert within(40, lambda: [one.terms.quantity for one in _stops(living, OrderState.WORKING)] == [Decimal("0.005")])
    house, trader = living.house, Trader.of(living.account)
    wanted = Guards(Level(percent=Decimal(5)), time_stop_s=1)
    house.database.write(
        lambda tx: protect.set_by_hand(tx, house.desk, trader, "BTCUSDT", wanted, by="test"), name="protect"
    )

    assert within(40, lambda: living.position("BTCUSDT") == CRUMB), living.position("BTCUSDT")
    (sale,) = [one for one in living.orders() if one.terms.type is OrderType.LIMIT]
    assert within(40, lambda: _now(living, sale).state is OrderState.CANCELED)
    assert not [one for one in living.orders() if one.state is OrderState.REJECTED]
