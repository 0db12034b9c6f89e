"""Cards V-I01, V-I02 and V-X01 to V-X04: the grids are the venue's, and a credential is tried before it is trusted."""

from datetime import timedelta
from decimal import Decimal

import pytest

from pilothouse.core.errors import Refused
from tests.cards.stand import BTC, SOL, START, Stand, Trader


@pytest.mark.card("V-I01")
def test_instruments_are_exactly_those_of_the_venue(stand: Stand) -> None:
    """Tick, lot, minimums, bounds and leverage: an order is only as exact as its grid."""
    told = {each.symbol: each for each in stand.venue.instruments()}

    assert {symbol: told[symbol] for symbol in START} == {symbol: stand.rules_there(symbol) for symbol in START}


@pytest.mark.card("V-I02")
def test_instruments_are_read_again(stand: Stand) -> None:
    """Venues change their rules without asking; an old grid is refused orders."""
    stand.venue.instruments()
    stand.change_rules(SOL, Decimal(777))
    stand.advance(timedelta(hours=2))

    told = {each.symbol: each.quantity_max for each in stand.venue.instruments()}
    assert told[SOL] == Decimal(777)
    stand.clear()
    stand.advance(timedelta(hours=2))
    told = {each.symbol: each.quantity_max for each in stand.venue.instruments()}
    assert told[SOL] == stand.rules_there(SOL).quantity_max


@pytest.mark.card("V-X01")
def test_an_account_is_examined_without_changing_anything(trader: Trader) -> None:
    """What it has, what it holds, how its clock goes, what its credential may do."""
    trader.buy("0.010")
    orders = trader.stand.orders_there(trader.account)
    found = trader.stand.venue.examine(trader.account)

    assert found.label
    assert abs(found.clock_ahead) < timedelta(seconds=2)
    assert found.balance.wallet == trader.stand.wallet_there(trader.account)
    told = {each.symbol: each.quantity for each in found.positions}
    assert told == trader.stand.held_there(trader.account)
    assert trader.stand.open_there(trader.account) == {BTC: Decimal("0.010")}
    assert not found.hedge_mode
    assert found.may_trade
    assert trader.stand.orders_there(trader.account) == orders


@pytest.mark.card("V-X03")
def test_an_account_in_hedge_mode_is_told_apart(trader: Trader) -> None:
    """It is seen before the first order, and changed by its owner alone."""
    assert not trader.stand.venue.examine(trader.account).hedge_mode
    trader.stand.hedge(trader.account)
    assert trader.stand.venue.examine(trader.account).hedge_mode


@pytest.mark.card("V-X02")
def test_a_credential_the_venue_does_not_take_is_refused(stand: Stand) -> None:
    """Refused, and not "try again later": nobody has to wait for a wrong key to become right."""
    with pytest.raises(Refused) as refused:
        stand.venue.examine(stand.stranger())
    assert str(refused.value)


@pytest.mark.card("V-X04")
def test_a_credential_that_may_withdraw_is_told_apart(stand: Stand) -> None:
    """A key that trades needs no door to the money."""
    assert stand.venue.examine(stand.may_withdraw()).may_withdraw is True
    assert stand.venue.examine(stand.open(100)).may_withdraw is False
