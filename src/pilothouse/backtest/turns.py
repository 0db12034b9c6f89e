"""Strategies in turns over history: candles and a strategy go in; orders meet the bars; an exact result comes out.

Plain Python and whole numbers, for everything that is written turn by turn, and for runs with limits that no compiled
loop asks.
"""

from collections.abc import Mapping

from pilothouse.backtest.inside import Finer
from pilothouse.backtest.order_log import OrderLog
from pilothouse.backtest.pace import BAR_BY_BAR, UNWATCHED, Pace
from pilothouse.backtest.result import Result
from pilothouse.backtest.simulate import Funding
from pilothouse.backtest.spec import BacktestSpec
from pilothouse.backtest.turn_calm import CalmRun
from pilothouse.backtest.turn_calm_many import CalmMany
from pilothouse.backtest.turn_lanes import lanes_of
from pilothouse.backtest.turn_one import OneRun
from pilothouse.backtest.turn_run import TurnRun
from pilothouse.core.candles import Candles
from pilothouse.core.errors import Invalid, Problem
from pilothouse.strategies.parameters import Params
from pilothouse.strategies.sdk import Turns


def run_turns(
    spec: BacktestSpec,
    data: Candles | Mapping[str, Candles],
    strategy: Turns,
    p: Params,
    *,
    funding: Mapping[str, Funding] | None = None,
    finer: Mapping[str, Finer] | None = None,
    log: OrderLog | None = None,
    pace: Pace = UNWATCHED,
) -> Result:
    """Return what a strategy in turns would have done on these candles; the same input is the same result.

    data      candles of the one market, or by symbol
    funding   its history by symbol, where the spec wants it paid
    finer     shorter candles or trades by symbol, where the spec walks inside the bars
    log       where orders are written down, if somebody wants them
    pace      is told how far it has come

    Raises Invalid that names what this way of running does not know, Refused if orders fill each other without end,
    TooLargeToCount.
    """
    by_symbol = {spec.markets[0].symbol: data} if isinstance(data, Candles) else dict(data)
    _checked(spec, by_symbol, finer or {}, many=bool(getattr(strategy, "many", False)))
    lanes = lanes_of(spec, by_symbol, funding or {}, finer)
    kind: type[TurnRun] = CalmMany if len(lanes) > 1 else CalmRun
    if len(lanes) == 1 and not spec.hedge and lanes[0].steps.thin is None:
        kind = OneRun
    run = kind(spec, lanes, strategy, p, log)
    with pace.walk(BAR_BY_BAR, len(run.opened), run.steps_over):
        run.through()
    return run.result()


def _checked(spec: BacktestSpec, data: Mapping[str, Candles], finer: Mapping[str, Finer], *, many: bool) -> None:
    """Refuse what would otherwise be left out without a word."""
    fills, several = spec.fills, len(spec.markets) > 1
    stands = "1: orders of a strategy in turns stand until it cancels them"
    unknown = [
        ("fills.rest", fills.rest != 1, stands),
        ("rules", spec.rules is not None, "none: its exits and sizes are its own parameters"),
        ("markets", several and not many, "one market, or a strategy that says `many = True`"),
    ]
    unknown += [
        ("candles", not len(data.get(market.symbol, ())), f"one or more of {market.symbol}") for market in spec.markets
    ]
    problems = [Problem(field, "is not known to runs in turns", wanted) for field, wrong, wanted in unknown if wrong]
    if (fills.finer is None) != (not finer):
        problems.append(Problem("fills.finer", str(fills.finer), "finer data exactly where the spec walks in them"))
    if problems:
        raise Invalid(problems)
