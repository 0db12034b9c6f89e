"""A strategy in turns over candles: by a compiled loop where one knows it, else turn by turn; the result is the same.

Pure. The loop knows the built-in grid and averaging entries; what it does not know or cannot count goes the slow way.
"""

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pilothouse.backtest.inside import Finer, Pieces, on_bars, pieces_of
from pilothouse.backtest.kernels import resting_slots as r
from pilothouse.backtest.kernels import slots as k
from pilothouse.backtest.kernels.ladders import run_ladder
from pilothouse.backtest.order_log import OrderLog
from pilothouse.backtest.pace import UNWATCHED, Pace
from pilothouse.backtest.result import FillTable, Result, Scale, Trades
from pilothouse.backtest.simulate import Funding, scale_of
from pilothouse.backtest.spec import BacktestSpec, Costs, Fills, Margin, Slip
from pilothouse.backtest.turns import run_turns
from pilothouse.core.candles import Candles, Ints
from pilothouse.core.rounding import EXACT, divided
from pilothouse.strategies.builtin import averaging, grid
from pilothouse.strategies.builtin.averaging import Averaging
from pilothouse.strategies.builtin.exactly import amount, part
from pilothouse.strategies.builtin.grid import Grid
from pilothouse.strategies.parameters import Params
from pilothouse.strategies.sdk import Turns

COMPILED: Final = "compiled"
IN_TURNS: Final = "turns"

_ONE: Final = Decimal(1)
_LOTS_MOST: Final = 10**12
_LOT_WORTH_MOST: Final = (1 << 59) // k.MILLION
_PRICE_MOST: Final = 20_000_000_000
_SLIPS: Final = {Slip.NONE: k.SLIP_NONE, Slip.FIXED: k.SLIP_FIXED, Slip.SPREAD: k.SLIP_SPREAD}


def run_ladders(
    spec: BacktestSpec,
    data: Candles | Mapping[str, Candles],
    strategy: Turns,
    p: Params,
    *,
    funding: Mapping[str, Funding] | None = None,
    finer: Mapping[str, Finer] | None = None,
    log: OrderLog | None = None,
    pace: Pace = UNWATCHED,
) -> tuple[Result, str]:
    """Return what a strategy in turns would have done, and which engine told: COMPILED or IN_TURNS.

    Both tell the same, byte for byte. Raises what `turns.run_turns` raises.
    """
    candles = data if isinstance(data, Candles) else data[spec.markets[0].symbol]
    found = compiled_ladders(spec, candles, strategy, p, (finer or {}).get(spec.markets[0].symbol))
    if found is not None:
        return found, COMPILED
    return run_turns(spec, data, strategy, p, funding=funding, finer=finer, log=log, pace=pace), IN_TURNS


def compiled_ladders(
    spec: BacktestSpec, candles: Candles, strategy: Turns, p: Params, finer: Finer | None = None
) -> Result | None:
    """Return the result of the compiled loop; None where it does not know the run, or cannot count it in 64 bits."""
    if type(strategy) not in {Grid, Averaging} or not _is_known(spec) or not len(candles):
        return None
    if (finer is None) != (spec.fills.finer is None):
        return None
    if type(strategy) is Grid and p.side != grid.LONG and (spec.costs.borrow_ppm_year or spec.margin is Margin.CROSS):
        return None  # whoever is short owes what he sold, and all of the account stands for it
    scale = scale_of(candles, spec.markets[0])
    settings = _settings(spec, candles, scale)
    if settings is None:
        return None
    laid = _grid(settings, candles, scale, p) if type(strategy) is Grid else _averaging(settings, scale, p)
    if laid is None:
        return None
    walked: Candles | Pieces = candles
    ends = np.ones(len(candles), np.uint8)
    if finer is not None:
        walked = pieces_of(candles, finer)
        ends = np.zeros(len(walked), np.uint8)
        ends[walked.last] = 1
    equity = np.empty(len(walked), np.int64)
    trades, fills, state = run_ladder(
        walked.open, walked.high, walked.low, walked.close, ends, settings, laid, equity
    )  # fmt: skip
    if state[r.STATUS] != 0:
        return None
    result = Result(
        scale, int(settings[r.CAPITAL]), candles.opened_ms, candles.span_ms, Trades.of(trades), FillTable.of(fills),
        equity, int(state[r.SKIPPED]), int(state[r.EXPOSED]), not spec.costs.any,
    )  # fmt: skip
    if isinstance(walked, Candles):
        return result
    return replace(on_bars(result, walked), pessimistic=walked.thin)


