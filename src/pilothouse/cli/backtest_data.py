"""What somebody typed about candles goes in; the candles, from files or from the data folder, come out."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

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


def find(settings: "Settings", asked: "Asked", inside: "Sequence[str]" = (), funding: "Sequence[str]" = ()) -> "Found":
    """Return the candles, what is below them if `inside` says so, and the rates of `funding`, or those that are kept.

    Raises Invalid, CandlesUnsound, CandlesMissing, Refused.
    """
    from pilothouse.core.errors import Invalid, Problem

    if bool(asked.files) == bool(asked.venue):
        raise Invalid([Problem("data", "both" if asked.files else "neither", "--data FILE, or --venue with --symbol")])
    found = _candles(settings, asked, inside)
    if asked.venue:
        from pilothouse.cli.candle_reach import opened
        from pilothouse.wiring.backtest_kept import add_kept_funding

        with opened(settings) as (house, _):
            add_kept_funding(house.database, settings, found, asked, funding)
    elif funding:
        from pilothouse.wiring.backtest_funding import add_funding

        add_funding(found, asked, funding)
    return found


def _candles(settings: "Settings", asked: "Asked", inside: "Sequence[str]") -> "Found":
    from pilothouse.wiring.backtest_data import of_files

    if inside:
        return _with_inside(settings, asked, inside)
    if asked.files:
        return of_files(asked)
    from pilothouse.cli.candle_reach import opened
    from pilothouse.wiring.backtest_kept import of_folder

    with opened(settings) as (house, _):
        return of_folder(house.database, settings, asked)


def _with_inside(settings: "Settings", asked: "Asked", inside: "Sequence[str]") -> "Found":
    from pilothouse.wiring.backtest_inside import add_files, length_of

    length = length_of(inside, has_files=bool(asked.files))
    found = _candles(settings, asked, ())
    if not length:
        add_files(found, asked, inside)
        return found
    from pilothouse.cli.candle_reach import opened
    from pilothouse.wiring.backtest_kept import add_kept

    with opened(settings) as (house, _):
        add_kept(house.database, settings, found, length)
    return found
