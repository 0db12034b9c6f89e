"""Instruments are kept whole, quotes are the newest, and what is missing is said to be missing."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilothouse.core.errors import NotFound, Unavailable
from pilothouse.core.instrument import Instrument
from pilothouse.core.quote import Quote
from pilothouse.kit.db import Database
from pilothouse.marketdata.instruments import InstrumentBook, InstrumentMissing, load, refresh
from pilothouse.marketdata.quotes import QuoteBoard, QuoteMissing
from tests.conftest import NOON

D = Decimal
BTC = Instrument(
    symbol="BTCUSDT",
    base="BTC",
    quote="USDT",
    tick=D("0.10"),
    lot=D("0.001"),
    quantity_min=D("0.001"),
    quantity_max=D(1000),
    notional_min=D(5),
    price_min=D("0.000000000000000001"),
    price_max=D("12345678901234567890.123456789012345678"),
    leverage_max=125,
)
ETH = replace(BTC, symbol="ETHUSDT", base="ETH")
QUOTE = Quote("BTCUSDT", D("99.9"), D("100.1"), D(100), D(100), NOON, "simulated")


def test_instruments_are_read_as_they_were_kept(database: Database) -> None:
    """A tick that is off by a digit makes every order wrong."""
    database.write(lambda tx: refresh(tx, "paper", [ETH, BTC], NOON), name="refresh")

    assert database.read(lambda tx: load(tx, "paper")) == {"BTCUSDT": BTC, "ETHUSDT": ETH}
    assert database.read(lambda tx: load(tx, "aster")) == {}


def test_a_refresh_replaces_everything_of_one_venue(database: Database) -> None:
    """What was delisted is gone; other venues are left alone."""
    wider = replace(BTC, leverage_max=20)
    for venue, found in (("paper", [BTC, ETH]), ("aster", [ETH]), ("paper", [wider])):
        database.write(partial(refresh, venue=venue, instruments=found, now=NOON), name="refresh")

    assert database.read(lambda tx: load(tx, "paper")) == {"BTCUSDT": wider}
    assert database.read(lambda tx: load(tx, "aster")) == {"ETHUSDT": ETH}


def test_a_venue_that_names_nothing_changes_nothing(database: Database) -> None:
    """An empty answer is a fault of the venue, not the end of all trading."""
    database.write(lambda tx: refresh(tx, "paper", [BTC], NOON), name="refresh")

    with pytest.raises(ValueError, match="no instrument"):
        database.write(lambda tx: refresh(tx, "paper", [], NOON), name="refresh")
    assert database.read(lambda tx: load(tx, "paper")) == {"BTCUSDT": BTC}


def test_the_book_knows_each_venue_by_itself() -> None:
    """The same symbol may have another tick elsewhere."""
    book = InstrumentBook()
    known = {"BTCUSDT": BTC}
    book.put("paper", known)
    known["ETHUSDT"] = ETH

    assert book.get("paper", "BTCUSDT") == BTC
    assert dict(book.all("paper")) == {"BTCUSDT": BTC}
    assert book.venues() == ("paper",)
    assert dict(book.all("aster")) == {}
    for venue, symbol in (("paper", "ETHUSDT"), ("aster", "BTCUSDT")):
        with pytest.raises(InstrumentMissing):
            book.get(venue, symbol)
    assert issubclass(InstrumentMissing, NotFound)


@given(st.lists(st.tuples(st.sampled_from(["BTCUSDT", "ETHUSDT"]), st.integers(0, 20)), min_size=1, max_size=30))
def test_the_board_shows_the_newest_quote_in_whatever_order_they_come(told: list[tuple[str, int]]) -> None:
    """Two feeds overtake each other; an old price must not come back."""
    board = QuoteBoard()
    for symbol, second in told:
        board.put("paper", [replace(QUOTE, symbol=symbol, at=NOON + timedelta(seconds=second), mark=D(second + 1))])

    for symbol in {symbol for symbol, _ in told}:
        newest = max(second for each, second in told if each == symbol)
        assert board.get("paper", symbol).mark == newest + 1
        assert board.age("paper", symbol, NOON + timedelta(seconds=30)) == timedelta(seconds=30 - newest)
    assert set(board.all("paper")) == {symbol for symbol, _ in told}


def test_a_missing_quote_is_an_error_that_may_pass() -> None:
    """It is never a price of zero."""
    board = QuoteBoard()
    board.put("paper", [QUOTE])

    assert issubclass(QuoteMissing, Unavailable)
    for venue, symbol in (("paper", "ETHUSDT"), ("aster", "BTCUSDT")):
        with pytest.raises(QuoteMissing):
            board.get(venue, symbol)
    board.forget("paper")
    with pytest.raises(QuoteMissing):
        board.age("paper", "BTCUSDT", NOON)
