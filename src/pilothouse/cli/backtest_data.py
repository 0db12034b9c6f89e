"""What somebody typed about candles goes in; the candles, from files or from the data folder, come out."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pilothouse.kit.settings import Settings
    from pilothouse.wiring.backtest_data import Asked, Found


def asked(
    data: list[str] | None, venue: str, symbols: list[str] | None, length: str, *more: str | None,
    leave_out: list[str] | None,
) -> "Asked":  # fmt: skip
    """Return what was typed as data; `more` are zone, span, since and until, in this order. Raises Refused."""
    from pilothouse.cli import show
    from pilothouse.cli.candle_reach import since_when
    from pilothouse.core.clock import millis
    from pilothouse.wiring.backtest_data import Asked

    zone, span, since, until = more
    start_ms = millis(since_when(since, show.now())) if since else 0
    until_ms = millis(since_when(until, show.now())) if until else 2**62
    files, kinds = tuple(data or ()), tuple(leave_out or ())
    return Asked(files, venue, tuple(symbols or ()), length, zone, span, kinds, start_ms, until_ms)


def find(settings: "Settings", asked: "Asked", inside: str | None = None) -> "Found":
    """Return the candles, and what is below them if `inside` says so.

    Raises Invalid, CandlesUnsound, CandlesMissing, Refused.
    """
    from pilothouse.core.errors import Invalid, Problem
    from pilothouse.wiring.backtest_data import of_files

    if bool(asked.files) == bool(asked.venue):
        raise Invalid([Problem("data", "both" if asked.files else "neither", "--data FILE, or --venue with --symbol")])
    if inside:
        return _with_inside(settings, asked, inside)
    if asked.files:
        return of_files(asked)
    from pilothouse.cli.candle_reach import opened
    from pilothouse.wiring.backtest_kept import of_folder

    with opened(settings) as (house, _):
        return of_folder(house.database, settings, asked)


def _with_inside(settings: "Settings", asked: "Asked", inside: str) -> "Found":
    from pilothouse.core.errors import Invalid, Problem
    from pilothouse.wiring.backtest_inside import add_file, is_length

    found = find(settings, asked)
    if not is_length(inside):
        add_file(found, asked, inside)
        return found
    if asked.files:
        allowed = "a file of finer candles or trades:FILE; kept candles stand below kept ones (--venue)"
        raise Invalid([Problem("inside", f"{inside} came beside --data", allowed, "no_venue")])
    from pilothouse.cli.candle_reach import opened
    from pilothouse.wiring.backtest_kept import add_kept

    with opened(settings) as (house, _):
        add_kept(house.database, settings, found, inside)
    return found
