"""Many runs of one strategy over one market: what they share is made once; of each, what a search tells comes out.

A `Ground` holds what is the same for all combinations: the view with the columns that were made of it, the days, the
plans of each set of rules. A `Lane` holds what a run writes, and is used again by the next: there is one for each
thread. A trial is one call that lets go of the interpreter (`kernels/telling.py`): it walks by the rules of a single
run and reckons by the formulas of one, so that a trial here is a run there, to the last bit. A run that this way does
not fit is named by `Other`, and is run in the ordinary way.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from math import isnan
from typing import Any, Final

import numpy as np

from pilothouse.backtest.curves import Floats, grid_of
from pilothouse.backtest.kernels import plain
from pilothouse.backtest.kernels import slots as k
from pilothouse.backtest.kernels.figures import FIGURES, NAMES
from pilothouse.backtest.kernels.leaps import LAST
from pilothouse.backtest.kernels.telling import BOTH_WAYS, LONG_ALONE, SHORT_ALONE, trial_of
from pilothouse.backtest.metrics import years_of
from pilothouse.backtest.orders_wanted import Flags
from pilothouse.backtest.simulate import Plan, planned, refuse_overflow
from pilothouse.backtest.spec import BacktestSpec, names_of
from pilothouse.core.candles import Candles, Ints
from pilothouse.core.limits import NOTHING
from pilothouse.strategies.parameters import Params, resolve
from pilothouse.strategies.rules import Rules, Side
from pilothouse.strategies.sdk import Columns, Signals, Truths
from pilothouse.strategies.view import View

_SIDES: Final = {Side.BOTH: BOTH_WAYS, Side.LONG: LONG_ALONE, Side.SHORT: SHORT_ALONE}
_WISHES: Final = frozenset(("long", "short", "leave_long", "leave_short"))
_PLANS_MOST: Final = 64
_NO_FILLS: Final = np.empty((0, k.FILL_WIDTH), np.int64)


class Other(Exception):
    """A combination is to be run in the ordinary way."""


class Lane:
    """What the runs of one thread write, one after the other."""

    def __init__(self, bars: int) -> None:
        """Make room for so many bars, of which only what is written takes memory."""
        self.wished, self.flags = np.empty(bars, np.int64), np.empty(bars, np.uint8)
        self.equity, self.rows = np.empty(bars, np.int64), np.empty((bars + 1, k.TRADE_WIDTH), np.int64)
        self.worth = np.empty(bars + 2, np.int64)
        self._results, self._paid = np.empty(bars + 1, np.int64), np.empty(bars + 1, np.int64)
        self.money, self.away = np.empty(bars + 1), np.empty(bars + 1)
        self.counts = np.zeros(LAST + 1, np.int64)
        self.room: Any = (
            self.wished, self.flags, self.equity, self.rows, _NO_FILLS, self.worth, self._results, self._paid,
            self.money, self.away, self.counts,
        )  # fmt: skip

    @property
    def results(self) -> Ints:
        """Return int64[m], what each trade of the last run changed the account by, units."""
        return self._results[: self.counts[plain.TRADES]]

    @property
    def paid(self) -> Ints:
        """Return int64[m], the fees of each trade of the last run, units."""
        return self._paid[: self.counts[plain.TRADES]]


@dataclass(frozen=True, slots=True, eq=False)
class Told:
    """What a run came to: metrics by name, the Sharpe ratio of an observation, and the returns."""

    metrics: dict[str, float | None]
    sharpe: float
    per_year: float
    returns: Floats


class Ground:
    """What all combinations share."""

    def __init__(self, spec: BacktestSpec, data: Mapping[str, Candles], strategy: Columns) -> None:
        """Prepare. The spec is one that `may_be_quick`, and fits the data."""
        (market,) = spec.markets
        self.candles = candles = data[market.symbol]
        self.name_of: Callable[[Params], str] = names_of(spec)
        self._spec, self._market, self._strategy = replace(spec, costs=spec.costs_of(market)), market, strategy
        self._view = View(candles, {symbol: each for symbol, each in data.items() if symbol != market.symbol})
        at = np.concatenate((candles.opened_ms[:1], candles.closed_ms))
        self._years, self._grid = years_of(at), grid_of(at)
        self._bars = (candles.open, candles.high, candles.low, candles.close)
        self._bounds = np.array([candles.low.min(), candles.high.max()], np.int64)
        self._never: Flags = np.zeros(len(candles), np.uint8)
        self._plans: dict[Rules, tuple[Plan, bool]] = {}

    def run(self, params: Params, lane: Lane) -> Told:
        """Run one combination. Raises Other, Invalid, TooLargeToCount and what the strategy raises."""
        strategy, candles = self._strategy, self.candles
        # Parameters that are all there were checked when they were made.
        p = params if params.keys() == strategy.parameters.keys() else resolve(strategy.parameters, params)
        rules = self._spec.rules if self._spec.rules is not None else strategy.rules(p)
        signals = strategy.signals(self._view, p)
        warm_up = strategy.warm_up_bars(p, candles.span_ms)
        if not _WISHES.issuperset(signals.checked(len(candles)).columns):
            raise Other
        return self._told(self._plan(rules), rules, signals, warm_up, lane)

    def _plan(self, rules: Rules) -> Plan:
        """Return what the loop is told of rules, whatever is wished. Raises Other, Invalid, TooLargeToCount."""
        kept = self._plans.get(rules)
        if kept is None:
            if len(self._plans) >= _PLANS_MOST:
                self._plans.clear()
            plan = planned(self._spec, self._market, self.candles, Signals(), rules, warm_up=0)
            fits = plain.is_plain(plan.settings, plan.wanted.kinds, plan.tiers, plan.wanted.shares, plan.flags)
            self._plans[rules] = kept = (plan, fits)
        plan, fits = kept
        if not fits:
            raise Other
        return plan

    def _told(self, plan: Plan, rules: Rules, signals: Signals, warm_up: int, lane: Lane) -> Told:
        """Trade the signals, and return what a search tells; the lane is free for the next run."""
        per_year, places = self._grid.per_year, self._grid.places
        found, returns = np.empty(FIGURES), np.empty(max(len(places) - 1, 0))
        lane.counts[:] = 0
        handed: Any = (
            *self._bars, self._bounds, self._wish(signals.long), self._wish(signals.short),
            self._wish(signals.leave_long), self._wish(signals.leave_short), _SIDES[rules.side], warm_up, plan.settings,
            plan.wanted.kinds, plan.tiers, float(plan.scale.unit), self._years, per_year, places, *lane.room, returns,
            found,
        )  # fmt: skip
        trial_of(*handed)
        refuse_overflow(int(lane.counts[plain.STATUS]))
        *figures, sharpe = found.tolist()
        metrics = {name: None if isnan(value) else value for name, value in zip(NAMES, figures, strict=True)}
        return Told(metrics, sharpe, per_year, returns.astype(np.float32))

    def _wish(self, column: Truths | None) -> Flags:
        """Return a column of wishes as bytes in one piece."""
        return self._never if column is None else np.ascontiguousarray(column).view(np.uint8)


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
