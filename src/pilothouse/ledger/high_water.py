"""The high-water mark: the highest equity of an account so far, from which its drawdown is measured.

In: what it is worth now, what is paid in or out. Money that is paid in or out moves the mark with it, so that it is
neither a gain nor a loss.
"""

from datetime import datetime
from decimal import Decimal

from sqlalchemy import bindparam, insert, select, update

from pilothouse.core.rounding import EXACT
from pilothouse.kit.db import Tx
from pilothouse.ledger.store import books_lock
from pilothouse.ledger.tables import high_water

_MINE = high_water.c.account_id == bindparam("of_account")
_READ = select(high_water.c.equity).where(_MINE)
_SET = update(high_water).where(_MINE)
_INSERT = insert(high_water)


def rise(tx: Tx, *, owner_id: str, account_id: str, equity: Decimal, now: datetime) -> None:
    """Lift the mark to what the account is worth now, if that is more; a first look sets it."""
    tx.lock(books_lock(account_id))
    row = tx.execute(_READ, {"of_account": account_id}).one_or_none()
    if row is None:
        tx.execute(_INSERT, {"account_id": account_id, "owner_id": owner_id, "equity": equity, "at": now})
    elif equity > row.equity:
        tx.execute(_SET, {"of_account": account_id, "equity": equity, "at": now})


def move(tx: Tx, account_id: str, paid_in: Decimal) -> None:
    """Move the mark with money that is paid in (above zero) or out; the caller holds the lock of the books."""
    row = tx.execute(_READ, {"of_account": account_id}).one_or_none()
    if row is not None:
        tx.execute(_SET, {"of_account": account_id, "equity": EXACT.add(row.equity, paid_in)})


def begin_anew(tx: Tx, *, owner_id: str, account_id: str, equity: Decimal, now: datetime) -> None:
    """Measure the drawdown from what the account is worth now on, whatever it was worth before."""
    tx.lock(books_lock(account_id))
    rise(tx, owner_id=owner_id, account_id=account_id, equity=equity, now=now)
    tx.execute(_SET, {"of_account": account_id, "equity": equity, "at": now})
