"""Many runs of one strategy over one market: what they share is made once; of each, what a search tells comes out.

A `Ground` holds what is the same for all combinations: the view with the columns that were made of it, the days, the
true ranges, the plans of each set of rules. A `Lane` holds what a run writes, and is used again by the next: there is
one for each thread. A trial is one call that lets go of the interpreter (`kernels/telling.py`): it walks by the rules
of a single run and reckons by the formulas of one, so that a trial here is a run there, to the last bit.
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
from pilothouse.backtest.kernels.telling import BOTH_WAYS, LONG_ALONE, SHORT_ALONE, general_trial_of, trial_of
from pilothouse.backtest.metrics import years_of
from pilothouse.backtest.orders_wanted import Flags, Ranges, warmed_up
from pilothouse.backtest.simulate import Funding, Plan, planned, refuse_overflow
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
_PLANS_BYTES_MOST: Final = 64 << 20
_NO_FILLS: Final = np.empty((0, k.FILL_WIDTH), np.int64)


class Lane:
    """What the runs of one thread write, one after the other."""

    def __init__(self, bars: int) -> None:
        """Make room for so many bars, of which only what is written takes memory."""
        self.wished, self.flags = np.empty(bars, np.int64), np.empty(bars, np.uint8)
        self.equity, self.rows = np.empty(bars, np.int64), np.empty((bars + 1, k.TRADE_WIDTH), np.int64)
        self.worth = np.empty(bars + 2, np.int64)
        self._results, self._paid = np.empty(bars + 1, np.int64), np.empty(bars + 1, np.int64)
        self._money, self._away = np.empty(bars + 1), np.empty(bars + 1)
        self.counts = np.zeros(LAST + 1, np.int64)
        told: Any = (self.worth, self._results, self._paid, self._money, self._away, self.counts)
        self.room: Any = (self.wished, self.flags, self.equity, self.rows, _NO_FILLS, *told)
        self.general: Any = (self.wished, self.flags, self.equity, *told)

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
    """What a run came to: metrics by name, the Sharpe ratio of an observation, returns; if it wished for shorts.

    It is not told whether one came of the wish.
    """

    metrics: dict[str, float | None]
    sharpe: float
    per_year: float
    returns: Floats
    shorts: bool = False


class Ground:
    """What all combinations share."""

    def __init__(
        self, spec: BacktestSpec, data: Mapping[str, Candles], strategy: Columns, funding: Funding | None = None
    ) -> None:
        """Prepare. The spec is one that `may_be_quick`, and fits the data; `funding` is that of its market."""
        (market,) = spec.markets
        self.candles = candles = data[market.symbol]
        self.name_of: Callable[[Params], str] = names_of(spec)
        self._spec, self._market, self._strategy = replace(spec, costs=spec.costs_of(market)), market, strategy
        self._funding, self._ranges = funding, Ranges(candles)
        self._view = View(candles, {symbol: each for symbol, each in data.items() if symbol != market.symbol})
        at = np.concatenate((candles.opened_ms[:1], candles.closed_ms))
        self._years, self._grid = years_of(at), grid_of(at)
        self._bars = (candles.open, candles.high, candles.low, candles.close)
        self._bounds = np.array([candles.low.min(), candles.high.max()], np.int64)
        self._never: Flags = np.zeros(len(candles), np.uint8)
        self._plans: dict[Rules, tuple[Plan, bool]] = {}

    def run(self, params: Params, lane: Lane) -> Told:
        """Run one combination. Raises Invalid, TooLargeToCount and what the strategy raises."""
        strategy, candles = self._strategy, self.candles
        # Parameters that are all there were checked when they were made.
        p = params if params.keys() == strategy.parameters.keys() else resolve(strategy.parameters, params)
        rules = self._spec.rules if self._spec.rules is not None else strategy.rules(p)
        signals = strategy.signals(self._view, p)
        warm_up = strategy.warm_up_bars(p, candles.span_ms)
        shorts = rules.side is not Side.LONG and _wants_short(signals, warm_up)
        if _WISHES.issuperset(signals.checked(len(candles)).columns):
            plan, is_plain = self._plan(rules)
        else:  # prices, distances and weights of their own are part of the plan, and so are their wishes
            plan, is_plain = self._planned(signals, rules, warm_up), False
            signals = Signals()
        told = self._told(plan, rules, signals, warmed_up(rules, warm_up), lane, is_plain=is_plain)
        return replace(told, shorts=shorts)

    def _plan(self, rules: Rules) -> tuple[Plan, bool]:
        """Return what the loop is told of rules, whatever is wished, and whether they are those of `plain.py`.

        Raises Invalid, TooLargeToCount.
        """
        kept = self._plans.get(rules)
        if kept is None:
            plan = self._planned(Signals(), rules, 0)
            fits = plain.is_plain(plan.settings, plan.wanted.kinds, plan.tiers, plan.wanted.shares, plan.flags)
            most = min(_PLANS_MOST, _PLANS_BYTES_MOST // (plan.rows.nbytes + plan.flags.nbytes + 1))
            if len(self._plans) >= most:
                self._plans.clear()
            self._plans[rules] = kept = (plan, fits)
        return kept

    def _planned(self, signals: Signals, rules: Rules, warm_up: int) -> Plan:
        plan = planned(
            self._spec, self._market, self.candles, signals, rules, warm_up=warm_up, funding=self._funding,
            ranges=self._ranges,
        )  # fmt: skip
        plan.settings[k.QUIET] = 1
        return plan

    def _told(
        self, plan: Plan, rules: Rules, signals: Signals, warm_up: int, lane: Lane, *, is_plain: bool
    ) -> Told:  # fmt: skip
        """Trade the signals, and return what a search tells; the lane is free for the next run."""
        per_year, places = self._grid.per_year, self._grid.places
        found, returns = np.empty(FIGURES), np.empty(max(len(places) - 1, 0))
        lane.counts[:] = 0
        wishes: Any = (
            self._wish(signals.long), self._wish(signals.short), self._wish(signals.leave_long),
            self._wish(signals.leave_short), _SIDES[rules.side], warm_up, plan.settings, plan.wanted.kinds, plan.tiers,
            float(plan.scale.unit), self._years, per_year, places,
        )  # fmt: skip
        if is_plain:
            handed: Any = (*self._bars, self._bounds, *wishes, *lane.room, returns, found)
            trial_of(*handed)
        else:
            told: Any = (plan.flags, plan.rows, plan.wanted.shares)
            handed = (*self._bars, *told, *wishes, *lane.general, returns, found)
            general_trial_of(*handed)
        refuse_overflow(int(lane.counts[plain.STATUS]))
        *figures, sharpe = found.tolist()
        metrics = {name: None if isnan(value) else value for name, value in zip(NAMES, figures, strict=True)}
        return Told(metrics, sharpe, per_year, returns.astype(np.float32))

    def _wish(self, column: Truths | None) -> Flags:
        """Return a column of wishes as bytes in one piece."""
        return self._never if column is None else np.ascontiguousarray(column).view(np.uint8)


def _wants_short(signals: Signals, warm_up: int) -> bool:
    """Say whether signals wish to be short at some bar behind the warm-up."""
    short, target = signals.short, signals.target
    wished = short is not None and bool(short[warm_up:].any())
    return wished or (target is not None and bool((target[warm_up:] < 0).any()))


def may_be_quick(spec: BacktestSpec) -> bool:
    """Say whether trials of this spec may be run on a `Ground`."""
    return (
        len(spec.markets) == 1
        and not spec.hedge
        and spec.limits == NOTHING
        and spec.fills.finer is None
        and spec.fills.latency_ms == 0
    )
