"""One backtest from the command line: a wish and candles go in; the kept run comes out, made now or found."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from pilothouse.backtest.request import Wish
    from pilothouse.backtest.result import Result
    from pilothouse.backtest.shelf import Card
    from pilothouse.cli.backtest_data import Found
    from pilothouse.core.candles import Candles
    from pilothouse.kit.settings import Settings
    from pilothouse.strategies.registry import Described
    from pilothouse.strategies.rules import Rules

FOLDER: Final = "backtests"
TRIALS: Final = "trials"


@dataclass(frozen=True, slots=True)
class Done:
    """A kept run; `found`: it was there already; `seconds` from the wish to the end."""

    card: "Card"
    found: bool
    seconds: float


def carry_out(
    settings: "Settings",
    described: "Described",
    wish: "Wish",
    found: "Found",
    changed: "Callable[[Rules], Rules | None]",
) -> Done:
    """Return the run of one strategy over the first of the candles that were found.

    changed   the strategy's rules go in; those to use instead come out, or None
    Raises Refused for rules beside a strategy in turns, which has its own; Invalid.
    """
    from pilothouse.backtest.request import spec_of
    from pilothouse.backtest.run import run
    from pilothouse.backtest.shelf import Shelf
    from pilothouse.backtest.trials import Trial, Trials
    from pilothouse.backtest.turns import run_turns
    from pilothouse.core.errors import Refused
    from pilothouse.strategies.parameters import resolve
    from pilothouse.strategies.rules import Rules
    from pilothouse.strategies.sdk import Columns

    started = time.monotonic()
    strategy = described.strategy
    if isinstance(strategy, Columns):
        wish = replace(wish, rules=changed(strategy.rules(resolve(strategy.parameters, wish.params))))
    elif changed(Rules()) is not None:
        raise Refused(f"{described.name} is written in turns: its exits and sizes are its own parameters")
    symbol = next(iter(found.candles))
    candles = found.candles[symbol]
    others = {name: other for name, other in found.candles.items() if name != symbol}
    spec, params = spec_of(wish, strategy, candles, others)
    shelf = Shelf(settings.data / FOLDER)
    if shelf.has(spec.name):
        return Done(shelf.card(spec.name), True, time.monotonic() - started)
    if isinstance(strategy, Columns):
        result = run(spec, found.candles, strategy)
    else:
        result = run_turns(spec, candles, strategy, params)
    told = {
        "title": described.strategy.title, "strategy": described.name, "params": words_of(params),
        "symbol": symbol, "timeframe": found.timeframe, "notes": found.notes, "costless": result.costless,
    }  # fmt: skip
    metrics = _measured(result, candles)
    ledger = Trials(settings.data / FOLDER / TRIALS)
    count = ledger.count(described.name, [Trial(spec.name, _sharpe(result))])
    told |= {"span": _span(candles), "trials": count, "luck": luck_of(ledger, described.name, result, count)}
    card = shelf.put(spec.name, spec.canonical(), result, candles, metrics, told)
    return Done(card, False, time.monotonic() - started)


def words_of(params: "Any") -> str:
    """Return parameters in one line."""
    return ", ".join(f"{name} {value}" for name, value in params.items())


def _span(candles: "Candles") -> str:
    from pilothouse.backtest.report import span_words

    return span_words(candles)


def _measured(result: "Result", candles: "Candles") -> dict[str, float | None]:
    from pilothouse.backtest.measured import measured

    return measured(result, candles).metrics


def _sharpe(result: "Result") -> float:
    from pilothouse.backtest.curves import returns_of
    from pilothouse.backtest.luck import moments

    returns, _ = returns_of(result.curve())
    return moments(returns).sharpe if len(returns) > 1 else float("nan")


def luck_of(ledger: "Any", strategy: str, result: "Result", count: int) -> str:
    """Return the sentence about trials and luck, of every trial that was ever made with a strategy."""
    from pilothouse.backtest.curves import returns_of
    from pilothouse.backtest.luck import judge, moments

    returns, per_year = returns_of(result.curve())
    if len(returns) < 3 or count < 2:
        return ""
    found = judge(moments(returns), ledger.sharpes(strategy), trials=count, per_year=per_year)
    reached = f"luck alone would bring the best of them to a Sharpe ratio of {found.luck_sharpe:.2f}"
    return f"{count:,} trials of {strategy} were made in all: {reached}; this one has {found.sharpe:.2f}."
