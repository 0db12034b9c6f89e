"""`pilothouse strategy`: what strategies there are, and whether one looks into the future."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from pilothouse.cli.backtest import Data, Given, LeaveOut, Length, Since, Span, Symbols, Until, Venue, Zone
from pilothouse.cli.options import Json

if TYPE_CHECKING:
    from rich.console import Console

    from pilothouse.strategies.foresight import Verdict
    from pilothouse.strategies.registry import Described

app = typer.Typer(help="Strategies: list, show, check.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(metavar="STRATEGY", help="Its name, as `strategy list` shows it.")]


@app.command("list")
def list_strategies(*, as_json: Json = False) -> None:
    """List every strategy that can be run."""
    from pilothouse.cli import show
    from pilothouse.strategies.registry import BUILT_IN

    found = [_told(described) for described in BUILT_IN.values()]
    show.out(found, as_json=as_json, draw=lambda screen: _draw_list(screen, found))


@app.command("show")
def show_strategy(name: Name, *, as_json: Json = False) -> None:
    """Show one strategy: what it does, when it fails, and its parameters."""
    from pilothouse.cli import show
    from pilothouse.strategies.registry import find

    described = find(name)
    told = _told(described) | {"rule": described.rule, "schema": described.schema}
    show.out(told, as_json=as_json, draw=lambda screen: _draw(screen, told))


@app.command("check")
def check(
    name: Name,
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
    given: Given = None,
    as_json: Json = False,
) -> None:
    """Say whether a strategy looks into the future, on candles of your choice; exit code 1 if it does.

    Its signals are computed again on beginnings of the data, and every column is compared: entries, exits, sizes.
    """
    from dataclasses import asdict

    from pilothouse.cli import backtest_data, show, talk
    from pilothouse.cli.backtest import pairs
    from pilothouse.core.errors import Refused
    from pilothouse.strategies import foresight
    from pilothouse.strategies.parameters import resolve
    from pilothouse.strategies.registry import find
    from pilothouse.strategies.sdk import Columns

    asked = backtest_data.Asked(
        tuple(data or ()), venue, tuple(symbols or ()), length, zone, span, tuple(leave_out or ()), since, until
    )
    strategy = find(name).strategy
    if not isinstance(strategy, Columns):
        raise Refused(
            f"{name} is written in turns: it is handed one closed candle at a time and cannot see a later one"
        )
    found = backtest_data.find(talk.settings(), asked)
    symbol = next(iter(found.candles))
    others = {other: candles for other, candles in found.candles.items() if other != symbol}
    params = resolve(strategy.parameters, pairs(given or [], "param"))
    verdict = foresight.check(strategy, params, found.candles[symbol], others)
    told = asdict(verdict) | {"honest": verdict.honest}
    show.out(told, as_json=as_json, draw=lambda screen: _draw_verdict(screen, name, verdict))
    if not verdict.honest:
        raise typer.Exit(1)


def _told(described: "Described") -> dict[str, Any]:
    return {
        "name": described.name,
        "title": described.strategy.title,
        "kind": described.kind,
        "instruments": described.instruments,
        "written": described.written,
        "idea": described.idea,
        "fails": described.fails,
        "version": described.version,
    }


def _draw_list(screen: "Console", found: list[dict[str, Any]]) -> None:
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for head in ("name", "kind", "title"):
        table.add_column(head)
    for each in found:
        table.add_row(each["name"], each["kind"], each["title"])
    screen.print(table)


def _draw(screen: "Console", told: dict[str, Any]) -> None:
    from rich.table import Table

    screen.print(f"[bold]{told['title']}[/]  {told['kind']}, {told['instruments']}, by {told['written']}")
    screen.print(told["rule"])
    screen.print(f"\n{told['idea']}")
    screen.print(f"\n[bold]When it fails.[/] {told['fails']}\n")
    table = Table(box=None, pad_edge=False)
    for head in ("parameter", "default", "allowed", "what it is"):
        table.add_column(head)
    for name, one in told["schema"]["properties"].items():
        allowed = ", ".join(map(str, one.get("enum", ()))) or f"{one.get('minimum', '')} to {one.get('maximum', '')}"
        if one["type"] == "boolean":
            allowed = "true, false"
        table.add_row(name, str(one["default"]), allowed, one.get("description", one["title"]))
    screen.print(table)


def _draw_verdict(screen: "Console", name: str, verdict: "Verdict") -> None:
    if verdict.honest:
        said = f"{verdict.signals:,} signals, compared with {verdict.cuts} beginnings of the data"
        screen.print(f"{name} says at each bar what it would have said without the bars behind it: {said}")
        if not verdict.signals:
            screen.print("It said nothing on these candles, so nothing was shown about it.", style="bold yellow")
        return
    for finding in verdict.findings:
        screen.print(str(finding), style="bold red", markup=False)
