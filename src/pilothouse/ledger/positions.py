"""Positions as the books keep them, and the same positions folded again from the entries, to be compared."""

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from sqlalchemy import BindParameter, bindparam, select

from pilothouse.core.position import ZERO, Position
from pilothouse.core.rounding import EXACT, plain
from pilothouse.kit.db import Tx
from pilothouse.ledger.post import Book, EntryKind
from pilothouse.ledger.tables import balances, entries, positions

_ACCOUNT: BindParameter[str] = bindparam("of_account")
_ONE = select(positions.c.quantity, positions.c.cost).where(
    positions.c.account_id == _ACCOUNT, positions.c.symbol == bindparam("of_symbol")
)
_ALL = select(
    positions.c.symbol,
    positions.c.quantity,
    positions.c.cost,
    positions.c.realised,
    positions.c.commission,
    positions.c.funding,
    positions.c.opened_at,
    positions.c.updated_at,
).where(positions.c.account_id == _ACCOUNT)
# `opened_at` is null exactly when a position is flat: so the flat ones are left out without comparing money in SQL.
_HELD = _ALL.where(positions.c.opened_at.is_not(None))
_LEGS = select(
    entries.c.posting_id, entries.c.kind, entries.c.book, entries.c.unit, entries.c.symbol, entries.c.amount
).where(entries.c.account_id == _ACCOUNT)
_BALANCES = select(balances.c.currency, balances.c.wallet).where(balances.c.account_id == _ACCOUNT)


@dataclass(frozen=True, slots=True)
class PositionRow:
    """A position and what it has brought in all the time it was traded; amounts in settlement currency."""

    position: Position
    realised: Decimal
    commission: Decimal
    funding: Decimal
    opened_at: datetime | None
    updated_at: datetime


@dataclass(slots=True)
class PositionSums:
    """The totals of one instrument while they are being folded."""

    quantity: Decimal = ZERO
    cost: Decimal = ZERO
    realised: Decimal = ZERO
    commission: Decimal = ZERO
    funding: Decimal = ZERO


@dataclass(slots=True)
class Refolded:
    """What the entries alone say.

    positions    by symbol
    balances     wallet by currency
    unbalanced   posting ids whose entries do not sum to zero in some unit; there must be none
    """

    positions: dict[str, PositionSums] = field(default_factory=dict)
    balances: dict[str, Decimal] = field(default_factory=dict)
    unbalanced: list[str] = field(default_factory=list)


def position(tx: Tx, account_id: str, symbol: str) -> Position:
    """Return what is held; flat if it was never traded."""
    row = tx.execute(_ONE, {"of_account": account_id, "of_symbol": symbol}).one_or_none()
    return Position(symbol, row.quantity, row.cost) if row else Position(symbol)


def all_positions(tx: Tx, account_id: str, *, flat_too: bool = True) -> list[PositionRow]:
    """Return the positions of an account by symbol; `flat_too`: also those that were closed."""
    statement = _ALL if flat_too else _HELD
    rows = [
        PositionRow(Position(symbol, quantity, cost), realised, commission, funding, opened_at, updated_at)
        for symbol, quantity, cost, realised, commission, funding, opened_at, updated_at in tx.execute(
            statement, {"of_account": account_id}
        )
    ]
    return sorted(rows, key=lambda row: row.position.symbol)


def refold(tx: Tx, account_id: str) -> Refolded:
    """Return positions and balances counted anew from every entry, in Python and exactly. Takes every entry once."""
    result = Refolded()
    sums: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    foreign: dict[str, dict[str, Decimal]] = defaultdict(lambda: defaultdict(Decimal))
    settlements: dict[str, str] = {}
    for posting_id, kind, book, unit, symbol, amount in tx.execute(_LEGS, {"of_account": account_id}):
        sums[posting_id, unit] = EXACT.add(sums[posting_id, unit], amount)
        if book == Book.WALLET:
            result.balances[unit] = EXACT.add(result.balances.get(unit, ZERO), amount)
        if symbol is None:
            continue
        fold = result.positions.setdefault(symbol, PositionSums())
        match book:
            case Book.POSITION:
                fold.quantity = EXACT.add(fold.quantity, amount)
            case Book.COST:
                fold.cost = EXACT.subtract(fold.cost, amount)
                settlements[symbol] = unit
            case Book.WALLET if kind == EntryKind.FILL:
                fold.realised = EXACT.add(fold.realised, amount)
            case Book.WALLET if kind == EntryKind.FUNDING:
                fold.funding = EXACT.add(fold.funding, amount)
            case Book.FEES:
                foreign[symbol][unit] = EXACT.add(foreign[symbol][unit], amount)
            case _:
                pass  # the other side of what is counted above
    for symbol, paid in foreign.items():
        # Commission in another currency stands in its own balance; a position counts the settlement currency only.
        result.positions[symbol].commission = paid.get(settlements[symbol], ZERO)
    result.unbalanced = sorted({posting_id for (posting_id, _), left in sums.items() if left})
    return result


def drift(tx: Tx, account_id: str) -> list[str]:
    """Return every place where what is stored differs from the fold of the entries, in words; there must be none."""
    folded = refold(tx, account_id)
    found = [f"the entries of {posting_id} do not sum to zero" for posting_id in folded.unbalanced]
    stored = {row.position.symbol: row for row in all_positions(tx, account_id)}
    for symbol in sorted(stored.keys() | folded.positions.keys()):
        row, fold = stored.get(symbol), folded.positions.get(symbol, PositionSums())
        books = (
            PositionSums(row.position.quantity, row.position.cost, row.realised, row.commission, row.funding)
            if row
            else PositionSums()
        )
        found += [
            f"{symbol}: {name} is stored as {plain(getattr(books, name))}, the entries say {plain(getattr(fold, name))}"
            for name in ("quantity", "cost", "realised", "commission", "funding")
            if getattr(books, name) != getattr(fold, name)
        ]
    wallets = {row.currency: row.wallet for row in tx.execute(_BALANCES, {"of_account": account_id})}
    for currency in sorted(wallets.keys() | folded.balances.keys()):
        have, should = wallets.get(currency, ZERO), folded.balances.get(currency, ZERO)
        if have != should:
            found.append(f"the {currency} wallet is stored as {plain(have)}, the entries say {plain(should)}")
    return found
