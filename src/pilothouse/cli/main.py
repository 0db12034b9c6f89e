"""The `pilothouse` command: words in, one of the exit codes in `ending.py` out.

Of the commands only the one that is asked for is imported, and it imports what it needs when it runs: so that each of
them answers at once.
"""

import importlib
import sys
from collections.abc import Sequence
from typing import Annotated, Any, Final

import typer

from pilothouse import __version__
from pilothouse.cli.ending import DONE, complain, ended, print_json
from pilothouse.cli.options import Json
from pilothouse.cli.typed import read_only_what_must_be_read

_DESK: Final[dict[str, Any]] = {
    "name": "pilothouse",
    "help": "A self-hosted trading desk: an alert goes in, an exact order comes out, once.\n\n"
    "Begin with 'pilothouse up', then 'pilothouse alert send' in a second terminal.",
    "epilog": "Exit codes: 0 done, 1 refused or failed, 2 not understood, 3 Pilothouse is not running.",
    "no_args_is_help": True,
    "add_completion": False,
    "pretty_exceptions_enable": False,
    "rich_markup_mode": "rich",
    "context_settings": {"help_option_names": ["-h", "--help"]},
}

_ELSEWHERE: Final = (
    ("alert", "alert", "app", "Trade"),
    ("signals", "signals", "signals", "Look"),
    ("orders", "orders", "app", "Trade"),
    ("positions", "positions", "app", "Trade"),
    ("protect", "protect", "protect", "Trade"),
    ("fills", "fills", "fills", "Look"),
    ("explain", "explain", "explain", "Look"),
    ("replay", "explain", "replay", "Look"),
    ("halt", "halt", "halt", "Trade"),
    ("flatten", "halt", "flatten", "Trade"),
    ("resume", "halt", "resume", "Trade"),
    ("halts", "halt", "halts", "Trade"),
    ("reconcile", "reconcile", "reconcile", "Trade"),
    ("account", "account", "app", "Set up"),
    ("hooks", "hooks", "app", "Set up"),
    ("keys", "keys", "app", "Set up"),
    ("data", "data", "app", "Look"),
    ("backtest", "backtest", "app", "Research"),
    ("strategy", "strategy", "app", "Research"),
    ("deadman", "deadman", "app", "Run"),
    ("sweep", "sweep", "sweep", "Research"),
    ("walkforward", "sweep", "walkforward", "Research"),
    ("limits", "limits", "app", "Set up"),
    ("paper", "paper", "app", "Set up"),
    ("token", "token", "app", "Set up"),
    ("venues", "venues", "venues", "Look"),
    ("doctor", "doctor", "doctor", "Run"),
    ("parked", "parked", "app", "Run"),
    ("alarm", "alarm", "app", "Run"),
    ("invariants", "invariants", "invariants", "Run"),
    ("audit", "audit", "app", "Run"),
    ("simexchange", "simexchange", "simexchange", "Run"),
    ("openapi", "openapi", "openapi", "Look"),
)
"""Commands in files of their own, in the order in which help tells them: the word, the file, what it is there, and the
panel of the help that it stands on."""


def up() -> None:
    """Start the trading desk: API, jobs, database and simulated market in one process; Ctrl-C stops it."""
    from pilothouse.cli.environment import environment, settings
    from pilothouse.cli.up import run

    raise typer.Exit(run(settings(), environment=environment()))


def watcher() -> None:
    """Watch over the protection of every position beside a desk; 'pilothouse up' starts it by itself."""
    from pilothouse.cli.environment import settings
    from pilothouse.cli.watcher import run

    raise typer.Exit(run(settings()))


def worker(
    jobs: Annotated[
        int | None, typer.Option("--jobs", min=1, max=64, help="So many backtests at once; one for each processor.")
    ] = None,
) -> None:
    """Compute backtests for a desk that runs, on its machine or another one that shares its data folder."""
    from pilothouse.cli.environment import settings
    from pilothouse.cli.worker import run

    raise typer.Exit(run(settings(), jobs))


def version(*, as_json: Json = False) -> None:
    """Show which Pilothouse this is."""
    import json
    import platform

    known = {"version": __version__, "python": platform.python_version()}
    print(json.dumps(known) if as_json else f"pilothouse {__version__} (Python {known['python']})")


def command_line(words: Sequence[str] = ()) -> typer.Typer:
    """Return the command line with the command that the words begin with; with every one, if they begin with none."""
    there = {"up": up, "watcher": watcher, "worker": worker}
    asked = [each for each in _ELSEWHERE if tuple(words[:1]) == each[:1]]
    read_only_what_must_be_read()
    desk = typer.Typer(**_DESK)
    for word, command in there.items():
        desk.command(word, rich_help_panel="Run")(command)
    for word, file, name, panel in asked or (() if words[:1] and words[0] in there else _ELSEWHERE):
        command = getattr(importlib.import_module(f"pilothouse.cli.{file}"), name)
        if isinstance(command, typer.Typer):
            desk.add_typer(command, name=word, rich_help_panel=panel)
        else:
            desk.command(word, rich_help_panel=panel)(command)
    desk.command("version", rich_help_panel="Look")(version)
    return desk


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
        left = command_line(words)(args=words, prog_name="pilothouse", standalone_mode=False)
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
