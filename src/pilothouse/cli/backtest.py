"""`pilothouse backtest`: run a strategy over history, and look at what came out."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pilothouse.cli.backtest_options import CANDLES, WISHES, takes
from pilothouse.cli.options import Json

if TYPE_CHECKING:
    from rich.console import Console

    from pilothouse.backtest.chance import Fan
    from pilothouse.backtest.shelf import Card, Kept, Shelf

app = typer.Typer(
    help="Run strategies over history: run, list, show, compare, chance, export, report.", no_args_is_help=True
)

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
            help="Keep every order too; by default of runs of up to 30,000 bars. A run that is found gets them added.",
        ),
    ] = None,
    as_json: Json = False,
    **said: Any,
) -> None:
    """Run a strategy over candles. The same run is found again instead of being made anew."""
    import gc

    # A process that runs once and ends: what it loads is no garbage, and looking for some costs a tenth of its time.
    gc.set_threshold(200_000)

    from pilothouse.cli import environment, show
    from pilothouse.cli.backtest_asked import request_of
    from pilothouse.wiring.backtest_run import carry_out
    from pilothouse.wiring.backtest_wishes import changed_by, wish_of
    from pilothouse.wiring.strategies import named

    settings = environment.settings()
    described = named(settings, strategy)
    request = request_of(settings, described, said)
    wish = wish_of(request, described)
    done = carry_out(settings, described, wish, request.found, changed_by(request), orders=orders)
    if report is not None:
        _write_page(report, _shelf().get(done.card.name))
    told = _told(done.card) | {"found": done.found, "seconds": round_ms(done.seconds)}
    show.out(told, as_json=as_json, draw=lambda screen: _draw(screen, done.card, found=done.found, page=report))


@app.command("list")
def list_runs(
    *,
    strategy: Annotated[str, typer.Option("--strategy", metavar="NAME", help="Only of this one.")] = "",
    most: Annotated[int, typer.Option("--most", metavar="N", help="At most so many, the newest first.")] = 50,
    as_json: Json = False,
) -> None:
    """List the backtests that are kept."""
    from itertools import islice

    from pilothouse.cli import show
    from pilothouse.strategies.names import spelled

    every, wanted = _shelf().cards(), spelled(strategy)
    cards = [card for card in every if not wanted or spelled(str(card.told.get("strategy"))) == wanted]
    found = list(islice(cards, most))
    show.out([_told(card) for card in found], as_json=as_json, draw=lambda screen: _draw_list(screen, found))


@app.command("show")
def show_run(name: Name, *, as_json: Json = False) -> None:
    """Show one backtest with every metric."""
    from pilothouse.cli import show

    shelf = _shelf()
    card = shelf.card(shelf.named(name))
    show.out(_told(card), as_json=as_json, draw=lambda screen: _draw(screen, card, found=False, page=None, whole=True))


@app.command("compare")
def compare(
    names: Annotated[list[str], typer.Argument(metavar="NAME NAME...", help="Two backtests or more.")],
    *,
    as_json: Json = False,
) -> None:
    """Set several backtests side by side."""
    from pilothouse.cli import show

    shelf = _shelf()
    cards = [shelf.card(shelf.named(name)) for name in names]
    show.out([_told(card) for card in cards], as_json=as_json, draw=lambda screen: _draw_beside(screen, cards))


@app.command("export")
def export(
    name: Name,
    *,
    what: Annotated[
        str,
        typer.Option(
            "--what", metavar="WHAT", help="trades, orders, fills, daily, monthly, yearly, equity, all (JSON)."
        ),
    ] = "trades",
    out: Annotated[Path | None, typer.Option("--out", "-o", metavar="FILE", help=".csv, .parquet or .json.")] = None,
) -> None:
    """Write trades, orders, fills, periods or equity to a file, or to standard output as CSV."""
    import sys

    from pilothouse.backtest.contents import content

    kept = _shelf().get(_shelf().named(name))
    kind = out.suffix.lower() if out else ".csv"
    written = content(kept, what, kind)
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
    """Take a kept backtest away. Its trial stays counted."""
    shelf = _shelf()
    whole = shelf.named(name)
    shelf.remove(whole)
    print(f"{whole[:12]} is gone")


def _shelf() -> "Shelf":
    from pilothouse.backtest.shelf import Shelf
    from pilothouse.cli import environment
    from pilothouse.wiring.backtest_run import FOLDER

    return Shelf(environment.settings().data / FOLDER)


def _write_page(path: Path, kept: "Kept") -> None:
    from pilothouse.backtest.contents import page_of

    path.write_text(page_of(kept), encoding="utf-8")


def round_ms(seconds: float) -> float:
    """Return seconds to the millisecond."""
    return int(seconds * 1_000) / 1_000


def _told(card: "Card") -> dict[str, Any]:
    return {"name": card.name, **card.told, "metrics": card.metrics, "digest": card.digest}


_SHOWN = ("total_return", "cagr", "max_drawdown", "sharpe", "sortino", "profit_factor", "win_rate", "trades", "fees")


def _draw(screen: "Console", card: "Card", *, found: bool, page: Path | None, whole: bool = False) -> None:
    from rich.table import Table

    from pilothouse.backtest.metrics import CATALOGUE
    from pilothouse.backtest.page_parts import COSTLESS, shown

    told = card.told
    screen.print(f"[bold]{told['title']}[/]  {told['params']}")
    screen.print(f"{told['symbol']} {told['timeframe']}, {told['span']}", style="dim")
    if told.get("costless"):
        screen.print(COSTLESS, style="bold red")
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


def _draw_list(screen: "Console", cards: "list[Card]") -> None:
    from rich.table import Table

    from pilothouse.backtest.page_parts import shown

    if not cards:
        screen.print("no backtest is kept yet: pilothouse backtest run ema-cross --data FILE")
        return
    table = Table(box=None, pad_edge=False)
    for head in ("name", "strategy", "symbol", "bars", "return", "drawdown", "sharpe", "trades"):
        table.add_column(head, justify="left" if head in {"name", "strategy", "symbol", "bars"} else "right")
    for card in cards:
        m = card.metrics
        table.add_row(
            card.name[:12], card.told["strategy"], card.told["symbol"], card.told["timeframe"],
            shown("share", m.get("total_return")), shown("share", m.get("max_drawdown")),
            shown("ratio", m.get("sharpe")), shown("count", m.get("trades")),
        )  # fmt: skip
    screen.print(table)


def _draw_beside(screen: "Console", cards: "list[Card]") -> None:
    from rich.table import Table

    from pilothouse.backtest.metrics import CATALOGUE
    from pilothouse.backtest.page_parts import shown

    table = Table(box=None, pad_edge=False)
    table.add_column("")
    for card in cards:
        table.add_column(f"{card.told['strategy']}\n{card.name[:12]}", justify="right")
    table.add_row("parameters", *(card.told["params"] for card in cards))
    for metric in CATALOGUE:
        table.add_row(metric.label, *(shown(metric.unit, card.metrics.get(metric.name)) for card in cards))
    screen.print(table)
