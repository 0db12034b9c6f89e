"""What every peer's script has in common: candles in from one file, one JSON line out. Knows numpy and nothing of ours.

It runs in the peer's own environment. A row is made ready first (the peer's own form of candles), then run: the first
time with whatever compiles itself, then again as often as the time allows, and the best of those counts.
"""

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

FAST, SLOW = 10, 50
FEE = 0.0004
STOP, TAKE, TRAIL = 0.02, 0.04, 0.015
CAPITAL = 10_000_000.0
PLACES, SHARE = 10, 0.1
LOT = 0.001
SPAN_MS = 60_000
PAIRS = [(fast, slow) for fast in range(5, 25) for slow in range(30, 130, 5)]
SWEEP_BARS = 100_000
AGAIN_MOST = 5


class CannotSay(Exception):
    """The peer has no words for this row; the message says which are missing."""


class Unfinished(Exception):
    """The time was over; the message says how far it had come."""


@dataclass(frozen=True)
class Market:
    """Candles as columns: whole milliseconds, and prices in quote currency with two decimals.

    opened_ms   int64[n]
    others      float64[n], or float64[instruments, n] for a portfolio
    """

    opened_ms: NDArray[np.int64]
    open: Floats
    high: Floats
    low: Floats
    close: Floats

    @classmethod
    def read(cls, path: Path) -> "Market":
        """Read a file that `data.py` wrote."""
        with np.load(path) as held:
            prices = [held[name] / 100.0 for name in ("open", "high", "low", "close")]
            return cls(held["opened_ms"], *prices)

    def each(self) -> "list[Market]":
        """Return the instruments of a portfolio, one by one."""
        columns = zip(self.open, self.high, self.low, self.close, strict=True)
        return [Market(self.opened_ms, *prices) for prices in columns]

    def before(self, bars: int) -> "Market":
        """Return the first so many bars of one instrument."""
        return Market(self.opened_ms[:bars], self.open[:bars], self.high[:bars], self.low[:bars], self.close[:bars])


@dataclass(frozen=True)
class Came:
    """What a run came to.

    trades   round trips, one that is still open at the end among them
    final    equity at the last close, quote currency; the sum of all of them where many runs were asked
    told     in a word, what the time includes besides trades and equity
    """

    trades: int
    final: float
    told: str


Run = Callable[[], Came]
Rows = Mapping[str, Callable[[Market, float], Run]]


def sma(values: Floats, length: int) -> Floats:
    """Return averages of the last `length` values, from whole hundredths and so without an error; NaN before.

    values   quote currency with two decimals
    """
    sums = np.cumsum(np.rint(values * 100.0))
    found = np.full(len(values), np.nan)
    found[length - 1 :] = sums[length - 1 :]
    found[length:] -= sums[:-length]
    return found / (length * 100.0)


def crossings(fast: Floats, slow: Floats) -> tuple[Flags, Flags]:
    """Return at which closes one average has come above the other, and below; never at the first that both have."""
    known = ~np.isnan(slow) & ~np.isnan(fast)
    known[1:] &= known[:-1].copy()
    known[0] = False
    above, below = np.zeros(len(fast), np.bool_), np.zeros(len(fast), np.bool_)
    above[1:] = (fast[1:] > slow[1:]) & ~(fast[:-1] > slow[:-1])
    below[1:] = (fast[1:] < slow[1:]) & ~(fast[:-1] < slow[:-1])
    return above & known, below & known


def lots_wanted(worth: float, cash: float, price: float) -> int:
    """Return how many lots a tenth of equity buys, as far as cash pays for them and for the fee.

    worth, cash, price   quote currency
    """
    each = price * LOT
    lots = min(int(worth * SHARE / each + 1e-9), int(cash / each + 1e-9))
    while lots > 0 and lots * each * (1 + FEE) > cash:
        lots -= 1
    return lots


class Averages:
    """Both averages carried from close to close, in whole hundredths: what a strategy in turns knows by itself."""

    def __init__(self, fast: int = FAST, slow: int = SLOW) -> None:
        """Begin with no closes."""
        self._lengths = fast, slow
        self._closes: list[int] = []
        self._fast = self._slow = 0
        self._sign: int | None = None

    def turn(self, close: float) -> int:
        """Return 1 where the quick average has come above the slow one with this close, -1 below, else 0."""
        closes, (fast, slow) = self._closes, self._lengths
        closes.append(price := round(close * 100))
        count = len(closes)
        self._fast += price - (closes[-fast - 1] if count > fast else 0)
        self._slow += price - (closes.pop(0) if count > slow else 0)
        if count < slow:
            return 0
        apart = self._fast * slow - self._slow * fast
        sign = (apart > 0) - (apart < 0)
        before, self._sign = self._sign, sign
        return 0 if before is None or sign == before else sign


def measured(row: str, rows: Rows, place: Path, package: str, seconds: float) -> dict[str, Any]:
    """Return what a peer says about a row.

    place     the folder with the candles
    seconds   after which a run gives up, if it can; for a quarter of them it is repeated
    """
    found: dict[str, Any] = {"version": version(package)}
    if row not in rows:
        return found | {"cannot": "no script of ours for it"}
    market = Market.read(place / ("markets.npz" if row == "portfolio" else "year.npz"))
    began = time.perf_counter()
    try:
        run = rows[row](market, began + seconds)
        found["ready_s"] = time.perf_counter() - began
        came, found["first_s"] = _timed(run)
        found["best_s"] = found["first_s"]
        for _ in range(AGAIN_MOST):
            if time.perf_counter() - began > seconds / 4:
                break
            again, taken = _timed(run)
            if again != came:
                return found | {"failed": f"two runs of the same differ: {came}, {again}"}
            found["best_s"] = min(found["best_s"], taken)
    except CannotSay as error:
        return found | {"cannot": str(error)}
    except Unfinished as error:
        return found | {"unfinished": str(error)}
    return found | {"trades": came.trades, "final": came.final, "told": came.told, "peak_mb": _peak_mb()}


def _timed(run: Run) -> tuple[Came, float]:
    began = time.perf_counter()
    came = run()
    return came, time.perf_counter() - began


def _peak_mb() -> float:
    """Return the most memory that this process has held, without what it was forked from (getrusage counts that)."""
    lines = Path("/proc/self/status").read_text("ascii").splitlines()
    return next(int(each.split()[1]) for each in lines if each.startswith("VmHWM:")) / 1024


def tell(found: Mapping[str, Any]) -> None:
    """Print it as the last line."""
    print("\n" + json.dumps(found), flush=True)
