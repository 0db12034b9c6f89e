"""Write docs/use/command-line.md from the commands themselves.

    python tools/write_command_line.py            writes the page
    python tools/write_command_line.py --check    exits 1 if the page is not what it would write

The page is never typed by hand: what a command says of itself with --help is what stands there.
"""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from typer.main import get_command

from pilothouse.cli.main import command_line

PAGE = Path(__file__).resolve().parent.parent / "docs" / "use" / "command-line.md"

BAR = "\\|"  # a bar ends a cell
_EVERYWHERE = {"as_json", "url", "token", "help"}

_HEAD = """\
# The command line

<!-- Written by tools/write_command_line.py from the commands themselves; do not edit it here. -->

`pilothouse up` is the desk. Every other command speaks to it while it runs, over the same API that scripts use. Where
it is and how it is entered stands in `first-steps.json` in the data folder (`PILOTHOUSE_DATA`, else `./data`): on the
machine that runs the desk nothing has to be said. `.venv/bin/pilothouse` is where `make run` put it.

Understood by every command that speaks to the desk:

| option | |
| --- | --- |
| `--json` | one JSON value on standard output and nothing else, also when it goes wrong |
| `--url URL` | another desk than the one in `first-steps.json` |
| `--token TOKEN` | another operator token; `@FILE` reads it from a file, out of sight of other users |

| exit code | |
| --- | --- |
| 0 | done |
| 1 | refused, or it went wrong; the reason stands on standard error |
| 2 | the words were not understood |
| 3 | Pilothouse is not running |
| 130 | stopped with Ctrl-C |

Commands that close, cancel or revoke ask first if somebody sits at the terminal; `--yes` or `--json` answers for them.
Ids may be shortened to the part that lists show.
"""


def page() -> str:
    """Return the page as it has to be."""
    root: Any = get_command(command_line())
    parts = [_HEAD]
    for name, command in sorted(root.commands.items()):
        parts += _sections(f"pilothouse {name}", command)
    return "\n".join(parts)


def _sections(path: str, command: Any) -> Iterator[str]:
    """Yield the section of a command and of those below it; a group that does nothing by itself has none."""
    below = getattr(command, "commands", {})
    if not below or command.invoke_without_command:
        yield _section(path, command)
    for name, each in sorted(below.items()):
        yield from _sections(f"{path} {name}", each)


def _section(path: str, command: Any) -> str:
    own = [parameter for parameter in command.params if parameter.name not in _EVERYWHERE]
    arguments = [each for each in own if each.param_type_name == "argument"]
    words = " ".join([path, *(_usage(each) for each in arguments)])
    lines = [f"## `{words}`", "", " ".join((command.help or "").split()), ""]
    if own:
        lines += ["| | |", "| --- | --- |", *(_row(each) for each in own), ""]
    return "\n".join(lines)


def _usage(argument: Any) -> str:
    word = argument.metavar or argument.name.upper()
    return word if argument.required or word.startswith("[") else f"[{word}]"


def _row(parameter: Any) -> str:
    """Return one line of the table: how it is written, and what it means."""
    if parameter.param_type_name == "argument":
        written = f"`{parameter.metavar or parameter.name.upper()}`"
    else:
        written = ", ".join(f"`{each}`" for each in [*parameter.opts, *parameter.secondary_opts])
        if not parameter.is_flag:
            written = f"{written} {(parameter.metavar or parameter.name.upper()).replace('_', ' ')}"
    default = parameter.default
    said = f" Default: {default}." if isinstance(default, str | int) and not isinstance(default, bool) else ""
    return f"| {written.replace('|', BAR)} | {parameter.help}{said} |"


def main() -> int:
    """Write the page, or compare it."""
    wanted = page()
    if "--check" in sys.argv[1:]:
        if PAGE.exists() and PAGE.read_text(encoding="utf-8") == wanted:
            return 0
        print(f"{PAGE} is out of date: run python tools/write_command_line.py", file=sys.stderr)
        return 1
    PAGE.parent.mkdir(parents=True, exist_ok=True)
    PAGE.write_text(wanted, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
