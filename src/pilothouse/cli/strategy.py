"""`pilothouse strategy`: what strategies there are, and whether one looks into the future."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from pilothouse.cli.backtest_options import Data, Given, LeaveOut, Length, Since, Span, Symbols, Until, Venue, Zone
from pilothouse.cli.options import Json

if TYPE_CHECKING:
    from rich.console import Console

    from pilothouse.strategies.foresight import Verdict
    from pilothouse.strategies.registry import Described

app = typer.Typer(help="Strategies: list, show, new, check, test.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(metavar="STRATEGY", help="Its name, as `strategy list` shows it.")]


@app.command("list")
def list_strategies(*, as_json: Json = False) -> None:
    """List every strategy that can be run."""
    from pilothouse.cli import environment, show
    from pilothouse.wiring.strategies import all_of

    every, broken = all_of(environment.settings())
    found = [_told(described) for described in every]
    for one in broken:
        show.complaints().print(
            f"{one.path.name} is left out: {one.reason}", style="yellow", markup=False, soft_wrap=True
        )
    show.out(found, as_json=as_json, draw=lambda screen: _draw_list(screen, found))


@app.command("show")
def show_strategy(name: Name, *, as_json: Json = False) -> None:
    """Show one strategy: what it does, when it fails, and its parameters."""
    from pilothouse.cli import environment, show
    from pilothouse.wiring.strategies import named

    described = named(environment.settings(), name)
    told = _told(described) | {"rule": described.rule, "schema": described.schema}
    show.out(told, as_json=as_json, draw=lambda screen: _draw(screen, told))


@app.command("new")
def new(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Small letters, digits and _: also its file.")],
) -> None:
    """Write a strategy to begin with into your folder of strategies."""
    import re

    from pilothouse.cli import environment
    from pilothouse.core.errors import Invalid, Problem
    from pilothouse.wiring.strategies import folder_of

    if not re.fullmatch(r"(?!test_)[a-z][a-z0-9_]{0,39}", name):
        allowed = "small letters, digits and _, such as my_cross; test_ begins the file of its tests"
        raise Invalid([Problem("name", f"{name[:40]!r} came", allowed)])
    folder = folder_of(environment.settings())
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = folder / f"{name}.py"
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(_BEGINNING.format(name=name.replace("_", "-"), kind=name.title().replace("_", "")))
    except FileExistsError:
        raise Invalid([Problem("name", f"{path} is there already", "a name of its own", "taken")]) from None
    print(f"{path}\nThen: pilothouse strategy check {name} --data FILE; pilothouse backtest run {name} --data FILE")


_BEGINNING = '''"""What it does, and why that should earn anything."""

from pilothouse.strategies.indicators.averages import ema
from pilothouse.strategies.parameters import whole
from pilothouse.strategies.rules import Distance, Exits, Rules, Size, SizeBy
from pilothouse.strategies.sdk import Columns, Signals, crossed_above, crossed_below


class {kind}(Columns):
    """Long when the fast average crosses above the slow one, out when it crosses back."""

    name = "{name}"
    title = "{kind}"
    parameters = {{"fast": whole(10, 2, 200), "slow": whole(30, 3, 400)}}

    def warm_up(self, p):
        # An average of this kind keeps a trace of older bars: five times its length, and the trace is gone.
        return 5 * p.slow

    def signals(self, view, p):
        fast, slow = ema(view.close, p.fast), ema(view.close, p.slow)
        return Signals(long=crossed_above(fast, slow), leave_long=crossed_below(fast, slow))

    def rules(self, p):
        return Rules(exits=Exits(stop=Distance(2.0)), size=Size(1.0, SizeBy.RISK))
'''


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

    Its signals are computed again on beginnings of the data, and every column is compared: entries, exits, sizes. One
    in turns is run over a beginning and twice over the whole, and what it keeps must be plain data.
    """
    from dataclasses import asdict

    from pilothouse.backtest.exam import FAILED, examine_turns
    from pilothouse.backtest.words import pairs
    from pilothouse.cli import backtest_data, environment, show
    from pilothouse.strategies import foresight
    from pilothouse.strategies.parameters import resolve
    from pilothouse.strategies.sdk import Columns
    from pilothouse.wiring.strategies import named

    asked = backtest_data.asked(data, venue, symbols, length, zone, span, since, until, leave_out=leave_out)
    strategy = named(environment.settings(), name).strategy
    found = backtest_data.find(environment.settings(), asked)
    symbol = next(iter(found.candles))
    others = {other: candles for other, candles in found.candles.items() if other != symbol}
    params = resolve(strategy.parameters, pairs(given or [], "param"))
    if not isinstance(strategy, Columns):
        answers = list(examine_turns(strategy, found.candles, params))
        honest = all(answer.outcome != FAILED for answer in answers)
        said = {"name": name, "honest": honest, "answers": [asdict(each) for each in answers]}
        show.out(said, as_json=as_json, draw=lambda screen: _draw_exam(screen, said))
        if not honest:
            raise typer.Exit(1)
        return
    verdict = foresight.check(strategy, params, found.candles[symbol], others)
    told = asdict(verdict) | {"honest": verdict.honest}
    show.out(told, as_json=as_json, draw=lambda screen: _draw_verdict(screen, name, verdict))
    if not verdict.honest:
        raise typer.Exit(1)


@app.command("test")
def examine(
    name: Name,
    *,
    given: Given = None,
    accept: Annotated[
        bool, typer.Option("--accept", help="Keep what it does now as what is right, for these parameters.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Examine a strategy on a market that comes with the product; exit code 1 if it fails in anything.

    Foresight, whether it does the same twice, the least and most of each parameter, and its golden runs: what it did
    when somebody said that this is right. Then your own tests: the functions test_* of test_NAME.py beside it.
    """
    from dataclasses import asdict

    from pilothouse.backtest.exam import FAILED
    from pilothouse.backtest.words import pairs
    from pilothouse.cli import environment, show
    from pilothouse.wiring import strategy_exams
    from pilothouse.wiring.strategies import named

    described, chosen = named(environment.settings(), name), pairs(given or [], "param")
    kept = strategy_exams.accept(described, chosen) if accept else None
    answers = list(strategy_exams.examined(described, chosen))
    failed = any(answer.outcome == FAILED for answer in answers)
    told = {"name": described.name, "passed": not failed, "answers": [asdict(each) for each in answers]}
    told |= {"kept": str(kept)} if kept else {}
    show.out(told, as_json=as_json, draw=lambda screen: _draw_exam(screen, told))
    if failed:
        raise typer.Exit(1)


def _draw_exam(screen: "Console", told: dict[str, Any]) -> None:
    styles = {"passed": "green", "failed": "bold red", "open": "yellow"}
    for each in told["answers"]:
        screen.print(f"[{styles[each['outcome']]}]{each['outcome']:<7}[/] {each['question']}: ", end="")
        screen.print(each["words"], markup=False)
    if "kept" in told:
        screen.print(f"kept in {told['kept']}", style="dim", markup=False)


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
