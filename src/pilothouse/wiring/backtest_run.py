"""One backtest: a wish and candles go in; the kept run comes out, made now or found. For every door alike."""

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Final

from pilothouse.backtest.curves import returns_of
from pilothouse.backtest.exposure import exposure_of
from pilothouse.backtest.luck import Moments, judge, moments
from pilothouse.backtest.measured import metrics_of
from pilothouse.backtest.order_log import OrderLog
from pilothouse.backtest.pace import UNWATCHED, Pace
from pilothouse.backtest.report import span_words
from pilothouse.backtest.request import Wish, spec_of, spec_of_many
from pilothouse.backtest.result import Result
from pilothouse.backtest.result_of_many import Portfolio, held_alike
from pilothouse.backtest.run import in_turns, orders_of, run_any
from pilothouse.backtest.shelf import Card, Shelf
from pilothouse.backtest.spec import BacktestSpec
from pilothouse.backtest.trials import Trial, Trials
from pilothouse.core.candles import Candles
from pilothouse.core.errors import Refused
from pilothouse.kit.settings import Settings
from pilothouse.strategies.parameters import Params, resolve
from pilothouse.strategies.registry import Described, Strategy
from pilothouse.strategies.rules import Rules
from pilothouse.strategies.sdk import Columns
from pilothouse.wiring import backtest_inside
from pilothouse.wiring.backtest_data import Found
from pilothouse.wiring.backtest_funding import is_unfunded, lacking, named, paid, went_short

FOLDER: Final = "backtests"
TRIALS: Final = "trials"
_DENIALS_TOLD: Final = 20
ORDERS_BARS_MOST: Final = 30_000
"""Of so many bars over all markets the orders are told unasked: it takes about half a second."""

Changed = Callable[[Rules], Rules | None]
"""The strategy's rules go in; those to use instead come out, or None."""


@dataclass(frozen=True, slots=True)
class Done:
    """A kept run; `found`: it was there already; `seconds` from the wish to the end."""

    card: Card
    found: bool
    seconds: float


def prepare(described: Described, wish: Wish, found: Found, changed: Changed) -> tuple[BacktestSpec, Params]:
    """Return the spec of one strategy over the first of the candles, and its parameters; nothing is run.

    Raises Refused for rules beside a strategy in turns, which has its own; Invalid.
    """
    strategy = described.strategy
    if isinstance(strategy, Columns):
        wish = replace(wish, rules=changed(strategy.rules(resolve(strategy.parameters, wish.params))))
    elif changed(Rules()) is not None:
        raise Refused(f"{described.name} is written in turns: its exits and sizes are its own parameters")
    if found.inside:
        wish = replace(wish, fills=replace(wish.fills, finer=found.inside))
    symbol, candles, others = traded(found)
    wish = paid(wish, found, wish.markets or (symbol,))
    if wish.markets:
        spec, params = spec_of_many(wish, strategy, found.candles, found.finer)
    else:
        spec, params = spec_of(wish, strategy, candles, others, found.finer.get(symbol))
    return named(spec, found), params


def traded(found: Found) -> tuple[str, Candles, dict[str, Candles]]:
    """Return the instrument that is traded, its candles, and those of all others by symbol."""
    symbol = next(iter(found.candles))
    return symbol, found.candles[symbol], {name: each for name, each in found.candles.items() if name != symbol}


