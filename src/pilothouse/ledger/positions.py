"""Positions as the books keep them, and the same positions folded again from the entries, to be compared."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import BindParameter, Row, bindparam, select

from pilothouse.core.clock import Since
from pilothouse.core.position import ZERO, Position
from pilothouse.core.rounding import EXACT, plain
from pilothouse.kit.db import Tx
from pilothouse.kit.hot import hot
from pilothouse.ledger.entries import Book, EntryKind
from pilothouse.ledger.store import opened_since
from pilothouse.ledger.tables import balances, entries, positions

_ACCOUNT: BindParameter[str] = bindparam("of_account")
_ONE = hot(
    select(positions.c.quantity, positions.c.cost).where(
        positions.c.account_id == _ACCOUNT, positions.c.symbol == bindparam("of_symbol")
    )
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
_LEGS = (
    select(
        entries.c.id,
        entries.c.posting_id,
        entries.c.kind,
        entries.c.book,
        entries.c.unit,
        entries.c.symbol,
        entries.c.amount,
    )
    .where(entries.c.account_id == _ACCOUNT, entries.c.id > bindparam("last_id"))
    .order_by(entries.c.id)
)
_LEGS_SLICE = _LEGS.limit(bindparam("limit"))
_BALANCES = select(balances.c.currency, balances.c.wallet).where(balances.c.account_id == _ACCOUNT)


_ONE_OPENED = select(positions.c.opened_at, positions.c.opened_boot, positions.c.opened_at_us).where(
    positions.c.account_id == _ACCOUNT, positions.c.symbol == bindparam("of_symbol")
)


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


def opened(tx: Tx, account_id: str, symbol: str) -> Since | None:
    """Return when the position that is held was opened, or None when flat: two positions never share it."""
    row = tx.execute(_ONE_OPENED, {"of_account": account_id, "of_symbol": symbol}).one_or_none()
    return opened_since(*row) if row else None


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


class Folding:
    """The entries of one account, counted in Python and exactly: as they are read, each once, as many as one likes.

    last_id   every entry up to this one is counted; those of one account commit in the order of their ids
    """

    def __init__(self) -> None:
        """Begin before the first entry."""
        self.last_id = 0
        self._positions: dict[str, PositionSums] = {}
        self._balances: dict[str, Decimal] = {}
        self._open: dict[tuple[str, str], Decimal] = {}
        self._fees: dict[str, dict[str, Decimal]] = defaultdict(dict)
        self._settlements: dict[str, str] = {}

    def read(self, tx: Tx, account_id: str, limit: int | None = None) -> Sequence[Row[*tuple[Any, ...]]]:
        """Count the entries behind `last_id`, at most `limit`, and return them, oldest first."""
        params: dict[str, Any] = {"of_account": account_id, "last_id": self.last_id}
        if limit is None:
            rows = tx.execute(_LEGS, params).all()
        else:
            rows = tx.execute(_LEGS_SLICE, params | {"limit": limit}).all()
        for row in rows:
            self._count(row)
        if rows:
            self.last_id = rows[-1][0]
        return rows

    def _count(self, row: Row[*tuple[Any, ...]]) -> None:
        _, posting_id, kind, book, unit, symbol, amount = row
        left = EXACT.add(self._open.pop((posting_id, unit), ZERO), amount)
        if left:
            self._open[posting_id, unit] = left
        if book == Book.WALLET:
            self._balances[unit] = EXACT.add(self._balances.get(unit, ZERO), amount)
        if symbol is None:
            return
        fold = self._positions.setdefault(symbol, PositionSums())
        match book:
            case Book.POSITION:
                fold.quantity = EXACT.add(fold.quantity, amount)
            case Book.COST:
                fold.cost = EXACT.subtract(fold.cost, amount)
                self._settlements[symbol] = unit
            case Book.WALLET if kind == EntryKind.FILL:
                fold.realised = EXACT.add(fold.realised, amount)
            case Book.WALLET if kind == EntryKind.FUNDING:
                fold.funding = EXACT.add(fold.funding, amount)
            case Book.FEES:
                paid = self._fees[symbol]
                paid[unit] = EXACT.add(paid.get(unit, ZERO), amount)
            case _:
                pass  # the other side of what is counted above

    def refolded(self) -> Refolded:
        """Return what the entries counted so far say."""
        for symbol, paid in self._fees.items():
            # Commission in another currency stands in its own balance; a position counts the settlement currency only.
            self._positions[symbol].commission = paid.get(self._settlements.get(symbol, ""), ZERO)
        return Refolded(self._positions, self._balances, sorted({posting_id for posting_id, _ in self._open}))


def refold(tx: Tx, account_id: str) -> Refolded:
    """Return positions and balances counted anew from every entry. Takes every entry once."""
    folding = Folding()
    folding.read(tx, account_id)
    return folding.refolded()


def drift(tx: Tx, account_id: str) -> list[str]:
    """Return every place where what is stored differs from the fold of the entries, in words; there must be none."""
    folded = refold(tx, account_id)
    return [f"the entries of {posting_id} do not sum to zero" for posting_id in folded.unbalanced] + differences(
        tx, account_id, folded
    )


def differences(tx: Tx, account_id: str, folded: Refolded) -> list[str]:
    """Return every position and wallet that is stored otherwise than `folded`, which counted every entry, in words."""
    found = []
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