def _is_known(spec: BacktestSpec) -> bool:
    """Say whether the loop knows everything that the spec asks for: what it does not name must be as by default."""
    bare = BacktestSpec(
        spec.strategy, spec.version, spec.params, spec.markets, spec.timeframe, spec.start_ms, spec.until_ms,
        spec.data, spec.capital,
    )  # fmt: skip
    asks_no_more = replace(spec, costs=bare.costs, fills=bare.fills, margin=bare.margin) == bare
    costs = replace(
        spec.costs, maker_ppm=0, taker_ppm=0, slip=Slip.NONE, slip_ppm=0, slip_ticks=0, borrow_ppm_year=0,
        maintenance_ppm=0, liquidation_ppm=0,
    )  # fmt: skip
    fills = replace(spec.fills, through=False, finer=None)
    is_plain = costs == Costs(maintenance_ppm=0) and fills == Fills() and spec.costs.slip in _SLIPS
    one = len(spec.markets) == 1 and spec.markets[0].costs is None
    return asks_no_more and is_plain and one


def _settings(spec: BacktestSpec, candles: Candles, scale: Scale) -> Ints | None:
    """Return what both loops are told; None where 64 bits do not hold it."""
    costs, market = spec.costs, spec.markets[0]
    highest = int(candles.high.max())
    most = 3 * (highest + costs.slip_ticks + 1)
    capital = int(divided(spec.capital, scale.unit, _ONE))
    notional = int(divided(market.notional_min, scale.unit, _ONE, upward=True))
    if most > _PRICE_MOST or highest * scale.units >= _LOT_WORTH_MOST or max(capital, notional) >= 1 << 60:
        return None
    p = np.zeros(r.SETTINGS, np.int64)
    p[r.UNITS], p[r.CAPITAL], p[r.NOTIONAL_MIN] = scale.units, capital, notional
    p[r.MAKER_PPM], p[r.TAKER_PPM] = costs.maker_ppm, costs.taker_ppm
    p[r.SLIP], p[r.SLIP_PPM], p[r.SLIP_TICKS] = _SLIPS[costs.slip], costs.slip_ppm, costs.slip_ticks
    p[r.MAINTENANCE_PPM] = costs.maintenance_ppm
    p[r.REACH], p[r.LOTS_MIN] = spec.fills.through, market.lots_min
    p[r.LOTS_MOST] = market.lots_most if market.lots_most is not None else k.BIG
    p[r.LOTS_SAFE] = min((1 << 60) // (most * scale.units), _LOTS_MOST)
    return p


def _grid(settings: Ints, candles: Candles, scale: Scale, p: Params) -> NDArray[np.int64] | None:
    """Return the levels of a grid that begins at the first close, and set what else it needs."""
    top = EXACT.multiply(int(candles.close[0]), scale.tick)
    rows = []
    for level in grid.levels(p):
        price, closes = EXACT.multiply(top, level.opens), EXACT.multiply(top, level.closes)
        lots = divided(amount(p.base if level.is_base else p.order), EXACT.multiply(price, scale.lot), _ONE)
        buys = level.sign > 0
        prices = (divided(price, scale.tick, _ONE, upward=not buys), divided(closes, scale.tick, _ONE, upward=buys))
        rows.append([int(prices[0]), int(lots), int(prices[1]), 0, 0, level.sign])
    if max(max(row) for row in rows) >= 1 << 60:
        return None
    below, above = grid.bounds(p)
    settings[r.KIND], settings[r.PLACES] = r.GRID, 2 * len(rows) + 1
    settings[r.BASE], settings[r.BOTH_SIDES] = grid.levels(p)[-1].is_base, p.side == grid.NEUTRAL
    settings[r.CEILING] = r.BEYOND
    if below is not None:
        settings[r.FLOOR] = int(divided(EXACT.multiply(top, below), scale.tick, _ONE, upward=True))
    if above is not None:
        settings[r.CEILING] = int(divided(EXACT.multiply(top, above), scale.tick, _ONE))
    return np.array(rows, np.int64)


def _averaging(settings: Ints, scale: Scale, p: Params) -> NDArray[np.int64] | None:
    """Return the safety orders, and set what else averaging needs; None where 64 bits do not hold it."""
    rows = [[int(at * k.MILLION), int(divided(each, scale.unit, _ONE))] for at, each in averaging.safeties(p)]
    base = int(divided(amount(p.base), scale.unit, _ONE))
    if max([base, *(units for _, units in rows)]) >= 1 << 60:
        return None
    settings[r.KIND], settings[r.PLACES], settings[r.BASE] = r.AVERAGING, len(rows) + 5, base
    for target, share in ((r.TAKE_1, p.take_1), (r.TAKE_2, p.take_2), (r.TAKE_3, p.take_3), (r.SHARE_1, p.share_1),
                          (r.SHARE_2, p.share_2), (r.STOP_PPM, p.stop_loss)):  # fmt: skip
        settings[target] = int(part(share) * k.MILLION)
    settings[r.COOLDOWN], settings[r.CEILING] = p.cooldown, r.BEYOND
    return np.array(rows, np.int64).reshape(-1, 2)
