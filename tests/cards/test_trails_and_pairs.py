"""Cards V-O40 to V-O45: orders that trail by themselves, and pairs of which one ends the other."""

from dataclasses import replace
from decimal import Decimal

import pytest

from pilothouse.core.instrument import Side
from pilothouse.core.order import OrderTerms, OrderType
from pilothouse.venues.port import Accepted, OrderRequest, VenueStatus
from tests.cards.stand import BTC, Trader

SELL = Side.SELL
TEN = Decimal("0.010")
ENDED = {VenueStatus.CANCELED, VenueStatus.EXPIRED}


def _trailing(trader: Trader, percent: str, begins: str | None = None) -> OrderRequest:
    request = trader.request(SELL, "0.010", OrderType.STOP_MARKET, stop="1", reduce_only=True)
    terms = OrderTerms(
        BTC, SELL, OrderType.TRAILING_STOP_MARKET, TEN, None, None if begins is None else Decimal(begins),
        reduce_only=True, trail_percent=Decimal(percent),
    )  # fmt: skip
    return replace(request, terms=terms)


def _pair(trader: Trader) -> tuple[OrderRequest, OrderRequest]:
    """Return a stop below the market and a target above it, both for what is held."""
    target = trader.request(SELL, "0.009", OrderType.TAKE_PROFIT_MARKET, stop="66000", reduce_only=True)
    stop = trader.request(SELL, "0.009", OrderType.STOP_MARKET, stop="63000", reduce_only=True)
    return replace(stop, beside=target), target


@pytest.mark.card("V-O40")
def test_a_trailing_order_follows_the_market_and_fires_when_it_turns_back(trader: Trader) -> None:
    """From the best price since it stands, by so many percent, and not before."""
    trader.buy("0.010")
    trail = trader.placed(_trailing(trader, "1"))

    trader.stand.put("BTCUSDT", "66000")
    trader.stand.put("BTCUSDT", "65600")
    assert trader.status(trail) is VenueStatus.NEW

    trader.stand.put("BTCUSDT", "65200")
    assert trader.status(trail) is VenueStatus.FILLED
    assert trader.position() == 0


@pytest.mark.card("V-O41")
def test_a_trailing_order_follows_from_its_activation_on(trader: Trader) -> None:
    """Before that, no fall of the price fires it."""
    trader.buy("0.010")
    trail = trader.placed(_trailing(trader, "1", "66000"))

    trader.stand.put("BTCUSDT", "63000")
    assert trader.status(trail) is VenueStatus.NEW
    trader.stand.put("BTCUSDT", "66500")
    trader.stand.put("BTCUSDT", "65700")
    assert trader.status(trail) is VenueStatus.FILLED
    assert trader.position() == 0


@pytest.mark.card("V-O42")
def test_a_trailing_order_is_told_with_its_terms_and_cancelled(trader: Trader) -> None:
    """Who starts anew knows it again: how far it trails, from where on, for how much."""
    trader.buy("0.010")
    trail = trader.placed(_trailing(trader, "1.5", "66000"))

    told = next(
        one for one in trader.stand.venue.open_orders(trader.account) if one.client_order_id == trail.client_order_id
    )
    assert told.terms == trail.terms

    assert isinstance(trader.cancel(trail), Accepted)
    assert trader.status(trail) is VenueStatus.CANCELED
    assert trader.position() == TEN


@pytest.mark.card("V-O43")
def test_of_a_pair_one_fires_and_the_other_ends(trader: Trader) -> None:
    """Both wait for the same coins; they are sold once."""
    trader.buy("0.010")
    stop, target = _pair(trader)
    outcome = trader.place(stop)
    assert isinstance(outcome, Accepted)
    assert outcome.beside is not None
    assert outcome.beside.client_order_id == target.client_order_id
    assert {trader.status(stop), trader.status(target)} == {VenueStatus.NEW}

    trader.stand.put("BTCUSDT", "66100")

    assert trader.status(target) is VenueStatus.FILLED
    assert trader.status(stop) in ENDED
    assert trader.position() == Decimal("0.001")


@pytest.mark.card("V-O44")
def test_whoever_cancels_half_of_a_pair_ends_both(trader: Trader) -> None:
    """The answer tells of the half that was named; the other is gone, too."""
    trader.buy("0.010")
    stop, target = _pair(trader)
    trader.place(stop)

    cancelled = trader.cancel(target)
    assert isinstance(cancelled, Accepted)
    assert cancelled.report.client_order_id == target.client_order_id
    assert {trader.status(stop), trader.status(target)} <= ENDED


@pytest.mark.card("V-O45")
def test_a_pair_on_one_side_of_the_market_is_refused_whole(trader: Trader) -> None:
    """No half of it stands, and it is told as what would trigger at once."""
    trader.buy("0.010")
    stop, target = _pair(trader)
    high = replace(target, terms=replace(target.terms, stop_price=Decimal(64_000)))
    outcome = trader.place(replace(stop, beside=high))
    assert getattr(outcome, "would_trigger", False), outcome
    assert trader.stand.venue.open_orders(trader.account) == []
