"""What risk must know from the money side: what is held, what is owned, and where the day began. Two statements."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from sqlalchemy import BindParameter, bindparam, literal_column, select

from pilothouse.core.position import ZERO, Position
from pilothouse.core.rounding import EXACT
from pilothouse.kit.db import Tx
from pilothouse.kit.hot import hot
from pilothouse.ledger.equity import Equity, equity
from pilothouse.ledger.post import SETTLEMENT
from pilothouse.ledger.store import day_of
from pilothouse.ledger.tables import balances, days, high_water, positions

_ACCOUNT: BindParameter[str] = bindparam("of_account")
_one_row = select(literal_column("1").label("one")).subquery("one_row")
_STANDS = hot(
    select(
        balances.c.wallet, days.c.wallet_at_start, days.c.equity_at_start, days.c.transfers, high_water.c.equity
    ).select_from(
        _one_row.outerjoin(
            balances, (balances.c.account_id == _ACCOUNT) & (balances.c.currency == bindparam("of_currency"))
        )
        .outerjoin(days, (days.c.account_id == _ACCOUNT) & (days.c.day == bindparam("of_day")))
        .outerjoin(high_water, high_water.c.account_id == _ACCOUNT)
    )
)
_HELD = hot(
    select(positions.c.symbol, positions.c.quantity, positions.c.cost).where(
        positions.c.account_id == _ACCOUNT, positions.c.opened_at.is_not(None)
    )
)


@dataclass(frozen=True, slots=True)
class DayStart:
    """Where an account stood at midnight UTC.

    wallet      settlement currency
    equity      with the open result, at the first look of the day; None if nobody has looked yet
    transfers   paid in less paid out since
    """

    wallet: Decimal
    equity: Decimal | None
    transfers: Decimal = ZERO

    @property
    def counts_from(self) -> Decimal:
        """Return the equity from which the loss of the day counts: money that is paid in or out is no result."""
        return EXACT.add(self.wallet if self.equity is None else self.equity, self.transfers)


@dataclass(frozen=True, slots=True)
class Holdings:
    """What an account holds now.

    wallet      settlement currency, without open results
    positions   by symbol, those that are not flat
    day         where the day began
    high_water  the highest equity so far, with transfers since; None if nobody has looked yet
    """

    wallet: Decimal
    positions: Mapping[str, Position]
    day: DayStart
    high_water: Decimal | None = None

    def position(self, symbol: str) -> Position:
        """Return what is held in one instrument; flat if nothing is."""
        return self.positions.get(symbol) or Position(symbol)

    def equity(self, marks: Mapping[str, Decimal]) -> Equity:
        """Return what it is all worth at `marks`, by symbol; raises MarkMissing if one is not there."""
        return equity(self.wallet, self.positions.values(), marks)


def holdings(tx: Tx, account_id: str, now: datetime, currency: str = SETTLEMENT) -> Holdings:
    """Return what an account holds, and where it stood at midnight."""
    wallet, day, highest = _stands(tx, account_id, now, currency)
    held = {
        symbol: Position(symbol, quantity, cost)
        for symbol, quantity, cost in tx.execute(_HELD, {"of_account": account_id})
    }
    return Holdings(wallet, held, day, highest)


def wallet(tx: Tx, account_id: str, currency: str = SETTLEMENT) -> Decimal:
    """Return what an account owns of one currency, without open results; zero if it never had any."""
    row = tx.execute(_WALLET, {"of_account": account_id, "of_currency": currency}).one_or_none()
    return row.wallet if row else ZERO


def day_start(tx: Tx, account_id: str, now: datetime, currency: str = SETTLEMENT) -> DayStart:
    """Return where an account stood when the UTC day of `now` began."""
    return _stands(tx, account_id, now, currency)[1]


_WALLET = select(balances.c.wallet).where(
    balances.c.account_id == _ACCOUNT, balances.c.currency == bindparam("of_currency")
)


def _stands(tx: Tx, account_id: str, now: datetime, currency: str) -> tuple[Decimal, DayStart, Decimal | None]:
    params = {"of_account": account_id, "of_currency": currency, "of_day": day_of(now)}
    stands, wallet_at_start, equity_at_start, transfers, highest = tx.execute(_STANDS, params).one()
    owned = ZERO if stands is None else stands
    # Nothing was booked today yet: the wallet is what it was at midnight.
    begun = owned if wallet_at_start is None else wallet_at_start
    return owned, DayStart(begun, equity_at_start, transfers or ZERO), highest
