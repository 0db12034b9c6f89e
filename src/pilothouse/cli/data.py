"""`pilothouse data`: candles and funding rates of any venue, downloaded, followed, checked and shown."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pilothouse.cli.options import Json

if TYPE_CHECKING:
    from rich.console import Console

    from pilothouse.cli.candle_reach import Reach, Row

app = typer.Typer(help="Candles and funding: download, follow, check, show.", no_args_is_help=True)

Venue = Annotated[
    str, typer.Argument(metavar="VENUE", help="The venue's key, such as aster or aster@http://127.0.0.1:18100.")
]
Symbols = Annotated[list[str], typer.Argument(metavar="SYMBOL...", help="Instruments, in any spelling.")]
Symbol = Annotated[str, typer.Argument(metavar="SYMBOL", help="The instrument, as `data list` names it.")]
Length = Annotated[str, typer.Option("--timeframe", "-t", metavar="LENGTH", help="How long a candle is: 1m, 4h, 1d.")]
Rates = Annotated[
    bool, typer.Option("--funding", help="The funding rates of perpetuals instead of candles: no --timeframe then.")
]

_ATTEMPTS, _FIRST_PAUSE_S, _LONGEST_PAUSE_S = 6, 1.0, 30.0


@dataclass(slots=True)
class Brought:
    """What a download of one instrument has brought so far."""

    plan: "Row"
    told: int = 0
    fresh: int = 0
    missing: int = 0
    conflicts: int = 0
    waiting: list[tuple[int, int]] = field(default_factory=list)

    def shown(self) -> "Row":
        """Return it as `--json` shows it."""
        named = {name: self.plan[name] for name in ("venue", "symbol", "timeframe", "wanted")}
        counts = {"told": self.told, "fresh": self.fresh, "missing": self.missing, "conflicts": self.conflicts}
        whole: dict[str, Any] = {name: self.plan[name] for name in ("candles", "hours") if name in self.plan}
        return {**named, **whole, **counts, "not_closed_yet": len(self.waiting)}


@app.command("download")
def download(
    venue: Venue,
    symbols: Symbols,
    *,
    length: Length = "1m",
    funding: Rates = False,
    since: Annotated[str, typer.Option("--from", metavar="TIME", help="2025-01-01, an ISO 8601 instant, or 30d.")],
    until: Annotated[str | None, typer.Option("--until", metavar="TIME", help="As --from; left out: now.")] = None,
    again: Annotated[bool, typer.Option("--again", help="Ask also for what was asked before, and compare.")] = False,
    replace: Annotated[
        bool, typer.Option("--replace", help="As --again, and where the venue tells a candle differently, take that.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Fetch closed candles, or funding rates. Ctrl-C keeps what is done; the same command goes on where it stopped."""
    from pilothouse.cli import environment, show
    from pilothouse.cli.candle_reach import FUNDING, reach, since_when

    settings = environment.settings()
    wanted = FUNDING if funding else length
    start, end = since_when(since, show.now()), since_when(until, show.now()) if until else None
    done: list[Brought] = []
    with reach(settings) as way, _progress(as_json=as_json) as begin:
        for symbol in symbols:
            plan = way.plan(venue, symbol, wanted, start, end, again or replace)
            brought = Brought(plan)
            done.append(brought)
            try:
                _fetch_all(
                    way, brought, begin(f"{plan['symbol']} {plan['timeframe']}", plan["unasked"]), replace=replace
                )
            except KeyboardInterrupt:
                if not as_json:
                    _tell(done, as_json=False)
                raise
    _tell(done, as_json=as_json)


def _fetch_all(way: "Reach", brought: Brought, tell: Callable[[int], None], *, replace: bool) -> None:
    """Ask until everything of the plan is settled, or may still come."""
    from pilothouse.core.errors import Unavailable
    from pilothouse.kit.retry import retrying
    from pilothouse.marketdata.spans import without

    plan = brought.plan
    left = [(span[0], span[1]) for span in plan["spans"]]
    while left:
        span = left[0]
        found = retrying(
            lambda span=span: way.fetch(plan, span, replace),  # type: ignore[misc]  # bound now, called at once
            on=Unavailable,
            attempts=_ATTEMPTS,
            first=_FIRST_PAUSE_S,
            longest=_LONGEST_PAUSE_S,
        )
        settled = [(one[0], one[1]) for one in found["settled"]]
        if not settled:
            brought.waiting.append(span)
        left = without(left, settled or [span])
        brought.told += found["rates"] if is_funding(plan) else found["candles"]
        brought.fresh += found["fresh"]
        brought.missing += found["missing"]
        brought.conflicts += found["conflicts"]
        tell(plan["unasked"] - _steps(plan, left))


