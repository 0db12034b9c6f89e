"""`pilothouse sweep` and `pilothouse walkforward`: search over parameters without fooling oneself."""

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pilothouse.cli.backtest_options import CANDLES, WISHES, takes
from pilothouse.cli.options import Json

if TYPE_CHECKING:
    from pilothouse.kit.settings import Settings
    from pilothouse.wiring.backtest_search import Plan, Tried

Name = Annotated[str, typer.Argument(metavar="STRATEGY", help="Its name: pilothouse strategy list.")]
Over = Annotated[
    list[str] | None,
    typer.Option(
        "--over",
        "-o",
        metavar="WHAT",
        help="fast=5..50:5, slow=20,50,100, or fast for its declared steps. Without it: all that -p does not fix.",
        rich_help_panel="Search",
    ),
]
Score = Annotated[
    str,
    typer.Option(
        "--score", metavar="METRIC", help="What is searched for: sharpe, calmar ...", rich_help_panel="Search"
    ),
]
Workers = Annotated[
    int, typer.Option("--workers", metavar="N", help="Processes; 0: one for each core.", rich_help_panel="Search")
]
Random = Annotated[
    int,
    typer.Option(
        "--random", metavar="N", help="Draw so many combinations instead of trying all.", rich_help_panel="Search"
    ),
]
Guided = Annotated[
    int,
    typer.Option(
        "--optuna",
        metavar="N",
        help="Let Optuna choose so many, which learns from each (an extra).",
        rich_help_panel="Search",
    ),
]
Seed = Annotated[
    int,
    typer.Option("--seed", metavar="N", help="Of the draw: the same seed draws the same.", rich_help_panel="Search"),
]
Bars = Annotated[int, typer.Option("--train", metavar="BARS", help="Length of a lesson.", rich_help_panel="Search")]
Test = Annotated[
    int, typer.Option("--test", metavar="BARS", help="Length of an examination.", rich_help_panel="Search")
]
Folds = Annotated[
    int,
    typer.Option(
        "--folds",
        metavar="N",
        help="Instead of a walk: N parts, each examined once and taught by all others.",
        rich_help_panel="Search",
    ),
]
Embargo = Annotated[
    int,
    typer.Option(
        "--embargo", metavar="BARS", help="With --folds: left out behind each of them.", rich_help_panel="Search"
    ),
]
Anchored = Annotated[
    bool, typer.Option("--anchored", help="Lessons begin with the first bar and grow.", rich_help_panel="Search")
]
Report = Annotated[
    Path | None,
    typer.Option("--report", metavar="FILE", help="Write a page too: map, trials, luck.", rich_help_panel="Search"),
]
Out = Annotated[
    Path | None,
    typer.Option(
        "--out", metavar="FILE", help="Write every trial too: .csv, .parquet or .json.", rich_help_panel="Search"
    ),
]
Purge = Annotated[
    int, typer.Option("--purge", metavar="BARS", help="Left out between the two.", rich_help_panel="Search")
]


@takes(CANDLES, WISHES)
def sweep(
    strategy: Name,
    *,
    over: Over = None,
    score: Score = "sharpe",
    draws: Random = 0,
    guided: Guided = 0,
    seed: Seed = 0,
    workers: Workers = 0,
    report: Report = None,
    out: Out = None,
    as_json: Json = False,
    **said: Any,
) -> None:
    """Try many combinations of parameters. Ctrl-C keeps what is done; the same command goes on where it stopped.

    Beside the winner stands what luck alone would reach after every trial that was ever made with this strategy, how
    often the best of one half of history was below the middle in the other half, and whether its neighbours are good.
    """
    from pilothouse.backtest.search import search
    from pilothouse.backtest.search_files import SearchFile
    from pilothouse.backtest.search_shelf import SWEEP
    from pilothouse.backtest.trials import Trials
    from pilothouse.backtest.verdict import weigh
    from pilothouse.cli import environment, show
    from pilothouse.cli.searches import draw_search
    from pilothouse.wiring.backtest_pages import page_of_search, trials_file
    from pilothouse.wiring.backtest_run import FOLDER, TRIALS
    from pilothouse.wiring.backtest_search import SEARCHES, Tried, chosen, fresh, keep_search, told_search, trials_in

    settings = environment.settings()
    ready = _plan(settings, strategy, said, Tried(tuple(over or ()), draws, seed, score, guided))
    ledger = Trials(settings.data / FOLDER / TRIALS)
    stopped = False
    folder = settings.data / FOLDER / SEARCHES
    with (
        environment.private_files(),
        SearchFile(folder, ready.name) as file,
        _progress(ready.count, as_json=as_json) as told,
    ):
        try:
            many = workers or os.cpu_count() or 1
            learnt = chosen(ready, dict(file.known), workers=many) if guided else None
            for outcome in learnt or search(ready.task, fresh(ready, file.known, told), workers=many):
                file.add(outcome)
                told(1)
        except KeyboardInterrupt:
            stopped = True
    outcomes = list(file.known.values())
    counted = ready.task.spec.strategy  # as it calls itself, however it was typed
    with environment.private_files():
        count = ledger.count(counted, trials_in(outcomes))
        verdict = weigh(outcomes, score, ledger.sharpes(counted), count)
        found = told_search(verdict, score, ready, stopped=stopped)
        kept = keep_search(settings, SWEEP, ready, {"optuna": guided}, found)
    if report is not None:
        report.write_text(page_of_search(verdict, found, ready.task.spec.canonical()), encoding="utf-8")
    if out is not None:
        out.write_bytes(trials_file(verdict.best, out.suffix.lower()))
    show.out({"name": kept.name, **found}, as_json=as_json, draw=lambda screen: draw_search(screen, kept))
    if stopped:
        raise typer.Exit(130)


