"""How a command ends: what it does goes in, one of five exit codes comes out, and a sentence if it went wrong.

    0   it was done
    1   it was refused or went wrong; the reason stands on standard error
    2   the words were not understood
    3   Pilothouse is not running
    130 stopped with Ctrl-C

With `--json`, standard output carries one JSON value and nothing else, also when it goes wrong.
"""

import os
import sys
from collections.abc import Callable
from typing import Any

from pilothouse.core.errors import Invalid, PilothouseError

DONE, REFUSED, NOT_UNDERSTOOD, NOT_RUNNING, STOPPED = 0, 1, 2, 3, 130


def ended(work: Callable[[], int], *, as_json: bool) -> int:
    """Return the exit code of one command; the only place of the command line that catches everything."""
    try:
        return work()
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        return STOPPED
    except BrokenPipeError:
        # Whoever read us (`| head`) has seen enough. Python would complain once more when it flushes at the end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return DONE
    except PilothouseError as error:
        return _tell(error, as_json=as_json)
    except Exception as error:
        if os.environ.get("PILOTHOUSE_LOG_LEVEL", "").upper() == "DEBUG":
            raise
        wrong = f"{type(error).__name__}: {error}"
        complain(wrong, "this should not happen. With PILOTHOUSE_LOG_LEVEL=DEBUG it shows where", as_json=as_json)
        return REFUSED


def _tell(error: PilothouseError, *, as_json: bool) -> int:
    """Say an error of ours and return its exit code."""
    from pilothouse.cli.talk import Answered, NotRunning

    if as_json:
        body: dict[str, Any] = {"error": error.code, "detail": str(error)}
        if isinstance(error, Answered):
            body = {**error.body, "detail": str(error.body.get("detail") or error)}
        if isinstance(error, Invalid):
            body["errors"] = [{"field": one.field, "message": str(one), "type": one.code} for one in error.problems]
        print_json(body)
    else:
        words = "\n".join(str(one) for one in error.problems) if isinstance(error, Invalid) else str(error)
        complain(words, "", as_json=False)
    return NOT_RUNNING if isinstance(error, NotRunning) else REFUSED


def complain(what: str, hint: str, *, as_json: bool) -> None:
    """Say on standard error what went wrong, and what to do."""
    if as_json:
        print_json({"error": "failed", "detail": f"{what}; {hint}" if hint else what})
        return
    from rich.text import Text

    from pilothouse.cli.show import complaints

    screen = complaints()
    screen.print(Text("✗ ", style="bold red").append(Text(what, style="default")), soft_wrap=True)
    if hint:
        screen.print(Text(f"  {hint}", style="dim"), soft_wrap=True)


def print_json(body: dict[str, Any]) -> None:
    """Print one JSON value on standard output."""
    from pilothouse.cli.show import print_json as shown

    shown(body)
