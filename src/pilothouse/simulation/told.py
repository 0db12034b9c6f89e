"""What a real market was at one instant: best prices, mark and last trade, each with its own age. Whole numbers only.

Venues tell the three in messages of their own, and one of them may fall silent while the others go on. So each part
has the instant of which it is, and of two tellings the younger parts are taken.
"""

from typing import NamedTuple

HEARD_US = 10_000_000
"""A market of which nothing was told for so long, in microseconds, has no price: nothing triggers there."""

BOOK_AGE_US_MAX = 3_000_000
"""Best prices that are older than this, in microseconds, fill nothing."""


class Told(NamedTuple):
    """What the real market was, on the grid of the contract and never better than it was.

    bid, mark, last   ticks, rounded down
    ask, mark_above   ticks, rounded up
    seen              microseconds: when the latest of it was certainly so
    bid_lots, ask_lots   what stands at the best prices; None: nobody tells
    rate, funds_at    the funding that is announced, in units of 0.00000001, and its instant; None: there is none
    book_seen, mark_seen, last_seen   `seen` of the best prices, of the mark and of the last trade, where these are
                      older; None: they are not
    """

    symbol: str
    bid: int
    ask: int
    mark: int
    mark_above: int
    last: int
    seen: int
    bid_lots: int | None = None
    ask_lots: int | None = None
    rate: int | None = None
    funds_at: int | None = None
    book_seen: int | None = None
    mark_seen: int | None = None
    last_seen: int | None = None

    @property
    def of_book(self) -> int:
        """Return the instant of which the best prices are."""
        return self.seen if self.book_seen is None else self.book_seen

    @property
    def of_mark(self) -> int:
        """Return the instant of which the mark is."""
        return self.seen if self.mark_seen is None else self.mark_seen

    @property
    def of_last(self) -> int:
        """Return the instant at which the last trade was told."""
        return self.seen if self.last_seen is None else self.last_seen

    @property
    def is_even(self) -> bool:
        """Say whether the best prices are not older than the mark."""
        return self.of_book >= self.of_mark

    def is_young(self, now: int) -> bool:
        """Say whether the best prices are young enough to fill anything."""
        return now - self.of_book <= BOOK_AGE_US_MAX

    def may_fill(self, now: int, arrived: int) -> bool:
        """Say whether the best prices may fill what arrived then: they are young, and nothing younger was said before.

        What the mark and the last trade said after it arrived makes no book too old for it: a book that was asked for
        on its behalf is of then.
        """
        said = max(self.of_mark, self.of_last)
        return self.is_young(now) and self.of_book >= min(said, arrived)

    def on_top_of(self, before: "Told") -> "Told | None":
        """Return what is known after `before` and this: of each part the younger one; None if nothing here is news."""
        book, mark, last = (
            self if mine >= known else before
            for mine, known in (
                (self.of_book, before.of_book),
                (self.of_mark, before.of_mark),
                (self.of_last, before.of_last),
            )
        )
        if all(part is not self for part in (book, mark, last)):
            return None
        return Told(
            self.symbol, book.bid, book.ask, mark.mark, mark.mark_above, last.last, max(self.seen, before.seen),
            book.bid_lots, book.ask_lots, mark.rate, mark.funds_at, book.of_book, mark.of_mark, last.of_last,
        )  # fmt: skip

    def side(self, sign: int) -> tuple[int, int | None]:
        """Return the best price that buyers (1) or sellers (-1) meet, and what stands there."""
        return (self.ask, self.ask_lots) if sign > 0 else (self.bid, self.bid_lots)
