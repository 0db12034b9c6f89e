"""Wallets that differ from what their venue says: one comparison goes in, what still differs comes out.

A difference halts nothing. It may be a fee in another coin, or a payment that the venue tells of later; so it is told
only when comparisons some time apart have found it.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from sqlalchemy import Row, bindparam, delete, insert, select, update

from pilothouse.core.rounding import EXACT
from pilothouse.execution.tables import wallet_differences
from pilothouse.kit.db import Tx

LASTS: Final = timedelta(seconds=20)
"""The same difference is told when it was found again so long after it was found first."""

MOVES: Final = timedelta(minutes=3)
"""A difference that is never the same twice is told when there was one all of this time."""

_CELLS = wallet_differences.c
_OF = _CELLS.account_id == bindparam("of_account")
_SELECT = select(wallet_differences).where(_OF)
_CHANGE = update(wallet_differences).where(_OF)
_FORGET = delete(wallet_differences).where(_OF)


@dataclass(frozen=True, slots=True)
class WalletDiffers:
    """A wallet that is not as its venue says, settlement currency.

    ours, theirs   when it began to differ by so much
    since          since when it differs at all; `same_since`: by so much
    is_sure        whether it is no more what a stream has yet to tell; it stays so until the wallet agrees
    """

    account_id: str
    owner_id: str
    ours: Decimal
    theirs: Decimal
    since: datetime
    same_since: datetime
    is_sure: bool


def agrees(tx: Tx, account_id: str) -> None:
    """Note that a wallet is as its venue says."""
    tx.execute(_FORGET, {"of_account": account_id})


def differs(tx: Tx, account_id: str, owner_id: str, ours: Decimal, theirs: Decimal, now: datetime) -> None:
    """Note that a wallet is not as its venue says; the same difference again keeps the time at which it was first."""
    tx.lock(f"account:{account_id}")
    was = of(tx, account_id)
    if was is None:
        row = {"account_id": account_id, "owner_id": owner_id, "ours": ours, "theirs": theirs}
        tx.execute(insert(wallet_differences), row | {"since": now, "same_since": now, "is_sure": False})
        return
    is_same = EXACT.subtract(was.theirs, was.ours) == EXACT.subtract(theirs, ours)
    is_sure = was.is_sure or now - was.since >= MOVES or (is_same and now - was.same_since >= LASTS)
    change: dict[str, object] = {"of_account": account_id, "is_sure": is_sure}
    if not is_same:
        change |= {"ours": ours, "theirs": theirs, "same_since": now}
    tx.execute(_CHANGE, change)


def of(tx: Tx, account_id: str) -> WalletDiffers | None:
    """Return how the wallet of an account differed when it was compared last; None: it agreed."""
    row = tx.execute(_SELECT, {"of_account": account_id}).one_or_none()
    return None if row is None else _record(row)


def every(tx: Tx) -> list[WalletDiffers]:
    """Return every wallet that differed when it was compared last."""
    return [_record(row) for row in tx.execute(select(wallet_differences).order_by(_CELLS.account_id))]


def _record(row: Row[Any]) -> WalletDiffers:
    return WalletDiffers(row.account_id, row.owner_id, row.ours, row.theirs, row.since, row.same_since, row.is_sure)
