"""Posting: once per venue id, entries that sum to zero, and folds that equal them."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from decimal import Decimal
from typing import NoReturn

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from pilothouse.core.facts import FactKind, StampedFact
from pilothouse.core.fill import Fill
from pilothouse.core.instrument import Side
from pilothouse.core.position import Position, apply
from pilothouse.kit.clocks import FrozenClock
from pilothouse.kit.db import Database, Tx
from pilothouse.ledger import positions
from pilothouse.ledger.entries import Book, EntryKind, Leg, LegsDoNotBalance, write_legs
from pilothouse.ledger.statement import list_fills
from pilothouse.ledger.tables import days, entries
from tests.conftest import NOON
from tests.slices.ledger.bookkeeping import Account, D, fill

one_database = settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])

trades = st.lists(
    st.builds(
        lambda side, quantity, price, commission, symbol: (side, quantity, price, commission, symbol),
        st.sampled_from(Side),
        st.decimals(min_value="0.001", max_value="9", places=3),
        st.decimals(min_value="0.01", max_value="90000", places=2),
        st.decimals(min_value="-1", max_value="30", places=8),
        st.sampled_from(["BTCUSDT", "ETHUSDT"]),
    ),
    max_size=12,
).map(
    lambda rows: [
        fill(number, side, quantity, price, NOON, commission=commission, symbol=symbol)
        for number, (side, quantity, price, commission, symbol) in enumerate(rows, 1)
    ]
)


def fold(fills: list[Fill]) -> tuple[dict[str, Position], Decimal]:
    """Return what core says of the fills: positions by symbol, and the realised result of all."""
    held: dict[str, Position] = {}
    realised = D(0)
    for each in fills:
        applied = apply(held.get(each.symbol, Position(each.symbol)), each.side, each.quantity, each.price)
        held[each.symbol] = applied.position
        realised += applied.realised
    return held, realised


@one_database
@given(fills=trades, data=st.data())
def test_a_fill_told_twice_counts_once(database: Database, fills: list[Fill], data: st.DataObject) -> None:
    """Stream and answer both report each trade; instruments overtake each other; the books do not care."""
    btc = [each for each in fills if each.symbol == "BTCUSDT"]
    eth = [each for each in fills if each.symbol == "ETHUSDT"]
    account = Account(database)
    told: list[Fill] = []
    while btc or eth:
        queue = data.draw(st.sampled_from([queue for queue in (btc, eth) if queue]))
        told.append(queue.pop(0))
        if data.draw(st.booleans()):
            told.append(data.draw(st.sampled_from(told)))
    seen: set[str] = set()
    for each in told:
        posted = account.told(each)
        assert (posted is None) == (each.venue_trade_id in seen)
        seen.add(each.venue_trade_id)

    held, realised = fold(fills)
    assert {symbol: account.position(symbol) for symbol in held} == held
    assert account.wallet() == realised - sum((each.commission for each in fills), D(0))


@one_database
@given(
    fills=trades,
    payments=st.lists(st.decimals(min_value=-50, max_value=50, places=8), max_size=5),
    deposit=st.decimals(min_value=-100, max_value=10**12, places=8),
)
def test_the_books_balance_and_folds_equal_their_entries(
    database: Database, fills: list[Fill], payments: list[Decimal], deposit: Decimal
) -> None:
    """Every posting sums to zero, and what is stored beside the entries can be counted again from them."""
    account = Account(database)
    account.transfer("first", deposit)
    for number, amount in enumerate(payments):
        account.funding(str(number), amount)
        account.funding(str(number), amount)
    for each in fills:
        account.told(each)

    _, realised = fold(fills)
    commission = sum((each.commission for each in fills), D(0))
    assert account.drift() == []
    assert account.wallet() == deposit + realised - commission + sum(payments, D(0))


@one_database
@given(fills=trades)
def test_profit_is_the_cash_that_came_in_less_fees(database: Database, fills: list[Fill]) -> None:
    """Once flat, the wallet has changed by what was sold less what was bought less what was paid: to the unit."""
    held, _ = fold(fills)
    closing = [
        fill(1000 + number, Side.of(position.quantity).opposite, abs(position.quantity), "77.7", NOON, symbol=symbol)
        for number, (symbol, position) in enumerate(held.items())
        if position.quantity
    ]
    account = Account(database, deposit=500)
    for each in [*fills, *closing]:
        account.told(each)

    cash = sum((-each.side.sign * each.quantity * each.price for each in [*fills, *closing]), D(0))
    fees = sum((each.commission for each in [*fills, *closing]), D(0))
    assert account.wallet() == 500 + cash - fees
    assert database.read(lambda tx: positions.all_positions(tx, account.id, flat_too=False)) == []


def test_a_fill_is_told_with_what_it_did(database: Database) -> None:
    """The caller updates the order from it, in the same transaction."""
    account = Account(database, deposit=1000)
    first = account.told(fill(1, Side.BUY, "0.2", "100", NOON))
    second = account.told(fill(2, Side.SELL, "0.3", "110", NOON))

    assert first
    assert second
    assert (first.position, first.realised, first.wallet) == (Position("BTCUSDT", D("0.2"), D(20)), 0, D("999.96"))
    assert (second.position, second.realised) == (Position("BTCUSDT", D("-0.1"), D(-11)), 2)
    assert second.wallet == D("1001.92")
    assert first.discrepancy is second.discrepancy is None


def test_ten_tellers_at_once_book_one_fill(database: Database) -> None:
    """Stream, answer and question run on threads of their own."""
    account = Account(database)
    with ThreadPoolExecutor(10) as pool:
        posted = list(pool.map(account.told, [fill(1, Side.BUY, "1", "100", NOON)] * 10))

    assert len([each for each in posted if each]) == 1
    assert account.position().quantity == 1
    assert account.drift() == []


def test_ten_fills_at_once_are_all_counted(database: Database) -> None:
    """Two postings that read the same wallet would lose one of the changes."""
    account = Account(database, deposit=100)
    with ThreadPoolExecutor(10) as pool:
        list(pool.map(account.told, [fill(number, Side.BUY, "1", "10", NOON) for number in range(10)]))

    assert account.position() == Position("BTCUSDT", D(10), D(100))
    assert account.wallet() == D("99.6")
    assert account.drift() == []


def test_the_same_trade_id_in_another_instrument_or_account_is_another_trade(database: Database) -> None:
    """Venues count trades per instrument."""
    one, other = Account(database), Account(database)

    assert one.told(fill(7, Side.BUY, "1", "10", NOON))
    assert one.told(fill(7, Side.BUY, "1", "10", NOON, symbol="ETHUSDT"))
    assert other.told(fill(7, Side.BUY, "1", "10", NOON))
    assert not other.told(fill(7, Side.BUY, "1", "10", NOON))


def test_a_unit_that_fails_books_nothing(database: Database) -> None:
    """The fill, its entries and the folds commit together or not at all."""
    account = Account(database, deposit=100)

    def dies(tx: Tx) -> NoReturn:
        from pilothouse.ledger.post import post_fill  # noqa: PLC0415 - one use

        told = fill(1, Side.BUY, "1", "10", NOON)
        tick = database.clock.tick()
        post_fill(tx, told, order_id=None, hook_id=None, now=account.now, tick=tick, **account.whose)
        raise RuntimeError("power")

    with pytest.raises(RuntimeError, match="power"):
        database.write(dies, name="dies")

    assert account.wallet() == 100
    assert account.position().quantity == 0
    assert account.drift() == []
    assert database.read(lambda tx: list_fills(tx, "usr_a", account_id=account.id)) == []
    assert account.told(fill(1, Side.BUY, "1", "10", NOON))


def test_the_venues_result_is_booked_and_a_crumb_is_shown(database: Database) -> None:
    """The wallet is what the venue pays; a unit of rounding is not an alarm."""
    account = Account(database)
    account.told(fill(1, Side.BUY, "1", "10", NOON))
    posted = account.told(fill(2, Side.SELL, "1", "12", NOON, realised=D("1.99999999")))

    assert posted
    assert (posted.realised, posted.discrepancy) == (D("1.99999999"), None)
    assert account.wallet() == D("1.91999999")
    assert account.drift() == []
    crumbs = database.read(
        lambda tx: tx.execute(
            select(entries.c.amount).where(entries.c.account_id == account.id, entries.c.book == Book.ROUNDING)
        ).all()
    )
    assert [row[0] for row in crumbs] == [D("0.00000001")]


def test_a_result_that_differs_by_more_than_a_unit_raises_the_alarm(database: Database) -> None:
    """Ours or theirs is wrong; money is booked as it is, and somebody is told."""
    heard: list[StampedFact] = []
    database.bell.subscribe(heard.extend)
    account = Account(database)
    account.told(fill(1, Side.BUY, "1", "10", NOON))
    posted = account.told(fill(2, Side.SELL, "1", "12", NOON, realised=D("1.5")))

    assert posted
    assert posted.discrepancy == D("0.5")
    assert account.wallet() == D("1.42")
    broken = [each.fact for each in heard if each.fact.kind is FactKind.INVARIANT_BROKEN]
    assert [(fact.payload["ours"], fact.payload["venue"], fact.account_id) for fact in broken] == [
        ("2", "1.5", account.id)
    ]
    assert account.drift() == []


def test_every_fill_is_announced_with_its_position(database: Database) -> None:
    """The console hears of it in the very commit; amounts travel as text."""
    heard: list[StampedFact] = []
    database.bell.subscribe(heard.extend)
    account = Account(database)
    account.told(fill(1, Side.BUY, "0.500", "100.10", NOON))
    account.told(fill(1, Side.BUY, "0.500", "100.10", NOON))

    booked, moved = [each.fact for each in heard]
    assert (booked.kind, moved.kind) == (FactKind.FILL_BOOKED, FactKind.POSITION_CHANGED)
    assert booked.owner_id == moved.owner_id == "usr_a"
    assert booked.payload["price"] == "100.1"
    assert booked.payload["side"] == "BUY"
    assert booked.payload["order_id"] == "ord_1"
    assert moved.payload == {
        "symbol": "BTCUSDT",
        "quantity": "0.5",
        "entry_price": "100.1",
        "cost": "50.05",
        "wallet": "-0.04",
    }


def test_commission_in_another_currency_leaves_the_settlement_wallet_alone(database: Database) -> None:
    """Some venues take fees in their own coin."""
    account = Account(database, deposit=100)
    account.transfer("coins", D(1), "BNB")
    account.told(fill(1, Side.BUY, "1", "10", NOON, commission=D("0.002"), commission_currency="BNB"))
    account.told(fill(2, Side.BUY, "1", "10", NOON, commission=D("0.001"), commission_currency="BNB"))

    assert account.wallet() == 100
    assert account.wallet("BNB") == D("0.997")
    assert account.drift() == []


def test_a_payment_told_twice_counts_once(database: Database) -> None:
    """Funding is fetched again after every restart."""
    account = Account(database)

    assert account.funding("f1", D("-0.5"))
    assert account.funding("f1", D("-0.5")) is None
    assert account.transfer("f1", D(10))  # another kind has ids of its own
    assert account.wallet() == D("9.5")
    assert account.drift() == []


def test_a_day_counts_what_was_booked_in_it(database: Database, clock: FrozenClock) -> None:
    """The daily loss begins anew at midnight UTC, from the wallet of that moment."""
    account = Account(database, deposit=100)
    account.told(fill(1, Side.BUY, "1", "10", NOON))
    clock.advance(timedelta(days=1))
    account.told(fill(2, Side.SELL, "1", "12", NOON))
    account.funding("f", D("0.25"))

    rows = database.read(
        lambda tx: tx.execute(select(days).where(days.c.account_id == account.id).order_by(days.c.day)).mappings().all()
    )
    numbers = ("wallet_at_start", "realised", "commission", "funding", "transfers")
    assert [(row["day"], *(row[name] for name in numbers)) for row in rows] == [
        ("2026-01-05", 0, 0, D("0.04"), 0, 100),
        ("2026-01-06", D("99.96"), 2, D("0.04"), D("0.25"), 0),
    ]


def test_it_is_known_since_when_a_position_is_held(database: Database, clock: FrozenClock) -> None:
    """Adding does not change it, turning round does, and flat has none."""
    account = Account(database)
    since = []
    for number, (side, quantity) in enumerate([(Side.BUY, "1"), (Side.BUY, "1"), (Side.SELL, "3"), (Side.BUY, "1")]):
        account.told(fill(number, side, quantity, "10", NOON))
        row = database.read(lambda tx: positions.all_positions(tx, account.id))[0]
        since.append(row.opened_at)
        clock.advance(timedelta(minutes=1))

    minute = timedelta(minutes=1)
    assert since == [NOON, NOON, NOON + 2 * minute, None]


def test_what_does_not_balance_is_never_written(database: Database) -> None:
    """The last check before the ink."""
    legs = [Leg(EntryKind.FILL, Book.WALLET, "USDT", D(1)), Leg(EntryKind.FILL, Book.FEES, "USDT", D("-0.9"))]
    whose: dict[str, str | None] = {"owner_id": "usr_a", "account_id": "acc_x", "hook_id": None}

    with pytest.raises(LegsDoNotBalance, match=r"0\.1 USDT"):
        database.write(lambda tx: write_legs(tx, legs, whose, "fil_x", None, NOON), name="crooked")

    assert database.read(lambda tx: tx.execute(select(entries)).all()) == []


def test_a_tampered_row_is_found(database: Database) -> None:
    """The invariant that watches the books must be able to see."""
    account = Account(database, deposit=100)
    account.told(fill(1, Side.BUY, "1", "10", NOON))
    mine = entries.c.account_id == account.id
    tampered = entries.update().where(mine, entries.c.book == Book.FEES).values(amount=D("0.05"))
    database.write(lambda tx: tx.execute(tampered).rowcount, name="tamper")

    found = account.drift()
    assert len(found) == 2
    assert "do not sum to zero" in found[0]
    assert found[1] == "BTCUSDT: commission is stored as 0.04, the entries say 0.05"


def test_a_fee_taken_from_the_coins_leaves_as_many_as_there_are(database: Database) -> None:
    """Bought 2, the exchange kept 0.002 of them: who sells 2 again would be refused."""
    account = Account(database, deposit=1_000)
    bought = fill(1, Side.BUY, D(2), D(100), NOON, commission=D("0.002"), commission_currency="BTC")

    posted = account.told(bought, base="BTC")

    assert posted is not None
    assert posted.position.quantity == D("1.998")
    assert posted.position.cost == D(200)
    assert account.wallet() == D(1_000)
    assert account.wallet("BTC") == 0
    assert database.read(lambda tx: positions.drift(tx, account.id)) == []
    sold = account.told(fill(2, Side.SELL, D("1.998"), D(110), NOON, commission=D("0.2")), base="BTC")
    assert sold is not None
    assert sold.position.quantity == 0
    assert account.wallet() == D(1_000) + D("219.78") - D(200) - D("0.2")
    assert database.read(lambda tx: positions.drift(tx, account.id)) == []
