"""Columns turn by turn: what the compiled loops would return, and every limit of the gate besides. Pure.

Slower than the loops by three orders, and the only way for what they do not know: limits that ask the whole gate,
limits of several positions, and a walk inside the bars of several instruments.
"""

from collections.abc import Mapping
from dataclasses import replace

from pilothouse.backtest.inside import Finer
from pilothouse.backtest.order_log import OrderLog
from pilothouse.backtest.pace import BAR_BY_BAR, UNWATCHED, Pace
from pilothouse.backtest.portfolio import legs_of
from pilothouse.backtest.result import Result
from pilothouse.backtest.simulate import Funding, planned
from pilothouse.backtest.spec import BacktestSpec, Market, Ranking
from pilothouse.backtest.turn_lanes import lanes_of
from pilothouse.backtest.turn_rules import RulesRun
from pilothouse.backtest.turn_steps import pieces_by_symbol
from pilothouse.core.candles import Candles
from pilothouse.core.limits import NOTHING
from pilothouse.strategies.rules import Rules, Side
from pilothouse.strategies.sdk import Signals


def simulate_in_turns(
    spec: BacktestSpec,
    market: Market,
    candles: Candles,
    signals: Signals,
    rules: Rules,
    *,
    warm_up: int,
    funding: Funding | None = None,
    finer: Finer | None = None,
    log: OrderLog | None = None,
    pace: Pace = UNWATCHED,
) -> Result:
    """Return what `simulate` would return, turn by turn and with every limit of the gate; orders go into `log`.

    Raises as `simulate`.
    """
    free, symbol = replace(spec, limits=NOTHING), market.symbol
    plan = planned(free, market, candles, signals, rules, warm_up=warm_up, funding=funding, finer=finer)
    paid = {} if funding is None else {symbol: funding}
    lanes = lanes_of(spec, {symbol: candles}, paid, {} if finer is None else {symbol: finer})
    run = RulesRun(spec, lanes, log)
    run.seat(plan, run.account.legs[0])
    with pace.walk(BAR_BY_BAR, len(run.opened), run.steps_over):
        run.through()
    return replace(run.result(), tags=signals.tags)


def simulate_many_in_turns(
    spec: BacktestSpec,
    data: Mapping[str, Candles],
    signals: Mapping[str, Signals],
    rules: Rules,
    *,
    warm_up: int,
    funding: Mapping[str, Funding] | None = None,
    finer: Mapping[str, Finer] | None = None,
    log: OrderLog | None = None,
    pace: Pace = UNWATCHED,
) -> Result:
    """Return what `simulate_many` would return, turn by turn, with every limit of the gate and inside the bars.

    log   where its orders are written down
    Raises as `simulate_many`.
    """
    told = (funding or {}, finer or {}, pieces_by_symbol(spec, data, finer or {}))
    legs = legs_of(replace(spec, limits=NOTHING), data, signals, rules, warm_up, *told)
    run = RulesRun(spec, lanes_of(spec, data, *told), log)
    for leg in legs:
        held = run.lanes[leg.place].legs
        place = 1 if leg.followed is Side.SHORT and spec.hedge else 0
        run.seat(leg.plan, held[place], leg.signals.rank if spec.ranking is Ranking.COLUMN else None)
    with pace.walk(BAR_BY_BAR, len(run.opened), run.steps_over):
        run.through()
    return replace(run.result(), tags=legs[0].signals.tags)
