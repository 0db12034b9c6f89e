"""Equity, where the day began, and what risk asks of the books."""

from datetime import timedelta
from decimal import Decimal
from functools import partial
from typing import Any

import pytest

from pilothouse.core.instrument import Side
from pilothouse.core.position import Position
from pilothouse.kit.clocks import FrozenClock
from pilothouse.kit.db import Database
from pilothouse.ledger.equity import Equity, MarkMissing, begin_day, curve, equity, snapshot
from pilothouse.ledger.exposure import DayStart, Holdings, day_start, holdings
from tests.conftest import NOON
from tests.slices.ledger.bookkeeping import Account, D, fill

DAY = timedelta(days=1)


def look(account: Account) -> Holdings:
    """Return what the account holds now."""
    return account.database.read(lambda tx: holdings(tx, account.id, account.now))


def keep(account: Account, worth: Equity) -> bool:
    """Keep a snapshot now."""
    about = {"owner_id": account.owner_id, "account_id": account.id}
    return account.database.write(lambda tx: snapshot(tx, **about, worth=worth, now=account.now), name="snapshot")


def test_equity_is_the_wallet_and_every_open_result() -> None:
    """Exactly, and flat positions need no price."""
    held = [Position("BTCUSDT", D(2), D(200)), Position("ETHUSDT", D(-3), D(-30)), Position("SOLUSDT")]

    assert equity(D(1000), held, {"BTCUSDT": D("99.5"), "ETHUSDT": D(11)}) == Equity(D(1000), D(-4), D(996))


def test_a_position_without_a_price_has_no_equity() -> None:
    """Half an equity would size and allow as if it were the whole."""
    with pytest.raises(MarkMissing, match="BTCUSDT"):
        equity(D(1000), [Position("BTCUSDT", D(2), D(200))], {})


def test_holdings_are_what_is_not_flat(database: Database) -> None:
    """What risk needs, from one look."""
    account = Account(database, deposit=1000)
    account.told(fill(1, Side.BUY, "1", "10", NOON))
    account.told(fill(2, Side.BUY, "1", "10", NOON, symbol="ETHUSDT"))
    account.told(fill(3, Side.SELL, "1", "10", NOON, symbol="ETHUSDT"))
    held = look(account)

    assert held.wallet == D("999.88")
    assert held.positions == {"BTCUSDT": Position("BTCUSDT", D(1), D(10))}
    assert held.position("ETHUSDT") == Position("ETHUSDT")
    assert held.equity({"BTCUSDT": D(15)}) == Equity(D("999.88"), D(5), D("1004.88"))
    assert held.day == DayStart(D(0), None, transfers=D(1000))
    assert held.day.counts_from == 1000


def test_an_account_nobody_knows_holds_nothing(database: Database) -> None:
    """New accounts have no rows yet."""
    held = look(Account(database))

    assert (held.wallet, dict(held.positions), held.day) == (0, {}, DayStart(D(0), None))


def test_the_day_begins_with_the_wallet_of_midnight(database: Database, clock: FrozenClock) -> None:
    """Before anything is booked today, that is the wallet of now."""
    account = Account(database, deposit=1000)
    clock.advance(DAY)
    assert look(account).day == DayStart(D(1000), None)
    account.transfer("more", D(5))
    begun = DayStart(D(1000), None, transfers=D(5))
    assert look(account).day == begun
    assert database.read(lambda tx: day_start(tx, account.id, account.now)) == begun


@pytest.mark.parametrize("booked_first", [True, False])
def test_the_equity_of_midnight_is_kept_once(database: Database, clock: FrozenClock, *, booked_first: bool) -> None:
    """The first look of the day counts; later ones must not forgive a loss."""
    account = Account(database, deposit=1000)
    clock.advance(DAY)
    if booked_first:
        account.transfer("more", D(5))
    for expected, value in ((True, 990), (False, 500)):
        worth = Equity(D(1000), D(value - 1000), D(value))
        begin = partial(begin_day, owner_id=account.owner_id, account_id=account.id, worth=worth, now=account.now)
        kept = database.write(begin, name="day")
        assert kept is expected
    account.transfer("again", D(7))

    # What was paid in before the first look is in what it saw: it is not counted from twice.
    assert look(account).day == DayStart(D(1000), D(985 if booked_first else 990), D(12 if booked_first else 7))
    assert look(account).day.counts_from == 997


def test_a_curve_is_the_snapshots_in_order(database: Database, clock: FrozenClock) -> None:
    """The console draws it; one instant has one value."""
    account, stranger = Account(database), Account(database, owner_id="usr_b")
    shots: list[Equity] = []
    for hour in range(5):
        worth = Equity(D(hour), D("0.5"), D(hour) + D("0.5"))
        shots.append(worth)
        assert keep(account, worth)
        assert not keep(account, Equity(D(9), D(9), D(9)))
        keep(stranger, Equity(D(7), D(0), D(7)))
        clock.advance(timedelta(hours=1))

    def points(**which: Any) -> list[tuple[timedelta, Equity]]:
        found = database.read(lambda tx: curve(tx, "usr_a", account.id, **which))
        return [(point.at - NOON, point.equity) for point in found]

    whole = [(timedelta(hours=hour), worth) for hour, worth in enumerate(shots)]
    assert points() == whole
    assert points(limit=2) == whole[-2:]
    assert points(since=NOON + timedelta(hours=3)) == whole[3:]
    assert database.read(lambda tx: curve(tx, "usr_b", account.id)) == []


def test_a_snapshot_keeps_every_digit(database: Database) -> None:
    """Also where a float would have none left."""
    account = Account(database)
    worth = Equity(D("12345678901234567890.123456789012345678"), D("-0.000000000000000001"), Decimal(1))
    keep(account, worth)

    assert database.read(lambda tx: curve(tx, "usr_a", account.id))[0].equity == worth
