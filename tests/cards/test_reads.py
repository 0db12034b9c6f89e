"""Cards V-R01 to V-R12: what the adapter tells of an account is what the venue has, and silence is never "flat"."""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from pilothouse.core.errors import Unavailable
from pilothouse.core.fill import Fill
from pilothouse.core.instrument import Side
from pilothouse.core.order import OrderType
from pilothouse.venues.port import MarginType
from tests.cards.stand import BTC, DEPOSIT, SOL, START, Stand, Trader

BUY, SELL = Side.BUY, Side.SELL


@pytest.mark.card("V-R01")
def test_positions_are_those_of_the_venue(trader: Trader) -> None:
    """Signed, at the price they were entered at; flat ones do not count."""
    assert trader.position() == 0
    order = trader.buy("0.030")
    trader.placed(trader.request(SELL, "40", symbol=SOL))
    assert trader.position(BTC) == Decimal("0.030")
    assert trader.position(SOL) == Decimal(-40)

    told = {each.symbol: each for each in trader.stand.venue.positions(trader.account)}
    if not trader.stand.owes:  # what coins were paid is not known of those that were there before
        assert (told[BTC].entry_price, told[BTC].leverage) == (Decimal(0), 1)
        return
    fills = trader.report(order).fills
    paid = sum((fill.price * fill.quantity for fill in fills), Decimal(0))
    assert abs(told[BTC].entry_price * told[BTC].quantity - paid) < Decimal("0.001")
    assert told[BTC].mark_price == Decimal(START[BTC])


@pytest.mark.card("V-R02")
def test_a_balance_is_told_to_the_last_digit(trader: Trader) -> None:
    """Commission has eight digits behind the point, and every one of them is somebody's."""
    assert trader.stand.venue.balance(trader.account).wallet == Decimal(DEPOSIT)
    trader.buy("0.013")

    balance = trader.stand.venue.balance(trader.account)
    assert balance.wallet == trader.stand.wallet_there(trader.account) < Decimal(DEPOSIT)
    trader.rest()
    balance = trader.stand.venue.balance(trader.account)
    assert balance.available < balance.margin_balance


@pytest.mark.card("V-R03")
def test_open_orders_are_all_that_stand_and_nothing_else(trader: Trader) -> None:
    """Stops too, and of every instrument."""
    trader.buy("0.010")
    orders = [
        trader.rest(BUY, "0.010", "64000"),
        trader.placed(trader.request(BUY, "1", OrderType.LIMIT, symbol=SOL, price="149")),
        trader.placed(trader.request(SELL, "0.010", OrderType.STOP_MARKET, stop="63000", reduce_only=True)),
    ]

    told = {each.client_order_id: each.terms for each in trader.stand.venue.open_orders(trader.account)}
    assert told == {order.client_order_id: trader.stand.as_told(order.terms) for order in orders}


@pytest.mark.card("V-R04")
def test_fills_are_told_from_the_beginning(trader: Trader) -> None:
    """Every one of them, oldest first, with what it cost."""
    assert trader.fills() == []
    for quantity in ("0.010", "0.020", "0.030"):
        trader.buy(quantity)

    told = trader.fills()
    assert {fill.venue_trade_id: fill.quantity for fill in told} == trader.stand.fills_there(trader.account)
    numbers = [int(fill.venue_trade_id) for fill in told]
    assert numbers == sorted(numbers)
    assert all(fill.commission > 0 for fill in told)
    paid = sum((_cost(trader, fill) for fill in told), Decimal(0))
    assert Decimal(DEPOSIT) - paid == trader.stand.wallet_there(trader.account)


def _cost(trader: Trader, fill: Fill) -> Decimal:
    """Return what a purchase takes out of the wallet; where coins are paid for, commission is taken in coins."""
    if trader.stand.owes:
        return fill.commission
    assert fill.commission_currency == "BTC"
    return fill.price * fill.quantity


@pytest.mark.card("V-R05")
def test_fills_are_told_behind_an_id(trader: Trader) -> None:
    """Nothing again, nothing left out."""
    for _ in range(3):
        trader.buy("0.010")
    told = trader.fills()

    for place, fill in enumerate(told):
        assert trader.fills(after=fill.venue_trade_id) == told[place + 1 :]


@pytest.mark.card("V-R06")
def test_fills_are_told_over_more_than_one_page(stand: Stand) -> None:
    """A venue tells a thousand at once; the thousand and first is as real."""
    trader = stand.trader(deposit=90_000_000)
    if stand.owes:
        stand.venue.set_leverage(trader.account, SOL, 5)
    sides = (BUY, SELL)
    for turn in range(56):
        stand.put(SOL, START[SOL])
        trader.place(trader.request(sides[turn % 2], "60000", symbol=SOL))
    there = stand.fills_there(trader.account)
    assert len(there) > 1_000

    told = trader.fills(SOL)
    assert {fill.venue_trade_id: fill.quantity for fill in told} == there
    assert [fill.venue_trade_id for fill in told] == sorted(there, key=int)
    assert trader.fills(SOL, after=told[2].venue_trade_id) == told[3:]


