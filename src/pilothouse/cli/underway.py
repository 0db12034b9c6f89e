"""What takes long says how far it is: a pace goes in; a bar with the time that is left, on standard error.

Only where that is a terminal, and only after a second: what is done sooner shows nothing.
"""

import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Final

import typer

from pilothouse.cli.ending import STOPPED

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from pilothouse.backtest.pace import Pace, Where

_FIRST_S: Final = 1.0
_EVERY_S: Final = 0.2
_WHOLE_PPM: Final = 1_000_000
_NOTHING_KEPT: Final = "nothing of this run is kept, the same command runs it again"


@contextmanager
def shown(pace: "Pace", *, as_json: bool, first_s: float = _FIRST_S, kept: str = "") -> Iterator[None]:
    """Show how far the work has come that is done inside; Ctrl-C says how far it was, and what of it is kept.

    first_s   what is done sooner shows nothing
    kept      what stays of work that is stopped; nothing by default
    """
    with ExitStack() as stack:
        if sys.stderr.isatty() and not as_json:
            bar = _Bar()
            stack.callback(bar.end)
            stack.enter_context(pace.watched(bar.look, first_s=first_s, every_s=_EVERY_S))
        try:
            yield
        except KeyboardInterrupt:
            where = pace.where()
            stack.close()
            far = "" if where.done_ppm is None else f" at {where.done_ppm // 10_000} % ({where.words})"
            stays = f"{kept} is kept, the same command goes on" if kept else _NOTHING_KEPT
            print(f"stopped{far}: {stays}", file=sys.stderr)
            raise typer.Exit(STOPPED) from None


class _Bar:
    """One line that says what is done, how much of it is over and when it will be."""

    def __init__(self) -> None:
        self._shown: Progress | None = None
        self._task: TaskID | None = None
        self._words = ""

    def look(self, where: "Where") -> None:
        """Draw where the work is; another piece of it begins another line in the same place."""
        if self._shown is None:
            self._shown = _opened()
            self._shown.start()
        if self._task is None or where.words != self._words:
            if self._task is not None:
                self._shown.remove_task(self._task)
            self._task, self._words = self._shown.add_task(where.words, total=None), where.words
        known = where.done_ppm is not None
        self._shown.update(self._task, total=_WHOLE_PPM if known else None, completed=where.done_ppm or 0)
        self._shown.refresh()

    def end(self) -> None:
        """Leave the terminal as it was."""
        if self._shown is not None:
            self._shown.stop()


def _opened() -> "Progress":
    # Loaded by the thread that draws: whoever computes does not wait for it.
    from rich.progress import BarColumn, Progress, ProgressColumn, Task, TextColumn, TimeElapsedColumn
    from rich.text import Text

    from pilothouse.cli import show

    class Left(ProgressColumn):
        """How much is over and how long the rest takes, where that is known."""

        def render(self, task: Task) -> Text:
            """Return both, or nothing."""
            if task.total is None or task.time_remaining is None:
                return Text("")
            minutes, seconds = divmod(int(task.time_remaining), 60)
            return Text(f"{int(task.percentage):>3} %, {minutes // 60}:{minutes % 60:02}:{seconds:02} left")

    columns = (TextColumn("{task.description}"), BarColumn(bar_width=20), TimeElapsedColumn(), Left())
    return Progress(
        *columns, console=show.complaints(), transient=True, auto_refresh=False, redirect_stdout=False,
        redirect_stderr=False,
    )  # fmt: skip
