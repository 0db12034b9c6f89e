"""The books of every account, read in slices and counted anew beside the folds that are stored.

Each account is read twice over. One reading keeps up with what is new, so that an error is found within one run; the
other walks through everything from the beginning, over and over, so that what was changed or lost later is found too.
Neither reads more than a slice in one run, so that a run is as short after a year as on the first day.
"""

from dataclasses import dataclass
from decimal import Decimal
from itertools import islice

from sqlalchemy import bindparam, select

from pilothouse.core.rounding import EXACT, plain
from pilothouse.kit.db import Tx
from pilothouse.ledger import positions
from pilothouse.ledger.entries import Book, EntryKind
from pilothouse.ledger.tables import entries, fills
from pilothouse.observability.invariants.rule import FINDINGS_MAX, Looking
from pilothouse.observability.invariants.whose import Whose, accounts

_PATROL_SHARE = 4
_LEGS_OF_A_FILL = 5
_SIGN = {"BUY": Decimal(1), "SELL": Decimal(-1)}

_FILLS = (
    select(fills.c.id, fills.c.side, fills.c.quantity)
    .where(
        fills.c.owner_id == bindparam("owner"),
        fills.c.account_id == bindparam("account"),
        fills.c.id > bindparam("last_id"),
    )
    .order_by(fills.c.id)
    .limit(bindparam("limit"))
)
_FILLS_NAMED = select(fills.c.id, fills.c.side, fills.c.quantity).where(
    fills.c.account_id == bindparam("account"), fills.c.id.in_(bindparam("ids", expanding=True))
)
_POSTED_NAMED = select(entries.c.posting_id, entries.c.amount).where(
    entries.c.account_id == bindparam("account"),
    entries.c.kind == EntryKind.FILL.value,
    entries.c.book == Book.POSITION.value,
    entries.c.posting_id.in_(bindparam("ids", expanding=True)),
)


@dataclass(frozen=True, slots=True)
class BooksFound:
    """What a whole reading of one account's books found; empty where nothing is wrong.

    unbalanced   postings whose entries do not sum to zero
    drift        places where what is stored differs from the fold of the entries, in words
    unposted     fills and postings that do not belong together, in words
    """

    unbalanced: tuple[str, ...] = ()
    drift: tuple[str, ...] = ()
    unposted: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.unbalanced or self.drift or self.unposted)


class _Reading:
    """One way through the books of one account, from the first entry to the last there is."""

    def __init__(self) -> None:
        self._folding = positions.Folding()
        self._last_fill = ""
        # Signed quantities by fill id: told by the fill, or posted by its entry; gone once both were seen and agree.
        self._told: dict[str, Decimal] = {}
        self._posted: dict[str, Decimal] = {}
        self._wrong: dict[str, str] = {}

    def go_on(self, tx: Tx, whose: Whose, rows_most: int) -> tuple[int, bool]:
        """Read a slice; returns how many rows, and whether the end was reached."""
        legs = self._folding.read(tx, whose.account_id, rows_most)
        for _, posting_id, kind, book, _, _, amount in legs:
            if kind == EntryKind.FILL and book == Book.POSITION:
                self._posted[posting_id] = amount
        # Fills are read at the pace of their entries, so that few of either wait for the other.
        most = rows_most // _LEGS_OF_A_FILL + 1
        told = tx.execute(
            _FILLS, {"owner": whose.owner_id, "account": whose.account_id, "last_id": self._last_fill, "limit": most}
        ).all()
        for fill_id, side, quantity in told:
            self._told[fill_id] = EXACT.multiply(quantity, _SIGN[side])
            self._last_fill = fill_id
        self._match(self._told.keys() & self._posted.keys())
        return len(legs) + len(told), len(legs) < rows_most and len(told) < most

    def found(self, tx: Tx, whose: Whose) -> BooksFound:
        """Return what is wrong, at the end of the books."""
        self._look_back(tx, whose)
        folded = self._folding.refolded()
        unposted = [f"fill {one} has no entries" for one in sorted(self._told)]
        unposted += [f"the entries of {one} have no fill" for one in sorted(self._posted)]
        return BooksFound(
            unbalanced=tuple(folded.unbalanced),
            drift=tuple(positions.differences(tx, whose.account_id, folded)),
            unposted=(*self._wrong.values(), *unposted),
        )

    def _match(self, both: set[str]) -> None:
        for fill_id in both:
            told, posted = self._told.pop(fill_id), self._posted.pop(fill_id)
            if told != posted:
                self._wrong[fill_id] = f"fill {fill_id} is of {plain(told)}, its entries say {plain(posted)}"

    def _look_back(self, tx: Tx, whose: Whose) -> None:
        """Ask by name for what did not meet: a clock that was set back gives a fill an id that was passed already."""
        if alone := list(islice(self._posted, FINDINGS_MAX)):
            for fill_id, side, quantity in tx.execute(_FILLS_NAMED, {"account": whose.account_id, "ids": alone}):
                self._told[fill_id] = EXACT.multiply(quantity, _SIGN[side])
        if alone := list(islice(self._told.keys() - self._posted.keys(), FINDINGS_MAX)):
            for posting_id, amount in tx.execute(_POSTED_NAMED, {"account": whose.account_id, "ids": alone}):
                self._posted[posting_id] = amount
        self._match(self._told.keys() & self._posted.keys())


