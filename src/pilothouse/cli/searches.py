"""Searches on the terminal: what a sweep or a walk forward has found goes in as it is kept; a table comes out."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console

    from pilothouse.backtest.search_shelf import KeptSearch

_BEST_MOST = 10
_WAYS = {"compiled": "compiled", "turns": "turn by turn"}


def draw_found(screen: "Console", kept: "KeptSearch") -> None:
    """Draw a search of either kind."""
    from pilothouse.backtest.search_shelf import WALK

    (draw_walk if kept.kind == WALK else draw_search)(screen, kept)


def draw_search(screen: "Console", kept: "KeptSearch") -> None:
    """Draw the best trials of a sweep, and what speaks against them."""
    from rich.table import Table

    from pilothouse.backtest.page_parts import shown
    from pilothouse.wiring.backtest_pages import sentences

    told, units = kept.told, _units()
    _head(screen, kept)
    names = list(dict.fromkeys([told["score"], "total_return", "max_drawdown", "sharpe", "trades"]))
    best = told["best"][:_BEST_MOST]
    varied = [name for name in told["varied"] if best]
    table = Table(box=None, pad_edge=False)
    stopped = ["orders stopped"] if told.get("limited") else []
    for head in (*varied, *names, *stopped):
        table.add_column(head.replace("_", " "), justify="right")
    for each in best:
        numbers = (shown(units[name], each["metrics"].get(name)) for name in names)
        denied = [f"{each['denied']:,}" for _ in stopped]
        table.add_row(*(str(each["params"][name]) for name in varied), *numbers, *denied)
    screen.print(table)
    if told["stopped"]:
        screen.print(
            f"stopped after {told['trials']:,} of {told['combinations']:,}: the same command goes on", style="yellow"
        )
    if told["failed"]:
        screen.print(f"{told['failed']:,} could not be run, such as: {told['failure']}", markup=False)
    for sentence in sentences(told):
        screen.print(sentence)
    if told["engines"]:
        ways = ", ".join(f"{count:,} {_WAYS[name]}" for name, count in told["engines"].items())
        screen.print(f"ran {ways}", style="dim")
    _foot(screen, kept)


def draw_walk(screen: "Console", kept: "KeptSearch") -> None:
    """Draw the lessons of a walk forward, and what was earned behind them."""
    from rich.table import Table

    from pilothouse.backtest.page_parts import shown

    told, score = kept.told, str(kept.told["score"])
    unit = _units()[score]
    _head(screen, kept)
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    stopped = ("stopped in lesson", "stopped behind") if told.get("limited") else ()
    for head in ("examined", "chosen", f"{score} in lesson", f"{score} behind", "return behind", *stopped):
        table.add_column(head)
    days = {step["times"][0][:10] for step in told["steps"]}
    length = len("2024-01-31") if len(days) == len(told["steps"]) else len("2024-01-31 23:59")
    for step in told["steps"]:
        chosen = ", ".join(f"{name} {value}" for name, value in step["chosen"].items())
        begins, ends = (time[:length] for time in step["times"])
        table.add_row(
            f"{begins} to {ends}", chosen, shown(unit, step["learned"].get(score)),
            shown(unit, step["examined"].get(score)), shown("share", step["examined"].get("total_return")),
            *([f"{step['denied'][name]:,}" for name in ("learned", "examined")] if stopped else []),
        )  # fmt: skip
    screen.print(table)
    if not told["steps"]:
        screen.print("Nothing traded in any lesson, so nothing was traded behind them.", style="yellow")
    else:
        screen.print(f"Behind the lessons, one after the other: {shown('share', told['total_return'])}.")
    if told["efficiency"] is not None:
        screen.print(f"That is {told['efficiency']:.0%} of what the winners earned in their lessons, per year.")
    _foot(screen, kept)


def metrics_of(kept: "KeptSearch") -> dict[str, float | None]:
    """Return the metrics of a search: behind the lessons, or of its best trial."""
    from pilothouse.backtest.search_shelf import WALK

    if kept.kind == WALK:
        return dict(kept.told["metrics"])
    return dict(kept.told["best"][0]["metrics"]) if kept.told["best"] else {}


def told_of(kept: "KeptSearch") -> dict[str, Any]:
    """Return a search as plain data, as runs are told."""
    return {"name": kept.name, "kind": kept.kind, "strategy": kept.strategy, **kept.told, "metrics": metrics_of(kept)}


def words_of(kept: "KeptSearch") -> str:
    """Return in few words what kind of search it was."""
    from pilothouse.backtest.search_shelf import WALK

    if kept.kind == WALK:
        return f"walk forward, {len(kept.told['steps'])} lessons"
    return f"sweep, best of {kept.told['trials']:,}"


def _head(screen: "Console", kept: "KeptSearch") -> None:
    from pilothouse.backtest.page_parts import COSTLESS, UNFUNDED, underfunded

    told = kept.told
    screen.print(f"[bold]{told['title']}[/]  {words_of(kept)}")
    screen.print(f"{told['symbol']} {told['timeframe']}, {told['span']}", style="dim")
    if told["costless"]:
        screen.print(COSTLESS, style="bold red")
    if told.get("unfunded"):
        screen.print(UNFUNDED, style="bold red")
    if told.get("underfunded"):
        screen.print(underfunded(told["underfunded"]), style="bold red", markup=False)


def _foot(screen: "Console", kept: "KeptSearch") -> None:
    for note in kept.told["notes"]:
        screen.print(note, style="dim")
    screen.print(f"{kept.name[:12]}  kept; a page: pilothouse backtest report {kept.name[:12]}", style="dim")


def _units() -> dict[str, str]:
    from pilothouse.backtest.metrics import CATALOGUE

    return {metric.name: metric.unit for metric in CATALOGUE}
