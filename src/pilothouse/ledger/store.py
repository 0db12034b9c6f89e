"""The statements of the books that every posting runs; prebuilt once, because they lie between an alert and its fill.

No arithmetic, comparison or ordering of money happens in SQL: amounts are read, counted in Python and written back,
under the lock of their account.
"""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import BindParameter, bindparam, insert, literal_column, select, update

from pilothouse.core.clock import Since, Tick, day_start
from pilothouse.core.position import ZERO, Position
from pilothouse.core.rounding import EXACT
from pilothouse.kit.db import Tx
from pilothouse.kit.hot import hot
from pilothouse.ledger.tables import balances, days, entries, fills, payments, positions

_ACCOUNT: BindParameter[str] = bindparam("of_account")
_one_row = select(literal_column("1").label("one")).subquery("one_row")
_position = (positions.c.account_id == _ACCOUNT) & (positions.c.symbol == bindparam("of_symbol"))
_balance = (balances.c.account_id == _ACCOUNT) & (balances.c.currency == bindparam("of_currency"))
_day = (days.c.account_id == _ACCOUNT) & (days.c.day == bindparam("of_day"))
_BOOKS = (
    positions.c.quantity,
    positions.c.cost,
    positions.c.realised,
    positions.c.commission,
    positions.c.funding,
    positions.c.opened_at,
    positions.c.opened_boot,
    positions.c.opened_at_us,
    balances.c.wallet,
    days.c.wallet_at_start,
    days.c.realised,
    days.c.commission,
    days.c.funding,
    days.c.transfers,
)
_folds = _one_row.outerjoin(positions, _position).outerjoin(balances, _balance).outerjoin(days, _day)

# One round trip tells whether the venue's id is booked already and where all three folds stand.
_READ_FOR_FILL = hot(
    select(fills.c.id, *_BOOKS).select_from(
        _folds.outerjoin(
            fills,
            (fills.c.account_id == _ACCOUNT)
            & (fills.c.symbol == bindparam("of_symbol"))
            & (fills.c.venue_trade_id == bindparam("of_venue_id")),
        )
    )
)
_READ_FOR_PAYMENT = hot(
    select(payments.c.id, *_BOOKS).select_from(
        _folds.outerjoin(
            payments,
            (payments.c.account_id == _ACCOUNT)
            & (payments.c.kind == bindparam("of_kind"))
            & (payments.c.venue_id == bindparam("of_venue_id")),
        )
    )
)
_WALLET = hot(select(balances.c.wallet).where(_balance))

INSERT_FILL = hot(insert(fills))
INSERT_PAYMENT = hot(insert(payments))
INSERT_ENTRIES = hot(insert(entries))
_INSERT_POSITION = hot(insert(positions))
_INSERT_BALANCE = hot(insert(balances))
_INSERT_DAY = hot(insert(days))
_UPDATE_POSITION = hot(update(positions).where(_position))
_UPDATE_BALANCE = hot(update(balances).where(_balance))
_UPDATE_DAY = hot(update(days).where(_day))


def books_lock(account_id: str) -> str:
    """Return the name of the lock under which the books of an account are read and written."""
    return f"account:{account_id}"


@dataclass(frozen=True, slots=True)
class Place:
    """Which fold a posting goes to: whose account, which instrument (empty: none), which currency, which day."""

    owner_id: str
    account_id: str
    symbol: str
    currency: str
    day: str


@dataclass(frozen=True, slots=True)
class Change:
    """What a posting adds to the totals, in settlement currency; `commission` is what was paid."""

    realised: Decimal = ZERO
    commission: Decimal = ZERO
    funding: Decimal = ZERO
    transfers: Decimal = ZERO

    @property
    def wallet(self) -> Decimal:
        """Return what it adds to the wallet."""
        result = EXACT.subtract(self.realised, self.commission)
        return EXACT.add(EXACT.add(result, self.funding), self.transfers)


@dataclass(frozen=True, slots=True)
class Books:
    """Where the folds of one place stand. A `stored_*` flag says whether the row is there to be updated."""

    place: Place
    position: Position
    position_totals: Change
    opened: Since | None
    wallet: Decimal
    wallet_at_start: Decimal
    day_totals: Change
    stored_position: bool
    stored_balance: bool
    stored_day: bool


def day_of(now: datetime) -> str:
    """Return the UTC day of booking, such as 2026-11-21."""
    return day_start(now).date().isoformat()


def read_for_fill(tx: Tx, place: Place, venue_trade_id: str) -> Books | None:
    """Return where the books stand before this fill, or None if it is booked already."""
    return _read(tx, place, {"of_venue_id": venue_trade_id}, _READ_FOR_FILL)