def carry_out(
    settings: Settings, described: Described, wish: Wish, found: Found, changed: Changed, *,
    orders: bool | None = None, pace: Pace = UNWATCHED,
) -> Done:  # fmt: skip
    """Return the run of one strategy over the markets of the wish, or the first that was found; raises as `prepare`.

    orders   whether every order is kept as well; None: if that is soon done
    pace     is told how far it has come
    """
    started = time.monotonic()
    spec, params = prepare(described, wish, found, changed)
    strategy = described.strategy
    symbol, candles, _ = traded(found)
    if wish.markets:
        symbol = ", ".join(sorted(wish.markets))
    shelf = Shelf(settings.data / FOLDER)
    told_orders = orders if orders is not None else steps_of(wish, found) <= ORDERS_BARS_MOST
    told_by = (spec, found.candles, strategy)
    beside: dict[str, Any] = {"finer": found.finer, "funding": found.funding, "pace": pace}
    if shelf.has(spec.name):
        card = shelf.card(spec.name)
        if told_orders and not shelf.has_orders(spec.name):
            shelf.put_orders(spec.name, orders_of(*told_by, card.digest, **beside))
        return Done(card, True, time.monotonic() - started)
    log = OrderLog() if told_orders else None
    # The spec was made of these very candles just now; hashing them once more could say nothing else.
    result, engine = run_any(*told_by, **beside, known=True, log=log)
    every = None
    if log is not None:
        every = log.orders() if log.is_used else orders_of(*told_by, result.digest(), **beside)
    pace.at("measuring")
    told = {
        "title": described.strategy.title, "strategy": described.name, "params": words_of(params),
        "symbol": symbol, "timeframe": found.timeframe, "costless": result.costless,
        "unfunded": is_unfunded(spec, short=went_short(result)), "engine": engine,
        "underfunded": lacking(spec, found.candles, found.funding),
        "notes": [*found.notes, *backtest_inside.told(found, result.pessimistic), *_gated(spec, strategy, result)],
        "pessimistic": result.pessimistic, "denials": result.denials.plain(most=_DENIALS_TOLD),
    }  # fmt: skip
    exposure = None
    if isinstance(result, Portfolio):
        bars = [found.candles[each] for each in result.symbols]
        candles, exposure = held_alike(bars, result.opened_ms), exposure_of(result, bars)
        told |= {"crowded": result.crowded, "symbols": list(result.symbols)}
    curve = result.curve()
    metrics = metrics_of(result, curve, result.table(), candles)
    ledger = Trials(settings.data / FOLDER / TRIALS)
    returns, per_year = returns_of(curve)
    shape = moments(returns) if len(returns) > 1 else None
    count = ledger.count(described.name, [Trial(spec.name, shape.sharpe if shape is not None else math.nan)])
    span = span_words(candles.opened_ms, candles.span_ms)
    told |= {"span": span, "trials": count, "luck": luck_of(ledger, described.name, shape, per_year, count)}
    card = shelf.put(
        spec.name, spec.canonical(), result, candles, metrics, told, exposure=exposure, orders=every
    )  # fmt: skip
    return Done(card, False, time.monotonic() - started)


def steps_of(wish: Wish, found: Found) -> int:
    """Return how many bars, and pieces of bars, a run walks through, over all of its markets."""
    symbols = wish.markets or (traded(found)[0],)
    below = sum(len(found.finer[symbol]) for symbol in symbols if symbol in found.finer)
    return below + sum(len(found.candles[symbol]) for symbol in symbols if symbol in found.candles)


def _gated(spec: BacktestSpec, strategy: Strategy, result: Result) -> Iterator[str]:
    """Yield what a reader must know of the risk gate: what it stopped, and why the run went turn by turn."""
    slow = in_turns(spec)
    if slow and isinstance(strategy, Columns):
        yield f"carried out turn by turn, because no compiled loop knows {', '.join(slow)}"
    if result.denials.count:
        codes = ", ".join(f"{code} {count:,}" for code, count in result.denials.codes.items())
        yield f"the risk gate stopped {result.denials.count:,} orders: {codes}"


def words_of(params: Params) -> str:
    """Return parameters in one line."""
    return ", ".join(f"{name} {value}" for name, value in params.items())


def luck_of(ledger: Trials, strategy: str, shape: Moments | None, per_year: float, count: int) -> str:
    """Return the sentence about trials and luck, of every trial that was ever made with a strategy.

    shape      of the returns of this one; None where there are fewer than two
    per_year   how many of them make a year
    """
    if shape is None or shape.count < 3 or count < 2:
        return ""
    found = judge(shape, ledger.sharpes(strategy), trials=count, per_year=per_year)
    reached = f"luck alone would bring the best of them to a Sharpe ratio of {found.luck_sharpe:.2f}"
    return f"{count:,} trials of {strategy} were made in all: {reached}; this one has {found.sharpe:.2f}."
