"""One process at a time may send for an account; who was stopped, replaced or set back in time may not."""

import shutil
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from pilothouse.core.clock import EPOCH
from pilothouse.core.errors import Unavailable
from pilothouse.execution import portfolio, writing
from pilothouse.execution.fence import Writers
from pilothouse.execution.portfolio import SentElsewhere
from pilothouse.execution.trader import Trader
from pilothouse.kit.clocks import FrozenClock
from pilothouse.kit.db import Database
from pilothouse.kit.lease import Held
from pilothouse.venues.port import MarginType
from pilothouse.wiring.sealing_key import KEY_FILE
from tests.living import Living, within
from tests.slices.simexchange.sim_house import WALLET, RunningExchange
from tests.stepped import Stepped

PATIENCE_S = 20.0  # of an idle machine
ACCOUNT, ASTER, PAPER = "acc_1", "aster", "paper-aster"
WINDOW = writing.window_of(ASTER)


@pytest.fixture
def db(tables_url: str, clock: FrozenClock) -> Database:
    """Return books with every table."""
    return Database(tables_url, clock=clock)


def _take(db: Database, owner: str, venue: str = ASTER) -> Held | None:
    return db.write(lambda tx: writing.take(tx, db.clock, ACCOUNT, venue, owner=owner), name="take")


def test_whoever_takes_over_waits_for_the_lease_and_for_what_may_still_arrive(db: Database, clock: FrozenClock) -> None:
    """A request of the first may be accepted until the venue's window has passed; then no order can cross another."""
    first = _take(db, "one")
    assert first is not None
    clock.advance(writing.LEASE)
    assert _take(db, "two") is None
    clock.advance(WINDOW - timedelta(seconds=1))
    assert _take(db, "two") is None
    clock.advance(1)
    second = _take(db, "two")
    assert second is not None
    assert second.epoch == first.epoch + 1
    assert db.write(lambda tx: writing.renew(tx, clock, first), name="renew") is None
    db.close()


def test_what_was_given_back_is_taken_at_once(db: Database, clock: FrozenClock) -> None:
    """A clean stop, and a second start, cost no time; a process that takes its own lease anew waits for nobody."""
    first = _take(db, "one")
    assert first is not None
    db.write(lambda tx: writing.give_back(tx, clock, first), name="back")
    second = _take(db, "two")
    assert second is not None
    clock.advance(writing.LEASE)
    again = _take(db, "two")
    assert again is not None
    assert again.epoch > second.epoch > first.epoch
    db.close()


def test_a_house_that_starts_anew_ends_the_leases_of_dead_houses_and_no_others(
    db: Database, clock: FrozenClock
) -> None:
    """A watcher that has taken over an account is no house, and may be in the middle of closing a position."""
    assert _take(db, "dead house") is not None
    db.write(lambda tx: writing.forget_dead_houses(tx, clock, "new house"), name="forget")
    assert _take(db, "new house") is not None
    clock.advance(writing.LEASE + WINDOW)
    assert _take(db, f"{writing.ASIDE}watcher") is not None
    db.write(lambda tx: writing.forget_dead_houses(tx, clock, "third house"), name="forget")
    assert _take(db, "third house") is None
    db.close()


def test_nothing_is_sent_without_a_lease_or_after_its_end_by_either_clock(db: Database, clock: FrozenClock) -> None:
    """A clock that is set back must not make an old lease young."""
    writers = Writers(clock)
    assert writers.may_send(PAPER, ACCOUNT), "its venue lives and dies with the house"
    assert not writers.may_send(ASTER, ACCOUNT)
    held = _take(db, "one")
    assert held is not None
    writers.hold(ACCOUNT, held, clock.monotonic())
    assert writers.may_send(ASTER, ACCOUNT)
    clock.advance(writing.LEASE)
    assert not writers.may_send(ASTER, ACCOUNT)
    clock.set(clock.now() - timedelta(minutes=10))
    assert not writers.may_send(ASTER, ACCOUNT), "the monotonic clock knows better"
    clock.set(EPOCH)
    assert not writers.may_send(ASTER, ACCOUNT)
    db.close()


