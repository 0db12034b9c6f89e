"""The account of a run in turns goes in when the run has ended; its exact result comes out. Pure."""

from dataclasses import replace
from itertools import chain
from operator import attrgetter
from typing import Final

import numpy as np

from pilothouse.backtest.denials import Denials
from pilothouse.backtest.inside import on_bars
from pilothouse.backtest.result import TRADE_COLUMNS, FillTable, Result, Trades
from pilothouse.backtest.result_of_many import Portfolio
from pilothouse.backtest.simulate import TooLargeToCount
from pilothouse.backtest.spec import BacktestSpec
from pilothouse.backtest.turn_account import Account
from pilothouse.backtest.turn_orders import Lane
from pilothouse.backtest.turn_stretches import Stretches

_FILL: Final = tuple(attrgetter(name) for name in ("step", "lots", "price", "fee", "reason", "trade.number", "maker"))
"""What `FILL_COLUMNS` are made of, in order."""


def result_of(
    spec: BacktestSpec, lanes: list[Lane], account: Account, denials: Denials, passed: Stretches | None
) -> Result:
    """Return what came out of a run.

    passed   equity and prices of bars that were only counted, where they were; else the account has them
    Raises TooLargeToCount.
    """
    steps = lanes[0].steps
    try:
        count = len(account.trades) * len(TRADE_COLUMNS)
        trades = np.fromiter(chain.from_iterable(account.trades), np.int64, count).reshape(-1, len(TRADE_COLUMNS))
        fills = (np.fromiter(map(column, account.fills), np.int64, len(account.fills)) for column in _FILL)
        equity = np.array(account.equity, np.int64) if passed is None else passed.equity()
        if passed is not None:
            passed.see(trades)
        told = (
            lanes[0].scale, account.capital, steps.bars_ms, lanes[0].candles.span_ms, Trades.of(trades),
            FillTable(*fills), equity, account.skipped, account.exposed, spec.costless,
        )  # fmt: skip
        found = Result(*told, denials=denials)
        if account.many:
            found = Portfolio(
                *told, denials=denials, symbols=tuple(lane.market.symbol for lane in lanes),
                scales=tuple(lane.scale for lane in lanes), trade_market=np.array(account.trade_lane, np.int64),
                fill_market=np.array(account.fill_lane, np.int64),
            )  # fmt: skip
    except OverflowError:
        words = "an amount of this run does not fit 64 bits: a larger lot, or less capital, would"
        raise TooLargeToCount(words) from None
    if steps.thin is None:
        return found
    return replace(on_bars(found, steps), pessimistic=steps.thin if spec.fills.finer else None)