@takes(CANDLES, WISHES)
def walkforward(
    strategy: Name,
    *,
    over: Over = None,
    train: Bars = 0,
    test: Test = 0,
    anchored: Anchored = False,
    folds: Folds = 0,
    purge: Purge = 0,
    embargo: Embargo = 0,
    score: Score = "sharpe",
    draws: Random = 0,
    seed: Seed = 0,
    workers: Workers = 0,
    report: Report = None,
    as_json: Json = False,
    **said: Any,
) -> None:
    """Search in each lesson, trade the winner in the time behind it, and show what that would have earned.

    Ctrl-C keeps what is done; the same command goes on where it stopped.
    """
    from dataclasses import asdict

    from pilothouse.backtest.search_shelf import WALK
    from pilothouse.cli import environment, show
    from pilothouse.cli.searches import draw_walk
    from pilothouse.wiring.backtest_pages import page_of_walk
    from pilothouse.wiring.backtest_search import Lessons, Tried, keep_search, told_walk, walked

    settings = environment.settings()
    ready = _plan(settings, strategy, said, Tried(tuple(over or ()), draws, seed, score))
    how = Lessons(train, test, anchored, purge, folds, embargo)
    splits = how.splits(ready)
    whole, done = ready.count * how.pieces(splits), 0

    def one_more(more: int) -> None:
        nonlocal done
        done += more
        told(more)

    try:
        with environment.private_files(), _progress(whole, as_json=as_json) as told:
            found, count = walked(settings, ready, splits, one_more, workers=workers or os.cpu_count() or 1)
    except KeyboardInterrupt:
        show.complaints().print(f"stopped after {done:,} of {whole:,} trials: the same command goes on", style="yellow")
        raise typer.Exit(130) from None
    shown = told_walk(found, ready, count)
    with environment.private_files():
        kept = keep_search(settings, WALK, ready, asdict(how), shown)
    if report is not None:
        report.write_text(page_of_walk(shown, ready.task.spec.canonical()), encoding="utf-8")
    show.out({"name": kept.name, **shown}, as_json=as_json, draw=lambda screen: draw_walk(screen, kept))


def _plan(settings: "Settings", name: str, said: Mapping[str, Any], tried: "Tried") -> "Plan":
    from pilothouse.cli.backtest_asked import request_of
    from pilothouse.wiring.backtest_search import plan
    from pilothouse.wiring.backtest_wishes import changed_by, wish_of
    from pilothouse.wiring.strategies import named

    described = named(settings, name)
    request = request_of(settings, described, said)
    return plan(described, wish_of(request, described), request.found, changed_by(request), tried)


@contextmanager
def _progress(count: int, *, as_json: bool) -> Iterator[Callable[[int], None]]:
    """Yield what moves a bar on standard error, with the time that is left; nothing moves for scripts."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TimeRemainingColumn
    from rich.text import Text

    from pilothouse.backtest.pace import COMPILING
    from pilothouse.cli import show
    from pilothouse.strategies.indicators.compiling import is_compiling

    class Words(ProgressColumn):
        """Says why nothing moves yet, where that is so."""

        def render(self, task: Task) -> Text:
            """Return what is done now."""
            return Text(COMPILING if is_compiling() else task.description)

    columns = (Words(), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=show.complaints(), disable=as_json, transient=True) as shown:
        task = shown.add_task("trials", total=count)
        yield lambda done: shown.advance(task, done)
