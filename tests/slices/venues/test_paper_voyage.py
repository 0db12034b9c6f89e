"""A long voyage under one seed: everything the paper venue can be asked, in random order, with restarts between."""

import random
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from pilothouse.core.errors import Refused
from pilothouse.core.instrument import Side
from pilothouse.core.order import OrderType, TimeInForce
from pilothouse.kit.clocks import FrozenClock
from pilothouse.venues.paper import PaperVenue
from pilothouse.venues.port import MarginType, OrderRequest
from tests.slices.venues.paper_house import ACCOUNT, all_that_counts, books_agree, paper, request

PRICES = {"BTCUSDT": 65_000, "ETHUSDT": 3_200, "SOLUSDT": 150}
SIZES = {"BTCUSDT": ("0.01", "0.2", "1.4"), "ETHUSDT": ("0.1", "5", "25"), "SOLUSDT": ("1", "100", "500")}


def some_order(dice: random.Random, clock: FrozenClock) -> OrderRequest:
    """Return an order of any kind, sensible or not."""
    symbol = dice.choice(list(PRICES))
    type_ = dice.choice([kind for kind in OrderType if kind is not OrderType.TRAILING_STOP_MARKET])
    near = [str(PRICES[symbol] * dice.randint(97, 103) // 100) for _ in range(2)]
    return request(
        clock.now(),
        dice.choice(list(Side)),
        dice.choice(SIZES[symbol]),
        type_,
        symbol=symbol,
        price=near[0] if type_.has_limit else None,
        stop=near[1] if type_.is_conditional else None,
        tif=dice.choice(list(TimeInForce)) if type_.has_limit else TimeInForce.GTC,
        reduce_only=dice.random() < 0.4,
    )


def do_something(dice: random.Random, clock: FrozenClock, venue: PaperVenue) -> None:
    """Make one random call; what the venue refuses, it refuses."""
    symbol = dice.choice(list(PRICES))
    what = dice.randrange(12)
    try:
        if what < 5:
            venue.place(ACCOUNT, [some_order(dice, clock) for _ in range(dice.randint(1, 4))])
        elif what < 8:
            venue.step(clock.advance(timedelta(milliseconds=dice.choice([100, 250, 600]))))
        elif what == 8:
            venue.set_price(symbol, Decimal(PRICES[symbol] * dice.randint(93, 107) // 100))
        elif what == 9:
            for report in venue.open_orders(ACCOUNT)[:2]:
                venue.cancel(ACCOUNT, report.terms.symbol, report.client_order_id)
        elif what == 10:
            venue.set_leverage(ACCOUNT, symbol, dice.choice([5, 10, 20]))
            venue.set_margin_type(ACCOUNT, symbol, dice.choice(list(MarginType)))
        elif dice.random() < 0.3:
            venue.reset_account(ACCOUNT, Decimal(10_000))
        else:
            venue.step(clock.advance(timedelta(hours=3)))
    except Refused:
        pass


@pytest.mark.parametrize("seed", [1, 2, 3, 4])
def test_no_restart_changes_anything_and_the_books_always_agree(tmp_path: Path, clock: FrozenClock, seed: int) -> None:
    """Whatever was done before it, a restart is invisible; and the fold of what was told is what the venue keeps."""
    dice = random.Random(seed)
    before = None
    for _ in range(8):
        with paper(tmp_path, clock) as venue:
            if before is not None:
                assert all_that_counts(venue) == before
            for _ in range(dice.randint(1, 40)):
                do_something(dice, clock, venue)
                balance = venue.balance(ACCOUNT)
                assert balance.margin_balance == balance.wallet + balance.unrealised
                assert balance.available >= 0
                assert balance.wallet >= balance.cross_wallet
            books_agree(venue)
            before = all_that_counts(venue)
    assert before is not None
    assert sum(len(fills) for fills in before["fills"].values()) > 10
