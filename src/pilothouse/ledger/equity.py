"""Equity: what an account is worth if everything were closed at the mark; its snapshots and their curve."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from sqlalchemy import BindParameter, bindparam, insert, select, update

from pilothouse.core.errors import Unavailable
from pilothouse.core.position import ZERO, Position
from pilothouse.core.rounding import EXACT
from pilothouse.kit.db import Tx
from pilothouse.ledger import high_water
from pilothouse.ledger.store import books_lock, day_of
from pilothouse.ledger.tables import days, equity_snapshots

_ACCOUNT: BindParameter[str] = bindparam("of_account")
_HAS_SNAPSHOT = select(equity_snapshots.c.at).where(
    equity_snapshots.c.account_id == _ACCOUNT, equity_snapshots.c.at == bindparam("of_at")
)
_INSERT_SNAPSHOT = insert(equity_snapshots)
_DAY = (days.c.account_id == _ACCOUNT) & (days.c.day == bindparam("of_day"))
_READ_DAY = select(days.c.equity_at_start, days.c.transfers).where(_DAY)
_SET_DAY = update(days).where(_DAY)
_INSERT_DAY = insert(days)


class MarkMissing(Unavailable):
    """A position cannot be valued: there is no mark price for it now."""

    code = "mark_missing"


@dataclass(frozen=True, slots=True)
class Equity:
    """What an account is worth, settlement currency; `equity` is `wallet` and `unrealised` together."""

    wallet: Decimal
    unrealised: Decimal
    equity: Decimal


@dataclass(frozen=True, slots=True)
class EquityPoint:
    """What an account was worth at one instant."""

    at: datetime
    equity: Equity


def equity(wallet: Decimal, positions: Iterable[Position], marks: Mapping[str, Decimal]) -> Equity:
    """Return what an account is worth.

    marks   mark price by symbol, quote per base

    Raises MarkMissing for a position that is not flat and has no mark: half an equity is no equity.
    """
    unrealised = ZERO
    for position in positions:
        if position.quantity == 0:
            continue
        mark = marks.get(position.symbol)
        if mark is None:
            raise MarkMissing(f"there is no mark price of {position.symbol} to value the position at")
        unrealised = EXACT.add(unrealised, position.unrealised(mark))
    return Equity(wallet, unrealised, EXACT.add(wallet, unrealised))


def snapshot(tx: Tx, *, owner_id: str, account_id: str, worth: Equity, now: datetime) -> bool:
    """Keep what the account is worth now; False if this instant is kept already.

    Also begins the day if it is new, and lifts the high-water mark.
    """
    tx.lock(books_lock(account_id))
    begin_day(tx, owner_id=owner_id, account_id=account_id, worth=worth, now=now)
    high_water.rise(tx, owner_id=owner_id, account_id=account_id, equity=worth.equity, now=now)
    if tx.execute(_HAS_SNAPSHOT, {"of_account": account_id, "of_at": now}).first():
        return False
    tx.execute(
        _INSERT_SNAPSHOT,
        {
            "account_id": account_id,
            "at": now,
            "owner_id": owner_id,
            "wallet": worth.wallet,
            "unrealised": worth.unrealised,
            "equity": worth.equity,
        },
    )
    return True


def begin_day(tx: Tx, *, owner_id: str, account_id: str, worth: Equity, now: datetime) -> bool:
    """Keep the equity at which the UTC day began, once: at the first look after midnight. False if it is kept already.

    If the house slept over midnight, the first look comes late, and the day's loss counts from there.
    """
    tx.lock(books_lock(account_id))
    which = {"of_account": account_id, "of_day": day_of(now)}
    row = tx.execute(_READ_DAY, which).one_or_none()
    if row is not None:
        if row.equity_at_start is None:
            # What was paid in or out since midnight counts beside it, and must not count twice.
            tx.execute(_SET_DAY, {**which, "equity_at_start": EXACT.subtract(worth.equity, row.transfers)})
        return row.equity_at_start is None
    tx.execute(
        _INSERT_DAY,
        {
            "account_id": account_id,
            "day": day_of(now),
            "owner_id": owner_id,
            "wallet_at_start": worth.wallet,
            "equity_at_start": worth.equity,
            "realised": ZERO,
            "commission": ZERO,
            "funding": ZERO,
            "transfers": ZERO,
        },
    )
    return True


def curve(
    tx: Tx, owner_id: str, account_id: str, *, since: datetime | None = None, limit: int = 1_000
) -> list[EquityPoint]:
    """Return the last `limit` (1 or more) snapshots at or behind `since`, oldest first."""
    shots = equity_snapshots.c
    statement = select(shots.at, shots.wallet, shots.unrealised, shots.equity).where(
        shots.owner_id == owner_id, shots.account_id == account_id
    )
    if since is not None:
        statement = statement.where(shots.at >= since)
    rows = tx.execute(statement.order_by(shots.at.desc()).limit(limit)).all()
    return [EquityPoint(at, Equity(wallet, open_, total)) for at, wallet, open_, total in reversed(rows)]
