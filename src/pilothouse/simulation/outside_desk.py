"""A desk whose prices are told: what it heard last, and the ladder behind the best price of each side."""

from dataclasses import dataclass, field

from pilothouse.core.order import OrderType
from pilothouse.simulation.book import Ladder
from pilothouse.simulation.contracts import UNITS_PER_QUOTE, Contract
from pilothouse.simulation.division import divided_up
from pilothouse.simulation.floor import Desk
from pilothouse.simulation.market import Prices
from pilothouse.simulation.orders import rises
from pilothouse.simulation.told import HEARD_US, Told

LEVELS = 50
LEVEL_WORTH = 10_000 * UNITS_PER_QUOTE
"""What one level of the book holds where nobody tells: quote units."""

GAP_PPM = 100
RETURNS_US = 1_000_000
"""What was taken comes back when the book has changed on that side, or is told again after so many microseconds."""


@dataclass(slots=True)
class OutsideDesk(Desk):
    """One market whose prices are told.

    told      None: nobody has said yet what it is worth
    is_trade  whether the last price is a new one
    gap       microseconds for which nothing was told before it; zero unless that was too long
    rate, funds_at   what funding is announced and not yet paid
    paid      up to which instant funding was paid
    made      of which instant the ladder of each side is
    """

    told: Told | None = None
    is_trade: bool = False
    gap: int = 0
    rate: int = 0
    funds_at: int | None = None
    paid: int = 0
    made: dict[int, int] = field(default_factory=lambda: {1: 0, -1: 0})

    def __post_init__(self) -> None:
        """Begin without a price."""
        self.prices = Prices(0, 0, 0, 0)

    def is_heard(self, now: int) -> bool:
        """Say whether anything was told of late: the mark may trigger what it meets."""
        return self.told is not None and now - self.told.seen <= HEARD_US

    def may_fill(self, now: int, arrived: int) -> bool:
        """Say whether the best prices may fill, at `now`, what arrived then."""
        return self.told is not None and self.is_heard(now) and self.told.may_fill(now, arrived)

    def is_priced(self, now: int) -> bool:
        """Say whether the best prices are fit to close at what is closed by force now."""
        return self.may_fill(now, now)

    def meets(self, type_: OrderType, sign: int, stop: int, *, by_last: bool) -> bool:
        """Say whether the market meets a trigger; a mark between two ticks has reached only the one behind it."""
        if by_last or self.told is None:
            return Desk.meets(self, type_, sign, stop, by_last=by_last)
        return self.told.mark >= stop if rises(type_, sign) else self.told.mark_above <= stop

    def hear(self, told: Told) -> None:
        """Go to what is told now."""
        before = self.told
        self.gap = 0 if before is None or told.seen - before.seen <= HEARD_US else told.seen - before.seen
        self.is_trade = before is not None and not self.gap and told.last != before.last
        for sign in (1, -1):
            has_changed = before is None or told.side(sign) != before.side(sign)
            if has_changed or told.of_book - self.made[sign] >= RETURNS_US:
                self._ladders.pop(sign, None)
        self.told = told
        self.prices = Prices(told.bid, told.mark, told.ask, told.last)
        if told.rate is not None and told.funds_at is not None and told.funds_at > self.paid:
            self.rate, self.funds_at = told.rate, told.funds_at

    def ladder(self, sign: int) -> Ladder:
        """Return what buyers (1) or sellers (-1) can take now."""
        found = self._ladders.get(sign)
        if found is None:
            found = self._ladders[sign] = depth(self.contract, self.told, sign)
            self.made[sign] = 0 if self.told is None else self.told.of_book
        return found


def depth(contract: Contract, told: Told | None, sign: int) -> Ladder:
    """Return the book behind the best price: what is told there, then levels that hold what LEVEL_WORTH buys.

    They lie a tick apart, 0.01 % or the spread, whichever is most: a large order pays for its size.
    """
    if told is None:
        return Ladder(sign, [])
    ticks, lots = told.side(sign)
    usual = usual_lots(contract, ticks)
    gap = max(1, divided_up(ticks * GAP_PPM, 1_000_000), told.ask - told.bid)
    levels = [(ticks, usual if lots is None else lots)] if lots is None or lots > 0 else []
    levels += [(ticks + sign * gap * step, usual) for step in range(1, LEVELS) if ticks + sign * gap * step > 0]
    return Ladder(sign, levels)


def usual_lots(contract: Contract, ticks: int) -> int:
    """Return how many lots a level holds where nobody tells: at least one."""
    return max(1, LEVEL_WORTH // (ticks * contract.unit))
