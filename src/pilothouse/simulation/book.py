"""The crowd's side of a book: a ladder of prices and sizes per step, taken from by whoever crosses the spread.

What is taken stays taken until the next step, when the crowd has come back.
"""

from pilothouse.simulation.contracts import Contract
from pilothouse.simulation.division import clamped
from pilothouse.simulation.market import MarketState, Prices, noise

LEVELS = 20


class Ladder:
    """What can be taken on one side now: levels of (ticks, lots), best first.

    sign   1 for what buyers take (prices rise along the ladder), -1 for what sellers take
    """

    __slots__ = ("_at", "_levels", "sign")

    def __init__(self, sign: int, levels: list[tuple[int, int]]) -> None:
        self.sign = sign
        self._levels = levels
        self._at = 0

    def best(self) -> int | None:
        """Return the best price that still has lots, in ticks; None if nothing is left."""
        return self._levels[self._at][0] if self._at < len(self._levels) else None

    def reaches(self, limit: int) -> bool:
        """Say whether an order with that limit would take something."""
        best = self.best()
        return best is not None and (limit - best) * self.sign >= 0

    def levels(self) -> list[tuple[int, int]]:
        """Return what is left, as (ticks, lots), best first."""
        return self._levels[self._at :]

    def thin_to(self, lots: int) -> None:
        """Leave at most `lots` in all: the crowd steps back until it comes again."""
        kept: list[tuple[int, int]] = []
        for ticks, size in self._levels[self._at :]:
            part = min(size, lots)
            if part > 0:
                kept.append((ticks, part))
            lots -= part
        self._levels, self._at = kept, 0

    def worst_for(self, lots: int, limit: int | None) -> tuple[int | None, int]:
        """Return the last price that taking `lots` would touch (None: nothing), and how many lots there are for it."""
        worst, found = None, 0
        for ticks, size in self._levels[self._at :]:
            if found >= lots or (limit is not None and (limit - ticks) * self.sign < 0):
                break
            worst, found = ticks, found + size
        return worst, min(found, lots)

    def take(self, lots: int, limit: int | None) -> list[tuple[int, int]]:
        """Take up to `lots` at `limit` (None: any price) or better; return what traded as (ticks, lots), best first."""
        taken: list[tuple[int, int]] = []
        while lots > 0 and self._at < len(self._levels):
            ticks, size = self._levels[self._at]
            if limit is not None and (limit - ticks) * self.sign < 0:
                break
            part = min(size, lots)
            taken.append((ticks, part))
            lots -= part
            if part == size:
                self._at += 1
            else:
                self._levels[self._at] = (ticks, size - part)
        return taken


def ladder(contract: Contract, state: MarketState, best: Prices, seed: int, sign: int) -> Ladder:
    """Return the crowd's ladder of this step for buyers (sign 1) or sellers (-1)."""
    drawn = noise(seed, state.symbol, state.step, "asks" if sign > 0 else "bids", 3 * LEVELS)
    span = contract.depth_max - contract.depth_min
    ticks = best.ask if sign > 0 else best.bid
    levels: list[tuple[int, int]] = []
    for i in range(LEVELS):
        if ticks < 1:
            break
        size = contract.depth_min + span * int.from_bytes(drawn[3 * i : 3 * i + 2], "big") // 65_535
        levels.append((ticks, size))
        ticks += sign * (1 + drawn[3 * i + 2] % contract.gap_max)
    return Ladder(sign, levels)


def flow(contract: Contract, state: MarketState, seed: int, sign: int) -> int:
    """Return how many lots the crowd trades this step against resting orders of that side (1: resting buys)."""
    drawn = noise(seed, state.symbol, state.step, "flow" if sign > 0 else "flow-sell", 2)
    span = contract.flow_max - contract.flow_min
    return clamped(contract.flow_min + span * int.from_bytes(drawn, "big") // 65_535, 1, contract.flow_max)