def is_funding(row: "Row") -> bool:
    """Say whether a row is one of funding rates."""
    from pilothouse.cli.candle_reach import FUNDING

    return bool(row["timeframe"] == FUNDING)


def _steps(plan: "Row", spans: Sequence[tuple[int, int]]) -> int:
    """Return how many candles are left to ask for, or hours where funding is."""
    from pilothouse.marketdata.timeframes import timeframe

    if is_funding(plan):
        return sum(until - start for start, until in spans) // 3_600_000
    each = timeframe(plan["timeframe"])
    return sum(each.count(*one) for one in spans)


@contextmanager
def _progress(*, as_json: bool) -> Iterator[Callable[[str, int], Callable[[int], None]]]:
    """Yield what begins a bar and returns how it is moved; nothing is drawn where nobody looks."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from pilothouse.cli.show import complaints

    screen = complaints()
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=screen, disable=as_json or not screen.is_terminal) as progress:

        def begin(words: str, total: int) -> Callable[[int], None]:
            task = progress.add_task(words, total=total)
            return lambda done: progress.update(task, completed=done)

        yield begin


def _tell(done: Sequence[Brought], *, as_json: bool) -> None:
    from pilothouse.cli import show

    rows = [one.shown() for one in done]
    rates = bool(rows) and is_funding(rows[0])

    def draw(screen: "Console") -> None:
        made = show.table("symbol", "kept as", ">new", ">gaps" if rates else ">venue has none", ">told differently")
        for row in rows:
            counts = [f"{row[name]:,}" for name in ("fresh", "missing", "conflicts")]
            made.add_row(row["symbol"], row["timeframe"], *counts)
        screen.print(made)
        for row in rows:
            if row["wanted"] != row["timeframe"]:
                kept, wanted = row["timeframe"], row["wanted"]
                screen.print(f"{row['venue']} has no {wanted}: {kept} is kept, and {wanted} is put together from it.")
            if row["not_closed_yet"] and not is_funding(row):
                screen.print(f"{row['symbol']}: the newest candle was not told yet; the same command asks again.")
            if row["conflicts"]:
                screen.print(f"{row['symbol']}: `pilothouse data check` shows what the venue told differently.")

    show.out({"downloads": rows}, as_json=as_json, draw=draw)


@app.command("follow")
def follow(
    venue: Venue,
    symbols: Symbols,
    *,
    length: Length = "1m",
    funding: Rates = False,
    since: Annotated[str | None, typer.Option("--from", metavar="TIME", help="Fetch first what closed since.")] = None,
    as_json: Json = False,
) -> None:
    """Fetch candles, or funding rates, shortly after they are final, for as long as the house runs."""
    from pilothouse.cli import environment, show
    from pilothouse.cli.candle_reach import FUNDING, reach, since_when

    at = since_when(since, show.now()) if since else None
    with reach(environment.settings()) as way:
        rows = [way.follow(venue, symbol, FUNDING if funding else length, at) for symbol in symbols]
    words = [f"{row['symbol']} {row['timeframe']} is followed since {row['since'][:16]}Z" for row in rows]
    show.out({"follows": rows}, as_json=as_json, draw=lambda screen: screen.print("\n".join(words)))


@app.command("unfollow")
def unfollow(
    venue: Venue, symbols: Symbols, *, length: Length = "1m", funding: Rates = False, as_json: Json = False
) -> None:
    """Fetch them no more; what is kept stays."""
    from pilothouse.cli import environment, show
    from pilothouse.cli.candle_reach import FUNDING, reach

    with reach(environment.settings()) as way:
        rows = [way.unfollow(venue, symbol, FUNDING if funding else length) for symbol in symbols]
    words = [f"{row['symbol']} {row['timeframe']} is not followed any more" for row in rows]
    show.out({"follows": rows}, as_json=as_json, draw=lambda screen: screen.print("\n".join(words)))


@app.command("list")
def list_series(*, as_json: Json = False) -> None:
    """List what is kept and what is followed."""
    from pilothouse.cli import environment, show
    from pilothouse.cli.candle_reach import opened
    from pilothouse.cli.candle_tables import draw_list
    from pilothouse.cli.funding_tables import draw_rates
    from pilothouse.wiring import candle_desk, funding_desk

    with opened(environment.settings()) as (house, _):
        rows = candle_desk.overview(house.database)
        rates = funding_desk.overview(house.database, house.settings)

    def draw(screen: "Console") -> None:
        if rows or not rates:
            draw_list(screen, rows)
        if rates:
            draw_rates(screen, rates)

    show.out({"items": rows, "funding": rates}, as_json=as_json, draw=draw)


@app.command("check")
def check(
    venue: Annotated[str | None, typer.Argument(metavar="[VENUE]", help="Only this venue.")] = None,
    symbol: Annotated[str | None, typer.Argument(metavar="[SYMBOL]", help="Only this instrument.")] = None,
    *,
    as_json: Json = False,
) -> None:
    """Read all that is kept: gaps, doubles, impossible bars, order, damage, fingerprint. Repairs nothing."""
    from pilothouse.cli import environment, show
    from pilothouse.cli.candle_reach import opened
    from pilothouse.cli.candle_tables import checked, draw_checked
    from pilothouse.cli.funding_tables import checked_rates, draw_checked_rates
    from pilothouse.marketdata import candle_check, candle_records
    from pilothouse.marketdata.funding_kept import check_rates
    from pilothouse.wiring.candle_desk import files_of
    from pilothouse.wiring.funding_desk import rate_files

    settings = environment.settings()
    with opened(settings) as (house, _):
        chosen, funding = (
            [one for one in house.database.read(every) if venue in {None, one.venue} and symbol in {None, one.symbol}]
            for every in (candle_records.every_series, candle_records.every_funding)
        )
        found = [candle_check.check(house.database, files_of(settings), one) for one in chosen]
        rates = [check_rates(house.database, rate_files(settings), one) for one in funding]
    rows, told = [checked(one) for one in found], [checked_rates(one) for one in rates]
    sound = all(one.is_sound for one in found) and all(one.is_sound for one in rates)

    def draw(screen: "Console") -> None:
        if rows or not told:
            draw_checked(screen, rows)
        draw_checked_rates(screen, told)

    show.out({"ok": sound, "items": rows, "funding": told}, as_json=as_json, draw=draw)
    if not sound:
        raise typer.Exit(1)


@app.command("show")
def show_series(
    venue: Venue,
    symbol: Symbol,
    *,
    length: Length = "1m",
    funding: Rates = False,
    since: Annotated[str | None, typer.Option("--from", metavar="TIME", help="As of data download.")] = None,
    until: Annotated[str | None, typer.Option("--until", metavar="TIME", help="As of data download.")] = None,
    plot: Annotated[bool, typer.Option("--plot", help="Draw them.")] = False,
    as_json: Json = False,
) -> None:
    """Show what is kept of one instrument: coverage, gaps and the newest candles. Another length is put together."""
    if funding:
        _show_rates(venue, symbol, since, until, as_json=as_json)
        return
    from pilothouse.cli import environment, show
    from pilothouse.cli.candle_reach import opened, since_when
    from pilothouse.cli.candle_tables import draw_series, shown
    from pilothouse.core.clock import millis
    from pilothouse.marketdata.candles import load
    from pilothouse.wiring.candle_desk import files_of, kept_series, overview

    settings, now = environment.settings(), show.now()
    with opened(settings) as (house, _):
        series = kept_series(venue, symbol, length)
        rows = overview(house.database, venue=series.venue, symbol=symbol)
        begins = [millis(at) for row in rows if (at := show.instant(row["start"])) is not None]
        ends = [millis(at) for row in rows if (at := show.instant(row["until"])) is not None]
        start = millis(since_when(since, now)) if since else min(begins, default=0)
        end = millis(since_when(until, now)) if until else max(ends, default=0)
        found = load(house.database, files_of(settings), series, start, max(start, end))
    told = shown(found)
    show.out(told, as_json=as_json, draw=lambda screen: draw_series(screen, found, told, plot=plot))


def _show_rates(venue: str, symbol: str, since: str | None, until: str | None, *, as_json: bool) -> None:
    from pilothouse.cli import environment, show
    from pilothouse.cli.candle_reach import opened, since_when
    from pilothouse.cli.funding_tables import draw_kept_rates, shown_rates
    from pilothouse.core.clock import millis
    from pilothouse.marketdata.funding_kept import load_rates
    from pilothouse.wiring.funding_desk import kept_funding, overview, rate_files

    settings, now = environment.settings(), show.now()
    with opened(settings) as (house, _):
        series = kept_funding(venue, symbol)
        rows = overview(house.database, settings, venue=series.venue, symbol=symbol)
        begins, ends = ([millis(at) for row in rows if (at := show.instant(row[name]))] for name in ("start", "until"))
        start = millis(since_when(since, now)) if since else min(begins, default=0)
        end = millis(since_when(until, now)) if until else max(ends, default=0)
        found = load_rates(house.database, rate_files(settings), series, start, max(start, end))
    told = shown_rates(found)
    show.out(told, as_json=as_json, draw=lambda screen: draw_kept_rates(screen, told))
