"""Where a tape puts the markets: the instant goes in, prices of those that it leads come out."""

from collections import Counter, deque
from collections.abc import Iterable

from pilothouse.simexchange.tape import Mark
from pilothouse.simulation.division import clamped
from pilothouse.simulation.market import STEP_US

MINUTE_US = 60_000_000


class TapeLead:
    """What is left of a tape, and the markets that stand where it has put them."""

    def __init__(self, tape: Iterable[Mark], now: int) -> None:
        """Let the tape begin at `now`."""
        self._tape = deque(tape)
        # By whole minutes, so that the candles of a tape are candles here too.
        self._shift = (now - self._tape[0].at) // MINUTE_US * MINUTE_US if self._tape else 0
        self._marks_left = Counter(mark.symbol for mark in self._tape)
        self._held: dict[str, tuple[int, int]] = {}

    def stride(self, at: int, most: int) -> int:
        """Return how many steps may be made at once from that instant: no mark is jumped over."""
        if not self._tape:
            return most
        until = self._tape[0].at + self._shift - at
        return clamped(-(-until // STEP_US), 1, most)

    def prices(self, now: int) -> dict[str, int]:
        """Return the prices, in ticks by symbol, of the markets that are led at `now`; time only goes on.

        Between two of its marks a market stays where the tape has put it; after the last one's minute it walks again.
        """
        while self._tape and self._tape[0].at + self._shift <= now:
            mark = self._tape.popleft()
            self._marks_left[mark.symbol] -= 1
            self._held[mark.symbol] = (mark.ticks, mark.at + self._shift)
        led = {symbol: ticks for symbol, (ticks, _) in self._held.items()}
        self._held = {
            symbol: (ticks, at)
            for symbol, (ticks, at) in self._held.items()
            if self._marks_left[symbol] or (now + STEP_US) // MINUTE_US == at // MINUTE_US
        }
        return led
