"""What is outside of the house: the one time that all clocks follow, and the simulated exchange that lives in it.

Time moves only when it is told to; then the exchange makes the steps that have come due, and what waits for an instant
happens at it.
"""

import heapq
import itertools
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from pilothouse.core.clock import Tick
from pilothouse.kit.clocks import FrozenClock
from pilothouse.simexchange.clock import ExchangeClock
from pilothouse.simexchange.exchange import Exchange
from pilothouse.simexchange.front import Front
from pilothouse.simexchange.records import ASTER, AccountFile
from pilothouse.simexchange.streams import Hub
from pilothouse.simulation.contracts import CONTRACTS, Contract

START = datetime(2026, 1, 5, 12, tzinfo=UTC)
SYMBOLS = ("BTCUSDT", "ETHUSDT", "SOLUSDT")
THIN_AT = ("BTCUSDT", "ETHUSDT")
"""There, orders fill in parts."""

STRIDE_S = 0.25
BEAT_S = 2.0
"""What streams tell by the clock, such as the prices of a day, they tell this often: it costs much."""


class Sea:
    """Time and the exchange.

    trace   hears a line for everything that happens
    """

    def __init__(self, seed: int, wallet: str, agent: str = "") -> None:
        """Begin at START with one funded account."""
        self.time = FrozenClock(START)
        contracts = {
            symbol: _thinned(CONTRACTS[symbol]) if symbol in THIN_AT else CONTRACTS[symbol] for symbol in SYMBOLS
        }
        self.exchange = Exchange(ExchangeClock(self.time), seed=seed, contracts=contracts)
        self.front = Front(self.exchange, profile=ASTER)
        self.hub = Hub(self.exchange, self.front.faults, lambda ms, what: self.later(ms / 1_000, what))
        self.account_id = f"aster-{wallet.lower()}"
        self.front.add_wallet(wallet.lower(), self.account_id)
        if agent:
            self.exchange.keys.add_agent(agent, wallet.lower())
        self._later: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = itertools.count()
        self._beats_at = 0.0

    @property
    def file(self) -> AccountFile:
        """Return what the exchange has of our account."""
        return self.exchange.files[self.account_id]

    def now(self) -> float:
        """Return the seconds that have passed."""
        return self.time.monotonic()

    def later(self, seconds: float, what: Callable[[], None]) -> None:
        """Let something happen after so many seconds."""
        heapq.heappush(self._later, (self.now() + seconds, next(self._numbers), what))

    def next_at(self) -> float:
        """Return when the next of these things happens."""
        return self._later[0][0] if self._later else float("inf")

    def pass_time(self, seconds: float) -> None:
        """Go on by so many seconds, in strides that are short enough for the market to be seen moving."""
        until = self.now() + seconds
        while True:
            at = min(until, self.next_at(), self.now() + STRIDE_S)
            if at > self.now():
                self.time.advance(timedelta(microseconds=max(1, round((at - self.now()) * 1_000_000))))
            while self._later and self._later[0][0] <= self.now():
                heapq.heappop(self._later)[2]()
            if self.exchange.run() and self.now() >= self._beats_at:
                self._beats_at = self.now() + BEAT_S
                self.hub.beat()
            if self.now() >= until:
                return


def _thinned(contract: Contract) -> Contract:
    """Return the same with few lots on each level."""
    return replace(contract, depth_min=15, depth_max=90, flow_min=3, flow_max=40)


class HouseClock:
    """The clock of the house: it shows the time of the sea, and may be wrong by `off`."""

    def __init__(self, sea: Sea) -> None:
        """Show the right time at first."""
        self._sea = sea
        self.off = timedelta(0)

    def now(self) -> datetime:
        """Return what the clock shows."""
        return self._sea.time.now() + self.off

    def monotonic(self) -> float:
        """Return seconds that nobody sets."""
        return self._sea.time.monotonic()

    def tick(self) -> Tick:
        """Return what the machine counts since it was started."""
        return self._sea.time.tick()