class _AccountBooks:
    """The two readings of one account, and what each last found."""

    def __init__(self) -> None:
        self._head, self._patrol = _Reading(), _Reading()
        self._by_head, self._by_patrol = BooksFound(), BooksFound()

    def go_on(self, tx: Tx, whose: Whose, rows_most: int) -> int:
        """Read on with both; returns how many rows were read."""
        read, at_end = self._head.go_on(tx, whose, rows_most)
        if at_end:
            self._by_head = self._head.found(tx, whose)
            if self._by_head:
                self._head = _Reading()  # looked at from the beginning: it may be mended meanwhile
        walked, at_end = self._patrol.go_on(tx, whose, rows_most // _PATROL_SHARE + 1)
        if at_end:
            self._by_patrol = self._patrol.found(tx, whose)
            self._patrol = _Reading()
        return read + walked

    @property
    def found(self) -> BooksFound:
        """Return what either reading found, each thing once."""
        one, other = self._by_head, self._by_patrol
        return BooksFound(
            unbalanced=tuple(dict.fromkeys((*one.unbalanced, *other.unbalanced))),
            drift=tuple(dict.fromkeys((*one.drift, *other.drift))),
            unposted=tuple(dict.fromkeys((*one.unposted, *other.unposted))),
        )


def books(tx: Tx, looking: Looking) -> list[tuple[Whose, BooksFound]]:
    """Read on in the books of every account, once in a run, and return what was found so far, by account.

    Accounts take turns at being first, because a run may end before the last one.
    """
    known: list[tuple[Whose, BooksFound]] | None = looking.found.get("books")
    if known is not None:
        return known
    kept: dict[str, _AccountBooks] = looking.memory.keep("books", dict)
    turns: list[str] = looking.memory.keep("turns of books", list)
    by_id = accounts(tx, looking)
    for gone in kept.keys() - by_id.keys():
        del kept[gone]
    turns[:] = [one for one in turns if one in by_id] + sorted(by_id.keys() - set(turns))
    rows_left = looking.rows_most
    for account_id in list(turns):
        if rows_left <= 0:
            break
        rows_left -= kept.setdefault(account_id, _AccountBooks()).go_on(tx, by_id[account_id], rows_left)
        turns.append(turns.pop(0))
    known = [(by_id[account_id], one.found) for account_id, one in sorted(kept.items())]
    looking.found["books"] = known
    return known
