"""Our own engine, measured in the same way: a process of its own, candles from the same file."""

import math
import os
from functools import partial

import numpy as np

from pilothouse.backtest.result import Result
from pilothouse.backtest.search import search
from pilothouse.core.candles import Candles
from pilothouse.strategies.parameters import Params
from pilothouse.strategies.rules import Distance, Exits, Target
from tests.peers.frame import PAIRS, SPAN_MS, SWEEP_BARS, Came, Market, Run
from tests.speed import backtest, backtest_turns, portfolio, sweep

PACKAGE = "pilothouse"
TOLD = "eight statistics"
WHY: dict[str, str] = {}


def _candles(market: Market, symbol: str = "BTCUSDT") -> Candles:
    first, high, low, close = (
        np.rint(each * 100.0).astype(np.int64) for each in (market.open, market.high, market.low, market.close)
    )
    volume = np.full(len(market.opened_ms), 10**6, np.int64)
    return Candles(symbol, SPAN_MS, market.opened_ms, first, high, low, close, volume, 2, 3)


def _came(result: Result) -> Came:
    return Came(len(result.trades), float(result.final), TOLD)


def _one(exits: Exits, market: Market, deadline: float) -> Run:
    candles = _candles(market)
    spec = backtest.spec_of(candles)
    return lambda: _came(backtest.ours(candles, spec, exits)[0])


def _sweep(market: Market, deadline: float) -> Run:
    task = sweep.task_over(_candles(market.before(SWEEP_BARS)))
    wanted = [Params({"fast": fast, "slow": slow}) for fast, slow in PAIRS]
    capital = float(task.spec.capital)

    def run() -> Came:
        told = [outcome.metrics for outcome in search(task, wanted, workers=min(2, os.cpu_count() or 1))]
        trades = sum(int(each["trades"] or 0) for each in told)
        # Outcomes come in the order in which they are done; their sum must not.
        made = math.fsum(each["total_return"] or 0.0 for each in told)
        return Came(trades, capital * (len(told) + made), TOLD)

    return run


def _portfolio(market: Market, deadline: float) -> Run:
    data = {f"C{number:02}USDT": _candles(each, f"C{number:02}USDT") for number, each in enumerate(market.each())}
    spec = portfolio.spec_of(data)

    def run() -> Came:
        result, _ = portfolio.ours(data, spec)
        return Came(len(result.trades), float(result.final), TOLD)

    return run


def _turns(market: Market, deadline: float) -> Run:
    candles = _candles(market)
    spec = backtest.spec_of(candles)
    return lambda: _came(backtest_turns.in_turns(candles, spec))


STOPS = Exits(stop=Distance(2.0), targets=(Target(Distance(4.0)),))
ROWS = {
    "flip": partial(_one, Exits()),
    "stops": partial(_one, STOPS),
    "trail": partial(_one, backtest.STOP),
    "sweep": _sweep,
    "portfolio": _portfolio,
    "turns": _turns,
}
