"""Cards V-O30 to V-O39: what the rules forbid is refused before it is sent; what the venue refuses is told why."""

from decimal import Decimal
from typing import Any

import pytest

from pilothouse.core.instrument import Side
from pilothouse.core.order import OrderType
from pilothouse.venues.port import Rejected
from tests.cards.stand import BTC, SOL, Stand, Trader

BUY, SELL = Side.BUY, Side.SELL
LIMIT = OrderType.LIMIT


def _refused_unsent(trader: Trader, *args: Any, **terms: Any) -> Rejected:
    """Return the refusal of an order that must not reach the venue."""
    trader.stand.venue.instruments()
    trader.stand.quote()
    outcome = trader.place(trader.request(*args, **terms))
    assert isinstance(outcome, Rejected), outcome
    assert outcome.message
    assert not outcome.may_be_repeated
    assert trader.stand.asked_to_place(trader.account) == 0
    return outcome


@pytest.mark.card("V-O30")
def test_a_price_off_the_tick_is_refused_before_it_is_sent(trader: Trader) -> None:
    """Nobody rounds a price for somebody else."""
    _refused_unsent(trader, BUY, "0.010", LIMIT, price="64000.05")
    _refused_unsent(trader, SELL, "0.010", OrderType.STOP_MARKET, stop="63000.01", reduce_only=True)


@pytest.mark.card("V-O31")
def test_a_quantity_off_the_lot_is_refused_before_it_is_sent(trader: Trader) -> None:
    """Nor a size."""
    _refused_unsent(trader, BUY, "0.0105")
    _refused_unsent(trader, BUY, "0.0105", LIMIT, price="64000")


@pytest.mark.card("V-O32")
def test_an_order_below_the_minimum_is_refused_before_it_is_sent(trader: Trader) -> None:
    """In size and in worth: 0.03 SOL are 4.50, and 5 is the least."""
    _refused_unsent(trader, BUY, "0.03", LIMIT, price="149", symbol=SOL)
    _refused_unsent(trader, BUY, "0.0001")


@pytest.mark.card("V-O33")
def test_an_order_above_the_maximum_is_refused_before_it_is_sent(trader: Trader) -> None:
    """A slip of the finger ends here."""
    _refused_unsent(trader, BUY, "1000.001")
    _refused_unsent(trader, BUY, "0.010", LIMIT, price="1000000.1")


@pytest.mark.card("V-O34")
def test_a_price_outside_of_the_band_is_refused_before_it_is_sent(trader: Trader) -> None:
    """The venue says how far from the mark a limit may lie."""
    _refused_unsent(trader, BUY, "0.010", LIMIT, price="70000")
    _refused_unsent(trader, SELL, "0.010", LIMIT, price="60000")


@pytest.mark.card("V-O35")
def test_an_order_without_margin_is_refused_and_stands_nowhere(stand: Stand) -> None:
    """A hundred do not carry one whole coin."""
    trader = stand.trader(deposit=100)
    outcome = trader.place(trader.request(BUY, "1"))

    assert isinstance(outcome, Rejected), outcome
    assert outcome.message
    assert not outcome.would_trigger
    assert stand.orders_there(trader.account) == []


@pytest.mark.card("V-O36")
def test_an_account_in_hedge_mode_is_refused_in_words(trader: Trader) -> None:
    """Long and short apart cannot be booked as one position: say it, and never call it flat."""
    trader.stand.hedge(trader.account)
    outcome = trader.place(trader.request(BUY, "0.010"))

    assert isinstance(outcome, Rejected), outcome
    assert "hedge" in outcome.message
    assert trader.stand.venue.examine(trader.account).hedge_mode


@pytest.mark.card("V-O37")
def test_an_instrument_that_is_not_there_is_refused(trader: Trader) -> None:
    """A name that was misread trades nothing."""
    outcome = trader.place(trader.request(BUY, "0.010", symbol="NOSUCHUSDT"))

    assert isinstance(outcome, Rejected), outcome
    assert trader.stand.orders_there(trader.account) == []


@pytest.mark.card("V-O38")
def test_a_position_too_large_for_its_leverage_is_refused(stand: Stand) -> None:
    """Large positions get less leverage, however much money there is."""
    trader = stand.trader(deposit=9_000_000)
    stand.venue.set_leverage(trader.account, BTC, 100)
    outcome = trader.place(trader.request(BUY, "50"))

    assert isinstance(outcome, Rejected), outcome
    assert stand.orders_there(trader.account) == []


@pytest.mark.card("V-O39")
def test_what_was_refused_may_be_asked_again_as_something_else(trader: Trader) -> None:
    """A refusal uses up neither the id nor the account."""
    refused = trader.request(BUY, "0.0105")
    assert isinstance(trader.place(refused), Rejected)
    trader.placed(trader.request(BUY, "0.010", id_=refused.client_order_id))
    assert trader.position() == Decimal("0.010")
