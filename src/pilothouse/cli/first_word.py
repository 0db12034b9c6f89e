"""The `pilothouse` command begins here: `up` opens its door before anything else, all other words go to `main.py`.

Whoever sends an alert while the house starts finds somebody who lets him wait, instead of nobody (see `porch.py`); so
what is imported here is little, and the command line's own framework is not.
"""

import gc
import sys
from contextlib import suppress

from pilothouse.cli.ending import ended
from pilothouse.cli.environment import environment, settings
from pilothouse.cli.porch import Porch, listen_on


def main() -> None:
    """Run one command and leave with its exit code."""
    if sys.argv[1:] == ["up"]:
        sys.exit(ended(_up, as_json=False))
    from pilothouse.cli.main import main as run

    run()


def _up() -> int:
    given = environment()
    told = settings(given)
    porch = None
    with suppress(OSError):  # the address is taken, perhaps by a house on the same data: that is told in its turn
        porch = Porch(listen_on(told.host, told.port))
    gc.disable()  # a third of what is imported would be looked through again and again; `up` turns it on
    from pilothouse.cli.up import run

    return run(told, environment=given, porch=porch)


if __name__ == "__main__":
    main()
