"""jesse, by its call for research: a strategy object that is asked at each candle of a minute.

A market order fills at the close at which it was decided. In these candles that is the next open.
"""

import time
from functools import partial
from itertools import count
from typing import Any

import numpy as np
from jesse import research
from jesse.strategies import Strategy

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
    Market,
    Run,
    Unfinished,
)

PACKAGE = "jesse"
TOLD = "its own statistics"
WHY: dict[str, str] = {}
EXCHANGE, SYMBOL = "Binance Perpetual Futures", "BTC-USDT"


class Crossing(Strategy):
    """Leaves and takes the other side where the averages have crossed."""

    # It makes its strategies by itself and hands them nothing of ours.
    pair = (FAST, SLOW)
    deadline = 0.0
    came: tuple[int, float] = (0, 0.0)

    def __init__(self) -> None:
        """Begin with no closes."""
        super().__init__()
        self.averages = Averages(*self.pair)
        self.opened = 0
        self.left = count(1)

    def before(self) -> None:
        """Take the close in."""
        done = next(self.left)
        if done % 1_000 == 0 and time.perf_counter() > self.deadline:
            raise Unfinished(f"{done:,} bars")
        self.sign = self.averages.turn(self.close)

    def should_long(self) -> bool:
        """Tell whether they have crossed upwards."""
        return self.sign > 0

    def should_short(self) -> bool:
        """Tell whether they have crossed downwards."""
        return self.sign < 0

    def go_long(self) -> None:
        """Buy one."""
        self.buy = 1, self.price

    def go_short(self) -> None:
        """Sell one."""
        self.sell = 1, self.price

    def should_cancel_entry(self) -> bool:
        """Let no entry wait."""
        return True

    def update_position(self) -> None:
        """Leave where they have crossed to the other side."""
        if self.sign:
            self.liquidate()

    def on_open_position(self, order: Any) -> None:
        """Count it."""
        self.opened += 1

    def before_terminate(self) -> None:
        """Tell what it came to: behind this, it closes what is open, and takes a fee for it."""
        type(self).came = self.opened, self.balance + (self.position.pnl if self.is_open else 0.0)


class Guarded(Crossing):
    """With a stop and a target at the entry."""

    distance = STOP

    def on_open_position(self, order: Any) -> None:
        """Place both."""
        super().on_open_position(order)
        side = 1 if self.is_long else -1
        self.entry = self.best = self.position.entry_price
        self.stop_loss = 1, self.entry * (1 - side * self.distance)
        self.take_profit = 1, self.entry * (1 + side * TAKE)


class Trailed(Guarded):
    """The stop follows the best price of the bars before."""

    distance = TRAIL

    def update_position(self) -> None:
        """Leave, or move the stop."""
        if self.sign:
            self.liquidate()
            return
        best = max(self.best, self.high) if self.is_long else min(self.best, self.low)
        if best != self.best:
            self.best = best
            self.stop_loss = 1, best - (1 if self.is_long else -1) * self.entry * TRAIL


def _candles(market: Market) -> np.ndarray[Any, Any]:
    columns = (market.opened_ms, market.open, market.close, market.high, market.low, np.full(len(market.close), 1e6))
    return np.stack([np.asarray(each, np.float64) for each in columns], axis=1)


def _came(strategy: type[Crossing], candles: np.ndarray[Any, Any], deadline: float, pair: tuple[int, int]) -> Came:
    strategy.deadline, strategy.pair = deadline, pair
    config = {
        "starting_balance": CAPITAL, "fee": FEE, "type": "futures", "futures_leverage": 1,
        "futures_leverage_mode": "cross", "exchange": EXCHANGE, "warm_up_candles": 0,
    }  # fmt: skip
    routes = [{"exchange": EXCHANGE, "strategy": strategy, "symbol": SYMBOL, "timeframe": "1m"}]
    data = {f"{EXCHANGE}-{SYMBOL}": {"exchange": EXCHANGE, "symbol": SYMBOL, "candles": candles}}
    research.backtest(config, routes, [], data, fast_mode=True, generate_equity_curve=True)
    trades, final = strategy.came
    return Came(trades, float(final), TOLD)


def _one(strategy: type[Crossing], market: Market, deadline: float) -> Run:
    candles = _candles(market)
    return lambda: _came(strategy, candles, deadline, (FAST, SLOW))


def _sweep(market: Market, deadline: float) -> Run:
    candles = _candles(market.before(SWEEP_BARS))

    def run() -> Came:
        found: list[Came] = []
        for pair in PAIRS:
            try:
                found.append(_came(Crossing, candles, deadline, pair))
            except Unfinished:
                raise Unfinished(f"{len(found)} of {len(PAIRS)} pairs") from None
        return Came(sum(each.trades for each in found), sum(each.final for each in found), TOLD)

    return run


ROWS = {
    "flip": partial(_one, Crossing),
    "stops": partial(_one, Guarded),
    "trail": partial(_one, Trailed),
    "sweep": _sweep,
    "turns": partial(_one, Crossing),
}
