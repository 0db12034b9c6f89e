"""Fills as they are shown: page by page, to their owner only, and as CSV."""

import csv
from datetime import timedelta
from functools import partial
from typing import Any

from pilothouse.core.instrument import Side
from pilothouse.kit.clocks import FrozenClock
from pilothouse.kit.db import Database
from pilothouse.ledger.statement import booked_among, fills_csv, last_trade_id, list_fills
from tests.conftest import NOON
from tests.slices.ledger.bookkeeping import Account, D, fill


def test_fills_come_page_by_page_newest_first(database: Database, clock: FrozenClock) -> None:
    """Every fill is on one page, also when new ones arrive between two pages."""
    account = Account(database)
    for number in range(7):
        account.told(fill(number, Side.BUY, "1", "10", NOON))
        clock.advance(timedelta(seconds=number % 2))
    seen: list[str] = []
    before = None
    while page := database.read(partial(list_fills, owner_id="usr_a", before=before, limit=3)):
        seen += [row.venue_trade_id for row in page]
        before = page[-1].id
        account.told(fill(100 + len(seen), Side.BUY, "1", "10", NOON))

    assert seen == ["6", "5", "4", "3", "2", "1", "0"]


def test_a_fill_is_read_as_it_was_booked(database: Database) -> None:
    """To the last digit, with whose it is and where it came from."""
    account = Account(database)
    told = fill(1, Side.SELL, "0.001", "65000.1", NOON - timedelta(microseconds=1), maker=True, client_order_id=None)
    posted = account.told(told, order_id=None, hook_id=None)
    [row] = database.read(lambda tx: list_fills(tx, "usr_a", account_id=account.id))

    assert posted
    assert row.id == posted.fill_id
    assert (row.side, row.price, row.quantity, row.notional) == (Side.SELL, D("65000.1"), D("0.001"), D("65.0001"))
    assert (row.at, row.booked_at, row.maker) == (told.at, NOON, True)
    assert (row.order_id, row.hook_id, row.client_order_id) == (None, None, None)


def test_nobody_sees_the_fills_of_another_owner(database: Database) -> None:
    """Not by account, not by order, not by symbol."""
    mine, theirs = Account(database), Account(database, owner_id="usr_b")
    mine.told(fill(1, Side.BUY, "1", "10", NOON))
    theirs.told(fill(2, Side.BUY, "1", "10", NOON))

    def shown(owner_id: str, **which: Any) -> list[str]:
        return [row.venue_trade_id for row in database.read(lambda tx: list_fills(tx, owner_id, **which))]

    assert shown("usr_a") == ["1"]
    assert shown("usr_b") == ["2"]
    assert shown("usr_a", account_id=theirs.id) == []
    assert shown("usr_b", order_id="ord_1", symbol="BTCUSDT") == ["2"]
    assert shown("usr_c") == []


def test_fills_are_filtered(database: Database) -> None:
    """By account, instrument and order."""
    one, other = Account(database), Account(database)
    one.told(fill(1, Side.BUY, "1", "10", NOON))
    one.told(fill(2, Side.BUY, "1", "10", NOON, symbol="ETHUSDT"), order_id="ord_2")
    other.told(fill(3, Side.BUY, "1", "10", NOON))

    def shown(**which: Any) -> list[str]:
        return [row.venue_trade_id for row in database.read(lambda tx: list_fills(tx, "usr_a", **which))]

    assert shown() == ["3", "2", "1"]
    assert shown(account_id=one.id) == ["2", "1"]
    assert shown(symbol="ETHUSDT") == ["2"]
    assert shown(order_id="ord_2") == ["2"]


def test_it_is_known_what_is_booked(database: Database) -> None:
    """Reconciling asks before it books, and knows where it stands."""
    account = Account(database)
    assert database.read(lambda tx: last_trade_id(tx, account.id, "BTCUSDT")) is None
    for number in (3, 1, 20):
        account.told(fill(number, Side.BUY, "1", "10", NOON))

    asked = [str(number) for number in range(2000)]
    assert database.read(lambda tx: booked_among(tx, account.id, "BTCUSDT", asked)) == {"1", "3", "20"}
    assert database.read(lambda tx: booked_among(tx, account.id, "ETHUSDT", asked)) == set()
    assert database.read(lambda tx: booked_among(tx, account.id, "BTCUSDT", [])) == set()
    assert database.read(lambda tx: last_trade_id(tx, account.id, "BTCUSDT")) == "20"


def test_a_csv_file_opens_anywhere(database: Database) -> None:
    """UTF-8 with its mark, ISO times, plain decimals, and no cell a spreadsheet would run."""
    account = Account(database)
    account.told(fill(1, Side.BUY, "0.00001", "1E+3", NOON, client_order_id='=cmd|"x"'))
    text = "".join(fills_csv(database.read(lambda tx: list_fills(tx, "usr_a"))))

    assert text.startswith("\ufeffid,account_id,")
    assert text.endswith("\r\n")
    [row] = list(csv.DictReader(text.removeprefix("\ufeff").splitlines()))
    assert row["quantity"] == "0.00001"
    assert row["price"] == "1000"
    assert row["at"] == "2026-01-05T12:00:00.000000Z"
    assert row["client_order_id"] == '\'=cmd|"x"'
    assert row["maker"] == "false"
    assert "owner_id" not in row
