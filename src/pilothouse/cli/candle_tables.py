"""What `pilothouse data` tells of candles: findings go in, plain data and tables come out. Reads nothing by itself."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console

    from pilothouse.cli.candle_reach import Row
    from pilothouse.marketdata.candle_check import Checked
    from pilothouse.marketdata.candles import Columns

_SHOWN_MOST = 20
_FAULTS = ("duplicates", "out_of_order", "off_grid", "impossible", "outside")


def draw_list(screen: "Console", rows: "list[Row]") -> None:
    """Draw what is kept and what is followed."""
    from pilothouse.cli import show

    made = show.table("*venue", "symbol", "each", "from", "until", ">candles", ">gaps", "")
    for row in rows:
        notes = ["followed"] if row["followed"] else []
        notes += [f"{row['conflicts']} told differently"] if row["conflicts"] else []
        notes += [f"{row['not_asked']:,} not asked"] if row["not_asked"] else []
        span = [str(row[name] or show.NOTHING)[:10] for name in ("start", "until")]
        made.add_row(
            row["venue"], row["symbol"], row["timeframe"], *span, f"{row['candles']:,}", f"{row['missing']:,}",
            ", ".join(notes),
        )  # fmt: skip
    nothing = "No candles are kept. Begin: pilothouse data download VENUE SYMBOL --timeframe 1m --from 30d"
    show.listed(screen, rows, made, nothing)
    for row in rows:
        if row["error"]:
            screen.print(f"{row['symbol']} {row['timeframe']}: {row['error']}", style="yellow")


def checked(found: "Checked") -> "Row":
    """Return what was found as plain data; of long lists the first, and how many there are."""
    from dataclasses import asdict

    from pilothouse.core.clock import iso_of_millis

    missing = [one.told() for one in found.missing]
    faults: Row = {name: [iso_of_millis(at) for at in getattr(found, name)[:_SHOWN_MOST]] for name in _FAULTS}
    counts = {f"{name}_count": len(getattr(found, name)) for name in _FAULTS}
    return {
        **asdict(found.series),
        "ok": found.is_sound,
        "candles": len(found.bars),
        "fingerprint": found.bars.fingerprint(),
        "missing": missing[:_SHOWN_MOST],
        "missing_count": len(missing),
        "lost": sum(one.why == "lost" for one in found.missing),
        **faults,
        **counts,
        "conflicts": [
            {
                "opened_at": iso_of_millis(one.conflict.opened_ms),
                "kept": _numbers(one.conflict.kept),
                "told": None if one.conflict.told is None else _numbers(one.conflict.told),
                "told_at": one.told_at.isoformat(),
                "taken": one.taken,
            }
            for one in found.conflicts[:_SHOWN_MOST]
        ],
        "conflicts_count": len(found.conflicts),
        "damaged": found.damaged,
    }


def draw_checked(screen: "Console", rows: "list[Row]") -> None:
    """Draw what was found in each series."""
    from rich.text import Text

    for row in rows:
        mark = Text("✓ ", style="green") if row["ok"] else Text("✗ ", style="bold red")
        words = f"{row['venue']} {row['symbol']} {row['timeframe']}  {row['candles']:,} candles"
        screen.print(mark.append(words, style="bold"), Text(f"  {row['fingerprint'][:16]}", style="dim"))
        if row["damaged"]:
            screen.print(f"  {row['damaged']}", style="red")
        for gap in row["missing"]:
            style = "red" if gap["why"] == "lost" else "dim"
            words = {"lost": "lost from the files", "venue_has_none": "the venue has none"}.get(gap["why"], gap["why"])
            screen.print(f"  {gap['start'][:16]} to {gap['until'][:16]}  {words}", style=style)
        for name in _FAULTS:
            if row[f"{name}_count"]:
                at = ", ".join(one[:16] for one in row[name][:3])
                screen.print(f"  {name.replace('_', ' ')}: {row[f'{name}_count']:,} ({at})", style="yellow")
        for one in row["conflicts"]:
            told = "no more" if one["told"] is None else " ".join(one["told"])
            kept = "the new one was taken" if one["taken"] else "the first is kept"
            screen.print(
                f"  {one['opened_at'][:16]} told as {' '.join(one['kept'])}, then {told}: {kept}", style="yellow"
            )
    if not rows:
        screen.print("Nothing is kept yet.", style="dim")
    if any(row["lost"] or row["damaged"] for row in rows):
        screen.print("What is lost comes back with: pilothouse data download ... --again", style="dim")


def shown(found: "Columns") -> "Row":
    """Return what is kept of one instrument as plain data, with its newest candles."""
    from dataclasses import asdict

    from pilothouse.core.clock import iso_of_millis

    newest = found.bars.where(slice(-10, None)).candles()
    return {
        **asdict(found.series),
        "source": found.source,
        "start": iso_of_millis(found.start_ms),
        "until": iso_of_millis(found.until_ms),
        "candles": len(found.bars),
        "price_step": str(found.bars.price_step),
        "volume_step": str(found.bars.volume_step),
        "fingerprint": found.fingerprint(),
        "missing": [one.told() for one in found.missing],
        "newest": [{"opened_at": _iso_of(one), "numbers": _numbers(one)} for one in newest],
    }


def draw_series(screen: "Console", found: "Columns", told: "Row", *, plot: bool) -> None:
    """Draw what is kept of one instrument; `plot`: as a picture instead of its newest candles."""
    from pilothouse.cli import show
    from pilothouse.cli.candle_chart import chart

    screen.print(
        show.pairs(
            [
                (
                    "candles",
                    f"{told['candles']:,} of {told['timeframe']}, {told['start'][:16]} to {told['until'][:16]}",
                ),
                ("kept as", told["source"] + (", put together" if found.resampled else "")),
                ("fingerprint", told["fingerprint"]),
                ("missing", f"{len(told['missing'])} stretches" if told["missing"] else "nothing"),
            ]
        )
    )
    for one in told["missing"][:_SHOWN_MOST]:
        screen.print(f"  {one['start'][:16]} to {one['until'][:16]}  {one['why'].replace('_', ' ')}", style="dim")
    if plot:
        bars = found.bars
        four = list(zip(*(column.tolist() for column in bars.columns[1:5]), strict=True))
        for line in chart(four, height=15, step=bars.price_step, columns=max(20, screen.width - 16)):
            screen.print(line)
        return
    made = show.table("opened", ">open", ">high", ">low", ">close", ">volume")
    for one in told["newest"]:
        made.add_row(one["opened_at"][:16], *map(show.number, one["numbers"]))
    screen.print(made)


def _numbers(candle: Any) -> list[str]:
    from pilothouse.core.rounding import plain

    return [plain(each) for each in (candle.open, candle.high, candle.low, candle.close, candle.volume)]


def _iso_of(candle: Any) -> str:
    from pilothouse.core.clock import iso

    return iso(candle.opened_at)
