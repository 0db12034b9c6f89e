"""Many runs of one strategy over one market: what they share is made once; of each, what a search tells comes out.

First some are run, then what they came to is told: one after the other each of the two finds its code and its data
where it has just been, which makes either twice as fast.

A `Ground` holds what is the same for all combinations: the view with the columns that were made of it, the days, the
plans of each set of rules. A `Lane` holds what a run writes, and is used again by the next: there is one for each
thread, and the loops let go of the interpreter. The loop is the one that a single run takes (`kernels/plain.py`), the
numbers are reckoned by the same functions, so that a trial here is a run there, to the last bit. A run that this way
does not fit is named by `Other`, and is run in the ordinary way.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from pilothouse.backtest.curves import Curve, Falls, Floats, TradeTable, grid_of
from pilothouse.backtest.kernels import plain
from pilothouse.backtest.kernels import slots as k
from pilothouse.backtest.kernels.telling import BOTH_WAYS, LONG_ALONE, SHORT_ALONE, trial_of
from pilothouse.backtest.luck import sharpe_of
from pilothouse.backtest.metric import Scene
from pilothouse.backtest.metrics import some_of, years_of
from pilothouse.backtest.orders_wanted import Flags
from pilothouse.backtest.simulate import Plan, planned, refuse_overflow
from pilothouse.backtest.spec import BacktestSpec, names_of
from pilothouse.core.candles import Candles, Ints
from pilothouse.core.limits import NOTHING
from pilothouse.strategies.parameters import Params, resolve
from pilothouse.strategies.rules import Rules, Side
from pilothouse.strategies.sdk import Columns, Signals
from pilothouse.strategies.view import View

_SIDES: Final = {Side.BOTH: BOTH_WAYS, Side.LONG: LONG_ALONE, Side.SHORT: SHORT_ALONE}
_WISHES: Final = ("long", "short", "leave_long", "leave_short")
_PLANS_MOST: Final = 64
_NO_FILLS: Final = np.empty((0, k.FILL_WIDTH), np.int64)


class Other(Exception):
    """A combination is to be run in the ordinary way."""


class Lane:
    """What the runs of one thread write, one after the other."""

    def __init__(self, bars: int) -> None:
        """Make room for so many bars."""
        self.equity, self.flags = np.empty(bars, np.int64), np.empty(bars, np.uint8)
        self.counts = np.zeros(5, np.int64)
        # As many as there can be; only what is written takes memory.
        self.rows = np.empty((bars + 1, k.TRADE_WIDTH), np.int64)

    @property
    def trades(self) -> "np.ndarray[tuple[int, int], np.dtype[np.int64]]":
        """Return int64[m, 16], the trades of the last run."""
        found: np.ndarray[tuple[int, int], np.dtype[np.int64]] = self.rows[: self.counts[plain.TRADES]]
        return found


@dataclass(frozen=True, slots=True, eq=False)
class Walked:
    """What of a run its numbers are reckoned from, in units; the lane is free for the next one.

    unit      what a unit is worth, quote currency
    ends      int64[2], the account before the first bar and behind the last
    worth     int64[k + 1], the account at the places of the grid
    pnl, fees int64[m], of each trade
    deepest   drawdown, as a share
    exposed   bars that ended with a position
    """

    unit: float
    ends: Ints
    worth: Ints
    pnl: Ints
    fees: Ints
    deepest: float
    exposed: int


@dataclass(frozen=True, slots=True, eq=False)
class Told:
    """What a run came to: metrics by name, the Sharpe ratio of an observation, and the returns."""

    metrics: dict[str, float | None]
    sharpe: float
    per_year: float
    returns: Floats


class Ground:
    """What all combinations share."""

    def __init__(
        self, spec: BacktestSpec, data: Mapping[str, Candles], strategy: Columns, names: tuple[str, ...]
    ) -> None:
        """Prepare; `names` are the metrics that are told. The spec is one that `may_be_quick`, and fits the data."""
        (market,) = spec.markets
        self.candles = candles = data[market.symbol]
        self.name_of: Callable[[Params], str] = names_of(spec)
        self._spec, self._market, self._strategy = replace(spec, costs=spec.costs_of(market)), market, strategy
        self._names = names
        self._view = View(candles, {symbol: each for symbol, each in data.items() if symbol != market.symbol})
        at = np.concatenate((candles.opened_ms[:1], candles.closed_ms))
        self._ends, self._years = at[[0, -1]], years_of(at)
        self._grid = grid_of(at)
        self._never: Flags = np.zeros(len(candles), np.uint8)
        self._plans: dict[Rules, Plan | None] = {}

    def run(self, params: Params, lane: Lane) -> Walked:
        """Run one combination. Raises Other, Invalid, TooLargeToCount and what the strategy raises."""
        strategy, candles = self._strategy, self.candles
        # Parameters that are all there were checked when they were made.
        p = params if params.keys() == strategy.parameters.keys() else resolve(strategy.parameters, params)
        rules = self._spec.rules if self._spec.rules is not None else strategy.rules(p)
        signals = strategy.signals(self._view, p)
        warm_up = strategy.warm_up_bars(p, candles.span_ms)
        if any(name not in _WISHES for name in signals.checked(len(candles)).columns):
            raise Other
        plan = self._plan(rules)
        return self._walk(plan, rules, signals, warm_up, lane)

    def _plan(self, rules: Rules) -> Plan:
        """Return what the loop is told of rules, whatever is wished. Raises Other, Invalid, TooLargeToCount."""
        if rules not in self._plans:
            if len(self._plans) >= _PLANS_MOST:
                self._plans.clear()
            plan = planned(self._spec, self._market, self.candles, Signals(), rules, warm_up=0)
            fits = plain.is_plain(plan.settings, plan.wanted.kinds, plan.tiers, plan.wanted.shares, plan.flags)
            self._plans[rules] = plan if fits else None
        found = self._plans[rules]
        if found is None:
            raise Other
        return found

    def _walk(self, plan: Plan, rules: Rules, signals: Signals, warm_up: int, lane: Lane) -> Walked:
        """Trade the signals; equity and trades are then in the lane."""
        long, short, leave_long, leave_short = (
            self._never if (column := getattr(signals, name)) is None else column.view(np.uint8) for name in _WISHES
        )
        p, bars, unit = plan.settings, self.candles, float(plan.scale.unit)
        worth = np.empty(len(self._grid.places), np.int64)
        lane.counts[:] = 0
        deepest = trial_of(
            bars.open, bars.high, bars.low, bars.close, long, short, leave_long, leave_short, _SIDES[rules.side],
            warm_up, p, plan.wanted.kinds, plan.tiers, unit, self._grid.places, lane.flags, lane.equity, lane.rows,
            _NO_FILLS, lane.counts, worth,
        )  # fmt: skip
        refuse_overflow(int(lane.counts[plain.STATUS]))
        trades, exposed = lane.trades, int(lane.counts[plain.EXPOSED])
        ends = np.array([p[k.CAPITAL], lane.equity[-1]], np.int64)
        return Walked(
            unit, ends, worth, trades[:, k.TRADE_PNL].copy(), trades[:, k.TRADE_FEES].copy(), deepest, exposed
        )

    def told(self, walked: Walked) -> Told:
        """Return what a search tells of a run."""
        unit, none = walked.unit, np.zeros(0)
        returns = self._grid.returns(_money(walked.worth, unit))
        table = TradeTable(_money(walked.pnl, unit), _money(walked.fees, unit), none, none, none)
        falls = Falls(none, none, none, walked.deepest, 0.0, 0.0)
        exposed = walked.exposed / max(len(self.candles), 1)
        curve = Curve(self._ends, _money(walked.ends, unit))
        scene = Scene(curve, table, returns, self._grid.per_year, none, falls, None, exposed, self._years)
        return Told(some_of(self._names, scene), sharpe_of(returns), self._grid.per_year, returns.astype(np.float32))


def may_be_quick(spec: BacktestSpec) -> bool:
    """Say whether trials of this spec may be run on a `Ground`; whether one does, its rules and signals tell."""
    return (
        len(spec.markets) == 1
        and not spec.hedge
        and spec.limits == NOTHING
        and spec.fills.finer is None
        and spec.fills.latency_ms == 0
        and not spec.costs_of(spec.markets[0]).funding
    )


def _money(units: Ints, unit: float) -> Floats:
    return units.astype(np.float64) * unit
