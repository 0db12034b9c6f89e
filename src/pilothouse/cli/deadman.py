"""`pilothouse deadman`: a process beside the house that flattens its accounts when the house is gone; and its drill."""

from datetime import timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from pilothouse.cli.options import Json

if TYPE_CHECKING:
    from rich.console import Console

app = typer.Typer(invoke_without_command=True)

After = Annotated[
    int,
    typer.Option(
        "--after",
        min=1,
        max=86_400,
        help="Act when the house is gone for so many seconds behind the end of its lease.",
    ),
]


@app.callback()
def deadman(
    context: typer.Context,
    *,
    after: After = 60,
    countdown: Annotated[
        int,
        typer.Option(
            "--countdown",
            min=0,
            max=3_600,
            help="Let the venue, where it can, cancel resting entries when it hears nothing for so long, seconds.",
        ),
    ] = 0,
) -> None:
    """Watch over the house from beside it: gone for too long, its accounts are halted, cancelled and closed.

    Run it under another service than the house, with the same PILOTHOUSE_DATA and settings. It works with the sealed
    keys, at real venues alone. Ctrl-C stops it.
    """
    if context.invoked_subcommand is not None:
        return
    from pilothouse.cli.deadman_run import run
    from pilothouse.cli.environment import settings

    raise typer.Exit(run(settings(), after=timedelta(seconds=after), countdown=timedelta(seconds=countdown)))


@app.command("drill")
def drill(
    *,
    after: After = 3,
    venue: Annotated[
        str, typer.Option("--venue", help="Whose ways the simulated exchange has: binanceusdm or aster.")
    ] = "binanceusdm",
    as_json: Json = False,
) -> None:
    """Prove it: a house at a simulated exchange is killed with a position open, and the time until it is flat is kept.

    Nothing of your own house is touched; the result is added to deadman-drills.jsonl in its data folder.
    """
    from pilothouse.cli import deadman_drill, show
    from pilothouse.cli.environment import settings

    if venue not in deadman_drill.VENUES:
        raise typer.BadParameter(f"--venue {venue} is none of {', '.join(deadman_drill.VENUES)}")
    result = deadman_drill.drill(settings().data, venue, after, tell=typer.echo if not as_json else lambda _: None)

    def draw(screen: "Console") -> None:
        colour = "green" if result["passed"] else "bold red"
        screen.print(f"[{colour}]{result['words']}[/]")

    show.out(result, as_json=as_json, draw=draw)
    raise typer.Exit(0 if result["passed"] else 1)


@app.command("drills")
def drills(*, as_json: Json = False) -> None:
    """Show the drills that were held here, and how long each took."""
    from pilothouse.cli import deadman_drill, show
    from pilothouse.cli.environment import settings

    rows = deadman_drill.held(settings().data)

    def draw(screen: "Console") -> None:
        made = show.table("at", "venue", ">told to wait", ">lease taken", ">flat after", "passed")
        for row in rows:
            taken = "" if row["taken_s"] is None else f"{row['taken_s']} s"
            flat = "" if row["flat_s"] is None else f"{row['flat_s']} s"
            made.add_row(row["at"], row["venue"], f"{row['after_s']} s", taken, flat, "yes" if row["passed"] else "NO")
        show.listed(screen, rows, made, "No drill was held yet: pilothouse deadman drill")

    show.out({"items": rows}, as_json=as_json, draw=draw)
