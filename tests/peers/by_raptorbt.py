"""raptorbt: columns of signals for one side at a time, so a flip is two runs whose results are added up."""

import time
from functools import partial

import numpy as np
import raptorbt
from raptorbt.strategy import orders

from tests.peers.frame import (
    CAPITAL,
    FAST,
    FEE,
    LOT,
    PAIRS,
    PLACES,
    SLOW,
    STOP,
    SWEEP_BARS,
    TAKE,
    TRAIL,
    Averages,
    Came,
    Flags,
    Market,
    Run,
    Unfinished,
    crossings,
    sma,
)

PACKAGE = "raptorbt"
TOLD = "its own statistics"
MISMARKED = (
    "its equity curve moves an open short the wrong way, so also what an open one is worth at the end; what its trades "
    "made adds up to our equity"
)
WHY = {
    "flip": MISMARKED,
    "stops": MISMARKED + ", but for levels that we put on whole ticks",
    "trail": "its trail is a share of the best price, ours a distance told by the entry; and "
    + MISMARKED.split(";", maxsplit=1)[0],
    "sweep": MISMARKED,
    "portfolio": "its entries fill at the open of the very bar whose close gave the signal, a look into the future",
}


def _config(**limits: int) -> raptorbt.BacktestConfig:
    return raptorbt.BacktestConfig(
        initial_capital=CAPITAL, fees=FEE, slippage=0.0, apply_slippage=False, fill_timing="next_bar_open", **limits
    )


def _columns(market: Market) -> tuple[object, ...]:
    volume = np.full(len(market.opened_ms), 1_000.0)
    return market.opened_ms * 1_000_000, market.open, market.high, market.low, market.close, volume


def _sides(market: Market, pair: tuple[int, int]) -> list[tuple[int, Flags, Flags]]:
    above, below = crossings(sma(market.close, pair[0]), sma(market.close, pair[1]))
    return [(1, above, below), (-1, below, above)]


def _one(kind: str, market: Market, deadline: float) -> Run:
    columns = _columns(market)
    config = _config()
    if kind == "stops":
        config.set_fixed_stop(STOP)
    if kind == "trail":
        config.set_trailing_stop(TRAIL)
    if kind != "flip":
        config.set_fixed_target(TAKE)
    # One of quantity: sizes are shares of capital, cut to a lot of one.
    share = market.close * 1.5 / CAPITAL
    one = raptorbt.InstrumentConfig(lot_size=1.0)

    def run() -> Came:
        trades, final = 0, CAPITAL
        for side, entries, exits in _sides(market, (FAST, SLOW)):
            found = raptorbt.run_single_backtest(
                *columns, entries, exits, direction=side, config=config, position_sizes=share, instrument_config=one
            )
            trades += len(found.trades())
            final += float(found.equity_curve()[-1]) - CAPITAL
        return Came(trades, final, TOLD)

    return run


def _sweep(market: Market, deadline: float) -> Run:
    market = market.before(SWEEP_BARS)
    columns = _columns(market)
    share = market.close * 1.5 / CAPITAL
    one = raptorbt.InstrumentConfig(lot_size=1.0)

    def run() -> Came:
        items = [
            raptorbt.BatchSingleItem(
                f"{pair} {side}", entries, exits, direction=side, position_sizes=share, instrument_config=one
            )
            for pair in PAIRS
            for side, entries, exits in _sides(market, pair)
        ]
        found = [each for _, each in raptorbt.batch_single_backtest(*columns, items, _config())]
        made = sum(float(each.equity_curve()[-1]) - CAPITAL for each in found)
        return Came(sum(len(each.trades()) for each in found), len(PAIRS) * CAPITAL + made, TOLD)

    return run


def _portfolio(market: Market, deadline: float) -> Run:
    many = {f"C{number:02}": each for number, each in enumerate(market.each())}
    lots = {symbol: raptorbt.InstrumentConfig(lot_size=LOT) for symbol in many}

    def run() -> Came:
        legs = [(*_columns(each), *_sides(each, (FAST, SLOW))[0][1:], 1, 1.0, symbol) for symbol, each in many.items()]
        config = _config(max_positions=PLACES)
        found = raptorbt.run_portfolio_backtest(legs, config, allocation="equal_weight", instrument_configs=lots)
        return Came(len(found.result.trades()), float(found.result.equity_curve()[-1]), TOLD)

    return run


class Crossing(raptorbt.Strategy):
    """A turn for each bar, averages carried along."""

    deadline = 0.0

    def on_start(self, ctx: raptorbt.StrategyContext) -> None:
        """Begin with no closes."""
        self.averages = Averages()

    def on_bar(self, ctx: raptorbt.StrategyContext) -> None:
        """Close what is held and open the other side."""
        if ctx.idx % 1_000 == 0 and time.perf_counter() > self.deadline:
            raise Unfinished(f"{ctx.idx:,} bars")
        sign = self.averages.turn(ctx.bar.close)
        if sign:
            side = "buy" if sign > 0 else "sell"
            if not ctx.is_flat:
                self.submit_order(orders.Market(side=side, units=1.0, reduce_only=True))
            self.submit_order(orders.Market(side=side, units=1.0))


def _turns(market: Market, deadline: float) -> Run:
    columns = _columns(market)

    def run() -> Came:
        strategy = Crossing()
        strategy.deadline = deadline
        found = raptorbt.run_strategy_backtest(strategy, *columns, config=_config(), account_type="margin")
        return Came(len(found.trades()), float(found.equity_curve()[-1]), TOLD)

    return run


ROWS = {
    "flip": partial(_one, "flip"),
    "stops": partial(_one, "stops"),
    "trail": partial(_one, "trail"),
    "sweep": _sweep,
    "portfolio": _portfolio,
    "turns": _turns,
}