def read_for_payment(tx: Tx, place: Place, kind: str, venue_id: str) -> Books | None:
    """Return where the books stand before this payment, or None if it is booked already."""
    return _read(tx, place, {"of_venue_id": venue_id, "of_kind": kind}, _READ_FOR_PAYMENT)


def _read(tx: Tx, place: Place, which: dict[str, str], statement: Any) -> Books | None:
    row = tx.execute(
        statement,
        {
            "of_account": place.account_id,
            "of_symbol": place.symbol,
            "of_currency": place.currency,
            "of_day": place.day,
            **which,
        },
    ).one()
    (booked, quantity, cost, p_realised, p_commission, p_funding, opened_at, *opened_tick, wallet, at_start) = row[:11]
    day = row[11:]
    if booked is not None:
        return None
    held = quantity is not None
    stands = wallet if wallet is not None else ZERO
    return Books(
        place=place,
        position=Position(place.symbol, quantity, cost) if held else Position(place.symbol),
        position_totals=Change(p_realised, p_commission, p_funding) if held else Change(),
        opened=opened_since(opened_at, *opened_tick),
        wallet=stands,
        wallet_at_start=stands if at_start is None else at_start,
        day_totals=Change() if at_start is None else Change(*day),
        stored_position=held,
        stored_balance=wallet is not None,
        stored_day=at_start is not None,
    )


def opened_since(at: datetime | None, boot: str | None, us: int | None) -> Since | None:
    """Return since when a position is held, of its columns; None when flat."""
    if at is None:
        return None
    return Since(at, None if boot is None or us is None else Tick(boot, us))


def write_position(
    tx: Tx, books: Books, after: Position, change: Change, now: datetime, tick: Tick | None = None
) -> None:
    """Write the position as it is `after` the posting, and its totals; `tick`: `now` as the machine counts."""
    if after.quantity == 0:
        opened = None
    elif books.opened is None or (after.quantity > 0) != (books.position.quantity > 0):
        opened = Since(now, tick)
    else:
        opened = books.opened
    counted = opened.tick if opened is not None else None
    totals = books.position_totals
    row = {
        "quantity": after.quantity,
        "cost": after.cost,
        "realised": EXACT.add(totals.realised, change.realised),
        "commission": EXACT.add(totals.commission, change.commission),
        "funding": EXACT.add(totals.funding, change.funding),
        "opened_at": None if opened is None else opened.at,
        "opened_boot": None if counted is None else counted.boot,
        "opened_at_us": None if counted is None else counted.us,
        "updated_at": now,
    }
    place = books.place
    if books.stored_position:
        tx.execute(_UPDATE_POSITION, {"of_account": place.account_id, "of_symbol": place.symbol, **row})
    else:
        key = {"account_id": place.account_id, "symbol": place.symbol, "owner_id": place.owner_id}
        tx.execute(_INSERT_POSITION, {**key, **row})


def write_wallet(tx: Tx, books: Books, change: Change, now: datetime) -> Decimal:
    """Write the balance and the day as they are after the posting; return the wallet."""
    place, totals = books.place, books.day_totals
    wallet = EXACT.add(books.wallet, change.wallet)
    _write_balance(tx, place, wallet, now, stored=books.stored_balance)
    row = {
        "realised": EXACT.add(totals.realised, change.realised),
        "commission": EXACT.add(totals.commission, change.commission),
        "funding": EXACT.add(totals.funding, change.funding),
        "transfers": EXACT.add(totals.transfers, change.transfers),
    }
    if books.stored_day:
        tx.execute(_UPDATE_DAY, {"of_account": place.account_id, "of_day": place.day, **row})
    else:
        key = {"account_id": place.account_id, "day": place.day, "owner_id": place.owner_id}
        tx.execute(_INSERT_DAY, {**key, **row, "wallet_at_start": books.wallet_at_start, "equity_at_start": None})
    return wallet


def add_to_other_currency(tx: Tx, place: Place, amount: Decimal, now: datetime) -> Decimal:
    """Add to a balance that is not the settlement currency (such as a discount token); return what it then holds.

    `place.currency` names it. Days and positions count the settlement currency only.
    """
    row = tx.execute(_WALLET, {"of_account": place.account_id, "of_currency": place.currency}).one_or_none()
    wallet = EXACT.add(row[0], amount) if row else amount
    _write_balance(tx, place, wallet, now, stored=row is not None)
    return wallet


def _write_balance(tx: Tx, place: Place, wallet: Decimal, now: datetime, *, stored: bool) -> None:
    if stored:
        tx.execute(
            _UPDATE_BALANCE,
            {"of_account": place.account_id, "of_currency": place.currency, "wallet": wallet, "updated_at": now},
        )
        return
    tx.execute(
        _INSERT_BALANCE,
        {
            "account_id": place.account_id,
            "currency": place.currency,
            "owner_id": place.owner_id,
            "wallet": wallet,
            "updated_at": now,
        },
    )
