"""`pilothouse sweep` and `pilothouse walkforward`: search over parameters without fooling oneself."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pilothouse.cli.backtest import (
    Capital,
    Data,
    Inside,
    LeaveOut,
    Length,
    Leverage,
    Maker,
    Since,
    Size,
    Slippage,
    Span,
    Stop,
    Symbols,
    Take,
    Taker,
    Trail,
    Until,
    Venue,
    Zone,
)
from pilothouse.cli.options import Json

if TYPE_CHECKING:
    from rich.console import Console

    from pilothouse.backtest.verdict import Verdict
    from pilothouse.backtest.walk import Walk
    from pilothouse.wiring.backtest_data import Asked
    from pilothouse.wiring.backtest_search import Plan, Tried

Name = Annotated[str, typer.Argument(metavar="STRATEGY", help="Its name: pilothouse strategy list.")]
Over = Annotated[
    list[str] | None,
    typer.Option("--over", "-o", metavar="WHAT", help="fast=5..50:5, slow=20,50,100, or fast for its declared steps."),
]
Score = Annotated[str, typer.Option("--score", metavar="METRIC", help="What is searched for: sharpe, calmar ...")]
Workers = Annotated[int, typer.Option("--workers", metavar="N", help="Processes; 0: one for each core.")]
Random = Annotated[int, typer.Option("--random", metavar="N", help="Draw so many combinations instead of trying all.")]
Guided = Annotated[
    int, typer.Option("--optuna", metavar="N", help="Let Optuna choose so many, which learns from each (an extra).")
]
Seed = Annotated[int, typer.Option("--seed", metavar="N", help="Of the draw: the same seed draws the same.")]


def sweep(
    strategy: Name,
    *,
    data: Data = None,
    venue: Venue = "",
    symbols: Symbols = None,
    length: Length = "",
    since: Since = None,
    until: Until = None,
    zone: Zone = None,
    span: Span = None,
    leave_out: LeaveOut = None,
    inside: Inside = None,
    over: Over = None,
    score: Score = "sharpe",
    draws: Random = 0,
    guided: Guided = 0,
    seed: Seed = 0,
    workers: Workers = 0,
    capital: Capital = "10000",
    maker: Maker = "0.02",
    taker: Taker = "0.05",
    slippage: Slippage = "0.01",
    leverage: Leverage = 1,
    size: Size = None,
    stop: Stop = None,
    take: Take = None,
    trail: Trail = None,
    as_json: Json = False,
) -> None:
    """Try many combinations of parameters. Ctrl-C keeps what is done; the same command goes on where it stopped.

    Beside the winner stands what luck alone would reach after every trial that was ever made with this strategy, how
    often the best of one half of history was below the middle in the other half, and whether its neighbours are good.
    """
    from pilothouse.backtest.search import search
    from pilothouse.backtest.search_files import SearchFile
    from pilothouse.backtest.trials import Trial, Trials
    from pilothouse.backtest.verdict import weigh
    from pilothouse.cli import backtest_data, show, talk
    from pilothouse.wiring.backtest_run import FOLDER, TRIALS
    from pilothouse.wiring.backtest_search import Tried, chosen, fresh, told_search

    settings = talk.settings()
    asked = backtest_data.asked(data, venue, symbols, length, zone, span, since, until, leave_out=leave_out)
    money = (capital, maker, taker, slippage, leverage)
    tried = Tried(tuple(over or ()), draws, seed, score, guided)
    ready = _plan(strategy, asked, tried, money, (size, stop, take, trail), inside)
    ledger = Trials(settings.data / FOLDER / TRIALS)
    stopped = False
    folder = settings.data / FOLDER / "searches"
    with SearchFile(folder, ready.name) as file, _progress(ready.count, as_json=as_json) as told:
        try:
            many = workers or os.cpu_count() or 1
            learnt = chosen(ready, dict(file.known), workers=many) if guided else None
            for outcome in learnt or search(ready.task, fresh(ready, file.known, told), workers=many):
                file.add(outcome)
                told(1)
        except KeyboardInterrupt:
            stopped = True
    outcomes = list(file.known.values())
    count = ledger.count(strategy, (Trial(each.name, each.sharpe) for each in outcomes if not each.error))
    verdict = weigh(outcomes, score, ledger.sharpes(strategy), count)
    found = told_search(verdict, score, ready, stopped=stopped)
    show.out(found, as_json=as_json, draw=lambda screen: _draw(screen, verdict, found, score))
    if stopped:
        raise typer.Exit(130)


def walkforward(
    strategy: Name,
    *,
    data: Data = None,
    venue: Venue = "",
    symbols: Symbols = None,
    length: Length = "",
    since: Since = None,
    until: Until = None,
    zone: Zone = None,
    span: Span = None,
    leave_out: LeaveOut = None,
    inside: Inside = None,
    over: Over = None,
    train: Annotated[int, typer.Option("--train", metavar="BARS", help="Length of a lesson.")],
    test: Annotated[int, typer.Option("--test", metavar="BARS", help="Length of an examination.")],
    anchored: Annotated[bool, typer.Option("--anchored", help="Lessons begin with the first bar and grow.")] = False,
    purge: Annotated[int, typer.Option("--purge", metavar="BARS", help="Left out between the two.")] = 0,
    score: Score = "sharpe",
    draws: Random = 0,
    seed: Seed = 0,
    workers: Workers = 0,
    capital: Capital = "10000",
    maker: Maker = "0.02",
    taker: Taker = "0.05",
    slippage: Slippage = "0.01",
    leverage: Leverage = 1,
    size: Size = None,
    stop: Stop = None,
    take: Take = None,
    trail: Trail = None,
    as_json: Json = False,
) -> None:
    """Search in each lesson, trade the winner in the time behind it, and show what that would have earned."""
    from pilothouse.backtest.splits import walk_forward
    from pilothouse.backtest.walk import walk
    from pilothouse.cli import backtest_data, show
    from pilothouse.wiring.backtest_search import Tried, told_walk

    asked = backtest_data.asked(data, venue, symbols, length, zone, span, since, until, leave_out=leave_out)
    money = (capital, maker, taker, slippage, leverage)
    ready = _plan(
        strategy, asked, Tried(tuple(over or ()), draws, seed, score), money, (size, stop, take, trail), inside
    )
    splits = walk_forward(ready.bars, train=train, test=test, anchored=anchored, purge=purge)
    with _progress(ready.count * len(splits), as_json=as_json) as told:
        found = walk(
            ready.task, list(ready.combinations), splits, score, workers=workers or os.cpu_count() or 1, told=told
        )
    shown = told_walk(found, score)
    show.out(shown, as_json=as_json, draw=lambda screen: _draw_walk(screen, found, shown, score))


def _plan(
    name: str,
    asked: "Asked",
    tried: "Tried",
    money: tuple[str, str, str, str, int],
    rules: tuple[str | None, str | None, str | None, str | None],
    inside: str | None,
) -> "Plan":
    from pilothouse.backtest.request import Wish
    from pilothouse.backtest.words import amount, changed_rules, costs
    from pilothouse.cli import backtest_data, talk
    from pilothouse.wiring.backtest_search import plan
    from pilothouse.wiring.strategies import named

    described = named(talk.settings(), name)
    found = backtest_data.find(talk.settings(), asked, inside)
    capital, maker, taker, slippage, leverage = money
    wish = Wish(
        strategy=name, version=described.version, params={}, venue=found.venue, timeframe=found.timeframe,
        capital=amount(capital, "capital"), leverage=leverage, costs=costs(maker, taker, slippage),
    )  # fmt: skip
    return plan(described, wish, found, lambda own: changed_rules(own, *rules), tried)


@contextmanager
def _progress(count: int, *, as_json: bool) -> Iterator[Callable[[int], None]]:
    """Yield what moves a bar on standard error, with the time that is left; nothing moves for scripts."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from pilothouse.cli import show

    columns = (TextColumn("trials"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=show.complaints(), disable=as_json, transient=True) as shown:
        task = shown.add_task("trials", total=count)
        yield lambda done: shown.advance(task, done)


def _draw(screen: "Console", verdict: "Verdict", told: dict[str, Any], score: str) -> None:
    from rich.table import Table

    from pilothouse.backtest.metrics import CATALOGUE
    from pilothouse.backtest.report import shown

    units = {metric.name: metric.unit for metric in CATALOGUE}
    names = list(dict.fromkeys([score, "total_return", "max_drawdown", "sharpe", "trades"]))
    varied = [
        name
        for name in (verdict.best[0].params if verdict.best else {})
        if len({each.params[name] for each in verdict.best}) > 1
    ]
    table = Table(box=None, pad_edge=False)
    for head in (*varied, *names):
        table.add_column(head.replace("_", " "), justify="right")
    for each in verdict.best[:10]:
        numbers = (shown(units[name], each.metrics.get(name)) for name in names)
        table.add_row(*(str(each.params[name]) for name in varied), *numbers)
    screen.print(table)
    if told["stopped"]:
        screen.print(
            f"stopped after {told['trials']:,} of {told['combinations']:,}: the same command goes on", style="yellow"
        )
    if told["failed"]:
        screen.print(f"{told['failed']:,} could not be run, such as: {next(e.error for e in verdict.best if e.error)}")
    if told["luck"]:
        screen.print(told["luck"])
    if told["overfit_probability"] is not None:
        share, loss = f"{told['overfit_probability']:.0%}", f"{told['overfit_loss']:.0%}"
        halves = "Chosen in one half of history, the best was below the middle in the other half"
        screen.print(f"{halves} in {share} of splits, and lost in {loss}.")
    if told["steadiness"] is not None:
        screen.print(
            f"Its neighbours reach {told['steadiness']:.0%} of it on average: near 100% is a plateau, near 0% a needle."
        )
    ways = {"compiled": "compiled", "turns": "turn by turn"}
    if told["engines"]:
        screen.print(
            "ran " + ", ".join(f"{count:,} {ways[name]}" for name, count in told["engines"].items()), style="dim"
        )
    for note in told["notes"]:
        screen.print(note, style="dim")


def _draw_walk(screen: "Console", found: "Walk", told: dict[str, Any], score: str) -> None:
    from rich.table import Table

    from pilothouse.backtest.metrics import CATALOGUE
    from pilothouse.backtest.report import shown

    unit = next(metric.unit for metric in CATALOGUE if metric.name == score)
    table = Table(box=None, pad_edge=False)
    for head in ("bars", "chosen", f"{score} in the lesson", f"{score} behind it", "return behind it"):
        table.add_column(head)
    for step in found.steps:
        first, end = step.split.test[0]
        chosen = ", ".join(f"{name} {value}" for name, value in step.learned.params.items())
        table.add_row(
            f"{first} to {end}", chosen, shown(unit, step.learned.metrics.get(score)),
            shown(unit, step.examined.metrics.get(score)), shown("share", step.examined.metrics.get("total_return")),
        )  # fmt: skip
    screen.print(table)
    if not found.steps:
        screen.print("Nothing traded in any lesson, so nothing was traded behind them.", style="yellow")
        return
    screen.print(f"Behind the lessons, one after the other: {shown('share', told['total_return'])}.")
    if found.efficiency is not None:
        screen.print(f"That is {found.efficiency:.0%} of what the winners earned in their lessons, per year.")
