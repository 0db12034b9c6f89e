"""Fills as they were booked: page by page, and as a CSV file."""

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import select

from pilothouse.core.clock import iso
from pilothouse.core.instrument import Side
from pilothouse.core.rounding import plain
from pilothouse.kit.db import Tx
from pilothouse.ledger.tables import fills

# Excel reads a file as UTF-8 only behind this mark.
_BYTE_ORDER_MARK = "\ufeff"


@dataclass(frozen=True, slots=True)
class BookedFill:
    """One fill as it stands in the books; names and units as in `ledger.tables.fills`."""

    id: str
    owner_id: str
    account_id: str
    order_id: str | None
    hook_id: str | None
    symbol: str
    venue_trade_id: str
    venue_order_id: str
    client_order_id: str | None
    side: Side
    price: Decimal
    quantity: Decimal
    notional: Decimal
    commission: Decimal
    commission_currency: str
    realised: Decimal
    maker: bool
    at: datetime
    booked_at: datetime


_NAMES = tuple(BookedFill.__dataclass_fields__)
_COLUMNS = [fills.c[name] for name in _NAMES]
CSV_COLUMNS = tuple(name for name in _NAMES if name != "owner_id")


def list_fills(
    tx: Tx,
    owner_id: str,
    *,
    account_id: str | None = None,
    symbol: str | None = None,
    order_id: str | None = None,
    before: str | None = None,
    limit: int = 100,
) -> list[BookedFill]:
    """Return the newest `limit` (1 or more) fills of one owner, newest first.

    account_id, symbol, order_id   only those
    before                         the id of the last fill of the page before; None: the first page
    """
    statement = select(*_COLUMNS).where(fills.c.owner_id == owner_id)
    if account_id is not None:
        statement = statement.where(fills.c.account_id == account_id)
    if symbol is not None:
        statement = statement.where(fills.c.symbol == symbol)
    if order_id is not None:
        statement = statement.where(fills.c.order_id == order_id)
    if before is not None:
        statement = statement.where(fills.c.id < before)
    rows = tx.execute(statement.order_by(fills.c.id.desc()).limit(limit))
    return [_booked(dict(zip(_NAMES, row, strict=True))) for row in rows]


def last_trade_id(tx: Tx, account_id: str, symbol: str) -> str | None:
    """Return the venue trade id that was booked last, or None if none was yet.

    Booked last, not highest: ids of some venues are no numbers. That it is booked does not prove that all before it
    are: a stream may lose one and tell the next. Whoever fills gaps asks the venue from further back; what is told
    again counts once.
    """
    statement = (
        select(fills.c.venue_trade_id)
        .where(fills.c.account_id == account_id, fills.c.symbol == symbol)
        .order_by(fills.c.id.desc())
        .limit(1)
    )
    row = tx.execute(statement).one_or_none()
    return str(row[0]) if row else None


def booked_among(tx: Tx, account_id: str, symbol: str, venue_trade_ids: Sequence[str]) -> set[str]:
    """Return those of the venue trade ids that are booked already."""
    found: set[str] = set()
    for start in range(0, len(venue_trade_ids), 500):
        statement = select(fills.c.venue_trade_id).where(
            fills.c.account_id == account_id,
            fills.c.symbol == symbol,
            fills.c.venue_trade_id.in_(venue_trade_ids[start : start + 500]),
        )
        found.update(row[0] for row in tx.execute(statement))
    return found


def fills_csv(rows: Iterable[BookedFill]) -> Iterator[str]:
    """Yield the lines of a CSV file: UTF-8 with byte order mark, ISO 8601 times in UTC, plain decimals."""
    yield _BYTE_ORDER_MARK + _line(CSV_COLUMNS)
    for row in rows:
        yield _line([_cell(getattr(row, name)) for name in CSV_COLUMNS])


def _booked(row: dict[str, Any]) -> BookedFill:
    row["side"] = Side(row["side"])
    return BookedFill(**row)


def _line(cells: Iterable[str]) -> str:
    out = io.StringIO()
    csv.writer(out).writerow(cells)
    return out.getvalue()


def _cell(value: object) -> str:
    """Return a cell as text; text that a spreadsheet would run as a formula is quoted."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Decimal):
        return plain(value)
    if isinstance(value, datetime):
        return iso(value)
    text = str(value)
    return "'" + text if text[:1] in {"=", "+", "-", "@", "\t", "\r"} else text