def test_leverage_and_margin_type_are_changed_only_by_the_process_that_may_send(tmp_path: Path) -> None:
    """Two processes that set one account's leverage are as wrong as two that send its orders."""
    with RunningExchange(profile="aster") as exchange:
        exchange.control("POST", "accounts", wallet=WALLET)
        with Living(tmp_path / "one", f"sqlite:///{tmp_path / 'books.sqlite'}", exchange.base) as house:
            assert within(PATIENCE_S, house.is_heard)
            desk, trader = house.house.desk, Trader.of(house.account)
            assert within(PATIENCE_S, lambda: desk.writers.may_send(trader.venue, trader.account_id))
            instrument = desk.instrument_of(house.key, "BTCUSDT")
            assert portfolio.set_leverage(desk, trader, instrument, 7) == 7
            elsewhere = replace(desk, writers=Writers(desk.clock))  # another process: it holds nothing

            with pytest.raises(SentElsewhere):
                portfolio.set_leverage(elsewhere, trader, instrument, 20)
            with pytest.raises(SentElsewhere):
                portfolio.set_margin_type(elsewhere, trader, instrument, "ISOLATED")

            told = [each["path"] for each in exchange.control("GET", "requests") if each["method"] == "POST"]
            assert [path for path in told if path.endswith(("leverage", "marginType"))] == ["/fapi/v3/leverage"]
            assert portfolio.settings(desk, trader, "BTCUSDT") == (7, MarginType.CROSSED)


class _Stopped(Writers):
    """The rights of a process that is stopped for some seconds right after it was told that it may send."""

    def __init__(self, clock: FrozenClock, seconds: float) -> None:
        super().__init__(clock)
        self._frozen, self._seconds = clock, seconds

    def may_send(self, venue: str, account_id: str) -> bool:
        answer = super().may_send(venue, account_id)
        self._frozen.advance(self._seconds)
        return answer


def test_a_setting_of_a_process_that_was_stopped_before_the_wire_is_not_taken(
    tables_url: str, tmp_path: Path, clock: FrozenClock
) -> None:
    """It was stamped before it asked whether it may: what it sends when it wakes up is too old for the venue."""
    stepped = Stepped(tmp_path / "data", tables_url, clock).open()
    desk, trader = stepped.house.desk, stepped.trader
    instrument = desk.instrument_of("paper", "BTCUSDT")
    assert portfolio.set_leverage(desk, trader, instrument, 7) == 7
    before = portfolio.settings(desk, trader, "BTCUSDT")
    slow = replace(desk, writers=_Stopped(clock, 120))

    with pytest.raises(Unavailable):
        portfolio.set_leverage(slow, trader, instrument, 20)
    with pytest.raises(Unavailable):
        portfolio.set_margin_type(slow, trader, instrument, "ISOLATED")

    assert portfolio.settings(desk, trader, "BTCUSDT") == before
    stepped.die()


@pytest.mark.postgres
def test_what_another_process_decided_is_sent_by_the_one_that_may(postgres_url: str, tmp_path: Path) -> None:
    """Both take alerts in; each order leaves once, from the process that has the lease."""
    with RunningExchange(profile="aster") as exchange:
        exchange.control("POST", "accounts", wallet=WALLET)
        (tmp_path / "two").mkdir()
        with Living(tmp_path / "one", postgres_url, exchange.base, process="one") as one:
            assert within(PATIENCE_S, one.is_heard)
            shutil.copy(tmp_path / "one" / KEY_FILE, tmp_path / "two" / KEY_FILE)
            with Living(tmp_path / "two", postgres_url, exchange.base, process="two") as two:
                two.house.venues[two.key].follow(["BTCUSDT"])
                assert within(PATIENCE_S, lambda: two.house.quotes.all(two.key))
                assert within(PATIENCE_S, lambda: one.house.desk.writers.may_send(one.key, one.account.id))
                assert not two.house.desk.writers.may_send(two.key, two.account.id)

                outcome = two.alert(PATIENCE_S, action="open", symbol="BTCUSDT", side="BUY", quantity="0.010")

                assert [order.filled_quantity for order in outcome.orders] == [Decimal("0.010")], outcome.message
                placed = [each for each in exchange.control("GET", "requests") if each["path"].endswith("/order")]
                assert len([each for each in placed if each["method"] == "POST"]) == 1
