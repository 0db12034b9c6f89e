"""What happens to a paper account by itself: funding, liquidation, large orders, starting over. The books follow."""

from datetime import timedelta
from decimal import Decimal

from pilothouse.core.order import OrderState, Purpose
from pilothouse.fleet.answer import AnswerState
from pilothouse.jobs.schedule import reconcile_all
from pilothouse.kit.db import Tx
from pilothouse.ledger import exposure
from pilothouse.ledger.exposure import Holdings
from tests.stepped import Stepped

OPEN = {"action": "open", "symbol": "BTCUSDT", "side": "BUY", "quantity": "0.010"}


def _holdings(house: Stepped) -> Holdings:
    def read(tx: Tx) -> Holdings:
        return exposure.holdings(tx, house.account.id, house.clock.now())

    return house.house.database.read(read)


def _books_equal_the_venue(house: Stepped) -> None:
    """To the last digit: wallet and every position."""
    reconcile_all(house.house)
    house.run()
    assert _holdings(house).wallet == house.house.venues["paper"].balance(house.account).wallet
    for symbol in ("BTCUSDT", "ETHUSDT", "SOLUSDT"):
        assert house.position(symbol) == house.venue_position(symbol)
    assert house.drift() == []


def test_funding_is_booked_as_the_venue_pays_it(stepped: Stepped) -> None:
    """Every eight hours of the clock a position pays or receives; a backtest that forgets it lies, and so do books."""
    stepped.alert(**OPEN)
    before = _holdings(stepped).wallet
    stepped.clock.set(stepped.clock.now().replace(hour=15, minute=59, second=59))
    stepped.pass_time(3)

    assert _holdings(stepped).wallet != before
    _books_equal_the_venue(stepped)


def test_a_liquidated_position_is_gone_from_the_books_too(stepped: Stepped) -> None:
    """The venue closes what cannot be held; the order it makes is shown as a liquidation."""
    stepped.alert(**{**OPEN, "quantity": "1"})
    assert stepped.house.paper is not None
    stepped.house.paper.set_price("BTCUSDT", Decimal("54000.0"))
    stepped.pass_time(3)

    _books_equal_the_venue(stepped)
    assert stepped.position("BTCUSDT") == 0
    assert stepped.only_order(Purpose.LIQUIDATION).state is OrderState.FILLED


def test_a_large_order_fills_in_parts_at_worse_prices(stepped: Stepped) -> None:
    """The book has a depth: whoever takes more than the best price offers pays for it."""
    outcome = stepped.alert(**{**OPEN, "symbol": "SOLUSDT", "quantity": "600"})

    order = outcome.orders[0]
    ask = stepped.house.quotes.get("paper", "SOLUSDT").ask
    assert order.state is OrderState.FILLED
    assert order.filled_notional / order.filled_quantity >= ask
    _books_equal_the_venue(stepped)


def test_an_order_without_margin_is_rejected_with_the_numbers(stepped: Stepped) -> None:
    """Ten thousand USDT at leverage ten carry a hundred thousand, not more."""
    outcome = stepped.alert(**{**OPEN, "quantity": "2"})

    assert outcome.state is AnswerState.REJECTED
    assert "-2019" in outcome.message
    assert stepped.position("BTCUSDT") == 0


def test_prices_go_on_from_where_they_were(stepped: Stepped) -> None:
    """A restart is no jump: an open position must not be closed by it."""
    stepped.pass_time(60)
    before = stepped.house.quotes.get("paper", "BTCUSDT").mark
    stepped.die()
    stepped.clock.advance(timedelta(hours=3))
    stepped.open()
    stepped.pass_time(0.25)

    after = stepped.house.quotes.get("paper", "BTCUSDT").mark
    assert abs(after - before) / before < Decimal("0.01")


def test_equity_is_wallet_and_open_result(stepped: Stepped) -> None:
    """Deposit, minus commission, plus what the position is worth more or less than it cost."""
    stepped.alert(**OPEN)
    held = _holdings(stepped)
    order = stepped.only_order()
    mark = stepped.house.quotes.get("paper", "BTCUSDT").mark

    assert held.wallet == Decimal(10_000) - order.commission
    assert held.equity({"BTCUSDT": mark}).equity == held.wallet + order.filled_quantity * mark - order.filled_notional
