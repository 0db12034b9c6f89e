"""What all hooks of an account hold together is what the account holds: nothing is counted for two, or for nobody.

Each booked quantity belongs to the hook of its order. Entries are read twice over, as the books are: one reading keeps
up with what is new, the other walks through everything again and again.
"""

from collections import defaultdict
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from sqlalchemy import Row, bindparam, select

from pilothouse.core.rounding import EXACT, plain
from pilothouse.execution.tables import orders
from pilothouse.kit.db import Tx
from pilothouse.ledger.entries import Book
from pilothouse.ledger.tables import entries, fills, positions
from pilothouse.observability.invariants.rule import FINDINGS_MAX, Finding, Gravity, Invariant, Looking
from pilothouse.observability.invariants.whose import accounts

NAME = "bots_add_up"

_PATROL_SHARE = 4

_LEGS = (
    select(
        entries.c.id,
        entries.c.account_id,
        entries.c.symbol,
        entries.c.posting_id,
        entries.c.amount,
        entries.c.hook_id,
        fills.c.order_id,
        fills.c.hook_id.label("fill_hook_id"),
        orders.c.hook_id.label("order_hook_id"),
    )
    .select_from(
        entries.outerjoin(fills, fills.c.id == entries.c.posting_id).outerjoin(orders, orders.c.id == fills.c.order_id)
    )
    .where(entries.c.id > bindparam("last_id"), entries.c.book == Book.POSITION.value)
    .order_by(entries.c.id)
    .limit(bindparam("limit"))
)
_HELD = select(positions.c.account_id, positions.c.symbol, positions.c.quantity)

Place = tuple[str, str]
"""(account id, symbol)"""


@dataclass(slots=True)
class _Reading:
    """One way through all entries: what each hook holds so far, and entries that are counted for the wrong one."""

    last_id: int = 0
    held: dict[Place, dict[str | None, Decimal]] = field(default_factory=lambda: defaultdict(dict))
    wrong: dict[str, tuple[str, str]] = field(default_factory=dict)

    def go_on(self, tx: Tx, rows_most: int) -> bool:
        """Read a slice; returns whether the end was reached."""
        rows = tx.execute(_LEGS, {"last_id": self.last_id, "limit": rows_most}).all()
        for row in rows:
            hooks = self.held[row.account_id, row.symbol]
            hooks[row.hook_id] = EXACT.add(hooks.get(row.hook_id, Decimal(0)), row.amount)
            words = _wrong(row)
            if words and len(self.wrong) < FINDINGS_MAX:
                self.wrong[row.posting_id] = (row.account_id, words)
            self.last_id = row.id
        return len(rows) < rows_most


@dataclass(slots=True)
class _Readings:
    head: _Reading = field(default_factory=_Reading)
    patrol: _Reading = field(default_factory=_Reading)
    found: dict[str, list[tuple[str, str]]] = field(default_factory=dict)


def check(tx: Tx, looking: Looking) -> list[Finding]:
    """Return entries that are counted for another hook than their order's, and positions that the hooks do not make."""
    kept = looking.memory.keep(NAME, _Readings)
    if kept.head.go_on(tx, looking.rows_most):
        kept.found["head"] = _found(tx, kept.head)
        if kept.found["head"]:
            kept.head = _Reading()  # looked at from the beginning: it may be mended meanwhile
    if kept.patrol.go_on(tx, looking.rows_most // _PATROL_SHARE + 1):
        kept.found["patrol"] = _found(tx, kept.patrol)
        kept.patrol = _Reading()
    by_id = accounts(tx, looking)
    told = dict.fromkeys(pair for pairs in kept.found.values() for pair in pairs)
    return [
        Finding(NAME, Gravity.BREACH, words, account_id, by_id[account_id].owner_id if account_id in by_id else None)
        for account_id, words in list(told)[:FINDINGS_MAX]
    ]


def _found(tx: Tx, reading: _Reading) -> list[tuple[str, str]]:
    """Return (account id, words) for everything that is wrong at the end of the entries."""
    found = list(reading.wrong.values())
    held = {(row.account_id, row.symbol): row.quantity for row in tx.execute(_HELD)}
    for place in sorted(held.keys() | reading.held.keys()):
        hooks = reading.held.get(place, {})
        together = Decimal(0)
        for quantity in hooks.values():
            together = EXACT.add(together, quantity)
        if together != held.get(place, Decimal(0)):
            account_id, symbol = place
            stored = plain(held.get(place, Decimal(0)))
            words = f"the {len(hooks)} hooks in {symbol} hold {plain(together)} together, the account {stored}"
            found.append((account_id, words))
    return found


def _wrong(row: Row[Any]) -> str:
    """Return how an entry is counted for the wrong hook, in words; empty where it is not."""
    if row.order_id is None or row.hook_id == row.fill_hook_id == row.order_hook_id:
        return ""
    return (
        f"fill {row.posting_id} of order {row.order_id} is counted for hook {row.fill_hook_id}, its entries for "
        f"{row.hook_id}, and the order is of {row.order_hook_id}"
    )


BOTS_ADD_UP = Invariant(NAME, "Do all hooks of an account hold together what the account holds?", check)
