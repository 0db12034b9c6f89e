"""The books, and the entries in them: legs of one posting go in; rows go out, if they sum to zero per unit.

What stands in the books (amounts above zero are ours):

    unit = symbol      position   base we hold               market       what the market gave for it
                       fees       base that a commission took
    unit = currency    wallet     what we own                market       price x quantity, paid to the market
                       cost       what is owed for positions: minus the cost of what is held
                       fees       commission we paid         funding      funding the market paid us, turned round
                       outside    deposits, turned round     adjustments  what reconciling had to set right
                       rounding   our realised result less the venue's: the venue's is booked, the crumb is shown

The market's leg is price x quantity and not what is left over, so the sum of zero is a proof: it holds only if cost
and result together are exactly the cash that moved.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from pilothouse.core.errors import Broken
from pilothouse.core.position import ZERO
from pilothouse.core.rounding import EXACT, plain
from pilothouse.kit.db import Tx
from pilothouse.ledger.store import (
    INSERT_ENTRIES,
)


class Book(StrEnum):
    """Where an entry stands; the module's docstring draws them."""

    POSITION = "position"
    MARKET = "market"
    COST = "cost"
    WALLET = "wallet"
    ROUNDING = "rounding"
    FEES = "fees"
    FUNDING = "funding"
    OUTSIDE = "outside"
    ADJUSTMENTS = "adjustments"


class EntryKind(StrEnum):
    """What an entry is a leg of."""

    FILL = "fill"
    COMMISSION = "commission"
    FUNDING = "funding"
    TRANSFER = "transfer"
    ADJUSTMENT = "adjustment"


class LegsDoNotBalance(Broken):
    """A posting was about to be written whose entries do not sum to zero."""

    code = "legs_do_not_balance"


@dataclass(frozen=True, slots=True)
class Leg:
    """One entry of a posting."""

    kind: EntryKind
    book: Book
    unit: str
    amount: Decimal


def write_legs(
    tx: Tx,
    legs: Iterator[Leg] | list[Leg],
    whose: dict[str, str | None],
    posting_id: str,
    symbol: str | None,
    at: datetime,
    about: str | None = None,
    order_id: str | None = None,
) -> None:
    """Write the legs that are not zero, in one statement; raises LegsDoNotBalance before anything is written.

    about, order_id   under what the record tells of it, and the order; None: the posting itself, and none
    """
    sums: dict[str, Decimal] = {}
    rows, written = [], []
    for leg in legs:
        if leg.amount:
            written.append(leg)
            sums[leg.unit] = EXACT.add(sums.get(leg.unit, ZERO), leg.amount)
            rows.append(
                {
                    **whose,
                    "posting_id": posting_id,
                    "kind": leg.kind.value,  # plain text: a kind of text costs SQLite's driver five times as much
                    "book": leg.book.value,
                    "unit": leg.unit,
                    "amount": leg.amount,
                    "symbol": symbol,
                    "at": at,
                }
            )
    if any(sums.values()):
        raise LegsDoNotBalance(f"{posting_id}: " + ", ".join(f"{plain(left)} {unit}" for unit, left in sums.items()))
    if rows:
        tx.execute(INSERT_ENTRIES, rows)
        account_id = whose["account_id"]
        assert account_id is not None, "every entry is of an account"
        booked = [(leg.kind, leg.book, leg.unit, leg.amount) for leg in written]
        said = {"posting": posting_id, "order": order_id, "at": at, "entries": booked}
        tx.record(account_id, about or posting_id, "booked", said)
