"""The `pilothouse` command: words in, one of the exit codes in `ending.py` out.

Every command imports what it needs when it runs, so that help and version answer at once.
"""

import sys
from collections.abc import Sequence
from typing import Annotated, Any, Final

import typer

from pilothouse import __version__
from pilothouse.cli import (
    account,
    alarm,
    alert,
    audit,
    backtest,
    data,
    deadman,
    doctor,
    explain,
    fills,
    halt,
    hooks,
    invariants,
    keys,
    limits,
    openapi,
    orders,
    paper,
    parked,
    positions,
    protect,
    reconcile,
    signals,
    simexchange,
    strategy,
    sweep,
    token,
    venues,
)
from pilothouse.cli.ending import DONE, complain, ended, print_json
from pilothouse.cli.options import Json

_SETTINGS: Final = {"help_option_names": ["-h", "--help"]}

app = typer.Typer(
    name="pilothouse",
    help="A self-hosted trading desk: an alert goes in, an exact order comes out, once.\n\n"
    "Begin with 'pilothouse up', then 'pilothouse alert send' in a second terminal.",
    epilog="Exit codes: 0 done, 1 refused or failed, 2 not understood, 3 Pilothouse is not running.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings=_SETTINGS,
)


@app.command("up", rich_help_panel="Run")
def up() -> None:
    """Start the trading desk: API, jobs, database and simulated market in one process; Ctrl-C stops it."""
    from pilothouse.cli.environment import environment, settings
    from pilothouse.cli.up import run

    raise typer.Exit(run(settings(), environment=environment()))


@app.command("watcher", rich_help_panel="Run")
def watcher() -> None:
    """Watch over the protection of every position beside a desk; 'pilothouse up' starts it by itself."""
    from pilothouse.cli.environment import settings
    from pilothouse.cli.watcher import run

    raise typer.Exit(run(settings()))


@app.command("worker", rich_help_panel="Run")
def worker(
    jobs: Annotated[
        int | None, typer.Option("--jobs", min=1, max=64, help="So many backtests at once; one for each processor.")
    ] = None,
) -> None:
    """Compute backtests for a desk that runs, on its machine or another one that shares its data folder."""
    from pilothouse.cli.environment import settings
    from pilothouse.cli.worker import run

    raise typer.Exit(run(settings(), jobs))


app.add_typer(alert.app, name="alert", rich_help_panel="Trade")
app.command("signals", rich_help_panel="Look")(signals.signals)
app.add_typer(orders.app, name="orders", rich_help_panel="Trade")
app.add_typer(positions.app, name="positions", rich_help_panel="Trade")
app.command("protect", rich_help_panel="Trade")(protect.protect)
app.command("fills", rich_help_panel="Look")(fills.fills)
app.command("explain", rich_help_panel="Look")(explain.explain)
app.command("replay", rich_help_panel="Look")(explain.replay)
app.command("halt", rich_help_panel="Trade")(halt.halt)
app.command("flatten", rich_help_panel="Trade")(halt.flatten)
app.command("resume", rich_help_panel="Trade")(halt.resume)
app.command("halts", rich_help_panel="Trade")(halt.halts)
app.command("reconcile", rich_help_panel="Trade")(reconcile.reconcile)
app.add_typer(account.app, name="account", rich_help_panel="Set up")
app.add_typer(hooks.app, name="hooks", rich_help_panel="Set up")
app.add_typer(keys.app, name="keys", rich_help_panel="Set up")
app.add_typer(data.app, name="data", rich_help_panel="Look")
app.add_typer(backtest.app, name="backtest", rich_help_panel="Research")
app.add_typer(strategy.app, name="strategy", rich_help_panel="Research")
app.add_typer(deadman.app, name="deadman", rich_help_panel="Run")
app.command("sweep", rich_help_panel="Research")(sweep.sweep)
app.command("walkforward", rich_help_panel="Research")(sweep.walkforward)
app.add_typer(limits.app, name="limits", rich_help_panel="Set up")
app.add_typer(paper.app, name="paper", rich_help_panel="Set up")
app.add_typer(token.app, name="token", rich_help_panel="Set up")
app.command("venues", rich_help_panel="Look")(venues.venues)
app.command("doctor", rich_help_panel="Run")(doctor.doctor)
app.add_typer(parked.app, name="parked", rich_help_panel="Run")
app.add_typer(alarm.app, name="alarm", rich_help_panel="Run")
app.command("invariants", rich_help_panel="Run")(invariants.invariants)
app.add_typer(audit.app, name="audit", rich_help_panel="Run")
app.command("simexchange", rich_help_panel="Run")(simexchange.simexchange)
app.command("openapi", rich_help_panel="Look")(openapi.openapi)


@app.command("version", rich_help_panel="Look")
def version(*, as_json: Json = False) -> None:
    """Show which Pilothouse this is."""
    import json
    import platform

    known = {"version": __version__, "python": platform.python_version()}
    print(json.dumps(known) if as_json else f"pilothouse {__version__} (Python {known['python']})")


def main(words: Sequence[str] | None = None) -> None:
    """Run one command and leave with its exit code; `words`: those behind `pilothouse`, else of this process."""
    asked = list(sys.argv[1:] if words is None else words)
    sys.exit(_run(asked))


def _run(words: list[str]) -> int:
    """Return the exit code of one command."""
    as_json = "--json" in words
    if words in (["version"], ["version", "--json"]):
        version(as_json=as_json)  # deploy scripts ask often: reading words the long way takes half of the time
        return DONE
    return ended(lambda: _read(words, as_json=as_json), as_json=as_json)


def _read(words: list[str], *, as_json: bool) -> int:
    """Read the words of one command and run it."""
    try:
        left = app(args=words, prog_name="pilothouse", standalone_mode=False)
        sys.stdout.flush()
        return int(left or DONE)
    except typer.TyperException as misread:
        _tell_misread(misread, as_json=as_json)
        return misread.exit_code
    except typer.Abort:
        raise KeyboardInterrupt from None


def _tell_misread(misread: typer.TyperException, *, as_json: bool) -> None:
    """Say which word was not understood; nothing, when no word was given and help was shown."""
    if type(misread).__name__ == "NoArgsIsHelpError":
        return
    context: Any = getattr(misread, "ctx", None)
    path = context.command_path if context is not None else "pilothouse"
    if as_json:
        print_json({"error": "not_understood", "detail": misread.format_message(), "help": f"{path} --help"})
        return
    complain(misread.format_message(), f"see '{path} --help'", as_json=False)


if __name__ == "__main__":
    main()