@pytest.mark.card("V-R07")
def test_funding_is_told_from_the_beginning_and_behind_an_id(trader: Trader) -> None:
    """Eight hours with a position cost or bring something, and the wallet shows how much."""
    assert trader.stand.venue.funding_after(trader.account, None) == []
    trader.buy("1")
    before = trader.stand.wallet_there(trader.account)
    trader.stand.advance(timedelta(hours=8))
    trader.stand.advance(timedelta(hours=8))

    told = trader.stand.venue.funding_after(trader.account, None)
    assert len(told) == 2
    assert before + sum((each.amount for each in told), Decimal(0)) == trader.stand.wallet_there(trader.account)
    assert all(each.symbol == BTC and each.amount for each in told)
    assert len({each.venue_id for each in told}) == 2
    assert trader.stand.venue.funding_after(trader.account, told[0].venue_id) == told[1:]


@pytest.mark.card("V-R08")
def test_transfers_are_told_from_the_beginning_and_behind_an_id(stand: Stand) -> None:
    """The first deposit is where the books begin."""
    trader = stand.trader(deposit=12_345)
    told = stand.venue.transfers_after(trader.account, None)

    assert [each.amount for each in told] == [Decimal(12_345)]
    assert stand.venue.transfers_after(trader.account, told[0].venue_id) == []


@pytest.mark.card("V-R09")
def test_what_is_told_adds_up_to_the_wallet(stand: Stand) -> None:
    """Deposit, funding, results and commissions, also through a liquidation: to the last digit."""
    trader = stand.trader(deposit=2_000)
    stand.venue.set_leverage(trader.account, BTC, 20)
    trader.buy("0.4")
    stand.advance(timedelta(hours=8))
    stand.put(BTC, "58000")
    assert trader.position() == 0

    fills = trader.fills()
    wallet = sum((each.amount for each in stand.venue.transfers_after(trader.account, None)), Decimal(0))
    wallet += sum((each.amount for each in stand.venue.funding_after(trader.account, None)), Decimal(0))
    wallet += sum((fill.realised or Decimal(0) for fill in fills), Decimal(0))
    wallet -= sum((fill.commission for fill in fills), Decimal(0))
    assert wallet == stand.wallet_there(trader.account) == stand.venue.balance(trader.account).wallet


def _reads(trader: Trader) -> dict[str, Callable[[], Any]]:
    venue, account = trader.stand.venue, trader.account
    reads: dict[str, Callable[[], Any]] = {
        "positions": lambda: venue.positions(account),
        "balance": lambda: venue.balance(account),
        "open orders": lambda: venue.open_orders(account),
        "fills": lambda: venue.fills_after(account, BTC, None),
        "examine": lambda: venue.examine(account),
    }
    if trader.stand.owes:
        reads |= {
            "funding": lambda: venue.funding_after(account, None),
            "transfers": lambda: venue.transfers_after(account, None),
            "settings": lambda: venue.settings(account, BTC),
        }
    return reads


@pytest.mark.card("V-R10")
def test_a_read_that_fails_is_unavailable_and_never_flat(trader: Trader) -> None:
    """An empty list in the place of silence closes positions nobody wanted closed."""
    trader.buy("0.010")
    for name, read in _reads(trader).items():
        trader.stand.fault("reset", "read", times=-1)
        with pytest.raises(Unavailable) as unavailable:
            pytest.fail(f"{name} told {read()!r} where nothing was answered")
        assert str(unavailable.value)
        trader.stand.clear()
        read()


@pytest.mark.card("V-R11")
def test_a_read_that_is_answered_with_an_error_is_unavailable(trader: Trader) -> None:
    """503, HTML, and a limit that was reached."""
    trader.buy("0.010")
    for kind in ("unavailable", "gateway", "unknown_undone"):
        for name, read in _reads(trader).items():
            trader.stand.fault(kind, "read", times=-1)
            with pytest.raises(Unavailable):
                pytest.fail(f"{name} told {read()!r} on {kind}")
            trader.stand.clear()


@pytest.mark.card("V-R12")
def test_leverage_and_margin_type_are_set_and_read(trader: Trader) -> None:
    """Setting what is set already is success."""
    venue, account = trader.stand.venue, trader.account
    assert venue.set_leverage(account, BTC, 7) == 7
    assert venue.set_leverage(account, BTC, 7) == 7
    assert venue.set_margin_type(account, BTC, MarginType.ISOLATED) is MarginType.ISOLATED
    assert venue.set_margin_type(account, BTC, MarginType.ISOLATED) is MarginType.ISOLATED
    assert venue.settings(account, BTC) == (7, MarginType.ISOLATED)
