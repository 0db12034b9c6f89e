"""backtesting.py: a strategy object that is called at each close; averages as its own precomputed indicators."""

import time
import warnings
from functools import partial
from typing import Any

import backtesting
import numpy as np
import pandas as pd

from tests.peers.frame import (
    CAPITAL,
    FAST,
    FEE,
    PAIRS,
    SLOW,
    STOP,
    SWEEP_BARS,
    TAKE,
    TRAIL,
    Averages,
    Came,
    CannotSay,
    Market,
    Run,
    Unfinished,
    crossings,
    sma,
)

PACKAGE = "backtesting"
TOLD = "some thirty statistics"
WHY: dict[str, str] = {}


def _bars(market: Market) -> pd.DataFrame:
    names = ("Open", "High", "Low", "Close")
    columns = {name: getattr(market, name.lower()) for name in names}
    return pd.DataFrame(columns, index=pd.to_datetime(market.opened_ms, unit="ms"))


class Crossing(backtesting.Strategy):
    """Turns round where the averages have crossed."""

    pair = (FAST, SLOW)

    def init(self) -> None:
        """Know all crossings beforehand, as its users do."""
        close = np.asarray(self.data.Close)
        above, below = crossings(sma(close, self.pair[0]), sma(close, self.pair[1]))
        self.sign = self.I(lambda: above.astype(np.int8) - below.astype(np.int8), plot=False)

    def next(self) -> None:
        """Buy or sell one, at the next open."""
        sign = self.sign[-1]
        if sign > 0:
            self.buy(size=1)
        elif sign < 0:
            self.sell(size=1)


class Guarded(Crossing):
    """With a stop and a target at each trade, as soon as its entry is known."""

    def next(self) -> None:
        """Put levels at a trade that has none."""
        for trade in self.trades:
            if trade.tp is None:
                side, entry = (1 if trade.is_long else -1), trade.entry_price
                trade.sl, trade.tp = entry * (1 - side * self.distance), entry * (1 + side * TAKE)
            self.follow(trade)
        super().next()

    distance = STOP

    def follow(self, trade: Any) -> None:
        """Leave the stop where it is."""


class Trailed(Guarded):
    """The stop follows the best price since the entry."""

    distance = TRAIL

    def follow(self, trade: Any) -> None:
        """Move the stop behind the best price that the trade has seen."""
        away = trade.entry_price * TRAIL
        if trade.is_long:
            trade.sl = max(trade.sl, self.data.High[-1] - away)
        else:
            trade.sl = min(trade.sl, self.data.Low[-1] + away)


class Turning(backtesting.Strategy):
    """A turn for each bar, averages carried along."""

    def init(self) -> None:
        """Begin with no closes."""
        self.averages = Averages()

    def next(self) -> None:
        """Turn round where they have crossed."""
        sign = self.averages.turn(self.data.Close[-1])
        if sign > 0:
            self.buy(size=1)
        elif sign < 0:
            self.sell(size=1)


def _came(bars: pd.DataFrame, strategy: type[backtesting.Strategy], **settings: object) -> Came:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns of trades that are open at the end
        test = backtesting.Backtest(bars, strategy, cash=CAPITAL, commission=FEE, exclusive_orders=True)
        found = test.run(**settings)
    open_one = len(found["_strategy"].trades)
    return Came(int(found["# Trades"]) + open_one, float(found["_equity_curve"]["Equity"].iloc[-1]), TOLD)


def _one(strategy: type[backtesting.Strategy], market: Market, deadline: float) -> Run:
    bars = _bars(market)
    return lambda: _came(bars, strategy)


def _sweep(market: Market, deadline: float) -> Run:
    bars = _bars(market.before(SWEEP_BARS))

    def run() -> Came:
        found: list[Came] = []
        for pair in PAIRS:
            if time.perf_counter() > deadline:
                raise Unfinished(f"{len(found)} of {len(PAIRS)} pairs")
            found.append(_came(bars, Crossing, pair=pair))
        return Came(sum(each.trades for each in found), sum(each.final for each in found), TOLD)

    return run


def _portfolio(market: Market, deadline: float) -> Run:
    raise CannotSay("it trades one instrument in one run")


ROWS = {
    "flip": partial(_one, Crossing),
    "stops": partial(_one, Guarded),
    "trail": partial(_one, Trailed),
    "sweep": _sweep,
    "portfolio": _portfolio,
    "turns": partial(_one, Turning),
}
