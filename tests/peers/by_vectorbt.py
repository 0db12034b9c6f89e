"""vectorbt: columns of signals and one compiled loop; stops by its own words, the portfolio by an order function."""

from typing import Any

import numpy as np
import pandas as pd
import vectorbt as vbt
from numba import njit
from vectorbt.portfolio.nb import order_nb, order_nothing_nb

from tests.peers.frame import (
    CAPITAL,
    FAST,
    FEE,
    LOT,
    PAIRS,
    PLACES,
    SHARE,
    SLOW,
    STOP,
    SWEEP_BARS,
    TAKE,
    TRAIL,
    Came,
    CannotSay,
    Flags,
    Floats,
    Market,
    Run,
    crossings,
    sma,
)

PACKAGE = "vectorbt"
TOLD = "eight statistics"
LOST = "where a stop or target is touched in the bar of a signal, it fills the level and loses the signal"
WHY = {"stops": LOST, "trail": f"{LOST}; its trail is a share of the best price, ours a distance told by the entry"}


def _frame(market: Market) -> pd.DataFrame:
    index = pd.to_datetime(market.opened_ms, unit="ms")
    names = ("open", "high", "low", "close")
    return pd.DataFrame({name: getattr(market, name) for name in names}, index=index)


def _statistics(portfolio: vbt.Portfolio) -> None:
    for name in (
        "total_return", "annualized_return", "annualized_volatility", "sharpe_ratio", "sortino_ratio", "max_drawdown",
    ):  # fmt: skip
        getattr(portfolio, name)()
    portfolio.trades.profit_factor()
    portfolio.trades.win_rate()


def _signals(bars: pd.DataFrame, pairs: list[tuple[int, int]]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return a column of entries for each pair, long and short, one bar late: a decision is filled at the next open."""
    close = bars["close"].to_numpy()
    averages = {length: sma(close, length) for length in {each for pair in pairs for each in pair}}
    sides = zip(*(crossings(averages[fast], averages[slow]) for fast, slow in pairs), strict=True)
    long, short = (pd.DataFrame(np.stack(side, axis=1), index=bars.index) for side in sides)
    return long.vbt.signals.fshift(1), short.vbt.signals.fshift(1)


def _flip(bars: pd.DataFrame, pairs: list[tuple[int, int]], **stops: float | bool) -> Came:
    above, below = _signals(bars, pairs)
    portfolio = vbt.Portfolio.from_signals(
        bars["close"], entries=above, short_entries=below, price=bars["open"], size=1.0, fees=FEE, init_cash=CAPITAL,
        open=bars["open"], high=bars["high"], low=bars["low"], freq="1min", upon_opposite_entry="reverse", **stops,
    )  # fmt: skip
    _statistics(portfolio)
    return Came(int(np.sum(portfolio.trades.count())), float(np.sum(portfolio.final_value())), TOLD)


def flip(market: Market, deadline: float) -> Run:
    """Cross and turn round."""
    bars = _frame(market)
    return lambda: _flip(bars, [(FAST, SLOW)])


def stops(market: Market, deadline: float) -> Run:
    """Its own stop and target."""
    bars = _frame(market)
    return lambda: _flip(bars, [(FAST, SLOW)], sl_stop=STOP, tp_stop=TAKE)


def trail(market: Market, deadline: float) -> Run:
    """Its own trailing stop; it knows one stop, and the trail is the nearer of ours."""
    bars = _frame(market)
    return lambda: _flip(bars, [(FAST, SLOW)], sl_stop=TRAIL, sl_trail=True, tp_stop=TAKE)


def sweep(market: Market, deadline: float) -> Run:
    """All pairs as columns of one table."""
    bars = _frame(market.before(SWEEP_BARS))
    return lambda: _flip(bars, PAIRS)


@njit(cache=True)
def _sized(context: Any, above: Flags, below: Flags, opens: Floats, sizes: Floats) -> tuple[Floats]:
    """Decide for a bar: what leaves, then who enters, as far as places and cash reach."""
    sizes[:] = 0.0
    if context.i == 0:
        return (sizes,)
    before, places, last = context.i - 1, 0, context.from_col
    worth = cash = context.last_cash[context.group]
    for col in range(context.from_col, context.to_col):
        held = context.last_position[col]
        worth += held * context.close[before, col]
        if held > 0 and below[before, col]:
            sizes[col] = -held
            cash += held * opens[context.i, col] * (1 - FEE)
            context.call_seq_now[last] = col
            last += 1
        elif held > 0:
            places += 1
    for col in range(context.from_col, context.to_col):
        if sizes[col] < 0:
            continue
        context.call_seq_now[last] = col
        last += 1
        if places < PLACES and above[before, col] and context.last_position[col] == 0:
            price = opens[context.i, col]
            lots = min(
                np.floor(worth * SHARE / (context.close[before, col] * LOT) + 1e-9),
                np.floor(cash / (price * LOT) + 1e-9),
            )
            while lots > 0 and lots * LOT * price * (1 + FEE) > cash:
                lots -= 1
            sizes[col] = lots * LOT
            cash -= lots * LOT * price * (1 + FEE)
            places += lots > 0
    return (sizes,)


@njit(cache=True)
def _order(context: Any, sizes: Floats, opens: Floats) -> Any:
    """Send what was decided."""
    size = sizes[context.col]
    if size == 0:
        return order_nothing_nb()
    return order_nb(size=size, price=opens[context.i, context.col], fees=FEE)


def portfolio(market: Market, deadline: float) -> Run:
    """One account in an order function of our own: by its words it knows no places."""
    index = pd.to_datetime(market.opened_ms, unit="ms")
    names = [f"C{number:02}" for number in range(len(market.close))]
    close = pd.DataFrame(np.ascontiguousarray(market.close.T), index=index, columns=names)
    opens = np.ascontiguousarray(market.open.T)

    def run() -> Came:
        sides = zip(*(crossings(sma(each, FAST), sma(each, SLOW)) for each in market.close), strict=True)
        above, below = (np.stack(side, axis=1) for side in sides)
        sizes = np.zeros(len(names))
        found = vbt.Portfolio.from_order_func(
            close, _order, opens, pre_segment_func_nb=_sized, pre_segment_args=(above, below, opens, sizes),
            cash_sharing=True, group_by=True, init_cash=CAPITAL, freq="1min",
        )  # fmt: skip
        _statistics(found)
        return Came(int(found.trades.count()), float(found.final_value()), TOLD)

    return run


def turns(market: Market, deadline: float) -> Run:
    """Refuse: its turns are compiled functions."""
    raise CannotSay("its turns are functions that numba compiles, not plain Python")


ROWS = {"flip": flip, "stops": stops, "trail": trail, "sweep": sweep, "portfolio": portfolio, "turns": turns}
