"""What takes long shows how far it is, on a terminal alone; Ctrl-C says what became of it."""

import io
import sys
import time

import pytest
import typer

from pilothouse.backtest.pace import BAR_BY_BAR, Pace
from pilothouse.cli.underway import shown


class Terminal(io.StringIO):
    """A standard error that somebody looks at."""

    def isatty(self) -> bool:
        """Say so."""
        return True


def test_a_long_run_draws_how_much_is_over_and_how_long_the_rest_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    """In one line that is gone again when the result stands there."""
    screen, pace, done = Terminal(), Pace(), [0]
    monkeypatch.setattr(sys, "stderr", screen)
    for name, value in (("TERM", "xterm"), ("COLUMNS", "80")):
        monkeypatch.setenv(name, value)
    until = time.monotonic() + 30
    with shown(pace, as_json=False, first_s=0.0), pace.walk(BAR_BY_BAR, 1_000_000, lambda: done[0]):
        while "left" not in screen.getvalue() and time.monotonic() < until:
            done[0] = min(done[0] + 1, 400_000)

    drawn = screen.getvalue()
    assert BAR_BY_BAR in drawn
    assert " %, 0:" in drawn


@pytest.mark.parametrize("as_json", [True, False])
def test_scripts_and_quick_runs_see_nothing(*, as_json: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """A line that comes and goes within a blink is a flicker; one in a log is rubbish."""
    screen, pace = Terminal(), Pace()
    monkeypatch.setattr(sys, "stderr", screen)
    with shown(pace, as_json=as_json, first_s=0.0 if as_json else 1_000.0):
        pace.at("trading")

    assert not screen.getvalue()


def test_ctrl_c_says_how_far_it_was_and_that_nothing_is_kept(capsys: pytest.CaptureFixture[str]) -> None:
    """Whoever stops a run must not wonder whether half of a result lies somewhere."""
    pace = Pace()
    with pytest.raises(typer.Exit) as ended, shown(pace, as_json=False), pace.walk(BAR_BY_BAR, 10, lambda: 4):
        raise KeyboardInterrupt

    assert ended.value.exit_code == 130
    assert capsys.readouterr().err == (
        "stopped at 40 % (bar by bar): nothing of this run is kept, the same command runs it again\n"
    )
