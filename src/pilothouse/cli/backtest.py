"""`pilothouse backtest`: run a strategy over history, and look at what came out."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pilothouse.cli.backtest_options import CANDLES, WISHES, takes
from pilothouse.cli.backtest_warm import warm
from pilothouse.cli.options import Json

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import Console

    from pilothouse.backtest.chance import Fan
    from pilothouse.backtest.search_shelf import KeptSearch, SearchShelf
    from pilothouse.backtest.shelf import Card, Kept, Shelf

app = typer.Typer(
    help="Run strategies over history: run, list, show, compare, chance, export, report.", no_args_is_help=True
)

app.command("warm")(warm)

_RUN = "run"
_SEARCHES = ("sweep", "walkforward")

Name = Annotated[str, typer.Argument(metavar="NAME", help="A kept backtest, by the first letters of its name.")]


@app.command("run")
@takes(CANDLES, WISHES)
def run(
    strategy: Annotated[str, typer.Argument(metavar="STRATEGY", help="Its name: pilothouse strategy list.")],
    *,
    report: Annotated[Path | None, typer.Option("--report", metavar="FILE", help="Write the page here too.")] = None,
    orders: Annotated[
        bool | None,
        typer.Option(
            "--orders/--no-orders",
            show_default=False,
            help="Keep every order too; by default of runs of up to 30,000 bars. A run that is found gets them added, "
            "and export works them out when they are asked for.",
        ),
    ] = None,
    as_json: Json = False,
    **said: Any,
) -> None:
    """Run a strategy over candles. The same run is found again instead of being made anew."""
    import gc

    # A process that runs once and ends: what it loads is no garbage, and looking for some costs a tenth of its time.
    gc.set_threshold(200_000)

    from pilothouse.backtest.pace import Pace
    from pilothouse.cli import backtest_orders, environment, show
    from pilothouse.cli.backtest_asked import request_of
    from pilothouse.cli.underway import shown
    from pilothouse.wiring.backtest_run import carry_out
    from pilothouse.wiring.backtest_wishes import changed_by, wish_of
    from pilothouse.wiring.strategies import named

    settings, pace = environment.settings(), Pace()
    with shown(pace, as_json=as_json), environment.private_files():
        pace.at("reading candles")
        described = named(settings, strategy)
        request = request_of(settings, described, said)
        wish = wish_of(request, described)
        done = carry_out(settings, described, wish, request.found, changed_by(request), orders=orders, pace=pace)
        backtest_orders.remember(settings, done.card.name, strategy, said, request)
    if report is not None:
        _write_page(report, _shelf().get(done.card.name))
    told = _told(done.card) | {"found": done.found, "seconds": round_ms(done.seconds)}
    show.out(told, as_json=as_json, draw=lambda screen: _draw(screen, done.card, found=done.found, page=report))


@app.command("list")
def list_runs(
    *,
    strategy: Annotated[str, typer.Option("--strategy", metavar="NAME", help="Only of this one.")] = "",
    kind: Annotated[str, typer.Option("--kind", metavar="KIND", help="Only run, sweep or walkforward.")] = "",
    most: Annotated[int, typer.Option("--most", metavar="N", help="At most so many, the newest first.")] = 50,
    as_json: Json = False,
) -> None:
    """List the backtests that are kept: runs, sweeps and walks forward."""
    from heapq import merge
    from itertools import islice

    from pilothouse.backtest.shelf import Card
    from pilothouse.cli import searches, show
    from pilothouse.core.errors import Invalid, Problem
    from pilothouse.strategies.names import spelled

    wanted, kinds = spelled(strategy), {kind} if kind else {_RUN, *_SEARCHES}
    if not kinds <= {_RUN, *_SEARCHES}:
        raise Invalid([Problem("kind", f"{kind[:40]!r} came", f"one of {', '.join((_RUN, *_SEARCHES))}", "unknown")])
    runs: Iterator[tuple[int, Card | KeptSearch]] = _shelf().dated() if _RUN in kinds else iter(())
    both = merge(runs, _searches().every(), key=lambda each: -each[0])
    every = (
        each for _, each in both
        if (isinstance(each, Card) or each.kind in kinds) and (not wanted or spelled(_strategy(each)) == wanted)
    )  # fmt: skip
    found = list(islice(every, most))
    told = [_told(each) if isinstance(each, Card) else searches.told_of(each) for each in found]
    show.out(told, as_json=as_json, draw=lambda screen: _draw_list(screen, found))


@app.command("show")
def show_run(name: Name, *, as_json: Json = False) -> None:
    """Show one backtest with every metric; of a sweep its best trials, of a walk forward its lessons."""
    from pilothouse.cli import searches, show

    search = _search(name)
    if search is not None:
        show.out(searches.told_of(search), as_json=as_json, draw=lambda screen: searches.draw_found(screen, search))
        return
    shelf = _shelf()
    card = shelf.card(shelf.named(name))
    show.out(_told(card), as_json=as_json, draw=lambda screen: _draw(screen, card, found=False, page=None, whole=True))


@app.command("compare")
def compare(
    names: Annotated[list[str], typer.Argument(metavar="NAME NAME...", help="Two backtests or more.")],
    *,
    as_json: Json = False,
) -> None:
    """Set several backtests side by side: runs, walks forward (behind their lessons), sweeps (their best trial)."""
    from pilothouse.backtest.shelf import Card
    from pilothouse.cli import searches, show

    shelf = _shelf()
    found = [_search(name) or shelf.card(shelf.named(name)) for name in names]
    told = [_told(each) if isinstance(each, Card) else searches.told_of(each) for each in found]
    show.out(told, as_json=as_json, draw=lambda screen: _draw_beside(screen, found))


@app.command("export")
def export(
    name: Name,
    *,
    what: Annotated[
        str,
        typer.Option(
            "--what",
            metavar="WHAT",
            show_default=False,
            help="trades (default), orders, fills, daily, monthly, yearly, equity, all (JSON). Of a sweep its trials; "
            "of a walk forward steps (default) or returns.",
        ),
    ] = "",
    orders: Annotated[bool, typer.Option("--orders", help="The same as --what orders.", show_default=False)] = False,
    out: Annotated[Path | None, typer.Option("--out", "-o", metavar="FILE", help=".csv, .parquet or .json.")] = None,
) -> None:
    """Write trades, orders, fills, periods or equity to a file, or to standard output as CSV.

    Orders of a long run that was kept without them are worked out by running it once more, turn by turn.
    """
    import sys

    from pilothouse.backtest.contents import content
    from pilothouse.cli import backtest_orders, environment
    from pilothouse.wiring.backtest_pages import search_file

    kind = out.suffix.lower() if out else ".csv"
    search = _search(name)
    if orders:
        what = "orders" if what in {"", "orders"} else _both(what)
    if search is not None:
        written = search_file(environment.settings(), search, what, kind)
    else:
        shelf = _shelf()
        whole = shelf.named(name)
        if what == "orders" and not shelf.has_orders(whole):
            backtest_orders.work_out(environment.settings(), whole)
        written = content(shelf.get(whole), what or "trades", kind)
    if out is None:
        sys.stdout.buffer.write(written)
        return
    out.write_bytes(written)
    print(f"{out}: {len(written):,} bytes")


@app.command("report")
def report_run(
    name: Name,
    *,
    out: Annotated[Path | None, typer.Option("--out", "-o", metavar="FILE", help="Without it: NAME.html here.")] = None,
) -> None:
    """Write the page of one backtest: it needs no server and no network."""
    search = _search(name)
    if search is not None:
        from pilothouse.cli import environment
        from pilothouse.wiring.backtest_pages import page_of_kept

        path = out or Path(f"{search.name[:12]}.html")
        path.write_text(page_of_kept(environment.settings(), search), encoding="utf-8")
        print(path)
        return
    shelf = _shelf()
    kept = shelf.get(shelf.named(name))
    path = out or Path(f"{kept.card.name[:12]}.html")
    _write_page(path, kept)
    print(path)


@app.command("chance")
def chance(
    name: Name,
    *,
    runs: Annotated[int, typer.Option("--runs", metavar="N", help="How many other lives are drawn.")] = 1_000,
    seed: Annotated[int, typer.Option("--seed", metavar="N", help="The same seed draws the same.")] = 0,
    block: Annotated[float, typer.Option("--block", metavar="DAYS", help="Mean length of what stays together.")] = 20.0,
    as_json: Json = False,
) -> None:
    """Draw other lives of one backtest: its trades drawn anew, its trades in another order, its days in blocks."""
    from dataclasses import asdict

    from pilothouse.backtest.chance import of_returns, of_trades
    from pilothouse.backtest.curves import returns_of
    from pilothouse.cli import show

    shelf = _shelf()
    result = shelf.get(shelf.named(name)).result
    start, results = float(result.money(result.capital)), result.table().result
    returns, _ = returns_of(result.curve())
    fans = {
        "trades drawn anew": of_trades(results, start, runs=runs, seed=seed),
        "trades in another order": of_trades(results, start, runs=runs, seed=seed, replace=False),
        "days in blocks": of_returns(returns, start, runs=runs, seed=seed, block=block),
    }
    told = {words.replace(" ", "_"): asdict(fan) for words, fan in fans.items()}
    show.out(told, as_json=as_json, draw=lambda screen: _draw_fans(screen, fans))


@app.command("remove")
def remove(name: Name) -> None:
    """Take a kept backtest away. Its trials stay counted."""
    search = _search(name)
    if search is not None:
        _searches().remove(search.name)
        print(f"{search.name[:12]} is gone")
        return
    shelf = _shelf()
    whole = shelf.named(name)
    shelf.remove(whole)
    print(f"{whole[:12]} is gone")


def _shelf() -> "Shelf":
    from pilothouse.backtest.shelf import Shelf
    from pilothouse.cli import environment
    from pilothouse.wiring.backtest_run import FOLDER

    return Shelf(environment.settings().data / FOLDER)


def _searches() -> "SearchShelf":
    from pilothouse.cli import environment
    from pilothouse.wiring.backtest_search import shelf_of

    return shelf_of(environment.settings())


def _search(name: str) -> "KeptSearch | None":
    """Return the sweep or walk forward of a name; None where it is a run's, or nobody's. Raises Invalid for several."""
    return _searches().named(name)


def _both(what: str) -> str:
    """Raise Invalid: two tables were asked for in one file."""
    from pilothouse.core.errors import Invalid, Problem

    raise Invalid([Problem("orders", f"beside --what {what[:40]}", "one of the two", "both")])


def _strategy(kept: "Card | KeptSearch") -> str:
    from pilothouse.backtest.shelf import Card

    return str(kept.told.get("strategy")) if isinstance(kept, Card) else kept.strategy


def _write_page(path: Path, kept: "Kept") -> None:
    from pilothouse.backtest.contents import page_of

    path.write_text(page_of(kept), encoding="utf-8")


def round_ms(seconds: float) -> float:
    """Return seconds to the millisecond."""
    return int(seconds * 1_000) / 1_000


def _told(card: "Card") -> dict[str, Any]:
    return {"name": card.name, "kind": _RUN, **card.told, "metrics": card.metrics, "digest": card.digest}


_SHOWN = ("total_return", "cagr", "max_drawdown", "sharpe", "sortino", "profit_factor", "win_rate", "trades", "fees")


def _draw(screen: "Console", card: "Card", *, found: bool, page: Path | None, whole: bool = False) -> None:
    from rich.table import Table

    from pilothouse.backtest.metrics import CATALOGUE
    from pilothouse.backtest.page_parts import COSTLESS, UNFUNDED, shown, underfunded

    told = card.told
    screen.print(f"[bold]{told['title']}[/]  {told['params']}")
    screen.print(f"{told['symbol']} {told['timeframe']}, {told['span']}", style="dim")
    if told.get("costless"):
        screen.print(COSTLESS, style="bold red")
    if told.get("unfunded"):
        screen.print(UNFUNDED, style="bold red")
    if told.get("underfunded"):
        screen.print(underfunded(told["underfunded"]), style="bold red", markup=False)
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 3, 0, 0))
    metrics = [metric for metric in CATALOGUE if whole or metric.name in _SHOWN]
    for metric in metrics:
        table.add_row(metric.label, shown(metric.unit, card.metrics.get(metric.name)), metric.formula if whole else "")
    screen.print(table)
    if told.get("crowded"):
        screen.print(f"{told['crowded']:,} entries found no place, because as many were open as may be.")
    for note in told.get("notes", []):
        screen.print(note, style="dim")
    if told.get("luck"):
        screen.print(told["luck"])
    kept = "found, not run again" if found else "kept"
    if told.get("engine"):
        kept += "; ran compiled" if told["engine"] == "compiled" else "; ran turn by turn"
    screen.print(f"{card.name[:12]}  {kept}; a page: pilothouse backtest report {card.name[:12]}", style="dim")
    if page is not None:
        screen.print(str(page))


def _draw_fans(screen: "Console", fans: "dict[str, Fan]") -> None:
    from rich.table import Table

    from pilothouse.backtest.page_parts import shown

    table = Table(box=None, pad_edge=False)
    for head in ("", "final, 5 %", "50 %", "95 %", "drawdown, 50 %", "95 %", "ends below start", "half is lost"):
        table.add_column(head, justify="right" if head else "left")
    for words, fan in fans.items():
        ends = (f"{fan.final[each]:,.2f}" for each in (5, 50, 95))
        shares = (fan.drawdown[50], fan.drawdown[95], fan.loss, fan.ruin)
        table.add_row(words, *ends, *(shown("share", share) for share in shares))
    screen.print(table)


def _draw_list(screen: "Console", found: "list[Card | KeptSearch]") -> None:
    from rich.table import Table

    from pilothouse.backtest.page_parts import shown
    from pilothouse.backtest.shelf import Card
    from pilothouse.cli import searches

    if not found:
        screen.print("no backtest is kept yet: pilothouse backtest run ema-cross --data FILE")
        return
    table = Table(box=None, pad_edge=False)
    for head in ("name", "strategy", "kind", "symbol", "bars", "return", "drawdown", "sharpe", "trades"):
        table.add_column(head, justify="right" if head in {"return", "drawdown", "sharpe", "trades"} else "left")
    for each in found:
        m, kind = (
            (each.metrics, _RUN) if isinstance(each, Card) else (searches.metrics_of(each), searches.words_of(each))
        )
        table.add_row(
            each.name[:12], _strategy(each), kind, each.told["symbol"], each.told["timeframe"],
            shown("share", m.get("total_return")), shown("share", m.get("max_drawdown")),
            shown("ratio", m.get("sharpe")), shown("count", m.get("trades")),
        )  # fmt: skip
    screen.print(table)


def _draw_beside(screen: "Console", found: "list[Card | KeptSearch]") -> None:
    from rich.table import Table

    from pilothouse.backtest.metrics import CATALOGUE
    from pilothouse.backtest.page_parts import shown
    from pilothouse.backtest.shelf import Card
    from pilothouse.cli import searches

    table = Table(box=None, pad_edge=False)
    table.add_column("")
    for each in found:
        table.add_column(f"{_strategy(each)}\n{each.name[:12]}", justify="right")
    words = (each.told["params"] if isinstance(each, Card) else searches.words_of(each) for each in found)
    table.add_row("parameters", *words)
    metrics = [each.metrics if isinstance(each, Card) else searches.metrics_of(each) for each in found]
    for metric in CATALOGUE:
        table.add_row(metric.label, *(shown(metric.unit, each.get(metric.name)) for each in metrics))
    screen.print(table)
