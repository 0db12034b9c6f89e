"""Losses in a row: fills of closing orders in, newest first; how many lost, and when the last one did, out.

A closing order is one whose fills realised something; it lost if that, less its commissions, is below zero.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from sqlalchemy import bindparam, select

from pilothouse.core.clock import day_start
from pilothouse.core.position import ZERO
from pilothouse.core.rounding import EXACT
from pilothouse.kit.db import Tx
from pilothouse.kit.hot import hot
from pilothouse.ledger.tables import fills

FILLS_SEEN = 500
"""So many of the newest fills of an account are looked at."""

_CLOSED = hot(
    select(
        fills.c.order_id,
        fills.c.hook_id,
        fills.c.realised,
        fills.c.commission,
        fills.c.commission_currency,
        fills.c.booked_at,
        fills.c.symbol,
        fills.c.venue_order_id,
    )
    .where(fills.c.owner_id == bindparam("of_owner"), fills.c.account_id == bindparam("of_account"))
    .order_by(fills.c.id.desc())
    .limit(FILLS_SEEN)
)


class Closed(NamedTuple):
    """One closing order: whose, what it brought after commissions, and when its last fill was booked."""

    hook_id: str | None
    result: Decimal
    at: datetime


@dataclass(frozen=True, slots=True)
class Run:
    """How many closing orders of this UTC day lost one after the other, and when the last loss was, today or before."""

    losses: int = 0
    last_at: datetime | None = None


def closed_lately(tx: Tx, owner_id: str, account_id: str, currency: str) -> list[Closed]:
    """Return the closing orders among the newest fills of an account, newest first.

    currency   in which results are settled; a commission in another one is left out
    """
    found: dict[tuple[str, str], Closed] = {}
    for fill in tx.execute(_CLOSED, {"of_owner": owner_id, "of_account": account_id}):
        if fill.realised == 0:
            continue
        key = (fill.symbol, fill.order_id or fill.venue_order_id)
        fee = fill.commission if fill.commission_currency == currency else ZERO
        was = found.get(key)
        result = EXACT.add(ZERO if was is None else was.result, EXACT.subtract(fill.realised, fee))
        found[key] = Closed(fill.hook_id, result, fill.booked_at if was is None else was.at)
    return list(found.values())


def run_of(closed: Iterable[Closed], now: datetime) -> Run:
    """Return the losses in a row among closing orders, given newest first."""
    losses, last_at, unbroken = 0, None, True
    midnight = day_start(now)
    for one in closed:
        if one.result < 0:
            last_at = last_at or one.at
            losses += unbroken and one.at >= midnight
        else:
            unbroken = False
        if not unbroken and last_at is not None:
            break
    return Run(losses, last_at)
