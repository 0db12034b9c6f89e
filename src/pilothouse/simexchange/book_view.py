"""The book of one instrument as everybody sees it: the crowd's levels and what accounts have resting there."""

from dataclasses import dataclass, field

from pilothouse.simulation.floor import Desk

Level = tuple[int, int]


def levels(desk: Desk, sign: int) -> list[Level]:
    """Return what buyers (1) or sellers (-1) can take, as (ticks, lots), best first."""
    found: dict[int, int] = dict(desk.ladder(sign).levels())
    for order in desk.orders.values():
        if order.sign == -sign and order.price is not None and not order.waits:
            found[order.price] = found.get(order.price, 0) + order.left
    return sorted(found.items(), key=lambda level: level[0] * sign)


@dataclass(slots=True)
class BookView:
    """The book as it was last shown, and the numbers of its changes.

    last   number of the last change; `before`: that of the event before it
    """

    bids: dict[int, int] = field(default_factory=dict)
    asks: dict[int, int] = field(default_factory=dict)
    last: int = 1_000_000
    before: int = 1_000_000

    def refresh(self, desk: Desk) -> tuple[int, list[Level], list[Level]] | None:
        """Look again; return (number of the first change, changed bids, changed asks), or None if nothing changed."""
        bids, asks = dict(levels(desk, -1)), dict(levels(desk, 1))
        changed_bids, changed_asks = _changes(self.bids, bids), _changes(self.asks, asks)
        if not changed_bids and not changed_asks:
            return None
        self.bids, self.asks = bids, asks
        self.before = self.last
        first = self.last + 1
        self.last += len(changed_bids) + len(changed_asks)
        return first, changed_bids, changed_asks


def _changes(before: dict[int, int], after: dict[int, int]) -> list[Level]:
    """Return the levels that differ; one that is gone has no lots."""
    gone = [(ticks, 0) for ticks in before if ticks not in after]
    return gone + [(ticks, lots) for ticks, lots in after.items() if before.get(ticks) != lots]
