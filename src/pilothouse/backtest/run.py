"""One backtest in a straight line: data are handed in, the strategy decides, the loop simulates, a result comes out.

Deterministic: the same spec over the same data is the same result, byte for byte. Nothing is fetched or kept here.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from pilothouse.backtest.columns_in_turns import simulate_in_turns, simulate_many_in_turns
from pilothouse.backtest.gate import beyond_kernels
from pilothouse.backtest.inside import Finer
from pilothouse.backtest.ladders import COMPILED, IN_TURNS, run_ladders
from pilothouse.backtest.order_log import OrderLog
from pilothouse.backtest.orders import Orders
from pilothouse.backtest.pace import UNWATCHED, Pace
from pilothouse.backtest.portfolio import simulate_many
from pilothouse.backtest.result import Result
from pilothouse.backtest.simulate import Funding, simulate
from pilothouse.backtest.spec import BacktestSpec, funding_key, inside_key
from pilothouse.backtest.turns import run_turns
from pilothouse.core.candles import Candles
from pilothouse.core.errors import Broken, Invalid, Problem
from pilothouse.strategies.parameters import resolve
from pilothouse.strategies.sdk import Columns, Signals, Turns
from pilothouse.strategies.view import View


def run_any(
    spec: BacktestSpec,
    data: Mapping[str, Candles],
    strategy: Columns | Turns,
    *,
    funding: Mapping[str, Funding] | None = None,
    finer: Mapping[str, Finer] | None = None,
    known: bool = False,
    log: OrderLog | None = None,
    pace: Pace = UNWATCHED,
) -> tuple[Result, str]:
    """Return what a strategy of either kind would have done on its markets, and which engine ran it.

    Engines are `ladders.COMPILED` and `ladders.IN_TURNS`; which one it was makes no difference to the result. Of the
    two only the one that goes turn by turn writes its orders into `log`; see `orders_of`.
    Raises as `run` and `run_ladders`.
    """
    if isinstance(strategy, Columns):
        found = run(spec, data, strategy, funding=funding, finer=finer, known=known, log=log, pace=pace)
        return found, IN_TURNS if in_turns(spec) else COMPILED
    if not known:
        refuse_unfit(spec, data, strategy, finer or {}, funding or {})
    return run_ladders(
        spec, {market.symbol: data[market.symbol] for market in spec.markets}, strategy,
        resolve(strategy.parameters, spec.params), funding=funding, finer=finer, log=log, pace=pace,
    )  # fmt: skip


class OrdersDiffer(Broken):
    """The engine that tells orders came to another result than the one that ran."""

    code = "orders_differ"


def orders_of(
    spec: BacktestSpec,
    data: Mapping[str, Candles],
    strategy: Columns | Turns,
    digest: str,
    *,
    funding: Mapping[str, Funding] | None = None,
    finer: Mapping[str, Finer] | None = None,
    pace: Pace = UNWATCHED,
) -> Orders:
    """Return every order of a run, which is carried out once more for it, turn by turn.

    digest   of the result whose orders they are
    Raises OrdersDiffer where this run ends otherwise, and as `run`.
    """
    log = OrderLog()
    beside: dict[str, Any] = {"funding": funding, "finer": finer, "log": log, "pace": pace}
    if isinstance(strategy, Columns):
        found = run(spec, data, strategy, **beside, known=True, compiled=False)
    else:
        bars = {market.symbol: data[market.symbol] for market in spec.markets}
        p = resolve(strategy.parameters, spec.params)
        found = run_turns(spec, bars, strategy, p, **beside)
    if found.digest() != digest:
        raise OrdersDiffer(f"turn by turn {spec.strategy} came to another result; please report it with its spec")
    return log.orders()


def in_turns(spec: BacktestSpec) -> list[str]:
    """Return what no compiled loop knows of a run of columns: with any of it, it is carried out turn by turn."""
    beyond = beyond_kernels(spec.limits, parts=spec.fills.volume_ppm is not None)
    if len(spec.markets) == 1 and not spec.hedge:
        return [f"limits.{name}" for name in beyond]
    found = [f"limits.{name}" for name in spec.limits.named()]
    found += ["fills.finer"] if spec.fills.finer is not None else []
    return found + (["fills.latency_ms"] if spec.fills.latency_ms else [])


def run(
    spec: BacktestSpec,
    data: Mapping[str, Candles],
    strategy: Columns,
    *,
    funding: Mapping[str, Funding] | None = None,
    finer: Mapping[str, Finer] | None = None,
    known: bool = False,
    log: OrderLog | None = None,
    compiled: bool = True,
    pace: Pace = UNWATCHED,
) -> Result:
    """Return what the strategy would have done on its market, or on several that share an account.

    Each market has signals of its own, and sees all other candles. A market that is held both ways, and several
    markets, have a result that is a `Portfolio`.

    data      candles by symbol: of the markets, and of whatever else the strategy looks at
    strategy  the one that the spec names
    funding   its history by symbol, where the spec wants it paid
    finer     shorter candles or trades by symbol, where the spec walks inside the bars
    known     whether a spec with the same data and markets was run over them before: then they are not hashed again
    log       where orders are written down by a run that goes turn by turn
    compiled  False: turn by turn, even where a compiled loop knows the run; the result is the same
    pace      is told how far it has come

    What no compiled loop knows (`in_turns`) is carried out turn by turn, to the same result but more slowly.
    Raises Invalid that names what does not fit, TooLargeToCount.
    """
    if not known:
        refuse_unfit(spec, data, strategy, finer or {}, funding or {})
    p = resolve(strategy.parameters, spec.params)
    rules = spec.rules if spec.rules is not None else strategy.rules(p)
    signals: dict[str, Signals] = {}
    with pace.walk("signals", len(spec.markets), signals.__len__):
        for market in spec.markets:
            others = {symbol: each for symbol, each in data.items() if symbol != market.symbol}
            signals[market.symbol] = strategy.signals(View(data[market.symbol], others), p)
    pace.at("trading")
    market = spec.markets[0]
    candles = data[market.symbol]
    warm_up = strategy.warm_up_bars(p, candles.span_ms)
    if len(spec.markets) > 1 or spec.hedge:
        shared = (spec, data, signals, rules)
        if not compiled or in_turns(spec):
            return simulate_many_in_turns(*shared, warm_up=warm_up, funding=funding, finer=finer, log=log, pace=pace)
        return simulate_many(*shared, warm_up=warm_up, funding=funding)
    spec = replace(spec, costs=spec.costs_of(market))
    told, paid = signals[market.symbol], (funding or {}).get(market.symbol)
    within = (finer or {}).get(market.symbol)
    one = (spec, market, candles, told, rules)
    if compiled and not in_turns(spec):
        return simulate(*one, warm_up=warm_up, funding=paid, finer=within)
    return simulate_in_turns(*one, warm_up=warm_up, funding=paid, finer=within, log=log, pace=pace)


def refuse_unfit(
    spec: BacktestSpec, data: Mapping[str, Candles], strategy: Columns | Turns, finer: Mapping[str, Finer],
    funding: Mapping[str, Funding],
) -> None:  # fmt: skip
    """Raise Invalid that names whatever of strategy and data is not what the spec names."""
    there: dict[str, Finer | Funding] = {**data, **{inside_key(symbol): below for symbol, below in finer.items()}}
    there |= {funding_key(symbol): paid for symbol, paid in funding.items()}
    due = {funding_key(market.symbol) for market in spec.markets if spec.costs_of(market).funding}
    problems = []
    if strategy.name != spec.strategy:
        problems.append(Problem("strategy", f"{strategy.name} came", f"{spec.strategy}, which the spec names", "other"))
    for symbol in sorted({market.symbol for market in spec.markets} | set(spec.data) | due):
        what = "rates" if symbol in due else "candles"
        if symbol not in there:
            problems.append(Problem(f"data.{symbol}", f"no {what}", f"the {what} that the spec names", "missing"))
        elif spec.data.get(symbol) != there[symbol].fingerprint():
            allowed = f"the {what} that the spec names; with other data it is another backtest"
            problems.append(Problem(f"data.{symbol}", f"other {what}", allowed, "other_data"))
    empty = [market.symbol for market in spec.markets if market.symbol in data and not len(data[market.symbol])]
    problems += [Problem("data", f"no candle of {symbol}", "one or more", "missing") for symbol in empty]
    if problems:
        raise Invalid(problems)
